"""The shards of a campaign: their numbers, sizes and seeds. No case is drawn here, so Hypothesis is not imported."""

from collections.abc import Iterator, Mapping

_SEED_STEP = 1_000_003
"""A prime, so that shards of neighbouring campaign seeds have different seeds."""


def shard_seed(seed: int, shard: int) -> int:
    """Return the seed of a shard, from the seed of its campaign."""
    return seed * _SEED_STEP + shard


SHARD_EXAMPLES = 500
FIRST_SHARD_EXAMPLES = 60
"""Shards double from the first one, so that workers get work soon."""


class Plan:
    """The shards that a budget of ``examples`` needs (None: no limit), and how many cases each may have.

    Invariant: the size of a shard depends on the numbers of cases of the shards before it alone. A shard that is not
    counted yet is expected to have as many as it may, as nearly all have. Where one has fewer, the last ones grow.
    """

    def __init__(self, examples: int | None, counted: Mapping[int, int] | None = None) -> None:
        self._left, self._counted, self.first = examples, dict(counted or {}), 0
        self._settle()

    def count(self, shard: int, cases: int) -> None:
        """Count a shard that was drawn, with its number of cases; 0 ends the plan."""
        self._counted[shard] = cases
        self._settle()

    def _settle(self) -> None:
        """Move ``first`` to the first shard that is not counted, and subtract those before it from the budget."""
        while self._counted.get(self.first):
            count = self._counted.pop(self.first)
            self._left = None if self._left is None else self._left - count
            self.first += 1

    def pending(self) -> Iterator[tuple[int, int]]:
        """Yield (shard, most cases) of the shards that are not counted. Call it again after a smaller shard."""
        left, shard = self._left, self.first
        while left is None or left > 0:
            most, count = _size(shard, left), self._counted.get(shard)
            if count == 0:
                return
            if count is None:
                yield shard, most
            left = None if left is None else left - (most if count is None else count)
            shard += 1

    def is_final(self, shard: int, most: int) -> bool:
        """Return whether a shard of the plan keeps this size, whatever the shards that are not counted have."""
        return shard == self.first or most == _size(shard, None)


def _size(shard: int, left: int | None) -> int:
    full = min(SHARD_EXAMPLES, FIRST_SHARD_EXAMPLES << min(shard, 10))
    return full if left is None else min(full, left)
