"""The failing cases of a campaign, by fingerprint: they are kept until triage, which looks for their causes.

Invariant: which cases are kept depends on their places in the campaign alone, not on the order in which they arrive.
So a resumed campaign, and one on a cluster, end with the causes of an undisturbed one.
"""

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from foldproof.case.any_case import from_json as case_from_json
from foldproof.checking.failures import Failure, failure

MOST_KEPT = 500
"""How many failing cases of a fingerprint are kept: the first ones of the campaign. The others are only counted."""


def failure_name(fingerprint: str, number: int) -> str:
    """Return the name of a distinct failure: the fingerprint, with the number of the cause if it is not the first."""
    return fingerprint if number == 1 else f"{fingerprint}, cause {number}"


class Place(NamedTuple):
    """Where a campaign has a case: the shard, and its offset in the shard, from 0."""

    shard: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingCase:
    """A case that failed.

    Attributes:
        place: where the campaign has it.
        failure: how it failed.
        known: whether its fingerprint was that of a known failure when it was counted.
        drawn_op: the op under which it was counted, if another case stands for it now.
    """

    place: Place
    failure: Failure
    known: bool = False
    drawn_op: str = ""

    @property
    def counted_op(self) -> str:
        """The op under which the summary counts it."""
        return self.drawn_op or str(self.failure.case.op)


@dataclass(kw_only=True)
class FailingCases:
    """The failing cases of one fingerprint.

    Attributes:
        kept: the first ``MOST_KEPT`` ones, in order.
        dropped: how many others there are.
    """

    kept: list[FailingCase] = field(default_factory=list)
    dropped: int = 0

    def add(self, case: FailingCase) -> None:
        """Keep the case, or only count it."""
        insort(self.kept, case, key=lambda each: each.place)
        if len(self.kept) > MOST_KEPT:
            self.kept.pop()
            self.dropped += 1

    def needs(self, place: Place) -> bool:
        """Return whether a case of this place would be kept."""
        return len(self.kept) < MOST_KEPT or place <= self.kept[-1].place

    def to_dict(self, whole: "FailingCases | None" = None) -> dict[str, Any]:
        """Return the record of a shard, without the cases that ``whole``, those of the campaign, does not need."""
        needed = [each for each in self.kept if whole is None or whole.needs(each.place)]
        cases = [
            {
                "index": each.place.offset,
                "kind": each.failure.kind,
                "symptom": each.failure.symptom,
                "detail": each.failure.detail,
                "case": each.failure.case.to_json(),
            }
            for each in needed
        ]
        return {"cases": cases, "dropped": self.dropped + len(self.kept) - len(needed)}

    def absorb(self, record: Mapping[str, Any], shard: int, start: int, *, known: bool) -> None:
        """Add the record of a part of a shard that begins at index ``start``."""
        self.dropped += record["dropped"]
        for each in record["cases"]:
            seen = failure(each["kind"], case_from_json(each["case"]), each["symptom"], each["detail"])
            self.add(FailingCase(place=Place(shard, start + each["index"]), failure=seen, known=known))
