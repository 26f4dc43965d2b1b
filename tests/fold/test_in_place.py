"""foldproof.fold: functions in which a call may write into a tensor."""

# ruff: noqa: RET504 - this is TVMScript: a binding is named, and a branch is an `if`.

import tvm
from tests.support.foldings import assert_kept, bindings_of, fold, pad_last_axis, refusals
from tvm import ir, relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind


def test_a_pad_whose_input_is_overwritten_in_place_stays():
    @I.ir_module
    class Before:
        @T.prim_func(s_tir=True)
        def negate(a: T.Buffer((1, 1, 4), "float32")):
            for i in range(4):
                with T.sblock("negate"):
                    v = T.axis.spatial(4, i)
                    a[0, 0, v] = a[0, 0, v] * T.float32(-1)

        @R.function
        def main(x: R.Tensor((1, 1, 4), "float32"), w: R.Tensor((1, 1, 1), "float32")):
            cls = Before
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 1))
                lv2 = lv
                lv3 = R.call_tir_inplace(cls.negate, (lv2,), inplace_indices=[0], out_ty=R.Tensor((1, 1, 4), "float32"))
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv

    assert_kept(Before)
    assert refusals(Before) == [("conv1d", Kind.IN_PLACE)]


def test_a_pad_of_zero_widths_that_is_overwritten_in_place_stays_as_the_copy_that_it_is():
    @I.ir_module
    class Before:
        @T.prim_func(s_tir=True)
        def negate(a: T.Buffer((1, 1, 4), "float32")):
            for i in range(4):
                with T.sblock("negate"):
                    v = T.axis.spatial(4, i)
                    a[0, 0, v] = a[0, 0, v] * T.float32(-1)

        @R.function
        def main(x: R.Tensor((1, 1, 4), "float32")):
            cls = Before
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
            lv2 = R.call_tir_inplace(cls.negate, (lv1,), inplace_indices=[0], out_ty=R.Tensor((1, 1, 4), "float32"))
            gv = R.add(lv, lv2)
            return gv

    assert_kept(Before)


def test_a_pad_of_zero_widths_whose_input_is_overwritten_in_place_stays_as_the_copy_that_it_is():
    @I.ir_module
    class Before:
        @T.prim_func(s_tir=True)
        def negate(a: T.Buffer((1, 1, 4), "float32")):
            for i in range(4):
                with T.sblock("negate"):
                    v = T.axis.spatial(4, i)
                    a[0, 0, v] = a[0, 0, v] * T.float32(-1)

        @R.function
        def main(x: R.Tensor((1, 1, 4), "float32")):
            cls = Before
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
            lv2 = R.call_tir_inplace(cls.negate, (lv,), inplace_indices=[0], out_ty=R.Tensor((1, 1, 4), "float32"))
            gv = R.add(lv1, lv2)
            return gv

    assert_kept(Before)


def test_a_pad_in_a_function_that_prints_folds():
    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 1, 4), "float32"), w: R.Tensor((1, 1, 1), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            _ = R.print(x, format="{}")
            gv = R.nn.conv1d(lv, w)
            return gv

    assert refusals(Before) == []


O = relax.op  # noqa: E741


@I.ir_module
class InPlace:
    @T.prim_func(s_tir=True)
    def negate(a: T.Buffer((1, 1, 4), "float32")):
        for i in range(4):
            with T.sblock("negate"):
                v = T.axis.spatial(4, i)
                a[0, 0, v] = a[0, 0, v] * T.float32(-1)

    @R.function
    def main(x: R.Tensor((1, 1, 4), "float32")):
        cls = InPlace
        with R.dataflow():
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 1))
            lv2 = R.nn.pad(lv1, (0, 0, 0, 0, 1, 1))
            lv3 = R.nn.relu(lv1)
            lv4 = R.nn.pad(lv3, (0, 0, 0, 0, -1, -1))
            lv5 = R.call_tir_inplace(cls.negate, (lv,), inplace_indices=[0], out_ty=R.Tensor((1, 1, 4), "float32"))
            gv = (lv2, lv4, lv5)
            R.output(gv)
        return gv


def test_nothing_is_merged_or_cancelled_where_something_is_written_in_place():
    assert fold(InPlace).same_as(InPlace)


def test_a_call_of_something_without_a_type_is_not_known_to_write():
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    bound = []
    for value in (pad_last_axis(1, 1)(x), lambda y: O.nn.conv1d(y, w), ir.Call(ir.GlobalVar("elsewhere"), [x])):
        call = value(bound[-1].var) if callable(value) and not isinstance(value, ir.Call) else value
        typed = call if isinstance(call.op, ir.GlobalVar) else relax.BlockBuilder().normalize(call)
        ty = typed.ty if not isinstance(call.op, ir.GlobalVar) else x.ty
        bound.append(relax.VarBinding(relax.Var(f"v{len(bound)}", ty), typed))
    body = relax.SeqExpr([relax.BindingBlock(bound)], bound[1].var)
    relax.expr._update_type(body, bound[1].var.ty)
    module = tvm.IRModule({"main": relax.Function([x, w], body, bound[1].var.ty)})
    folded = FoldExplicitPadding(check_input=False)(module)
    assert list(bindings_of(folded)[0].value.attrs.padding) == [1, 1]


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
