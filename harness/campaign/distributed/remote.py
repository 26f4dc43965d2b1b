"""Shards that are judged on other machines: written down as they arrive, counted in their order.

    plan -> machines -> Answer, in any order -> journal
                                             +-> waits for the shards before it -> Summary

Law: the summary is that of a local run with the same settings and seed. Counting in order is what makes it so: which
case is the first of its failure, and where ``max_failures`` ends the campaign, depends on the order.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from foldproof.campaign.campaign import Listener, RunShards, in_time
from foldproof.campaign.journal import Journal
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary, shard_record
from foldproof.campaign.triage import save_failure
from foldproof.generation.shards import Plan
from foldproof.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What a machine says of a shard that was given ``most`` cases, of which it has ``cases``.

    ``legs`` are plain summaries of its cases, one after the other. Where a campaign may end with a failure, each ends
    with the batch that brought one of a new kind. ``whole`` says that no case was left out because of that.
    """

    shard: int
    most: int
    cases: int
    whole: bool
    digest: str
    parts: Sequence[Mapping[str, Any]]


class ShardExecutor(Protocol):
    """Whatever judges shards."""

    def results(
        self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]
    ) -> Generator[ShardResult, None, None]:
        """An answer for each shard of the plan, as they arrive; the plan has counted it then.

        Ends early, with what has arrived, when ``going_on`` says so; raises Trouble if the machines cannot go on.
        """


def run_remotely(executor: ShardExecutor) -> RunShards:
    """How ``campaign.run`` has its shards judged by ``machines``."""

    def judge_shards(
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
                    if not ledger.enter(result):
                        return
        finally:
            summary.seconds = time.monotonic() - started
            if not ledger.closed:
                ledger.add_late()
        if listener.stopped:
            raise KeyboardInterrupt

    return judge_shards


@dataclass(kw_only=True)
class ShardLedger:
    """The coordinator's. ``late`` are answers that wait for those of the shards before them."""

    settings: Settings
    listener: Listener
    journal: Journal | None
    summary: Summary
    started: float
    done: dict[int, int] = field(default_factory=dict)
    late: dict[int, ShardResult] = field(default_factory=dict)
    due: int = 0
    written: float = 0.0
    closed: bool = False

    def keep_going(self) -> bool:
        """Whether there is time left, and nobody wants to stop."""
        return in_time(self.settings, self.started) and not self.listener.stopped

    def enter(self, result: ShardResult) -> bool:
        """Write an answer down, and count what is due; whether the campaign goes on."""
        self.late[result.shard] = result
        self._write(result)
        self._skip_done()
        while (ready := self.late.pop(self.due, None)) is not None:
            self._count(ready)
            if self.closed:
                return False
            self.due += 1
            self._skip_done()
        return True

    def add_late(self) -> None:
        """Count what still waits for shards that will not come."""
        for shard in sorted(self.late):
            if not self.closed:
                self._count(self.late.pop(shard))

    def _skip_done(self) -> None:
        while self.due in self.done:
            self.due += 1

    def _write(self, result: ShardResult) -> None:
        """An answer that is not whole is none for the journal: the shard would have to be judged again."""
        if self.journal is None or not result.whole:
            return
        part, now = Summary(seed=self.settings.seed), time.monotonic() - self.started
        for leg in result.parts:
            part.absorb(leg)
        part.seconds, self.written = now - self.written, now
        self.journal.finished({"shard": result.shard, "digest": result.digest, **shard_record(part, self.summary)})

    def _count(self, result: ShardResult) -> None:
        for leg in result.parts:
            for new in self.summary.absorb(leg):
                self.listener.found(new)
                save_failure(self.settings, new)
            if self._enough():
                self.closed = True
                break
        self.summary.seconds = time.monotonic() - self.started
        self.listener.progressed(self.summary)

    def _enough(self) -> bool:
        most = self.settings.max_failures
        return most is not None and len(self.summary.failures) >= most
