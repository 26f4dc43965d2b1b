"""foldproof.fold.correction: borders that are not zero are corrected, to the bit where integers are summed."""

from dataclasses import replace

import numpy as np
import pytest
import tvm
from tests.support.foldings import assert_same_results, assert_stays, chain, constant, emitted, fold
from tests.support.sites import CONV2, H12_W34, INF, decide, pad, site
from tvm import relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused
from foldproof.fold.facts import Values

O = relax.op  # noqa: E741


def integer_conv(*, constant_weight, batch=2, value=3.0, groups=1, strides=1, own=0, dilation=1, out="int32"):
    builder = relax.BlockBuilder()
    rng = np.random.default_rng(1)
    weight = rng.integers(-128, 128, (4, 4 // groups, 3, 2)).astype("int8")
    x = relax.Var("x", relax.TensorType((batch, 4, 7, 6), "int8"))
    w = relax.Var("w", relax.TensorType(weight.shape, "int8"))
    with builder.function("main", [x] if constant_weight else [x, w]):
        with builder.dataflow():
            padded = builder.emit(relax.op.nn.pad(x, [0, 0, 0, 0, 2, 1, 0, 3], pad_value=value))
            result = builder.emit_output(
                relax.op.nn.conv2d(
                    padded,
                    relax.const(weight) if constant_weight else w,
                    strides=strides,
                    padding=own,
                    dilation=dilation,
                    groups=groups,
                    out_dtype=out,
                )
            )
        builder.emit_func_output(result)
    x = rng.integers(-128, 128, (batch, 4, 7, 6)).astype("int8")
    return builder.get(), [x] if constant_weight else [x, weight]


@pytest.mark.parametrize("constant_weight", [True, False])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"batch": 1},
        {"strides": 2, "own": [1, 0, 2, 0]},
        {"groups": 2},
        {"groups": 4, "dilation": 2},
        {"own": [-1, 1, 0, 0]},
        {"out": "int8"},
        {"out": "int64", "value": -128.0},
    ],
    ids=str,
)
def test_a_border_that_is_not_zero_is_corrected_to_the_bit(constant_weight, attributes):
    module, arrays = integer_conv(constant_weight=constant_weight, **attributes)
    assert_stays(module, Kind.VALUE)
    folded = fold(module, nonzero="correct")
    ops = [binding.value.op.name for binding in folded["main"].body.blocks[0].bindings]
    conv = "relax.nn.conv2d"
    assert ops == [conv, "relax.add"] if constant_weight else [conv, conv, "relax.add"]
    assert_same_results(module, *arrays, nonzero="correct")


def test_a_border_per_channel_is_corrected():
    """int8 data, of which each channel has another offset before an integer convolution."""

    def subtracted(x):
        return relax.op.subtract(x, constant(1, 2, 3, dtype="int8", shape=(3, 1)))

    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((2, 3, 8), "int8")), relax.Var("w", relax.TensorType((4, 3, 3), "int8"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(relax.op.nn.pad(x, [0, 0, 0, 0, 1, 2], pad_value=5.0))
            shifted = builder.emit(subtracted(padded))
            result = builder.emit_output(relax.op.nn.conv1d(shifted, w, out_dtype="int32"))
        builder.emit_func_output(result)
    [report] = FoldExplicitPadding(nonzero="correct").explain(builder.get())
    assert report.outcome.border.flat == (4, 3, 2)
    rng = np.random.default_rng(0)
    arrays = (rng.integers(-50, 50, shape).astype("int8") for shape in ((2, 3, 8), (4, 3, 3)))
    assert_same_results(builder.get(), *arrays, nonzero="correct")


def test_floats_are_corrected_only_where_rounding_is_accepted():
    module = chain(value=0.5)
    assert_stays(module, Kind.VALUE, nonzero="correct")
    folded = fold(module, nonzero="correct-inexact")
    assert [b.value.op.name for b in folded["main"].body.blocks[0].bindings][-1] == "relax.add"
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-9, 10, shape).astype("float32") for shape in ((1, 3, 8), (4, 3, 3)))
    assert_same_results(module, x, w, nonzero="correct-inexact")  # small integers and halves: nothing is rounded


def test_a_pad_before_a_corrected_one_folds_too():
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8), "int8")), relax.Var("w", relax.TensorType((4, 3, 3), "int8"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            inner = builder.emit(relax.op.nn.pad(x, [0, 0, 0, 0, 1, 0]))
            outer = builder.emit(relax.op.nn.pad(inner, [0, 0, 0, 0, 0, 1], pad_value=1.0))
            result = builder.emit_output(relax.op.nn.conv1d(outer, w, out_dtype="int32"))
        builder.emit_func_output(result)
    rules = [report.outcome.rule for report in FoldExplicitPadding(nonzero="correct").explain(builder.get())]
    assert rules == ["corrected-conv", "conv"]
    rng = np.random.default_rng(0)
    arrays = (rng.integers(-50, 50, shape).astype("int8") for shape in ((1, 3, 8), (4, 3, 3)))
    assert_same_results(builder.get(), *arrays, nonzero="correct")


def test_a_correction_of_axes_out_of_order_is_refused():
    """TVM reads strides by letter in types and by position in kernels, so that no constant is right for both."""
    weight = relax.const(np.arange(24).reshape(2, 2, 3, 2).astype("int8"))
    module = emitted(
        [((1, 2, 6, 7), "int8")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], pad_value=3.0),
        lambda x: O.nn.conv2d(x, weight, strides=[1, 2], data_layout="NCWH", kernel_layout="OIHW", out_dtype="int32"),
    )
    assert_stays(module, Kind.VALUE, nonzero="correct")


def test_a_correction_needs_a_weight_of_integers():
    """A float weight is cast to the integers that are summed, which is undefined out of range."""
    module = emitted(
        [((1, 2, 6), "int8"), ((2, 2, 3), "float32")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 1], pad_value=3.0),
        lambda x: O.nn.conv1d(x, relax.const(np.full((2, 2, 3), 1e9, "float32")), out_dtype="int32"),
    )
    assert_stays(module, Kind.VALUE, nonzero="correct")


# --- of every dtype -----------------------------------------------------------------------------------


def corrected(data, weight, *, value, constant_weight=True, padding=0, out="int64", nonzero="correct"):
    """A convolution of data and weight, of (shape, dtype), corrected; its arrays are drawn from all bits."""
    rng = np.random.default_rng(0)
    x, w = (_bits(rng, *one) for one in (data, weight))
    builder = relax.BlockBuilder()
    variables = [relax.Var(name, relax.TensorType(*one)) for name, one in (("x", data), ("w", weight))]
    with builder.function("main", variables[: 1 if constant_weight else 2]):
        with builder.dataflow():
            padded = builder.emit(O.nn.pad(variables[0], [0, 0, 0, 0, 1, 2], pad_value=value))
            filters = relax.const(w, weight[1]) if constant_weight else variables[1]  # else int64 becomes int32
            result = builder.emit_output(O.nn.conv1d(padded, filters, padding=padding, out_dtype=out))
        builder.emit_func_output(result)
    return builder.get(), [x] if constant_weight else [x, w]


def _bits(rng, shape, dtype):
    if dtype.startswith("float"):
        return rng.integers(-9, 10, shape).astype(dtype) / np.asarray(4, dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("constant_weight", [True, False])
@pytest.mark.parametrize(
    ("data", "weight", "value", "out", "padding"),
    [
        ("int64", "int64", 3.0, "int64", 0),  # products and sums that no double holds, and that wrap
        ("int64", "int64", -(2.0**62), "int64", (0, -1)),
        ("int32", "int32", 3.0, "int64", (1, 0)),
        ("uint8", "int8", 200.0, "int32", (-2, 0)),
        ("int8", "uint8", -100.0, "int32", (0, -1)),
        ("int8", "int8", 100.0, "int8", (1, -1)),
    ],
)
def test_integers_are_corrected_in_every_dtype(data, weight, value, out, padding, constant_weight):
    module, arrays = corrected(
        ((2, 3, 8), data), ((4, 3, 3), weight), value=value, out=out, padding=padding, constant_weight=constant_weight
    )
    convolutions = [b.value.op.name for b in fold(module, nonzero="correct")["main"].body.blocks[0].bindings]
    assert convolutions.count("relax.nn.conv1d") == (1 if constant_weight else 2)
    assert_same_results(module, *arrays, nonzero="correct")


@pytest.mark.parametrize("constant_weight", [True, False])
def test_floats_with_a_fraction_are_corrected(constant_weight):
    module, arrays = corrected(
        ((2, 3, 8), "float32"), ((4, 3, 3), "float32"), value=0.75, out=None, constant_weight=constant_weight
    )
    assert_same_results(module, *arrays, nonzero="correct-inexact")  # sixteenths, of which nothing is rounded


def test_the_term_has_the_type_that_tvm_infers_on_its_device():
    @I.ir_module
    class Before:
        I.module_global_infos({"vdevice": [I.vdevice("llvm")]})

        @R.function
        def main(x: R.Tensor((2, 3, 8), "int8", "llvm:0"), w: R.Tensor((4, 3, 3), "int8", "llvm:0")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1), "constant", 5.0)
                gv = R.nn.conv1d(lv, w, out_dtype="int32")
                R.output(gv)
            return gv

    _, term, result = fold(Before, nonzero="correct")["main"].body.blocks[0].bindings
    assert term.var.name == "correction"
    assert result.value.op.name == "relax.add"
    expected = relax.TensorType((1, 4, 8), "int32", Before["main"].params[0].ty.vdevice)
    for ty in (term.value.ty, term.var.ty):
        tvm.ir.assert_structural_equal(ty, expected)


def test_a_correction_outside_of_dataflow_blocks_binds_no_variable_of_one():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "int8")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1), "constant", 5.0)
            return R.nn.conv1d(lv, w, out_dtype="int32")

    bindings = fold(Before, nonzero="correct")["main"].body.blocks[0].bindings
    assert len(bindings) == 3
    assert not any(isinstance(binding.var, relax.DataflowVar) for binding in bindings)


def test_a_batch_of_unknown_length_is_corrected_by_a_term_of_batch_1():
    module = emitted(
        [((tirx.Var("n", "int64"), 3, 8), "int8")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 2], pad_value=5.0),
        lambda x: O.nn.conv1d(x, relax.const(np.ones((4, 3, 3), "int8")), out_dtype="int32"),
    )
    _, result = fold(module, nonzero="correct")["main"].body.blocks[0].bindings
    assert tuple(result.value.args[1].value.shape) == (1, 4, 9)
    assert_same_results(module, np.arange(48, dtype="int8").reshape(2, 3, 8), nonzero="correct")


INT_CONV = replace(CONV2, out_dtype="int32", channels=3, weight="integer")


THREE = pad(*H12_W34, value=3.0, dtype="int8")


@pytest.mark.parametrize(
    ("at", "nonzero", "expected"),
    [
        (site(THREE, INT_CONV), "correct", Folded("corrected-conv", (1, 3, 2, 4), border=Values((1, 1, 1, 1), (3,)))),
        (site(THREE, INT_CONV), "refuse", Kind.VALUE),
        (site(replace(THREE, value=0.0), INT_CONV), "correct", Folded("conv", (1, 3, 2, 4))),
        (site(THREE, replace(INT_CONV, out_dtype="float32")), "correct", Kind.VALUE),  # rounds
        (site(THREE, replace(INT_CONV, out_dtype="float32")), "correct-inexact", Kind.VALUE),
        (site(THREE, INT_CONV), "correct-inexact", (1, 3, 2, 4)),
        (site(pad(*H12_W34, value=3.0), replace(CONV2, channels=3)), "correct", Kind.VALUE),
        (
            site(pad(*H12_W34, value=3.0), replace(CONV2, channels=3)),
            "correct-inexact",
            Folded("corrected-conv", (1, 3, 2, 4), border=Values((1, 1, 1, 1), (3.0,))),
        ),
        (site(pad(*H12_W34, value=INF), replace(CONV2, channels=3)), "correct-inexact", Kind.VALUE),
        (site(THREE, replace(INT_CONV, sizes=(12, None))), "correct", Kind.VALUE),
        (site(THREE, replace(INT_CONV, channels=None)), "correct", Kind.VALUE),
        (site(THREE, replace(INT_CONV, weight="finite")), "correct", Kind.VALUE),
        (site(THREE, replace(INT_CONV, padding=(1, 1, 1, 1))), "correct", (2, 4, 3, 5)),
        (site(replace(THREE, mode="reflect"), INT_CONV), "correct", Kind.MODE),
    ],
)
def test_a_border_that_is_not_zero_is_corrected_by_option_where_sums_are_integers(at, nonzero, expected):
    outcome = decide(at, nonzero=nonzero)
    if isinstance(expected, Kind):
        assert isinstance(outcome, Refused)
        assert outcome.kind is expected
    else:
        assert outcome == expected or outcome.padding == expected
