"""foldproof.mutants.report: tables, the closing line and progress lines, as snapshots."""

import io

from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof.campaign.shrinker import ShrinkResult
from foldproof.checking.failures import failure
from foldproof.mutants import BY_NAME, report
from foldproof.mutants.benchmark import Plan, Result
from foldproof.mutants.report import Progress, print_result
from foldproof.mutants.tally import Tally

KILLED, SURVIVING, HELD_OUT = "begin_end_swapped", "minus_zero_folded", "crop_scaled_by_dilation"
LOOKED_AT, STRUCTURAL, STRUCTURAL_HELD_OUT = "rounds_half_up", "only_main_folded", "branches_swapped"
NAMES = (KILLED, SURVIVING, HELD_OUT)
FOUND = failure("Miscompile", BY_NAME[KILLED].witness, "values", "out[0,0,0] = 1.0, but should be 0.0")


def tally(name, *numbers, cases=600):
    """The tally of two seeds: the numbers of the cases that kill, per seed."""
    made = Tally(name=name, seeds=[0, 1])
    for seed, killing in enumerate(numbers):
        for number in killing:
            made.add(seed, number, FOUND)
    made.cases = cases
    return made


def result(**fields):
    tallies = [tally(KILLED, [3, 7, 20], [12]), tally(SURVIVING, [250], []), tally(HELD_OUT, [5], [8])]
    return Result(
        plan=Plan(names=NAMES, budget=300, seeds=2, seed=0),
        tallies={each.name: each for each in tallies},
        seconds=12.34,
        **fields,
    )


def printed(found):
    file = io.StringIO()
    print_result(Console(file=file, width=100, highlight=False), found)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_the_report():
    baselines = {"uniform": {name: tally(name, [40], [90]) if name == KILLED else tally(name) for name in NAMES}}
    shrunk = {
        KILLED: ShrinkResult(failure=FOUND, tried=51, seconds=1.94, minimal=True),
        HELD_OUT: ShrinkResult(failure=FOUND, tried=9, seconds=60.0, minimal=False),
    }
    assert_snapshot("mutants-report", printed(result(baselines=baselines, shrunk=shrunk, interrupted=True)))


def test_mutants_of_each_group_have_a_table_of_their_own():
    names = (LOOKED_AT, *NAMES, STRUCTURAL, STRUCTURAL_HELD_OUT)
    numbers = dict.fromkeys(names, ([1], [2])) | {STRUCTURAL: ([40], [60])}
    found = Result(
        plan=Plan(names=names, budget=300, seeds=2, seed=0),
        tallies={name: tally(name, *numbers[name]) for name in names},
        baselines={"uniform": {name: tally(name) for name in (LOOKED_AT, *NAMES)}},
        seconds=12.34,
    )
    assert_snapshot("mutants-report-of-groups", printed(found))


def test_the_closing_line_of_mutants_that_were_not_shrunk():
    assert printed(result()).splitlines()[-1] == (
        "2 of 3 defects killed by each of 2 seeds (from 0) within 300 cases; median 7.5, worst >300; 12.3 s"
    )


def test_a_line_is_printed_at_the_end_of_each_seed(monkeypatch):
    monkeypatch.setattr(report.time, "monotonic", lambda: 100.0)
    file = io.StringIO()
    progress = Progress(Console(file=file), Plan(names=NAMES, budget=300), lambda record: None)
    for number in (8, 299, 300):
        progress.on_count("foldproof", 1, number)
    assert file.getvalue() == "foldproof, seed 1: 300/300 cases, 0 s\n"
