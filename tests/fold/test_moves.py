"""foldproof.fold: what moves with a pad: its types, its device, its scope."""

import numpy as np
import pytest
import tvm
from tests.support.foldings import (
    assert_folds,
    assert_same_results,
    bindings_of,
    chain,
    constant,
    fold,
    op_names,
    pad_last_axis,
)
from tvm import ir, relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R

O = relax.op  # noqa: E741


N = tirx.Var("n", "int64")


def assert_types_are_inferred(module):
    """Every type of a binding is what TVM infers of its value."""
    builder = relax.BlockBuilder()
    for binding in bindings_of(module):
        call = binding.value
        fresh = ir.Call(call.op, call.args, call.attrs, call.ty_args)
        with builder.function(f"f{len(builder.get().functions)}", relax.analysis.free_vars(fresh)):
            emitted_ = builder.emit(fresh)
            builder.emit_func_output(emitted_)
        tvm.ir.assert_structural_equal(binding.var.ty, emitted_.ty, map_free_vars=True)


BROADCAST = [
    lambda x: O.add(x, constant(1, 2, 3, shape=(3, 1))),
    lambda x: O.subtract(x, constant(1, 2, 3, shape=(3, 1))),
]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (chain(*BROADCAST, shape=(2, 1, 8)), ["add", "subtract", "nn.conv1d"]),
        (chain(*BROADCAST, shape=(N, 1, 8)), ["add", "subtract", "nn.conv1d"]),
        (chain(O.nn.relu, O.tanh, shape=(2, 3, N)), ["nn.relu", "tanh", "nn.conv1d"]),
        (
            chain(lambda x: O.expand_dims(x, 1), O.nn.relu, lambda x: O.squeeze(x, [1])),
            ["expand_dims", "nn.relu", "squeeze", "nn.conv1d"],
        ),
        (
            chain(O.nn.relu, pad=(0, 0, 0, 1, 1, 2), weight=(4, 4, 3)),
            ["nn.pad", "nn.relu", "nn.conv1d"],
        ),
    ],
)
def test_what_moves_has_the_types_that_tvm_infers(module, expected):
    folded = fold(module)
    assert op_names(folded) == expected
    assert_types_are_inferred(folded)


def test_steps_of_unknown_lengths_keep_rank_and_dtype():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(None, "int8", ndim=3))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.relu(builder.emit(O.astype(builder.emit(pad_last_axis(1, 2)(x)), "float32"))))
            result = builder.emit_output(O.nn.conv1d(y, w))
        builder.emit_func_output(result)
    folded = fold(builder.get())
    assert op_names(folded) == ["astype", "nn.relu", "nn.conv1d"]
    assert_types_are_inferred(folded)
    assert [binding.var.ty.dtype for binding in bindings_of(folded)] == ["float32"] * 3
    assert [binding.var.ty.ndim for binding in bindings_of(folded)] == [3, 3, 3]


def test_a_step_whose_type_tells_less_than_is_known_moves_with_that():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1: R.Tensor("float32", ndim=3) = R.nn.relu(lv)
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    moved, conv = bindings_of(fold(Before))
    tvm.ir.assert_structural_equal(moved.var.ty, relax.TensorType(None, "float32", None, 3))
    assert list(conv.value.attrs.padding) == [1, 1]


@I.ir_module
class OnDevice:
    I.module_global_infos({"vdevice": [I.vdevice("llvm")]})

    @R.function
    def main(x: R.Tensor((1, 3, 8), "float32", "llvm:0")):
        return x


@pytest.mark.parametrize("known", [True, False])
def test_what_moves_stays_on_its_device(known):
    """TVM infers no device for a pad, but one for a sum with what is on it."""
    device = OnDevice["main"].params[0].ty.vdevice
    builder = relax.BlockBuilder(OnDevice)
    x = relax.Var("x", relax.TensorType((1, 3, 8)) if known else relax.TensorType(None, "float32", None, 3))
    c = relax.Var("c", relax.TensorType((3, 1), "float32", device))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32", device))
    with builder.function("moves", [x, c, w]):
        with builder.dataflow():
            y = builder.emit(O.add(builder.emit(pad_last_axis(-1, -1)(x)), c))
            result = builder.emit_output(O.nn.conv1d(y, w))
        builder.emit_func_output(result)
    moved, conv = fold(builder.get())["moves"].body.blocks[0].bindings
    assert (moved.value.op.name, conv.value.op.name) == ("relax.add", "relax.nn.conv1d")
    shape = {"shape": (1, 3, 8)} if known else {"shape": None, "ndim": 3}
    tvm.ir.assert_structural_equal(moved.var.ty, relax.TensorType(dtype="float32", vdevice=device, **shape))


def test_two_smaller_pads_of_a_function_are_two():
    @I.ir_module
    class Before:
        @R.function
        def main(
            x: R.Tensor((1, 3, 8), "float32"), y: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 4, 3), "float32")
        ):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 1, 1, 1))
                lv1 = R.nn.conv1d(lv, w)
                lv2 = R.nn.pad(y, (0, 0, 1, 0, 1, 1))
                lv3 = R.nn.conv1d(lv2, w)
                gv = R.add(lv1, lv3)
                R.output(gv)
            return gv

    folded = fold(Before)
    pads = [list(b.value.attrs.pad_width) for b in bindings_of(folded) if b.value.op.name == "relax.nn.pad"]
    assert pads == [[0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]


def test_what_only_moved_steps_read_goes_with_them():
    """The alias of the other operand, and the pad: both are unread at once."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), c: R.Tensor((3, 1), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, -1, -1))
                lv1 = c
                lv2 = R.multiply(lv, lv1)
                gv = R.nn.conv1d(lv2, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), c: R.Tensor((3, 1), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = c
                lv2 = R.multiply(x, lv1)
                gv = R.nn.conv1d(lv2, w, padding=(-1, -1))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_that_is_an_operand_of_what_moves_stays():
    """The scale is a pad, too: the moved quantize reads it as the old one did."""
    builder = relax.BlockBuilder()
    x, s = relax.Var("x", relax.TensorType((1, 3, 8), "float32")), relax.Var("s", relax.TensorType((2,), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, s, w]):
        with builder.dataflow():
            scale = builder.emit(O.nn.pad(s, (0, 1)))
            padded = builder.emit(pad_last_axis(-1, -1)(x))
            whole = builder.emit(O.quantize(padded, scale, constant(0, dtype="int8"), axis=1))
            back = builder.emit(O.dequantize(whole, scale, constant(0, dtype="int8"), axis=1))
            result = builder.emit_output(O.nn.conv1d(back, w))
        builder.emit_func_output(result)
    folded = fold(builder.get())
    assert op_names(folded) == ["nn.pad", "quantize", "dequantize", "nn.conv1d"]


def in_two_blocks(ops, *, last, params=(), channels=0):
    """A pad and ops in one dataflow block, whose result leaves it under another name; the last op stands outside."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x, *params]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, (0, 0, 0, channels, 2, 1)))
            for op in ops:
                y = builder.emit(op(y))
            result = builder.emit_output(y)
        builder.emit_func_output(builder.emit(last(result)))
    return builder.get()


@pytest.mark.parametrize(
    ("ops_between", "channels", "expected"),
    [
        ([], 0, ["nn.conv1d"]),
        ([], 1, ["nn.pad", "nn.conv1d"]),
        ([O.nn.relu], 0, ["nn.relu", "nn.conv1d"]),
        ([O.nn.relu, O.tanh], 1, ["nn.pad", "nn.relu", "tanh", "nn.conv1d"]),
    ],
)
def test_what_moves_leaves_its_dataflow_block_where_it_is_read_outside(ops_between, channels, expected):
    w = relax.Var("w", relax.TensorType((4, 3 + channels, 3), "float32"))
    module = in_two_blocks(ops_between, last=lambda y: O.nn.conv1d(y, w), params=[w], channels=channels)
    folded = fold(module)
    assert [name for name in map(_op, bindings_of(folded)) if name] == expected
    arrays = [np.arange(np.prod(shape), dtype="float32").reshape(shape) for shape in ((1, 3, 8), (4, 3 + channels, 3))]
    assert_same_results(module, *arrays)


def _op(binding):
    return binding.value.op.name.removeprefix("relax.") if isinstance(binding.value, ir.Call) else ""


def test_what_moves_is_bound_for_readers_inside_and_outside_of_its_block():
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.relu(builder.emit(pad_last_axis(1, 1)(x))))
            inside = builder.emit_output(O.nn.conv1d(y, w))
            result = builder.emit_output(y)
        outside = builder.emit(O.nn.conv1d(result, w))
        builder.emit_func_output(builder.emit(O.add(inside, outside)))
    module = builder.get()
    assert "nn.pad" not in fold(module).script()


def test_a_crop_outside_of_the_block_of_its_pad_is_cancelled():
    module = in_two_blocks([O.nn.relu], last=pad_last_axis(-2, 0))
    assert _op(bindings_of(fold(module))[0]) == "nn.pad"
    assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))


def test_the_moved_dequantize_has_a_symbolic_type():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor(("n", 3, "v"), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor(("n", 3, "v"), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.dequantize(x, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv1, w, padding=(1, 2))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
