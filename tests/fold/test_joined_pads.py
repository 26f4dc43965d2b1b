"""foldproof.fold: pads alike before one op become one pad after it. A Case cannot express them: it has one chain."""

import numpy as np
import pytest
from tests.support.foldings import assert_kept, assert_same_results, fold, op_names, outcomes, refusals
from tvm import relax, tirx

from foldproof.fold import Folded, Kind
from foldproof.fold.facts import PadFacts
from foldproof.fold.joined_pads import are_alike, join_values

O = relax.op  # noqa: E741

RNG = np.random.default_rng(0)
X, Y = (RNG.integers(-9, 10, (1, 3, 8)).astype("float32") for _ in range(2))
WEIGHT = RNG.integers(-9, 10, (4, 6, 3)).astype("float32")


def model(body, channels=3, consumer=O.nn.conv1d, dtype="float32", length=8):
    builder = relax.BlockBuilder()
    x, y = (relax.Var(name, relax.TensorType((1, 3, length), dtype)) for name in "xy")
    w = relax.Var("w", relax.TensorType((4, channels, 3), dtype))
    with builder.function("main", [x, y, w]):
        with builder.dataflow():
            result = builder.emit_output(consumer(builder.emit(body(x, y)), w))
        builder.emit_func_output(result)
    return builder.get()


def padded(x, value=0.0, widths=(0, 0, 0, 0, 1, 2), mode="constant"):
    return O.nn.pad(x, widths, pad_value=value, pad_mode=mode)


JOINS = {
    "add": (3, lambda x, y: O.add(padded(x), padded(y))),
    "add of values that cancel": (3, lambda x, y: O.add(padded(x, 2.0), padded(y, -2.0))),
    "subtract": (3, lambda x, y: O.subtract(padded(x, 2.0), padded(y, 2.0))),
    "multiply": (3, lambda x, y: O.multiply(padded(x, 0.0), padded(y, 3.0))),
    "maximum": (3, lambda x, y: O.maximum(padded(x, -3.0), padded(y, 0.0))),
    "minimum": (3, lambda x, y: O.minimum(padded(x, 3.0), padded(y, 0.0))),
    "concat of channels": (6, lambda x, y: O.concat([padded(x), padded(y)], 1)),
    "concat, counted from the end": (6, lambda x, y: O.concat([padded(x), padded(y)], -2)),
    "three": (3, lambda x, y: O.add(O.add(padded(x), padded(y)), padded(O.multiply(x, y)))),
    "steps after": (3, lambda x, y: O.nn.relu(O.add(padded(x, -1.0), padded(y, -2.0)))),
}


@pytest.mark.parametrize(("channels", "body"), JOINS.values(), ids=list(JOINS))
def test_pads_alike_become_one_that_folds(channels, body):
    module = model(body, channels)
    assert "nn.pad" not in op_names(fold(module))
    assert outcomes(module)[0][-1] == Folded("joined")
    assert_same_results(module, X, Y, WEIGHT[:, :channels])


def test_one_pad_stays_where_it_does_not_fold():
    module = model(lambda x, y: O.add(padded(x, 1.0), padded(y, 2.0)))
    folded = fold(module)
    assert op_names(folded) == ["add", "nn.pad", "nn.conv1d"]
    assert refusals(module) == [("conv1d", Kind.VALUE)]
    assert_same_results(module, X, Y, WEIGHT[:, :3])


DIFFERENT = {
    "other widths": lambda x, y: O.add(padded(x), padded(y, widths=(0, 0, 0, 0, 2, 1))),
    "other values before a concat": lambda x, y: O.concat([padded(x), padded(y, 1.0)], 1),
    "zeros of two signs before a concat": lambda x, y: O.concat([padded(x), padded(y, -0.0)], 1),
    "the axis of the concat": lambda x, y: O.concat([padded(x), padded(y)], 2),
    "another mode": lambda x, y: O.add(padded(x), padded(y, mode="reflect")),
    "an operand that is not padded": lambda x, y: O.add(padded(x), O.rsqrt(padded(y))),
    "infinities that cancel": lambda x, y: O.add(padded(x, float("inf")), padded(y, float("-inf"))),
    "NaN": lambda x, y: O.add(padded(x, float("nan")), padded(y)),
    "lengths that are broadcast": lambda x, y: O.add(padded(x), padded(O.mean(y, 1, keepdims=True))),
}


@pytest.mark.parametrize("body", DIFFERENT.values(), ids=list(DIFFERENT))
def test_pads_that_differ_stay(body):
    module = model(lambda x, y: O.flatten(body(x, y)), consumer=lambda x, w: O.nn.relu(x))
    assert_kept(module)
    assert {kind for _, kind in refusals(module)} <= {Kind.STEP, Kind.RUNTIME_OPERAND, Kind.MODE}


def test_a_pad_with_another_reader_stays():
    builder = relax.BlockBuilder()
    x, y = (relax.Var(name, relax.TensorType((1, 3, 8), "float32")) for name in "xy")
    with builder.function("main", [x, y]):
        first, second = builder.emit(padded(x)), builder.emit(padded(y))
        total = builder.emit(O.add(first, second))
        builder.emit_func_output(relax.Tuple([total, first]))
    assert_kept(builder.get())


def test_pads_that_a_fold_leaves_to_one_op_are_joined():
    """The convolution folds the first pad. Then only the sum reads it."""
    builder = relax.BlockBuilder()
    x, y = (relax.Var(name, relax.TensorType((1, 3, 8), "float32")) for name in "xy")
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, y, w]):
        first, second = builder.emit(padded(x)), builder.emit(padded(y))
        result = builder.emit(O.nn.conv1d(first, w))
        builder.emit_func_output(relax.Tuple([builder.emit(O.add(first, second)), result]))
    assert sorted(op_names_of(fold(builder.get()))) == ["add", "nn.conv1d", "nn.pad"]


def op_names_of(module):
    return [
        binding.value.op.name.removeprefix("relax.")
        for block in module["main"].body.blocks
        for binding in block.bindings
        if hasattr(binding.value, "op")
    ]


def test_symbolic_lengths_are_joined_if_they_are_the_same():
    n, m = tirx.Var("n", "int64"), tirx.Var("m", "int64")
    assert "nn.pad" not in op_names(fold(model(lambda x, y: O.add(padded(x), padded(y)), length=n)))
    builder = relax.BlockBuilder()
    x, y = (relax.Var(name, relax.TensorType((1, 3, k), "float32")) for name, k in (("x", n), ("y", m)))
    with builder.function("main", [x, y]):
        total = builder.emit(O.concat([builder.emit(padded(x)), builder.emit(padded(y))], 2))
        builder.emit_func_output(total)
    assert_kept(builder.get())


@pytest.mark.parametrize(
    ("op", "values", "dtype", "expected"),
    [
        ("relax.add", (0.0, -0.0), "float32", 0.0),
        ("relax.add", (-0.0, -0.0), "float32", -0.0),
        ("relax.multiply", (0.0, -3.0), "float32", -0.0),
        ("relax.multiply", (0.1, 0.1), "float32", None),  # a fused multiply-add after it would not round it
        ("relax.add", (100.0, 100.0), "int8", None),
        ("relax.add", (100.0, 27.0), "int8", 127.0),
        ("relax.add", (0.1, 0.2), "float16", float(np.float16(0.1) + np.float16(0.2))),
        ("relax.add", (1.0, 1.0), "float8_e4m3fn", None),
        ("relax.concat", (0.5, 0.9), "int8", 0.5),
    ],
)
def test_the_value_of_the_border_is_known_to_the_bit(op, values, dtype, expected):
    pads = [PadFacts(mode="constant", value=value, dtype=dtype, widths=((1, 0),)) for value in values]
    made = join_values(op, pads)
    assert made == expected
    assert expected is None or np.copysign(1, made) == np.copysign(1, expected)


def test_pads_of_no_constant_width_are_not_alike():
    one = PadFacts(mode="constant", value=0.0, dtype="float32", widths=None)
    assert not are_alike([one, one], None)
