"""foldproof.report.progress: what a campaign shows while it runs. Lines are snapshots."""

import io
import re

import pytest
from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof.campaign.summary import DistinctFailure, Summary
from foldproof.case import Axis, Case
from foldproof.checking.failures import failure
from foldproof.report import progress
from foldproof.report.progress import Progress


def shown(summary, *, terminal=False, seconds=None, examples=None, monkeypatch):
    """What is written for one summary; colours and cursor movements are left out."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=160)
    with Progress(console, seconds=seconds, examples=examples) as live:
        live.on_progress(summary)
        if terminal:
            live._live.refresh()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


def summary(executed, seconds, *, resumed=0):
    return Summary(seed=0, executed=executed, seconds=seconds, folded=executed, resumed=resumed)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("done", "budget", "left"),
    [
        (summary(100, 10.0), {"seconds": 60.0}, "0:00:50 left"),
        (summary(100, 10.0), {"examples": 400}, "0:00:30 left"),
        (summary(100, 10.0), {"examples": 400, "seconds": 25.0}, "0:00:15 left"),
        (summary(100, 10.0), {"examples": 200, "seconds": 7200.0}, "0:00:10 left"),
        (summary(300, 10.0, resumed=200), {"examples": 400}, "0:00:10 left"),
        (summary(100, 70.0), {"seconds": 60.0}, "0:00:00 left"),
        (summary(0, 0.0), {"examples": 400}, ""),
        (summary(100, 10.0), {}, ""),
    ],
)
def test_the_time_left_is_that_of_the_budget_that_ends_first(done, budget, left, terminal, monkeypatch):
    text = shown(done, **budget, terminal=terminal, monkeypatch=monkeypatch)
    assert re.findall(r"\S+ left", text)[-1:] == ([left] if left else [])


def bar_of(done, *, width=160, **budget):
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    return Progress(console, **{"seconds": None, "examples": None} | budget)._bar(done)


@pytest.mark.parametrize(
    ("done", "budget", "share"),
    [
        (summary(100, 10.0), {"seconds": 40.0}, 0.25),
        (summary(100, 40.0), {"seconds": 40.0}, 1.0),
        (summary(100, 50.0), {"seconds": 40.0}, 1.0),
        (summary(100, 10.0), {"examples": 400}, 0.25),
        (summary(400, 10.0), {"examples": 400}, 1.0),
        (summary(100, 10.0), {"examples": 400, "seconds": 20.0}, 0.5),
    ],
)
def test_a_terminal_shows_how_far_it_is(done, budget, share):
    [bar] = bar_of(done, **budget).columns[0].cells
    assert bar.completed == pytest.approx(share)
    assert not bar.pulse


def test_without_a_budget_the_bar_only_moves_and_a_narrow_terminal_has_none():
    [bar] = bar_of(summary(100, 10.0)).columns[0].cells
    assert bar.pulse
    assert "cases/s" in str(bar_of(summary(100, 10.0), width=80))


def test_progress_lines(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    file = io.StringIO()
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    found = DistinctFailure(failure=failure("Miscompile", case, "values", "out[0] = 1.0, but should be 0.0"))
    counted = Summary(seed=0, executed=120, seconds=10.0, folded=70, refused=45)
    with Progress(Console(file=file, width=160), seconds=None, examples=None) as live:
        live.on_progress(counted)
        live.on_failure(found)
        live.on_shrinking(found)
    with Progress(Console(file=file, width=160), seconds=60.0, examples=400) as live:
        counted.failures[found.failure.fingerprint] = found
        live.on_progress(counted)
    assert_snapshot("report-progress", file.getvalue())
