"""Causes: which features a failing case needs in order to fail, and which other failing cases they explain.

    a minimal case --find_cause--> its features without which it does not fail
    other cases    --explain-----> explained by a cause, or a case to shrink next

A cause explains a case if the case has its features, and does not fail any more without one of them. A case that still
fails has another cause as well: the variant that fails is what other causes must explain.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from foldproof.campaign.features import SIDES, features, sort_key, without
from foldproof.case.any_case import AnyCase
from foldproof.checking.failures import Failure
from foldproof.workers.pool import WorkerPool

BATCH_CASES = 16

MOST_REMOVED = 12
"""How many features are removed from a case, one after the other, before it is taken as not explained."""


class OutOfTimeError(Exception):
    """The time for looking for causes ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The features of a case without each of which it does not fail. ``known`` is whether the user knows the failure.

    No feature means that even the simplest case fails: then every case of the fingerprint has this cause.
    """

    features: tuple[str, ...]
    known: bool = False

    def may_explain(self, case: AnyCase) -> bool:
        """Return whether the case has all features of the cause."""
        return features(case).issuperset(self.features)


@dataclass(kw_only=True)
class Failing:
    """Answers whether cases fail with one fingerprint. Each case is checked once.

    Args:
        pool: the workers.
        fingerprint: what counts as a failure.
        deadline: when the time ends (time.monotonic).
        stopped: whether the user stops the campaign.
        results: what is known.
        in_scope: whether the campaign may draw a case. Variants that it may not draw are not looked at.
    """

    pool: WorkerPool
    fingerprint: str
    deadline: float = math.inf
    stopped: Callable[[], bool] = lambda: False
    results: dict[AnyCase, Failure | None] = field(default_factory=dict)
    in_scope: Callable[[AnyCase], bool] = lambda case: True

    def check(self, cases: Iterable[AnyCase]) -> None:
        """Check the cases that were not checked before. Raises OutOfTimeError, KeyboardInterrupt."""
        unknown = [case for case in dict.fromkeys(cases) if case not in self.results]
        size = max(1, min(BATCH_CASES, math.ceil(len(unknown) / self.pool.workers)))
        batches = [unknown[i : i + size] for i in range(0, len(unknown), size)]
        for i in range(0, len(batches), self.pool.workers):
            if self.stopped():
                raise KeyboardInterrupt
            if time.monotonic() > self.deadline:
                raise OutOfTimeError
            jobs = [self.pool.submit(batch) for batch in batches[i : i + self.pool.workers]]
            for job in jobs:
                for case, result in zip(job.cases, job.results(), strict=True):
                    same = isinstance(result, Failure) and result.fingerprint == self.fingerprint
                    self.results[case] = result if isinstance(result, Failure) and same else None

    def variants(self, case: AnyCase, feature: str) -> tuple[AnyCase, ...]:
        """Return the variants of a case without a feature that the campaign may draw."""
        return tuple(variant for variant in without(case, feature) if self.in_scope(variant))

    def failure(self, case: AnyCase) -> Failure | None:
        """Return the failure of a case that was checked; None if it does not fail so."""
        return self.results[case]


def find_cause(case: AnyCase, failing: Failing, *, hint: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the features that a case needs in order to fail, in order.

    Features are removed while the case still fails: those outside the ``hint`` first, then those that a minimal case
    has by chance.

    Raises:
        OutOfTimeError: if the time ends before.
    """
    needed: list[str] = []
    unneeded = set(SIDES)
    while True:
        present = features(case) - unneeded - set(needed)
        if not present:
            break
        feature = min(present, key=lambda each: (each in hint, sort_key(each)))
        variants = failing.variants(case, feature)
        failing.check(variants)
        failed = [variant for variant in variants if failing.failure(variant) is not None]
        if variants and not failed:
            needed.append(feature)
            continue
        unneeded.add(feature)
        smaller = [variant for variant in failed if features(variant) - SIDES < features(case) - SIDES]
        case, needed = (smaller[0], []) if smaller else (case, needed)
    if not needed:
        for side in sorted(SIDES & features(case)):
            variants = failing.variants(case, side)
            failing.check(variants)
            if variants and not any(failing.failure(variant) for variant in variants):
                needed.append(side)
    return tuple(sorted((each for each in needed if not _is_implied(each, needed)), key=sort_key))


def _is_implied(feature: str, features: Sequence[str]) -> bool:
    """Return whether another feature, such as a kind of step, names the same more precisely."""
    return any(each.endswith(f"among the {feature}") for each in features)


@dataclass(kw_only=True)
class Explanation:
    """How far a failing case is explained.

    Attributes:
        case: the case, with the features of the causes in ``path`` removed.
        path: the causes whose features were removed, in order.
        explained: whether nothing is left that fails.
        done: whether no cause can explain more.
    """

    case: AnyCase
    path: list[Cause] = field(default_factory=list)
    explained: bool = False
    done: bool = False

    @property
    def cause(self) -> Cause:
        """The cause of an explained case: the first that is not known, otherwise the first."""
        return next((cause for cause in self.path if not cause.known), self.path[0])

    def next_cause(self, causes: Sequence[Cause]) -> Cause | None:
        """Return the cause to try next, and end where none is left."""
        tried = [cause for cause in causes if cause not in self.path and cause.may_explain(self.case)]
        cause = tried[0] if tried and len(self.path) < MOST_REMOVED else None
        self.done = cause is None
        return cause


def explain(cases: Sequence[AnyCase], causes: Sequence[Cause], failing: Failing) -> list[Explanation]:
    """Return for each failing case whether the causes explain it.

    Raises:
        OutOfTimeError: if the time ends before.
    """
    explanations = [Explanation(case=case) for case in cases]
    while True:
        trying = []
        for each in explanations:
            if not each.done and (cause := each.next_cause(causes)) is not None:
                trying.append((each, cause, [failing.variants(each.case, feature) for feature in cause.features]))
        if not trying:
            return explanations
        failing.check(variant for _, _, groups in trying for group in groups for variant in group)
        for explanation, cause, groups in trying:
            explanation.path.append(cause)
            _judge(explanation, cause, groups, failing)


def _judge(explanation: Explanation, cause: Cause, groups: Sequence[Sequence[AnyCase]], failing: Failing) -> None:
    """Take a case as explained, or go on with its first variant that still fails.

    A cause needs each of its features. A case that still fails without one of them fails for another cause, too.
    """
    failed = [variant for group in groups for variant in group if failing.failure(variant) is not None]
    if not cause.features or (any(groups) and not failed):
        explanation.explained = explanation.done = True
    elif failed:
        explanation.case = failed[0]
