"""foldproof.campaign.causes: a cause is what a case needs in order to fail; it explains the cases with that alone."""

import math
import time
from dataclasses import replace

import pytest

from foldproof import Axis, Case, Pad
from foldproof.campaign.causes import Cause, Failing, OutOfTimeError, explain, find_cause
from foldproof.campaign.features import ASYMMETRIC, NOT_COUNTED
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict

VALUE, MODE = "value that is not neutral", "mode"
NEUTRAL = Pad(value=-math.inf)
PLAIN = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 1)),), pad=NEUTRAL)
SKEWED = replace(PLAIN, axes=(Axis(size=4, pad=(0, 2)),))
WRONG_VALUE = replace(PLAIN, pad=Pad(value=0.0))
BOTH = replace(SKEWED, pad=Pad(value=0.0))
MIRRORED = replace(PLAIN, pad=Pad(mode="reflect"))


def swapped(case):
    return any(begin != end for axis in case.axes for begin, end in [axis.pad])


def ignored(case):
    return case.pad.mode == "constant" and case.pad.value != -math.inf


class Job:
    def __init__(self, cases, fails):
        self.cases, self._fails = cases, fails

    def results(self):
        return [failure("Miscompile", case, "values", "") if self._fails(case) else PASSED for case in self.cases]


PASSED = Verdict(folded=True)


class Pool:
    """Workers of a pass with some defects."""

    workers = 2

    def __init__(self, *defects):
        self._defects, self.checked = defects, []

    def submit(self, cases):
        self.checked += cases
        return Job(cases, lambda case: any(defect(case) for defect in self._defects))


def failing(*defects):
    return Failing(pool=Pool(*defects), fingerprint="Miscompile/max_pool/values")


@pytest.mark.parametrize(
    ("defects", "case", "cause"),
    [
        ((swapped,), SKEWED, (ASYMMETRIC,)),
        ((ignored,), WRONG_VALUE, (VALUE,)),
        ((ignored,), BOTH, (VALUE,)),
        ((swapped, ignored), BOTH, (VALUE,)),
        ((lambda case: True,), BOTH, ()),
        ((lambda case: case.axes[0].pad[1] > 0,), SKEWED, ("pad at the end",)),
        ((lambda case: case.pad.mode == "reflect",), MIRRORED, (MODE,)),
        ((lambda case: swapped(case) and ignored(case),), BOTH, (ASYMMETRIC, VALUE)),
    ],
)
def test_a_cause_is_what_a_case_needs_in_order_to_fail(defects, case, cause):
    assert find_cause(case, failing(*defects)) == cause


def test_what_a_hint_names_stays_if_it_can():
    assert find_cause(BOTH, failing(swapped, ignored), hint=(ASYMMETRIC,)) == (ASYMMETRIC,)


def explained(cases, causes, *defects):
    return [each.cause.features if each.explained else None for each in explain(cases, causes, failing(*defects))]


def test_a_cause_explains_the_cases_that_pass_without_it():
    causes = [Cause(features=(VALUE,))]
    assert explained([WRONG_VALUE, BOTH, SKEWED], causes, swapped, ignored) == [(VALUE,), None, None]


def test_a_case_with_two_causes_is_explained_by_both_together():
    causes = [Cause(features=(VALUE,)), Cause(features=(ASYMMETRIC,))]
    assert explained([BOTH], causes, swapped, ignored) == [(VALUE,)]


def test_a_case_with_a_known_and_a_new_cause_is_not_known():
    known, new = Cause(features=(VALUE,), known=True), Cause(features=(ASYMMETRIC,))
    [both, one] = explain([BOTH, WRONG_VALUE], [known, new], failing(swapped, ignored))
    assert (both.cause, one.cause) == (new, known)


def test_a_case_that_fails_without_a_feature_of_its_known_cause_has_another_one():
    """A cause needs all its features: BOTH fails with the begin or the end alone for another reason."""
    known = Cause(features=(ASYMMETRIC, VALUE), known=True)
    both = failing(lambda case: swapped(case) and ignored(case), ignored)
    [explanation] = explain([BOTH], [known], both)
    assert not explanation.explained
    assert ignored(explanation.case)


def test_a_cause_of_the_simplest_case_explains_all():
    assert explained([SKEWED, MIRRORED], [Cause(features=())], lambda case: True) == [(), ()]


def test_a_case_is_checked_once_and_time_ends_it():
    ours = failing(ignored)
    find_cause(WRONG_VALUE, ours)
    find_cause(WRONG_VALUE, ours)
    assert len(ours.pool.checked) == len(set(ours.pool.checked))
    late = failing(ignored)
    late.deadline = time.monotonic() - 1.0
    with pytest.raises(OutOfTimeError):
        find_cause(WRONG_VALUE, late)


def test_an_average_that_needs_uncounted_padding_does_not_explain_one_that_fails_without():
    """The simplest average does not count its padding, so that its cause would have no feature otherwise."""
    plain = Case(op="avg_pool1d", axes=(Axis(size=4, pad=(1, 1)),))
    valued = replace(plain, pad=Pad(value=7.0))

    def not_counted(case):
        return not case.count_include_pad

    def value_ignored(case):
        return case.pad.value != 0

    defects = Failing(pool=Pool(not_counted, value_ignored), fingerprint="Miscompile/avg_pool/values")
    cause = find_cause(plain, defects)
    assert cause == (NOT_COUNTED,)
    [first, second] = explain([plain, valued], [Cause(features=cause)], defects)
    assert (first.explained, second.explained) == (True, False)
    assert find_cause(second.case, defects) == (VALUE,)
