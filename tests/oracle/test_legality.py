"""foldproof.oracle.legality: the answers of the oracle, against answers by hand."""

from dataclasses import replace

import pytest
from tests.support.relax import legal_folds, legality

from foldproof.case import Axis, Case, Pad, Step
from foldproof.checking.check import check
from foldproof.oracle.legality import Legality

INF, NAN = float("inf"), float("nan")
LOWEST = -3.4028234663852886e38


def of(op, *axes, value=0.0, **fields):
    """A case whose pad has ``value``; ``pad`` gives its other fields."""
    pad = Pad(value=value, **fields.pop("pad", {}))
    return Case(op=op, axes=axes, pad=pad, **fields)


PADDED = Axis(size=4, pad=(1, 2), kernel=2)
PADDED_TWICE = Axis(size=4, pad=(1, 2), kernel=2, padding=(1, 1))


# --- legal, beside what one change makes of it --------------------------------------------------------

LEGAL = [
    ("conv: zeros", of("conv1d", PADDED)),
    ("conv: minus zeros", of("conv1d", PADDED, value=-0.0)),
    ("conv: own padding", of("conv1d", PADDED_TWICE)),
    ("conv: own padding that crops", of("conv1d", replace(PADDED, padding=(-2, 0)))),
    ("conv: stride and dilation", of("conv1d", replace(PADDED, size=6, stride=2, dilation=2))),
    ("conv: integers", of("conv1d", PADDED, dtype="int8", out_dtype="int32")),
    ("conv: wrapping integers", of("conv1d", PADDED, dtype="int8")),
    ("conv: truncated to zero", of("conv1d", PADDED, dtype="int8", value=0.99)),
    ("conv: underflow to zero", of("conv1d", PADDED, value=1e-50)),
    ("conv: float16", of("conv1d", PADDED, dtype="float16")),
    ("conv: groups", of("conv1d", PADDED, channels=4, filters=2, groups=2)),
    ("conv: 2d NHWC", of("conv2d", PADDED, Axis(size=3, pad=(0, 1)), channels=2, data_layout="NHWC")),
    ("conv: 3d", of("conv3d", Axis(pad=(1, 0)), Axis(size=2, kernel=2), Axis(size=2, pad=(0, 1)))),
    ("conv: crop", of("conv1d", replace(PADDED, pad=(-1, 0)), value=7.0)),
    ("conv: crop before, zeros after", of("conv1d", replace(PADDED, pad=(-1, 2)))),
    ("max_pool: -inf", of("max_pool1d", PADDED, value=-INF)),
    ("max_pool: lowest", of("max_pool1d", PADDED, value=LOWEST)),
    ("max_pool: own padding", of("max_pool1d", PADDED_TWICE, value=-INF)),
    ("max_pool: float16 lowest", of("max_pool1d", PADDED, dtype="float16", value=-65504.0)),
    ("max_pool: float64 -inf", of("max_pool1d", PADDED, dtype="float64", value=-INF)),
    ("max_pool: bfloat16 -inf", of("max_pool1d", PADDED, dtype="bfloat16", value=-INF)),
    ("max_pool: int8", of("max_pool1d", PADDED, dtype="int8", value=-128.0)),
    ("max_pool: int64", of("max_pool1d", PADDED, dtype="int64", value=-(2.0**63))),
    ("max_pool: uint8", of("max_pool1d", PADDED, dtype="uint8", value=0.0)),
    # 4 elements, windows of 2 at every second: 3 of them over 6 elements, and the last starts before the end
    ("max_pool: ceil_mode", of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2, stride=2), value=-INF, ceil_mode=True)),
    ("avg_pool: crop", of("avg_pool1d", replace(PADDED, pad=(-1, 0)))),
    (
        "transposed: negative padding, which grows the result",
        of("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(1, 0))),
    ),
    ("max_pool: crop", of("max_pool1d", replace(PADDED, pad=(0, -1)), value=7.0)),
    ("avg_pool: not counted, no own padding", of("avg_pool1d", PADDED)),
    ("avg_pool: counted", of("avg_pool1d", PADDED, count_include_pad=True)),
    ("avg_pool: counted, own padding", of("avg_pool1d", PADDED_TWICE, count_include_pad=True)),
    ("avg_pool: ceil_mode", of("avg_pool1d", Axis(size=4, pad=(1, 1), kernel=2, stride=2), ceil_mode=True)),
    ("avg_pool: int32", of("avg_pool1d", PADDED, dtype="int32")),
    ("avg_pool: int8, padded already", of("avg_pool1d", PADDED_TWICE, dtype="int8", count_include_pad=True)),
    ("dequantize: zero point", of("conv1d", PADDED, dtype="int8", value=5.0, steps=(Step(zero_point=(5,)),))),
    ("dequantize: zero point 0", of("conv1d", PADDED, dtype="int8", steps=(Step(scale=(0.5,)),))),
    (
        "dequantize: scales per channel",
        of("conv1d", PADDED, dtype="int8", value=5.0, channels=2, steps=(Step(scale=(0.5, 2.0), zero_point=(5, 5)),)),
    ),
    (
        "dequantize: avg_pool",
        of(
            "avg_pool1d", PADDED, dtype="uint8", value=128.0, steps=(Step(zero_point=(128,), zero_point_dtype="uint8"),)
        ),
    ),
    # padding -= width * stride: 2 - 1 * 2 and 4 - 2 * 2
    ("transposed", of("conv1d_transpose", Axis(size=4, pad=(1, 2), kernel=3, stride=2, padding=(2, 4)))),
    ("nothing", of("conv1d", Axis(size=4))),
    ("nothing, reflected", of("avg_pool1d", Axis(size=4, padding=(1, 0)), pad={"mode": "reflect"})),
    ("nothing, in an unknown mode", of("conv1d", Axis(size=4), pad={"mode": "edge"}, value=NAN)),
    ("nothing, on the weight", of("conv1d", Axis(size=4, kernel=2), pad={"operand": "weight"}, value=1.0)),
]

ILLEGAL = [
    ("conv: ones", of("conv1d", PADDED, value=1.0)),
    ("conv: NaN", of("conv1d", PADDED, value=NAN)),
    ("conv: subnormal", of("conv1d", PADDED, value=1e-45)),
    ("conv: int8 one", of("conv1d", PADDED, dtype="int8", value=1.0, out_dtype="int32")),
    ("conv: truncated to one", of("conv1d", PADDED, dtype="int8", value=1.9, out_dtype="int32")),
    ("conv: reflect", of("conv1d", PADDED, pad={"mode": "reflect"})),
    ("conv: replicate", of("conv1d", PADDED, pad={"mode": "replicate"})),
    ("conv: circular", of("conv1d", PADDED, pad={"mode": "circular"})),
    ("conv: batch alone", of("conv1d", Axis(size=4), pad={"batch": (0, 1)})),
    ("conv: channel alone", of("conv1d", Axis(size=4), pad={"channel": (0, 1)})),
    ("conv: weight", of("conv1d", replace(PADDED, size=8), pad={"operand": "weight"})),
    ("conv: crop before own padding", of("conv1d", replace(PADDED, pad=(-1, 0), padding=(2, 0)))),
    ("max_pool: zeros", of("max_pool1d", PADDED)),
    ("max_pool: next to lowest", of("max_pool1d", PADDED, value=-3.402823e38)),
    ("max_pool: inf", of("max_pool1d", PADDED, value=INF)),
    ("max_pool: float16 of float64's range", of("max_pool1d", PADDED, dtype="float64", value=LOWEST)),
    ("max_pool: bfloat16 lowest", of("max_pool1d", PADDED, dtype="bfloat16", value=-3.3895313892515355e38)),
    ("max_pool: int8 next to lowest", of("max_pool1d", PADDED, dtype="int8", value=-127.0)),
    ("max_pool: uint8 one", of("max_pool1d", PADDED, dtype="uint8", value=1.0)),
    # 4 elements: a third window of 2 starts at 4, the end of the folded data
    ("max_pool: ceil_mode", of("max_pool1d", Axis(size=3, pad=(0, 2), kernel=2, stride=2), value=-INF, ceil_mode=True)),
    ("avg_pool: ones", of("avg_pool1d", PADDED, value=1.0)),
    ("avg_pool: own padding, not counted", of("avg_pool1d", replace(PADDED_TWICE, kernel=3))),
    ("avg_pool: own padding after, not counted", of("avg_pool1d", replace(PADDED, kernel=4, padding=(0, 1)))),
    ("avg_pool: int8, summed in int8", of("avg_pool1d", PADDED, dtype="int8")),
    ("dequantize: another value", of("conv1d", PADDED, dtype="int8", value=4.0, steps=(Step(zero_point=(5,)),))),
    (
        "dequantize: another zero point in a channel",
        of("conv1d", PADDED, dtype="int8", value=5.0, channels=2, steps=(Step(zero_point=(5, 4)),)),
    ),
    (
        "dequantize: known at run time only",
        of("conv1d", PADDED, dtype="int8", value=5.0, steps=(Step(zero_point=(5,), constant=False),)),
    ),
    (
        "dequantize: along the padded axis",
        of("conv1d", PADDED, dtype="int8", value=5.0, steps=(Step(zero_point=(5,) * 7, axis="W"),)),
    ),
    ("dequantize: max_pool", of("max_pool1d", PADDED, dtype="int8", value=-128.0, steps=(Step(),))),
    ("transposed: ones", of("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, padding=(1, 0)), value=1.0)),
]

# --- chains -------------------------------------------------------------------------------------------


def step(kind, *operand, **fields):
    return Step(kind=kind, **({"operand": operand} if operand else {}), **fields)


def nested(value=0.0, **widths):
    return Step(kind="pad", value=value, widths=tuple((letter, *sides) for letter, sides in widths.items()))


INT8 = step("astype", out_dtype="int8")
RUN = step("multiply", 2.0, constant=False)
TO_INT8 = step("quantize", zero_point=(3,), out_dtype="int8")


def conv(*steps, value=0.0, op="conv1d", axis=PADDED, **fields):
    return of(op, axis, value=value, steps=steps, **fields)


LEGAL += [
    ("batch stays: conv", of("conv1d", PADDED, pad={"batch": (0, 1)})),
    ("channel stays: conv", of("conv1d", PADDED, pad={"channel": (1, 0)})),
    ("channel stays: max_pool", of("max_pool1d", PADDED, value=-INF, pad={"channel": (1, 0)})),
    ("relu", conv(step("relu"))),
    ("relu of a negative value", conv(step("relu"), value=-3.0)),
    ("clip from 0", conv(step("clip"), value=-2.0)),
    (
        "times 128, as in ResNet",
        conv(step("multiply", 128.0), step("round"), step("clip", low=-127.0, high=127.0), INT8),
    ),
    ("127.5 / 127.5 - 1", conv(step("divide", 127.5), step("subtract", 1.0), value=127.5)),
    ("round to 0", conv(step("round"), value=0.5)),
    ("times 0", conv(step("multiply", 0.0, 1.0), channels=2)),
    ("per channel", conv(step("multiply", 2.0, 0.5), channels=2)),
    ("quantize and back", conv(TO_INT8, Step(zero_point=(3,)))),
    ("quantize to 0", conv(step("quantize", out_dtype="int8"))),
    ("rounds away", conv(step("multiply", 0.1), step("round"), value=3.0)),
    ("permuted", conv(step("permute_dims", source="NWC"), channels=2)),
    ("unit axes", of("conv2d", PADDED, Axis(), steps=(step("expand_dims", source="NCH"),))),
    ("reshaped", conv(step("reshape", source="UWC"), data_layout="WNC")),
    ("nested pads", conv(nested(W=(1, 0)))),
    ("nested channel pad", conv(nested(C=(0, 1)))),
    ("nested, the first mapped to the second", conv(step("relu"), nested(W=(0, 1)), value=-1.0)),
    ("pad, then crop all of that and more", conv(step("relu"), nested(W=(-2, 1)))),
    ("crop through a run-time parameter", conv(RUN, axis=replace(PADDED, pad=(-1, 0)))),
    ("run-time parameter before the pad", conv(producers=(RUN,))),
    ("run-time parameter before a nested pad", conv(RUN, nested(W=(1, 1)), axis=Axis(size=4, kernel=2))),
    ("max_pool after permute_dims", conv(step("permute_dims", source="NWC"), op="max_pool1d", value=-INF)),
    ("max_pool after a quantize that saturates", conv(TO_INT8, op="max_pool1d", value=-INF)),
    ("avg_pool after relu", conv(step("relu"), op="avg_pool1d", value=-1.0)),
    (
        "transposed after relu",
        conv(step("relu"), op="conv1d_transpose", axis=Axis(size=4, pad=(1, 0), kernel=2, padding=(1, 0))),
    ),
    ("cast in range because of a clip before it", conv(INT8, producers=(step("clip", low=-5.0, high=5.0),))),
    ("symbolic", conv(step("relu"), symbolic=("N", "W"))),
    ("call_tir", conv(step("relu"), pad={"form": "call_tir"})),
    ("constant weight", conv(step("relu"), constant_weight=True, fills=("nans",))),
    ("exact product and sum", conv(step("multiply", 0.5), step("subtract", 1.0), value=2.0)),
]

ILLEGAL += [
    ("relu of a positive value", conv(step("relu"), value=3.0)),
    ("maximum(0, NaN)", conv(step("maximum", 0.0, swapped=True), value=NAN)),
    ("clip to above 0", conv(step("clip", low=1.0), value=0.0)),
    ("plus 1", conv(step("add", 1.0))),
    ("127.5 / 127.5 - 1 of 0", conv(step("divide", 127.5), step("subtract", 1.0))),
    ("not rounded to 0", conv(step("round"), value=0.75)),
    ("times 0 per channel, of an infinity", conv(step("multiply", 0.0, 0.0), channels=2, value=INF)),
    ("the second channel", conv(step("add", 0.0, 1.0), channels=2)),
    ("other zero points", conv(TO_INT8, Step(zero_point=(4,)))),
    ("run-time parameter", conv(RUN)),
    ("along the padded axis", conv(step("multiply", *[2.0] * 7, axis="W"))),
    ("nested pad of another value", conv(nested(1.0, W=(1, 0)))),
    ("first pad of another value", conv(nested(W=(1, 0)), value=1.0)),
    ("crop, then pad", conv(nested(W=(1, 0)), axis=replace(PADDED, pad=(-1, 0)))),
    ("channel alone, nested", conv(nested(C=(0, 1)), axis=Axis(size=4))),
    ("max_pool of 0 after relu", conv(step("relu"), op="max_pool1d", axis=Axis(size=4, pad=(2, 0), kernel=2))),
    ("max_pool after negative", conv(step("negative"), op="max_pool1d", value=-INF)),
    ("max_pool after abs", conv(step("abs"), op="max_pool1d", value=-INF)),
    ("cast of the border out of range", conv(INT8, value=300.0)),
    ("batch of another value", of("conv1d", PADDED, pad={"batch": (0, 1)}, value=1.0)),
    ("reflected after relu", conv(step("relu"), pad={"mode": "reflect"})),
]

NEEDS_NO_FMA = [
    (
        "rounded product, then the same again",
        conv(step("multiply", 0.1), step("subtract", 0.30000001192092896), value=3.0),
    ),
    ("rounded quotient", conv(step("divide", 3.0), step("subtract", 0.3333333432674408), value=1.0)),
    (
        "through a moved axis",
        conv(step("square"), step("permute_dims", source="NWC"), step("add", -0.010000000707805157), value=0.1),
    ),
]

UNSPECIFIED = [
    ("relu of NaN", conv(step("relu"), value=NAN)),
    ("maximum of NaN", conv(step("maximum", 0.0), value=NAN)),
    ("cast that may be out of range", conv(INT8)),
    ("clipped, but for NaN at another place", conv(step("clip", low=-300.0, high=300.0), INT8)),
    ("32 bits that may overflow", conv(step("multiply", 3.0), dtype="int32")),
    ("integers that wrap to 0", conv(step("multiply", 4.0), value=64.0, dtype="int8")),
    ("8 bits that wrap", of("max_pool1d", PADDED, value=-128.0, dtype="int8", steps=(step("negative"),))),
    (
        "8 bits that wrap to 0",
        of("conv1d", PADDED, value=100.0, dtype="int8", steps=(step("subtract", -100.0), step("add", 56.0))),
    ),
    (  # 0 - -128, where -128 - 0 would fit
        "8 bits that wrap, swapped",
        of("max_pool1d", PADDED, value=-128.0, dtype="int8", steps=(step("subtract", 0.0, swapped=True),)),
    ),
]

# Windows of 2 at every second of 4 + 1 elements end with the fourth.
UNREAD = Axis(size=4, pad=(0, 1), kernel=2, stride=2)
# The first tap of a window reads own padding, the second skips the border: -1 and 1, then 1 and 3, then 3 and 5.
SKIPPED = Axis(size=5, pad=(1, 0), kernel=2, stride=2, dilation=2, padding=(1, 0))

# Windows that lie in the border are cropped; inf - inf is NaN, and so are sums of -inf * w, w of both signs.
CROPPED = Axis(pad=(2, 4), kernel=2, stride=3, dilation=2, padding=(6, 13))
INFINITE = Case(
    op="conv2d_transpose",
    axes=(CROPPED, CROPPED),
    pad=Pad(value=INF),
    steps=(Step(kind="subtract", operand=(INF,)),),
    batch=2,
    channels=6,
    filters=3,
    groups=3,
)

# What is seen of the border, places 6 to 9, is NaN anyway: the channel that is padded beside it reaches as far.
DROWNED = Axis(size=5, pad=(1, 2), kernel=4, dilation=3, padding=(6, 3))
# Four elements before it, spread over steps of 3 to places 0, 3, 6, 9 and the ones after: 12 are cropped.
SPREAD = Axis(size=4, pad=(4, 0), kernel=2, stride=3, padding=(12, 0))

HALVES = (step("sign"), step("divide", 2.0))

UNOBSERVABLE = [
    ("trailing, max_pool", of("max_pool1d", UNREAD, value=7.0)),
    ("trailing, conv", of("conv1d", UNREAD, value=7.0)),
    ("trailing, avg_pool", of("avg_pool1d", UNREAD, value=7.0)),
    ("trailing, reflected", of("conv1d", UNREAD, pad={"mode": "reflect"})),
    ("between the taps", of("conv1d", SKIPPED, value=7.0)),
    ("on both axes", of("conv2d", UNREAD, SKIPPED, value=7.0)),
    ("trailing, though legal", of("conv1d", UNREAD)),
    ("trailing, of a nested pad", of("conv1d", Axis(size=4, kernel=2, stride=2), steps=(nested(7.0, W=(0, 1)),))),
    ("nothing is left of the data", conv(step("multiply", 0.0), value=NAN)),
    ("nothing is left of fractions in a sum of integers", of("conv1d", PADDED, steps=HALVES, out_dtype="int32")),
    ("nothing finite is left of the data", INFINITE),
    ("a channel of NaN beside", of("conv1d_transpose", DROWNED, value=NAN, pad={"channel": (0, 1)})),
    ("NaN everywhere", of("conv1d", Axis(size=4, pad=(1, 0), kernel=2), value=NAN, pad={"channel": (0, 1)})),
    ("cropped by a transposed convolution", of("conv1d_transpose", SPREAD, value=7.0)),
    ("trailing, beside channels", of("max_pool1d", UNREAD, pad={"channel": (0, 1)}, value=7.0)),
]

THIS_SHAPE_ONLY = [
    # Few numbers between -1 and 1 sum alike in int8 and in int32, which is what TVM's padding makes of it; many do not.
    ("avg_pool: narrow sums of small numbers", of("avg_pool1d", Axis(pad=(0, 1)), dtype="int8", steps=(step("sign"),))),
    # Own padding after is not read, so that nobody sees whether it is counted.
    (
        "avg_pool: own padding is not read",
        of("avg_pool1d", Axis(size=3, pad=(1, 0), kernel=2, stride=2, padding=(0, 1))),
    ),
    # Windows of 2 that hold own padding hold a zero beside it: nothing to divide.
    ("avg_pool: own padding beside zeros", of("avg_pool1d", PADDED_TWICE)),
]

THIS_SHAPE_ONLY += [
    (
        "max_pool of 0 after relu before it",
        conv(producers=(step("relu"),), op="max_pool1d", axis=replace(PADDED, pad=(1, 1))),
    ),
    (
        "ceil_mode of a symbolic length",
        of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2, stride=2), value=-INF, ceil_mode=True, symbolic=("W",)),
    ),
]

OPEN = Axis(size=6, pad=(1, 1), kernel=3, stride=2)
RELU_THEN_MAX = {"producers": (step("relu"),), "symbolic": ("W",)}

LEGAL += [
    ("max_pool of 0 after relu, no window without data in any length", of("max_pool1d", OPEN, **RELU_THEN_MAX)),
    (
        "the same with widths below the kernel only",
        of("max_pool1d", replace(OPEN, pad=(2, 2)), **RELU_THEN_MAX),
    ),
    (
        "the same, and a window of own padding alone",
        of("max_pool1d", replace(OPEN, pad=(1, 0), kernel=2, padding=(4, 0)), **RELU_THEN_MAX),
    ),
    (
        "ceil_mode of a symbolic length whose last window holds data",
        of("max_pool1d", replace(OPEN, pad=(0, 1)), value=-INF, ceil_mode=True, symbolic=("W",)),
    ),
]

THIS_SHAPE_ONLY += [
    (
        "max_pool of 0 after relu, one length of which has a window without data",
        of("max_pool1d", Axis(size=5, pad=(0, 3), kernel=3, stride=3), **RELU_THEN_MAX),
    ),
    (
        "max_pool of 0 after relu, dilated over a length of 1",
        of("max_pool1d", Axis(size=6, pad=(1, 1), kernel=2, stride=1, dilation=2), **RELU_THEN_MAX),
    ),
    (
        "max_pool of 0 after relu, own padding beside the pad",
        of("max_pool1d", Axis(size=5, pad=(0, 1), kernel=2, stride=2, padding=(0, 1)), **RELU_THEN_MAX),
    ),
]

# The kernel decides, and with it all lengths: each window holds the elements whose copies it reads.
LEGAL += [
    # x0 x1 x2 x2
    (
        "max_pool: repeated within a window",
        of("max_pool1d", Axis(size=4, pad=(0, 1), kernel=2), pad={"mode": "replicate"}),
    ),
    # x1 x0 x1, of integers
    (
        "max_pool: integers mirrored within a window",
        of("max_pool1d", Axis(size=4, pad=(1, 0), kernel=3), pad={"mode": "reflect"}, dtype="int8"),
    ),
    (
        "max_pool: repeated within a window, a symbolic length",
        of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2, stride=2), pad={"mode": "replicate"}, symbolic=("W",)),
    ),
    (
        "max_pool: repeated within a window, call_tir",
        of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2), pad={"mode": "replicate", "form": "call_tir"}),
    ),
]

# -1.0, 0.0, -0.0 and the copy 0.0: the last zero is another one.
UNSPECIFIED += [
    (
        "max_pool: mirrored within a window",
        of("max_pool1d", Axis(size=4, pad=(1, 0), kernel=3), pad={"mode": "reflect"}),
    ),
]

# The window of the copy does not hold the element.
ILLEGAL += [
    ("max_pool: repeated", of("max_pool1d", Axis(size=4, pad=(1, 1)), pad={"mode": "replicate"})),
    ("max_pool: mirrored", of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2), pad={"mode": "reflect"})),
    ("max_pool: around", of("max_pool1d", Axis(size=4, pad=(1, 1), kernel=3), pad={"mode": "circular"})),
]

# Windows of 2 at every second: the last one reads the copy alone where the length is odd.
THIS_SHAPE_ONLY += [
    (
        "max_pool: repeated, an even length",
        of("max_pool1d", Axis(size=4, pad=(0, 2), kernel=2, stride=3), pad={"mode": "replicate"}),
    ),
]

UNKNOWN_MODE = [
    (
        "a kernel of a symbolic length",
        of(
            "max_pool1d",
            Axis(size=4, pad=(1, 1), kernel=2),
            pad={"mode": "replicate", "form": "call_tir"},
            symbolic=("W",),
        ),
    ),
    (
        "a kernel of one element, whose copies are all alike",
        of("max_pool1d", Axis(size=1, pad=(1, 1), kernel=2), pad={"mode": "replicate", "form": "call_tir"}),
    ),
    ("conv", of("conv1d", PADDED, pad={"mode": "edge"})),
    ("max_pool", of("max_pool1d", PADDED, value=-INF, pad={"mode": "CONSTANT"})),
    ("of a wrong value", of("conv1d", PADDED, value=1.0, pad={"mode": "symmetric"})),
]

SHARED = [
    ("batch stays, pad returned", of("conv1d", PADDED, pad={"batch": (1, 0)}, extra_outputs=("returned",))),
    ("channel stays, pad read", of("max_pool1d", PADDED, value=-INF, pad={"channel": (1, 0)}, extra_outputs=("read",))),
    ("batch stays, step returned", conv(step("relu"), pad={"batch": (0, 1)}, extra_outputs=("step",))),
    (
        "another pad of channels between, which is returned",
        conv(step("pad", widths=(("C", 1, 0),)), extra_outputs=("step",)),
    ),
]
SHARED += [
    (f"{form} of a part, pad read", conv(step("pad", widths=(("W", 0, -1),), form=form), extra_outputs=("read",)))
    for form in ("strided_slice", "split", "take")
]
LEGAL += [
    ("crop of a part, pad read", conv(step("pad", widths=(("W", 0, -1),)), extra_outputs=("read",))),
    ("pad returned", of("conv1d", PADDED, extra_outputs=("returned", "read"))),
    ("no spatial axis padded again, step returned", conv(step("pad", widths=(("W", 1, 0),)), extra_outputs=("step",))),
    (
        "another pad of channels between, the first one returned",
        conv(step("pad", widths=(("C", 1, 0),)), extra_outputs=("returned",)),
    ),
]

TABLES = {
    Legality.LEGAL: LEGAL,
    Legality.ILLEGAL: ILLEGAL,
    Legality.UNOBSERVABLE: UNOBSERVABLE,
    Legality.THIS_SHAPE_ONLY: THIS_SHAPE_ONLY,
    Legality.UNKNOWN_MODE: UNKNOWN_MODE,
    Legality.NEEDS_NO_FMA: NEEDS_NO_FMA,
    Legality.UNSPECIFIED: UNSPECIFIED,
    Legality.SHARED: SHARED,
}
ROWS = [pytest.param(case, answer, id=f"{answer}: {name}") for answer, rows in TABLES.items() for name, case in rows]


@pytest.mark.parametrize(("case", "expected"), ROWS)
def test_a_fold_is_as_legal_as_it_is_by_hand(case, expected):
    assert legality(case) == expected


EXAMPLES = {
    Legality.LEGAL: of("max_pool1d", PADDED, value=-INF),
    Legality.UNOBSERVABLE: of("max_pool1d", Axis(size=4, pad=(0, 1), kernel=2, stride=2), value=7.0),
    Legality.THIS_SHAPE_ONLY: of(
        "max_pool1d", Axis(size=6, pad=(1, 1), kernel=3, stride=2), producers=(Step(kind="relu"),)
    ),
    Legality.UNKNOWN_MODE: of("conv1d", PADDED, pad={"mode": "edge"}),
    Legality.NEEDS_NO_FMA: of(
        "conv1d",
        PADDED,
        value=0.1,
        steps=(
            Step(kind="multiply", operand=(0.1,)),
            Step(kind="subtract", operand=(0.010000000707805157,)),
        ),
    ),
    Legality.UNSPECIFIED: of("conv1d", PADDED, steps=(Step(kind="astype", out_dtype="int8"),)),
    Legality.SHARED: of("conv1d", PADDED, pad={"batch": (1, 0)}, extra_outputs=("returned",)),
    Legality.ILLEGAL: of("conv1d", PADDED, value=1.0),
}
"""The examples in the docstrings of ``Legality``."""


@pytest.mark.parametrize(("expected", "case"), EXAMPLES.items())
def test_the_example_of_each_answer_has_that_answer(expected, case):
    assert legality(case) == expected


def test_the_tables_hold_every_answer():
    of_graphs = {Legality.STRUCTURE}  # tests/checking/test_graph_evidence.py
    assert set(TABLES) == set(EXAMPLES) == set(Legality) - of_graphs


@pytest.mark.parametrize(
    "fields", [{"extra_outputs": ("returned", "read")}, {"fills": ("nans",)}, {"seed": 9}, {"batch": 2}]
)
@pytest.mark.parametrize(
    "case", [LEGAL[0][1], ILLEGAL[0][1], UNOBSERVABLE[0][1], THIS_SHAPE_ONLY[0][1]], ids=lambda case: case.op
)
def test_legality_depends_on_the_fold_alone(case, fields):
    assert legality(replace(case, **fields)) == legality(case)


def test_a_difference_that_few_inputs_hide_is_not_legal():
    """A campaign of an hour met it: the crop takes x[0] // 2 away, which was 0 in all inputs of the first two seeds."""
    steps = (Step(kind="divide", operand=(2.0,)), *(Step(kind="pad", widths=(("W", w, 0),)) for w in (-2, 1)))
    case = Case(op="conv1d", axes=(Axis(size=13, pad=(1, 0)),), dtype="uint8", steps=steps, out_dtype="float32")
    assert legal_folds(case) != ()
    assert legality(case) is Legality.ILLEGAL
    check(case)


@pytest.mark.parametrize(
    "case",
    [
        Case(
            op="max_pool1d",
            axes=(Axis(size=6, pad=(0, 1), kernel=3, dilation=2),),
            dtype="int8",
            pad=Pad(value=-127.0),
            channels=2,
            symbolic=("W",),
            input_stride=3,
        ),
        Case(
            op="max_pool1d",
            axes=(Axis(size=15, pad=(2, 0), kernel=4, stride=3, dilation=2),),
            dtype="int32",
            pad=Pad(value=-2147483647.0),
            symbolic=("W",),
            input_stride=2,
        ),
        Case(
            op="max_pool1d",
            axes=(Axis(size=6, pad=(0, 1), kernel=3, dilation=2),),
            dtype="int16",
            pad=Pad(value=32766.0),
            symbolic=("W",),
            steps=(Step(kind="negative"),),
        ),
    ],
)
def test_a_border_just_above_the_lowest_number_is_not_legal(case):
    """Only a window of that number alone shows it, of which drawn data has few."""
    assert legality(case) is Legality.ILLEGAL


def test_a_border_that_becomes_nan_along_the_channels_hides_the_spatial_one():
    """106,688 cases met it twice: the channel of sqrt(-1) makes NaN of every sum, whatever the border of W holds."""
    axis = Axis(pad=(1, 0), kernel=2, padding=(1, 0))
    pad = Pad(value=-1.0, channel=(0, 1))
    case = Case(op="conv1d_transpose", axes=(axis,), pad=pad, steps=(Step(kind="sqrt"),))
    assert legality(case) is Legality.UNOBSERVABLE
    check(case)
