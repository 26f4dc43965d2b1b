"""Budgets of a campaign: --time includes shrinking, --first shrinks one failure."""

import time

import pytest
from tests.campaign.test_grouping import CASES, Pool, counted, ignored, mirrored, swapped

from foldproof import Axis, Case
from foldproof.campaign import grouping
from foldproof.campaign.campaign import FAILURE_SECONDS, has_time_left
from foldproof.campaign.grouping import group_failures
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary
from foldproof.checking.failures import failure

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),))


def failed(*symptoms, known=()):
    summary = Summary(seed=0)
    for symptom in symptoms:
        summary.add(CASE, failure("Miscompile", CASE, symptom, "wrong"), known)
    return summary


@pytest.mark.parametrize(
    ("settings", "summary", "left"),
    [
        (Settings(seconds=None), failed("a"), 1e9),
        (Settings(seconds=300.0), failed(), 300.0),
        (Settings(seconds=300.0), failed("a"), 300.0 - FAILURE_SECONDS),
        (Settings(seconds=300.0), failed("a", "a"), 300.0 - FAILURE_SECONDS),
        (Settings(seconds=300.0), failed("a", "b"), 300.0 - 2 * FAILURE_SECONDS),
        (Settings(seconds=30.0), failed("a"), 20.0),
        (Settings(seconds=300.0, shrink_seconds=0.0), failed("a"), 300.0),
        (
            Settings(seconds=300.0, shrink_seconds=0.0),
            failed("a", known={"Miscompile/conv/a"}),
            300.0 - FAILURE_SECONDS,
        ),
    ],
)
def test_a_part_of_the_time_is_reserved_for_shrinking_what_failed(settings, summary, left):
    now = time.monotonic()
    assert has_time_left(settings, now - left + 5.0, summary)
    assert not has_time_left(settings, now - left - 5.0, summary) or settings.seconds is None


@pytest.fixture
def limits(monkeypatch):
    """The time limits with which failures were shrunk."""
    given, shrink = [], grouping.shrink_failure

    def recorded(pool, found, *, seconds, **others):
        given.append(seconds)
        shrink(pool, found, seconds=seconds, **others)

    monkeypatch.setattr(grouping, "shrink_failure", recorded)
    monkeypatch.setattr(grouping, "confirm_failure", lambda settings, pool, found: None)
    return given


def grouped(pool, *, deadline=float("inf"), **settings):
    summary = counted(pool, CASES)
    group_failures(Settings(**settings), pool, Listener(), None, summary, deadline=deadline)
    return summary


def test_shrinking_ends_with_the_time_of_the_campaign(limits):
    grouped(Pool(ignored), deadline=time.monotonic() + 40.0)
    assert limits
    assert all(limit <= 40.0 - grouping.CONFIRM_SECONDS for limit in limits)
    limits.clear()
    [found] = grouped(Pool(ignored), deadline=time.monotonic()).failures.values()
    assert (limits, found.shrunk, found.unexplained) == ([], None, 2)


def test_a_budget_of_0_shrinks_nothing(limits):
    [found] = grouped(Pool(ignored), shrink_seconds=0.0).failures.values()
    assert (limits, found.shrunk, found.count) == ([], None, 2)


@pytest.mark.parametrize("most", [1, 2])
def test_a_limit_of_failures_holds_for_causes_too(most, limits):
    summary = grouped(Pool(swapped, ignored, mirrored), max_failures=most)
    found = list(summary.failures.values())
    assert len(found) == len(limits) == most
    assert sum(each.count for each in found) == summary.failed
    assert found[-1].unexplained > 0


class Recorder(Listener):
    def __init__(self):
        self.seen = []

    def on_shrink_progress(self, found, tried, left):
        self.seen.append((found.name, tried, left))


def test_shrinking_reports_its_progress_and_the_time_left(limits):
    recorder, pool = Recorder(), Pool(ignored)
    group_failures(Settings(shrink_seconds=50.0), pool, recorder, None, counted(pool, CASES))
    assert {name for name, _, _ in recorder.seen} == {"Miscompile/max_pool/values"}
    tried, left = ([each[i] for each in recorder.seen] for i in (1, 2))
    assert tried == sorted(tried)
    assert all(0 < seconds <= 50.0 for seconds in left)


def test_the_time_of_each_phase_is_counted(limits):
    phases = grouped(Pool(ignored)).phases
    assert set(phases) == {"shrink", "confirm"}
