"""Faults of passes: what a pass does to its process is a failure of its case; nothing else is lost or left over.

``docs/explanation/faults.md`` has the table of all faults.
"""

import json

import pytest
from tests.support.faults import Place, assert_clean, outcome, summary, unharmed

from foldproof.checking.config import CheckConfig
from foldproof.checking.failures import Failure
from foldproof.corpus.entry import load_entry
from foldproof.workers.pool import WorkerPool

CAMPAIGN = ("--ops", "conv1d", "--seed", 0, "--examples", 16, "--workers", 2, "--shrink-time", "0.1s")
FILES = ("--corpus", "found", "--journal", "kept", "--json", "log")
FAULTY = ("--pass", "tests.support.fault_passes:faulty")


def without(faults):
    """The numbers that a fault must not change."""
    numbers, found = outcome(faults)
    return numbers, [count for _, count in found]


@pytest.fixture(scope="module")
def raising(tmp_path_factory):
    """The summary of a campaign whose pass raises an exception where the other passes crash or hang."""
    place = Place(tmp_path_factory.mktemp("raising"), {"FAULT": "raises"})
    run = place.fuzz(*FAULTY, *CAMPAIGN, "--no-save", "--json", "log")
    assert run.returncode == 1, run.stdout + run.stderr
    line = summary(place.folder / "log")
    assert [failure["fingerprint"] for failure in line["failures"]] == ["CompileError/conv/pass"]
    return line


@pytest.mark.faults
@pytest.mark.parametrize(
    ("fault", "symptom"),
    [("segfaults", "SIGSEGV"), ("aborts", "SIGABRT"), ("exits", "exit code 0"), ("eats", "out of memory")],
)
def test_a_pass_that_ends_its_process_costs_no_other_case(fault, symptom, raising, tmp_path):
    place = Place(tmp_path, {"FAULT": fault})
    run = place.fuzz(*FAULTY, *CAMPAIGN, *FILES, "--memory", 1024)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    line = summary(tmp_path / "log")
    assert [failure["fingerprint"] for failure in line["failures"]] == [f"TargetCrashed/conv/{symptom}"]
    assert without(line) == without(raising)
    unharmed(place, line)


@pytest.mark.faults
def test_a_pass_that_never_returns_costs_no_other_case(raising, tmp_path):
    place = Place(tmp_path, {"FAULT": "loops"})
    files = ("--no-save", "--journal", "kept", "--json", "log", "--pipeline", "default")
    run = place.fuzz(*FAULTY, *CAMPAIGN, *files, limit=6.0)
    assert run.returncode == 1, run.stdout + run.stderr
    line = summary(tmp_path / "log")
    assert [failure["fingerprint"] for failure in line["failures"]] == ["TargetTimeout/conv/timeout"]
    assert without(line) == without(raising)
    unharmed(place, line, limit=6.0, save=False)


@pytest.mark.faults
def test_what_a_pass_writes_disturbs_neither_the_answers_nor_the_report(tmp_path):
    place = Place(tmp_path)
    assert place.fuzz(*FAULTY, *CAMPAIGN, "--no-save", "--json", "log").returncode == 0
    quiet = summary(tmp_path / "log")
    place.env["FAULT"] = "babbles"
    run = place.fuzz(*FAULTY, *CAMPAIGN, *FILES)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert len(run.stdout) < 10_000
    assert [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()] == ["start", "summary"]
    assert outcome(summary(tmp_path / "log")) == outcome(quiet)
    unharmed(place, quiet)


@pytest.mark.faults
def test_a_segfault_that_depends_on_the_case_is_found_and_shrunk_to_a_1_minimal_case(tmp_path):
    place, dies = Place(tmp_path), ("--pass", "tests.support.fault_passes:dilated_groups", "--pipeline", "default")
    campaign = ("--ops", "conv1d", "--seed", 1, "--examples", 12, "--workers", 2, "--shrink-time", "240s")
    run = place.fuzz(*dies, *campaign, *FILES)
    assert run.returncode == 1, run.stdout + run.stderr
    [found] = summary(tmp_path / "log")["failures"]
    assert found["fingerprint"] == "TargetCrashed/conv/SIGSEGV"
    assert (found["minimal"], found["reproduced"]) == (True, "3/3")
    case = load_entry(tmp_path / found["path"]).case
    assert case.groups > 1
    assert case.axes[0].dilation == 3
    with WorkerPool(CheckConfig(fold=dies[1], complete=False, pipeline="default"), workers=2) as pool:
        results = pool.check_each([case, *case.simpler()])
    same = [isinstance(result, Failure) and result.fingerprint == found["fingerprint"] for result in results]
    assert same == [True] + [False] * (len(results) - 1)
    assert place.fuzz(found["path"], *dies, command="replay").returncode == 1
    assert_clean(place)
