"""foldproof.fold.rewrite and body: what moves, what goes, what it is called, in functions of all kinds of shapes."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

from functools import partial

import numpy as np
import pytest
import tvm
from tests.support.foldings import (
    assert_folds,
    assert_same_results,
    assert_stays,
    chain,
    constant,
    emitted,
    fold,
    refusals,
)
from tvm import ir, relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding, Kind

O = relax.op  # noqa: E741
N = tirx.Var("n", "int64")


def message(module, **options):
    return [str(report) for report in FoldExplicitPadding(**options).explain(module)]


def bindings(module):
    return [binding for block in module["main"].body.blocks for binding in block.bindings]


def ops(module):
    return [binding.value.op.name.removeprefix("relax.") for binding in bindings(module)]


def pad(*sides, value=0.0, mode="constant"):
    """Of the last axis of three."""
    return partial(O.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_mode=mode, pad_value=value)


# --- pads that do nothing, next to each other, or cropped again -----------------------------------------


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


def test_what_is_cancelled_is_reported_by_its_rule_and_what_stays_of_it():
    gone = emitted([((1, 3, 8), "float32")], pad(2, 0, value=7.0), O.nn.relu, pad(-2, 0), O.nn.relu)
    assert ops(fold(gone)) == ["nn.relu", "nn.relu"]
    assert message(gone) == ["main: lv -> pad lv2: folded (cancelled)", "main: lv2 -> any: folded (identity)"]
    part = emitted([((1, 3, 8), "float32")], pad(2, 1, value=7.0), O.nn.relu, pad(-1, 0), O.nn.relu)
    assert message(part)[:2] == [
        "main: lv -> pad lv2: folded (cancelled, a pad of [0, 0, 0, 0, 1, 1] stays)",
        "main: lv2 -> any: folded (identity)",
    ]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_what_stays_of_a_pad_that_is_cropped_again_keeps_its_mode(mode):
    module = emitted([((1, 3, 8), "float32")], pad(3, 2, mode=mode), O.nn.relu, pad(-1, 0), O.nn.relu)
    smaller, *_ = bindings(fold(module))
    assert smaller.value.attrs.pad_mode == mode
    assert list(smaller.value.attrs.pad_width) == [0, 0, 0, 0, 2, 2]
    if mode != "circular":  # ... which shows other elements, if fewer are wrapped
        assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))


@pytest.mark.parametrize("between", [[], [O.nn.relu]])
def test_variables_of_the_same_dataflow_block_may_be_read(between):
    """relu(x) is local to the block: pads of it are merged, and cropped again."""
    nested = emitted([((1, 3, 8), "float32")], O.nn.relu, pad(1, 0), pad(0, 2), O.nn.relu)
    assert ops(fold(nested)) == ["nn.relu", "nn.pad", "nn.relu"]
    cropped = emitted([((1, 3, 8), "float32")], O.exp, pad(2, 0, value=7.0), *between, pad(-2, 0, value=1.0), O.exp)
    folded = fold(cropped)
    assert "nn.pad" not in ops(folded)
    assert [isinstance(b.var, relax.DataflowVar) for b in bindings(folded)][:-1] == [True] * (len(bindings(folded)) - 1)


def test_a_crop_in_another_block_is_cancelled_if_the_steps_are_in_that_of_the_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.exp(x)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                out = R.nn.relu(lv1)
                R.output(out)
            between = R.exp(out)  # else the two blocks become one
            with R.dataflow():
                gv = R.nn.pad(out, (0, 0, 0, 0, -1, 0))
                R.output(gv)
            return (gv, between)

    folded = fold(Before)
    assert ops(folded) == ["exp", "nn.pad", "nn.relu", "nn.relu", "exp"]
    assert message(Before)[0] == "main: lv1 -> pad gv: folded (cancelled)"


def test_pads_of_unknown_lengths_are_neither_cancelled_nor_in_the_way():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(None, "float32", ndim=3))
    with builder.function("main", [x]):
        y = builder.emit(pad(2, 0, value=7.0)(x))
        y = builder.emit(O.exp(builder.emit(pad(-2, 0)(builder.emit(O.nn.relu(y))))))
        builder.emit_func_output(y)
    assert_stays(builder.get(), Kind.CONSUMER, Kind.CONSUMER)


def test_a_pad_that_others_read_is_not_merged_into_one_that_adds():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            inner = builder.emit(pad(1, 0)(x))
            outer = builder.emit(pad(1, 0)(inner))
            result = builder.emit_output(relax.Tuple([builder.emit(O.exp(inner)), builder.emit(O.exp(outer))]))
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
                lv3 = R.exp(lv2)
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
                lv3 = R.exp(lv2)
                gv = (lv1, lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert message(Before) == [
        "main: lv -> conv1d lv1: folded (conv, padding=[1, 1])",
        "main: lv -> pad lv2: folded (nested)",
        "main: lv2 -> exp lv3: refused (consumer): exp is not a convolution or pool: it has no padding to fold into",
    ]


# --- what moves -----------------------------------------------------------------------------------------


def assert_types_are_inferred(module):
    """Every type of a binding is what TVM infers of its value."""
    builder = relax.BlockBuilder()
    for binding in bindings(module):
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
    assert ops(folded) == expected
    assert_types_are_inferred(folded)


def test_steps_of_unknown_lengths_keep_rank_and_dtype():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(None, "int8", ndim=3))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.relu(builder.emit(O.astype(builder.emit(pad(1, 2)(x)), "float32"))))
            result = builder.emit_output(O.nn.conv1d(y, w))
        builder.emit_func_output(result)
    folded = fold(builder.get())
    assert ops(folded) == ["astype", "nn.relu", "nn.conv1d"]
    assert_types_are_inferred(folded)
    assert [binding.var.ty.dtype for binding in bindings(folded)] == ["float32"] * 3
    assert [binding.var.ty.ndim for binding in bindings(folded)] == [3, 3, 3]


def test_a_step_whose_type_says_less_than_is_known_moves_with_that():
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

    moved, conv = bindings(fold(Before))
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
            y = builder.emit(O.add(builder.emit(pad(-1, -1)(x)), c))
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
    pads = [list(b.value.attrs.pad_width) for b in bindings(folded) if b.value.op.name == "relax.nn.pad"]
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
            padded = builder.emit(pad(-1, -1)(x))
            whole = builder.emit(O.quantize(padded, scale, constant(0, dtype="int8"), axis=1))
            back = builder.emit(O.dequantize(whole, scale, constant(0, dtype="int8"), axis=1))
            result = builder.emit_output(O.nn.conv1d(back, w))
        builder.emit_func_output(result)
    folded = fold(builder.get())
    assert ops(folded) == ["nn.pad", "quantize", "dequantize", "nn.conv1d"]


# --- how far is looked ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "folds"), [(63, True), (64, False)])
def test_no_pad_is_looked_for_behind_64_steps(steps, folds):
    module = chain(*[O.nn.relu] * steps)
    folded = fold(module)
    assert ("nn.pad" not in ops(folded)) is folds
    if not folds:
        assert refusals(module) == [("relu", Kind.CONSUMER)]


@pytest.mark.parametrize(("more", "folds"), [(3, True), (4, False)])
def test_no_more_than_four_producers_are_asked(more, folds):
    turn = [lambda x: O.permute_dims(x, [0, 2, 1])] * more
    module = emitted([((1, 8, 8), "float32")], O.nn.relu, *turn, pad(1, 1), lambda x: O.nn.max_pool1d(x, 3))
    assert ("nn.pad" not in ops(fold(module))) is folds


def test_bounds_come_from_several_producers():
    producers = [O.nn.relu, lambda x: O.permute_dims(x, [0, 2, 1])]
    module = emitted([((1, 8, 3), "float32")], *producers, pad(1, 1), lambda x: O.nn.max_pool1d(x, 3))
    assert ops(fold(module)) == ["nn.relu", "permute_dims", "nn.max_pool1d"]
    negative = emitted([((1, 8, 3), "float32")], O.negative, *producers[1:], pad(1, 1), lambda x: O.nn.max_pool1d(x, 3))
    assert_stays(negative, Kind.VALUE)


def test_a_cast_to_integers_is_passed_where_a_producer_keeps_the_data_in_range():
    casts = [lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")]
    module = chain(*casts, first=[lambda x: O.clip(x, -100, 100)])
    assert ops(fold(module)) == ["clip", "astype", "astype", "nn.conv1d"]
    assert_stays(chain(*casts, first=[lambda x: O.clip(x, -1000, 100)]), Kind.CAST)


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
    assert ops(folded) == ["nn.relu", "nn.pad", "nn.conv1d"]
    assert list(bindings(folded)[1].value.attrs.pad_width) == [0, 0, 0, 1, 0, 0]
    assert list(bindings(folded)[2].value.attrs.padding) == [1, 1]


# --- every use is reported --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "op", [lambda x: O.clip(x, 0, 6), lambda x: O.reshape(x, (1, 3, 1, 11)), lambda x: O.add(x, constant(1))]
)
def test_the_reader_behind_a_step_is_reported_whatever_operands_that_has(op):
    module = emitted([((1, 3, 8), "float32")], pad(1, 2, value=3.0), op, O.exp)
    assert refusals(module) == [("exp", Kind.CONSUMER)]


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
                gv = R.exp(lv1)
            else:
                gv = R.nn.relu(lv1)
            return gv

    assert refusals(Before) == [("if", Kind.IN_PLACE)]


def test_a_pad_that_nothing_reads_is_no_site():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))  # noqa: F841
                gv = R.exp(x)
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
                gv = R.exp(lv1)
                R.output(gv)
            return gv

    assert message(Before) == [
        "main: lv -> exp gv: refused (consumer): exp is not a convolution or pool: it has no padding to fold into",
        "main: lv -> dequantize lv1: refused (consumer): dequantize is not a convolution or pool: it has no padding to "
        "fold into",
    ]


# --- functions of other shapes -----------------------------------------------------------------------------


def test_the_type_that_a_function_declares_is_kept():
    """It may say more than that of its body."""
    builder = relax.BlockBuilder()
    x, w = (relax.Var("x", relax.TensorType(None, "float32", None, 3)), relax.Var("w", relax.TensorType((4, 3, 3))))
    with builder.function("main", [x, w]):
        builder.emit_func_output(builder.emit(O.nn.conv1d(builder.emit(pad(1, 1)(x)), w)))
    function, declared = builder.get()["main"], relax.TensorType((1, 4, 8), "float32")
    module = tvm.IRModule({"main": relax.Function(function.params, function.body, declared, True, function.attrs)})
    folded = fold(module)
    assert ops(folded) == ["nn.conv1d"]
    tvm.ir.assert_structural_equal(folded["main"].ret_ty, declared)


def test_an_element_of_a_tuple_in_place_is_that_of_what_folded():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        first = builder.emit(relax.TupleGetItem(relax.Tuple([x, builder.emit(pad(0, 0)(x))]), 1, SPAN))
        builder.emit_func_output(builder.emit(O.nn.relu(first)))
    item, relu = bindings(fold(builder.get()))
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


def test_a_kernel_that_is_called_with_symbolic_values_is_no_pad():
    assert_stays(Sized)


def test_a_kernel_that_the_module_lacks_is_no_pad():
    module = tvm.IRModule({"main": Idle["main"]})
    assert FoldExplicitPadding(check_input=False)(module).same_as(module)


@I.ir_module
class AllShapes:
    """Whatever a function can consist of, around pads that go, in part or with a correction."""

    @R.function
    def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 4, 3), "int8"), c: R.Tensor((), "bool")):
        n = T.int64()

        @R.function
        def inner(y: R.Tensor((1, 3, 8), "int8")) -> R.Tensor((1, 3, 8), "int8"):
            idle = R.nn.pad(y, (0, 0, 0, 0, 0, 0))
            gv1 = R.nn.relu(idle)
            return gv1

        copy = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
        other: R.Tensor((1, 3, n), "int8") = R.match_cast(copy, R.Tensor((1, 3, n), "int8"))
        pair = (copy, w)
        first = pair[0]
        if c:
            chosen = R.nn.relu(copy)
        else:
            chosen = R.abs(copy)
        called = inner(chosen)
        with R.dataflow():
            lv = R.nn.pad(called, (0, 0, 0, 1, 1, 1), "constant", 5.0)
            lv1 = R.nn.relu(lv)
            gv = R.nn.conv1d(lv1, w, out_dtype="int32")
            lv2 = R.nn.pad(called, (0, 0, 0, 1, 1, 1))
            lv3 = R.nn.relu(lv2)
            gv2 = R.nn.conv1d(lv3, w, out_dtype="int32")
            lv4 = R.nn.pad(called, (0, 0, 0, 0, 2, 1))
            lv5 = R.nn.relu(lv4)
            gv3 = R.nn.pad(lv5, (0, 0, 0, 0, -1, 0))
            R.output(gv, gv2, gv3)
        return (gv, gv2, gv3, first, other)


SPAN = ir.Span(ir.SourceName("model.py"), 1, 1, 1, 9)


def spanned(node):
    """The same, each node with a place in a source file."""
    if isinstance(node, relax.Function):
        return relax.Function(node.params, spanned(node.body), node.ret_ty, node.is_pure, node.attrs, SPAN)
    if isinstance(node, relax.BindingBlock):
        return type(node)([spanned(binding) for binding in node.bindings], SPAN)
    if isinstance(node, relax.MatchCast):
        return relax.MatchCast(node.var, node.value, node.ty, SPAN)
    if isinstance(node, relax.VarBinding):
        return relax.VarBinding(node.var, spanned(node.value), SPAN)
    if isinstance(node, ir.Call):
        return ir.Call(node.op, list(node.args), node.attrs, node.ty_args, SPAN, node.ty)
    if isinstance(node, relax.Tuple):
        return relax.Tuple(list(node.fields), SPAN)
    if isinstance(node, relax.TupleGetItem):
        return relax.TupleGetItem(node.tuple_value, node.index, SPAN)
    if isinstance(node, relax.SeqExpr):
        new = relax.SeqExpr([spanned(block) for block in node.blocks], spanned(node.body), SPAN)
    elif isinstance(node, relax.If):
        new = relax.If(node.cond, spanned(node.true_branch), spanned(node.false_branch), SPAN)
    else:
        return node
    relax.expr._update_type(new, node.ty)
    return new


def within(node):
    """The node and all that it consists of but variables and constants."""
    if isinstance(node, relax.Var | ir.GenericConst):
        return
    yield node
    for part in ("body", "value", "true_branch", "false_branch"):
        if getattr(node, part, None) is not None:
            yield from within(getattr(node, part))
    for parts in ("blocks", "bindings"):
        for part in getattr(node, parts, ()):
            yield from within(part)


@pytest.mark.parametrize("channels", ["keep", "slice"])
def test_the_place_in_a_source_file_is_kept_whatever_changes(channels):
    module = tvm.IRModule({"main": spanned(AllShapes["main"])})
    assert all(node.span is not None for node in within(module["main"]))
    folded = fold(module, nonzero="correct", channels=channels)
    kinds = {type(node).__name__ for node in within(folded["main"])}
    assert {"If", "Tuple", "MatchCast", "VarBinding", "Function", "TupleGetItem", "DataflowBlock", "Call"} <= kinds
    assert all(node.span is not None for node in within(folded["main"]))
    names = [b.var.name for b in bindings(folded) if getattr(b.value, "op", None) == ir.Op.get("relax.strided_slice")]
    assert names == ([] if channels == "keep" else ["weight"])


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

    assert [line.partition(":")[2].partition(":")[0] for line in message(Before)] == [
        " lv -> conv1d lv1",
        " lv2 -> conv1d lv3",
        " lv -> conv1d lv1",
    ]
    assert [report.outcome.kind for report in FoldExplicitPadding().explain(Before)[1:]] == [Kind.VALUE, Kind.CHANNEL]


# --- found by reading -------------------------------------------------------------------------------------


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
    assert [name for name in map(_op, bindings(folded)) if name] == expected
    arrays = [np.arange(np.prod(shape), dtype="float32").reshape(shape) for shape in ((1, 3, 8), (4, 3 + channels, 3))]
    assert_same_results(module, *arrays)


def _op(binding):
    return binding.value.op.name.removeprefix("relax.") if isinstance(binding.value, ir.Call) else ""


def test_what_moves_is_bound_for_readers_inside_and_outside_of_its_block():
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.relu(builder.emit(pad(1, 1)(x))))
            inside = builder.emit_output(O.nn.conv1d(y, w))
            result = builder.emit_output(y)
        outside = builder.emit(O.nn.conv1d(result, w))
        builder.emit_func_output(builder.emit(O.add(inside, outside)))
    module = builder.get()
    assert "nn.pad" not in fold(module).script()


def test_a_crop_outside_of_the_block_of_its_pad_is_cancelled():
    module = in_two_blocks([O.nn.relu], last=pad(-2, 0))
    assert _op(bindings(fold(module))[0]) == "nn.pad"
    assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))


def test_a_crop_that_went_with_what_it_cancelled_is_not_asked_again():
    """The copy of the crop that reads the smaller pad is dead when its turn comes."""
    module = emitted([((1, 3, 8), "float32")], pad(1, 1), O.nn.relu, pad(-1, 0), pad(0, 2), O.exp)
    assert ops(fold(module)).count("nn.pad") >= 1
    assert_same_results(module, np.arange(24, dtype="float32").reshape(1, 3, 8))


@pytest.mark.parametrize("op", [O.add, O.multiply, O.maximum])
def test_an_operand_that_is_a_scalar_and_no_tensor_is_refused(op):
    s = relax.Var("s", ir.PrimType("float32"))
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w, s]):
        with builder.dataflow():
            result = builder.emit_output(O.nn.conv1d(builder.emit(op(builder.emit(pad(1, 1)(x)), s)), w))
        builder.emit_func_output(result)
    assert_stays(builder.get(), Kind.VARYING_OPERAND)


@pytest.mark.parametrize(
    ("options", "value", "channels", "dtype"),
    [
        ({"channels": "slice"}, 0.0, 1, "int8"),
        ({"nonzero": "correct"}, 3.0, 0, "int8"),
        ({"nonzero": "correct-inexact"}, 3.0, 0, "float32"),
    ],
)
def test_a_weight_of_unknown_shape_is_neither_sliced_nor_corrected(options, value, channels, dtype):
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8), dtype)), relax.Var("w", relax.TensorType(None, dtype, ndim=3))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, (0, 0, 0, channels, 1, 1), pad_value=value))
            out = {"out_dtype": "int32"} if dtype == "int8" else {}
            result = builder.emit_output(O.nn.conv1d(y, w, **out))
        builder.emit_func_output(result)
    assert_stays(builder.get(), Kind.SYMBOLIC, **options)


def test_symbolic_channels_are_sliced_too():
    n = tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, n, 8), "int8"))
    w = relax.Var("w", relax.TensorType((4, n + 1, 3), "int8"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, (0, 0, 0, 1, 1, 1)))
            result = builder.emit_output(O.nn.conv1d(y, w, out_dtype="int32"))
        builder.emit_func_output(result)
    module = builder.get()
    assert ops(fold(module, channels="slice")) == ["strided_slice", "nn.conv1d"]
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-9, 9, shape).astype("int8") for shape in ((1, 3, 8), (4, 4, 3))]
    assert_same_results(module, *arrays, channels="slice")


def test_a_pad_that_goes_in_front_of_a_kernel_leaves_its_call_whole():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    with builder.function("main", [x]):
        result = builder.emit_te(tvm.topi.nn.relu, builder.emit(pad(0, 0)(x)))
        builder.emit_func_output(result)
    [call] = bindings(fold(builder.get()))
    assert call.value.op.name == "relax.call_tir"
    assert len(call.value.ty_args) == 1


def test_a_backend_is_asked_about_what_is_known_of_the_consumer():
    seen = []
    module = emitted(
        [((1, 3, 8), "float32")], pad(1, 2), lambda x: O.nn.conv1d(x, relax.const(np.ones((4, 3, 3)), "float32"))
    )
    FoldExplicitPadding(accepts=seen.append)(module)
    [consumer] = seen
    assert (consumer.op, consumer.padding, consumer.weight) == ("conv1d", (1, 2), "")


# --- what no builder makes: the pass says nothing of it, and does not crash ---------------------------------


def by_hand(value, *, params, ty=None):
    """main(params): ``value``, as it is."""
    var = relax.Var("gv", ty or relax.TensorType((1, 1, 10), "float32"))
    body = relax.SeqExpr([relax.BindingBlock([relax.VarBinding(var, value)])], var)
    relax.expr._update_type(body, var.ty)
    module = Sized.clone()
    module.update_func(module.get_global_var("main"), relax.Function(params, body, var.ty))
    return module


def test_a_call_of_a_kernel_with_other_operands_is_no_pad():
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


def test_a_call_of_something_without_a_type_is_not_known_to_write():
    x, w = relax.Var("x", relax.TensorType((1, 3, 8))), relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    bound = []
    for value in (pad(1, 1)(x), lambda y: O.nn.conv1d(y, w), ir.Call(ir.GlobalVar("elsewhere"), [x])):
        call = value(bound[-1].var) if callable(value) and not isinstance(value, ir.Call) else value
        typed = call if isinstance(call.op, ir.GlobalVar) else relax.BlockBuilder().normalize(call)
        ty = typed.ty if not isinstance(call.op, ir.GlobalVar) else x.ty
        bound.append(relax.VarBinding(relax.Var(f"v{len(bound)}", ty), typed))
    body = relax.SeqExpr([relax.BindingBlock(bound)], bound[1].var)
    relax.expr._update_type(body, bound[1].var.ty)
    module = tvm.IRModule({"main": relax.Function([x, w], body, bound[1].var.ty)})
    folded = FoldExplicitPadding(check_input=False)(module)
    assert list(bindings(folded)[0].value.attrs.padding) == [1, 1]
