"""Simpler values: numbers, widths and choices that shrinking tries instead of a given one, simplest first."""

import math
from collections.abc import Iterator
from typing import Any

from foldproof.case.pad import Widths


def earlier(choices: tuple[str, ...], value: str) -> tuple[str, ...]:
    """The choices that stand before ``value`` in their table, simplest first."""
    return choices[: choices.index(value)] if value in choices else ()


def toward(value: int, least: int) -> Iterator[int]:
    """From ``least`` up to the whole number next to ``value``, in growing steps."""
    if value > least:
        yield from dict.fromkeys((least, (least + value) // 2, value - 1))


def toward_zero(value: int) -> Iterator[int]:
    """Whole numbers that are simpler: 0, half, one nearer to 0, and the positive of a negative one."""
    sign = 1 if value > 0 else -1
    yield from (sign * n for n in toward(abs(value), 0))
    if value < 0:
        yield -value


def simpler_widths(sides: Widths) -> Iterator[Widths]:
    """Pairs of which one side is simpler."""
    first, last = sides
    yield from ((less, last) for less in toward_zero(first))
    yield from ((first, less) for less in toward_zero(last))


_SIMPLE_VALUES = (0.0, 1.0, -1.0, 2.0)


def simpler_values(value: float) -> Iterator[float]:
    """Numbers that are easier to read, easiest first."""
    candidates = list(_SIMPLE_VALUES)
    if math.isfinite(value) and abs(value) < 2**53:
        candidates += [float(int(value)), float(int(value / 2)), math.copysign(abs(value) - 1, value), abs(value)]
    elif not math.isfinite(value):
        candidates += [math.inf]
    yield from (c for c in dict.fromkeys(candidates) if complexity(c) < complexity(value))


def complexity(value: float) -> tuple[Any, ...]:
    """Order of numbers: finite before infinite before NaN, whole before fractions, small, positive."""
    if math.isnan(value):
        return (True, True, True, 0.0, False)
    return (
        False,
        math.isinf(value),
        value != math.trunc(value) if math.isfinite(value) else True,
        abs(value),
        math.copysign(1, value) < 0,
    )
