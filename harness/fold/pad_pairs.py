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

        lv = nn.pad(x, (0, 0, 1, 2), value=7)
        lv1 = nn.pad(lv, (1, 0, 0, 2), value=7)           ->    lv1 = nn.pad(x, (1, 0, 1, 4), value=7)

    1. Both modes are "constant", all widths are constants.
    2. The outer pad does not pad again where the inner one crops.
    3. If both add elements that are left in the end, their values are equal in the dtype of the tensor (not NaN; -0.0
       is not 0.0).
    """

    @staticmethod
    def refusals(inner: PadFacts, outer: PadFacts) -> Iterator[Refused]:
        for pad in (inner, outer):
            if pad.mode != "constant":
                yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
            if pad.dtype not in NUMBERS:
                yield Refused(Kind.DTYPE, f"dtype {pad.dtype} is not supported: its pad values are not known")
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
    """Return whether the outer pad leaves anything of what the inner one adds."""
    sides = zip(inner.widths or (), outer.widths or (), strict=True)
    return any(width > 0 and width + min(0, crop) > 0 for pair in sides for width, crop in zip(*pair, strict=True))


class Cancelled:
    """``crop(f(pad(x)))`` is ``f(x)`` where the crop removes what the pad has added, for every f of elements.

        lv = nn.pad(x, (0, 0, 3, 1), value=7)             ->    lv = nn.pad(x, (0, 0, 1, 1), value=7)
        lv1 = relu(lv)                                          lv1 = relu(lv)
        lv2 = nn.pad(lv1, (0, 0, -2, 0))

    1. All widths of both pads, and the rank of the data, are known.
    2. Every step between computes on elements, or moves the axis. No step pads that end, or crops the other one, and
       no operand varies along the axis.
    3. The inner pad adds elements at an end where the outer one crops.
    4. The result of the inner pad without them is not empty, though it may crop the other end. An axis of unknown
       length holds at least 1 element.
    """

    @staticmethod
    def cancel(inner: Padded, steps: tuple[Step, ...], outer: PadFacts) -> tuple[PadFacts, PadFacts] | None:
        """Return both pads without what one adds and the other crops, None if there is no such width."""
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
        # The widths alone: a pad of NaN does not equal itself.
        return None if smaller.widths == inner.pad.widths else (smaller, rest)


def _trace_axis(axis: int, end: int, steps: tuple[Step, ...]) -> int | None:
    """Return the axis before the steps whose ``end`` (0 or 1) becomes that of ``axis``; None if a step changes it."""
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
