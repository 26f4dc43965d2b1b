"""foldproof.fold: two pads, one after the other: nested ones become one, crops cancel what an earlier pad adds."""

import math
import random
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tvm
from tests.support.foldings import (
    QUICK,
    assert_folds,
    assert_same_results,
    assert_stays,
    bindings_of,
    emitted,
    fold,
    op_names,
    pad_last_axis,
    report_lines,
)
from tests.support.sites import binary, pad
from tvm import relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused, pad_pairs, rules
from foldproof.fold.facts import Operand, Padded, Rearranged, Unary
from foldproof.ir.relax.targets import compile_functions, parse_target

NAN = math.nan


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (pad(0, (1, 2)), pad(0, (3, 4)), pad(0, (4, 6))),
        (pad((1, 0), 0, value=5.0), pad(0, (3, 4), value=5.0), pad((1, 0), (3, 4), value=5.0)),
        (pad(0, (-1, 0), value=5.0), pad(0, (-2, -1), value=6.0), pad(0, (-3, -1), value=6.0)),
        (pad(0, (2, 2), value=5.0), pad(0, (-1, -3), value=6.0), pad(0, (1, -1), value=5.0)),
        # nothing is left of what the inner pad added, so its value does not matter
        (pad(0, (0, 2), value=5.0), pad(0, (1, -2), value=6.0), pad(0, (1, 0), value=6.0)),
        (pad(0, (0, 2), value=5.0), pad(0, (1, -1), value=6.0), Kind.VALUE),
        (
            pad(0, (1, 1), value=0.4, dtype="int8"),
            pad(0, (1, 1), dtype="int8"),
            pad(0, (2, 2), value=0.4, dtype="int8"),
        ),
        (pad(0, (-1, 0)), pad(0, (1, 0)), Kind.CROP),
        (pad(0, (1, 0)), pad(0, (1, 0), value=1.0), Kind.VALUE),
        (pad(0, (1, 0)), pad(0, (1, 0), value=-0.0), Kind.VALUE),
        (pad(0, (1, 0), value=NAN), pad(0, (1, 0), value=NAN), Kind.VALUE),
        (pad(0, (1, 0), mode="reflect"), pad(0, (1, 0)), Kind.MODE),
        (pad(0, (1, 0)), pad(0, (1, 0), mode="edge"), Kind.MODE),
        (pad(0, (1, 0), dtype="float8_e5m2"), pad(0, (1, 0), dtype="float8_e5m2"), Kind.DTYPE),
        (replace(pad(0, 0), widths=None), pad(0, (1, 0)), Kind.DYNAMIC_WIDTH),
    ],
)
def test_pads_of_pads_become_one_where_that_is_the_same(inner, outer, expected):
    outcome = rules.merge(inner, outer)
    if isinstance(expected, Kind):
        assert isinstance(outcome, Refused)
        assert outcome.kind is expected
    else:
        assert outcome == expected


RELU2 = Unary(op="nn.relu", dtype="float32")


SWAP2 = Rearranged(op="permute_dims", dtype="float32", origin=(1, 0))


INSERTED2 = Rearranged(op="expand_dims", dtype="float32", origin=(None, 1))


def padded2(*widths):
    return Padded(op="nn.pad", dtype="float32", pad=pad(*widths), sizes=(4, 4))


@pytest.mark.parametrize(
    ("inner", "steps", "outer", "expected"),
    [
        (pad(0, (2, 1), value=7.0), (), pad(0, (-1, 0)), (pad(0, (1, 1), value=7.0), pad(0, 0))),
        (pad(0, (2, 1)), (RELU2, RELU2), pad(0, (-3, -1)), (pad(0, 0), pad(0, (-1, 0)))),
        (pad(0, (2, 1)), (), pad((3, 0), (-1, 4), value=5.0), (pad(0, (1, 1)), pad((3, 0), (0, 4), value=5.0))),
        (pad((1, 0), (2, 0), value=NAN), (RELU2,), pad((-1, 0), (-1, 0)), (pad(0, (1, 0), value=NAN), pad(0, 0))),
        (pad(0, (2, 1), mode="reflect"), (), pad(0, (0, -1)), (pad(0, (2, 0), mode="reflect"), pad(0, 0))),
        (
            pad(0, (2, 1), dtype="bool"),
            (),
            pad(0, (0, -1), dtype="bool"),
            (pad(0, (2, 0), dtype="bool"), pad(0, 0, dtype="bool")),
        ),
        (pad(0, (2, 1)), (SWAP2,), pad((-2, 0), 0), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (INSERTED2,), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (padded2((1, 1), 0),), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (binary("add", 1.0, rank=2),), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        # 1. widths that are not constants
        (replace(pad(0, 0), widths=None), (), pad(0, (-1, 0)), None),
        (pad(0, (2, 1)), (), replace(pad(0, 0), widths=None), None),
        # 2. another pad of that axis, an operand that varies along it or may, a new axis
        (pad(0, (2, 1)), (padded2(0, (0, 1)),), pad(0, (-2, -1)), (pad(0, (0, 1)), pad(0, (0, -1)))),
        (pad(0, (2, 1)), (padded2(0, (1, 0)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (padded2(0, (0, -1)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (replace(padded2(0, 0), pad=replace(pad(0, 0), widths=None)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (binary("add", 1.0, shape=(1, 7)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (binary("add", None, shape=(1, None)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (replace(binary("add", 1.0), other=Operand(shape=None, flat=None)),), pad(0, (-2, 0)), None),
        (pad((2, 1), 0), (INSERTED2,), pad((-2, 0), 0), None),
        # 3. a crop at another end, of another axis; no crop
        (pad(0, (2, 0)), (), pad(0, (0, -1)), None),
        (pad((2, 0), 0), (), pad(0, (-1, 0)), None),
        (pad(0, (-2, 0)), (), pad(0, (-1, 0)), None),
        (pad(0, (2, 1)), (), pad(0, (1, 1)), None),
        (pad(0, (2, 1), value=NAN), (), pad(0, (1, 1)), None),
    ],
)
def test_what_a_pad_adds_and_a_later_one_crops_is_cancelled(inner, steps, outer, expected):
    found = pad_pairs.Cancelled.cancel(Padded(op="pad", dtype=inner.dtype, pad=inner, sizes=(4, 4)), steps, outer)
    assert repr(found) == repr(expected)  # NaN equals itself there


@pytest.mark.parametrize(
    ("size", "inner", "outer", "expected"),
    [
        (4, (-3, 2), (0, -2), ((-3, 0), (0, 0))),
        (4, (-4, 2), (0, -2), None),  # nothing is left of the axis
        (3, (-4, 5), (2, -5), None),  # less than nothing: it crops what it adds itself
        (3, (-4, 5), (1, -3), ((-4, 2), (1, 0))),
        (None, (-1, 2), (0, -1), ((-1, 1), (0, 0))),
        (None, (-1, 2), (0, -2), None),  # at least one element, of which nothing may be left
        (None, (0, 2), (0, -2), ((0, 0), (0, 0))),
    ],
)
def test_a_crop_is_cancelled_only_if_something_is_left_between(size, inner, outer, expected):
    padded = Padded(op="pad", dtype="float32", pad=pad(inner), sizes=(size,))
    found = pad_pairs.Cancelled.cancel(padded, (RELU2,), pad(outer))
    assert (found and tuple(each.widths for each in found)) == (expected and tuple((sides,) for sides in expected))


O = relax.op  # noqa: E741


def test_three_nested_pads_become_one_and_that_one_folds():
    """The second merge reads what the first has made."""
    data, weight = [((1, 3, 8), "float32")], relax.const(np.ones((4, 3, 3), "float32"))

    def padded(value, last):
        pads = ((0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 2, 3), (0, 0, 0, 0, 0, 4))
        return emitted(data, *(partial(O.nn.pad, pad_width=widths, pad_value=value) for widths in pads), last)

    conv = partial(O.nn.conv1d, weight=weight)
    assert_folds(padded(0.0, conv), emitted(data, partial(conv, padding=(3, 7))))
    merged = partial(O.nn.pad, pad_width=(0, 0, 0, 0, 3, 7), pad_value=7.0)
    assert_folds(padded(7.0, O.nn.relu), emitted(data, merged, O.nn.relu))


def test_a_crop_after_a_pad_that_undoes_it_leaves_none():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=7.0)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, -1, -2))
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                gv = R.nn.relu(x)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_that_others_read_stays_for_them_where_a_crop_of_it_goes():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 2, 0), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                gv = R.nn.pad(lv1, (0, 0, 0, 0, -1, 0))
                R.output(gv, lv1)
            return (gv, lv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 2, 0), pad_value=7.0)
                lv_1 = R.nn.pad(x, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                lv1_1 = R.nn.relu(lv_1)
                R.output(lv1_1, lv1)
            return (lv1_1, lv1)

    assert_folds(Before, Expected)


@pytest.mark.parametrize(
    ("inner", "outer"), [((-4, 5), (2, -5)), ((-4, 5), (1, -3)), ((-1, 2), (0, -2)), ((2, 2), (-4, 1))]
)
def test_crops_that_eat_into_what_is_added_at_the_other_end_keep_their_result(inner, outer):
    pads = [
        partial(O.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_value=value)
        for sides, value in ((inner, 7.0), (outer, 5.0))
    ]
    module = emitted([((1, 2, 3), "float32")], pads[0], O.nn.relu, pads[1], lambda x: O.add(x, x))
    results = []
    for each in (module, fold(module)):
        machine = relax.VirtualMachine(tvm.compile(each, QUICK), tvm.cpu())
        results.append(machine["main"](tvm.runtime.tensor(np.arange(6, dtype="float32").reshape(1, 2, 3))).numpy())
    np.testing.assert_array_equal(*results)


def pads_of_pads(rng):
    """Two to four pads of two short axes, that add and crop at random, with other ops between; no consumer."""
    lengths = [rng.choice([1, 2, 3]), rng.choice([1, 2, 4])]
    ops, shape = [], list(lengths)
    for _ in range(rng.randint(2, 4)):
        sides = [(rng.choice([0, 0, 1, 2, 4, -1, -2, -3]), rng.choice([0, 0, 1, 3, 5, -1, -2, -4])) for _ in shape]
        sides = [pair if length + sum(pair) > 0 else (0, 0) for length, pair in zip(shape, sides, strict=True)]
        shape = [length + sum(pair) for length, pair in zip(shape, sides, strict=True)]
        ops.append(partial(O.nn.pad, pad_width=sum(sides, ()), pad_value=rng.choice([0.0, 7.0, 5.0])))
        between = rng.choice(["nothing", "relu", "permute", "add"])
        if between == "relu":
            ops.append(O.nn.relu)
        elif between == "permute":
            ops.append(partial(O.permute_dims, axes=[1, 0]))
            shape.reverse()
        elif between == "add":
            ops.append(partial(O.add, x2=relax.const(np.arange(shape[1], dtype="float32"))))
    return emitted([(lengths, "float32")], *ops, O.negative), lengths


def test_whatever_pads_add_and_crop_again_the_result_is_the_same():
    rng, rules = random.Random(5), Counter()
    for _ in range(150):
        module, lengths = pads_of_pads(rng)
        folded = fold(module)
        rules.update(
            report.outcome.rule
            for report in FoldExplicitPadding().explain(module)
            if isinstance(report.outcome, Folded)
        )
        program = compile_functions({"before": module, "after": folded}, parse_target())
        data = {"x": 1 + np.arange(np.prod(lengths), dtype="float32").reshape(lengths)}
        np.testing.assert_array_equal(*(program.run(name, data)[0] for name in ("before", "after")))
    assert min(rules["nested"], rules["cancelled"]) > 15


def test_a_crop_in_another_block_than_what_is_padded_is_not_cancelled():
    """The input of the first pad is local to the first block."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                padded = R.nn.pad(lv, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                R.output(padded)
            between = R.nn.relu(padded)  # else the two blocks become one
            with R.dataflow():
                gv = R.nn.pad(padded, (0, 0, 0, 0, -1, 1))
                R.output(gv)
            return (gv, between)

    assert_stays(Before, Kind.CONSUMER, Kind.CONSUMER)


def test_a_crop_of_an_unknown_length_is_cancelled_too():
    length = tirx.Var("n", "int64")
    pads = [partial(O.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_value=7.0) for sides in ((3, 1), (-2, 0))]
    module = emitted([((1, 3, length), "float32")], pads[0], O.nn.relu, pads[1], O.nn.relu)
    [pad] = [line for line in fold(module).script().splitlines() if "nn.pad" in line]
    assert "pad_width=[0, 0, 0, 0, 1, 1]" in pad
    assert "n + 2" in pad


def test_a_pad_after_a_crop_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, -1, 0))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 0))
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    assert_stays(Before, Kind.CONSUMER, Kind.CONSUMER)


def test_what_is_cancelled_is_reported_by_its_rule_and_what_stays_of_it():
    gone = emitted([((1, 3, 8), "float32")], pad_last_axis(2, 0, value=7.0), O.nn.relu, pad_last_axis(-2, 0), O.nn.relu)
    assert op_names(fold(gone)) == ["nn.relu", "nn.relu"]
    assert report_lines(gone) == ["main: lv -> pad lv2: folded (cancelled)", "main: lv2 -> any: folded (identity)"]
    part = emitted([((1, 3, 8), "float32")], pad_last_axis(2, 1, value=7.0), O.nn.relu, pad_last_axis(-1, 0), O.nn.relu)
    assert report_lines(part)[:2] == [
        "main: lv -> pad lv2: folded (cancelled, a pad of [0, 0, 0, 0, 1, 1] stays)",
        "main: lv2 -> any: folded (identity)",
    ]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_what_stays_of_a_pad_that_is_cropped_again_keeps_its_mode(mode):
    module = emitted(
        [((1, 3, 8), "float32")], pad_last_axis(3, 2, mode=mode), O.nn.relu, pad_last_axis(-1, 0), O.nn.relu
    )
    smaller, *_ = bindings_of(fold(module))
    assert smaller.value.attrs.pad_mode == mode
    assert list(smaller.value.attrs.pad_width) == [0, 0, 0, 0, 2, 2]
    if mode != "circular":  # ... which shows other elements, if fewer are wrapped
        assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))


@pytest.mark.parametrize("between", [[], [O.nn.relu]])
def test_variables_of_the_same_dataflow_block_may_be_read(between):
    """relu(x) is local to the block: pads of it are merged, and cropped again."""
    nested = emitted([((1, 3, 8), "float32")], O.nn.relu, pad_last_axis(1, 0), pad_last_axis(0, 2), O.nn.relu)
    assert op_names(fold(nested)) == ["nn.relu", "nn.pad", "nn.relu"]
    cropped = emitted(
        [((1, 3, 8), "float32")],
        O.rsqrt,
        pad_last_axis(2, 0, value=7.0),
        *between,
        pad_last_axis(-2, 0, value=1.0),
        O.rsqrt,
    )
    folded = fold(cropped)
    assert "nn.pad" not in op_names(folded)
    assert [isinstance(b.var, relax.DataflowVar) for b in bindings_of(folded)][:-1] == [True] * (
        len(bindings_of(folded)) - 1
    )


def test_a_crop_in_another_block_is_cancelled_if_the_steps_are_in_that_of_the_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.rsqrt(x)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                out = R.nn.relu(lv1)
                R.output(out)
            between = R.rsqrt(out)  # else the two blocks become one
            with R.dataflow():
                gv = R.nn.pad(out, (0, 0, 0, 0, -1, 0))
                R.output(gv)
            return (gv, between)

    folded = fold(Before)
    assert op_names(folded) == ["rsqrt", "nn.pad", "nn.relu", "nn.relu", "rsqrt"]
    assert report_lines(Before)[0] == "main: lv1 -> pad gv: folded (cancelled)"


def test_pads_of_unknown_lengths_are_neither_cancelled_nor_in_the_way():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(None, "float32", ndim=3))
    with builder.function("main", [x]):
        y = builder.emit(pad_last_axis(2, 0, value=7.0)(x))
        y = builder.emit(O.rsqrt(builder.emit(pad_last_axis(-2, 0)(builder.emit(O.nn.relu(y))))))
        builder.emit_func_output(y)
    assert_stays(builder.get(), Kind.STEP, Kind.STEP)


def test_a_pad_that_others_read_is_not_merged_into_one_that_adds():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            inner = builder.emit(pad_last_axis(1, 0)(x))
            outer = builder.emit(pad_last_axis(1, 0)(inner))
            result = builder.emit_output(relax.Tuple([builder.emit(O.rsqrt(inner)), builder.emit(O.rsqrt(outer))]))
        builder.emit_func_output(result)
    module = builder.get()
    assert fold(module).same_as(module)


def test_a_pad_that_only_a_fold_left_to_its_neighbour_joins_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.conv1d(lv, w)
                lv2 = R.nn.pad(lv, (0, 0, 0, 0, 1, 0))
                lv3 = R.rsqrt(lv2)
                gv = (lv1, lv3)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.nn.conv1d(x, w, padding=(1, 1))
                lv2 = R.nn.pad(x, (0, 0, 0, 0, 2, 1))
                lv3 = R.rsqrt(lv2)
                gv = (lv1, lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert report_lines(Before) == [
        "main: lv -> conv1d lv1: folded (conv, padding=[1, 1])",
        "main: lv -> pad lv2: folded (nested)",
        "main: lv2 -> rsqrt lv3: refused (step): rsqrt is not seen through",
    ]


def test_a_crop_that_went_with_what_it_cancelled_is_not_asked_again():
    """The copy of the crop that reads the smaller pad is dead when its turn comes."""
    module = emitted(
        [((1, 3, 8), "float32")], pad_last_axis(1, 1), O.nn.relu, pad_last_axis(-1, 0), pad_last_axis(0, 2), O.rsqrt
    )
    assert op_names(fold(module)).count("nn.pad") >= 1
    assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))
