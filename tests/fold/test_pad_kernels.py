"""foldproof.fold: pads that are PrimFuncs: which calls are pads, and when the PrimFunc goes."""

import tvm
from tests.support.foldings import assert_stays, bindings_of, fold, op_names, pad_last_axis
from tvm import ir, relax, tirx, topi
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind

O = relax.op  # noqa: E741


def as_kernel(*, private=True, value=0.0, twice=False):
    """main(x, w): conv2d of what the ONNX frontend makes of a pad; ``twice`` returns the padded tensor, too."""
    builder = relax.BlockBuilder()
    n = tirx.Var("n", "int64")
    x = relax.Var("x", relax.TensorType((n, 3, 8, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit_te(topi.nn.pad, x, [0, 0, 1, 1], [0, 0, 1, 2], value)
            result = builder.emit(relax.op.nn.conv2d(padded, w))
            outputs = [result, padded] if twice else [result]
            result = builder.emit_output(relax.Tuple(outputs))
        builder.emit_func_output(result)
    module = builder.get()
    if not private:
        kernel = module.get_global_var("pad")
        module.update_func(kernel, module[kernel].with_attr("global_symbol", "pad"))
    return module


def kernels(module):
    return [var.name_hint for var, function in module.functions_items() if isinstance(function, tirx.PrimFunc)]


def test_a_pad_that_is_a_kernel_folds_and_goes_with_its_last_call():
    folded = fold(as_kernel())
    assert kernels(folded) == []
    call = folded["main"].body.blocks[0].bindings[0].value
    assert call.op.name == "relax.nn.conv2d"
    assert list(call.attrs.padding) == [1, 1, 1, 2]


def test_a_kernel_that_others_may_call_stays():
    assert kernels(fold(as_kernel(private=False))) == ["pad"]


def test_a_kernel_that_is_still_called_stays():
    assert kernels(fold(as_kernel(twice=True))) == ["pad"]


def test_a_kernel_that_pads_with_another_value_stays():
    assert_stays(as_kernel(value=1.0), Kind.VALUE)


def test_a_kernel_with_a_value_that_the_op_cannot_hold_is_left_alone():
    """``nn.pad`` has a double: 2**53 + 1 of a kernel would become 2**53 in the pad that stays."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "int64"))
    w = relax.Var("w", relax.TensorType((4, 4, 3), "int64"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            value = tirx.IntImm("int64", 2**53 + 1)
            padded = builder.emit_te(topi.nn.pad, x, [0, 0, 1], [0, 1, -2], value)
            again = builder.emit(O.nn.pad(padded, [0, 0, 0, 0, 0, 0]))
            result = builder.emit_output(O.nn.conv1d(again, w))
        builder.emit_func_output(result)
    assert kernels(fold(builder.get(), nonzero="correct")) == ["pad"]


@I.ir_module
class Kernel:
    @T.prim_func(private=True, s_tir=True)
    def channels(x: T.Buffer((1, 3, 10), "float32"), y: T.Buffer((1, 4, 10), "float32")):
        for i, j, k in T.grid(1, 4, 10):
            with T.sblock("PadInput"):
                a, b, c = T.axis.remap("SSS", [i, j, k])
                y[a, b, c] = T.if_then_else(b < 3, x[a, b, c], T.float32(0))

    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 4, 3), "float32")):
        cls = Kernel
        with R.dataflow():
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = R.nn.relu(lv)
            lv2 = R.call_tir(cls.channels, (lv1,), out_ty=R.Tensor((1, 4, 10), "float32"))
            gv = R.nn.conv1d(lv2, w)
            R.output(gv)
        return gv


def test_a_pad_folds_through_one_that_is_a_kernel():
    folded = fold(Kernel)
    assert op_names(folded) == ["nn.relu", "nn.pad", "nn.conv1d"]
    assert list(bindings_of(folded)[1].value.attrs.pad_width) == [0, 0, 0, 1, 0, 0]
    assert list(bindings_of(folded)[2].value.attrs.padding) == [1, 1]


@I.ir_module
class Idle:
    @T.prim_func(private=True, s_tir=True)
    def copy(x: T.Buffer((1, 3, 8), "float32"), y: T.Buffer((1, 3, 8), "float32")):
        for i, j, k in T.grid(1, 3, 8):
            with T.sblock("PadInput"):
                a, b, c = T.axis.remap("SSS", [i, j, k])
                y[a, b, c] = x[a, b, c]

    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32")):
        cls = Idle
        return R.call_tir(cls.copy, (x,), out_ty=R.Tensor((1, 3, 8), "float32"))


def test_a_function_of_nothing_but_a_kernel_that_pads_by_nothing_returns_its_parameter():
    folded = fold(Idle)
    assert len(folded.functions) == 1
    assert folded["main"].body.body.same_as(folded["main"].params[0])


@I.ir_module
class Sized:
    @T.prim_func(private=True, s_tir=True)
    def pads(x: T.Buffer((1, 1, 8), "float32"), n: T.int64, y: T.Buffer((1, 1, 10), "float32")):
        for i, j, k in T.grid(1, 1, 10):
            with T.sblock("PadInput"):
                a, b, c = T.axis.remap("SSS", [i, j, k])
                y[a, b, c] = T.if_then_else(c >= 1 and c < 9, x[a, b, c - 1], T.float32(0))

    @R.function
    def main(x: R.Tensor((1, 1, 8), "float32"), s: R.Shape(["n"]), w: R.Tensor((1, 1, 3), "float32")):
        n = T.int64()
        cls = Sized
        with R.dataflow():
            lv = R.call_tir(cls.pads, (x, n), out_ty=R.Tensor((1, 1, 10), "float32"))
            gv = R.nn.conv1d(lv, w)
            R.output(gv)
        return gv


def test_a_kernel_that_is_called_with_symbolic_values_is_not_a_pad():
    assert_stays(Sized)


def test_a_kernel_that_the_module_lacks_is_not_a_pad():
    module = tvm.IRModule({"main": Idle["main"]})
    assert FoldExplicitPadding(check_input=False)(module).same_as(module)


def test_a_pad_that_goes_before_a_kernel_leaves_its_call_whole():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        result = builder.emit_te(tvm.topi.nn.relu, builder.emit(pad_last_axis(0, 0)(x)))
        builder.emit_func_output(result)
    [call] = bindings_of(fold(builder.get()))
    assert call.value.op.name == "relax.call_tir"
    assert len(call.value.ty_args) == 1


def by_hand(value, *, params, ty=None):
    """main(params): ``value``, as it is."""
    var = relax.Var("gv", ty or relax.TensorType((1, 1, 10), "float32"))
    body = relax.SeqExpr([relax.BindingBlock([relax.VarBinding(var, value)])], var)
    relax.expr._update_type(body, var.ty)
    module = Sized.clone()
    module.update_func(module.get_global_var("main"), relax.Function(params, body, var.ty))
    return module


def test_a_call_of_a_kernel_with_other_operands_is_not_a_pad():
    kernel, ty = Sized.get_global_var("pads"), relax.TensorType((1, 1, 10), "float32")
    x = relax.Var("x", relax.TensorType((1, 1, 8), "float32"))
    several = relax.Var("t", relax.TupleType([x.ty]))
    for args, params in (
        ([kernel, several], [several]),
        ([kernel, relax.Tuple([x]), relax.ShapeExpr([3])], [x]),
        ([kernel, relax.Tuple([x, x])], [x]),
    ):
        module = by_hand(ir.Call(ir.Op.get("relax.call_tir"), args, None, [ty], None, ty), params=params)
        assert FoldExplicitPadding(check_input=False).explain(module) == ()
