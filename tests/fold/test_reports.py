"""foldproof.fold: which uses are reported, and in which order."""

# ruff: noqa: SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

from functools import partial

import numpy as np
import pytest
import tvm
from tests.support.foldings import assert_stays, chain, constant, emitted, pad_last_axis, refusals, report_lines
from tests.support.sites import CONV2, FIVE, decide, dequantize, site
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind, summary

O = relax.op  # noqa: E741


@pytest.mark.parametrize(
    "op", [lambda x: O.clip(x, 0, 6), lambda x: O.reshape(x, (1, 3, 1, 11)), lambda x: O.add(x, constant(1))]
)
def test_the_reader_after_a_step_is_reported_whatever_operands_that_has(op):
    module = emitted([((1, 3, 8), "float32")], pad_last_axis(1, 2, value=3.0), op, O.rsqrt)
    assert refusals(module) == [("rsqrt", Kind.STEP)]


def test_a_condition_is_a_reader_too():
    """It is a copy of c: without calls in place it would go."""

    @I.ir_module
    class Before:
        @T.prim_func(s_tir=True)
        def negate(a: T.Buffer((4,), "float32")):
            for i in range(4):
                with T.sblock("negate"):
                    v = T.axis.spatial(4, i)
                    a[v] = a[v] * T.float32(-1)

        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((4,), "float32")):
            cls = Before
            lv = R.nn.pad(c, [])
            lv1 = R.call_tir_inplace(cls.negate, (x,), inplace_indices=[0], out_ty=R.Tensor((4,), "float32"))
            if lv:
                gv = R.rsqrt(lv1)
            else:
                gv = R.nn.relu(lv1)
            return gv

    assert refusals(Before) == [("if", Kind.IN_PLACE)]


def test_a_pad_that_nothing_reads_is_not_a_site():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))  # noqa: F841
                gv = R.rsqrt(x)
                R.output(gv)
            return gv

    assert_stays(Before)


def test_a_pad_that_is_data_and_zero_point_at_once_is_two_sites():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3,), "int8"), s: R.Tensor((), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (1, 1))
                lv1 = R.dequantize(lv, s, lv, axis=0)
                gv = R.rsqrt(lv1)
                R.output(gv)
            return gv

    assert report_lines(Before) == [
        "main: lv -> rsqrt gv: refused (step): rsqrt is not seen through",
        "main: lv -> dequantize lv1: refused (consumer): the pad is the zero point of dequantize, not its data",
    ]


def test_folds_are_reported_first_and_pads_that_a_fold_made_last():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 4, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 1, 1, 1))
                lv1 = R.nn.conv1d(lv, w)
                lv2 = R.nn.pad(x, (0, 0, 0, 1, 1, 1), "constant", 2.0)
                lv3 = R.nn.conv1d(lv2, w)
                gv = R.add(lv1, lv3)
                R.output(gv)
            return gv

    assert [line.partition(":")[2].partition(":")[0] for line in report_lines(Before)] == [
        " lv -> conv1d lv1",
        " lv2 -> conv1d lv3",
        " lv -> conv1d lv1",
    ]
    assert [report.outcome.kind for report in FoldExplicitPadding().explain(Before)[1:]] == [Kind.VALUE, Kind.CHANNEL]


def test_many_channels_are_shown_by_a_few():
    step = dequantize(zero_point=tuple(range(6, 106)))
    outcome = decide(site(FIVE, CONV2, step))
    assert outcome.detail.endswith("(zero point 6, 7, 8, 9, ...)")


# --- which pad ------------------------------------------------------------------------------------------


def test_a_report_names_the_pad_by_what_it_is():
    module = chain(value=7.0)
    [report] = FoldExplicitPadding().explain(module)
    assert (report.mode, report.value, report.widths) == ("constant", 7.0, ((0, 0), (0, 0), (1, 2)))
    assert (report.input_shape, report.shape) == ((1, 3, 8), (1, 3, 11))
    assert str(report) == (
        "main: lv [constant pad of (1, 3, 8) to (1, 3, 11) by (0, 0, 0, 0, 1, 2) with 7.0] -> conv1d gv: "
        "refused (value): conv1d pads with 0, but the pad value is 7.0"
    )


def test_a_report_of_a_fold_names_the_pad_as_it_was():
    reports = FoldExplicitPadding().explain(chain(pad=(0, 0, 0, 0, 1, 2)))
    assert [report.described_pad for report in reports] == [
        "constant pad of (1, 3, 8) to (1, 3, 11) by (0, 0, 0, 0, 1, 2) with 0.0"
    ]


@pytest.mark.parametrize(
    ("shape", "mode", "text"),
    [
        ((2, 3, T.Var("n", "int64")), "reflect", "reflect pad of (2, 3, n) to (2, 3, n + 2) by (0, 0, 0, 0, 1, 1)"),
        ((2, 3, 8), "edge", "edge pad of (2, 3, 8) to (2, 3, 10) by (0, 0, 0, 0, 1, 1) with 0.0"),
        (None, "circular", "circular pad of unknown shape to unknown shape by (0, 0, 0, 0, 1, 1)"),
    ],
)
def test_lengths_may_be_symbolic_or_unknown(shape, mode, text):
    param = (shape, "float32") if shape else (None, "float32", None, 3)
    [report] = FoldExplicitPadding().explain(emitted([param], pad_last_axis(1, 1, mode=mode), O.rsqrt))
    assert report.described_pad == text


def test_a_pad_of_one_axis_is_described_as_a_tuple():
    [report] = FoldExplicitPadding().explain(
        emitted([((3,), "int8")], lambda x: O.nn.pad(x, [1, 0]), lambda x: O.flip(x, 0))
    )
    assert report.described_pad == "constant pad of (3,) to (4,) by (1, 0) with 0.0"


def test_the_summary_counts_rules_and_kinds():
    reports = FoldExplicitPadding().explain(emitted([((1, 3, 8), "float32")], pad_last_axis(1, 1), O.rsqrt))
    reports += 2 * FoldExplicitPadding().explain(chain()) + FoldExplicitPadding().explain(chain(pad=(0,) * 6))
    counts = summary(reports)
    assert (counts.sites, counts.folded, counts.refused) == (4, 3, 1)
    assert (counts.rules, counts.kinds) == ({"conv": 2, "identity": 1}, {"step": 1})
    assert str(counts).splitlines() == [
        "sites: 4, folded: 3, refused: 1",
        "folded (conv): 2",
        "folded (identity): 1",
        "refused (step): 1",
    ]
    assert str(summary([])) == "sites: 0, folded: 0, refused: 0"


# --- what is in the way ---------------------------------------------------------------------------------


def detail_of(*ops, params=(((1, 3, 8), "float32"),)):
    """The reason of the only site of a pad before ``ops``."""
    [report] = FoldExplicitPadding().explain(emitted(params, pad_last_axis(1, 2), *ops))
    return f"{report.outcome.kind}: {report.outcome.detail}"


CONV = partial(O.nn.conv1d, weight=constant(*range(36), shape=(4, 3, 3)))


@pytest.mark.parametrize(
    ("ops", "reason"),
    [
        ([O.rsqrt, CONV], "step: rsqrt is not seen through"),
        ([lambda x: O.flip(x, 2), CONV], "step: flip is not seen through"),
        (
            [lambda x: O.dynamic_strided_slice(x, *(relax.const(n, "int64") for n in ([0] * 3, [1, 3, 9], [1] * 3)))],
            "step: dynamic_strided_slice is not seen through: it reads its bounds from tensors. Spell it as a ",
        ),
        (
            [lambda x: O.add(x, O.permute_dims(O.permute_dims(x, [0, 2, 1]), [0, 2, 1])), CONV],
            "step: add is not seen through: its operands come from the pad in different ways",
        ),
        ([lambda x: O.concat((x, x), 1)], "step: concat is not seen through"),
        (
            [lambda x: O.multiply(x, O.add(x, constant(*[0] * 2**17, shape=(2**17, 1, 1)))), CONV],
            "runtime-operand: the operand of add is a constant of shape (131072, 1, 1): of too many elements, or none",
        ),
        ([lambda x: O.sum(x, [2])], "consumer: sum is not a convolution or pool: it has no padding to fold into"),
        (
            [lambda x: O.matmul(x, constant(*range(11), shape=(11, 1)))],
            "consumer: matmul is not a convolution or pool: it has",
        ),
        ([lambda x: O.reshape(x, (1, 33))], "step: reshape is not seen through: it does more than add and remove"),
        (
            [lambda x: O.multiply(O.tile(constant(2), (1, 3, 1)), x), CONV],
            "unfolded-constant: operand 0 of multiply is not a constant, but tile of constants: run FoldConstant first",
        ),
        (
            [lambda x: O.add(x, constant(*[0] * 2**17, shape=(2**17, 1, 1))), lambda x: O.nn.max_pool1d(x, 2)],
            "runtime-operand: the operand of add is a constant of shape (131072, 1, 1): of too many elements, or none",
        ),
    ],
)
def test_the_reason_names_what_is_in_the_way(ops, reason):
    assert detail_of(*ops).startswith(reason)


def test_an_operand_that_is_no_constant_yet_is_one_after_the_pass_that_the_reason_names():
    """What the reason promises holds: FoldConstant, or BindParams, and the pad folds."""
    builder = relax.BlockBuilder()
    x, p = relax.Var("x", relax.TensorType((1, 3, 8), "float32")), relax.Var("p", relax.TensorType((3,), "float32"))
    with builder.function("main", [x, p]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
            z = builder.emit(O.multiply(y, builder.emit(O.tile(O.expand_dims(p, 1), (1, 1)))))
            gv = builder.emit_output(CONV(z))
        builder.emit_func_output(gv)
    module = builder.get()
    assert refusals(module) == [("multiply", Kind.RUNTIME_OPERAND)]
    module = relax.transform.BindParams("main", {"p": np.array([2, 3, 4], "float32")})(module)
    assert refusals(module) == [("multiply", Kind.UNFOLDED_CONSTANT)]
    assert refusals(relax.transform.FoldConstant()(module)) == []


def test_of_several_operands_the_one_is_named_that_does_not_come_from_the_pad():
    builder = relax.BlockBuilder()
    x, z = (relax.Var(name, relax.TensorType((1, 3, n), "float32")) for name, n in (("x", 8), ("z", 11)))
    with builder.function("main", [x, z]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
            other = builder.emit(O.rsqrt(z))
            y = builder.emit(O.where(builder.emit(O.greater(y, constant(0))), y, other))
            gv = builder.emit_output(CONV(y))
        builder.emit_func_output(gv)
    [report] = FoldExplicitPadding().explain(builder.get())
    assert report.outcome.detail == "operand 2 of where is not a constant: rsqrt computes it at run time"


def test_a_join_with_a_parameter_names_it():
    builder = relax.BlockBuilder()
    x, p = relax.Var("x", relax.TensorType((1, 3, 8), "float32")), relax.Var("p", relax.TensorType((), "float32"))
    with builder.function("main", [x, p]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
            inner = builder.emit(O.add(builder.emit(O.where(O.greater(y, constant(0)), y, p)), y))
            gv = builder.emit_output(CONV(builder.emit(O.multiply(builder.emit(O.sigmoid(inner)), y))))
        builder.emit_func_output(gv)
    [report] = FoldExplicitPadding().explain(builder.get())
    assert report.outcome.kind is Kind.RUNTIME_OPERAND
    assert report.outcome.detail.startswith("the operand of where is not a constant, but the parameter p: bind it")


def test_a_scale_that_an_op_of_constants_makes_is_told_to_fold_it():
    def real(x):
        return O.dequantize(x, O.max(constant(0.5, 0.25, shape=(2,)), 0), constant(0, dtype="int8"))

    module = emitted([((1, 3, 8), "int8")], pad_last_axis(1, 2), real, CONV)
    [report] = FoldExplicitPadding().explain(module)
    assert report.outcome.kind is Kind.UNFOLDED_CONSTANT
    assert report.outcome.detail.startswith("the scale of dequantize is not a constant, but max of constants")


def test_a_legalized_module_is_told_that_the_pass_comes_too_late():
    module = relax.transform.LegalizeOps()(chain(O.nn.relu))
    [report] = FoldExplicitPadding().explain(module)
    assert report.outcome.kind is Kind.LEGALIZED
    assert "the pass comes too late" in report.outcome.detail


def test_a_kernel_among_ops_is_not_seen_through():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 1]))
            y = builder.emit_te(lambda t: tvm.te.compute(t.shape, lambda *i: t(*i[:2], 9 - i[2]), "turn"), y)
            gv = builder.emit_output(CONV(y))
        builder.emit_func_output(gv)
    [report] = FoldExplicitPadding().explain(builder.get())
    assert report.outcome.kind is Kind.STEP
    assert report.outcome.detail.endswith(" is not seen through")


def test_a_pad_that_one_op_reads_twice_is_one_line():
    square = emitted(
        [((3, 3, 3), "float32")], lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 1], pad_value=1.0), lambda x: O.nn.conv1d(x, x)
    )
    [line] = report_lines(square)
    assert line == (
        "main: lv -> conv1d gv: refused (value): conv1d pads with 0, but the pad value is 1.0; the pad is on the "
        "weight operand, which the padding attribute does not reach"
    )
