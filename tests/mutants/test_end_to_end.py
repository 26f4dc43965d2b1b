"""Mutants through the command line: found, shrunk to a 1-minimal case, saved, replayed.

One mutant per kind. ``tests/mutants/test_mutants.py`` checks all of them, and ``make test`` goes the same way with a
pass of its own (tests/test_pytest_counterexamples.py, tests/cli/test_replay.py).
"""

import json
import subprocess
import sys

import pytest

from foldproof import check, mutants
from foldproof.checking.failures import Failure
from foldproof.corpus.entry import load_entry

EXAMPLES = 500


def apart(*args, cwd):
    """Run the command as a user would, in a process of its own."""
    command = [sys.executable, "-m", "foldproof", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.REPRESENTATIVES)
def test_a_mutant_is_found_shrunk_saved_and_replayed(name, tmp_path, here):
    foldproof = apart if name == mutants.REPRESENTATIVES[0] else here
    spec = f"foldproof.mutants:{name}"
    budget = ("--examples", EXAMPLES, "--seed", 1, "--first", "--workers", 1)
    run = foldproof("fuzz", "--pass", spec, *budget, "--corpus", "found", "--json", "log", cwd=tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    summary = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert summary["event"] == "summary"
    assert summary["executed"] <= EXAMPLES

    first, *others = summary["failures"]
    assert first["minimal"]
    for found in (first, *(each for each in others if each["minimal"])):  # --first shrinks no second one
        assert found["reproduced"] == "3/3"
        assert f"replay: foldproof replay {found['path']} --pass {spec}" in run.stdout
        assert_reproducer(tmp_path, found, run.stdout)
        assert_1_minimal(tmp_path / found["path"], name, found["fingerprint"])

    saved = sorted((tmp_path / "found").glob("*.case.json"))
    assert sorted(tmp_path / found["path"] for found in summary["failures"]) == saved
    assert foldproof("replay", *saved, "--pass", spec, cwd=tmp_path).returncode == 1
    bundled = foldproof("replay", *saved, "--pass", "foldproof:FoldExplicitPadding", cwd=tmp_path)
    assert bundled.returncode == 0, bundled.stdout


def assert_reproducer(folder, found, printed):
    """The script is beside the case, and is confirmed, except if the pass raised."""
    assert found["script"] == found["path"].replace(".case.json", ".repro.py")
    assert (folder / found["script"]).exists()
    raised = found["fingerprint"].endswith("/pass")
    assert found["script_confirmed"] is not raised
    outcome = "not confirmed: without the pass there is nothing to run" if raised else "confirmed in a fresh process"
    assert f"reproducer: {found['script']} ({outcome})" in printed


def assert_1_minimal(path, name, fingerprint):
    """The saved case fails, and no value of ``Case.simpler()`` fails in the same way."""
    case = load_entry(path).case
    assert failing(case, name) == fingerprint
    for candidate in case.simpler():
        assert failing(candidate, name) != fingerprint, candidate


def failing(case, name):
    try:
        check(case, fold=mutants.BY_NAME[name].make())
    except Failure as failure:
        return failure.fingerprint
    return None
