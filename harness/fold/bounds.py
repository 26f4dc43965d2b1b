"""What is known of all elements of a tensor: the bounds that the ops before it give them. Pure Python."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from foldproof.fold import values
from foldproof.fold.facts import (
    Binary,
    Cast,
    Clip,
    Composed,
    Joined,
    Operand,
    Padded,
    PadFacts,
    Quantization,
    Rearranged,
    Step,
    Widths,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of all elements of the data. With bounds, no element is NaN. ``plus_zero``: no zero is -0.0."""

    low: float
    high: float
    plus_zero: bool = False


def bound_result(bounds: Bounds | None, dtype: str, step: Step) -> Bounds | None:
    """Return the bounds of the result of ``step`` on data of ``dtype``; None means any value, NaN included."""
    if isinstance(step, Rearranged):
        return bounds
    if isinstance(step, Padded):
        return include_pad(bounds, step.pad, step.pad.widths or ())
    if isinstance(step, Composed):
        return _bound_branch(bounds, dtype, step.steps)
    if isinstance(step, Joined):
        return bound_joined(step, [_bound_branch(bounds, dtype, operand) for operand in step.operands])
    if isinstance(step, Clip):
        low, high = values.cast_bound(step.low, step.dtype), values.cast_bound(step.high, step.dtype)
        if low is None or high is None or low > high:
            return _range_of(step.dtype)
        return Bounds(low=low, high=high, plus_zero=_is_plus_zero(low))
    if step.op == "nn.relu":
        return Bounds(low=0, high=max(0, bounds.high) if bounds else math.inf, plus_zero=True)
    if isinstance(step, Quantization | Cast):
        return _bound_converted(bounds or _range_of(dtype), dtype, step) or _range_of(step.dtype)
    if isinstance(step, Binary) and step.other.flat and not any(map(math.isnan, step.other.flat)):
        return _bound_binary(bounds, dtype, step) or _range_of(step.dtype)
    if bounds and step.op in ("round", "floor", "ceil", "trunc"):
        function = values.UNARY[step.op]
        return Bounds(low=function(bounds.low, dtype) or 0, high=function(bounds.high, dtype) or 0)
    if bounds and step.op == "negative":
        return _bound_product(bounds, dtype, values.BINARY["multiply"], -1, -1) or _range_of(step.dtype)
    return _range_of(step.dtype)


# --- what is monotonic ----------------------------------------------------------------------------------


def _bound_converted(bounds: Bounds | None, dtype: str, step: Step) -> Bounds | None:
    """Return the bounds after quantize, dequantize or a cast. All are monotonic, roundings and clips included.

    A product of a scale > 0 and a number >= 0 is not -0.0. A number below 0 could underflow to it.
    """
    if bounds is None or step.dtype == "bool":
        return None
    ends = (bounds.low, bounds.high)
    if isinstance(step, Quantization):
        scales, points = step.scale.flat, step.zero_point.flat
        if not scales or not points:
            return None
        convert = values.dequantize if step.op == "dequantize" else values.quantize
        made = [convert(end, s, z, dtype, step.dtype) for end in ends for s in set(scales) for z in set(points)]
        plus = all(scale > 0 for scale in scales)
    else:
        made = [_cast_end(end, dtype, step.dtype) for end in ends]
        plus = bounds.plus_zero
    known = [value for value in made if value is not None and not math.isnan(value)]
    if len(known) < len(made):
        return None
    integer = step.dtype in values.INTEGER_BITS
    positive = all(value > 0 or _is_plus_zero(value) for value in known)
    return Bounds(low=min(known), high=max(known), plus_zero=integer or (plus and positive))


def _cast_end(end: float, source: str, dtype: str) -> float | None:
    """Return a bound after a cast, None if a number beyond the range could wrap."""
    made = values.convert(end, source, dtype)
    wraps = dtype in values.INTEGER_BITS and made is not None and made != math.trunc(end)
    return None if wraps else made


def _bound_binary(bounds: Bounds | None, dtype: str, step: Binary) -> Bounds | None:
    """Return the bounds after an op with constants, of which none is NaN."""
    constants = step.other.flat or ()
    least, most = min(constants), max(constants)
    if step.op in ("maximum", "minimum") and (bounds or not step.swapped):
        return _bound_choice(bounds, step, least, most)
    if step.op == "bitwise_and" and least >= 0:
        return Bounds(low=0, high=most, plus_zero=True)
    if bounds and step.op in ("multiply", "divide") and (step.op == "multiply" or not step.swapped):
        return _bound_product(bounds, dtype, values.BINARY[step.op], least, most)
    return None


_Arithmetic = Callable[[float, float, str], float | None]


def _bound_product(bounds: Bounds, dtype: str, function: _Arithmetic, least: float, most: float) -> Bounds | None:
    """Return the bounds of data times constants, or divided by them, which are all positive or all negative.

    Negative ones turn the bounds round. A product of 0.0 and a negative number is -0.0.
    """
    if not (0 < least <= most < math.inf or -math.inf < least <= most < 0):
        return None
    made = [function(end, constant, dtype) for end in (bounds.low, bounds.high) for constant in (least, most)]
    known = [value for value in made if value is not None]
    if len(known) < len(made):
        return None
    plus = bounds.plus_zero and bounds.low >= 0 and least > 0
    return Bounds(low=min(known), high=max(known), plus_zero=plus or dtype in values.INTEGER_BITS)


def _bound_choice(bounds: Bounds | None, step: Binary, least: float, most: float) -> Bounds:
    """Return the bounds after maximum or minimum. On a tie, or with NaN, TVM selects the second operand."""
    low, high = (bounds.low, bounds.high) if bounds else (-math.inf, math.inf)
    zeros = [value for value in step.other.flat or () if value == 0]
    if step.op == "maximum":
        plus = not step.swapped and bool(zeros) and all(map(_is_plus_zero, step.other.flat or ()))
        return Bounds(low=max(low, least), high=max(high, most), plus_zero=plus)
    plus = bounds is not None and bounds.plus_zero and all(map(_is_plus_zero, zeros))
    return Bounds(low=min(low, least), high=min(high, most), plus_zero=plus)


def _bound_branch(bounds: Bounds | None, dtype: str, operand: tuple[Step, ...] | Operand) -> Bounds | None:
    if isinstance(operand, Operand):
        return bound_operand(operand)
    for step in operand:
        bounds, dtype = bound_result(bounds, dtype, step), step.dtype
    return bounds


def bound_operand(operand: Operand) -> Bounds | None:
    """Return the bounds of a constant, None if it is not one, or has a NaN."""
    if not operand.flat or any(map(math.isnan, operand.flat)):
        return None
    plus = all(value != 0 or _is_plus_zero(value) for value in operand.flat)
    return Bounds(low=min(operand.flat), high=max(operand.flat), plus_zero=plus)


def bound_joined(step: Joined, operands: list[Bounds | None]) -> Bounds | None:
    """Return the bounds of the result from those of the operands."""
    if step.op == "where":
        chosen = [bounds for bounds in operands[1:] if bounds is not None]
        if len(chosen) == 2:
            return Bounds(
                low=min(bounds.low for bounds in chosen),
                high=max(bounds.high for bounds in chosen),
                plus_zero=all(bounds.plus_zero for bounds in chosen),
            )
    return _range_of(step.dtype)


def include_pad(bounds: Bounds | None, pad: PadFacts, widths: tuple[Widths, ...]) -> Bounds | None:
    """Return the bounds of data that ``pad`` has extended along ``widths``, None if its value lies outside.

    Modes that mirror add no new values. TVM treats every other mode as "constant".
    """
    if bounds is None or pad.mode in _MIRRORING or not any(width > 0 for sides in widths for width in sides):
        return bounds
    value = values.cast(pad.value, pad.dtype)
    if value is None or not bounds.low <= value <= bounds.high:
        return None
    return replace(bounds, plus_zero=bounds.plus_zero and (value != 0 or _is_plus_zero(value)))


_MIRRORING = ("reflect", "replicate", "circular")


def _range_of(dtype: str) -> Bounds | None:
    if dtype == "bool":
        return Bounds(low=0, high=1, plus_zero=True)
    if dtype not in values.INTEGER_BITS:
        return None
    low, high = values.int_range(dtype)
    return Bounds(low=low, high=high, plus_zero=True)


def _is_plus_zero(value: float) -> bool:
    """Return whether a bound replaces -0.0 by 0.0: on a tie, TVM's maximum selects its second operand."""
    return value == 0 and math.copysign(1, value) > 0


def find_bounds(dtype: str, producers: tuple[Step, ...], source: str = "") -> Bounds | None:
    """Return the bounds of a tensor of ``dtype`` that ``producers`` compute of data of the dtype ``source``."""
    if not producers:
        return _range_of(dtype)
    bounds, before = _range_of(source), source
    for step in producers:
        bounds, before = bound_result(bounds, before, step), step.dtype
    return bounds
