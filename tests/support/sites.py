"""Sites of the pass, spelled short: pads, consumers and steps as plain facts."""

import math
from dataclasses import dataclass, replace

from foldproof.fold import Consumer, rules
from foldproof.fold.facts import Binary, Operand, Options, Padded, PadFacts, Quantization, Site, Step

INF, NAN = math.inf, math.nan

LOWEST16, LOWEST32, LOWEST64 = -65504.0, -3.4028234663852886e38, -1.7976931348623157e308


LOWEST_BFLOAT16 = -3.3895313892515355e38


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
    """A dequantize in short; None for parameters that are not constant."""

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
    """A site, with its steps in short."""

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


W12 = (0, 0, (1, 2))


H12_W34 = (0, 0, (1, 2), (3, 4))


FIVE = pad(0, 0, (1, 2), (3, 4), value=5.0, dtype="int8")


BYTE = pad(0, 0, (1, 2), (3, 4), value=128.0, dtype="uint8")


def binary(op, value, *, shape=None, rank=4, dtype="float32", swapped=False):
    shape = (1,) * rank if shape is None else shape
    flat = None if value is None else (value,) * math.prod(shape)
    return Binary(op=op, dtype=dtype, other=Operand(shape=shape, flat=flat), swapped=swapped)


def padded(*widths, value=0.0, sizes=(1, 3, 9, 9), **facts):
    """A pad in between, of the axes that are named."""
    full = (*widths, *[(0, 0)] * (len(sizes) - len(widths)))
    return Padded(op="pad", dtype="float32", pad=replace(pad(*full, value=value), **facts), sizes=sizes)


def kept(*widths):
    return tuple((0, 0) if width == 0 else width for width in widths)
