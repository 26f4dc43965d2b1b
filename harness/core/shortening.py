"""Shorten texts for messages of one line."""

from collections.abc import Iterable
from itertools import takewhile

MAX_PAIR_CHARS = 160
"""The most characters of each of two texts that are compared."""

CONTEXT_CHARS = 40
"""How much of what two texts share is kept on each side of their difference."""


def shorten_middle(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters: the middle of a longer one becomes ``...``."""
    if len(text) <= most:
        return text
    head = (most - 2) // 2
    return f"{text[:head]}...{text[len(text) - (most - 3 - head) :]}"


def shorten_pair(one: str, other: str) -> tuple[str, str]:
    """Return two texts of one line each, short enough for a message; where they differ is kept."""
    one, other = " ".join(one.split()), " ".join(other.split())
    if max(len(one), len(other)) <= MAX_PAIR_CHARS:
        return one, other
    before = _count_equal(one, other)
    room = min(len(one), len(other)) - before
    after = min(room, _count_equal(reversed(one), reversed(other)))
    begin, end = max(0, before - CONTEXT_CHARS), max(0, after - CONTEXT_CHARS)
    begin, end = (0 if begin <= len("...") else begin), (0 if end <= len("...") else end)
    return _cut(one, begin, end), _cut(other, begin, end)


def _cut(text: str, begin: int, end: int) -> str:
    inside = text[begin : len(text) - end]
    return ("..." if begin else "") + shorten_middle(inside, MAX_PAIR_CHARS - 6) + ("..." if end else "")


def _count_equal(one: Iterable[str], other: Iterable[str]) -> int:
    """Return how many characters at the beginning of both are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
