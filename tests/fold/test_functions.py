"""foldproof.fold: dataflow blocks, branches, local functions, tuples, several functions of a module."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import math

import numpy as np
import tvm
from tests.support.foldings import (
    QUICK,
    assert_folds,
    assert_kept,
    bindings_of,
    fold,
    op_names,
    pad_last_axis,
    refusals,
)
from tvm import ir, relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind

INF = math.inf


def test_a_pad_folds_into_another_dataflow_block_if_its_input_is_known_there():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                R.output(gv)
            between = R.nn.relu(x)
            with R.dataflow():
                gv1 = R.nn.conv1d(gv, w)
                R.output(gv1)
            return (between, gv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            between = R.nn.relu(x)
            with R.dataflow():
                gv1 = R.nn.conv1d(x, w, padding=(1, 2))
                R.output(gv1)
            return (between, gv1)

    assert_folds(Before, Expected)


def test_a_dequantize_in_the_block_of_the_pad_carries_it_into_another():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                gv = R.dequantize(lv1, R.const(0.5, "float32"), R.const(5, "int8"))
                R.output(gv)
            between = R.nn.relu(x)
            with R.dataflow():
                gv1 = R.nn.conv1d(gv, w)
                R.output(gv1)
            return (between, gv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                R.output(gv)
            between = R.nn.relu(x)
            with R.dataflow():
                gv1 = R.nn.conv1d(gv, w, padding=(1, 2))
                R.output(gv1)
            return (between, gv1)

    assert_folds(Before, Expected)


def test_a_dequantize_in_another_block_than_the_pad_cannot_read_its_local_input():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.pad(lv, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                R.output(gv)
            between = R.nn.relu(x)
            with R.dataflow():
                lv1 = R.dequantize(gv, R.const(0.5, "float32"), R.const(5, "int8"))
                gv1 = R.nn.conv1d(lv1, w)
                R.output(gv1)
            return (between, gv1)

    assert_kept(Before)
    assert refusals(Before) == [("conv1d", Kind.SCOPE)]


def test_pads_in_branches_fold_and_so_do_pads_before_them():
    @I.ir_module
    class Before:
        @R.function
        def main(
            c: R.Tensor((), "bool"), x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")
        ) -> R.Tensor((1, 4, 10), "float32"):
            outside = R.nn.pad(x, (0, 0, 0, 0, 2, 2))
            if c:
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 3))
                y = R.nn.conv1d(lv, w)
            else:
                y = R.nn.conv1d(outside, w)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(
            c: R.Tensor((), "bool"), x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")
        ) -> R.Tensor((1, 4, 10), "float32"):
            if c:
                y = R.nn.conv1d(x, w, padding=(1, 3))
            else:
                y = R.nn.conv1d(x, w, padding=(2, 2))
            return y

    assert_folds(Before, Expected)


def test_a_pad_that_is_the_result_of_a_branch_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(
            c: R.Tensor((), "bool"), x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")
        ) -> R.Tensor((1, 4, 8), "float32"):
            if c:
                y = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            else:
                y = R.nn.pad(x, (0, 0, 0, 0, 0, 2))
            gv = R.nn.conv1d(y, w)
            return gv

    assert_kept(Before)
    assert refusals(Before) == [("return", Kind.CONSUMER), ("return", Kind.CONSUMER)]


def test_pads_in_local_functions_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            captured = R.nn.pad(x, (0, 0, 0, 0, 2, 2))

            @R.function
            def inner(y: R.Tensor((1, 3, 8), "float32")) -> R.Tensor((1, 4, 18), "float32"):
                lv = R.nn.pad(y, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.conv1d(lv, w)
                lv2 = R.nn.conv1d(captured, w)
                gv = R.concat((lv1, lv2), axis=2)
                return gv

            gv1 = inner(x)
            return gv1

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            @R.function
            def inner(y: R.Tensor((1, 3, 8), "float32")) -> R.Tensor((1, 4, 18), "float32"):
                lv1 = R.nn.conv1d(y, w, padding=(1, 1))
                lv2 = R.nn.conv1d(x, w, padding=(2, 2))
                gv = R.concat((lv1, lv2), axis=2)
                return gv

            gv1 = inner(x)
            return gv1

    assert_folds(Before, Expected)


def test_several_functions_fold_and_the_others_stay_the_same_objects():
    @I.ir_module
    class Before:
        @T.prim_func
        def copy(a: T.Buffer((4,), "float32"), b: T.Buffer((4,), "float32")):
            for i in range(4):
                b[i] = a[i]

        @R.function
        def first(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            gv = R.nn.conv1d(lv, w)
            return gv

        @R.function
        def second(x: R.Tensor((1, 3, 8), "float32")):
            R.func_attr({"num_input": 1, "note": "kept"})
            lv = R.nn.pad(x, (0, 0, 0, 0, 0, 1), pad_value=-INF)
            gv = R.nn.max_pool1d(lv, (2,))
            return gv

        @R.function
        def third(x: R.Tensor((1, 3, 8), "float32")):
            gv = R.nn.relu(x)
            return gv

    @I.ir_module
    class Expected:
        @T.prim_func
        def copy(a: T.Buffer((4,), "float32"), b: T.Buffer((4,), "float32")):
            for i in range(4):
                b[i] = a[i]

        @R.function
        def first(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            gv = R.nn.conv1d(x, w, padding=(1, 2))
            return gv

        @R.function
        def second(x: R.Tensor((1, 3, 8), "float32")):
            R.func_attr({"num_input": 1, "note": "kept"})
            gv = R.nn.max_pool1d(x, (2,), padding=(0, 1))
            return gv

        @R.function
        def third(x: R.Tensor((1, 3, 8), "float32")):
            gv = R.nn.relu(x)
            return gv

    assert_folds(Before, Expected)
    out = fold(Before)
    assert out["copy"].same_as(Before["copy"])
    assert out["third"].same_as(Before["third"])
    assert [(r.function, r.pad) for r in FoldExplicitPadding().explain(Before)] == [("first", "lv"), ("second", "lv")]


O = relax.op  # noqa: E741


def test_the_type_that_a_function_declares_is_kept():
    """It may say more than that of its body."""
    builder = relax.BlockBuilder()
    x, w = (relax.Var("x", relax.TensorType(None, "float32", None, 3)), relax.Var("w", relax.TensorType((4, 3, 3))))
    with builder.function("main", [x, w]):
        builder.emit_func_output(builder.emit(O.nn.conv1d(builder.emit(pad_last_axis(1, 1)(x)), w)))
    function, declared = builder.get()["main"], relax.TensorType((1, 4, 8), "float32")
    module = tvm.IRModule({"main": relax.Function(function.params, function.body, declared, True, function.attrs)})
    folded = fold(module)
    assert op_names(folded) == ["nn.conv1d"]
    tvm.ir.assert_structural_equal(folded["main"].ret_ty, declared)


def test_an_element_of_a_tuple_in_place_is_that_of_what_folded():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        first = builder.emit(relax.TupleGetItem(relax.Tuple([x, builder.emit(pad_last_axis(0, 0)(x))]), 1, SPAN))
        builder.emit_func_output(builder.emit(O.nn.relu(first)))
    item, relu = bindings_of(fold(builder.get()))
    assert isinstance(item.value, relax.TupleGetItem)
    assert item.value.index == 1
    assert item.value.span is not None
    assert all(field.same_as(x) for field in item.value.tuple_value.fields)
    assert relu.value.op.name == "relax.nn.relu"


def test_pads_in_local_functions_alone_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            @R.function
            def inner(y: R.Tensor((1, 3, 8), "float32")) -> R.Tensor((1, 4, 8), "float32"):
                lv = R.nn.pad(y, (0, 0, 0, 0, 1, 1))
                return R.nn.conv1d(lv, w)

            return inner(x)

    folded = fold(Before)
    assert not folded.same_as(Before)
    assert "pad(" not in folded.script()


SPAN = ir.Span(ir.SourceName("model.py"), 1, 1, 1, 9)


@I.ir_module
class Tupled:
    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32")):
        with R.dataflow():
            unpadded = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
            both = (unpadded, x)
            y = both[0]
            z = R.nn.relu(y)
            R.output(z)
        return z


def test_an_element_of_a_tuple_of_what_folded_is_that_of_the_tuple():
    folded = FoldExplicitPadding()(Tupled)
    bindings = folded["main"].body.blocks[0].bindings
    assert all(getattr(binding.value, "op", None) != tvm.ir.Op.get("relax.nn.pad") for binding in bindings)
    built = relax.VirtualMachine(tvm.compile(folded, QUICK), tvm.cpu())
    x = np.arange(-12, 12, dtype="float32").reshape(1, 3, 8)
    np.testing.assert_array_equal(built["main"](tvm.runtime.tensor(x)).numpy(), np.maximum(x, 0))
