"""Prefetch of shards: workers draw the next shards while earlier ones are checked.

    Plan -> worker: draw -> cases, in the order of the shards

The coordinator imports no Hypothesis, and waits for a draw only if no shard is prefetched. A user's strategy that
crashes or hangs does so in a worker.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from foldproof.case.any_case import AnyCase
from foldproof.core.errors import UsageError
from foldproof.generation.case_source import CaseSource
from foldproof.generation.shards import Plan, shard_seed
from foldproof.workers import worker
from foldproof.workers.pool import WorkerPool, cause
from foldproof.workers.processes import WorkerDied

DRAW_SECONDS = 300.0
"""Time limit of drawing a shard, which takes a second."""

WORKERS_PER_DRAW = 4
"""This number of workers check a shard no faster than one worker draws the next."""


class PendingDraw:
    """A draw that runs in a worker: up to ``most`` cases of a source, see ``foldproof.generation.draw``."""

    def __init__(self, pool: WorkerPool, source: CaseSource, most: int, seed: int) -> None:
        self._most = most
        self._submit = partial(pool.schedule, worker.draw, source, most, seed, seconds=DRAW_SECONDS)
        self._future = self._submit()

    def cases(self) -> list[AnyCase]:
        """Wait for the draw, and return its cases.

        Raises:
            UsageError: if the strategy is unusable, raises, hangs, or ends its process.
        """
        try:
            return self._result()
        except WorkerDied:
            self._future = self._submit()  # an earlier case may have damaged the worker
        try:
            return self._result()
        except WorkerDied as error:
            raise UsageError(f"the strategy ended the process that drew from it ({cause(error.exitcode)})") from error

    def _result(self) -> list[AnyCase]:
        try:
            cases: list[AnyCase] = self._future.result()
        except TimeoutError as error:
            raise UsageError(f"the strategy took more than {DRAW_SECONDS:.0f} s to draw {self._most} cases") from error
        return cases

    def cancel(self) -> None:
        """Cancel the draw if it has not begun."""
        self._future.cancel()


def prefetch_shards(
    pool: WorkerPool,
    source: CaseSource,
    examples: int | None,
    seed: int,
    *,
    done: Mapping[int, int] | None = None,
) -> Iterator[tuple[int, list[AnyCase]]]:
    """Yield shard after shard with its distinct cases, until a budget of cases is used up.

    Args:
        pool: the workers that draw.
        source: what to draw from.
        examples: the budget; None means unlimited.
        seed: the seed of the campaign.
        done: shards to leave out, and their numbers of cases, which the budget includes.

    Raises:
        UsageError: if the strategy cannot be drawn from.
    """
    plan = Plan(examples, done)
    pending: dict[int, PendingDraw] = {}

    def submit() -> None:
        for shard, most in plan.pending():
            if len(pending) > pool.workers // WORKERS_PER_DRAW + 1 or not plan.is_final(shard, most):
                return
            if shard not in pending:
                pending[shard] = PendingDraw(pool, source, most, shard_seed(seed, shard))

    try:
        submit()
        while pending:
            shard = min(pending)
            cases = pending.pop(shard).cases()
            plan.count(shard, len(cases))
            submit()
            if cases:
                yield shard, cases
    finally:
        for draw in pending.values():
            draw.cancel()
