"""foldproof.fold: ops whose operands come from the same data, and operands that are expressions of constants."""

import numpy as np
import pytest
from tests.support.foldings import (
    assert_kept,
    assert_same_results,
    assert_stays,
    constant,
    emitted,
    fold,
    op_names,
    outcomes,
    pad_last_axis,
    refusals,
    report_lines,
)
from tvm import relax, tirx

from foldproof.fold import Folded, Kind
from foldproof.fold.constants import evaluate

O = relax.op  # noqa: E741

DATA = np.random.default_rng(0).integers(-9, 10, (1, 3, 8)).astype("float32") / 3
WEIGHT = np.random.default_rng(1).integers(-9, 10, (4, 3, 3)).astype("float32")


def hardswish(x):
    return O.multiply(x, O.divide(O.clip(O.add(x, constant(3)), 0, 6), constant(6)))


def elu(x):
    """As the frontends of ONNX and PyTorch emit it."""
    return O.add(O.multiply(constant(-1), O.nn.relu(O.subtract(constant(1), O.exp(x)))), O.nn.relu(x))


def model(body, value=0.0, widths=(0, 0, 0, 0, 1, 2)):
    """conv1d(body(pad(x)), w), where ``body`` may read its argument several times."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3 + widths[2] + widths[3], 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(O.nn.pad(x, widths, pad_value=value))
            result = builder.emit_output(O.nn.conv1d(builder.emit(body(padded)), w))
        builder.emit_func_output(result)
    return builder.get()


THROUGH = {
    "x * sigmoid(x)": (0.0, lambda x: O.multiply(x, O.sigmoid(x))),
    "sigmoid(x) * x": (0.0, lambda x: O.multiply(O.sigmoid(x), x)),
    "hardswish": (0.0, hardswish),
    "hardswish of -3": (-3.0, hardswish),
    "elu": (0.0, elu),
    "softsign": (0.0, lambda x: O.divide(x, O.add(O.abs(x), constant(1)))),
    "twice": (0.0, lambda x: O.add(x, x)),
    "square": (0.0, lambda x: O.multiply(x, x)),
    "x - min(x, 1)": (1.0, lambda x: O.subtract(x, O.minimum(x, constant(1)))),
    "thresholded": (1.0, lambda x: O.multiply(O.astype(O.greater(x, constant(1)), "float32"), x)),
    "where": (0.5, lambda x: O.where(O.less(x, constant(1)), constant(0), x)),
    "where of both": (0.0, lambda x: O.where(O.greater(x, constant(0)), x, O.multiply(x, constant(0.5)))),
    "where of a constant": (
        0.0,
        lambda x: O.where(constant(True, False, True, dtype="bool", shape=(3, 1)), x, constant(0)),
    ),
    "finite": (0.0, lambda x: O.where(O.logical_not(O.isfinite(x)), constant(0), x)),
    "one in the other": (0.0, lambda x: O.multiply(hardswish(x), O.sigmoid(O.add(x, x)))),
    "zeros of its shape": (0.5, lambda x: O.where(O.greater(x, constant(1)), x, O.zeros_like(x))),
    "prelu": (0.0, lambda x: O.nn.prelu(x, constant(0.1, 0.2, 0.3, shape=(3,)), axis=1)),
    "power": (0.0, lambda x: O.power(x, constant(2))),
    "selu": (0.0, O.nn.selu),
    "log of 1": (1.0, lambda x: O.log(O.maximum(x, constant(0.5)))),
    "exp of -inf": (float("-inf"), O.exp),
}


@pytest.mark.parametrize(("value", "body"), THROUGH.values(), ids=list(THROUGH))
def test_a_pad_passes_an_op_whose_operands_come_from_it(value, body):
    module = model(body, value)
    assert outcomes(module)[0][-1] == Folded("chain-conv", (1, 2))
    assert len(outcomes(module)) == 1
    assert op_names(fold(module)) == op_names(module)[1:]
    assert_same_results(module, DATA, WEIGHT)


BLOCKED = {
    "not 0": (0.0, lambda x: O.add(x, O.sigmoid(x)), Kind.VALUE),
    "not known": (1.0, lambda x: O.multiply(x, O.sigmoid(x)), Kind.UNDEFINED_VALUE),
    "zero times infinity": (float("-inf"), lambda x: O.multiply(x, O.sigmoid(x)), Kind.UNDEFINED_VALUE),
    "varies along the padded axis": (
        0.0,
        lambda x: O.multiply(x, O.sigmoid(O.multiply(x, constant(*range(11), shape=(11,))))),
        Kind.VARYING_OPERAND,
    ),
    "a rounded product in a sum": (
        0.1,
        lambda x: O.subtract(O.multiply(x, x), O.multiply(x, constant(0.1))),
        Kind.UNDEFINED_VALUE,
    ),
    "condition that varies": (
        0.0,
        lambda x: O.where(constant(*[True, False] * 5, True, dtype="bool", shape=(11,)), x, constant(0)),
        Kind.VARYING_OPERAND,
    ),
}


@pytest.mark.parametrize(("value", "body", "kind"), BLOCKED.values(), ids=list(BLOCKED))
def test_a_pad_stays_where_the_join_does_not_make_zero_of_it(value, body, kind):
    assert_stays(model(body, value), kind)


def test_operands_that_come_from_two_pads_are_not_one_step():
    module = model(lambda x: O.add(x, O.nn.pad(O.nn.pad(x, [0, 0, 0, 0, -1, 0]), [0, 0, 0, 0, 1, 0], pad_value=2.0)))
    assert refusals(module) == [("add", Kind.RUNTIME_OPERAND)] * 3


def test_a_transposed_operand_is_not_read_as_elementwise():
    def body(x):
        return O.add(x, O.permute_dims(O.permute_dims(x, [0, 2, 1]), [0, 2, 1]))

    assert refusals(model(body)) == [("add", Kind.STEP)]


def test_no_more_than_sixteen_ops_are_searched():
    def body(count):
        def made(x):
            y = x
            for _ in range(count):
                y = O.nn.relu(y)
            return O.multiply(x, y)

        return made

    assert "nn.pad" not in op_names(fold(model(body(15))))
    assert "nn.pad" in op_names(fold(model(body(17))))


def test_a_long_row_of_joins_is_read_without_recursion():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        y = x
        for _ in range(1500):
            y = builder.emit(O.add(y, O.nn.relu(y)))
        y = builder.emit(O.nn.pad(y, [0, 0, 0, 0, 1, 1]))
        builder.emit_func_output(builder.emit(O.nn.max_pool1d(y, 3)))
    assert len(report_lines(builder.get())) == 1


def test_what_others_read_of_a_join_stays_for_them():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
            gate = builder.emit(O.sigmoid(padded))
            gated = builder.emit(O.multiply(padded, gate))
            results = [builder.emit(O.nn.conv1d(gated, w)), builder.emit(O.nn.conv1d(gated, w, dilation=2)), gate]
            result = builder.emit_output(O.concat([O.reshape(one, (1, -1)) for one in results], 1))
        builder.emit_func_output(result)
    module = builder.get()
    assert op_names(fold(module))[:4] == ["nn.pad", "sigmoid", "sigmoid", "multiply"]
    assert_same_results(module, DATA, WEIGHT)
    assert [outcome.kind if hasattr(outcome, "kind") else outcome.rule for *_, outcome in outcomes(module)] == [
        "chain-conv",
        "chain-conv",
        Kind.STEP,
    ]


def test_a_partial_pad_keeps_its_join():
    module = model(hardswish, widths=(0, 0, 0, 1, 1, 2))
    assert op_names(fold(module))[0] == "nn.pad"
    assert_same_results(module, DATA, np.concatenate([WEIGHT, WEIGHT[:, :1]], 1))


# --- operands that are expressions of constants ---------------------------------------------------------

CONSTANTS = {
    "expand_dims": lambda x: O.subtract(x, O.expand_dims(constant(2, 2, 2, shape=(3,)), 1)),
    "reshape": lambda x: O.subtract(x, O.reshape(constant(2, 2, 2, shape=(3,)), (3, 1))),
    "squeeze": lambda x: O.subtract(x, O.squeeze(constant(2, shape=(1, 1)))),
    "broadcast_to": lambda x: O.subtract(x, O.broadcast_to(constant(2), (3, 1))),
    "permute_dims": lambda x: O.subtract(x, O.permute_dims(constant(2, 2, 2, shape=(1, 3)))),
    "negative": lambda x: O.add(x, O.negative(constant(2))),
    "sum": lambda x: O.subtract(x, O.add(constant(1), constant(1))),
    "a chain": lambda x: O.subtract(x, O.where(O.isnan(constant(2)), constant(float("inf")), constant(2))),
    "astype": lambda x: O.subtract(x, O.astype(constant(2, dtype="int8"), "float32")),
    "full": lambda x: O.subtract(x, O.full((3, 1), constant(2))),
    "ones": lambda x: O.subtract(O.subtract(x, O.ones((3, 1), "float32")), O.ones((1,), "float32")),
    "finite": lambda x: O.subtract(x, O.where(O.isfinite(constant(2)), constant(2), constant(1))),
    "infinite": lambda x: O.subtract(x, O.where(O.isinf(constant(2)), constant(1), constant(2))),
}


@pytest.mark.parametrize("body", CONSTANTS.values(), ids=list(CONSTANTS))
def test_an_operand_that_constants_compute_is_known(body):
    module = model(body, 2.0)
    assert outcomes(module)[0][-1] == Folded("chain-conv", (1, 2))
    assert_same_results(module, DATA, WEIGHT)


@pytest.mark.parametrize(
    "operand",
    [
        lambda: O.subtract(constant(2), constant(2)),  # a zero of either sign
        lambda: O.divide(constant(0), constant(0)),
        lambda: O.add(constant(float("nan")), constant(1)),
        lambda: O.exp(constant(2)),
        lambda: O.full((2**17,), constant(2)),
    ],
)
def test_what_is_not_known_of_constants_is_not_given(operand):
    builder = relax.BlockBuilder()
    assert evaluate(builder.normalize(operand()), lambda value: value) is None


def test_a_constant_of_a_symbolic_shape_is_not_read():
    n = tirx.Var("n", "int64")
    assert evaluate(relax.BlockBuilder().normalize(O.zeros((n,), "float32")), lambda value: value) is None


def test_a_join_before_a_pad_has_no_bounds_of_its_own():
    module = emitted(
        [((1, 3, 8), "float32")], lambda x: O.multiply(x, x), pad_last_axis(1, 1), lambda x: O.nn.max_pool1d(x, 3)
    )
    assert_stays(module, Kind.VALUE)
    assert_kept(module)


@pytest.mark.parametrize("other", [lambda y: O.nn.relu(y), lambda _: O.exp(constant(2))], ids=["parameter", "constant"])
def test_operands_that_come_from_different_parameters_are_not_a_join(other):
    builder = relax.BlockBuilder()
    x, y = (relax.Var(name, relax.TensorType((1, 3, 8), "float32")) for name in "xy")
    with builder.function("main", [x, y]):
        with builder.dataflow():
            z = builder.emit(O.multiply(builder.emit(O.nn.relu(x)), builder.emit(other(y))))
            z = builder.emit(O.nn.pad(z, [0, 0, 0, 0, 1, 1]))
            gv = builder.emit_output(O.nn.max_pool1d(z, 3))
        builder.emit_func_output(gv)
    assert_stays(builder.get(), Kind.VALUE)


def test_a_join_over_a_symbolic_length_is_passed():
    n = tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x, w = (
        relax.Var("x", relax.TensorType((1, 3, n), "float32")),
        relax.Var("w", relax.TensorType((4, 3, 3), "float32")),
    )
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
            gv = builder.emit_output(O.nn.conv1d(builder.emit(hardswish(y)), w))
        builder.emit_func_output(gv)
    module = builder.get()
    assert outcomes(module)[0][-1] == Folded("chain-conv", (1, 2))
    assert_same_results(module, DATA, WEIGHT)
