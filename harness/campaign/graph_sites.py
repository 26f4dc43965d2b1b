"""Graphs that fail because one of their sites does: triage counts them as that case.

    failing graph --check the case of each site--> one fails in the same kind --> the graph counts as it

What is left in the fingerprints of graphs needs their structure. So one defect is not reported twice, once for cases
and once for graphs.
"""

import time

from foldproof.campaign.causes import BATCH_CASES
from foldproof.campaign.failing import FailingCase, FailingCases
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import DistinctFailure, Summary
from foldproof.campaign.triage import save_failure
from foldproof.case import Case
from foldproof.case.graph import Graph
from foldproof.checking.failures import Failure
from foldproof.workers.pool import WorkerPool


def count_as_sites(settings: Settings, pool: WorkerPool, summary: Summary, *, deadline: float) -> None:
    """Move the failing graphs whose site fails alone to the fingerprint of that site.

    Args:
        settings: those of the campaign.
        pool: the workers.
        summary: its failing cases are moved, and its distinct failures with them.
        deadline: when the time ends (time.monotonic). Graphs that were not looked at stay where they are.
    """
    for fingerprint in list(summary.failing):
        kept = summary.failing[fingerprint].kept
        graphs = [each for each in kept if isinstance(each.failure.case, Graph) and not each.known]
        if graphs:
            _move(settings, summary, fingerprint, _failures_of_sites(pool, graphs, deadline))


def _failures_of_sites(pool: WorkerPool, graphs: list[FailingCase], deadline: float) -> dict[FailingCase, Failure]:
    """Return the failure of the first site of each graph that fails alone in the same kind."""
    cases = list(dict.fromkeys(case for each in graphs for case in each.failure.case.cases))
    failing: dict[Case, Failure] = {}
    for start in range(0, len(cases), BATCH_CASES):
        if time.monotonic() > deadline:
            break
        batch = cases[start : start + BATCH_CASES]
        results = zip(batch, pool.submit(batch).results(), strict=True)
        failing |= {case: result for case, result in results if isinstance(result, Failure)}
    found = {}
    for each in graphs:
        same = (failing[case] for case in each.failure.case.cases if case in failing)
        if (failure := next((one for one in same if one.kind == each.failure.kind), None)) is not None:
            found[each] = failure
    return found


def _move(settings: Settings, summary: Summary, fingerprint: str, moved: dict[FailingCase, Failure]) -> None:
    """Count the graphs as failures of their sites."""
    if not moved:
        return
    left = summary.failing[fingerprint]
    left.kept = [each for each in left.kept if each not in moved]
    for each, failure in moved.items():
        case = FailingCase(place=each.place, failure=failure, drawn_op=each.counted_op)
        summary.failing.setdefault(failure.fingerprint, FailingCases()).add(case)
        _count(settings, summary, failure)
    _uncount(settings, summary, fingerprint, len(moved))
    if not left.kept and not left.dropped:
        del summary.failing[fingerprint]


def _count(settings: Settings, summary: Summary, failure: Failure) -> None:
    if failure.fingerprint in settings.known:
        return
    if failure.fingerprint in summary.failures:
        summary.failures[failure.fingerprint].count += 1
    else:
        summary.failures[failure.fingerprint] = found = DistinctFailure(failure=failure)
        save_failure(settings, found)


def _uncount(settings: Settings, summary: Summary, fingerprint: str, gone: int) -> None:
    """Take graphs off the count of their own failure, and forget it if none is left."""
    found, left = summary.failures.get(fingerprint), summary.failing[fingerprint]
    if found is None:
        return
    found.count -= gone
    if found.path is not None and (not left.kept or left.kept[0].failure.case != found.failure.case):
        found.path.unlink(missing_ok=True)
        found.path = None
    if not left.kept:
        if not left.dropped:
            del summary.failures[fingerprint]
    elif found.failure.case != left.kept[0].failure.case:
        found.failure = left.kept[0].failure
        save_failure(settings, found)
