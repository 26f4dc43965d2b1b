"""``foldproof mutants``: the command, its report and its lines of ``--json``."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.mutants import failing

from foldproof import Case
from foldproof.mutants import BY_NAME


def foldproof(*args, cwd):
    command = [sys.executable, "-m", "foldproof", "mutants", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_command_prints_a_table_and_lines(tmp_path):
    names = "begin_end_swapped,value_ignored,crop_scaled_by_dilation"
    run = foldproof(
        "--only", names, "--budget", 20, "--seeds", 1, "--workers", 1, "--no-shrink", "--json", "log", cwd=tmp_path
    )
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    summary = lines[-1]
    assert run.returncode == (0 if summary["killed"] == 3 else 1), run.stderr
    assert summary["event"] == "summary"
    assert summary["defects"] == 3
    assert summary["held_out"]["defects"] == 1
    assert set(summary["baselines"]) == {"relay-matrix", "nnsmith", "uniform"}
    assert {line["defect"] for line in lines if line["event"] == "defect"} == set(names.split(","))
    assert "begin_end_swapped" in run.stdout
    assert "held-out mutants" in run.stdout


@pytest.mark.slow
def test_mutants_of_structure_are_tried_on_graphs(tmp_path):
    names = "begin_end_swapped,parameter_names_lost,branches_swapped"
    options = ("--strategy", "graphs", "--budget", 3, "--seeds", 1, "--workers", 1, "--no-shrink", "--json", "log")
    run = foldproof("--only", names, *options, cwd=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    kill = next(line for line in lines if line["event"] == "kill")
    assert "mutants of structure, on graphs" in run.stdout
    assert "begin_end_swapped" not in run.stdout
    assert kill["defect"] == "parameter_names_lost"
    assert kill["case"]["sites"]
    assert lines[-1]["structure"]["defects"] == lines[-1]["structure_held_out"]["defects"] == 1


def test_a_surviving_mutant_fails_the_command(tmp_path, here):
    run = here(
        "mutants",
        "--only",
        "neutral_value_of_another_dtype",
        "--budget",
        2,
        "--seeds",
        1,
        "--workers",
        1,
        "--no-baselines",
        cwd=tmp_path,
    )
    assert run.returncode == 1
    assert ">2" in run.stdout


@pytest.mark.slow
def test_the_case_of_a_mutant_is_shrunk_to_a_1_minimal_one(tmp_path, here):
    options = ("--only", "begin_end_swapped", "--budget", 12, "--seeds", 1, "--workers", 1, "--no-baselines")
    run = here("mutants", *options, "--json", "log", cwd=tmp_path)
    lines = map(json.loads, (tmp_path / "log").read_text().splitlines())
    [shrunk] = [line for line in lines if line["event"] == "shrunk"]
    assert run.returncode == 0
    assert shrunk["minimal"]
    case = Case.from_json(shrunk["case"])
    make = BY_NAME["begin_end_swapped"].make
    assert failing(case, make()) == shrunk["fingerprint"]
    assert all(failing(simpler, make()) != shrunk["fingerprint"] for simpler in case.simpler())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--only", "value_ignored,nonsense"), ("'nonsense'", "begin_end_swapped")),
        (("--only", "value_ignored", "--strategy", "graphs"), ("value_ignored", "graphs")),
        (("--budget", "0"), ("0", "x>=1")),
        (("--seeds", "none"), ("'none'", "integer")),
        (("--json", "no/such/folder/log"), ("no/such/folder/log",)),
    ],
    ids=["defect", "strategy", "budget", "seeds", "json"],
)
def test_bad_input_gets_one_line(options, named, tmp_path, here):
    run = here("mutants", *options, cwd=tmp_path)
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert all(word in run.stderr for word in named)


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_it_has(tmp_path):
    command = [
        sys.executable,
        "-m",
        "foldproof",
        "mutants",
        "--only",
        "begin_end_swapped",
        "--json",
        "log",
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    log = tmp_path / "log"
    while time.monotonic() < deadline and not (log.exists() and '"event": "kill"' in log.read_text()):
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in stdout
    summary = json.loads(log.read_text().splitlines()[-1])
    assert summary["event"] == "summary"
    assert summary["interrupted"]
