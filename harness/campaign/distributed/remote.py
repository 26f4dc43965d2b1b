"""Shards that are checked on other machines: recorded as they arrive, counted in their order.

    plan -> ShardExecutor -> ShardResult, in any order -> journal
                                                       +-> waits for the shards before it -> Summary

Invariant: the summary is that of a local run with the same settings and seed. Counting in order guarantees it: the
first case of a failure, and the shard that reaches ``max_failures``, depend on the order.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from foldproof.campaign.campaign import RunShards, has_time_left
from foldproof.campaign.journal import Journal
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary, shard_record
from foldproof.campaign.triage import save_failure
from foldproof.generation.shards import Plan
from foldproof.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """The result of a shard.

    Attributes:
        shard: its number.
        most: how many cases it was asked to have.
        cases: how many it has.
        whole: whether all of them were checked; a shard that reaches ``max_failures`` ends early.
        digest: the digest of its cases and results, see ``foldproof.campaign.digest``.
        parts: records of ``Summary.to_record`` of consecutive cases. Where ``max_failures`` is set, a part ends with
            the batch that brought a new failure.
    """

    shard: int
    most: int
    cases: int
    whole: bool
    digest: str
    parts: Sequence[Mapping[str, Any]]


class ShardExecutor(Protocol):
    """Checks shards on other machines."""

    def results(
        self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]
    ) -> Generator[ShardResult, None, None]:
        """Yield a result for each shard of the plan, as they arrive, after the plan counted it.

        Ends early, with what has arrived, when ``keep_going`` returns False.

        Raises:
            CampaignError: if the machines cannot continue.
        """


def run_remotely(executor: ShardExecutor) -> RunShards:
    """Return the ``run_shards`` of ``campaign.run`` that lets ``executor`` check the shards."""

    def run_shards(
        settings: Settings,
        pool: WorkerPool,
        listener: Listener,
        journal: Journal | None,
        summary: Summary,
        started: float,
    ) -> None:
        done = {shard["shard"]: shard["cases"] for shard in journal.shards} if journal else {}
        ledger = ShardLedger(
            settings=settings, listener=listener, journal=journal, summary=summary, started=started, done=done
        )
        try:
            with closing(executor.results(settings, Plan(settings.examples, done), ledger.keep_going)) as results:
                for result in results:
                    if not ledger.add(result):
                        return
        finally:
            summary.seconds = time.monotonic() - started
            if not ledger.closed:
                ledger.count_early()
        if listener.stopped:
            raise KeyboardInterrupt

    return run_shards


@dataclass(kw_only=True)
class ShardLedger:
    """Counts results in the order of their shards.

    ``due`` is the shard that is counted next, ``early`` holds results of later shards, ``done`` the shards of a resumed
    journal. ``closed`` says that ``max_failures`` is reached.
    """

    settings: Settings
    listener: Listener
    journal: Journal | None
    summary: Summary
    started: float
    done: dict[int, int] = field(default_factory=dict)
    early: dict[int, ShardResult] = field(default_factory=dict)
    due: int = 0
    recorded: float = 0.0
    closed: bool = False

    def keep_going(self) -> bool:
        """Return whether there is time left and the user did not stop the campaign."""
        return has_time_left(self.settings, self.started, self.summary) and not self.listener.stopped

    def add(self, result: ShardResult) -> bool:
        """Record a result, and count those that are due; return whether the campaign continues."""
        self.early[result.shard] = result
        self._record(result)
        self._skip_done()
        while (ready := self.early.pop(self.due, None)) is not None:
            self._count(ready)
            if self.closed:
                return False
            self.due += 1
            self._skip_done()
        return True

    def count_early(self) -> None:
        """Count the results that wait for shards that will not arrive."""
        for shard in sorted(self.early):
            if not self.closed:
                self._count(self.early.pop(shard))

    def _skip_done(self) -> None:
        while self.due in self.done:
            self.due += 1

    def _record(self, result: ShardResult) -> None:
        """Record a whole shard. A shard that ended early is not recorded: a resumed campaign checks it again."""
        if self.journal is None or not result.whole:
            return
        part, now = Summary(seed=self.settings.seed), time.monotonic() - self.started
        for each in result.parts:
            part.absorb(each, shard=result.shard)
        part.seconds, self.recorded = now - self.recorded, now
        self.journal.record_shard({"shard": result.shard, "digest": result.digest, **shard_record(part, self.summary)})

    def _count(self, result: ShardResult) -> None:
        for each in result.parts:
            for new in self.summary.absorb(each, shard=result.shard):
                self.listener.on_failure(new)
                save_failure(self.settings, new)
            if self._reached_limit():
                self.closed = True
                break
        self.summary.seconds = time.monotonic() - self.started
        self.listener.on_progress(self.summary)

    def _reached_limit(self) -> bool:
        most = self.settings.max_failures
        return most is not None and len(self.summary.failures) >= most
