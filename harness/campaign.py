"""A campaign: shards of random cases under a budget, judged by worker processes.

    seed -> shard seeds -> cases (Hypothesis, here) -> batches -> workers -> results -> Summary
                                                                     +-- whole shards -> journal

A shard is a pure function of (settings, seed), so any machine can run it again. Generation never waits for a verdict,
and a failure never ends a campaign unless that is asked for: it is counted by fingerprint and shrunk at the end.
"""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness.case import Case
from harness.corpus import CorpusError, Entry, save
from harness.digest import Digest
from harness.draws import shards, strategy_of
from harness.failures import Failure, failure
from harness.journal import Journal, JournalError
from harness.loading import UsageError
from harness.pool import Job, Judge
from harness.question import Question
from harness.reproducer import Reproducer, reproducer
from harness.shrink import Shrunk, shrink
from harness.verdict import Verdict
from harness.worker import Result

BATCH_CASES = 8
RERUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a campaign does. ``seconds`` and ``examples`` are budgets; the first that is used up ends it.

    It also ends with ``max_failures`` distinct failures. ``known`` are fingerprints that are counted, and no failures.
    """

    ops: tuple[str, ...] = ()
    question: Question = field(default_factory=Question)
    strategy: str | None = None
    seed: int = 0
    seconds: float | None = None
    examples: int | None = None
    workers: int = 1
    max_failures: int | None = None
    known: tuple[str, ...] = ()
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
    a case to the default one. ``known`` counts known failures, which are none of ``failures`` nor of ``failed``.
    ``resumed`` cases were judged before; ``trouble`` says what ended the campaign early, if it was no defect.
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
    known: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    interrupted: bool = False
    trouble: str = ""

    @property
    def cases_per_second(self) -> float:
        """Of this process: what a journal brought in took its time elsewhere."""
        return (self.executed - self.resumed) / self.seconds if self.seconds else 0.0

    def add(self, case: Case, result: Result, known: Container[str] = ()) -> Found | None:
        """Count a result; the record of a failure that was not seen before, else None."""
        self.executed += 1
        if isinstance(result, Failure):
            if result.fingerprint in known:
                self.known[result.fingerprint] += 1
                self.by_op[case.op, "known"] += 1
                return None
            self.failed += 1
            self.by_op[case.op, "failed"] += 1
            return self._add_found(Found(failure=result))
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

    def _add_found(self, new: Found) -> Found | None:
        found = self.failures.get(new.failure.fingerprint)
        if found is not None:
            found.count += new.count
            return None
        self.failures[new.failure.fingerprint] = new
        return new

    def _count(self, verdict: Verdict) -> None:
        self.reasons.update({kind for kind, _ in verdict.reasons})
        self.rules.update(set(verdict.rules))
        self.undefined.update(verdict.undefined)
        self.findings.update(verdict.findings)
        if verdict.fallback:
            self.fallbacks[verdict.fallback] += 1
        if verdict.legality is not None:
            self.legality[str(verdict.legality)] += 1

    def absorb(self, plain: Mapping[str, Any]) -> list[Found]:
        """Count what a shard counted, its failures included; the records of those that were not seen before."""
        new = []
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + plain[name])
        for name in COUNTERS:
            getattr(self, name).update(plain[name])
        for key, n in plain["by_op"].items():
            op, outcome = key.split(" ", 1)
            self.by_op[op, outcome] += n
        for record in plain["failures"]:
            seen = failure(record["kind"], Case.from_json(record["case"]), record["symptom"], record["detail"])
            path = Path(record["path"]) if record["path"] else None
            new.append(self._add_found(Found(failure=seen, count=record["count"], path=path)))
        return [found for found in new if found is not None]

    def to_plain(self) -> dict[str, Any]:
        """The last line of ``--json``."""
        return {
            "event": "summary",
            "seed": self.seed,
            **{name: getattr(self, name) for name in NUMBERS},
            "failures": [failure_record(found) for found in self.failures.values()],
            "seconds": round(self.seconds, 3),
            "cases_per_second": round(self.cases_per_second, 3),
            "by_op": {f"{op} {outcome}": n for (op, outcome), n in sorted(self.by_op.items())},
            **{name: dict(getattr(self, name)) for name in COUNTERS},
            "resumed": self.resumed,
            "interrupted": self.interrupted,
            "trouble": self.trouble,
        }


NUMBERS = ("cases", "executed", "folded", "refused", "failed", "in_doubt", "sampled")
COUNTERS = ("reasons", "rules", "legality", "undefined", "findings", "fallbacks", "known")
"""What a summary counts, as a journal and ``--json`` name it."""


def failure_record(found: Found) -> dict[str, Any]:
    """A failure as a line of ``--json`` has it."""
    return {
        "fingerprint": found.smallest.fingerprint,
        "kind": found.smallest.kind,
        "symptom": found.smallest.symptom,
        "count": found.count,
        "detail": found.smallest.detail,
        "case": found.smallest.case.to_json(),
        "minimal": bool(found.shrunk and found.shrunk.minimal),
        "reproduced": f"{found.reproduced}/{RERUNS}",
        "path": str(found.path) if found.path else None,
        **(found.reproducer or Reproducer()).to_plain(),
    }


class Listener:
    """Told what happens; the report subclasses it.

    ``stopped`` says that the user wants the campaign to end: a KeyboardInterrupt alone is lost if it is raised where
    Python ignores exceptions, such as a callback of the garbage collector, of which Hypothesis has one.
    """

    stopped = False

    def progressed(self, summary: Summary) -> None:
        """A batch was judged."""

    def found(self, found: Found) -> None:
        """A failure of a new kind."""

    def shrinking(self, found: Found) -> None:
        """Shrinking of a failure begins."""

    def shrunk(self, found: Found) -> None:
        """A failure was shrunk, saved and rerun."""


class Trouble(UsageError):  # noqa: N818, it is said in a summary, and is no error of the harness
    """What ends a campaign early and is no defect; the message says it in a line."""


Judging = Callable[[Settings, Judge, Listener, Journal | None, Summary, float], None]
"""Judges shard after shard until a budget ends: counts them, tells the listener, writes them down, saves failures."""


def run(
    settings: Settings,
    judge: Judge,
    listener: Listener,
    journal: Journal | None = None,
    judging: Judging | None = None,
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
                save_found(settings, found)  # shards that arrive ahead of others are written down before this is done
        (judging or _judge_shards)(settings, judge, listener, journal, summary, started)
        summary.seconds = time.monotonic() - started
        for found in summary.failures.values():
            if listener.stopped:
                raise KeyboardInterrupt
            if not _shrunk_before(journal, found):
                listener.shrinking(found)
                shrink_found(settings, judge, found)
                if journal:
                    journal.shrank(failure_record(found))
                listener.shrunk(found)
    except KeyboardInterrupt:
        summary.interrupted = True
        summary.seconds = summary.seconds or time.monotonic() - started
    except (CorpusError, JournalError, Trouble) as error:
        summary.trouble = str(error)
        summary.seconds = summary.seconds or time.monotonic() - started
    return summary


def _judge_shards(
    settings: Settings, judge: Judge, listener: Listener, journal: Journal | None, summary: Summary, started: float
) -> None:
    part, digest, finished = Summary(seed=settings.seed), Digest(), 0.0
    for batch, job in _jobs(settings, judge, summary, journal, started):
        for case, result in zip(job.cases, job.results(), strict=True):
            part.add(case, result, settings.known)
            digest.add(case, result)
            new = summary.add(case, result, settings.known)
            if new is not None:
                listener.found(new)
                save_found(settings, new)
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


def shard_record(part: Summary, summary: Summary) -> dict[str, Any]:
    """A shard as a journal has it; ``summary`` knows which failures were saved."""
    for fingerprint, found in part.failures.items():
        found.path = summary.failures[fingerprint].path if fingerprint in summary.failures else None
    return {name: value for name, value in part.to_plain().items() if name != "event"}


def _shrunk_before(journal: Journal | None, found: Found) -> bool:
    """Whether the journal has a failure's shrunk case; then ``found`` gets it."""
    record = journal.shrunk.get(found.failure.fingerprint) if journal else None
    if record is None or not (record["path"] is None or Path(record["path"]).exists()):
        return False
    smallest = failure(record["kind"], Case.from_json(record["case"]), record["symptom"], record["detail"])
    found.shrunk = Shrunk(failure=smallest, tried=0, seconds=0.0, minimal=record["minimal"])
    found.reproduced = int(record["reproduced"].split("/")[0])
    found.path = Path(record["path"]) if record["path"] else None
    found.reproducer = Reproducer.from_plain(record) if "script" in record and found.path else None
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A few cases of one shard; ``last`` says that it ends the shard."""

    shard: int
    cases: Sequence[Case]
    last: bool


def _jobs(
    settings: Settings, judge: Judge, summary: Summary, journal: Journal | None, started: float
) -> Iterator[tuple[Batch, Job]]:
    """Jobs in the order drawn, with enough of them under way that no worker waits while the next shard is drawn."""
    batches = _batches(settings, {shard["shard"]: shard["cases"] for shard in journal.shards} if journal else {})
    waiting: list[tuple[Batch, Job]] = []
    exhausted = False
    while True:
        while not exhausted and len(waiting) < 2 * settings.workers + 2:
            batch = next(batches, None) if in_time(settings, started) else None
            exhausted = batch is None
            if batch is not None:
                if journal:
                    journal.runs(batch.shard, batch.cases)
                summary.cases += len(batch.cases)
                waiting.append((batch, judge.submit(batch.cases)))
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
                return
        yield waiting.pop(0)


def in_time(settings: Settings, started: float) -> bool:
    """Whether the budget of time of a campaign that ``started`` then goes on."""
    return settings.seconds is None or time.monotonic() - started < settings.seconds


def _batches(settings: Settings, done: Mapping[int, int]) -> Iterator[Batch]:
    """Shard after shard, until the budget of examples is used up. ``done`` are shards to leave out, and their cases."""
    strategy = strategy_of(settings.ops, settings.strategy)
    for shard, cases in shards(strategy, settings.examples, settings.seed, done=done):
        yield from batched(shard, cases)


def batched(shard: int, cases: Sequence[Case]) -> Iterator[Batch]:
    """The cases of a shard, a few at a time."""
    for start in range(0, len(cases), BATCH_CASES):
        yield Batch(shard=shard, cases=cases[start : start + BATCH_CASES], last=start + BATCH_CASES >= len(cases))


# --- failures -----------------------------------------------------------------------------------------


def shrink_found(settings: Settings, judge: Judge, found: Found) -> None:
    """Shrink, save the small case instead of the first one, rerun it and its script in fresh processes."""
    found.shrunk = shrink(found.failure, judge, seconds=settings.shrink_seconds)
    found.reproduced = _reproduced(settings, found.smallest)
    first = found.path
    save_found(settings, found)
    if first is not None and first != found.path:
        first.unlink(missing_ok=True)  # a campaign beside this one, or this one before it was killed, did it
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


def save_found(settings: Settings, found: Found) -> None:
    """Save the smallest case of a failure, if there is a corpus to save into."""
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
