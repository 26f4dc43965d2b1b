"""fold: what source-level mutation showed that neither cases nor other tests told apart (docs/mutation.md)."""

import random
from collections import Counter

import numpy as np
import pytest
import tvm
from tests.support.relax import legal_folds, legality
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.case import Axis, Case, Pad, Step
from foldproof.checking.check import check
from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused
from foldproof.ir.relax import residual_pads as pads
from foldproof.ir.relax.build import build
from foldproof.oracle.legality import Legality

INF = float("inf")


def outcome(*ops, value, shape=(2, 3, 8), widths=(0, 0, 0, 0, 1, 2), dtype="float32", first=()):
    """What becomes of a pad with a value between ``first`` and ``ops``, the last of which consumes it."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, dtype))
    with builder.function("main", [x]):
        y = x
        for op in first:
            y = builder.emit(op(y))
        y = builder.emit(relax.op.nn.pad(y, widths, pad_value=value))
        for op in ops:
            y = builder.emit(op(y))
        builder.emit_func_output(y)
    [report] = FoldExplicitPadding().explain(builder.get())
    return report.outcome


def constant(values, dtype="float32"):
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
        (lambda x: relax.op.subtract(constant(5), x), INF, True),
        (lambda x: relax.op.subtract(constant(5), x), -INF, False),
        (lambda x: relax.op.subtract(x, constant(5)), -INF, True),
        (lambda x: relax.op.subtract(x, constant(5)), INF, False),
        (lambda x: relax.op.nn.leakyrelu(x, 0.5), -INF, True),
        (lambda x: relax.op.nn.leakyrelu(x, -2.0), -INF, False),
        (lambda x: relax.op.nn.leakyrelu(x, 0.0), -INF, False),
    ],
)
def test_a_step_is_evaluated_as_it_stands_in_front_of_a_max_pool(op, value, expected):
    assert folds(outcome(op, max_pool, value=value)) is expected


@pytest.mark.parametrize(("op", "expected"), [(lambda x: relax.op.divide(constant(6), x), True), (lambda x: x, False)])
def test_a_quotient_by_the_border_is_evaluated_in_front_of_a_convolution(op, expected):
    assert folds(outcome(op, conv, value=INF)) is expected


def test_a_permute_without_axes_turns_them_round():
    turned = outcome(relax.op.permute_dims, conv, value=0.0, shape=(8, 3, 2), widths=(1, 2, 0, 0, 0, 0))
    assert turned == Folded("chain-conv", (1, 2))
    assert isinstance(outcome(relax.op.permute_dims, conv, value=0.0, shape=(8, 3, 2)), Refused)  # of the batch


def test_a_border_may_vary_along_two_axes_on_the_way():
    rows, columns = np.arange(1.0, 3.0).reshape(2, 1, 1), np.arange(10.0, 40.0, 10).reshape(1, 3, 1)

    def through(last):
        steps = [lambda x, c=c: relax.op.add(x, constant(c)) for c in (rows, columns)]
        return outcome(*steps, lambda x: relax.op.subtract(x, constant(last)), conv, value=0.0)

    assert through(rows + columns) == Folded("chain-conv", (1, 2))
    for place in np.ndindex(2, 3, 1):
        other = rows + columns
        other[place] += 1
        assert isinstance(through(other), Refused)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("widths", "attributes", "expected"),
    [
        ((0, 0, 0, 0, 2, 2), {}, True),
        ((0, 0, 0, 0, 3, 0), {}, False),  # the first window holds the border alone
        ((0, 0, 0, 0, 0, 3), {}, False),
        ((0, 0, 0, 0, 4, 0), {"dilation": 2}, True),
        ((0, 0, 0, 0, 5, 0), {"dilation": 2}, False),
        ((0, 0, 0, 0, 2, 0), {"padding": (1, 0)}, False),
        ((0, 0, 0, 0, 1, 1), {"padding": (1, 1)}, True),
        ((0, 0, 0, 0, 2, 2), {"strides": 3}, True),
        ((0, 0, 0, 0, 0, 4), {"strides": 3}, False),  # of 12 elements: the last window starts at 9
        ((0, 0, 0, 0, 0, 3), {"strides": 4}, False),  # of 11: at 8
        ((0, 0, 0, 0, 0, 2), {"strides": 4}, True),  # of 10: at 4
    ],
)
def test_every_window_of_a_bounded_max_pool_holds_data(widths, attributes, expected, ceil_mode):
    if ceil_mode and attributes.get("strides") == 4 and widths[-1] == 2:
        expected = False  # one window more, at 8
    found = outcome(
        lambda x: max_pool(x, ceil_mode=ceil_mode, **attributes),
        value=0.0,
        widths=widths,
        first=[relax.op.nn.relu],
    )
    assert folds(found) is expected


@pytest.mark.slow
@pytest.mark.parametrize("op", ["avg_pool1d", "max_pool1d"])
def test_pools_of_all_kinds_of_geometry_fold_where_the_oracle_says_so(op):
    """Few drawn cases have ceil_mode, dilation, stride and own padding at once; no compilation, so these are many."""
    rng, seen = random.Random(op), Counter()
    while sum(seen.values()) < 300:
        padding = (rng.randint(0, 1), rng.randint(0, 1))
        axis = Axis(
            size=rng.randint(1, 5),
            pad=(rng.randint(0, 3), rng.randint(0, 3)),
            kernel=rng.randint(1, 3),
            stride=rng.randint(1, 3),
            dilation=rng.randint(1, 2),
            padding=padding,
        )
        try:
            case = Case(
                op=op,
                axes=(axis,),
                ceil_mode=rng.random() < 0.7,
                count_include_pad=op == "avg_pool1d" and rng.random() < 0.6,
                producers=() if op == "avg_pool1d" else (Step(kind="relu"),),
            )
        except ValueError:
            continue  # no window fits
        before = build(case)
        folded = pads.count_residual_pads(FoldExplicitPadding()(before)) < pads.count_residual_pads(before)
        if folded:
            assert legal_folds(case) or axis.pad == (0, 0) or legality(case) is Legality.UNOBSERVABLE, case
        else:
            assert legality(case) is not Legality.LEGAL, case
        seen[folded, case.ceil_mode] += 1
    assert min(seen[folded, ceil] for folded in (True, False) for ceil in (True, False)) > 15, seen


@I.ir_module
class Tupled:
    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32")):
        with R.dataflow():
            idle = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
            both = (idle, x)
            y = both[0]
            z = R.nn.relu(y)
            R.output(z)
        return z


def test_an_element_of_a_tuple_of_what_folded_is_that_of_the_tuple():
    folded = FoldExplicitPadding()(Tupled)
    bindings = folded["main"].body.blocks[0].bindings
    assert all(getattr(binding.value, "op", None) != tvm.ir.Op.get("relax.nn.pad") for binding in bindings)
    built = relax.VirtualMachine(tvm.compile(folded, "llvm"), tvm.cpu())
    x = np.arange(-12, 12, dtype="float32").reshape(1, 3, 8)
    np.testing.assert_array_equal(built["main"](tvm.runtime.tensor(x)).numpy(), np.maximum(x, 0))


@I.ir_module
class Impure:
    @R.function(pure=False, private=True)
    def shows(x: R.Tensor((1, 4, 8), "float32")) -> R.Tensor((1, 4, 8), "float32"):
        _ = R.print(x, format="{}")
        return x

    @R.function(pure=False)
    def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")) -> R.Tensor((1, 4, 8), "float32"):
        cls = Impure
        padded = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
        y = R.nn.conv1d(padded, w)
        z: R.Tensor((1, 4, 8), "float32") = cls.shows(y)
        return z


def test_a_call_of_a_function_that_is_not_pure_may_write_anywhere():
    assert [report.outcome.kind for report in FoldExplicitPadding().explain(Impure)] == [Kind.IN_PLACE]


@pytest.mark.parametrize("weight_dtype", ["int8", "float32"])
def test_zero_channels_are_sliced_where_the_batch_is_unknown(weight_dtype):
    integers = weight_dtype == "int8"
    case = Case(
        op="conv1d",
        axes=(Axis(size=4, pad=(1, 0), kernel=2),),
        dtype=weight_dtype,
        out_dtype="int32" if integers else "",
        pad=Pad(channel=(1, 2)),
        symbolic=("N",),
        constant_weight=not integers,
    )
    both = FoldExplicitPadding(nonzero="correct", channels="slice")
    check(case, both)
    assert pads.count_channel_pads(both(build(case))) == 0
