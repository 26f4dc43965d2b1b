"""foldproof.oracle.preimage: the consumer reads small numbers, whatever the steps do."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.relax import evaluate_steps, inputs, reference

from foldproof.case import Axis, Case, Pad, Step

AXIS = Axis(size=5, kernel=2, pad=(1, 1))
QUANTIZED = Step(scale=(0.5, 2.0), zero_point=(3, 5), zero_point_dtype="uint8", constant=False)


def conv(dtype: str, **fields) -> Case:
    return Case(**{"op": "conv2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, "filters": 2, **fields})


def pool(dtype: str, **fields) -> Case:
    return Case(**{"op": "max_pool2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, **fields})


def step(kind, *operand, **fields):
    return Step(kind=kind, **({"operand": tuple(map(float, operand))} if operand else {}), **fields)


CLIP = step("clip", low=-127.0, high=127.0)
INT8 = step("astype", out_dtype="int8")

CHAINS = {
    "nothing": (),
    "times 128, clipped": (step("multiply", 128), step("round"), CLIP, INT8),
    "128ths, clipped": (step("divide", 128), step("round"), CLIP, INT8),
    "127.5 / 127.5 - 1": (step("divide", 127.5), step("subtract", 1)),
    "quantized": (step("quantize", scale=(0.1,), zero_point=(5,), out_dtype="int8"),),
    "quantized and back": (step("quantize", scale=(0.1,), zero_point=(5,), out_dtype="int8"), Step(zero_point=(5,))),
    "another zero": (step("add", 1000), step("subtract", 7)),
    "per channel": (step("add", 100, -100), step("multiply", 8, 0.125)),
    "swapped": (step("subtract", 50, swapped=True),),
}


def operands(case, fill):
    """What the consumer reads, before the pad's border."""
    return evaluate_steps(replace(case, axes=tuple(replace(a, pad=(0, 0)) for a in case.axes)), inputs(case, fill))[-1]


@pytest.mark.parametrize("steps", CHAINS.values(), ids=CHAINS)
def test_the_consumer_reads_small_integers_of_either_sign_through_a_chain(steps):
    operand = operands(pool("float32", steps=steps, channels=2), "integers").value.astype(np.float64)
    assert (operand == np.rint(operand)).all()
    assert 5 <= abs(operand).max() <= 9
    assert (operand < 0).any()
    assert (operand > 0).any()
    assert len(np.unique(operand)) >= 8


@pytest.mark.parametrize("steps", CHAINS.values(), ids=CHAINS)
def test_negative_data_is_negative_where_the_consumer_reads_it(steps):
    assert (operands(pool("float32", steps=steps, channels=2), "negative").value.astype(np.float64) <= -1).all()


@pytest.mark.parametrize(
    "steps",
    [
        (step("relu"),),
        (step("abs"),),
        (step("square"),),
        (step("sqrt"),),
        (step("clip"),),
        (step("clip", low=50.0, high=60.0),),
        (step("maximum", 0),),
        (step("negative"), step("relu")),
        (step("add", 3), step("sign"), step("relu")),
        (step("quantize", zero_point=(0,), out_dtype="uint8"),),
        (step("relu"), step("sqrt"), step("negative")),
    ],
)
def test_no_chain_loses_all_data(steps):
    case = pool("float32", steps=steps, channels=2)
    for fill in ("integers", "negative", "reals"):
        operand = operands(case, fill).value.astype(np.float64)
        assert np.isfinite(operand).mean() > 1 / 2, fill
        assert np.count_nonzero(operand) >= operand.size / 4, fill
    assert operands(case, "negative").value.all()


def test_producers_count_too():
    steps = (step("add", 10), step("multiply", 4))
    after, producers = (operands(pool("float32", **{name: steps}), "negative") for name in ("steps", "producers"))
    assert after.value.tolist() == producers.value.tolist()


def test_an_operand_follows_its_axis_after_the_pads_before_it():
    axis = Axis(size=2, pad=(1, 0))
    steps = (
        Step(kind="pad", widths=(("W", 2, 0),)),
        step("permute_dims", source="NCW"),
        step("add", 0, 0, 0, 100, -50, axis="W"),
    )
    case = Case(op="max_pool1d", axes=(axis,), steps=steps, data_layout="NWC")
    assert (abs(inputs(case, "integers")["x"] - [-100, 50]) <= 9).all()


def test_integers_before_steps_stay_in_their_dtype():
    case = pool("int8", steps=(step("subtract", 120), step("clip", low=-9.0, high=9.0)))
    assert inputs(case, "integers")["x"].min() >= 111
    assert inputs(case, "negative")["x"].dtype == np.int8


@pytest.mark.parametrize("name", [name for name in CHAINS if "per channel" not in name])
def test_integers_sum_exactly_through_a_chain(name):
    case = conv("float32", steps=CHAINS[name], pad=Pad(value=2.0), out_dtype="float32")
    result = reference(case, inputs(case, "integers"))
    assert result.defined.all()
    assert not result.bound[..., 1:-1, 1:-1].any()
