"""A campaign: shards of random cases under a budget, judged by worker processes.

    seed -> shard seeds -> cases (Hypothesis, here) -> batches -> workers -> results -> Summary

A shard is a pure function of (settings, seed), so any machine can run it again. Generation never waits for a verdict,
and a failure never ends a campaign unless that is asked for: it is counted by fingerprint and shrunk at the end.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from harness.case import Case
from harness.corpus import CorpusError, Entry, save
from harness.draws import draw, shard_seed, strategy_of
from harness.failures import Failure
from harness.pool import Job, Judge
from harness.question import Question
from harness.reproducer import Reproducer, reproducer
from harness.shrink import Shrunk, shrink
from harness.verdict import Verdict
from harness.worker import Result

SHARD_EXAMPLES = 500
FIRST_SHARD_EXAMPLES = 60
"""Shards double from the first one, so that workers have something to do soon."""

BATCH_CASES = 8
RERUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a campaign does. ``seconds`` and ``examples`` are budgets; the first that is used up ends it."""

    ops: tuple[str, ...] = ()
    question: Question = field(default_factory=Question)
    strategy: str | None = None
    seed: int = 0
    seconds: float | None = None
    examples: int | None = None
    workers: int = 1
    first: bool = False
    corpus: Path | None = None
    shrink_seconds: float = 60.0


@dataclass(kw_only=True)
class Found:
    """A distinct failure: the first case that showed it, how often it was seen, and what became of it."""

    failure: Failure
    count: int = 1
    shrunk: Shrunk | None = None
    reproduced: int = 0
    path: Path | None = None
    reproducer: Reproducer | None = None

    @property
    def smallest(self) -> Failure:
        return self.shrunk.failure if self.shrunk else self.failure


@dataclass(kw_only=True)
class Summary:
    """What a campaign saw. ``cases`` were drawn and distinct within their shard; ``executed`` have a result.

    ``sampled`` cases were run by both pipelines and gave the same bits; ``fallbacks`` counts why the fast pipeline left
    a case to the default one.
    """

    seed: int
    cases: int = 0
    executed: int = 0
    folded: int = 0
    refused: int = 0
    failed: int = 0
    in_doubt: int = 0
    sampled: int = 0
    seconds: float = 0.0
    by_op: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    legality: Counter[str] = field(default_factory=Counter)
    undefined: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Found] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def cases_per_second(self) -> float:
        return self.executed / self.seconds if self.seconds else 0.0

    def add(self, case: Case, result: Result) -> Found | None:
        """Count a result; the record of a failure that was not seen before, else None."""
        self.executed += 1
        if isinstance(result, Failure):
            return self._add_failure(case, result)
        outcome = "folded" if result.folded else "refused"
        self.folded += result.folded
        self.refused += not result.folded
        self.in_doubt += result.in_doubt
        self.sampled += result.sampled
        self.by_op[case.op, outcome] += 1
        if result.in_doubt:
            self.by_op[case.op, "in doubt"] += 1
        self._count(result)
        return None

    def _add_failure(self, case: Case, failure: Failure) -> Found | None:
        self.failed += 1
        self.by_op[case.op, "failed"] += 1
        found = self.failures.get(failure.fingerprint)
        if found is not None:
            found.count += 1
            return None
        self.failures[failure.fingerprint] = Found(failure=failure)
        return self.failures[failure.fingerprint]

    def _count(self, verdict: Verdict) -> None:
        self.reasons.update({kind for kind, _ in verdict.reasons})
        self.rules.update(set(verdict.rules))
        self.undefined.update(verdict.undefined)
        self.findings.update(verdict.findings)
        if verdict.fallback:
            self.fallbacks[verdict.fallback] += 1
        if verdict.legality is not None:
            self.legality[str(verdict.legality)] += 1

    def to_plain(self) -> dict[str, Any]:
        """The last line of ``--json``."""
        return {
            "event": "summary",
            "seed": self.seed,
            "cases": self.cases,
            "executed": self.executed,
            "folded": self.folded,
            "refused": self.refused,
            "failed": self.failed,
            "in_doubt": self.in_doubt,
            "sampled": self.sampled,
            "failures": [failure_record(found) for found in self.failures.values()],
            "seconds": round(self.seconds, 3),
            "cases_per_second": round(self.cases_per_second, 3),
            "by_op": {f"{op} {outcome}": n for (op, outcome), n in sorted(self.by_op.items())},
            "reasons": dict(self.reasons),
            "rules": dict(self.rules),
            "legality": dict(self.legality),
            "undefined": dict(self.undefined),
            "findings": dict(self.findings),
            "fallbacks": dict(self.fallbacks),
            "interrupted": self.interrupted,
        }


def failure_record(found: Found) -> dict[str, Any]:
    """A failure as a line of ``--json`` has it."""
    return {
        "fingerprint": found.smallest.fingerprint,
        "count": found.count,
        "detail": found.smallest.detail,
        "case": found.smallest.case.to_json(),
        "minimal": bool(found.shrunk and found.shrunk.minimal),
        "reproduced": f"{found.reproduced}/{RERUNS}",
        "path": str(found.path) if found.path else None,
        "script": str(found.reproducer.path) if found.reproducer and found.reproducer.path else None,
        "script_confirmed": bool(found.reproducer and found.reproducer.confirmed),
    }


class Listener:
    """Told what happens; the report subclasses it."""

    def progressed(self, summary: Summary) -> None:
        """A batch was judged."""

    def found(self, found: Found) -> None:
        """A failure of a new kind."""

    def shrinking(self, found: Found) -> None:
        """Shrinking of a failure begins."""

    def shrunk(self, found: Found) -> None:
        """A failure was shrunk, saved and rerun."""


def run(settings: Settings, judge: Judge, listener: Listener) -> Summary:
    """Run a campaign to the end of its budget, then shrink and save what was found. The judge must be started.

    Raises UsageError for an unknown op or a strategy that is none, CorpusError if a case cannot be saved.
    Ctrl-C ends it early: the summary then says ``interrupted``, and what was found is saved as it is.
    """
    summary = Summary(seed=settings.seed)
    started = time.monotonic()
    try:
        for job in _jobs(settings, judge, summary, started):
            for case, result in zip(job.cases, job.results(), strict=True):
                new = summary.add(case, result)
                if new is not None:
                    _save_found(settings, new)
                    listener.found(new)
            summary.seconds = time.monotonic() - started
            listener.progressed(summary)
            if settings.first and summary.failures:
                break
        summary.seconds = time.monotonic() - started
        for found in summary.failures.values():
            listener.shrinking(found)
            shrink_found(settings, judge, found)
            listener.shrunk(found)
    except KeyboardInterrupt:
        summary.interrupted = True
        summary.seconds = summary.seconds or time.monotonic() - started
    return summary


def _jobs(settings: Settings, judge: Judge, summary: Summary, started: float) -> Iterator[Job]:
    """Jobs in the order drawn, with enough of them under way that no worker waits while the next shard is drawn."""
    cases = _cases(settings, summary)
    waiting: list[Job] = []
    exhausted = False
    while True:
        while not exhausted and len(waiting) < 2 * settings.workers + 2:
            batch = list(islice(cases, BATCH_CASES)) if _in_time(settings, started) else []
            exhausted = len(batch) < BATCH_CASES
            if batch:
                waiting.append(judge.submit(batch))
        if not waiting:
            return
        if not _in_time(settings, started):
            waiting = [job for job in waiting if job.future.running() or job.future.done() or not job.future.cancel()]
            exhausted = True
            if not waiting:
                return
        yield waiting.pop(0)


def _in_time(settings: Settings, started: float) -> bool:
    return settings.seconds is None or time.monotonic() - started < settings.seconds


def _cases(settings: Settings, summary: Summary) -> Iterator[Case]:
    """The cases of shard after shard, until the budget of examples is used up."""
    strategy = strategy_of(settings.ops, settings.strategy)
    left = settings.examples
    shard = 0
    while left is None or left > 0:
        examples = min(SHARD_EXAMPLES, FIRST_SHARD_EXAMPLES * 2**shard)
        examples = examples if left is None else min(examples, left)
        drawn = draw(strategy, examples, shard_seed(settings.seed, shard))
        if not drawn:
            return
        for case in drawn[:examples]:
            summary.cases += 1
            yield case
        if left is not None:
            left -= len(drawn)
        shard += 1


# --- failures -----------------------------------------------------------------------------------------


def shrink_found(settings: Settings, judge: Judge, found: Found) -> None:
    """Shrink, save the small case instead of the first one, rerun it and its script in fresh processes."""
    found.shrunk = shrink(found.failure, judge, seconds=settings.shrink_seconds)
    found.reproduced = _reproduced(settings, found.smallest)
    first = found.path
    _save_found(settings, found)
    if first is not None and first != found.path:
        first.unlink()
    if found.path is not None:
        found.reproducer = _written(judge, found.path, found.smallest)


def _reproduced(settings: Settings, failure: Failure) -> int:
    """How many of ``RERUNS`` runs in processes of their own show the failure again."""
    with Judge(settings.question, settings.workers, fresh=True) as fresh:
        results = fresh.ask([failure.case] * RERUNS)
    return sum(isinstance(result, Failure) and result.fingerprint == failure.fingerprint for result in results)


def _written(judge: Judge, path: Path, failure: Failure) -> Reproducer:
    text, complaint = judge.script(failure.case, failure)
    if not text:
        return Reproducer(complaint=complaint)
    try:
        return reproducer(path, text, failure)
    except CorpusError as error:  # the case is saved, and its report must not be lost
        return Reproducer(complaint=str(error))


def _save_found(settings: Settings, found: Found) -> None:
    if settings.corpus is None:
        return
    failure = found.smallest
    record: dict[str, Any] = {
        "failure": failure.fingerprint,
        "detail": failure.detail,
        "fold": settings.question.fold or "harness:FoldExplicitPadding",
        "target": settings.question.target,
        "seed": settings.seed,
    }
    if found.shrunk is not None:
        record |= {"minimal": found.shrunk.minimal, "reproduced": f"{found.reproduced}/{RERUNS}"}
    found.path = save(settings.corpus, Entry(case=failure.case, found=record))
