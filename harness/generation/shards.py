"""Which shards a campaign has, how many cases each, and their seeds. No case is drawn here, so Hypothesis is far."""

from collections.abc import Iterator, Mapping

_SEED_STEP = 1_000_003
"""Prime, so that the shards of neighbouring campaign seeds do not meet."""


def shard_seed(seed: int, shard: int) -> int:
    """The seed of a shard of a campaign."""
    return seed * _SEED_STEP + shard


SHARD_EXAMPLES = 500
FIRST_SHARD_EXAMPLES = 60
"""Shards double from the first one, so that workers have something to do soon."""


class Plan:
    """Which shards a budget of ``examples`` needs (None: without end), and how many cases each may have.

    Law: that depends on how many cases the shards before it have, and on nothing else. A shard that is not ``counted``
    yet is expected to have as many as it may, which nearly all have; where one has fewer, the last ones grow.
    """

    def __init__(self, examples: int | None, counted: Mapping[int, int] | None = None) -> None:
        self._left, self._counted, self.first = examples, dict(counted or {}), 0
        self._settle()

    def count(self, shard: int, cases: int) -> None:
        """A shard was drawn, and has so many cases; none of them ends the plan."""
        self._counted[shard] = cases
        self._settle()

    def _settle(self) -> None:
        """``first`` is the first shard that is not counted; those before it are off the budget, and forgotten."""
        while self._counted.get(self.first):
            count = self._counted.pop(self.first)
            self._left = None if self._left is None else self._left - count
            self.first += 1

    def ahead(self) -> Iterator[tuple[int, int]]:
        """(shard, most cases) of the shards that are not counted. To be asked again when a shard has fewer cases."""
        left, shard = self._left, self.first
        while left is None or left > 0:
            most, count = _most(shard, left), self._counted.get(shard)
            if count == 0:
                return
            if count is None:
                yield shard, most
            left = None if left is None else left - (most if count is None else count)
            shard += 1

    def is_final(self, shard: int, most: int) -> bool:
        """Whether a shard of the plan keeps that size, whatever the shards have that are not counted."""
        return shard == self.first or most == _most(shard, None)


def _most(shard: int, left: int | None) -> int:
    full = min(SHARD_EXAMPLES, FIRST_SHARD_EXAMPLES << min(shard, 10))
    return full if left is None else min(full, left)
