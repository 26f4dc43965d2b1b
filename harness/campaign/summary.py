"""What a campaign saw, and each distinct failure: counted, merged, and as plain data for journals and ``--json``."""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldproof.campaign.shrinker import ShrinkResult
from foldproof.case import Case
from foldproof.checking.failures import Failure, failure
from foldproof.checking.result import Verdict
from foldproof.repro.reproducer import Reproducer
from foldproof.workers.worker import Result

RERUNS = 3
"""Fresh processes that run a shrunk case again."""


@dataclass(kw_only=True)
class DistinctFailure:
    """A distinct failure: the first case that showed it, how often it was seen, and what became of it."""

    failure: Failure
    count: int = 1
    shrunk: ShrinkResult | None = None
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
    known_issues: Counter[str] = field(default_factory=Counter)
    unsupported: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    failures: dict[str, DistinctFailure] = field(default_factory=dict)
    known: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    interrupted: bool = False
    problem: str = ""

    @property
    def cases_per_second(self) -> float:
        """Of this process: what a journal brought in took its time elsewhere."""
        return (self.executed - self.resumed) / self.seconds if self.seconds else 0.0

    def add(self, case: Case, result: Result, known: Container[str] = ()) -> DistinctFailure | None:
        """Count a result; the record of a failure that was not seen before, else None."""
        self.executed += 1
        if isinstance(result, Failure):
            if result.fingerprint in known:
                self.known[result.fingerprint] += 1
                self.by_op[case.op, "known"] += 1
                return None
            self.failed += 1
            self.by_op[case.op, "failed"] += 1
            return self._add_failure(DistinctFailure(failure=result))
        if result.unsupported:
            self.unsupported[result.unsupported] += 1
            self.by_op[case.op, "not executed"] += 1
            return None
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

    def _add_failure(self, new: DistinctFailure) -> DistinctFailure | None:
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
        self.known_issues.update(verdict.known_issues)
        if verdict.fallback:
            self.fallbacks[verdict.fallback] += 1
        if verdict.legality is not None:
            self.legality[str(verdict.legality)] += 1

    def absorb(self, plain: Mapping[str, Any]) -> list[DistinctFailure]:
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
            new.append(self._add_failure(DistinctFailure(failure=seen, count=record["count"], path=path)))
        return [found for found in new if found is not None]

    def to_dict(self) -> dict[str, Any]:
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
            "problem": self.problem,
        }


NUMBERS = ("cases", "executed", "folded", "refused", "failed", "in_doubt", "sampled")
COUNTERS = ("reasons", "rules", "legality", "undefined", "known_issues", "unsupported", "fallbacks", "known")
"""What a summary counts, as a journal and ``--json`` name it."""


def failure_record(found: DistinctFailure) -> dict[str, Any]:
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
        **(found.reproducer or Reproducer()).to_dict(),
    }


def shard_record(part: Summary, summary: Summary) -> dict[str, Any]:
    """A shard as a journal has it; ``summary`` knows which failures were saved."""
    for fingerprint, found in part.failures.items():
        found.path = summary.failures[fingerprint].path if fingerprint in summary.failures else None
    return {name: value for name, value in part.to_dict().items() if name != "event"}
