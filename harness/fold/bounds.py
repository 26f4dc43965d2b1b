"""What is known of all elements of a tensor: the bounds that the ops before it give them. Pure Python."""

import math
from dataclasses import dataclass, replace

from foldproof.fold import values
from foldproof.fold.facts import Binary, Clip, Joined, Operand, Padded, PadFacts, Rearranged, Step, Widths


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
    if isinstance(step, Joined):
        return bound_joined(step, [_bound_branch(bounds, dtype, operand) for operand in step.operands])
    if isinstance(step, Clip):
        low, high = values.cast_bound(step.low, step.dtype), values.cast_bound(step.high, step.dtype)
        if low is None or high is None or low > high:
            return _range_of(step.dtype)
        return Bounds(low=low, high=high, plus_zero=_is_plus_zero(low))
    if step.op == "nn.relu":
        return Bounds(low=0, high=max(0, bounds.high) if bounds else math.inf, plus_zero=True)
    if isinstance(step, Binary) and step.op == "maximum" and not step.swapped and step.other.flat:
        if any(map(math.isnan, step.other.flat)):
            return None
        low, most = min(step.other.flat), max(step.other.flat)
        high = max(bounds.high, most) if bounds else math.inf
        return Bounds(low=low, high=high, plus_zero=all(map(_is_plus_zero, step.other.flat)))
    if bounds and step.op in ("round", "floor", "ceil", "trunc"):
        function = values.UNARY[step.op]
        return Bounds(low=function(bounds.low, dtype) or 0, high=function(bounds.high, dtype) or 0)
    return _range_of(step.dtype)


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
    if dtype not in values.INTEGER_BITS:
        return None
    low, high = values.int_range(dtype)
    return Bounds(low=low, high=high, plus_zero=True)


def _is_plus_zero(value: float) -> bool:
    """Return whether a bound replaces -0.0 by 0.0: on a tie, TVM's maximum selects its second operand."""
    return value == 0 and math.copysign(1, value) > 0


def find_bounds(dtype: str, producers: tuple[Step, ...]) -> Bounds | None:
    """Return the bounds of a tensor of ``dtype`` that ``producers`` compute."""
    bounds, before = _range_of(dtype), dtype
    if producers:
        bounds = None
    for step in producers:
        bounds, before = bound_result(bounds, before, step), step.dtype
    return bounds
