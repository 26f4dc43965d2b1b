"""foldproof.oracle.fills: what each fill promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.support.relax import evaluate_steps, inputs, reference

from foldproof.case import Axis, Case, Pad, Step, dtypes, ops
from foldproof.oracle.fills import FILLS, parameters

AXIS = Axis(size=5, kernel=2, pad=(1, 1))
QUANTIZED = Step(scale=(0.5, 2.0), zero_point=(3, 5), zero_point_dtype="uint8", constant=False)


def conv(dtype: str, **fields) -> Case:
    return Case(**{"op": "conv2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, "filters": 2, **fields})


def pool(dtype: str, **fields) -> Case:
    return Case(**{"op": "max_pool2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, **fields})


def test_the_table_has_every_fill_and_no_other():
    assert tuple(FILLS) == ops.FILLS


def test_a_seed_makes_these_arrays_on_every_machine():
    case = Case(op="conv1d", axes=(Axis(size=4, kernel=2),), seed=3)
    arrays = inputs(case, "integers")
    assert arrays["x"].tolist() == [[[-7.0, 5.0, 7.0, 8.0]]]
    assert arrays["w"].tolist() == [[[0.0, -6.0]]]


@pytest.mark.parametrize("fill", ops.FILLS)
def test_equal_cases_get_equal_arrays_and_other_seeds_get_others(fill):
    first, again, other = (inputs(conv("float32", seed=seed), fill) for seed in (1, 1, 2))
    for name in ("x", "w"):
        assert first[name].tobytes() == again[name].tobytes() != other[name].tobytes()


@pytest.mark.parametrize("fill", ops.FILLS)
@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_arrays_have_the_shape_and_dtype_of_their_parameters(dtype, fill):
    layouts = {"data_layout": "CHNW", "kernel_layout": "HOWI", "channels": 3, "filters": 4}
    arrays = inputs(conv(dtype, weight_dtype="int8", out_dtype="int32", **layouts), fill)
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "x": ((3, 5, 1, 5), dtype),
        "w": ((2, 4, 2, 3), "int8"),
    }
    assert all(array.flags.c_contiguous for array in arrays.values())


def test_a_pool_has_no_weight():
    assert list(inputs(pool("float32"), "reals")) == ["x"]


def test_unknown_scales_and_zero_points_are_parameters():
    arrays = inputs(conv("uint8", steps=(QUANTIZED,)), "integers")
    assert list(arrays) == ["x", "w", "scale0", "zero_point0"]
    assert (arrays["scale0"].tolist(), arrays["scale0"].dtype) == ([0.5, 2.0], np.float32)
    assert (arrays["zero_point0"].tolist(), arrays["zero_point0"].dtype) == ([3, 5], np.uint8)


def test_one_scale_is_a_scalar_and_constants_are_no_parameters():
    scalar = Step(scale=(0.5,), zero_point=(-3,), constant=False)
    arrays = inputs(conv("int8", steps=(scalar,)), "integers")
    assert (arrays["scale0"].shape, arrays["zero_point0"].shape) == ((), ())
    assert list(inputs(conv("int8", steps=(Step(),)), "integers")) == ["x", "w"]


@pytest.mark.parametrize("fill", ops.FILLS)
@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_a_single_element_is_never_zero(dtype, fill):
    for seed in range(20):
        arrays = inputs(Case(op="conv1d", axes=(Axis(),), dtype=dtype, seed=seed), fill)
        assert arrays["x"].any()
        assert arrays["w"].any()


EXACT = {
    "float32": conv("float32"),
    "float16": conv("float16", channels=6),
    "bfloat16": conv("bfloat16"),
    "bfloat16 with a large pad value": conv("bfloat16", pad=Pad(value=-7.0)),
    "bfloat16 with a fractional pad value": conv("bfloat16", pad=Pad(value=0.5), channels=1),
    "bfloat16 with a large pad value in the weight": conv("bfloat16", pad=Pad(value=5.0, operand="weight"), channels=1),
    "bfloat16, more terms than its integers": conv("bfloat16", channels=100),
    "grouped transposed bfloat16": conv("bfloat16", op="conv2d_transpose", channels=4, groups=2),
    "int8 into float16": conv("int8", out_dtype="float16"),
    "int8 that wraps": conv("int8", channels=8),
    "dequantized per channel": conv("uint8", steps=(QUANTIZED,)),
    "dequantized to float16": conv("int8", steps=(Step(scale=(0.75,), zero_point=(-9,), out_dtype="float16"),)),
    "average of bfloat16": pool("bfloat16", op="avg_pool2d"),
    "average of float16": pool("float16", op="avg_pool2d"),
}


@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
def test_integers_sum_exactly(case):
    result = reference(case, inputs(case, "integers"))
    assert result.defined.all()
    assert not result.bound.any()


@pytest.mark.parametrize("name", [name for name in EXACT if "more terms" not in name])
def test_negatives_sum_exactly_unless_a_weight_would_have_to_be_zero(name):
    result = reference(EXACT[name], inputs(EXACT[name], "negative"))
    assert result.defined.all()
    assert not result.bound.any()


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_integers_are_small_and_mostly_non_zero(dtype):
    array = inputs(pool(dtype, channels=20), "integers")["x"].astype(np.float64)
    assert (array == np.trunc(array)).all()
    assert abs(array).max() <= 9
    assert 0.75 < np.count_nonzero(array) / array.size < 1
    assert (array < 0).any() != dtype.startswith("u")


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_negative_data_shows_a_border_and_its_weights_hide_none(dtype):
    arrays = inputs(conv(dtype), "negative")
    data = arrays["x"].astype(np.float64)
    assert ((data >= 1) & (data <= 3)).all() if dtype.startswith("u") else (data <= -1).all()
    assert arrays["w"].all()


@pytest.mark.parametrize(
    ("dtype", "zero_point", "lowest", "highest"),
    [("int8", -3, -12, -4), ("int8", -127, -128, -128), ("uint8", 4, 0, 3), ("uint8", 0, 1, 9), ("int32", 0, -9, -1)],
)
def test_negative_quantized_data_lies_below_the_zero_point_where_there_is_room(dtype, zero_point, lowest, highest):
    step = Step(zero_point=(zero_point,), zero_point_dtype=dtype)
    data = inputs(conv(dtype, steps=(step,)), "negative")["x"]
    assert lowest <= data.min()
    assert data.max() <= highest


def test_zero_points_belong_to_the_padded_axis():
    axis = Axis(size=2, pad=(1, 0))
    step = Step(zero_point=(100, 50, -50), axis="W")
    case = Case(op="max_pool1d", axes=(axis,), dtype="int8", steps=(step,))
    assert (abs(inputs(case, "negative")["x"].astype(int) - [50, -50]) <= 9).all()


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_extremes_hold_both_ends_and_small_values(dtype):
    array = inputs(pool(dtype, channels=20), "extremes")["x"]
    low, high = dtypes.int_range(dtype) if dtype in dtypes.INTEGERS else (-dtypes.HIGHEST[dtype], dtypes.HIGHEST[dtype])
    values = [value.item() for value in array.ravel()]
    assert min(values) == low
    assert max(values) == high
    assert 2 in values
    assert all(math.isfinite(value) for value in values)


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_reals_are_moderate_and_of_either_sign(dtype):
    array = inputs(pool(dtype, channels=20), "reals")["x"].astype(np.float64)
    assert abs(array).min() >= 0.25
    assert abs(array).max() <= 4
    assert (array < 0).any()
    assert (array > 0).any()


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_specials_hold_infinities_zeros_of_both_signs_and_subnormals_but_no_nan(dtype):
    array = inputs(pool(dtype, channels=40), "specials")["x"].astype(np.float64)
    normal = {"float16": 2.0**-14, "float64": 2.0**-1022}.get(dtype, 2.0**-126)
    zeros = np.signbit(array[array == 0])
    assert np.isposinf(array).any()
    assert np.isneginf(array).any()
    assert not np.isnan(array).any()
    assert zeros.any()
    assert not zeros.all()
    assert ((array != 0) & (abs(array) < normal)).any()


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_nans_hold_nan_in_data_and_weight(dtype):
    arrays = inputs(conv(dtype), "nans")
    assert np.isnan(arrays["x"].astype(np.float64)).any()
    assert np.isnan(arrays["w"].astype(np.float64)).any()


# --- through steps ------------------------------------------------------------------------------------


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
    seen = operands(pool("float32", steps=steps, channels=2), "integers").value.astype(np.float64)
    assert (seen == np.rint(seen)).all()
    assert 5 <= abs(seen).max() <= 9
    assert (seen < 0).any()
    assert (seen > 0).any()
    assert len(np.unique(seen)) >= 8


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
        seen = operands(case, fill).value.astype(np.float64)
        assert np.isfinite(seen).mean() > 1 / 2, fill
        assert np.count_nonzero(seen) >= seen.size / 4, fill
    assert operands(case, "negative").value.all()


def test_steps_in_front_of_the_pad_count_too():
    steps = (step("add", 10), step("multiply", 4))
    after, producers = (operands(pool("float32", **{name: steps}), "negative") for name in ("steps", "producers"))
    assert after.value.tolist() == producers.value.tolist()


def test_an_operand_follows_its_axis_behind_the_pads_in_front_of_it():
    axis = Axis(size=2, pad=(1, 0))
    steps = (
        Step(kind="pad", widths=(("W", 2, 0),)),
        step("permute_dims", source="NCW"),
        step("add", 0, 0, 0, 100, -50, axis="W"),
    )
    case = Case(op="max_pool1d", axes=(axis,), steps=steps, data_layout="NWC")
    assert (abs(inputs(case, "integers")["x"] - [-100, 50]) <= 9).all()


def test_integers_in_front_of_steps_stay_in_their_dtype():
    case = pool("int8", steps=(step("subtract", 120), step("clip", low=-9.0, high=9.0)))
    assert inputs(case, "integers")["x"].min() >= 111
    assert inputs(case, "negative")["x"].dtype == np.int8


@pytest.mark.parametrize("name", [name for name in CHAINS if "per channel" not in name])
def test_integers_sum_exactly_through_a_chain(name):
    case = conv("float32", steps=CHAINS[name], pad=Pad(value=2.0), out_dtype="float32")
    result = reference(case, inputs(case, "integers"))
    assert result.defined.all()
    assert not result.bound[..., 1:-1, 1:-1].any()


def test_a_constant_weight_is_that_of_the_first_fill_and_no_parameter():
    case = conv("float32", constant_weight=True, fills=("reals", "negative"))
    plain = conv("float32")
    assert inputs(case, "negative")["w"].tobytes() == inputs(plain, "reals")["w"].tobytes()
    assert list(parameters(case, inputs(case, "negative"))) == ["x"]
    assert list(parameters(plain, inputs(plain, "negative"))) == ["x", "w"]


def test_run_time_operands_have_the_shape_that_broadcasts():
    steps = (step("multiply", 2, 4, constant=False), step("add", 1, constant=False))
    arrays = inputs(pool("float16", steps=steps, channels=2), "integers")
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "x": ((1, 2, 5, 5), "float16"),
        "operand0": ((2, 1, 1), "float16"),
        "operand1": ((), "float16"),
    }
