"""A campaign: shards of random cases under a budget, judged by worker processes.

    seed -> shard seeds -> workers: cases (Hypothesis) -> batches -> workers: results -> Summary
                                                                        +-- whole shards -> journal

A shard is a pure function of (settings, seed), so any machine can run it again. Generation never waits for a verdict,
and a failure never ends a campaign unless that is asked for: it is counted by fingerprint and shrunk at the end.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from foldproof.campaign.digest import Digest
from foldproof.campaign.journal import Journal, JournalError
from foldproof.campaign.prefetch import prefetch_shards
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import DistinctFailure, Summary, failure_record, shard_record
from foldproof.campaign.triage import restore_shrunk, save_failure, shrink_failure
from foldproof.case import Case
from foldproof.core.errors import UsageError
from foldproof.corpus.entry import CorpusError
from foldproof.workers.pool import Job, WorkerPool

BATCH_CASES = 16


class Listener:
    """Told what happens; the report subclasses it.

    ``stopped`` says that the user wants the campaign to end: a KeyboardInterrupt alone is lost if it is raised where
    Python ignores exceptions, such as a finalizer.
    """

    stopped = False

    def progressed(self, summary: Summary) -> None:
        """A batch was judged."""

    def found(self, found: DistinctFailure) -> None:
        """A failure of a new kind."""

    def shrinking(self, found: DistinctFailure) -> None:
        """Shrinking of a failure begins."""

    def shrunk(self, found: DistinctFailure) -> None:
        """A failure was shrunk, saved and rerun."""


class CampaignError(UsageError):
    """What ends a campaign early and is no defect; the message says it in a line."""


RunShards = Callable[[Settings, WorkerPool, Listener, Journal | None, Summary, float], None]
"""Judges shard after shard until a budget ends: counts them, tells the listener, writes them down, saves failures."""


def run(
    settings: Settings,
    pool: WorkerPool,
    listener: Listener,
    journal: Journal | None = None,
    judging: RunShards | None = None,
) -> Summary:
    """Run a campaign to the end of its budget, then shrink and save what was found. The judge must be started.

    What ``journal`` has is not judged again; ``seconds`` are those of this run. Raises UsageError for an unknown op or
    a strategy that is none. Ctrl-C ends it early: the summary then says ``interrupted``; a corpus or a journal that
    cannot be written does so too, and the summary says ``trouble``. What was found is in it all the same.
    ``judging`` is another way to have the shards judged than by ``judge``, which then shrinks only.
    """
    summary = Summary(seed=settings.seed)
    for shard in sorted(journal.shards, key=itemgetter("shard")) if journal else ():
        summary.absorb(shard)
    summary.resumed = summary.executed
    started = time.monotonic()
    try:
        for fingerprint, found in summary.failures.items():
            if journal and found.path is None and fingerprint not in journal.shrunk:
                save_failure(settings, found)  # shards that arrive ahead of others are written down before this is done
        (judging or _judge_shards)(settings, pool, listener, journal, summary, started)
        summary.seconds = time.monotonic() - started
        for found in summary.failures.values():
            if listener.stopped:
                raise KeyboardInterrupt
            if not restore_shrunk(journal, found):
                listener.shrinking(found)
                shrink_failure(settings, pool, found)
                if journal:
                    journal.shrank(failure_record(found))
                listener.shrunk(found)
    except KeyboardInterrupt:
        summary.interrupted = True
        summary.seconds = summary.seconds or time.monotonic() - started
    except (CorpusError, JournalError, CampaignError) as error:
        summary.problem = str(error)
        summary.seconds = summary.seconds or time.monotonic() - started
    return summary


def _judge_shards(
    settings: Settings, pool: WorkerPool, listener: Listener, journal: Journal | None, summary: Summary, started: float
) -> None:
    part, digest, finished = Summary(seed=settings.seed), Digest(), 0.0
    for batch, job in _jobs(settings, pool, summary, journal, started):
        for case, result in zip(job.cases, job.results(), strict=True):
            part.add(case, result, settings.known)
            digest.add(case, result)
            new = summary.add(case, result, settings.known)
            if new is not None:
                listener.found(new)
                save_failure(settings, new)
        summary.seconds = time.monotonic() - started
        listener.progressed(summary)
        if listener.stopped:
            raise KeyboardInterrupt
        if batch.last:
            if journal:
                part.cases, part.seconds = part.executed, summary.seconds - finished
                journal.finished({"shard": batch.shard, "digest": str(digest), **shard_record(part, summary)})
            part, digest, finished = Summary(seed=settings.seed), Digest(), summary.seconds
        if settings.max_failures is not None and len(summary.failures) >= settings.max_failures:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A few cases of one shard; ``last`` says that it ends the shard."""

    shard: int
    cases: Sequence[Case]
    last: bool


def _jobs(
    settings: Settings, pool: WorkerPool, summary: Summary, journal: Journal | None, started: float
) -> Iterator[tuple[Batch, Job]]:
    """Jobs in the order drawn, with enough of them under way that no worker waits while the next shard is drawn."""
    done = {shard["shard"]: shard["cases"] for shard in journal.shards} if journal else {}
    batches = _batches(settings, pool, done)
    waiting: list[tuple[Batch, Job]] = []
    exhausted, problem = False, None
    while True:
        while not exhausted and len(waiting) < 2 * settings.workers + 2:
            try:
                batch = next(batches, None) if in_time(settings, started) else None
            except UsageError as error:  # the user's strategy; what it drew before is judged first
                if not summary.cases:
                    raise
                problem, batch = CampaignError(str(error)), None
            exhausted = batch is None
            if batch is not None:
                if journal:
                    journal.runs(batch.shard, batch.cases)
                summary.cases += len(batch.cases)
                waiting.append((batch, pool.submit(batch.cases)))
        if not waiting and problem is not None:
            raise problem
        if not waiting:
            return
        if not in_time(settings, started):
            waiting = [
                (batch, job)
                for batch, job in waiting
                if job.future.running() or job.future.done() or not job.future.cancel()
            ]
            exhausted = True
            if not waiting:
                continue
        yield waiting.pop(0)


def in_time(settings: Settings, started: float) -> bool:
    """Whether the budget of time of a campaign that ``started`` then goes on."""
    return settings.seconds is None or time.monotonic() - started < settings.seconds


def _batches(settings: Settings, pool: WorkerPool, done: Mapping[int, int]) -> Iterator[Batch]:
    """Shard after shard, until the budget of examples is used up. ``done`` are shards to leave out, and their cases."""
    names, strategy = settings.ops, settings.strategy
    for shard, cases in prefetch_shards(pool, names, strategy, settings.examples, settings.seed, done=done):
        yield from batched(shard, cases)


def batched(shard: int, cases: Sequence[Case]) -> Iterator[Batch]:
    """The cases of a shard, a few at a time."""
    for start in range(0, len(cases), BATCH_CASES):
        yield Batch(shard=shard, cases=cases[start : start + BATCH_CASES], last=start + BATCH_CASES >= len(cases))
