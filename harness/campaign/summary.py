"""The summary of a campaign: counts and distinct failures, and their records in journals and ``--json``."""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldproof.campaign.failing import FailingCase, FailingCases, Place, failure_name
from foldproof.campaign.shrinker import ShrinkResult
from foldproof.case.any_case import AnyCase
from foldproof.case.any_case import from_json as case_from_json
from foldproof.checking.failures import Failure, failure
from foldproof.checking.result import Verdict
from foldproof.repro.reproducer import Reproducer
from foldproof.workers.worker import Result

RERUNS = 3
"""Number of fresh processes that run a shrunk case again."""


@dataclass(kw_only=True)
class DistinctFailure:
    """Failures of one fingerprint and one cause; until triage, all failures of the fingerprint.

    Attributes:
        failure: the first one.
        count: how many cases failed so: those that it explains, and those that triage could not look at.
        number: which one of its fingerprint it is, from 1.
        cause: the features that the shrunk case needs in order to fail; None if that is not known.
        explained: where the cases are that it explains.
        first_met: the number of its first case in the campaign, from 1; 0 before triage.
        unexplained: how many of ``count`` were not explained because the time ended.
        dropped: how many of ``count`` were not kept for triage.
        shrunk: the result of shrinking it; None before.
        reproduced: how many of ``RERUNS`` reruns of the shrunk case failed again.
        path: the file of its case; None if it is not saved.
        reproducer: its script; None before.
    """

    failure: Failure
    count: int = 1
    shrunk: ShrinkResult | None = None
    reproduced: int = 0
    path: Path | None = None
    reproducer: Reproducer | None = None
    number: int = 1
    cause: tuple[str, ...] | None = None
    explained: list[Place] = field(default_factory=list)
    first_met: int = 0
    unexplained: int = 0
    dropped: int = 0

    @property
    def name(self) -> str:
        """The fingerprint, with the number of the cause if it is not the first one."""
        return failure_name(self.failure.fingerprint, self.number)

    @property
    def smallest_is_minimal(self) -> bool:
        """Whether the smallest known case is 1-minimal."""
        return self.shrunk is not None and self.shrunk.minimal

    @property
    def smallest(self) -> Failure:
        """The failure of the smallest known case."""
        return self.shrunk.failure if self.shrunk else self.failure


@dataclass(kw_only=True)
class Summary:
    """The counts of a campaign, and its distinct failures.

    Attributes:
        seed: the seed of the campaign.
        cases: drawn cases, distinct within their shard.
        executed: cases that have a result.
        folded: cases that do not fail and that the pass folded, those in doubt included.
        refused: cases that do not fail and that the pass left unchanged, those in doubt included.
        failed: failed cases, without known failures.
        in_doubt: cases that do not fail, and of which some output could not be compared with all oracles.
        folded_in_doubt: those of them that the pass folded.
        sampled: cases that both pipelines ran, with the same bits.
        seconds: duration in seconds.
        by_op: (op, outcome) -> cases: folded, refused, failed, known, in doubt, folded in doubt, not executed.
        reasons: kind of refusal -> cases.
        rules: rule -> cases that it folded.
        legality: legality of the fold -> cases in which the pass left a pad.
        declined: kind of refusal -> cases with a legal fold that the pass declares out of its scope.
        undefined: behaviour that the IR leaves undefined -> cases.
        known_issues: known issue of the compiler, or of the pass -> cases.
        unsupported: why the IR cannot express a case -> cases; they were not executed.
        fallbacks: reason -> cases that the fast pipeline left to the default one.
        failures: name -> distinct failure. The name is the fingerprint, and after triage the number of the cause.
        failing: fingerprint -> failing cases that are kept for triage.
        sizes: shard -> executed cases.
        known: fingerprint -> cases that a known failure explains; they are not in ``failures`` nor in ``failed``.
            Before triage, all cases with the fingerprint of a known failure.
        phases: phase -> seconds: start, draw and check, shrink (with the search for causes), confirm.
        judged: fingerprints whose failing cases triage has looked at.
        resumed: executed cases that a resumed journal brought in.
        interrupted: whether the user stopped the campaign.
        problem: the error that ended the campaign early; empty if there was none.
    """

    seed: int
    cases: int = 0
    executed: int = 0
    folded: int = 0
    refused: int = 0
    failed: int = 0
    in_doubt: int = 0
    folded_in_doubt: int = 0
    sampled: int = 0
    seconds: float = 0.0
    by_op: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    legality: Counter[str] = field(default_factory=Counter)
    declined: Counter[str] = field(default_factory=Counter)
    undefined: Counter[str] = field(default_factory=Counter)
    known_issues: Counter[str] = field(default_factory=Counter)
    unsupported: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    failures: dict[str, DistinctFailure] = field(default_factory=dict)
    failing: dict[str, FailingCases] = field(default_factory=dict)
    sizes: Counter[int] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    phases: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    judged: set[str] = field(default_factory=set)
    resumed: int = 0
    interrupted: bool = False
    problem: str = ""

    @property
    def cases_per_second(self) -> float:
        """Cases per second of this process, without those of a resumed journal."""
        return (self.executed - self.resumed) / self.seconds if self.seconds else 0.0

    def add(
        self, case: AnyCase, result: Result, known: Container[str] = (), *, shard: int = 0
    ) -> DistinctFailure | None:
        """Count the next result of a shard. Return the distinct failure if it is new, else None."""
        self.executed += 1
        place = Place(shard, self.sizes[shard])
        self.sizes[shard] += 1
        if isinstance(result, Failure):
            is_known = result.fingerprint in known
            self._failing(result.fingerprint).add(FailingCase(place=place, failure=result, known=is_known))
            if is_known:
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
        self.folded_in_doubt += result.folded and result.in_doubt
        self.sampled += result.sampled
        self.by_op[case.op, outcome] += 1
        if result.in_doubt:
            self.by_op[case.op, "in doubt"] += 1
            if result.folded:
                self.by_op[case.op, "folded in doubt"] += 1
        self._count(result)
        return None

    def _failing(self, fingerprint: str) -> FailingCases:
        return self.failing.setdefault(fingerprint, FailingCases())

    @property
    def known_not_examined(self) -> int:
        """How many of the ``known`` cases have the fingerprint of a known failure, but were not looked at."""
        return sum(
            min(self.known[name], cases.dropped) if name in self.judged else self.known[name]
            for name, cases in self.failing.items()
        )

    def count_known(self, fingerprint: str, places: Container[Place]) -> None:
        """Count the failing cases at these places as known, and the other ones that were kept as failed."""
        self.judged.add(fingerprint)
        for each in self.failing[fingerprint].kept:
            is_known = each.place in places
            change = int(is_known) - int(each.known)
            self.known[fingerprint] += change
            self.failed -= change
            self.by_op[each.counted_op, "known"] += change
            self.by_op[each.counted_op, "failed"] -= change
        self.by_op = +self.by_op
        self.known = +self.known

    def number_of(self, place: Place) -> int:
        """Return which case of the campaign stands at a place, from 1."""
        return sum(size for shard, size in self.sizes.items() if shard < place.shard) + place.offset + 1

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
        self.declined.update(verdict.declined)
        self.undefined.update(verdict.undefined)
        self.known_issues.update(verdict.known_issues)
        if verdict.fallback:
            self.fallbacks[verdict.fallback] += 1
        if verdict.legality is not None:
            self.legality[str(verdict.legality)] += 1

    def absorb(self, record: Mapping[str, Any], *, shard: int = 0) -> list[DistinctFailure]:
        """Add the record of the next part of a shard, as ``to_record`` made it. Return the failures that are new."""
        new = []
        start = self.sizes[shard]
        self.sizes[shard] += record["executed"]
        failing = record["failing"] if "failing" in record else _first_cases(record)
        for fingerprint, cases in failing.items():
            self._failing(fingerprint).absorb(cases, shard, start, known=fingerprint in record.get("known", {}))
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + record.get(name, 0))  # journals of format 1 lack some
        for name in COUNTERS:
            getattr(self, name).update(record.get(name, {}))  # journals of format 1 lack some
        for key, n in record["by_op"].items():
            op, outcome = key.split(" ", 1)
            self.by_op[op, outcome] += n
        for each in record["failures"]:
            seen = failure(each["kind"], case_from_json(each["case"]), each["symptom"], each["detail"])
            path = Path(each["path"]) if each["path"] else None
            new.append(self._add_failure(DistinctFailure(failure=seen, count=each["count"], path=path)))
        return [found for found in new if found is not None]

    def to_record(self, whole: "Summary | None" = None) -> dict[str, Any]:
        """Return the record of a part of a campaign, with the failing cases that the ``whole`` campaign needs."""
        others = whole.failing if whole else {}
        failing = {name: cases.to_dict(others.get(name)) for name, cases in self.failing.items()}
        return {**self.to_dict(), "failing": failing}

    def to_dict(self) -> dict[str, Any]:
        """Return the last line of ``--json``."""
        return {
            "event": "summary",
            "seed": self.seed,
            **{name: getattr(self, name) for name in NUMBERS},
            "failures": [failure_record(found) for found in self.failures.values()],
            "seconds": round(self.seconds, 3),
            "cases_per_second": round(self.cases_per_second, 3),
            "phase_seconds": {name: round(seconds, 3) for name, seconds in self.phases.items()},
            "by_op": {f"{op} {outcome}": n for (op, outcome), n in sorted(self.by_op.items())},
            **{name: dict(getattr(self, name)) for name in COUNTERS},
            "known_not_examined": self.known_not_examined,
            "resumed": self.resumed,
            "interrupted": self.interrupted,
            "problem": self.problem,
        }


NUMBERS = ("cases", "executed", "folded", "refused", "failed", "in_doubt", "folded_in_doubt", "sampled")
COUNTERS = (
    "reasons",
    "rules",
    "legality",
    "declined",
    "undefined",
    "known_issues",
    "unsupported",
    "fallbacks",
    "known",
)
"""The counts of a summary, as journals and ``--json`` name them."""


def _first_cases(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the failing cases of a record that holds only the first of each fingerprint, as older ones do."""
    first = {}
    for each in record["failures"]:
        case = {name: each[name] for name in ("kind", "symptom", "detail", "case")}
        first[each["fingerprint"]] = {"cases": [{"index": 0, **case}], "dropped": each["count"] - 1}
    return first


def failure_record(found: DistinctFailure) -> dict[str, Any]:
    """Return the record of a distinct failure, as ``--json`` and journals have it."""
    return {
        "fingerprint": found.smallest.fingerprint,
        "kind": found.smallest.kind,
        "symptom": found.smallest.symptom,
        "count": found.count,
        "cause": None if found.cause is None else list(found.cause),
        "explains": len(found.explained),
        "first_met": found.first_met,
        "unexplained": found.unexplained,
        "dropped": found.dropped,
        "detail": found.smallest.detail,
        "case": found.smallest.case.to_json(),
        "minimal": bool(found.shrunk and found.shrunk.minimal),
        "reproduced": f"{found.reproduced}/{RERUNS}",
        "path": str(found.path) if found.path else None,
        **(found.reproducer or Reproducer()).to_dict(),
    }


def shard_record(part: Summary, summary: Summary) -> dict[str, Any]:
    """Return the record of a shard, as journals have it; ``summary`` knows the paths of saved failures."""
    for fingerprint, found in part.failures.items():
        found.path = summary.failures[fingerprint].path if fingerprint in summary.failures else None
    return {name: value for name, value in part.to_record(summary).items() if name != "event"}


def shrunk_record(found: DistinctFailure) -> dict[str, Any]:
    """Return the record of a shrunk failure, as journals have it."""
    explained = [list(place) for place in found.explained]
    return {**failure_record(found), "number": found.number, "explained": explained}
