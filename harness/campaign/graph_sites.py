"""Graphs that fail because one of their sites does: triage counts them as that case.

    failing graph --check the case of each site--> one fails in the same kind
                  --check the graph without such sites--> it passes --> the graph counts as the first of them

What is left in the fingerprints of graphs needs their structure. So one defect is not reported twice, once for cases
and once for graphs.
"""

import time
from collections.abc import Sequence

from foldproof.campaign.causes import BATCH_CASES
from foldproof.campaign.failing import FailingCase, FailingCases
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import DistinctFailure, Summary
from foldproof.campaign.triage import save_failure
from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.case.shrinking.graphs import keep
from foldproof.checking.batch import Result
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
    """Return the failure of the first site of each graph that fails alone in the same kind, and explains the graph."""
    results = _check(pool, [case for each in graphs for case in each.failure.case.cases], deadline)
    found: dict[FailingCase, Failure] = {}
    rests: dict[FailingCase, Graph] = {}
    for each in graphs:
        alone = [(i, results.get(case)) for i, case in enumerate(each.failure.case.cases)]
        same = {i: one for i, one in alone if isinstance(one, Failure) and one.kind == each.failure.kind}
        if same:
            found[each] = next(iter(same.values()))
            kept = tuple(i for i, _ in alone if i not in same)
            rest = next(keep(each.failure.case, kept), None) if kept and isinstance(each.failure.case, Graph) else None
            if rest is not None:
                rests[each] = rest
    rest_results = _check(pool, list(rests.values()), deadline)
    for each, rest in rests.items():
        result = rest_results.get(rest)
        if result is None or (isinstance(result, Failure) and result.kind == each.failure.kind):
            del found[each]  # the other sites fail, too, or there was no time to ask
    return found


def _check(pool: WorkerPool, cases: Sequence[AnyCase], deadline: float) -> dict[AnyCase, Result]:
    """Return the result of each case; those for which there was no time have none."""
    results: dict[AnyCase, Result] = {}
    distinct = list(dict.fromkeys(cases))
    for start in range(0, len(distinct), BATCH_CASES):
        if time.monotonic() > deadline:
            break
        batch = distinct[start : start + BATCH_CASES]
        results |= dict(zip(batch, pool.submit(batch).results(), strict=True))
    return results


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
