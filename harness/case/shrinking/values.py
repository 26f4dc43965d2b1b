"""Shrinking candidates of values: simpler numbers, widths and choices, simplest first."""

import math
from collections.abc import Iterator
from typing import Any

from foldproof.case.pad import Widths


def earlier(choices: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Return the choices that come before ``value`` in their table, simplest first."""
    return choices[: choices.index(value)] if value in choices else ()


def toward(value: int, least: int) -> Iterator[int]:
    """Yield integers below ``value``: ``least``, the middle, and the next one."""
    if value > least:
        yield from dict.fromkeys((least, (least + value) // 2, value - 1))


def toward_zero(value: int) -> Iterator[int]:
    """Yield simpler integers: 0, half, one nearer to 0, and the opposite of a negative one."""
    sign = 1 if value > 0 else -1
    yield from (sign * n for n in toward(abs(value), 0))
    if value < 0:
        yield -value


def simpler_widths(sides: Widths) -> Iterator[Widths]:
    """Yield pairs of which one side is simpler."""
    first, last = sides
    yield from ((less, last) for less in toward_zero(first))
    yield from ((first, less) for less in toward_zero(last))


_SIMPLE_VALUES = (0.0, 1.0, -1.0, 2.0)


def simpler_values(value: float) -> Iterator[float]:
    """Yield numbers that are easier to read, easiest first."""
    candidates = list(_SIMPLE_VALUES)
    if math.isfinite(value) and abs(value) < 2**53:
        candidates += [float(int(value)), float(int(value / 2)), math.copysign(abs(value) - 1, value), abs(value)]
    elif not math.isfinite(value):
        candidates += [math.inf]
    yield from (c for c in dict.fromkeys(candidates) if complexity(c) < complexity(value))


def complexity(value: float) -> tuple[Any, ...]:
    """Return a sort key: finite before infinite before NaN, integers before fractions, small first, positive first."""
    if math.isnan(value):
        return (True, True, True, 0.0, False)
    return (
        False,
        math.isinf(value),
        value != math.trunc(value) if math.isfinite(value) else True,
        abs(value),
        math.copysign(1, value) < 0,
    )
