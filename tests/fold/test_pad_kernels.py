"""foldproof.fold: pads that are PrimFuncs: which calls are pads, and when the PrimFunc goes."""

import numpy as np
import pytest
import tvm
from tests.support.foldings import QUICK, assert_stays, bindings_of, fold, op_names, pad_last_axis
from tvm import ir, relax, tirx, topi
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind, Refused

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


def unknown(module, **options):
    """The reasons why pads are not understood."""
    reports = FoldExplicitPadding(check_input=False, **options).explain(module)
    return [r.outcome.detail for r in reports if isinstance(r.outcome, Refused) and r.outcome.kind is Kind.UNKNOWN_PAD]


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
    module = builder.get()
    assert kernels(fold(module, nonzero="correct")) == ["pad"]
    assert unknown(module, nonzero="correct") == [
        "the PrimFunc pad pads with 9007199254740993, which the double of nn.pad cannot hold"
    ]


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


def test_a_scalar_that_the_kernel_does_not_use_may_be_anything():
    folded = fold(Sized)
    assert op_names(folded) == ["nn.conv1d"]
    assert kernels(folded) == []


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


def test_a_call_of_a_kernel_with_other_operands_is_refused():
    kernel, ty = Sized.get_global_var("pads"), relax.TensorType((1, 1, 10), "float32")
    x = relax.Var("x", relax.TensorType((1, 1, 8), "float32"))
    several = relax.Var("t", relax.TupleType([x.ty]))
    count = "call_tir does not pass one operand for each parameter of the PrimFunc pads"
    for args, params, why in (
        ([kernel, several], [several], count),
        ([kernel, relax.Tuple([x]), relax.ShapeExpr([3])], [x], count),
        ([kernel, relax.Tuple([x])], [x], count),
        ([kernel, relax.Tuple([x, x])], [x], "call_tir passes operands to the PrimFunc pads that are not its scalars"),
        (
            [kernel, relax.Tuple([tirx.IntImm("int64", 1), x])],
            [x],
            "call_tir does not pass one tensor to the PrimFunc pads, and return one",
        ),
    ):
        module = by_hand(ir.Call(ir.Op.get("relax.call_tir"), args, None, [ty], None, ty), params=params)
        assert unknown(module) == [why]


# --- lengths as scalars: what the ONNX frontend makes after a strided layer ------------------------------

N, H, W, K = (tirx.Var(name, "int64") for name in "NHWK")


def padded_after(layer, *, shape=(N, 3, H, W), before=(1, 2), after=(1, 1), value=0.0, consumer=None, form="call_tir"):
    """main(x): a consumer of a pad of a layer of x."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            lv = builder.emit(layer(x))
            if form == "call_tir":
                padded = builder.emit_te(topi.nn.pad, lv, [0, 0, *before], [0, 0, *after], value)
            else:
                flat = [0, 0, 0, 0, before[0], after[0], before[1], after[1]]
                padded = builder.emit(O.nn.pad(lv, flat, pad_value=value))
            result = builder.emit_output((consumer or conv)(padded))
        builder.emit_func_output(result)
    return builder.get()


def conv(x, strides=1):
    weight = np.random.default_rng(1).normal(size=(2, 3, 3, 3))
    return O.nn.conv2d(x, relax.const(weight, "float32"), strides=strides)


def strided_conv(x):
    return O.nn.conv2d(x, relax.const(np.ones((3, 3, 3, 3)), "float32"), strides=2, padding=1)


LAYERS = {
    "max_pool, stride 2": lambda x: O.nn.max_pool2d(x, (2, 2), 2),
    "max_pool, stride 2, own padding": lambda x: O.nn.max_pool2d(x, (3, 3), 2, padding=1),
    "max_pool, ceil_mode": lambda x: O.nn.max_pool2d(x, (2, 2), 2, ceil_mode=True),
    "max_pool, ceil_mode, own padding": lambda x: O.nn.max_pool2d(x, (3, 3), 3, padding=1, ceil_mode=True),
    "conv, stride 2": strided_conv,
    "conv, stride 3": lambda x: O.nn.conv2d(x, relax.const(np.ones((3, 3, 1, 1)), "float32"), strides=3),
    "conv without padding": lambda x: O.nn.conv2d(x, relax.const(np.ones((3, 3, 3, 3)), "float32")),
    "avg_pool, stride 4": lambda x: O.nn.avg_pool2d(x, (3, 3), 4, padding=1),
    "transposed": lambda x: O.nn.conv2d_transpose(x, relax.const(np.ones((3, 3, 2, 2)), "float32"), strides=2),
    "nothing": O.nn.relu,
}


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_kernel_that_takes_lengths_as_scalars_folds_as_the_op_does(layer, strides):
    modules = [
        padded_after(LAYERS[layer], form=form, consumer=lambda x: conv(x, strides=strides))
        for form in ("call_tir", "op")
    ]
    folded = [fold(module) for module in modules]
    assert [len(f.functions) for f in folded] == [1, 1]
    for each in folded:
        assert list(bindings_of(each)[-1].value.attrs.padding) == [1, 2, 1, 1]
        tvm.ir.assert_structural_equal(relax.transform.Normalize()(each), each)
    tvm.ir.assert_structural_equal(*folded)


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_it_computes_the_same_bits_in_several_sizes(layer):
    module = padded_after(LAYERS[layer])
    machines = [relax.VirtualMachine(tvm.compile(each, QUICK), tvm.cpu()) for each in (module, fold(module))]
    for n, h, w in ((1, 9, 12), (2, 16, 11), (1, 7, 8)):
        x = np.random.default_rng(h).normal(size=(n, 3, h, w)).astype("float32")
        before, after = (machine["main"](tvm.runtime.tensor(x)).numpy() for machine in machines)
        assert before.shape == after.shape
        assert before.tobytes() == after.tobytes()


def test_the_kernel_may_name_its_scalars_as_it_likes():
    """The PrimFunc has variables of its own, in another order than those of the caller."""

    @I.ir_module
    class Before:
        @T.prim_func(private=True, s_tir=True)
        def pads(a: T.handle, b: T.int64, a0: T.int64, c: T.handle):
            x = T.match_buffer(a, (1, a0 // 2, b // 2), "float32")
            y = T.match_buffer(c, (1, a0 // 2, b // 2 + 2), "float32")
            for i, j, k in T.grid(1, a0 // 2, b // 2 + 2):
                with T.sblock("PadInput"):
                    u, v, w = T.axis.remap("SSS", [i, j, k])
                    y[u, v, w] = T.if_then_else(w >= 1 and w < b // 2 + 1, x[u, v, w - 1], T.float32(0))

        @R.function
        def main(x: R.Tensor((1, "a0", "b"), "float32")):
            a0, b = T.int64(), T.int64()
            cls = Before
            with R.dataflow():
                lv = R.nn.max_pool2d(R.expand_dims(x, 0), (2, 2), 2)
                lv1 = R.squeeze(lv, 0)
                gv = R.call_tir(cls.pads, (lv1, b, a0), out_ty=R.Tensor((1, a0 // 2, b // 2 + 2), "float32"))
                R.output(gv)
            return gv

    assert [report.outcome.kind for report in FoldExplicitPadding().explain(Before)] == [Kind.CONSUMER]


def test_a_width_that_is_a_scalar_is_not_a_constant():
    module = padded_after(O.nn.relu, before=(K, 0), after=(0, 0), shape=(K, 3, H, W))
    assert_stays(module, Kind.DYNAMIC_WIDTH)


def rewired(scalars=None, *, op="relax.call_tir", attrs=None, drop=0, ty=None):
    """A module whose call of the pad's kernel is changed: some scalars by name, how it is called, its type."""
    module = padded_after(lambda x: O.nn.max_pool2d(x, (2, 2), 2))
    [[var, call]] = [
        (b.var, b.value) for b in bindings_of(module) if str(getattr(b.value.op, "name", "")) == "relax.call_tir"
    ]
    source, *given = call.args[1].fields
    fields = [source, *((scalars or {}).get(each.name, each) for each in given)]
    ty = ty or call.ty
    args = [call.args[0], relax.Tuple(fields[: len(fields) - drop])]
    new = ir.Call(ir.Op.get(op), args, attrs, [ty], None, ty)
    main = module["main"]
    blocks = [
        type(block)([relax.VarBinding(b.var, new) if b.var.same_as(var) else b for b in block.bindings])
        for block in main.body.blocks
    ]
    body = relax.SeqExpr(blocks, main.body.body)
    relax.expr._update_type(body, main.body.ty)
    out = module.clone()
    out.update_func(out.get_global_var("main"), relax.Function(main.params, body, main.ret_ty))
    return out


def test_the_call_that_the_next_ones_break_is_a_pad():
    assert unknown(rewired()) == []


TENSOR = relax.TensorType((N, 3, H // 2 + 2, W // 2 + 3), "float32")
HAS = "with these scalars, axis {} of a buffer of the PrimFunc pad has length {}, where the type of call_tir has {}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scalars": {"H": W, "W": H}}, HAS.format(2, "W // T.int64(2)", "H // T.int64(2)")),
        ({"scalars": {"W": W + 1}}, HAS.format(3, "(W + T.int64(1)) // T.int64(2)", "W // T.int64(2)")),
        ({"scalars": {"H": tirx.IntImm("int64", 8)}}, HAS.format(2, "T.int64(4)", "H // T.int64(2)")),
        (
            {"scalars": {"H": tirx.Cast("int32", H)}},
            "call_tir passes operands to the PrimFunc pad that are not its scalars",
        ),
        ({"drop": 1}, "call_tir does not pass one operand for each parameter of the PrimFunc pad"),
        (
            {"ty": relax.TensorType(None, "float32", ndim=4)},
            "the types of call_tir do not have the lengths that the PrimFunc pad takes as scalars",
        ),
        ({"ty": relax.TupleType([TENSOR])}, "call_tir does not pass one tensor to the PrimFunc pad, and return one"),
        (
            {
                "op": "relax.call_tir_with_grad",
                "attrs": ("relax.attrs.CallTIRWithGradAttrs", {"te_grad_name": "g", "te_grad_kwargs": {}}),
            },
            "call_tir_with_grad calls the PrimFunc pad, a pad; only call_tir is read",
        ),
        (
            {
                "op": "relax.call_tir_inplace",
                "attrs": ("relax.attrs.CallTIRInplaceAttrs", {"inplace_indices": [0]}),
            },
            "call_tir_inplace calls the PrimFunc pad, a pad; only call_tir is read",
        ),
    ],
)
def test_a_call_whose_scalars_are_not_the_lengths_of_its_types_is_refused(change, why):
    name, fields = change.get("attrs", ("", {}))
    module = rewired(**{**change, "attrs": ir.make_node(name, **fields) if name else None})
    assert unknown(module) == [why]
    assert FoldExplicitPadding(check_input=False)(module).same_as(module)


def test_a_kernel_that_is_named_a_pad_but_computes_more_is_refused():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, H), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            both = builder.emit_te(lambda t: topi.nn.relu(topi.nn.pad(t, [0, 0, 1], [0, 0, 1], 0.0)), x)
            again = builder.emit_te(lambda t: topi.nn.pad(topi.nn.pad(t, [0, 0, 1], name="other"), [0, 0, 1]), both)
            plain = builder.emit_te(topi.nn.relu, again)
            result = builder.emit_output(O.nn.conv1d(plain, relax.const(np.ones((2, 3, 3)), "float32")))
        builder.emit_func_output(result)
    module = builder.get()
    assert fold(module).same_as(module)
    names = [global_var.name_hint for global_var, f in module.functions_items() if isinstance(f, tirx.PrimFunc)]
    assert len(names) == 3
    assert [str(report).partition(": refused")[0] for report in FoldExplicitPadding().explain(module)] == [
        "main: lv [unknown pad of unknown shape to (1, 3, H + 2) by unknown widths] -> call_tir lv1",
        "main: lv1 [unknown pad of unknown shape to (1, 3, H + 6) by unknown widths] -> conv1d gv",
    ]
    assert all("has a block PadInput, but it is not proved" in why for why in unknown(module))


def test_a_pad_that_match_cast_binds_to_another_type_is_refused():
    module = tvm.script.from_source("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
        m = T.int64()
        lv = R.match_cast(R.nn.pad(x, (0, 0, 0, 0, 1, 1)), R.Tensor((1, 3, m), "float32"))
        gv = R.nn.conv1d(lv, w)
        return gv
""")
    assert fold(module).same_as(module)
    assert unknown(module) == ["the pad is bound by match_cast, which may give it another type"]
