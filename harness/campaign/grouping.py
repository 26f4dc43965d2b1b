"""Triage of a campaign: its failing cases are grouped by cause, each with its own shrunk case.

    failing cases of a fingerprint --shrink the first--> minimal case --find_cause--> cause
            ^                                                                         |
            +---- those that no cause explains <-------------explain------------------+

It ends when every case is explained, or when a time limit ends. Invariant: every failing case is counted in exactly one
distinct failure.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from foldproof.campaign.causes import Cause, Explanation, Failing, OutOfTimeError, explain, find_cause
from foldproof.campaign.failing import FailingCase, Place
from foldproof.campaign.features import plain_case
from foldproof.campaign.graph_sites import count_as_sites
from foldproof.campaign.journal import Journal
from foldproof.campaign.known import KnownFailure
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import DistinctFailure, Summary, shrunk_record
from foldproof.campaign.triage import confirm_failure, restore_shrunk, save_failure, shrink_failure
from foldproof.checking.failures import Failure
from foldproof.workers.pool import WorkerPool

MOST_CAUSES = 20
"""How many causes of one fingerprint are looked for."""

CONFIRM_SECONDS = 6.0
"""How long it takes to run a case again in fresh processes, about."""

EXPLAIN_SECONDS = 300.0
"""Time limit of finding out which cases a cause explains, where the campaign has no other."""


def group_failures(
    settings: Settings,
    pool: WorkerPool,
    listener: Listener,
    journal: Journal | None,
    summary: Summary,
    known: Sequence[KnownFailure] = (),
    *,
    deadline: float = math.inf,
) -> None:
    """Replace the failures of a summary by one for each cause, each shrunk, saved, and run again.

    Args:
        settings: those of the campaign.
        pool: the workers.
        listener: receives the events.
        journal: an open journal, with shrunk failures that are not shrunk again.
        summary: its failures are replaced, and its failing cases counted as known or failed.
        known: known failures that still fail. What they explain is not a failure.
        deadline: when the time ends (time.monotonic).

    Raises:
        KeyboardInterrupt: if the user stops it. The summary then has what was found before.
    """
    if settings.shrink_seconds > 0 or known:
        count_as_sites(settings, pool, summary, deadline=deadline)
    for fingerprint in [*summary.failures, *(each for each in summary.failing if each not in summary.failures)]:
        if listener.stopped:
            raise KeyboardInterrupt
        _Group(
            settings=settings,
            pool=pool,
            listener=listener,
            journal=journal,
            summary=summary,
            failing=Failing(
                pool=pool,
                fingerprint=fingerprint,
                stopped=lambda: listener.stopped,
                in_scope=settings.source.in_scope,
            ),
            waiting=list(summary.failing[fingerprint].kept),
            deadline=deadline,
            known=[each for each in known if each.fingerprint == fingerprint],
        ).run()


@dataclass(kw_only=True)
class _Group:
    """The failures of one fingerprint.

    ``waiting`` holds the cases that no cause explains yet, ``excused`` the places of those that a known failure
    explains, and ``known_causes`` the causes of known failures.
    """

    settings: Settings
    pool: WorkerPool
    listener: Listener
    journal: Journal | None
    summary: Summary
    failing: Failing
    waiting: list[FailingCase]
    deadline: float = math.inf
    known: Sequence[KnownFailure] = ()
    found: list[DistinctFailure] = field(default_factory=list)
    known_causes: list[Cause] = field(default_factory=list)
    excused: set[Place] = field(default_factory=set)
    starts: dict[Place, Failure] = field(default_factory=dict)

    def run(self) -> None:
        try:
            with self._time("shrink"):
                self._find_known_causes()
                self._restore()
            while not self._reached_limit() and self._shrink_next():
                pass
        finally:
            self._close()

    # --- steps ----------------------------------------------------------------------------------------

    def _reached_limit(self) -> bool:
        """Return whether as many failures were shrunk as the campaign may have."""
        most = self.settings.max_failures
        others = (each for each in self.summary.failures.values() if all(each is not own for own in self.found))
        shrunk = len(self.found) + sum(each.shrunk is not None for each in others)
        return len(self.found) >= MOST_CAUSES or (most is not None and shrunk >= most)

    def _find_known_causes(self) -> None:
        """Find the causes of the known failures, and take their own cases as known."""
        same = {each.case for each in self.known}
        self.excused |= {case.place for case in self.waiting if case.failure.case in same}
        self.waiting = [case for case in self.waiting if case.place not in self.excused]
        if not self.waiting:
            return
        self._start_clock()
        try:
            for each in self.known:
                self.failing.check([each.case, plain_case(each.case)])
                if self.failing.failure(each.case) is None:
                    continue  # it failed when it was replayed, but does not always fail
                cause = find_cause(each.case, self.failing, hint=each.hint)
                if cause or self.failing.failure(plain_case(each.case)) is not None:
                    self.known_causes.append(Cause(features=cause, known=True))
        except OutOfTimeError:
            pass

    def _is_known(self, found: DistinctFailure) -> bool:
        """Return whether a shrunk failure is a known one: it has the same case, or the same cause."""
        cause = None if found.cause is None else Cause(features=found.cause, known=True)
        return found.smallest.case in {each.case for each in self.known} or cause in self.known_causes

    def _restore(self) -> None:
        """Take the shrunk failures from the journal."""
        records = self.journal.shrunk if self.journal else {}
        while True:
            found = self._next_failure(self.waiting[0].failure if self.waiting else None)
            if found is None or not restore_shrunk(records.get(found.name), found):
                return
            self.found.append(found)
            places = set(found.explained)
            if not places and self.waiting:
                found.explained.append(self.waiting[0].place)  # an older journal has only the first case
                places = set(found.explained)
            self.waiting = [case for case in self.waiting if case.place not in places]
            if found.cause is None and found.smallest_is_minimal:
                self._find_cause(found)

    def _next_failure(self, failure: Failure | None) -> DistinctFailure | None:
        if not self.found:
            present = self.summary.failures.get(self.failing.fingerprint)
            if present is not None or failure is None:
                return present
            return DistinctFailure(failure=failure)
        first = failure or self.found[0].failure
        return DistinctFailure(failure=first, number=len(self.found) + 1)

    def _explain(self) -> bool:
        """Count the cases that the causes explain; return whether there was time to look at all of them."""
        if any(found.cause is None for found in self.found):
            return False
        causes = {Cause(features=found.cause): found for found in reversed(self.found) if found.cause is not None}
        every = [*self.known_causes, *reversed(causes)]
        if not every:
            return True
        self._start_clock()
        try:
            explanations = explain([case.failure.case for case in self.waiting], every, self.failing)
        except OutOfTimeError:
            return False
        left = []
        for case, explanation in zip(self.waiting, explanations, strict=True):
            if explanation.explained and explanation.cause.known:
                self.excused.add(case.place)
            elif explanation.explained:
                causes[explanation.cause].explained.append(case.place)
            else:
                left.append(case)
                self._note_start(case, explanation)
        self.waiting = left
        return True

    def _note_start(self, case: FailingCase, explanation: Explanation) -> None:
        failure = self.failing.results.get(explanation.case)
        self.starts[case.place] = case.failure if failure is None else failure

    def _shrink_next(self) -> bool:
        """Shrink the first case that no cause explains; return whether to go on with the next one."""
        with self._time("shrink"):
            if not self._explain() or not self.waiting or self._shrink_seconds() <= 0:
                return False
            case = self.waiting.pop(0)
            found = self._shrink(case)
        if found is None:
            return True
        with self._time("confirm"):
            confirm_failure(self.settings, self.pool, found)
        self.listener.on_shrunk(found)
        return found.cause is not None

    def _shrink(self, case: FailingCase) -> DistinctFailure | None:
        """Shrink a case; return the failure if it is a new one."""
        found = self._next_failure(case.failure)
        assert found is not None
        self.listener.on_shrinking(found)
        others = [Cause(features=each.cause) for each in self.found if each.cause is not None] + self.known_causes
        shrink_failure(
            self.pool,
            found,
            start=self.starts.get(case.place),
            others=others,
            seconds=self._shrink_seconds(),
            in_scope=self.settings.source.in_scope,
            progress=lambda tried, left: self.listener.on_shrink_progress(found, tried, left),
        )
        if found.smallest_is_minimal or self.known:
            self._find_cause(found)
        if self._is_known(found):
            self.excused.add(case.place)
            return None
        if not found.smallest_is_minimal:
            found.cause = None  # a smaller case may have another one
        same = next((each for each in self.found if _is_same(each, found)), None)
        if same is not None:
            same.explained.append(case.place)
            return None
        found.explained.append(case.place)
        self.found.append(found)
        return found

    def _find_cause(self, found: DistinctFailure) -> None:
        self._start_clock()
        self.failing.results[found.smallest.case] = found.smallest
        try:
            found.cause = find_cause(found.smallest.case, self.failing)
        except OutOfTimeError:
            found.cause = None

    def _start_clock(self) -> None:
        self.failing.deadline = min(self.deadline, time.monotonic() + EXPLAIN_SECONDS)

    def _shrink_seconds(self) -> float:
        """Return how long the next failure may be shrunk, so that there is time to confirm it; 0 or less is not."""
        return min(self.settings.shrink_seconds, self.deadline - time.monotonic() - CONFIRM_SECONDS)

    @contextmanager
    def _time(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.summary.phases[phase] += time.monotonic() - began

    # --- the result -----------------------------------------------------------------------------------

    def _close(self) -> None:
        """Count every case in one failure, record the failures, and put them into the summary."""
        if self.waiting:
            self._count_waiting()
        self.summary.count_known(self.failing.fingerprint, self.excused)
        for found in self.found:
            found.dropped = 0 if found.number > 1 or self.known else self._count_dropped()
            found.count = len(found.explained) + found.unexplained + found.dropped
            if found.explained:
                found.first_met = self.summary.number_of(min(found.explained))
        self._replace()
        for found in self.found:
            if self.journal and found.shrunk and found.explained != self._recorded(found):
                self.journal.record_shrunk(shrunk_record(found))

    def _count_dropped(self) -> int:
        return self.summary.failing[self.failing.fingerprint].dropped

    def _count_waiting(self) -> None:
        """Count the cases that are not explained in the last failure, or in one of their own."""
        last = self.found[-1] if self.found else None
        if last is None or (last.cause is not None and not self._reached_limit()):
            last = self._next_failure(self.waiting[0].failure)
            assert last is not None
            last.first_met = self.summary.number_of(self.waiting[0].place)
            self.found.append(last)
            if last.path is None:
                save_failure(self.settings, last)
        last.unexplained = len(self.waiting)

    def _recorded(self, found: DistinctFailure) -> Sequence[object] | None:
        record = self.journal.shrunk.get(found.name) if self.journal else None
        return None if record is None else [tuple(place) for place in record.get("explained", ())]

    def _replace(self) -> None:
        failures: dict[str, DistinctFailure] = {}
        if self.failing.fingerprint not in self.summary.failures:
            self.summary.failures |= {each.name: each for each in self.found}
            return
        for name, found in self.summary.failures.items():
            if found.failure.fingerprint != self.failing.fingerprint:
                failures[name] = found
            elif not failures.keys() & {each.name for each in self.found}:
                failures |= {each.name: each for each in self.found}
        self.summary.failures = failures


def _is_same(found: DistinctFailure, other: DistinctFailure) -> bool:
    """Return whether two shrunk failures are one: they have the same case, or need the same features."""
    return found.smallest.case == other.smallest.case or (other.cause is not None and found.cause == other.cause)
