"""Two pads, one after the other: both become one, or what one adds and the other crops goes. Pure Python."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from foldproof.fold.facts import Kind, Padded, PadFacts, Rearranged, Refused, Step
from foldproof.fold.propagation import list_other_operands
from foldproof.fold.values import NUMBERS, cast


class Nested:
    """``pad(pad(x, a), b)`` is ``pad(x, a + b)``.

    1. both modes are "constant", all widths are constants
    2. nothing that the inner pad crops is padded again by the outer one
    3. if both add anything that is left in the end: their values are the same in the dtype of the tensor (no NaN, -0.0
       is not 0.0)
    """

    @staticmethod
    def refusals(inner: PadFacts, outer: PadFacts) -> Iterator[Refused]:
        for pad in (inner, outer):
            if pad.mode != "constant":
                yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
            if pad.dtype not in NUMBERS:
                yield Refused(Kind.DTYPE, f"dtype {pad.dtype} is none whose pad values are known")
        if inner.widths is None or outer.widths is None:
            yield Refused(Kind.DYNAMIC_WIDTH, "a pad width is not a constant")
            return
        for axis, (first, second) in enumerate(zip(inner.widths, outer.widths, strict=True)):
            if any(a < 0 < b for a, b in zip(first, second, strict=True)):
                yield Refused(Kind.CROP, f"axis {axis} is cropped by {first} and then padded by {second}")
        if _remains(inner, outer) and _grows(outer):
            a, b = cast(inner.value, inner.dtype), cast(outer.value, outer.dtype)
            if a is None or b is None or a != b or math.copysign(1, a) != math.copysign(1, b):
                yield Refused(Kind.VALUE, f"the pads add {inner.value!r} and {outer.value!r}")

    @staticmethod
    def merge(inner: PadFacts, outer: PadFacts) -> PadFacts:
        assert inner.widths is not None
        assert outer.widths is not None
        sums = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.widths, outer.widths, strict=True))
        return replace(inner, widths=sums, value=inner.value if _remains(inner, outer) else outer.value)


def _grows(pad: PadFacts) -> bool:
    return pad.widths is not None and any(width > 0 for sides in pad.widths for width in sides)


def _remains(inner: PadFacts, outer: PadFacts) -> bool:
    """Whether the outer pad leaves anything of what the inner one adds."""
    sides = zip(inner.widths or (), outer.widths or (), strict=True)
    return any(width > 0 and width + min(0, crop) > 0 for pair in sides for width, crop in zip(*pair, strict=True))


class Cancelled:
    """``crop(f(pad(x)))`` is ``f(x)`` where the crop takes away what the pad has added, whatever f makes of elements.

    1. all widths of both pads, and the rank of the data, are known
    2. every step between them computes, or moves the axis: no pad of that end, or that crops the other one, and no
       operand that varies along the axis
    3. the inner pad adds something at an end where the outer one crops
    4. what the inner pad makes without that is not empty, though it may crop the other end (of an unknown length, which
       is at least 1, no more than it adds)
    """

    @staticmethod
    def cancel(inner: Padded, steps: tuple[Step, ...], outer: PadFacts) -> tuple[PadFacts, PadFacts] | None:
        """Both pads without what the one adds and the other crops; None if that is nothing."""
        if inner.pad.widths is None or outer.widths is None:
            return None
        added, cropped = [list(sides) for sides in inner.pad.widths], [list(sides) for sides in outer.widths]
        for axis, end in product(range(len(cropped)), (0, 1)):
            origin = _trace_axis(axis, end, steps)
            if origin is None:
                continue
            both = max(0, min(-cropped[axis][end], added[origin][end]))
            size = inner.sizes[origin]
            if (1 if size is None else size) + sum(added[origin]) - both > 0:
                added[origin][end] -= both
                cropped[axis][end] += both
        smaller = replace(inner.pad, widths=tuple((before, after) for before, after in added))
        rest = replace(outer, widths=tuple((before, after) for before, after in cropped))
        return None if smaller == inner.pad else (smaller, rest)


def _trace_axis(axis: int, end: int, steps: tuple[Step, ...]) -> int | None:
    """The axis before the steps whose ``end`` (0 or 1) becomes that of ``axis``; None if a step minds."""
    for step in reversed(steps):
        if isinstance(step, Rearranged):
            origin = step.origin[axis]
            if origin is None:
                return None
            axis = origin
        elif isinstance(step, Padded):
            if step.pad.widths is None or step.pad.widths[axis][end] != 0 or min(step.pad.widths[axis]) < 0:
                return None
        elif any(operand.shape is None or operand.shape[axis] != 1 for _, operand in list_other_operands(step)):
            return None
    return axis
