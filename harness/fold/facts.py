"""What the rules are asked about, and what they answer: plain values, read from the IR by ``site``."""

from dataclasses import dataclass
from enum import StrEnum

Widths = tuple[int, int]


class Kind(StrEnum):
    """Why a site is refused: the constant to count by. ``Refused.detail`` is the sentence to read."""

    MODE = "mode"
    DYNAMIC_WIDTH = "dynamic-width"
    CROP = "crop"
    BATCH = "batch"
    CHANNEL = "channel"
    VALUE = "value"
    DTYPE = "dtype"
    QUANTIZATION = "quantization"
    RUNTIME_QUANTIZATION = "runtime-quantization"
    VARYING_QUANTIZATION = "varying-quantization"
    OWN_PADDING = "own-padding"
    EXCLUDED_PADDING = "excluded-padding"
    CEIL_MODE = "ceil-mode"
    LAYOUT = "layout"
    WEIGHT = "weight"
    CONSUMER = "consumer"
    SCOPE = "scope"
    IN_PLACE = "in-place"


@dataclass(frozen=True, slots=True)
class Folded:
    """The pad goes: ``padding`` is the consumer's new attribute, flat (all before, all after).

    ``count_include_pad`` is the new flag of an average pool, else None. For an all-zero pad, which is deleted
    whatever consumes it, both are None.
    """

    rule: str
    padding: tuple[int, ...] | None = None
    count_include_pad: bool | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The pad stays: ``kind`` to count by, ``detail`` is a sentence that says what stood in the way."""

    kind: Kind
    detail: str


Outcome = Folded | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PadFacts:
    """What the IR says of a pad. ``widths`` per axis of the tensor; None where a width is not constant."""

    mode: str
    value: float
    dtype: str
    widths: tuple[Widths, ...] | None

    @property
    def is_identity(self) -> bool:
        return self.widths is not None and all(width == (0, 0) for width in self.widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize:
    """``scale * (x - zero_point)``; None where a parameter is not constant. ``axis`` counts from 0.

    A parameter has one element or one per element along ``axis``.
    """

    scale: tuple[float, ...] | None
    zero_point: tuple[float, ...] | None
    axis: int
    out_dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """The op that reads the pad. ``family`` is "conv", "conv_transpose", "max_pool", "avg_pool" or "other".

    ``padding`` is flat, (before of every spatial axis..., after...); ``sizes`` are the lengths of the operand behind
    the pad along its spatial axes, in the order of ``spatial``, None where symbolic. ``kernel`` counts elements.
    """

    op: str
    family: str
    operand: int = 0
    spatial: str = ""
    layout: str = ""
    out_layout: str = ""
    kernel_layout: str = ""
    padding: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    sizes: tuple[int | None, ...] = ()
    out_dtype: str = ""
    ceil_mode: bool = False
    count_include_pad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A pad, the op that stands between, and the consumer, as the pass finds them in the IR.

    ``input_visible``: the pad's input may be named where the consumer stands. ``overwritten``: the function has
    in-place calls, so that a tensor need not hold later what it held where the pad read it.
    """

    pad: PadFacts
    consumer: Consumer
    dequantize: Dequantize | None = None
    input_visible: bool = True
    overwritten: bool = False

    @property
    def operand_dtype(self) -> str:
        return self.dequantize.out_dtype if self.dequantize else self.pad.dtype
