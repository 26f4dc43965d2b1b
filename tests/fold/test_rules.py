"""foldproof.fold: when a pad may become padding, and what that padding is. Every expectation is by hand."""

import math
from dataclasses import replace

import pytest
from tests.support.sites import (
    AVG1,
    AVG2,
    AVG3,
    BYTE,
    CONV1,
    CONV2,
    CONV3,
    DECONV1,
    FIVE,
    H12_W34,
    LOWEST16,
    LOWEST32,
    LOWEST64,
    LOWEST_BFLOAT16,
    MAX1,
    MAX2,
    MAX3,
    TRANSPOSED,
    W12,
    binary,
    changed,
    decide,
    dequantize,
    in_layout,
    kept,
    pad,
    padded,
    site,
)

from foldproof.fold import Consumer, Folded, Kind, Refused
from foldproof.fold.facts import Cast, Clip, Rearranged, Unary

INF = math.inf
NAN = math.nan


CONV_FOLDS = [
    ("1d", site(pad(*W12), CONV1), (1, 2)),
    ("2d: all before, then all after", site(pad(*H12_W34), CONV2), (1, 3, 2, 4)),
    ("3d", site(pad(0, 0, (1, 2), (3, 4), (5, 6)), CONV3), (1, 3, 5, 2, 4, 6)),
    ("one side of one axis", site(pad(0, 0, 0, (0, 1)), CONV2), (0, 0, 0, 1)),
    ("a crop beside own padding at the other end", site(pad(0, 0, (-1, 0)), replace(CONV1, padding=(0, 1))), (-1, 1)),
    ("own padding is added to", site(pad(*H12_W34), replace(CONV2, padding=(10, 20, 30, 40))), (11, 23, 32, 44)),
    (
        "own padding that crops takes of the pad",
        site(pad(*H12_W34), replace(CONV2, padding=(-1, -5, 0, 1))),
        (0, -2, 2, 5),
    ),
    ("stride and dilation", site(pad(*W12), replace(CONV1, strides=(3,), dilation=(2,))), (1, 2)),
    ("symbolic sizes", site(pad(*H12_W34), replace(CONV2, sizes=(None, None))), (1, 3, 2, 4)),
    ("NWC", site(pad(0, (1, 2), 0), in_layout(CONV1, "NWC", "WIO")), (1, 2)),
    ("CWN", site(pad(0, (1, 2), 0), in_layout(CONV1, "CWN", "IWO")), (1, 2)),
    ("NHWC", site(pad(0, (1, 2), (3, 4), 0), in_layout(CONV2, "NHWC", "HWIO")), (1, 3, 2, 4)),
    ("HNCW", site(pad((1, 2), 0, 0, (3, 4)), in_layout(CONV2, "HNCW", "OHIW")), (1, 3, 2, 4)),
    ("NDHWC", site(pad(0, (1, 2), (3, 4), (5, 6), 0), in_layout(CONV3, "NDHWC", "DHWIO")), (1, 3, 5, 2, 4, 6)),
    ("NCWH, same widths", site(pad(0, 0, (1, 2), (1, 2)), in_layout(CONV2, "NCWH", "OIWH")), (1, 1, 2, 2)),
    ("OIWH, same widths", site(pad(0, 0, (1, 2), (1, 2)), in_layout(CONV2, "NCHW", "OIWH")), (1, 1, 2, 2)),
    ("minus zero", site(pad(*W12, value=-0.0), CONV1), (1, 2)),
    ("int8", site(pad(*W12, dtype="int8"), CONV1), (1, 2)),
    ("int8 truncates 0.99", site(pad(*W12, value=0.99, dtype="int8"), CONV1), (1, 2)),
    ("int32 truncates -0.99", site(pad(*W12, value=-0.99, dtype="int32"), CONV1), (1, 2)),
    ("uint8 truncates 0.5", site(pad(*W12, value=0.5, dtype="uint8"), CONV1), (1, 2)),
    ("uint8 minus zero", site(pad(*W12, value=-0.0, dtype="uint8"), CONV1), (1, 2)),
    ("float32 underflows 1e-50", site(pad(*W12, value=1e-50), CONV1), (1, 2)),
    ("float32 underflows -1e-50", site(pad(*W12, value=-1e-50), CONV1), (1, 2)),
    ("float16 underflows 1e-8", site(pad(*W12, value=1e-8, dtype="float16"), CONV1), (1, 2)),
    ("bfloat16 underflows 1e-50", site(pad(*W12, value=1e-50, dtype="bfloat16"), CONV1), (1, 2)),
    ("bfloat16", site(pad(*W12, dtype="bfloat16"), CONV1), (1, 2)),
    ("float64", site(pad(*W12, dtype="float64"), CONV1), (1, 2)),
]


LAST = pad(0, (1, 2), (3, 4), 0, value=5.0, dtype="int8")


DEQUANTIZE_FOLDS = [
    ("the zero point", site(FIVE, CONV2, dequantize()), (1, 3, 2, 4)),
    ("unsigned", site(BYTE, CONV2, dequantize(zero_point=(128,))), (1, 3, 2, 4)),
    ("zero point 0", site(replace(FIVE, value=0.0), CONV2, dequantize(zero_point=(0,))), (1, 3, 2, 4)),
    ("negative", site(replace(FIVE, value=-128.0), CONV2, dequantize(zero_point=(-128,))), (1, 3, 2, 4)),
    ("truncated", site(replace(FIVE, value=5.9), CONV2, dequantize()), (1, 3, 2, 4)),
    (
        "int32 data",
        site(replace(FIVE, value=70000.0, dtype="int32"), CONV2, dequantize(zero_point=(70000,))),
        (1, 3, 2, 4),
    ),
    ("a scale per channel", site(FIVE, CONV2, dequantize(scale=(0.5, 2.0, 3.0))), (1, 3, 2, 4)),
    ("the same zero point per channel", site(FIVE, CONV2, dequantize((0.5, 2.0), (5, 5))), (1, 3, 2, 4)),
    (
        "per channel, last axis",
        site(LAST, in_layout(CONV2, "NHWC", "HWIO"), dequantize((1.0, 2.0), axis=3)),
        (1, 3, 2, 4),
    ),
    ("a scalar with an axis that is padded", site(FIVE, CONV2, dequantize(axis=3)), (1, 3, 2, 4)),
    (
        "along an axis beside the padded one",
        site(pad(0, 0, (1, 0), 0, value=5.0, dtype="int8"), CONV2, dequantize((1.0, 2.0), axis=3)),
        (1, 0, 0, 0),
    ),
    ("negative scale", site(FIVE, CONV2, dequantize(scale=(-0.5,))), (1, 3, 2, 4)),
    ("to float16", site(FIVE, CONV2, dequantize(out_dtype="float16")), (1, 3, 2, 4)),
    ("own padding is added to", site(FIVE, replace(CONV2, padding=(1, 1, 1, 1)), dequantize()), (2, 4, 3, 5)),
]


MAX_POOL_FOLDS = [
    ("1d -inf", site(pad(*W12, value=-INF), MAX1), (1, 2)),
    ("2d -inf", site(pad(*H12_W34, value=-INF), MAX2), (1, 3, 2, 4)),
    ("3d -inf", site(pad(0, 0, (1, 2), (3, 4), (5, 6), value=-INF), MAX3), (1, 3, 5, 2, 4, 6)),
    ("NHWC", site(pad(0, (1, 2), (3, 4), 0, value=-INF), in_layout(MAX2, "NHWC")), (1, 3, 2, 4)),
    ("NCWH: a pool goes by letter", site(pad(0, 0, (1, 2), (3, 4), value=-INF), in_layout(MAX2, "NCWH")), (3, 1, 4, 2)),
    ("WHDCN", site(pad((1, 2), (3, 4), (5, 6), 0, 0, value=-INF), in_layout(MAX3, "WHDCN")), (5, 3, 1, 6, 4, 2)),
    ("own padding is added to", site(pad(*W12, value=-INF), replace(MAX1, padding=(3, 5))), (4, 7)),
    ("own padding that crops takes of the pad", site(pad(*W12, value=-INF), replace(MAX1, padding=(-3, 0))), (-2, 2)),
    ("float16 -inf", site(pad(*W12, value=-INF, dtype="float16"), MAX1), (1, 2)),
    ("float16 lowest", site(pad(*W12, value=LOWEST16, dtype="float16"), MAX1), (1, 2)),
    ("float16 rounds to its lowest", site(pad(*W12, value=-65503.0, dtype="float16"), MAX1), (1, 2)),
    ("float32 lowest", site(pad(*W12, value=LOWEST32), MAX1), (1, 2)),
    ("float64 -inf", site(pad(*W12, value=-INF, dtype="float64"), MAX1), (1, 2)),
    ("float64 lowest", site(pad(*W12, value=LOWEST64, dtype="float64"), MAX1), (1, 2)),
    ("bfloat16 -inf", site(pad(*W12, value=-INF, dtype="bfloat16"), MAX1), (1, 2)),
    ("bfloat16 of float32's lowest is -inf", site(pad(*W12, value=LOWEST32, dtype="bfloat16"), MAX1), (1, 2)),
    ("int8 minimum", site(pad(*W12, value=-128.0, dtype="int8"), MAX1), (1, 2)),
    ("int8 truncates to its minimum", site(pad(*W12, value=-128.9, dtype="int8"), MAX1), (1, 2)),
    ("int16 minimum", site(pad(*W12, value=-32768.0, dtype="int16"), MAX1), (1, 2)),
    ("int32 minimum", site(pad(*W12, value=-2147483648.0, dtype="int32"), MAX1), (1, 2)),
    ("int64 minimum", site(pad(*W12, value=-9223372036854775808.0, dtype="int64"), MAX1), (1, 2)),
    ("uint8 minimum", site(pad(*W12, value=0.0, dtype="uint8"), MAX1), (1, 2)),
    # 4 elements padded to 6, windows of 2 at 0, 2, 4; folded they start at -1, 1, 3: all before the end.
    (
        "ceil_mode with as many windows",
        site(pad(0, 0, (1, 1), value=-INF), replace(MAX1, ceil_mode=True, strides=(2,), sizes=(6,))),
        (1, 1),
    ),
    (
        "ceil_mode without a stride",
        site(pad(0, 0, (1, 1), value=-INF), replace(MAX1, ceil_mode=True, sizes=(7,))),
        (1, 1),
    ),
]


AVG_POOL_FOLDS = [
    ("1d, own padding 0, not counted", site(pad(*W12), AVG1), (1, 2)),
    ("1d, own padding 0, counted", site(pad(*W12), replace(AVG1, count_include_pad=True)), (1, 2)),
    ("own padding, counted", site(pad(*W12), replace(AVG1, count_include_pad=True, padding=(3, 5))), (4, 7)),
    ("2d", site(pad(*H12_W34), AVG2), (1, 3, 2, 4)),
    ("3d", site(pad(0, 0, (1, 2), (3, 4), (5, 6)), AVG3), (1, 3, 5, 2, 4, 6)),
    ("NHWC", site(pad(0, (1, 2), (3, 4), 0), in_layout(AVG2, "NHWC")), (1, 3, 2, 4)),
    ("NCWH: a pool goes by letter", site(pad(0, 0, (1, 2), (3, 4)), in_layout(AVG2, "NCWH")), (3, 1, 4, 2)),
    ("minus zero", site(pad(*W12, value=-0.0), AVG1), (1, 2)),
    ("float16 underflows 1e-8", site(pad(*W12, value=1e-8, dtype="float16"), AVG1), (1, 2)),
    ("int32", site(pad(*W12, dtype="int32"), AVG1), (1, 2)),
    ("int64", site(pad(*W12, dtype="int64"), AVG1), (1, 2)),
    (
        "int8 that was padded before",
        site(pad(*W12, dtype="int8"), replace(AVG1, count_include_pad=True, padding=(0, 1))),
        (1, 3),
    ),
    (
        "int8 padded by ceil_mode",
        site(pad(0, 0, (1, 1), dtype="int8"), replace(AVG1, ceil_mode=True, strides=(2,), sizes=(6,))),
        (1, 1),
    ),
    (
        "ceil_mode with as many windows",
        site(pad(0, 0, (1, 1)), replace(AVG1, ceil_mode=True, strides=(2,), sizes=(6,))),
        (1, 1),
    ),
]


CROPS = [
    ("conv", site(pad(0, 0, (-1, -2)), CONV1), Folded("conv", padding=(-1, -2))),
    ("conv, any value", site(pad(0, 0, (-1, -2), value=7.0), CONV1), Folded("conv", padding=(-1, -2))),
    ("conv, and padded on the other side", site(pad(0, 0, (-1, 2)), CONV1), Folded("conv", padding=(-1, 2))),
    (
        "conv, own padding crops more",
        site(pad(0, 0, (-1, 2)), replace(CONV1, padding=(-3, 5))),
        Folded("conv", padding=(-4, 7)),
    ),
    ("max_pool, any value", site(pad(0, 0, (-1, 0), value=7.0), MAX1), Folded("max_pool", padding=(-1, 0))),
    (
        "avg_pool, not counted before or after",
        site(pad(0, 0, (-1, 0), value=7.0), AVG1),
        Folded("avg_pool", padding=(-1, 0), count_include_pad=False),
    ),
    (
        "avg_pool, own padding of another axis is still not counted",
        site(pad(0, 0, (-1, 0), 0), replace(AVG2, padding=(0, 1, 0, 1))),
        Folded("avg_pool", padding=(-1, 1, 0, 1), count_include_pad=False),
    ),
    (
        "conv after dequantize, any value",
        site(pad(0, 0, (-1, -2), value=9.0, dtype="int8"), CONV1, dequantize()),
        Folded("dequantize-conv", padding=(-1, -2)),
    ),
    (
        "conv after dequantize with a parameter of run time, which meets no border",
        site(pad(0, 0, (-1, -2), value=9.0, dtype="int8"), CONV1, dequantize(scale=None, zero_point=None)),
        Folded("dequantize-conv", padding=(-1, -2)),
    ),
]


DECONVOLUTIONS = [
    ("stride 1", site(pad(*W12), replace(DECONV1, padding=(5, 5))), Folded("conv_transpose", padding=(4, 3))),
    (
        "stride 3",
        site(pad(*W12), replace(DECONV1, strides=(3,), padding=(5, 7))),
        Folded("conv_transpose", padding=(2, 1)),
    ),
    ("negative result", site(pad(*W12), replace(DECONV1, strides=(2,))), Folded("conv_transpose", padding=(-2, -4))),
    (
        "2d, a stride per axis",
        site(pad(*H12_W34), replace(TRANSPOSED, strides=(2, 3), padding=(10, 20, 30, 40))),
        Folded("conv_transpose", padding=(8, 11, 26, 28)),
    ),
    (
        "after dequantize",
        site(FIVE, TRANSPOSED, dequantize()),
        Folded("dequantize-conv_transpose", padding=(-1, -3, -2, -4)),
    ),
]


ACCEPTED = [
    *((f"crop: {name}", at, folded) for name, at, folded in CROPS),
    *((f"transposed: {name}", at, folded) for name, at, folded in DECONVOLUTIONS),
    *((f"conv: {name}", at, Folded("conv", padding=own)) for name, at, own in CONV_FOLDS),
    *((f"dequantize: {name}", at, Folded("dequantize-conv", padding=own)) for name, at, own in DEQUANTIZE_FOLDS),
    *((f"max_pool: {name}", at, Folded("max_pool", padding=own)) for name, at, own in MAX_POOL_FOLDS),
    *(
        (f"avg_pool: {name}", at, Folded("avg_pool", padding=own, count_include_pad=True))
        for name, at, own in AVG_POOL_FOLDS
    ),
    (
        "avg_pool after dequantize",
        site(FIVE, AVG2, dequantize()),
        Folded("dequantize-avg_pool", padding=(1, 3, 2, 4), count_include_pad=True),
    ),
]


@pytest.mark.parametrize(("at", "expected"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_a_legal_pad_becomes_padding(at, expected):
    assert decide(at) == expected


CONV = site(pad(*H12_W34), CONV2)


CONV_OWN = site(pad(*H12_W34), replace(CONV2, padding=(1, 1, 1, 1)))


DECONV = site(pad(*H12_W34), TRANSPOSED)


MAX_OWN = site(pad(*W12, value=-INF), replace(MAX1, padding=(1, 2)))


AVG_OWN = site(pad(*W12), replace(AVG1, padding=(1, 2), count_include_pad=True))


CROPPED_QUANTIZED = site(pad(0, 0, (-1, -2), dtype="int8"), CONV1, dequantize(axis=2))


CROPPED_INT8 = site(pad(0, 0, (-1, -2), dtype="int32"), AVG1)


CONV_1D = site(pad(*W12), CONV1)


SAME_WIDTHS = site(pad(0, 0, (1, 2), (1, 2)), CONV2)


DEQUANTIZED = site(FIVE, CONV2, dequantize((0.5, 2.0), (5, 5)))


DEQUANTIZED_AVG = site(FIVE, AVG2, dequantize())


MAX = site(pad(*W12, value=-INF), MAX1)


AVG = site(pad(*W12), AVG1)


MAX_CEIL = site(pad(0, 0, (1, 1), value=-INF), replace(MAX1, ceil_mode=True, strides=(2,), sizes=(6,)))


AVG_CEIL = site(pad(0, 0, (1, 1)), replace(AVG1, ceil_mode=True, strides=(2,), sizes=(6,)))


CAST = replace(CONV, steps=(Clip(op="clip", dtype="float32", low=-127.0, high=127.0), Cast(op="astype", dtype="int8")))


HALVED = replace(CONV, steps=(binary("divide", 2.0),))


BETWEEN = replace(CONV, steps=(padded((0, 0), (0, 1)),))


TURNED = replace(
    site(pad(0, (1, 2), (3, 4), 0), CONV2),
    steps=(Rearranged(op="permute_dims", dtype="float32", origin=(0, 3, 1, 2)),),
)


RELU = Unary(op="nn.relu", dtype="float32")


BOUNDED = replace(site(pad(0, 0, (1, 1)), replace(MAX1, kernel=(3,), strides=(2,))), producers=(RELU,))
OPEN = replace(BOUNDED, consumer=replace(BOUNDED.consumer, sizes=(None,)))


def of_dtype(at, dtype, value):
    """The same pad of another dtype, with the value that folds there."""
    return replace(at, pad=replace(at.pad, dtype=dtype, value=value))


REFUSED = [
    # every family asks for these
    (CONV, "pad.mode", "reflect", Kind.MODE, "'reflect'"),
    (CONV, "pad.mode", "replicate", Kind.MODE, "'replicate'"),
    (CONV, "pad.mode", "circular", Kind.MODE, "'circular'"),
    (CONV, "pad.mode", "edge", Kind.MODE, "'edge'"),
    (MAX, "pad.mode", "reflect", Kind.MODE, "'reflect'"),
    (AVG, "pad.mode", "reflect", Kind.MODE, "'reflect'"),
    (DEQUANTIZED, "pad.mode", "reflect", Kind.MODE, "'reflect'"),
    (CONV, "pad.dtype", "float8_e4m3fn", Kind.DTYPE, "float8_e4m3fn"),
    (CONV, "pad.dtype", "bool", Kind.DTYPE, "bool"),
    (CONV, "pad.dtype", "uint64", Kind.DTYPE, "uint64"),
    (MAX, "pad.dtype", "float8_e5m2", Kind.DTYPE, "float8_e5m2"),
    (AVG, "pad.dtype", "float8_e4m3fn", Kind.DTYPE, "float8_e4m3fn"),
    (DEQUANTIZED, "dequantize.out_dtype", "float8_e4m3fn", Kind.DTYPE, "float8_e4m3fn"),
    (CONV, "pad.widths", None, Kind.DYNAMIC_WIDTH, "not a constant"),
    (MAX, "pad.widths", None, Kind.DYNAMIC_WIDTH, "not a constant"),
    (AVG, "pad.widths", None, Kind.DYNAMIC_WIDTH, "not a constant"),
    (DEQUANTIZED, "pad.widths", None, Kind.DYNAMIC_WIDTH, "not a constant"),
    (
        CONV_OWN,
        "pad.widths",
        ((0, 0), (0, 0), (-1, 2), (3, 4)),
        Kind.CROP,
        "the pad crops H by (-1, 2), and own padding",
    ),
    (
        CONV_OWN,
        "pad.widths",
        ((0, 0), (0, 0), (1, 2), (3, -4)),
        Kind.CROP,
        "the pad crops W by (3, -4), and own padding",
    ),
    (MAX_OWN, "pad.widths", ((0, 0), (0, 0), (-1, 0)), Kind.CROP, "the pad crops W by (-1, 0), and own padding (1, 2)"),
    (AVG_OWN, "pad.widths", ((0, 0), (0, 0), (1, -1)), Kind.CROP, "the pad crops W by (1, -1), and own padding (1, 2)"),
    (MAX_CEIL, "pad.widths", ((0, 0), (0, 0), (1, -1)), Kind.CROP, "the last window of ceil_mode could reach that"),
    (AVG_CEIL, "pad.widths", ((0, 0), (0, 0), (-1, 1)), Kind.CROP, "the last window of ceil_mode could reach that"),
    (
        DECONV,
        "pad.widths",
        ((0, 0), (0, 0), (-1, 2), (3, 4)),
        Kind.CROP,
        "padding of a transposed convolution cannot do",
    ),
    (DECONV, "pad.value", 1.0, Kind.VALUE, "conv2d_transpose pads with 0, but the pad value is 1.0"),
    (DECONV, "pad.mode", "reflect", Kind.MODE, "'reflect'"),
    (DECONV, "consumer.operand", 1, Kind.WEIGHT, "weight operand"),
    (CROPPED_QUANTIZED, "dequantize.zero_point", (5, 5, 5), Kind.VARYING_OPERAND, "varies along axis 2"),
    (CROPPED_INT8, "pad.dtype", "int8", Kind.DTYPE, "int8"),
    (CONV, "pad.widths", ((0, 0), (0, 1), (0, 0), (0, 0)), Kind.CHANNEL, "the pad changes the channel axis by (0, 1)"),
    (CONV, "pad.widths", ((-1, 0), (0, 0), (0, 0), (0, 0)), Kind.BATCH, "the pad changes the batch axis by (-1, 0)"),
    (MAX, "pad.widths", ((0, 1), (0, 0), (0, 0)), Kind.BATCH, "(0, 1)"),
    (AVG, "pad.widths", ((0, 0), (1, 0), (0, 0)), Kind.CHANNEL, "(1, 0)"),
    (CONV, "consumer.out_layout", "NHWC", Kind.LAYOUT, "NCHW (out_layout NHWC)"),
    (CONV, "consumer.layout", "NCHW4c", Kind.LAYOUT, "NCHW4c"),
    (MAX, "consumer.out_layout", "NWC", Kind.LAYOUT, "NCW (out_layout NWC)"),
    (CONV, "consumer.kernel_layout", "OIWH", Kind.LAYOUT, "NCHW/OIWH"),
    (SAME_WIDTHS, "consumer.padding", (0, 0), Kind.OWN_PADDING, "[0, 0]"),
    (MAX, "consumer.padding", (0, 0, 0, 0), Kind.OWN_PADDING, "[0, 0, 0, 0]"),
    (CONV, "input_visible", False, Kind.SCOPE, "dataflow block"),
    (MAX, "input_visible", False, Kind.SCOPE, "dataflow block"),
    (AVG, "input_visible", False, Kind.SCOPE, "dataflow block"),
    (DEQUANTIZED, "input_visible", False, Kind.SCOPE, "dataflow block"),
    (site(pad(0, 0, 0), CONV1), "overwritten", True, Kind.IN_PLACE, "in-place call"),
    (CONV, "overwritten", True, Kind.IN_PLACE, "in-place call"),
    (MAX, "overwritten", True, Kind.IN_PLACE, "in-place call"),
    (AVG, "overwritten", True, Kind.IN_PLACE, "in-place call"),
    (DEQUANTIZED, "overwritten", True, Kind.IN_PLACE, "in-place call"),
    # convolutions
    (CONV, "consumer.operand", 1, Kind.WEIGHT, "weight"),
    (DEQUANTIZED, "consumer.operand", 1, Kind.WEIGHT, "weight"),
    (CONV, "pad.value", 1.0, Kind.VALUE, "1.0"),
    (CONV, "pad.value", -INF, Kind.VALUE, "-inf"),
    (CONV, "pad.value", NAN, Kind.VALUE, "nan"),
    (CONV, "pad.value", 1e-45, Kind.VALUE, "1e-45"),  # float32's smallest subnormal
    (of_dtype(CONV, "float16", 0.0), "pad.value", 6e-8, Kind.VALUE, "6e-08"),  # float16's
    (of_dtype(CONV, "float64", 0.0), "pad.value", 1e-50, Kind.VALUE, "1e-50"),
    (of_dtype(CONV, "int8", 0.0), "pad.value", 1.0, Kind.VALUE, "1.0"),
    (of_dtype(CONV, "int8", 0.0), "pad.value", -1.5, Kind.VALUE, "-1.5"),
    (of_dtype(CONV, "int8", 0.0), "pad.value", 256.0, Kind.VALUE, "256.0"),  # it does not wrap to 0
    (of_dtype(CONV, "uint8", 0.0), "pad.value", -0.5, Kind.VALUE, "-0.5"),  # TVM refuses to build it
    (of_dtype(CONV, "uint8", 0.0), "pad.value", NAN, Kind.VALUE, "nan"),
    # dequantize
    (DEQUANTIZED, "pad.value", 0.0, Kind.QUANTIZATION, "zero point 5"),
    (DEQUANTIZED, "pad.value", 133.0, Kind.VALUE, "133.0"),  # does not fit int8
    (DEQUANTIZED, "dequantize.zero_point", (0, 0), Kind.QUANTIZATION, "zero point 0"),
    (DEQUANTIZED, "dequantize.zero_point", (5, 4), Kind.QUANTIZATION, "zero point 5, 4"),
    (DEQUANTIZED, "dequantize.zero_point", (6, 5), Kind.QUANTIZATION, "zero point 6"),
    (
        site(BYTE, CONV2, dequantize(zero_point=(128,))),
        "dequantize.zero_point",
        (-128,),
        Kind.QUANTIZATION,
        "zero point -128",
    ),
    (DEQUANTIZED, "dequantize.scale", (0.5, INF), Kind.UNDEFINED_VALUE, "dequantize"),
    (DEQUANTIZED, "dequantize.scale", (NAN, 0.5), Kind.UNDEFINED_VALUE, "dequantize"),
    # other steps
    (CAST, "steps", (CAST.steps[1],), Kind.CAST, "nothing keeps the data inside"),
    (CAST, "steps", (replace(CAST.steps[0], high=128.0), CAST.steps[1]), Kind.CAST, "float32 to int8"),
    (CAST, "steps", (replace(CAST.steps[0], low=-129.5), CAST.steps[1]), Kind.CAST, "float32 to int8"),
    (CAST, "steps", (replace(CAST.steps[0], high=None), CAST.steps[1]), Kind.UNDEFINED_VALUE, "clip makes of 0"),
    (HALVED, "pad.value", NAN, Kind.UNDEFINED_VALUE, "divide makes of nan"),
    (HALVED, "steps", (binary("divide", 0.0),), Kind.UNDEFINED_VALUE, "divide makes of 0"),
    (HALVED, "steps", (binary("divide", 2.0, shape=(1, 1, 1, 7)),), Kind.VARYING_OPERAND, "operand of divide varies"),
    (HALVED, "steps", (binary("divide", None),), Kind.RUNTIME_OPERAND, "operand of divide"),
    (HALVED, "steps", (binary("add", 2.0),), Kind.VALUE, "add makes 2 of the pad value 0.0"),
    (HALVED, "steps", (binary("divide", 2.0, dtype="float8_e4m3fn"),), Kind.DTYPE, "float8_e4m3fn"),
    (BETWEEN, "steps", (padded((0, 0), (0, 0), (1, 0), (0, 0)),), Kind.NESTED, "another pad of axis 2"),
    (BETWEEN, "steps", (padded((0, 0), (0, 1), value=2.0),), Kind.VALUE, "pad makes 0, 2"),
    (BETWEEN, "steps", (padded((0, 0), (0, 1), value=2.0, sizes=(1, None, 9, 9)),), Kind.SYMBOLIC, "axis 1"),
    (BETWEEN, "steps", (padded((0, 0), (0, 1), mode="reflect"),), Kind.MODE, "a pad between has mode 'reflect'"),
    (TURNED, "pad.widths", ((0, 0), (0, 0), (0, 0), (1, 1)), Kind.CHANNEL, "the channel axis by (1, 1)"),
    # relu -> pad(0) -> max_pool
    (BOUNDED, "producers", (), Kind.VALUE, "max_pool pads float32 with"),
    (BOUNDED, "producers", (binary("maximum", 0.0, swapped=True),), Kind.VALUE, "max_pool pads"),
    (BOUNDED, "pad.value", -0.0, Kind.VALUE, "max_pool pads"),
    (BOUNDED, "pad.value", 1e-30, Kind.VALUE, "max_pool pads"),
    (BOUNDED, "pad.widths", ((0, 0), (0, 0), (3, 0)), Kind.VALUE, "a window may hold only padding"),
    (OPEN, "pad.widths", ((0, 0), (0, 0), (3, 0)), Kind.VALUE, "a window may hold only padding"),
    (BOUNDED, "steps", (binary("multiply", 2.0, rank=3),), Kind.VALUE, "max_pool pads"),
    (DEQUANTIZED, "dequantize.scale", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (DEQUANTIZED, "dequantize.zero_point", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (DEQUANTIZED, "dequantize.axis", 2, Kind.VARYING_OPERAND, "axis 2"),
    (DEQUANTIZED, "dequantize.axis", 3, Kind.VARYING_OPERAND, "axis 3"),
    (DEQUANTIZED_AVG, "pad.value", 0.0, Kind.QUANTIZATION, "zero point 5"),
    (DEQUANTIZED_AVG, "dequantize.zero_point", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (site(pad(*H12_W34, value=-128.0, dtype="int8"), MAX2), "dequantize", dequantize(), Kind.VALUE, "only padding"),
    # max_pool
    (MAX, "pad.value", 0.0, Kind.VALUE, "0.0"),
    (MAX, "pad.value", -3.4e38, Kind.VALUE, "-3.4e+38"),
    (MAX, "pad.value", -3.5e38, Kind.VALUE, "-3.5e+38"),  # TVM refuses to build it
    (MAX, "pad.value", INF, Kind.VALUE, "inf"),
    (MAX, "pad.value", NAN, Kind.VALUE, "nan"),
    (of_dtype(MAX, "float16", LOWEST16), "pad.value", -65472.0, Kind.VALUE, "-65472.0"),
    (of_dtype(MAX, "float64", LOWEST64), "pad.value", LOWEST32, Kind.VALUE, "float64"),
    (of_dtype(MAX, "bfloat16", -INF), "pad.value", LOWEST_BFLOAT16, Kind.VALUE, "-inf"),
    (of_dtype(MAX, "int8", -128.0), "pad.value", -127.0, Kind.VALUE, "-127.0"),
    (of_dtype(MAX, "int8", -128.0), "pad.value", -INF, Kind.VALUE, "-inf"),
    (of_dtype(MAX, "int8", -128.0), "pad.value", -129.0, Kind.VALUE, "-129.0"),
    (of_dtype(MAX, "int8", -128.0), "pad.dtype", "int16", Kind.VALUE, "-32768"),
    (of_dtype(MAX, "uint8", 0.0), "pad.value", 1.0, Kind.VALUE, "1.0"),
    (of_dtype(MAX, "uint8", 0.0), "pad.dtype", "int8", Kind.VALUE, "-128"),
    # 4 elements, windows of 2 at every second: after (0, 1) there are 3, but the last one starts where the data ends
    (MAX_CEIL, "pad.widths", ((0, 0), (0, 0), (0, 2)), Kind.CEIL_MODE, "2 windows, not 3"),
    (MAX_CEIL, "consumer.sizes", (None,), Kind.CEIL_MODE, "W"),
    # avg_pool
    (AVG, "pad.value", 1.0, Kind.VALUE, "1.0"),
    (AVG, "pad.value", NAN, Kind.VALUE, "nan"),
    (AVG, "consumer.padding", (1, 1), Kind.EXCLUDED_PADDING, "[1, 1]"),
    (AVG, "consumer.padding", (0, 1), Kind.EXCLUDED_PADDING, "[0, 1]"),
    (AVG, "consumer.padding", (1, 0), Kind.EXCLUDED_PADDING, "[1, 0]"),
    (AVG_CEIL, "pad.widths", ((0, 0), (0, 0), (0, 2)), Kind.CEIL_MODE, "2 windows, not 3"),
    (AVG_CEIL, "consumer.sizes", (None,), Kind.CEIL_MODE, "W"),
    (AVG, "pad.dtype", "int8", Kind.DTYPE, "sums int8 in int8"),
    (of_dtype(AVG_CEIL, "int8", 0.0), "consumer.strides", (1,), Kind.DTYPE, "sums int8 in int8"),
    (AVG, "pad.dtype", "uint8", Kind.DTYPE, "sums uint8 in uint8"),
    (AVG, "pad.dtype", "int16", Kind.DTYPE, "sums int16 in int16"),
    # consumers that have no padding, or one that means something else
    (CONV, "consumer", Consumer(op="add", family="other"), Kind.CONSUMER, "add is not a convolution or pool"),
    (CONV, "consumer", Consumer(op="return", family="other"), Kind.CONSUMER, "return"),
]


@pytest.mark.parametrize(
    ("accepted", "path", "value", "kind", "text"),
    REFUSED,
    ids=[f"{row[0].consumer.op} {row[0].pad.dtype} {row[1]}={row[2]}"[:80] for row in REFUSED],
)
def test_one_broken_precondition_is_refused_with_its_reason(accepted, path, value, kind, text):
    assert isinstance(decide(accepted), Folded)
    outcome = decide(changed(accepted, path, value))
    assert isinstance(outcome, Refused)
    assert outcome.kind is kind
    assert text in outcome.detail


@pytest.mark.parametrize(
    ("value", "dtype", "out_dtype", "folds"),
    [
        (1e-60, "float64", "float32", True),
        (1e-60, "float64", "float64", False),
        (1e-60, "float64", "bfloat16", True),  # computed in float32, where it is 0
        (1e-30, "float64", "bfloat16", False),
        (1e-10, "float32", "float16", True),
        (1e-10, "float32", "float32", False),
        (1e-10, "float32", "", False),
        (2.0**-24, "float16", "float32", False),
        (0.25, "float32", "int32", True),  # an integer truncates
        (-0.75, "float16", "int8", True),
        (1.25, "float32", "int64", False),
    ],
)
def test_a_border_counts_as_the_convolution_multiplies_it(value, dtype, out_dtype, folds):
    outcome = decide(site(pad(*H12_W34, value=value, dtype=dtype), replace(CONV2, out_dtype=out_dtype)))
    assert isinstance(outcome, Folded) is folds


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        (
            replace(
                site(pad((1, 2), 0), CONV1),
                steps=(Rearranged(op="expand_dims", dtype="float32", origin=(None, 0, 1)),),
            ),
            Refused(Kind.CHANNEL, "the pad changes the channel axis by (1, 2)"),
        ),
        (
            replace(CONV_1D, steps=(RELU, Unary(op="negative", dtype="float32")), pad=pad(*W12, value=3.0)),
            Refused(Kind.VALUE, "conv1d pads with 0, but nn.relu, negative makes -3 of the pad value 3.0"),
        ),
        (
            replace(
                site(pad(*W12, value=3.0), replace(CONV1)), steps=(padded((0, 0), (-1, 0), sizes=(1, 3, 11)),)
            ),
            Refused(Kind.VALUE, "conv1d pads with 0, but pad makes 3 of the pad value 3.0"),
        ),
        (
            site(pad(*W12, value=3.0, dtype="int8"), CONV1, dequantize()),
            Refused(
                Kind.QUANTIZATION, "conv1d pads with 0, but dequantize makes -1 of the pad value 3.0 (zero point 5)"
            ),
        ),
        (
            site(pad(0, 0, (-1, 0), (0, -2)), TRANSPOSED),
            Refused(
                Kind.CROP, "the pad crops H (-1, 0), W (0, -2), which padding of a transposed convolution cannot do"
            ),
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_its_reason(at, refused):
    assert decide(at) == refused


def test_the_rows_above_show_every_kind_of_refusal():
    of_the_ir = {Kind.OPTION, Kind.STEP, Kind.LEGALIZED, Kind.UNFOLDED_CONSTANT, Kind.UNKNOWN_PAD, Kind.SHARED}
    assert {row[3] for row in REFUSED} == set(Kind) - of_the_ir


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        # spatial widths go, the others stay
        (site(pad((1, 0), 0, (1, 2), (3, 4)), CONV2), Folded("conv", (1, 3, 2, 4), kept=kept((1, 0), 0, 0, 0))),
        (site(pad(0, (0, 1), (1, 2), (3, 4)), CONV2), Folded("conv", (1, 3, 2, 4), kept=kept(0, (0, 1), 0, 0))),
        (site(pad(0, (0, -1), (1, 2), (3, 4)), CONV2), Folded("conv", (1, 3, 2, 4), kept=kept(0, (0, -1), 0, 0))),
        (site(pad((0, 1), 0, (1, 2), value=-INF), MAX1), Folded("max_pool", (1, 2), kept=kept((0, 1), 0, 0))),
        (
            site(pad(0, (1, 0), (1, 2)), AVG1),
            Folded("avg_pool", (1, 2), count_include_pad=True, kept=kept(0, (1, 0), 0)),
        ),
        # in between
        (CAST, Folded("chain-conv", (1, 3, 2, 4))),
        (HALVED, Folded("chain-conv", (1, 3, 2, 4))),
        (BETWEEN, Folded("chain-conv", (1, 3, 2, 4))),
        (TURNED, Folded("chain-conv", (1, 3, 2, 4))),
        (
            replace(CONV, steps=(binary("add", 3.0), binary("maximum", 0.0), binary("subtract", 3.0))),
            Folded("chain-conv", (1, 3, 2, 4)),
        ),
        (
            # 0.5 - 0.5 and 0.25 * 0: what varies along channels must be 0 in each
            replace(site(pad(*H12_W34, value=0.5), CONV2), steps=(binary("subtract", 0.5, shape=(1, 3, 1, 1)),)),
            Folded("chain-conv", (1, 3, 2, 4)),
        ),
        # no window of 3 at every second place misses 12 - 2 elements between borders of 1
        (BOUNDED, Folded("bounded-max_pool", (1, 1))),
        (OPEN, Folded("bounded-max_pool", (1, 1))),
        (
            replace(BOUNDED, producers=(Clip(op="clip", dtype="float32", low=0.5, high=6.0),)),
            Folded("bounded-max_pool", (1, 1)),
        ),
        (replace(BOUNDED, producers=(binary("maximum", 0.0, rank=3),)), Folded("bounded-max_pool", (1, 1))),
    ],
)
def test_what_can_go_goes(at, expected):
    assert decide(at) == expected
