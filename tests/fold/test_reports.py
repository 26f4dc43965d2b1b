"""foldproof.fold: which uses are reported, and in which order."""

# ruff: noqa: SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import pytest
from tests.support.foldings import assert_stays, constant, emitted, pad_last_axis, refusals, report_lines
from tests.support.sites import CONV2, FIVE, decide, dequantize, site
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind

O = relax.op  # noqa: E741


@pytest.mark.parametrize(
    "op", [lambda x: O.clip(x, 0, 6), lambda x: O.reshape(x, (1, 3, 1, 11)), lambda x: O.add(x, constant(1))]
)
def test_the_reader_after_a_step_is_reported_whatever_operands_that_has(op):
    module = emitted([((1, 3, 8), "float32")], pad_last_axis(1, 2, value=3.0), op, O.rsqrt)
    assert refusals(module) == [("rsqrt", Kind.CONSUMER)]


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
        "main: lv -> rsqrt gv: refused (consumer): rsqrt is not a convolution or pool: it has no padding to fold into",
        "main: lv -> dequantize lv1: refused (consumer): dequantize is not a convolution or pool: it has no padding to "
        "fold into",
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
