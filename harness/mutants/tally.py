"""What the benchmark counts per mutant: kills, the number of the first case that kills, and the rate with its interval.

seed -> cases in the order drawn -> killed or not      first: seed -> number of the case that killed, from 1
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from foldproof.checking.failures import Failure

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution: two sides of 95 %."""


def wilson_interval(kills: int, cases: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate by Wilson's score; (0, 1) for no cases.

    (E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.)
    """
    if cases == 0:
        return 0.0, 1.0
    rate, square = kills / cases, Z * Z / cases
    center = rate + square / 2
    reach = Z * math.sqrt(rate * (1 - rate) / cases + square / (4 * cases))
    low, high = (center - reach) / (1 + square), (center + reach) / (1 + square)
    return 0.0 if kills == 0 else low, 1.0 if kills == cases else high


@dataclass(kw_only=True)
class Tally:
    """The kills of one mutant by one method of testing. ``seeds`` are those that were started."""

    name: str
    seeds: list[int] = field(default_factory=list)
    cases: int = 0
    kills: int = 0
    first: dict[int, int] = field(default_factory=dict)
    symptoms: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None

    def add(self, seed: int, number: int, failure: Failure | None) -> bool:
        """Count case ``number`` of a seed, and return whether it is the first of that seed that kills."""
        self.cases += 1
        if failure is None:
            return False
        self.kills += 1
        self.symptoms[f"{failure.kind} {failure.symptom}"] += 1
        self.failure = self.failure or failure
        new = seed not in self.first
        self.first.setdefault(seed, number)
        return new

    @property
    def killed(self) -> bool:
        """Whether every seed killed the mutant."""
        return bool(self.seeds) and all(seed in self.first for seed in self.seeds)

    @property
    def kill_numbers(self) -> list[float]:
        """The number of the first case that kills, per seed; infinite if none does."""
        return [self.first.get(seed, math.inf) for seed in self.seeds]

    @property
    def median(self) -> float:
        return median(self.kill_numbers) if self.seeds else math.inf

    @property
    def worst(self) -> float:
        return max(self.kill_numbers, default=math.inf)

    @property
    def rate(self) -> float:
        return self.kills / self.cases if self.cases else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.kills, self.cases)

    @property
    def symptom(self) -> str:
        """The most frequent failure."""
        return self.symptoms.most_common(1)[0][0] if self.symptoms else ""

    def to_dict(self) -> dict[str, Any]:
        """Return a line of ``--json``. Null means that a seed did not kill."""
        low, high = self.interval
        return {
            "killed_by_seeds": len(self.first),
            "seeds": len(self.seeds),
            "median_cases": finite_or_none(self.median),
            "worst_cases": finite_or_none(self.worst),
            "kills": self.kills,
            "cases": self.cases,
            "rate": round(self.rate, 6),
            "rate_low": round(low, 6),
            "rate_high": round(high, 6),
            "symptoms": dict(self.symptoms.most_common()),
        }


def finite_or_none(number: float) -> float | None:
    """Return the number, or None for JSON if it is infinite."""
    return None if math.isinf(number) else number


def median_of_medians(tallies: list[Tally]) -> float:
    """Return the median over mutants of the median over seeds."""
    return median(tally.median for tally in tallies) if tallies else math.inf
