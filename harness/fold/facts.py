"""The questions to the rules and their outcomes: plain values, read from the IR by ``reader``.

    producers --> pad --> steps --> consumer

A site is one pad with one of its consumers.
"""

from dataclasses import dataclass
from enum import StrEnum

Widths = tuple[int, int]

MIRRORING = ("reflect", "replicate", "circular")
"""Modes of a pad that copy elements of the data. TVM treats every other mode as "constant"."""


class Kind(StrEnum):
    """Why a site is refused: a constant to count by. ``Refused.detail`` is the sentence to read."""

    MODE = "mode"
    UNKNOWN_PAD = "unknown-pad"
    DYNAMIC_WIDTH = "dynamic-width"
    CROP = "crop"
    BATCH = "batch"
    CHANNEL = "channel"
    VALUE = "value"
    UNDEFINED_VALUE = "undefined-value"
    DTYPE = "dtype"
    CAST = "cast"
    QUANTIZATION = "quantization"
    RUNTIME_OPERAND = "runtime-operand"
    UNFOLDED_CONSTANT = "unfolded-constant"
    VARYING_OPERAND = "varying-operand"
    NESTED = "nested"
    OWN_PADDING = "own-padding"
    EXCLUDED_PADDING = "excluded-padding"
    CEIL_MODE = "ceil-mode"
    LAYOUT = "layout"
    WEIGHT = "weight"
    CONSUMER = "consumer"
    STEP = "step"
    LEGALIZED = "legalized"
    SCOPE = "scope"
    IN_PLACE = "in-place"
    SHARED = "shared"
    SYMBOLIC = "symbolic"
    OPTION = "option"


# --- answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers that broadcast to a tensor: ``shape`` has its rank, each length is 1 or that of the tensor.

    ``flat`` holds them in row-major order.
    """

    shape: tuple[int, ...]
    flat: tuple[float, ...]

    @property
    def uniform(self) -> bool:
        return all(value == self.flat[0] for value in self.flat)


@dataclass(frozen=True, slots=True)
class Folded:
    """The pad is folded: ``padding`` is the consumer's new attribute, flat (all before, all after).

    ``count_include_pad`` is the new flag of an average pool, else None. Both are None for a pad of no width, which is
    deleted for every consumer, and for a pad that is merged with another one.

    ``kept`` are the widths of the smaller pad that stays, for each axis of the padded tensor; None if none stays. It
    stays before the consumer, or before the crop that cancels the rest (``cancelled``).
    ``border`` are the values that stood in the border of the consumer's operand, where the padding has zeros now: a
    correction adds their share. ``channels`` are zero channels (before, after) that are removed by slicing the weight.
    """

    rule: str
    padding: tuple[int, ...] | None = None
    count_include_pad: bool | None = None
    kept: tuple[Widths, ...] | None = None
    border: Values | None = None
    channels: Widths | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The pad stays: ``kind`` is a constant to count by, ``detail`` is the sentence that names the reason."""

    kind: Kind
    detail: str


Outcome = Folded | Refused


# --- questions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PadFacts:
    """The facts of a pad. ``widths`` has a pair for each axis of the tensor; it is None if a width is not constant."""

    mode: str
    value: float
    dtype: str
    widths: tuple[Widths, ...] | None

    @property
    def is_identity(self) -> bool:
        return self.widths is not None and all(width == (0, 0) for width in self.widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """Another operand of a step. ``shape`` is aligned to the rank of the data, None if unknown or of a higher rank.

    A length is None if it is symbolic. ``flat`` is None if the operand is not a constant, has no elements, or has too
    many to be read.
    """

    shape: tuple[int | None, ...] | None
    flat: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An op between the pad and its consumer, or before the pad. ``dtype`` is that of its result."""

    op: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Step):
    """An elementwise op of one operand: relu, negative, round, ... ``alpha`` is that of leakyrelu."""

    alpha: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Step):
    """An elementwise op with another operand; ``swapped`` if the other operand is on the left."""

    other: Operand
    swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Step):
    """``max(min(x, high), low)``; a bound is None if it is not a constant."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(Step):
    """``astype``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization(Step):
    """``dequantize``: ``scale * (x - zero_point)``, or ``quantize``: ``clip(round(x / scale) + zero_point)``."""

    scale: Operand
    zero_point: Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Step):
    """An elementwise op of several operands that come from the same data: ``x * sigmoid(x)``.

    Each operand is the steps that make it of the data (none for the data itself), or another operand.
    """

    operands: "tuple[tuple[Step, ...] | Operand, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed(Step):
    """Several elementwise steps that one kernel computes."""

    steps: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearranged(Step):
    """Axes in another order, unit axes inserted or removed.

    Axis i of the result is axis ``origin[i]`` of the operand, or a new one of length 1 where that is None.
    """

    origin: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded(Step):
    """Another pad between; ``sizes`` are the lengths of its input, None where symbolic."""

    pad: PadFacts
    sizes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """The op that reads the pad. ``family`` is "conv", "conv_transpose", "max_pool", "avg_pool" or "other".

    ``padding`` is flat, (before of every spatial axis..., after...). ``sizes`` are the lengths of the operand after
    the pad along its spatial axes, in the order of ``spatial``, and ``channels`` that along C; None where symbolic.
    ``kernel`` counts elements, in the order of ``spatial``. ``weight`` is what is known of a convolution's weight: ""
    nothing, "integer", or "finite" (a constant without infinities and NaN).

    A function ``accepts`` gets the consumer as it would be after the fold: ``padding``, ``count_include_pad``,
    ``sizes`` and ``channels`` are those of the folded op. Only there are ``dtype`` and ``weight_dtype`` those of the
    operands, and ``kernel`` that of a convolution, () if a length of its weight is symbolic.
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
    groups: int = 1
    channels: int | None = None
    sizes: tuple[int | None, ...] = ()
    out_dtype: str = ""
    ceil_mode: bool = False
    count_include_pad: bool = False
    weight: str = ""
    dtype: str = ""
    weight_dtype: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A pad, the steps before and after it, and its consumer, as the pass finds them in the IR.

    ``producers`` are the last steps before the pad, in the order of execution. They read data of the dtype
    ``produced_from`` ("" if unknown). ``input_visible``: the next step, or the consumer, may name the pad's input.
    ``overwritten``: a call, named by ``writer``, may write into a tensor that the fold reads later, or that it no
    longer makes.
    """

    pad: PadFacts
    consumer: Consumer
    steps: tuple[Step, ...] = ()
    producers: tuple[Step, ...] = ()
    produced_from: str = ""
    input_visible: bool = True
    overwritten: bool = False
    writer: str = "an in-place call"

    @property
    def operand_dtype(self) -> str:
        """Return the dtype of the consumer's operand."""
        return self.steps[-1].dtype if self.steps else self.pad.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the pass may do besides, and what the backend accepts (see ``FoldExplicitPadding``)."""

    nonzero: str = "refuse"
    channels: str = "keep"
    allow_asymmetric: bool = True
    allow_negative: bool = True
