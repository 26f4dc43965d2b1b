"""Shards of cases, drawn by the workers of a judge while earlier ones are judged.

    Plan -> worker: draw -> cases, in the order of the shards

Whoever asks for them needs no Hypothesis, and waits for no draw as long as a shard is ahead. What a user's strategy
does to its process, it does to a worker.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from foldproof.case import Case
from foldproof.core.errors import UsageError
from foldproof.generation.shards import Plan, shard_seed
from foldproof.workers import worker
from foldproof.workers.pool import WorkerPool, cause
from foldproof.workers.processes import WorkerDied

DRAW_SECONDS = 300.0
"""Time limit of drawing a shard, which takes a second."""

WORKERS_A_SHARD = 4
"""So many workers judge a shard in at least the time that one takes to draw another."""


class PendingDraw:
    """Up to ``most`` cases of a strategy of these ops, under way in a worker; see ``foldproof.generation.draw``."""

    def __init__(self, pool: WorkerPool, names: tuple[str, ...], strategy: str | None, most: int, seed: int) -> None:
        self._most = most
        self._ask = partial(pool.schedule, worker.draw, names, strategy, most, seed, seconds=DRAW_SECONDS)
        self._future = self._ask()

    def cases(self) -> list[Case]:
        """What was drawn. Raises UsageError for a strategy that is none, raises, hangs, or ends its process."""
        try:
            return self._answer()
        except WorkerDied:
            self._future = self._ask()  # what an earlier case did to the worker may have ended it
        try:
            return self._answer()
        except WorkerDied as error:
            raise UsageError(f"the strategy ended the process that drew from it ({cause(error.exitcode)})") from error

    def _answer(self) -> list[Case]:
        try:
            cases: list[Case] = self._future.result()
        except TimeoutError as error:
            raise UsageError(f"the strategy took over {DRAW_SECONDS:.0f} s for {self._most} cases") from error
        return cases

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._future.cancel()


def prefetch_shards(
    pool: WorkerPool,
    names: tuple[str, ...],
    strategy: str | None,
    examples: int | None,
    seed: int,
    *,
    done: Mapping[int, int] | None = None,
) -> Iterator[tuple[int, list[Case]]]:
    """Shard after shard, each with its distinct cases, until a budget is used up (None: without end).

    Shards that are ``done`` are left out; the budget counts how many cases they had. Raises UsageError.
    """
    plan = Plan(examples, done)
    under_way: dict[int, PendingDraw] = {}

    def ask() -> None:
        for shard, most in plan.ahead():
            if len(under_way) > pool.workers // WORKERS_A_SHARD + 1 or not plan.is_final(shard, most):
                return
            if shard not in under_way:
                under_way[shard] = PendingDraw(pool, names, strategy, most, shard_seed(seed, shard))

    try:
        ask()
        while under_way:
            shard = min(under_way)
            cases = under_way.pop(shard).cases()
            plan.count(shard, len(cases))
            ask()
            if cases:
                yield shard, cases
    finally:
        for drawing in under_way.values():
            drawing.cancel()
