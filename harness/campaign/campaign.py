"""A campaign: shards of random cases under a budget, checked by worker processes.

    seed -> shard seeds -> workers: cases (Hypothesis) -> batches -> workers: results -> Summary
                                                                        +-- whole shards -> journal

A shard is a pure function of (settings, seed), so any machine can run it again. Generation does not depend on results.
A failure does not end a campaign unless ``max_failures`` is set: it is counted by fingerprint, and shrunk at the end.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from foldproof.campaign.digest import Digest
from foldproof.campaign.grouping import group_failures
from foldproof.campaign.journal import Journal, JournalError
from foldproof.campaign.known import KnownFailure
from foldproof.campaign.listener import Listener
from foldproof.campaign.prefetch import prefetch_shards
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary, shard_record
from foldproof.campaign.triage import save_failure
from foldproof.case.any_case import AnyCase
from foldproof.core.errors import UsageError
from foldproof.corpus.entry import CorpusError
from foldproof.workers.pool import Job, WorkerPool

BATCH_CASES = 16

FAILURE_SECONDS = 20.0
"""What shrinking and confirming a failure needs, on a busy machine."""


class CampaignError(UsageError):
    """An error that ends a campaign early, but is not a defect; the message is one line."""


RunShards = Callable[[Settings, WorkerPool, Listener, Journal | None, Summary, float], None]
"""Checks shard after shard until a budget ends: counts and records them, informs the listener, and saves failures."""


def run(
    settings: Settings,
    pool: WorkerPool,
    listener: Listener,
    journal: Journal | None = None,
    run_shards: RunShards | None = None,
    known: Sequence[KnownFailure] = (),
    started: float | None = None,
) -> Summary:
    """Run a campaign until its budget ends, then shrink and save its distinct failures.

    Ctrl-C ends it early: the summary is then ``interrupted``. A corpus or journal that cannot be written ends it early
    too: the summary has a ``problem``. Both summaries have what was found before.

    Args:
        settings: what to do. ``seconds`` is the budget of this run.
        pool: workers that are started.
        listener: receives the events.
        journal: an open journal. Shards that it has are not checked again; finished shards are recorded in it.
        run_shards: checks the shards elsewhere; ``pool`` then only shrinks.
        known: known failures that still fail, whose fingerprints are ``settings.known``.
        started: when the campaign began (time.monotonic), with its start-up; None is now.

    Returns:
        The summary, with the shards of the journal.

    Raises:
        UsageError: if no case can be drawn: for an unknown op or an unusable strategy.
    """
    summary = Summary(seed=settings.seed)
    for shard in sorted(journal.shards, key=itemgetter("shard")) if journal else ():
        summary.absorb(shard, shard=shard["shard"])
    summary.resumed = summary.executed
    began = time.monotonic()
    if started is not None:
        summary.phases["start"] = began - started
    started = began - _counted_start(settings, summary)
    try:
        for fingerprint, found in summary.failures.items():
            if journal and found.path is None and fingerprint not in journal.shrunk:
                save_failure(settings, found)  # a shard may be recorded before its failures are saved
        (run_shards or _run_shards)(settings, pool, listener, journal, summary, started)
        summary.seconds = time.monotonic() - began
        summary.phases["draw and check"] = summary.seconds
        deadline = math.inf if settings.seconds is None else started + settings.seconds
        group_failures(settings, pool, listener, journal, summary, known, deadline=deadline)
    except KeyboardInterrupt:
        summary.interrupted = True
        summary.seconds = summary.seconds or time.monotonic() - began
    except (CorpusError, JournalError, CampaignError) as error:
        summary.problem = str(error)
        summary.seconds = summary.seconds or time.monotonic() - began
    return summary


def _run_shards(
    settings: Settings, pool: WorkerPool, listener: Listener, journal: Journal | None, summary: Summary, started: float
) -> None:
    part, digest, finished = Summary(seed=settings.seed), Digest(), 0.0
    for batch, job in _submit_batches(settings, pool, summary, journal, started):
        for case, result in zip(job.cases, job.results(), strict=True):
            part.add(case, result, settings.known, shard=batch.shard)
            digest.add(case, result)
            new = summary.add(case, result, settings.known, shard=batch.shard)
            if new is not None:
                listener.on_failure(new)
                save_failure(settings, new)
        summary.seconds = time.monotonic() - started - _counted_start(settings, summary)
        listener.on_progress(summary)
        if listener.stopped:
            raise KeyboardInterrupt
        if batch.last:
            if journal:
                part.cases, part.seconds = part.executed, summary.seconds - finished
                journal.record_shard({"shard": batch.shard, "digest": str(digest), **shard_record(part, summary)})
            part, digest, finished = Summary(seed=settings.seed), Digest(), summary.seconds
        if settings.max_failures is not None and len(summary.failures) >= settings.max_failures:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A few consecutive cases of a shard; ``last`` marks the batch that ends it."""

    shard: int
    cases: Sequence[AnyCase]
    last: bool


def _submit_batches(
    settings: Settings, pool: WorkerPool, summary: Summary, journal: Journal | None, started: float
) -> Iterator[tuple[Batch, Job]]:
    """Yield batches and their jobs in order, with enough of them submitted that no worker waits for the next draw."""
    done = {shard["shard"]: shard["cases"] for shard in journal.shards} if journal else {}
    batches = _draw_batches(settings, pool, done)
    submitted: list[tuple[Batch, Job]] = []
    exhausted, problem = False, None
    while True:
        while not exhausted and len(submitted) < 2 * settings.workers + 2:
            try:
                batch = next(batches, None) if has_time_left(settings, started, summary) else None
            except UsageError as error:  # the user's strategy failed; the cases that it drew before are checked first
                if not summary.cases:
                    raise
                problem, batch = CampaignError(str(error)), None
            exhausted = batch is None
            if batch is not None:
                if journal:
                    journal.record_running(batch.shard, batch.cases)
                summary.cases += len(batch.cases)
                submitted.append((batch, pool.submit(batch.cases)))
        if not submitted and problem is not None:
            raise problem
        if not submitted:
            return
        if not has_time_left(settings, started, summary):
            submitted = [
                (batch, job)
                for batch, job in submitted
                if job.future.running() or job.future.done() or not job.future.cancel()
            ]
            exhausted = True
            if not submitted:
                continue
        yield submitted.pop(0)


def has_time_left(settings: Settings, started: float, summary: Summary) -> bool:
    """Return whether there is time left to check cases, apart from the time that is reserved for shrinking.

    ``started`` is when the campaign began (time.monotonic).
    """
    return settings.seconds is None or time.monotonic() - started < settings.seconds - _reserved(settings, summary)


def _reserved(settings: Settings, summary: Summary) -> float:
    """Return the seconds that are reserved for shrinking what has failed: at most a third of the budget."""
    failed = summary.failing if settings.shrink_seconds > 0 else summary.known
    return min((settings.seconds or 0.0) / 3, FAILURE_SECONDS * len(failed))


def _counted_start(settings: Settings, summary: Summary) -> float:
    """Return the seconds of the start-up that count: at most a quarter, so that every campaign checks some cases."""
    return min(summary.phases.get("start", 0.0), (settings.seconds or 0.0) / 4)


def _draw_batches(settings: Settings, pool: WorkerPool, done: Mapping[int, int]) -> Iterator[Batch]:
    """Yield the batches of shard after shard. ``done`` holds the shards to leave out, and their numbers of cases."""
    for shard, cases in prefetch_shards(pool, settings.source, settings.examples, settings.seed, done=done):
        yield from split_batches(shard, cases)


def split_batches(shard: int, cases: Sequence[AnyCase]) -> Iterator[Batch]:
    """Yield the cases of a shard in batches."""
    for start in range(0, len(cases), BATCH_CASES):
        yield Batch(shard=shard, cases=cases[start : start + BATCH_CASES], last=start + BATCH_CASES >= len(cases))
