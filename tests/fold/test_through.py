"""foldproof.fold: pads that pass the steps between, or not: values, operands, axes, how far."""

import math

import numpy as np
import pytest
from tests.support.foldings import (
    assert_same_results,
    assert_stays,
    chain,
    constant,
    emitted,
    fold,
    op_names,
    outcome_of,
    pad_last_axis,
    refusals,
)
from tvm import ir, relax

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused

INF = math.inf


INF = float("inf")


O = relax.op  # noqa: E741


THROUGH = {
    "relu": (0.0, [O.nn.relu]),
    "leakyrelu": (0.0, [lambda x: O.nn.leakyrelu(x, 0.1)]),
    "tanh": (0.0, [O.tanh]),
    "gelu": (-0.0, [O.nn.gelu]),
    "negative": (0.0, [O.negative]),
    "abs": (0.0, [O.abs]),
    "round": (0.5, [O.round]),
    "floor": (0.9, [O.floor]),
    "trunc": (-0.9, [O.trunc]),
    "clip": (-7.0, [lambda x: O.clip(x, 0, 6)]),
    "multiply": (0.0, [lambda x: O.multiply(x, constant(2.5))]),
    "multiply per channel": (0.0, [lambda x: O.multiply(x, constant(1, 2, 3, shape=(3, 1)))]),
    "divide": (0.0, [lambda x: O.divide(x, constant(3))]),
    "add": (-2.5, [lambda x: O.add(x, constant(2.5))]),
    "subtract": (2.5, [lambda x: O.subtract(constant(2.5), x)]),
    "maximum": (-3.0, [lambda x: O.maximum(x, constant(0))]),
    "minimum": (3.0, [lambda x: O.minimum(constant(0), x)]),
    "normalization": (127.5, [lambda x: O.divide(x, constant(127.5)), lambda x: O.subtract(x, constant(1))]),
    "quantize, dequantize": (
        0.0,
        [
            lambda x: O.quantize(x, constant(0.5), constant(7, dtype="int8"), axis=1),
            lambda x: O.dequantize(x, constant(0.25), constant(7, dtype="int8"), axis=1),
        ],
    ),
    "clip, round, astype": (
        0.25,
        [lambda x: O.clip(x, -100, 100), O.round, lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")],
    ),
    "permutes": (0.0, [lambda x: O.permute_dims(x, [0, 2, 1]), lambda x: O.permute_dims(x, [0, 2, 1])]),
    "expand_dims, squeeze": (0.0, [lambda x: O.expand_dims(x, 1), lambda x: O.squeeze(x, [1])]),
    "reshape of unit axes": (0.0, [lambda x: O.reshape(x, (1, 1, 3, 11)), lambda x: O.squeeze(x, [1])]),
}


@pytest.mark.parametrize(("value", "ops"), THROUGH.values(), ids=list(THROUGH))
def test_a_pad_whose_value_becomes_zero_folds_through_what_is_between(value, ops):
    [report] = FoldExplicitPadding().explain(chain(*ops, value=value))
    assert report.outcome == Folded("chain-conv", (1, 2))
    folded = fold(chain(*ops, value=value))
    assert [b.value.op.name for b in folded["main"].body.blocks[0].bindings][:-1] == [
        b.value.op.name for b in chain(*ops)["main"].body.blocks[0].bindings[1:-1]
    ]
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-9, 10, shape).astype("float32") for shape in ((1, 3, 8), (4, 3, 3)))
    assert_same_results(chain(*ops, value=value), x, w)


BLOCKED = {
    "another value": (1.0, [O.nn.relu], Kind.VALUE),
    "the second channel": (2.0, [lambda x: O.subtract(x, constant(2, 3, 2, shape=(3, 1)))], Kind.VALUE),
    "varies along the padded axis": (
        0.0,
        [lambda x: O.multiply(x, constant(*range(11), shape=(11,)))],
        Kind.VARYING_OPERAND,
    ),
    "no constant": (0.0, [lambda x: O.multiply(x, O.rsqrt(x))], Kind.STEP),
    "zero points that differ": (
        0.0,
        [
            lambda x: O.quantize(x, constant(0.5), constant(7, dtype="int8"), axis=1),
            lambda x: O.dequantize(x, constant(0.5), constant(6, dtype="int8"), axis=1),
        ],
        Kind.QUANTIZATION,
    ),
    "NaN on the way": (float("nan"), [O.nn.relu], Kind.UNDEFINED_VALUE),
    "infinity times zero": (INF, [lambda x: O.multiply(x, constant(0))], Kind.UNDEFINED_VALUE),
    "a cast that nothing keeps in range": (
        0.0,
        [lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")],
        Kind.CAST,
    ),
    "a rounded product before a sum": (
        0.1,
        [lambda x: O.multiply(x, constant(0.1)), lambda x: O.subtract(x, constant(np.float32(0.1) * np.float32(0.1)))],
        Kind.UNDEFINED_VALUE,
    ),
    "sigmoid of 0 is not 0": (0.0, [O.sigmoid], Kind.VALUE),
    "exp of 1 is not known": (1.0, [O.exp], Kind.UNDEFINED_VALUE),
    "axes that merge": (0.0, [lambda x: O.reshape(x, (3, 1, 11)), lambda x: O.reshape(x, (1, 3, 11))], Kind.STEP),
}


@pytest.mark.parametrize(
    ("value", "ops", "kind"),
    [BLOCKED[name] for name in BLOCKED if name != "axes that merge"],
    ids=[name for name in BLOCKED if name != "axes that merge"],
)
def test_a_pad_that_cannot_fold_in_the_end_stays_where_it_was(value, ops, kind):
    module = chain(*ops, value=value)
    assert fold(module).same_as(module)
    assert kind in [kind for _, kind in refusals(module)]


def test_what_the_smaller_pad_keeps_is_data_too():
    """-2 stays along channels; only the crop of the length moves, so the value of the border does not matter."""
    module = emitted(
        [((1, 3, 8), "float32"), ((4, 4, 3), "int8")],
        lambda x: O.clip(x, -100, 100),
        lambda x: O.nn.pad(x, [0, 0, 0, 1, -1, 0], pad_value=1000.0),
        lambda x: O.astype(x, "int8"),
        lambda x: O.nn.max_pool1d(x, (3,)),
    )
    assert_stays(module, Kind.CAST)


@pytest.mark.parametrize(
    "ops",
    [
        # 0.1 * (5 - 2), rounded, less that: 0, but not with a fused multiply-add
        [
            lambda x: O.dequantize(x, constant(0.1), constant(2, dtype="int8"), axis=1),
            lambda x: O.subtract(x, constant(np.float32(0.1) * np.float32(3))),
        ],
        [
            lambda x: O.dequantize(x, constant(0.1), constant(2, dtype="int8"), axis=1),
            O.negative,
            lambda x: O.add(x, constant(np.float32(0.1) * np.float32(3))),
        ],
        [
            lambda x: O.divide(O.astype(x, "float32"), constant(3)),
        ],
    ],
    ids=["dequantize", "negated", "a quotient is not a product"],
)
def test_a_sum_after_a_rounded_product_of_any_kind_is_refused(ops):
    module = emitted(
        [((1, 3, 8), "int8")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 2], pad_value=5.0),
        *ops,
        lambda x: O.nn.avg_pool1d(x, (3,)),
    )
    kinds = [kind for _, kind in refusals(module)]
    assert (Kind.UNDEFINED_VALUE in kinds) == (len(ops) > 1)


@pytest.mark.parametrize(("steps", "folds"), [(63, True), (64, False)])
def test_no_pad_is_looked_for_after_64_steps(steps, folds):
    module = chain(*[O.nn.relu] * steps)
    folded = fold(module)
    assert ("nn.pad" not in op_names(folded)) is folds
    if not folds:
        assert refusals(module) == [("relu", Kind.STEP)]


@pytest.mark.parametrize(("more", "folds"), [(3, True), (4, False)])
def test_no_more_than_four_producers_are_asked(more, folds):
    turn = [lambda x: O.permute_dims(x, [0, 2, 1])] * more
    module = emitted([((1, 8, 8), "float32")], O.nn.relu, *turn, pad_last_axis(1, 1), lambda x: O.nn.max_pool1d(x, 3))
    assert ("nn.pad" not in op_names(fold(module))) is folds


def test_bounds_come_from_several_producers():
    producers = [O.nn.relu, lambda x: O.permute_dims(x, [0, 2, 1])]
    module = emitted([((1, 8, 3), "float32")], *producers, pad_last_axis(1, 1), lambda x: O.nn.max_pool1d(x, 3))
    assert op_names(fold(module)) == ["nn.relu", "permute_dims", "nn.max_pool1d"]
    negative = emitted(
        [((1, 8, 3), "float32")], O.negative, *producers[1:], pad_last_axis(1, 1), lambda x: O.nn.max_pool1d(x, 3)
    )
    assert_stays(negative, Kind.VALUE)


def test_a_cast_to_integers_is_passed_where_a_producer_keeps_the_data_in_range():
    casts = [lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")]
    module = chain(*casts, first=[lambda x: O.clip(x, -100, 100)])
    assert op_names(fold(module)) == ["clip", "astype", "astype", "nn.conv1d"]
    assert_stays(chain(*casts, first=[lambda x: O.clip(x, -1000, 100)]), Kind.CAST)


@pytest.mark.parametrize("op", [O.add, O.multiply, O.maximum])
def test_an_operand_that_is_a_scalar_and_no_tensor_is_refused(op):
    s = relax.Var("s", ir.PrimType("float32"))
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w, s]):
        with builder.dataflow():
            result = builder.emit_output(O.nn.conv1d(builder.emit(op(builder.emit(pad_last_axis(1, 1)(x)), s)), w))
        builder.emit_func_output(result)
    assert_stays(builder.get(), Kind.VARYING_OPERAND)


def as_constant(values, dtype="float32"):
    return relax.const(np.array(values), dtype)


def conv(x):
    return relax.op.nn.conv1d(x, relax.const(np.ones((4, int(x.ty.shape[1]), 3)), str(x.ty.dtype)))


def max_pool(x, **attributes):
    return relax.op.nn.max_pool1d(x, **({"pool_size": 3} | attributes))


def folds(found):
    return isinstance(found, Folded)


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        (lambda x: relax.op.subtract(as_constant(5), x), INF, True),
        (lambda x: relax.op.subtract(as_constant(5), x), -INF, False),
        (lambda x: relax.op.subtract(x, as_constant(5)), -INF, True),
        (lambda x: relax.op.subtract(x, as_constant(5)), INF, False),
        (lambda x: relax.op.nn.leakyrelu(x, 0.5), -INF, True),
        (lambda x: relax.op.nn.leakyrelu(x, -2.0), -INF, False),
        (lambda x: relax.op.nn.leakyrelu(x, 0.0), -INF, False),
    ],
)
def test_a_step_is_evaluated_as_it_is_before_a_max_pool(op, value, expected):
    assert folds(outcome_of(op, max_pool, value=value)) is expected


@pytest.mark.parametrize(
    ("op", "expected"), [(lambda x: relax.op.divide(as_constant(6), x), True), (lambda x: x, False)]
)
def test_a_quotient_by_the_border_is_evaluated_before_a_convolution(op, expected):
    assert folds(outcome_of(op, conv, value=INF)) is expected


def test_a_permute_without_axes_turns_them_round():
    turned = outcome_of(relax.op.permute_dims, conv, value=0.0, shape=(8, 3, 2), widths=(1, 2, 0, 0, 0, 0))
    assert turned == Folded("chain-conv", (1, 2))
    assert isinstance(outcome_of(relax.op.permute_dims, conv, value=0.0, shape=(8, 3, 2)), Refused)  # of the batch


def test_a_border_may_vary_along_two_axes_on_the_way():
    rows, columns = np.arange(1.0, 3.0).reshape(2, 1, 1), np.arange(10.0, 40.0, 10).reshape(1, 3, 1)

    def through(last):
        steps = [lambda x, c=c: relax.op.add(x, as_constant(c)) for c in (rows, columns)]
        return outcome_of(*steps, lambda x: relax.op.subtract(x, as_constant(last)), conv, value=0.0)

    assert through(rows + columns) == Folded("chain-conv", (1, 2))
    for place in np.ndindex(2, 3, 1):
        other = rows + columns
        other[place] += 1
        assert isinstance(through(other), Refused)
