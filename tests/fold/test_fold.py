"""foldproof.fold: what the pass does to modules. Before and after side by side, compared structurally."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import pytest
import tvm
import tvm_ffi
from tvm import ir, relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused

INF = float("inf")


def fold(module):
    """The folded module; whatever it is, it is well formed, folds no further, and ``module`` is what it was."""
    relax.analysis.well_formed(module)
    before = tvm_ffi.structural_hash(module)
    out = FoldExplicitPadding()(module)
    relax.analysis.well_formed(out)
    assert tvm_ffi.structural_hash(module) == before
    assert FoldExplicitPadding()(out).same_as(out)
    return out


def assert_folds(before, expected):
    tvm.ir.assert_structural_equal(fold(before), expected)


def assert_stays(module):
    assert fold(module).same_as(module)


def outcomes(module):
    return [(r.pad, r.consumer, r.result, r.outcome) for r in FoldExplicitPadding().explain(module)]


def refusals(module):
    return [
        (r.consumer, r.outcome.kind) for r in FoldExplicitPadding().explain(module) if isinstance(r.outcome, Refused)
    ]


# --- each rule ----------------------------------------------------------------------------------------


def test_a_zero_pad_becomes_the_padding_of_a_conv2d():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2, 3, 4))
                gv = R.nn.conv2d(lv, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv2d(x, w, padding=(1, 3, 2, 4))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_every_other_attribute_of_a_convolution_is_kept():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 9, 11, 4), "int8"), w: R.Tensor((3, 2, 2, 6), "int8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 2, 3, 4, 0, 0))
                gv = R.nn.conv2d(
                    lv,
                    w,
                    strides=(2, 3),
                    padding=(1, 0, 0, 5),
                    dilation=(2, 1),
                    groups=2,
                    data_layout="NHWC",
                    kernel_layout="HWIO",
                    out_dtype="int32",
                )
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((2, 9, 11, 4), "int8"), w: R.Tensor((3, 2, 2, 6), "int8")):
            with R.dataflow():
                gv = R.nn.conv2d(
                    x,
                    w,
                    strides=(2, 3),
                    padding=(2, 3, 2, 9),
                    dilation=(2, 1),
                    groups=2,
                    data_layout="NHWC",
                    kernel_layout="HWIO",
                    out_dtype="int32",
                )
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_conv1d_and_conv3d_fold_like_conv2d():
    @I.ir_module
    class Before:
        @R.function
        def main(
            x: R.Tensor((1, 8, 3), "float16"),
            w: R.Tensor((3, 3, 2), "float16"),
            y: R.Tensor((1, 2, 4, 5, 6), "float64"),
            v: R.Tensor((3, 2, 2, 2, 2), "float64"),
        ):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 2, 0, 0))
                gv = R.nn.conv1d(lv, w, dilation=2, data_layout="NWC", kernel_layout="WIO")
                lv1 = R.nn.pad(y, (0, 0, 0, 0, 1, 2, 3, 4, 5, 6), pad_value=-0.0)
                gv1 = R.nn.conv3d(lv1, v, padding=(1, 1, 1))
                R.output(gv, gv1)
            return (gv, gv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(
            x: R.Tensor((1, 8, 3), "float16"),
            w: R.Tensor((3, 3, 2), "float16"),
            y: R.Tensor((1, 2, 4, 5, 6), "float64"),
            v: R.Tensor((3, 2, 2, 2, 2), "float64"),
        ):
            with R.dataflow():
                gv = R.nn.conv1d(x, w, padding=(1, 2), dilation=2, data_layout="NWC", kernel_layout="WIO")
                gv1 = R.nn.conv3d(y, v, padding=(2, 4, 6, 3, 5, 7))
                R.output(gv, gv1)
            return (gv, gv1)

    assert_folds(Before, Expected)


def test_a_lowest_pad_becomes_the_padding_of_a_max_pool():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 9, 9, 3), "int8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 0, 0, 1, 0, 0), pad_value=-128.0)
                gv = R.nn.max_pool2d(lv, (3, 2), strides=(2, 2), dilation=(1, 2), padding=(1, 1), layout="NHWC")
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 9, 9, 3), "int8")):
            with R.dataflow():
                gv = R.nn.max_pool2d(x, (3, 2), strides=(2, 2), dilation=(1, 2), padding=(2, 1, 1, 2), layout="NHWC")
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_zero_pad_becomes_counted_padding_of_an_avg_pool():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 6), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                gv = R.nn.avg_pool1d(lv, (2,), strides=(2,), ceil_mode=True, count_include_pad=False)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 6), "float32")):
            with R.dataflow():
                gv = R.nn.avg_pool1d(x, (2,), strides=(2,), padding=(1, 1), ceil_mode=True, count_include_pad=True)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_of_the_zero_point_moves_the_dequantize_in_front_of_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 2, 8, 8), "uint8"), w: R.Tensor((4, 2, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 2, 2), pad_value=128.0)
                lv1 = R.dequantize(lv, R.const([0.5, 2.0], "float32"), R.const([128, 128], "int32"), axis=1)
                gv = R.nn.conv2d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 2, 8, 8), "uint8"), w: R.Tensor((4, 2, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.dequantize(x, R.const([0.5, 2.0], "float32"), R.const([128, 128], "int32"), axis=1)
                gv = R.nn.conv2d(lv1, w, padding=(1, 2, 1, 2))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_of_the_zero_point_in_front_of_an_avg_pool_folds():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 2, 8), "int8")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1), pad_value=-7.0)
            lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(-7, "int8"), out_dtype="float16")
            gv = R.nn.avg_pool1d(lv1, (3,), count_include_pad=True, padding=(1, 0))
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 2, 8), "int8")):
            lv1 = R.dequantize(x, R.const(0.5, "float32"), R.const(-7, "int8"), out_dtype="float16")
            gv = R.nn.avg_pool1d(lv1, (3,), count_include_pad=True, padding=(2, 1))
            return gv

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_is_deleted_whatever_reads_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 3), "float8_e4m3fn"), y: R.Tensor((2, 3), "bool")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0), pad_mode="reflect")
                lv1 = R.add(lv, lv)
                lv2 = R.nn.pad(y, (0, 0, 0, 0), pad_value=3.0)
                gv = R.concat((lv2, y, lv2))
                R.output(lv1, gv)
            return (lv1, gv)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((2, 3), "float8_e4m3fn"), y: R.Tensor((2, 3), "bool")):
            with R.dataflow():
                lv1 = R.add(x, x)
                gv = R.concat((y, y, y))
                R.output(lv1, gv)
            return (lv1, gv)

    assert_folds(Before, Expected)


# --- every op keeps its attributes --------------------------------------------------------------------

CONV = {"groups": 2, "out_dtype": "float64"}
POOL = {"ceil_mode": True}
FLOAT1, FLOAT2, FLOAT3 = ((2, 4, *sizes) for sizes in [(9,), (9, 11), (9, 11, 13)])


def one_op(name, shape, weight, widths, value, **attributes):
    """main(x [, w]): the op of that name, after a pad unless ``widths`` is None."""
    builder = relax.BlockBuilder()
    params = [relax.Var("x", relax.TensorType(shape, "float32"))]
    if weight:
        params.append(relax.Var("w", relax.TensorType(weight, "float32")))
    with builder.function("main", params):
        with builder.dataflow():
            x, *rest = params
            data = x if widths is None else builder.emit(relax.op.nn.pad(x, widths, pad_value=value))
            gv = builder.emit_output(getattr(relax.op.nn, name)(data, *rest, **attributes))
        builder.emit_func_output(gv)
    return builder.get()


W1, W2, W3 = [0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 1, 2, 3, 4], [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
SIZE1, SIZE2, SIZE3 = ({"pool_size": sizes} for sizes in [[3], [3, 4], [3, 4, 5]])


@pytest.mark.parametrize(
    ("name", "shape", "weight", "widths", "value", "attributes", "own", "folded"),
    [
        ("conv1d", FLOAT1, (6, 2, 3), W1, 0.0, CONV | {"strides": 2, "dilation": 3}, [4, 1], [5, 3]),
        ("conv2d", FLOAT2, (6, 2, 3, 3), W2, 0.0, CONV | {"strides": [2, 1]}, [1, 0, 0, 2], [2, 3, 2, 6]),
        ("conv3d", FLOAT3, (6, 2, 3, 3, 3), W3, 0.0, CONV | {"dilation": [1, 2, 3]}, [1] * 6, [2, 4, 6, 3, 5, 7]),
        ("max_pool1d", FLOAT1, None, W1, -INF, POOL | SIZE1 | {"strides": [1]}, [2, 0], [3, 2]),
        ("max_pool2d", FLOAT2, None, W2, -INF, SIZE2 | {"dilation": [2, 1]}, [1, 1, 0, 0], [2, 4, 2, 4]),
        ("max_pool3d", FLOAT3, None, W3, -INF, SIZE3 | {"strides": [3, 2, 1]}, [0] * 6, [1, 3, 5, 2, 4, 6]),
        ("avg_pool1d", FLOAT1, None, W1, 0.0, SIZE1 | {"dilation": [2], "count_include_pad": True}, [2, 0], [3, 2]),
        ("avg_pool2d", FLOAT2, None, W2, 0.0, SIZE2 | {"count_include_pad": True}, [1, 1, 0, 0], [2, 4, 2, 4]),
        ("avg_pool3d", FLOAT3, None, W3, 0.0, SIZE3 | {"count_include_pad": True}, [1] * 6, [2, 4, 6, 3, 5, 7]),
    ],
)
def test_only_the_padding_of_an_op_changes(name, shape, weight, widths, value, attributes, own, folded):
    before = one_op(name, shape, weight, widths, value, padding=own, **attributes)
    assert_folds(before, one_op(name, shape, weight, None, value, padding=folded, **attributes))


# --- a table of pads before one conv2d -----------------------------------------------------------


def conv2d_of_pad(
    widths, *, shape=(1, 3, 8, 8), weight=(4, 3, 3, 3), dtype="float32", mode="constant", value=0.0, **attributes
):
    """main(x, w): ``gv = conv2d(pad(x), w)`` in one dataflow block."""
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType(shape, dtype)), relax.Var("w", relax.TensorType(weight, dtype))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(relax.op.nn.pad(x, widths, mode, value), "lv")
            gv = builder.emit_output(relax.op.nn.conv2d(padded, w, **attributes), "gv")
        builder.emit_func_output(gv)
    return builder.get()


BLOCKED = {"data_layout": "NCHW4c", "kernel_layout": "OIHW4i4o"}


@pytest.mark.parametrize(
    ("module", "padding"),
    [
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4]), [1, 3, 2, 4]),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], padding=[1, 2]), [2, 5, 3, 6]),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], padding=[-1, 1, -3, 1]), [0, 4, -1, 5]),
        (conv2d_of_pad([0, 0, 0, 0, 1, 1, 1, 1], dtype="int8", value=0.9, out_dtype="int32"), [1, 1, 1, 1]),
        (conv2d_of_pad([0, 0, 0, 0, 1, 0, 0, 0], dtype="bfloat16"), [1, 0, 0, 0]),
        (conv2d_of_pad([1, 2, 0, 0, 0, 0, 3, 4], data_layout="HNCW", shape=(8, 1, 3, 8)), [1, 3, 2, 4]),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 1, 2], data_layout="NCWH"), [1, 1, 2, 2]),
    ],
)
def test_a_pad_of_zeros_folds(module, padding):
    call = fold(module)["main"].body.blocks[0].bindings[0].value
    assert call.op.name == "relax.nn.conv2d"
    assert list(call.attrs.padding) == padding
    assert outcomes(module) == [("lv", "conv2d", "gv", Folded("conv", tuple(padding)))]


@pytest.mark.parametrize(
    ("module", "kind", "text"),
    [
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], value=1.0), Kind.VALUE, "the pad value is 1.0"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], mode="reflect"), Kind.MODE, "'reflect'"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], mode="edge"), Kind.MODE, "'edge'"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, -1, 4], padding=1), Kind.CROP, "the pad crops W by (-1, 4)"),
        (conv2d_of_pad([0, 1, 0, 0, 0, 0, 0, 0]), Kind.BATCH, "(0, 1)"),
        (conv2d_of_pad([0, 0, 0, 1, 0, 0, 0, 0], weight=(4, 4, 3, 3)), Kind.CHANNEL, "(0, 1)"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], out_layout="NHWC"), Kind.LAYOUT, "NCHW (out_layout NHWC)"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], data_layout="NCWH"), Kind.LAYOUT, "NCWH/OIHW"),
        (
            conv2d_of_pad([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], shape=(1, 1, 8, 8, 4), weight=(1, 1, 3, 3, 4, 4), **BLOCKED),
            Kind.LAYOUT,
            "NCHW4c",
        ),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], dtype="float8_e4m3fn"), Kind.DTYPE, "float8_e4m3fn"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], dtype="bool"), Kind.DTYPE, "bool"),
    ],
)
def test_a_pad_that_padding_cannot_say_stays(module, kind, text):
    assert_stays(module)
    [(pad, consumer, result, outcome)] = outcomes(module)
    assert (pad, consumer, result, outcome.kind) == ("lv", "conv2d", "gv", kind)
    assert text in outcome.detail


# --- pads with more than one reader -------------------------------------------------------------------


def test_a_pad_that_is_returned_too_stays_for_the_caller():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(lv, w)
                R.output(lv, gv)
            return (lv, gv)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(x, w, padding=(1, 1))
                R.output(lv, gv)
            return (lv, gv)

    assert_folds(Before, Expected)
    assert refusals(Before) == [("return", Kind.CONSUMER)]


def test_a_pad_that_another_op_reads_stays_for_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.conv1d(lv, w)
                lv2 = R.nn.relu(lv)
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.conv1d(x, w, padding=(1, 1))
                lv2 = R.nn.relu(lv)
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("tuple", Kind.CONSUMER)]


def test_a_pad_with_two_foldable_consumers_goes():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "uint8"), w: R.Tensor((4, 3, 3), "uint8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.conv1d(lv, w, strides=2, out_dtype="int32")
                lv2 = R.nn.max_pool1d(lv, (2,))
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "uint8"), w: R.Tensor((4, 3, 3), "uint8")):
            with R.dataflow():
                lv1 = R.nn.conv1d(x, w, strides=2, padding=(1, 1), out_dtype="int32")
                lv2 = R.nn.max_pool1d(x, (2,), padding=(1, 1))
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_two_consumers_of_one_dequantize_share_the_moved_one():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                lv2 = R.nn.conv1d(lv1, w)
                lv3 = R.nn.conv1d(lv1, w, padding=(3, 4))
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.dequantize(x, R.const(0.5, "float32"), R.const(5, "int8"))
                lv2 = R.nn.conv1d(lv1, w, padding=(1, 2))
                lv3 = R.nn.conv1d(lv1, w, padding=(4, 6))
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_dequantize_with_another_reader_stays_beside_the_moved_one():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                lv2 = R.nn.conv1d(lv1, w)
                lv3 = R.nn.relu(lv1)
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                moved = R.dequantize(x, R.const(0.5, "float32"), R.const(5, "int8"))
                lv2 = R.nn.conv1d(moved, w, padding=(1, 2))
                lv3 = R.nn.relu(lv1)
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("tuple", Kind.CONSUMER)]


def test_a_pad_on_the_weight_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 1), "float32")):
            with R.dataflow():
                lv = R.nn.pad(w, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(x, lv)
                R.output(gv)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.WEIGHT)]


def test_a_pad_that_is_both_data_and_weight_folds_on_the_data_only():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3, 3, 4), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(lv, lv)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((3, 3, 4), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(x, lv, padding=(1, 1))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("conv1d", Kind.WEIGHT)]


def test_the_pads_of_both_operands_are_reported_once_each():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 1), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
                lv1 = R.nn.pad(w, (0, 0, 0, 0, 1, 1))
                gv = R.nn.conv1d(lv, lv1)
                R.output(gv)
            return gv

    assert [report[0] for report in outcomes(Before)] == ["lv", "lv1"]
    assert refusals(Before) == [("conv1d", Kind.WEIGHT)]


def test_a_padded_scale_of_dequantize_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), s: R.Tensor((2,), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(s, (0, 1))
                lv1 = R.dequantize(x, lv, R.const([0, 0, 0], "int8"), axis=1)
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("dequantize", Kind.CONSUMER)]


# --- pads after pads ---------------------------------------------------------------------------------


def test_two_pads_in_front_of_a_convolution_both_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv1d(x, w, padding=(11, 22))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_of_another_value_in_front_of_a_folded_one_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=1.0)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=1.0)
                gv = R.nn.conv1d(lv, w, padding=(10, 20))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("conv1d", Kind.VALUE)]


def test_a_zero_pad_in_front_of_one_that_stays_does_not_fold_through_it():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20), pad_value=1.0)
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.NESTED), ("conv1d", Kind.VALUE)]


def test_two_pads_in_front_of_a_dequantize_both_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20), pad_value=5.0)
                lv2 = R.dequantize(lv1, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv2, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv2 = R.dequantize(x, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv2, w, padding=(11, 22))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_only_the_pad_of_the_zero_point_folds_out_of_two_in_front_of_a_dequantize():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=4.0)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20), pad_value=5.0)
                lv2 = R.dequantize(lv1, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv2, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=4.0)
                lv2 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv2, w, padding=(10, 20))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("conv1d", Kind.QUANTIZATION)]


def test_pads_on_both_sides_of_a_dequantize_both_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                lv2 = R.nn.pad(lv1, (0, 0, 0, 0, 10, 20))
                gv = R.nn.conv1d(lv2, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.dequantize(x, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv1, w, padding=(11, 22))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_behind_a_shared_pad_folds_and_the_shared_one_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 10, 20))
                lv2 = R.nn.conv1d(lv1, w)
                gv = (lv, lv2)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv2 = R.nn.conv1d(x, w, padding=(11, 22))
                gv = (lv, lv2)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert refusals(Before) == [("tuple", Kind.CONSUMER)]


# --- blocks, branches, functions ----------------------------------------------------------------------


def test_pads_outside_dataflow_blocks_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            gv = R.nn.conv1d(lv, w)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            gv = R.nn.conv1d(x, w, padding=(1, 2))
            return gv

    assert_folds(Before, Expected)


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


def test_a_pad_stays_where_its_input_is_local_to_another_dataflow_block():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.pad(lv, (0, 0, 0, 0, 1, 2))
                R.output(gv)
            between = R.nn.relu(x)
            with R.dataflow():
                gv1 = R.nn.conv1d(gv, w)
                R.output(gv1)
            return (between, gv1)

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.SCOPE)]


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

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.SCOPE)]


def test_pads_in_branches_fold_and_so_do_pads_in_front_of_them():
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

    assert_stays(Before)
    assert refusals(Before) == [("return", Kind.CONSUMER), ("return", Kind.CONSUMER)]


def test_a_pad_of_zero_widths_that_is_the_result_of_a_branch_goes():
    @I.ir_module
    class Before:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
            if c:
                y = R.nn.pad(x, (0, 0))
            else:
                y = R.nn.relu(x)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
            if c:
                y = x
            else:
                y = R.nn.relu(x)
            return y

    assert_folds(Before, Expected)


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


# --- pads of zero widths: dataflow outputs, chains, types ---------------------------------------------


def test_a_pad_of_zero_widths_that_a_dataflow_block_outputs_keeps_the_name_of_the_output():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.pad(lv, (0, 0))
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = lv
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_function_that_only_pads_by_nothing_returns_its_parameter():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                gv = R.nn.pad(x, (0, 0))
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            return x

    assert_folds(Before, Expected)


def test_a_chain_of_pads_of_zero_widths_goes_and_what_is_behind_it_folds():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0), pad_mode="circular")
                lv2 = R.nn.pad(lv1, (0, 0, 0, 0, 1, 1))
                lv3 = R.nn.pad(lv2, (0, 0, 0, 0, 0, 0), pad_value=9.0)
                lv4 = R.nn.pad(w, (0, 0, 0, 0, 0, 0))
                gv = R.nn.conv1d(lv3, lv4)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv1d(x, w, padding=(1, 1))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_goes_wherever_it_is_read():
    @I.ir_module
    class Before:
        @R.function
        def twice(x: R.Tensor((3,), "float32")):
            gv = R.add(x, x)
            return gv

        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")):
            cls = Before
            lv = R.nn.pad(x, (0, 0))
            lv1 = R.match_cast(lv, R.Tensor((3,), "float32"))
            lv2 = (lv, (lv, lv1))
            lv3 = lv2[0]
            lv4 = cls.twice(lv)
            lv5 = R.concat((lv, lv3))

            @R.function
            def inner(y: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
                lv6 = R.multiply(y, lv)
                return lv6

            if c:
                z = R.add(lv, lv4)
            else:
                z = inner(lv)
            return (lv, lv5, z)

    @I.ir_module
    class Expected:
        @R.function
        def twice(x: R.Tensor((3,), "float32")):
            gv = R.add(x, x)
            return gv

        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")):
            cls = Expected
            lv1 = R.match_cast(x, R.Tensor((3,), "float32"))
            lv2 = (x, (x, lv1))
            lv3 = lv2[0]
            lv4 = cls.twice(x)
            lv5 = R.concat((x, lv3))

            @R.function
            def inner(y: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
                lv6 = R.multiply(y, x)
                return lv6

            if c:
                z = R.add(x, lv4)
            else:
                z = inner(x)
            return (x, lv5, z)

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_with_a_weaker_type_leaves_every_reader_bound():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 3), "float32")):
            with R.dataflow():
                lv: R.Tensor("float32", ndim=2) = R.nn.pad(x, (0, 0, 0, 0))
                lv1 = R.nn.relu(lv)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    out = fold(Before)
    assert [b.value.op.name for b in out["main"].body.blocks[0].bindings] == ["relax.nn.relu", "relax.nn.relu"]


def test_a_pad_of_zero_widths_on_a_virtual_device_leaves_every_reader_bound():
    @I.ir_module
    class Before:
        I.module_global_infos({"vdevice": [I.vdevice("llvm")]})

        @R.function
        def main(x: R.Tensor((2, 3), "float32", "llvm:0")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0))
                lv1 = R.nn.relu(lv)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    out = fold(Before)
    assert [b.value.op.name for b in out["main"].body.blocks[0].bindings] == ["relax.nn.relu", "relax.nn.relu"]


# --- aliases and match_cast ---------------------------------------------------------------------------


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


def test_a_pad_behind_a_match_cast_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            lv1 = R.match_cast(lv, R.Tensor((1, 3, 11), "float32"))
            gv = R.nn.conv1d(lv1, w)
            return gv

    assert_stays(Before)
    [(_, consumer, result, outcome)] = outcomes(Before)
    assert (consumer, result, outcome.kind) == ("match_cast", "lv1", Kind.CONSUMER)


def test_a_pad_that_is_match_cast_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.match_cast(R.nn.pad(x, (0, 0, 0, 0, 0, 0)), R.Tensor((1, 3, 8), "float32"))
            lv1 = R.match_cast(R.nn.pad(lv, (0, 0, 0, 0, 1, 1)), R.Tensor((1, 3, 10), "float32"))
            gv = R.nn.conv1d(lv1, w)
            return gv

    assert_stays(Before)


def test_a_consumer_that_is_match_cast_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            gv = R.match_cast(R.nn.conv1d(lv, w), R.Tensor((1, 4, 9), "float32"))
            return gv

    assert_stays(Before)


# --- symbolic shapes ----------------------------------------------------------------------------------


def test_symbolic_batch_and_length_fold_and_the_types_stay_right():
    @I.ir_module
    class Before:
        @R.function
        def main(
            x: R.Tensor(("n", 3, "h", "v"), "float32"),
            w: R.Tensor((4, 3, 3, 3), "float32"),
        ):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2, 3, 4))
                gv = R.nn.conv2d(lv, w, strides=2)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(
            x: R.Tensor(("n", 3, "h", "v"), "float32"),
            w: R.Tensor((4, 3, 3, 3), "float32"),
        ):
            with R.dataflow():
                gv = R.nn.conv2d(x, w, strides=2, padding=(1, 3, 2, 4))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_symbolic_length_under_ceil_mode_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, "v"), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1), pad_value=-INF)
                gv = R.nn.max_pool1d(lv, (2,), strides=(2,), ceil_mode=True)
                R.output(gv)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("max_pool1d", Kind.CEIL_MODE)]


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


def test_a_tensor_of_unknown_shape_folds():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor("float32", ndim=3), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                gv = R.nn.conv1d(lv, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor("float32", ndim=3), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv1d(x, w, padding=(1, 2))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


# --- what may not happen ------------------------------------------------------------------------------


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

    assert_stays(Before)
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

    assert_stays(Before)


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

    assert_stays(Before)


def test_a_pad_in_a_function_that_calls_something_impure_stays():
    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 1, 4), "float32"), w: R.Tensor((1, 1, 1), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            _ = R.call_packed("writes.into", x, ty_args=R.Tuple())
            gv = R.nn.conv1d(lv, w)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.IN_PLACE)]


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


# --- what is kept -------------------------------------------------------------------------------------


def test_a_module_without_anything_to_fold_is_returned_itself():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.conv1d(lv, w, padding=(1, 1))
                R.output(gv)
            return gv

    assert_stays(Before)
    assert outcomes(Before) == []


def test_the_input_module_is_left_untouched():
    def source():
        @I.ir_module
        class Before:
            @R.function
            def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
                with R.dataflow():
                    lv = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
                    lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 2))
                    gv = R.nn.conv1d(lv1, w)
                    R.output(gv)
                return gv

        return Before

    module, function = source(), None
    function = module["main"]
    out = FoldExplicitPadding()(module)
    assert not out.same_as(module)
    assert module["main"].same_as(function)
    tvm.ir.assert_structural_equal(module, source())


def test_variables_keep_their_names_and_the_consumer_its_very_variable():
    @I.ir_module
    class Before:
        @R.function
        def main(data: R.Tensor((1, 3, 8), "int8"), weight: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                padded = R.nn.pad(data, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                real = R.dequantize(padded, R.const(0.5, "float32"), R.const(5, "int8"))
                convolved = R.nn.conv1d(real, weight)
                result = R.nn.relu(convolved)
                R.output(result)
            return result

    old, new = Before["main"], fold(Before)["main"]
    assert all(a.same_as(b) for a, b in zip(old.params, new.params, strict=True))
    bindings = {binding.var.name: binding for binding in old.body.blocks[0].bindings}
    assert [b.var.name for b in new.body.blocks[0].bindings] == ["real", "convolved", "result"]
    assert new.body.blocks[0].bindings[1].var.same_as(bindings["convolved"].var)
    assert new.body.blocks[0].bindings[2].same_as(bindings["result"])


def span(line):
    return ir.Span(ir.SourceName("model.py"), line, line, 1, 9)


def spanned(pad_widths):
    """main(x, w): pad, conv1d and relu, with lines 10, 11, 12 as spans of the bindings, 20, 21, 22 of the calls."""
    builder = relax.BlockBuilder()
    x, w = (
        relax.Var("x", relax.TensorType((1, 3, 8), "float32")),
        relax.Var("w", relax.TensorType((4, 3, 3), "float32")),
    )

    def bind(name, call, line):
        call = builder.normalize(ir.Call(call.op, call.args, call.attrs, call.ty_args, span(line + 10)))
        var = relax.Var(name, call.ty)
        return relax.VarBinding(var, call, span(line))

    pad = bind("lv", relax.op.nn.pad(x, pad_widths), 10)
    conv = bind("lv1", relax.op.nn.conv1d(pad.var, w), 11)
    relu = bind("lv2", relax.op.nn.relu(conv.var), 12)
    body = relax.SeqExpr([relax.BindingBlock([pad, conv, relu], span(13))], relu.var, span(14))
    relax.expr._update_type(body, relu.var.ty)
    function = relax.Function([x, w], body, relu.var.ty, True, None, span(15))
    return tvm.IRModule({"main": function.with_attr("global_symbol", "main")})


def lines(function):
    """Lines of the function, of its blocks, of its bindings, and of their values."""
    blocks = list(function.body.blocks)
    bindings = [binding for block in blocks for binding in block.bindings]
    nodes = [function, function.body, *blocks, *bindings, *(binding.value for binding in bindings)]
    return [None if node.span is None else int(node.span.line) for node in nodes]


def test_spans_are_kept_where_a_pad_folds():
    module = spanned([0, 0, 0, 0, 1, 1])
    assert lines(module["main"])[1:] == [14, 13, 10, 11, 12, 20, 21, 22]
    assert lines(fold(module)["main"])[1:] == [14, 13, 11, 12, 21, 22]


def test_spans_are_kept_where_a_pad_of_zero_widths_goes():
    assert lines(fold(spanned([0, 0, 0, 0, 0, 0]))["main"])[1:] == [14, 13, 11, 12, 21, 22]


# --- explain ------------------------------------------------------------------------------------------


def test_explain_says_what_becomes_of_every_reader_of_every_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
                lv2 = R.nn.conv1d(lv1, w)
                lv3 = R.nn.max_pool1d(lv1, (2,))
                lv4 = R.nn.avg_pool1d(lv1, (2,), padding=(1, 0), count_include_pad=False)
                gv = (lv1, lv2, lv3, lv4)
                R.output(gv)
            return gv

    assert [str(report) for report in FoldExplicitPadding().explain(Before)] == [
        "main: lv1 -> any: folded (identity)",
        "main: lv -> conv1d lv2: folded (conv, padding=[1, 2])",
        "main: lv -> max_pool1d lv3: refused (value): max_pool pads float32 with -3.4028234663852886e+38, "
        "but the pad value is 0.0",
        "main: lv -> avg_pool1d lv4: refused (excluded-padding): the pool's own padding [1, 0] is not counted in the "
        "divisor, but the explicit zeros are",
        "main: lv -> tuple gv: refused (consumer): tuple is not a convolution or pool: it has no padding to fold into",
    ]


def test_explain_names_the_reader_behind_a_dequantize():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.dequantize(lv, R.const(0.5, "float32"), R.const(5, "int8"))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    assert [str(report) for report in FoldExplicitPadding().explain(Before)] == [
        "main: lv -> conv1d gv: refused (quantization): conv1d pads with 0, but dequantize makes -2.5 of the pad "
        "value 0.0 (zero point 5)"
    ]


def test_runtime_quantization_parameters_are_refused():
    @I.ir_module
    class Before:
        @R.function
        def main(
            x: R.Tensor((1, 3, 8), "int8"),
            scale: R.Tensor((), "float32"),
            w: R.Tensor((4, 3, 3), "float32"),
        ):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.dequantize(lv, scale, R.const(0, "int8"))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    assert_stays(Before)
    assert refusals(Before) == [("conv1d", Kind.RUNTIME_OPERAND)]


def test_parameters_along_the_last_axis_vary_where_that_is_padded():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 2), "int8"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 0))
                lv1 = R.dequantize(lv, R.const([1.0, 2.0, 3.0], "float32"), R.const(0, "int8"))
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    assert_stays(Before)
    [(_, _, _, outcome)] = outcomes(Before)
    assert outcome == Refused(Kind.VARYING_OPERAND, "the scale of dequantize varies along axis 2, which is padded")


def test_a_pad_folds_into_a_transposed_convolution():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((3, 4, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                gv = R.nn.conv1d_transpose(lv, w, strides=2, padding=(3, 3), output_padding=1)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((3, 4, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv1d_transpose(x, w, strides=2, padding=(1, -1), output_padding=1)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_crop_folds_into_negative_padding():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, -1, 2))
                gv = R.nn.conv1d(lv, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                gv = R.nn.conv1d(x, w, padding=(-1, 2))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
