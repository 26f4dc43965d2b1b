"""foldproof.fold.rules: when a pad may become padding, and what that padding is. Every expectation is by hand."""

import math
from dataclasses import dataclass, replace

import pytest

from foldproof.fold import pad_pairs, rules
from foldproof.fold.facts import (
    Binary,
    Cast,
    Clip,
    Consumer,
    Folded,
    Kind,
    Operand,
    Options,
    Padded,
    PadFacts,
    Quantization,
    Rearranged,
    Refused,
    Site,
    Step,
    Unary,
    Values,
)
from foldproof.fold.values import cast, max_pool_start

INF, NAN = math.inf, math.nan
LOWEST16, LOWEST32, LOWEST64 = -65504.0, -3.4028234663852886e38, -1.7976931348623157e308
LOWEST_BFLOAT16 = -3.3895313892515355e38


# --- sites, spelled short -----------------------------------------------------------------------------

CONV1 = Consumer(
    op="conv1d",
    family="conv",
    spatial="W",
    layout="NCW",
    out_layout="NCW",
    kernel_layout="OIW",
    padding=(0, 0),
    strides=(1,),
    dilation=(1,),
    sizes=(12,),
)
CONV2 = Consumer(
    op="conv2d",
    family="conv",
    spatial="HW",
    layout="NCHW",
    out_layout="NCHW",
    kernel_layout="OIHW",
    padding=(0, 0, 0, 0),
    strides=(1, 1),
    dilation=(1, 1),
    sizes=(12, 12),
)
CONV3 = Consumer(
    op="conv3d",
    family="conv",
    spatial="DHW",
    layout="NCDHW",
    out_layout="NCDHW",
    kernel_layout="OIDHW",
    padding=(0,) * 6,
    strides=(1, 1, 1),
    dilation=(1, 1, 1),
    sizes=(12, 12, 12),
)
MAX1 = replace(CONV1, op="max_pool1d", family="max_pool", kernel_layout="", kernel=(2,))
MAX2 = replace(CONV2, op="max_pool2d", family="max_pool", kernel_layout="", kernel=(2, 2))
MAX3 = replace(CONV3, op="max_pool3d", family="max_pool", kernel_layout="", kernel=(2, 2, 2))
AVG1 = replace(MAX1, op="avg_pool1d", family="avg_pool")
AVG2 = replace(MAX2, op="avg_pool2d", family="avg_pool")
AVG3 = replace(MAX3, op="avg_pool3d", family="avg_pool")
DECONV1 = replace(CONV1, op="conv1d_transpose", family="conv_transpose", kernel_layout="IOW")
TRANSPOSED = replace(CONV2, op="conv2d_transpose", family="conv_transpose", kernel_layout="IOHW")


def in_layout(consumer, layout, kernel_layout=""):
    return replace(consumer, layout=layout, out_layout=layout, kernel_layout=kernel_layout)


def pad(*widths, value=0.0, dtype="float32", mode="constant"):
    """Widths per axis of the tensor; 0 means none on an axis."""
    pairs = tuple((0, 0) if width == 0 else width for width in widths)
    return PadFacts(mode=mode, value=value, dtype=dtype, widths=pairs)


@dataclass(frozen=True)
class Dequantize:
    """A dequantize as one says it; None for parameters that are not constant."""

    scale: tuple | None = (0.5,)
    zero_point: tuple | None = (5,)
    axis: int = 1
    out_dtype: str = "float32"

    def step(self, rank):
        return Quantization(
            op="dequantize",
            dtype=self.out_dtype,
            scale=self._operand(self.scale, rank),
            zero_point=self._operand(self.zero_point, rank),
        )

    def _operand(self, flat, rank):
        shape = [1] * rank
        shape[self.axis] = len(flat or (0,))
        return Operand(shape=tuple(shape), flat=flat)


def dequantize(scale=(0.5,), zero_point=(5,), axis=1, out_dtype="float32"):
    return Dequantize(scale, zero_point, axis, out_dtype)


@dataclass(frozen=True)
class At:
    """A site, with what stands between in short."""

    pad: PadFacts
    consumer: Consumer
    dequantize: Dequantize | None = None
    steps: tuple[Step, ...] = ()
    producers: tuple[Step, ...] = ()
    input_visible: bool = True
    overwritten: bool = False

    @property
    def site(self):
        rank = 1 if self.pad.widths is None else len(self.pad.widths)
        steps = (self.dequantize.step(max(rank, 3)), *self.steps) if self.dequantize else self.steps
        return Site(
            pad=self.pad,
            consumer=self.consumer,
            steps=steps,
            producers=self.producers,
            input_visible=self.input_visible,
            overwritten=self.overwritten,
        )


def decide(at, **options):
    return rules.decide(at.site if isinstance(at, At) else at, Options(**options))


def site(pad_facts, consumer, step=None):
    return At(pad=pad_facts, consumer=consumer, dequantize=step)


def changed(original, path, value):
    """``original`` with the field at ``path`` ("pad.value") replaced, and nothing else."""
    part, _, field = path.rpartition(".")
    return replace(original, **{part: replace(getattr(original, part), **{field: value})} if part else {field: value})


# --- accepted -----------------------------------------------------------------------------------------

W12 = (0, 0, (1, 2))
H12_W34 = (0, 0, (1, 2), (3, 4))

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

FIVE = pad(0, 0, (1, 2), (3, 4), value=5.0, dtype="int8")
BYTE = pad(0, 0, (1, 2), (3, 4), value=128.0, dtype="uint8")
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


ANYTHING = [
    ("constant", pad(0, 0, 0)),
    ("any value", pad(0, 0, 0, value=7.0)),
    ("NaN", pad(0, 0, 0, value=NAN)),
    ("reflect", pad(0, 0, 0, mode="reflect")),
    ("replicate", pad(0, 0, 0, mode="replicate")),
    ("circular", pad(0, 0, 0, mode="circular")),
    ("an unknown mode", pad(0, 0, 0, mode="edge")),
    ("float8", pad(0, 0, 0, dtype="float8_e4m3fn")),
]


@pytest.mark.parametrize("facts", [row[1] for row in ANYTHING], ids=[row[0] for row in ANYTHING])
@pytest.mark.parametrize(
    "consumer",
    [
        CONV1,
        replace(CONV1, operand=1),
        replace(MAX1, ceil_mode=True, sizes=(None,)),
        replace(AVG1, padding=(1, 1)),
        replace(TRANSPOSED, op="conv1d_transpose"),
        Consumer(op="add", family="other"),
        Consumer(op="return", family="other"),
    ],
    ids=lambda consumer: f"{consumer.op}{consumer.operand}",
)
def test_a_pad_of_zero_widths_goes_whatever_it_says_and_whatever_reads_it(facts, consumer):
    assert decide(Site(pad=facts, consumer=consumer, input_visible=False)) == Folded("identity")


# --- refused: an accepted site, one change, the reason -----------------------------------------------

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
AVG_COUNTED = site(pad(*W12), replace(AVG1, count_include_pad=True))
MAX_CEIL = site(pad(0, 0, (1, 1), value=-INF), replace(MAX1, ceil_mode=True, strides=(2,), sizes=(6,)))
AVG_CEIL = site(pad(0, 0, (1, 1)), replace(AVG1, ceil_mode=True, strides=(2,), sizes=(6,)))


def binary(op, value, *, shape=None, rank=4, dtype="float32", swapped=False):
    shape = (1,) * rank if shape is None else shape
    flat = None if value is None else (value,) * math.prod(shape)
    return Binary(op=op, dtype=dtype, other=Operand(shape=shape, flat=flat), swapped=swapped)


def padded(*widths, value=0.0, sizes=(1, 3, 9, 9), **facts):
    """A pad in between, of the axes that are named."""
    full = (*widths, *[(0, 0)] * (len(sizes) - len(widths)))
    return Padded(op="pad", dtype="float32", pad=replace(pad(*full, value=value), **facts), sizes=sizes)


CAST = replace(CONV, steps=(Clip(op="clip", dtype="float32", low=-127.0, high=127.0), Cast(op="astype", dtype="int8")))
HALVED = replace(CONV, steps=(binary("divide", 2.0),))
BETWEEN = replace(CONV, steps=(padded((0, 0), (0, 1)),))
TURNED = replace(
    site(pad(0, (1, 2), (3, 4), 0), CONV2),
    steps=(Rearranged(op="permute_dims", dtype="float32", origin=(0, 3, 1, 2)),),
)
RELU = Unary(op="nn.relu", dtype="float32")
BOUNDED = replace(site(pad(0, 0, (1, 1)), replace(MAX1, kernel=(3,), strides=(2,))), producers=(RELU,))


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
    (BOUNDED, "consumer.sizes", (None,), Kind.VALUE, "a window may hold only padding"),
    (BOUNDED, "steps", (binary("multiply", 2.0, rank=3),), Kind.VALUE, "max_pool pads"),
    (DEQUANTIZED, "dequantize.scale", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (DEQUANTIZED, "dequantize.zero_point", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (DEQUANTIZED, "dequantize.axis", 2, Kind.VARYING_OPERAND, "axis 2"),
    (DEQUANTIZED, "dequantize.axis", 3, Kind.VARYING_OPERAND, "axis 3"),
    (DEQUANTIZED_AVG, "pad.value", 0.0, Kind.QUANTIZATION, "zero point 5"),
    (DEQUANTIZED_AVG, "dequantize.zero_point", None, Kind.RUNTIME_OPERAND, "not a constant"),
    (site(pad(*H12_W34, value=-128.0, dtype="int8"), MAX2), "dequantize", dequantize(), Kind.QUANTIZATION, "max_pool"),
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
    ("at", "options", "text"),
    [
        (CONV, {"allow_asymmetric": False}, "padding [1, 3, 2, 4] is asymmetric"),
        (site(pad(0, 0, (-1, -1)), CONV1), {"allow_negative": False}, "padding [-1, -1] is negative"),
        (site(pad(*W12), DECONV1), {"allow_negative": False}, "padding [-1, -2] is negative"),
    ],
)
def test_padding_that_a_backend_does_not_take_is_refused(at, options, text):
    assert isinstance(decide(at), Folded)
    outcome = decide(at, **options)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Kind.OPTION
    assert text in outcome.detail


@pytest.mark.parametrize(
    ("at", "options", "padding"),
    [
        (site(pad(0, 0, (1, 1)), CONV1), {"allow_asymmetric": False}, (1, 1)),
        (site(pad(0, 0, (1, 1), (2, 2)), CONV2), {"allow_asymmetric": False}, (1, 2, 1, 2)),
        (site(pad(*W12), CONV1), {"allow_negative": False}, (1, 2)),
        (site(pad(*W12), replace(CONV1, padding=(-1, -1))), {"allow_negative": False}, (0, 1)),
    ],
)
def test_padding_that_a_backend_takes_is_folded(at, options, padding):
    assert decide(at, **options) == Folded("conv", padding)


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
        (0.25, "float32", "int32", False),  # no such cast is looked at
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
def test_a_refusal_says_what_stood_in_the_way(at, refused):
    assert decide(at) == refused


def test_the_rows_above_show_every_kind_of_refusal():
    assert {row[3] for row in REFUSED} == set(Kind) - {Kind.OPTION}


@pytest.mark.parametrize(
    ("sizes", "widths", "own", "kernel", "stride", "counts"),
    [
        # (5 + 0 - 2) / 2 rounded up, plus 1, is 3; the last window starts at 4, the end of the folded data
        (5, (0, 1), (0, 0), 2, 2, (2, 3)),
        # one before it moves the end of the data by one, after the start of that window
        (5, (1, 0), (0, 0), 2, 2, None),
        # a window may go without a stride, and without an overhang: 6 windows, the last one starts at 5 of 4 + 1
        (7, (1, 2), (0, 0), 2, 1, (5, 6)),
        # 7 elements, windows of 3 at 0, 3, 6; folded, 2 elements before 4 and 1 after: the last starts at 6 of 6
        (7, (2, 1), (0, 0), 3, 3, (2, 3)),
        # the same after own padding of 1: 8 elements to go over, and the last of 3 windows starts at 6 of 7
        (7, (2, 1), (1, 0), 3, 3, None),
    ],
)
def test_ceil_mode_is_refused_exactly_where_a_window_goes(sizes, widths, own, kernel, stride, counts):
    pool = replace(MAX1, ceil_mode=True, sizes=(sizes,), padding=own, kernel=(kernel,), strides=(stride,))
    outcome = decide(site(pad(0, 0, widths, value=-INF), pool))
    if counts is None:
        assert outcome == Folded("max_pool", padding=(own[0] + widths[0], own[1] + widths[1]))
    else:
        assert outcome == Refused(
            Kind.CEIL_MODE, f"with ceil_mode, axis W would have {counts[0]} windows, not {counts[1]}"
        )


# --- what goes in part, through steps, or with a correction ------------------------------------------------


def kept(*widths):
    return tuple((0, 0) if width == 0 else width for width in widths)


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
        (
            replace(BOUNDED, producers=(Clip(op="clip", dtype="float32", low=0.5, high=6.0),)),
            Folded("bounded-max_pool", (1, 1)),
        ),
        (replace(BOUNDED, producers=(binary("maximum", 0.0, rank=3),)), Folded("bounded-max_pool", (1, 1))),
    ],
)
def test_what_can_go_goes(at, expected):
    assert decide(at) == expected


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


ONE_CHANNEL = pad(0, (1, 2), 0, 0, dtype="int8")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (site(ONE_CHANNEL, replace(INT_CONV, weight="integer")), Folded("conv", (0, 0, 0, 0), channels=(1, 2))),
        (site(ONE_CHANNEL, replace(INT_CONV, weight="integer", groups=2)), Kind.CHANNEL),
        (site(ONE_CHANNEL, replace(INT_CONV, weight="")), Kind.CHANNEL),  # nothing known of the weight: 0 * inf
        (site(replace(ONE_CHANNEL, value=1.0), replace(INT_CONV, weight="integer")), Kind.CHANNEL),
        (site(pad(0, (-1, 0), 0, 0, dtype="int8"), replace(INT_CONV, weight="integer")), Kind.CHANNEL),
        (
            site(pad(0, (0, 1), (1, 2), (3, 4)), replace(CONV2, weight="finite")),
            Folded("conv", (1, 3, 2, 4), channels=(0, 1)),
        ),
    ],
)
def test_zero_channels_go_with_their_weights_by_option(at, expected):
    outcome = decide(at, channels="slice")
    if isinstance(expected, Kind):
        assert isinstance(outcome, Refused)
        assert outcome.kind is expected
    else:
        assert outcome == expected


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (pad(0, (1, 2)), pad(0, (3, 4)), pad(0, (4, 6))),
        (pad((1, 0), 0, value=5.0), pad(0, (3, 4), value=5.0), pad((1, 0), (3, 4), value=5.0)),
        (pad(0, (-1, 0), value=5.0), pad(0, (-2, -1), value=6.0), pad(0, (-3, -1), value=6.0)),
        (pad(0, (2, 2), value=5.0), pad(0, (-1, -3), value=6.0), pad(0, (1, -1), value=5.0)),
        # nothing is left of what the inner pad added, so that its value is no matter
        (pad(0, (0, 2), value=5.0), pad(0, (1, -2), value=6.0), pad(0, (1, 0), value=6.0)),
        (pad(0, (0, 2), value=5.0), pad(0, (1, -1), value=6.0), Kind.VALUE),
        (
            pad(0, (1, 1), value=0.4, dtype="int8"),
            pad(0, (1, 1), dtype="int8"),
            pad(0, (2, 2), value=0.4, dtype="int8"),
        ),
        (pad(0, (-1, 0)), pad(0, (1, 0)), Kind.CROP),
        (pad(0, (1, 0)), pad(0, (1, 0), value=1.0), Kind.VALUE),
        (pad(0, (1, 0)), pad(0, (1, 0), value=-0.0), Kind.VALUE),
        (pad(0, (1, 0), value=NAN), pad(0, (1, 0), value=NAN), Kind.VALUE),
        (pad(0, (1, 0), mode="reflect"), pad(0, (1, 0)), Kind.MODE),
        (pad(0, (1, 0)), pad(0, (1, 0), mode="edge"), Kind.MODE),
        (pad(0, (1, 0), dtype="float8_e5m2"), pad(0, (1, 0), dtype="float8_e5m2"), Kind.DTYPE),
        (replace(pad(0, 0), widths=None), pad(0, (1, 0)), Kind.DYNAMIC_WIDTH),
    ],
)
def test_pads_of_pads_become_one_where_that_is_the_same(inner, outer, expected):
    outcome = rules.merge(inner, outer)
    if isinstance(expected, Kind):
        assert isinstance(outcome, Refused)
        assert outcome.kind is expected
    else:
        assert outcome == expected


RELU2 = Unary(op="nn.relu", dtype="float32")
SWAP2 = Rearranged(op="permute_dims", dtype="float32", origin=(1, 0))
INSERTED2 = Rearranged(op="expand_dims", dtype="float32", origin=(None, 1))


def padded2(*widths):
    return Padded(op="nn.pad", dtype="float32", pad=pad(*widths), sizes=(4, 4))


@pytest.mark.parametrize(
    ("inner", "steps", "outer", "expected"),
    [
        (pad(0, (2, 1), value=7.0), (), pad(0, (-1, 0)), (pad(0, (1, 1), value=7.0), pad(0, 0))),
        (pad(0, (2, 1)), (RELU2, RELU2), pad(0, (-3, -1)), (pad(0, 0), pad(0, (-1, 0)))),
        (pad(0, (2, 1)), (), pad((3, 0), (-1, 4), value=5.0), (pad(0, (1, 1)), pad((3, 0), (0, 4), value=5.0))),
        (pad((1, 0), (2, 0), value=NAN), (RELU2,), pad((-1, 0), (-1, 0)), (pad(0, (1, 0), value=NAN), pad(0, 0))),
        (pad(0, (2, 1), mode="reflect"), (), pad(0, (0, -1)), (pad(0, (2, 0), mode="reflect"), pad(0, 0))),
        (
            pad(0, (2, 1), dtype="bool"),
            (),
            pad(0, (0, -1), dtype="bool"),
            (pad(0, (2, 0), dtype="bool"), pad(0, 0, dtype="bool")),
        ),
        (pad(0, (2, 1)), (SWAP2,), pad((-2, 0), 0), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (INSERTED2,), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (padded2((1, 1), 0),), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        (pad(0, (2, 1)), (binary("add", 1.0, rank=2),), pad(0, (-2, 0)), (pad(0, (0, 1)), pad(0, 0))),
        # 1. widths that are not constants
        (replace(pad(0, 0), widths=None), (), pad(0, (-1, 0)), None),
        (pad(0, (2, 1)), (), replace(pad(0, 0), widths=None), None),
        # 2. another pad of that axis, an operand that varies along it or may, a new axis
        (pad(0, (2, 1)), (padded2(0, (0, 1)),), pad(0, (-2, -1)), (pad(0, (0, 1)), pad(0, (0, -1)))),
        (pad(0, (2, 1)), (padded2(0, (1, 0)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (padded2(0, (0, -1)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (replace(padded2(0, 0), pad=replace(pad(0, 0), widths=None)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (binary("add", 1.0, shape=(1, 7)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (binary("add", None, shape=(1, None)),), pad(0, (-2, 0)), None),
        (pad(0, (2, 1)), (replace(binary("add", 1.0), other=Operand(shape=None, flat=None)),), pad(0, (-2, 0)), None),
        (pad((2, 1), 0), (INSERTED2,), pad((-2, 0), 0), None),
        # 3. a crop at another end, of another axis; no crop
        (pad(0, (2, 0)), (), pad(0, (0, -1)), None),
        (pad((2, 0), 0), (), pad(0, (-1, 0)), None),
        (pad(0, (-2, 0)), (), pad(0, (-1, 0)), None),
        (pad(0, (2, 1)), (), pad(0, (1, 1)), None),
    ],
)
def test_what_a_pad_adds_and_a_later_one_crops_is_cancelled(inner, steps, outer, expected):
    assert (
        pad_pairs.Cancelled.cancel(Padded(op="pad", dtype=inner.dtype, pad=inner, sizes=(4, 4)), steps, outer)
        == expected
    )


@pytest.mark.parametrize(
    ("size", "inner", "outer", "expected"),
    [
        (4, (-3, 2), (0, -2), ((-3, 0), (0, 0))),
        (4, (-4, 2), (0, -2), None),  # nothing is left of the axis
        (3, (-4, 5), (2, -5), None),  # less than nothing: it crops what it adds itself
        (3, (-4, 5), (1, -3), ((-4, 2), (1, 0))),
        (None, (-1, 2), (0, -1), ((-1, 1), (0, 0))),
        (None, (-1, 2), (0, -2), None),  # at least one element, of which nothing may be left
        (None, (0, 2), (0, -2), ((0, 0), (0, 0))),
    ],
)
def test_a_crop_is_cancelled_only_if_something_is_left_between(size, inner, outer, expected):
    padded = Padded(op="pad", dtype="float32", pad=pad(inner), sizes=(size,))
    found = pad_pairs.Cancelled.cancel(padded, (RELU2,), pad(outer))
    assert (found and tuple(each.widths for each in found)) == (expected and tuple((sides,) for sides in expected))


def test_dilation_counts_in_the_extent_of_a_window():
    # Windows of 2 with dilation 3 span 4 of 6 elements: at 0 and 2. Folded, the last of them starts at 2 of 4.
    dilated = replace(MAX1, ceil_mode=True, sizes=(6,), kernel=(2,), strides=(2,), dilation=(3,))
    assert decide(site(pad(0, 0, (0, 2), value=-INF), dilated)) == Folded("max_pool", padding=(0, 2))


def test_many_channels_are_shown_by_a_few():
    step = dequantize(zero_point=tuple(range(6, 106)))
    outcome = decide(site(FIVE, CONV2, step))
    assert outcome.detail.endswith("(zero point 6, 7, 8, 9, ...)")


# --- cast ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int8", 0.0, 0),
        ("int8", 0.99, 0),
        ("int8", -0.99, 0),
        ("int8", 1.5, 1),
        ("int8", -1.5, -1),
        ("int8", 127.9, 127),
        ("int8", -128.9, -128),
        ("int16", 32767.0, 32767),
        ("int32", -2147483648.0, -2147483648),
        ("int64", -9223372036854775808.0, -9223372036854775808),
        ("int64", 9223372036854774784.0, 9223372036854774784),
        ("uint8", 255.9, 255),
        ("uint8", -0.0, 0),
        ("float64", 0.1, 0.1),
        ("float64", 5e-324, 5e-324),
        ("float32", 0.1, 0.100000001490116119384765625),
        ("float32", 16777217.0, 16777216.0),
        ("float32", 1e-50, 0.0),
        ("float32", LOWEST32, LOWEST32),
        ("float32", -INF, -INF),
        ("float16", 0.1, 0.0999755859375),
        ("float16", 65504.0, 65504.0),
        ("float16", 2.0**-24, 2.0**-24),
        ("float16", 2.0**-25, 0.0),
        ("float16", 2049.0, 2048.0),
        ("float16", INF, INF),
        ("bfloat16", 0.1, 0.10009765625),
        ("bfloat16", 1 + 2.0**-8, 1.0),  # a tie, to even
        ("bfloat16", 1 + 3 * 2.0**-8, 1 + 2.0**-6),  # a tie, to even
        ("bfloat16", 1 + 2.0**-8 + 2.0**-23, 1 + 2.0**-7),
        ("bfloat16", -1 - 3 * 2.0**-8, -1 - 2.0**-6),
        ("bfloat16", 3.4e38, INF),
        ("bfloat16", LOWEST32, -INF),
        ("bfloat16", LOWEST_BFLOAT16, LOWEST_BFLOAT16),
        ("bfloat16", 1e-50, 0.0),
        ("bfloat16", 2.0**-133, 2.0**-133),
        ("bfloat16", -INF, -INF),
    ],
)
def test_a_pad_value_is_cast_as_the_tensor_holds_it(dtype, value, expected):
    assert cast(value, dtype) == expected


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", 128.0),
        ("int8", -129.0),
        ("int8", NAN),
        ("int8", INF),
        ("int8", -INF),
        ("int64", 9223372036854775808.0),
        ("int64", -9223372036854777856.0),
        ("uint8", -0.5),
        ("uint8", -1.0),
        ("uint8", 256.0),
        ("float16", 65505.0),
        ("float16", -65536.0),
        ("float32", 3.5e38),
        ("float32", -1e300),
        ("bfloat16", -3.5e38),
    ],
)
def test_a_pad_value_that_tvm_refuses_has_no_cast(dtype, value):
    assert cast(value, dtype) is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_floats_keep_nan_and_the_sign_of_zero(dtype):
    assert math.isnan(cast(NAN, dtype))
    assert math.copysign(1, cast(-0.0, dtype)) == -1
    assert math.copysign(1, cast(-1e-320, dtype)) == -1


# --- where max_pool starts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", -65504.0),
        ("float32", -3.4028234663852886e38),
        ("float64", -1.7976931348623157e308),
        ("bfloat16", -INF),
        ("int8", -128),
        ("int16", -32768),
        ("int32", -2147483648),
        ("int64", -9223372036854775808),
        ("uint8", 0),
    ],
)
def test_max_pool_starts_at_the_lowest_finite_value(dtype, expected):
    assert max_pool_start(dtype) == expected
