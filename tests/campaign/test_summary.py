"""Summaries: each case is counted once, and the counts survive a journal."""

import json
from dataclasses import replace

from foldproof import Axis, Case
from foldproof.campaign.summary import COUNTERS, NUMBERS, Summary
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.oracle.legality import Legality

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),))
OTHER = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 0)),))
WRONG = failure("Miscompile", CASE, "values", "out[0] = 1, but should be 2")
ALIKE = failure("Miscompile", CASE, "values", "out[1] = 3, but should be 4")
KNOWN = failure("WrongType", CASE, "return type", "returns another type")
CRASHED = failure("TargetCrashed", OTHER, "SIGSEGV", "died: SIGSEGV")


def verdict(*, folded=True):
    """A verdict with something to count everywhere."""
    return Verdict(
        folded=folded,
        legality=Legality.UNOBSERVABLE,
        rules=("conv",),
        reasons=(("value", "7 is not 0"),),
        declined=("negative widths",),
        undefined=("integer overflow in a step",),
        known_issues=("conv-axes-out-of-order",),
        sampled=True,
        fallback="a PrimFunc with a loop",
    )


def counted():
    summary = Summary(seed=0)
    news = [summary.add(CASE, result) for result in (WRONG, verdict(), ALIKE)]
    assert [new is not None for new in news] == [True, False, False]
    return summary


def test_a_failure_is_new_once_however_often_it_is_seen():
    summary = counted()
    assert (summary.executed, summary.failed, summary.folded) == (3, 2, 1)
    assert [(found.failure, found.count) for found in summary.failures.values()] == [(WRONG, 2)]


def test_known_failures_are_counted_and_not_reported():
    summary = Summary(seed=0)
    assert summary.add(CASE, WRONG, known={WRONG.fingerprint}) is None
    assert (summary.executed, summary.failed, summary.failures) == (1, 0, {})
    assert summary.known == {WRONG.fingerprint: 1}


def test_absorbed_records_add_up_and_new_failures_are_returned():
    part, whole = counted(), Summary(seed=0)
    assert part.add(OTHER, CRASHED) is not None
    part.add(OTHER, verdict(folded=False))
    part.add(CASE, KNOWN, known={KNOWN.fingerprint})
    part.add(CASE, replace(verdict(folded=False), unsupported="the IR has no such layout"))
    part.cases = part.executed
    assert all(getattr(part, name) for name in (*NUMBERS, *COUNTERS, "by_op"))
    plain = json.loads(json.dumps(part.to_dict()))
    [first, second] = whole.absorb(plain)
    assert [first.failure.fingerprint, second.failure.fingerprint] == [WRONG.fingerprint, CRASHED.fingerprint]
    assert (first.failure.case, first.failure.detail, first.count) == (CASE, WRONG.detail, 2)
    assert {name: whole.to_dict()[name] for name in (*NUMBERS, *COUNTERS, "by_op")} == {
        name: plain[name] for name in (*NUMBERS, *COUNTERS, "by_op")
    }
    assert whole.absorb(plain) == []
    assert [found.count for found in whole.failures.values()] == [4, 2]
    assert whole.executed == 2 * part.executed
    assert whole.by_op == {key: 2 * n for key, n in part.by_op.items()}
