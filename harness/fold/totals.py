"""Count reports: how many sites fold, by which rule, and how many do not, for which kind of reason."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foldproof.fold.facts import Folded
from foldproof.fold.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts of sites. ``str(summary)`` is a line for the total, and one for each rule and each kind of refusal.

    Args:
        folded: The number of sites that folded.
        refused: The number of sites that did not.
        rules: Rule -> how many sites it folded, most first.
        kinds: Kind of refusal -> how many sites it refused, most first.
    """

    folded: int
    refused: int
    rules: dict[str, int]
    kinds: dict[str, int]

    @property
    def sites(self) -> int:
        """Return the number of sites."""
        return self.folded + self.refused

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"sites: {self.sites}, folded: {self.folded}, refused: {self.refused}"
        for outcome, counts in (("folded", self.rules), ("refused", self.kinds)):
            for name, count in counts.items():
                yield f"{outcome} ({name}): {count}"


def summary(reports: Iterable[Report]) -> Summary:
    """Count what ``explain`` or ``fold_and_explain`` reports.

    Args:
        reports: Reports of one module, or of several.

    Returns:
        The counts. A refused site is a pad that is left for one of its readers.
    """
    rules: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for report in reports:
        if isinstance(report.outcome, Folded):
            rules[report.outcome.rule] += 1
        else:
            kinds[str(report.outcome.kind)] += 1
    return Summary(
        folded=rules.total(), refused=kinds.total(), rules=dict(rules.most_common()), kinds=dict(kinds.most_common())
    )
