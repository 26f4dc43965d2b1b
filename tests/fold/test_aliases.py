"""foldproof.fold: pads and steps under other names, and match_cast."""

# ruff: noqa: RET504 - this is TVMScript: a binding is named, and a branch is an `if`.

from tests.support.foldings import assert_folds, assert_kept, outcomes, refusals
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import Kind


def test_a_pad_is_seen_through_aliases():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                scale = R.const(0.5, "float32")
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = lv
                lv2 = R.dequantize(lv1, scale, R.const(5, "int8"))
                lv3 = lv2
                gv = R.nn.conv1d(lv3, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                scale = R.const(0.5, "float32")
                lv2 = R.dequantize(x, scale, R.const(5, "int8"))
                gv = R.nn.conv1d(lv2, w, padding=(1, 2))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_report_names_the_pad_and_not_its_alias():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = lv
                lv2 = R.nn.conv1d(lv1, w)
                gv = R.nn.max_pool1d(lv1, (2,))
                R.output(lv2, gv)
            return (lv2, gv)

    reports = [(pad, consumer, result) for pad, consumer, result, _ in outcomes(Before)]
    assert reports == [("lv", "conv1d", "lv2"), ("lv", "max_pool1d", "gv")]


def test_an_alias_that_is_returned_keeps_its_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                gv = lv
                gv1 = R.nn.conv1d(lv, w)
                R.output(gv, gv1)
            return (gv, gv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                gv = lv
                gv1 = R.nn.conv1d(x, w, padding=(1, 2))
                R.output(gv, gv1)
            return (gv, gv1)

    assert_folds(Before, Expected)
    assert refusals(Before) == [("return", Kind.CONSUMER)]


def test_a_match_cast_to_another_type_keeps_its_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            n = T.int64()
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = R.match_cast(lv, R.Tensor((1, 3, n), "float32"))
            gv = R.nn.conv1d(lv1, w)
            return gv

    assert_kept(Before)
    assert refusals(Before) == [("match_cast", Kind.STEP)]


def test_a_match_cast_to_the_type_of_its_operand_is_another_name_for_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, "n"), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            n = T.int64()
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            lv1 = R.match_cast(lv, R.Tensor((1, 3, n + 3), "float32"))
            lv2 = R.nn.relu(lv1)
            gv = R.nn.conv1d(lv2, w)
            return (gv, lv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, "n"), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            n = T.int64()
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            lv1 = R.match_cast(lv, R.Tensor((1, 3, n + 3), "float32"))
            lv2 = R.nn.relu(x)
            gv = R.nn.conv1d(lv2, w, padding=(1, 2))
            return (gv, lv1)

    assert_folds(Before, Expected)


def test_a_value_that_is_match_cast_to_its_type_folds():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.match_cast(R.nn.pad(x, (0, 0, 0, 0, 0, 0)), R.Tensor((1, 3, 8), "float32"))
            lv1 = R.match_cast(R.nn.pad(lv, (0, 0, 0, 0, 1, 2)), R.Tensor((1, 3, 11), "float32"))
            gv = R.match_cast(R.nn.conv1d(lv1, w), R.Tensor((1, 4, 9), "float32"))
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            gv = R.match_cast(R.nn.conv1d(x, w, padding=(1, 2)), R.Tensor((1, 4, 9), "float32"))
            return gv

    assert_folds(Before, Expected)
