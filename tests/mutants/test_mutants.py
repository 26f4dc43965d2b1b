"""mutants: each defect is one, on its case, where the right pass is right; and the benchmark counts what check says."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from foldproof import Axis, Case, Pad, check, mutants, strategies
from foldproof.checking.failures import Failure, failure
from foldproof.generation.draw import draw, shards
from foldproof.ir.relax.targets import parse_target
from foldproof.mutants import BY_NAME, MUTANTS
from foldproof.mutants.baselines import BASELINES, BY_BASELINE, find_kills
from foldproof.mutants.distinct_modules import CaseModules, DistinctModule, Passes, apply_all
from foldproof.mutants.kill_matrix import RIGHT, kill_matrix, select_kills
from foldproof.mutants.patched_pass import PatchedPass
from foldproof.mutants.tally import Tally, wilson_interval

LLVM = parse_target("llvm")

# --- the defects --------------------------------------------------------------------------------------

RAISING = {
    "groups_lost",
    "nonconstant_dereferenced",
    "raises_on_groups",
    "reshape_target_stale",
    "varying_operand_moved",
    "varying_parameters_moved",
    "wide_pad_asserted",
}
"""Defects that show by an exception; any other that raises is broken for another reason than its defect."""


def test_there_are_sixty_defects_and_ten_are_held_out():
    assert len(MUTANTS) == len(BY_NAME) >= 60
    assert sum(mutant.held_out for mutant in MUTANTS) == 10
    assert all(mutant.text.endswith(".") for mutant in MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_defect_is_caught_where_the_right_pass_passes(mutant):
    with pytest.raises(Failure) as caught:
        check(mutant.witness, fold=mutant.make(), complete=True)
    assert (caught.value.kind == "CompileError") == (mutant.name in RAISING), caught.value
    check(mutant.witness)
    check(mutant.witness, fold=mutant.right(), complete=True)


def test_a_defect_is_an_attribute_that_makes_the_pass():
    assert mutants.value_ignored is BY_NAME["value_ignored"].make
    with pytest.raises(AttributeError, match="no_such_defect"):
        mutants.no_such_defect  # noqa: B018


def test_nothing_that_users_import_imports_the_defects():
    code = "import sys, foldproof, foldproof.cli.main, foldproof.checking.check, foldproof.pytest_plugin\n"
    code += "import foldproof.campaign.campaign, foldproof.workers.worker\n"
    code += "foldproof.FoldExplicitPadding\n"
    code += "assert not [name for name in sys.modules if name.startswith('foldproof.mutants')]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- the matrix ---------------------------------------------------------------------------------------


def passes(*names):
    return Passes({RIGHT: mutants.mutant.BUNDLED(), **{name: BY_NAME[name].make() for name in names}})


def failing(case, fold):
    try:
        check(case, fold=fold, complete=True, sample=0.0)
    except Failure as found:
        return found.fingerprint
    return None


SAMPLE = (
    "value_ignored",
    "begin_end_swapped",
    "clip_not_evaluated",
    "input_mutated",
    "identity_pad_kept",
    "stale_type",
)


@pytest.mark.parametrize(
    ("names", "count"), [(SAMPLE, 8), pytest.param(tuple(BY_NAME), 16, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_kill_is_what_check_says(names, count):
    cases = [*draw(strategies.cases(), count, 7), *(BY_NAME[name].witness for name in names[:count])]
    for case, found in zip(cases, kill_matrix(cases, passes(*names), LLVM), strict=True):
        right = failing(case, None)
        for name in names:
            message = failing(case, BY_NAME[name].make())
            expected = message if message != right else None
            assert (found[name].fingerprint if name in found else None) == expected, (name, case)


def test_passes_that_share_a_run_make_what_they_make_alone():
    names = tuple(BY_NAME)
    alone = Passes({RIGHT: mutants.mutant.BUNDLED(), **{name: hidden(BY_NAME[name].make()) for name in names}})
    for case in draw(strategies.cases(), 12, 3):
        assert partition(apply_all(case, passes(*names))) == partition(apply_all(case, alone))


def hidden(fold):
    """The same pass, but nobody sees what it replaces."""
    return (lambda module: fold(module)) if isinstance(fold, PatchedPass) else fold


def partition(row):
    return {frozenset(each.names) for each in row.distinct if each.names}, {
        name: found.fingerprint for name, found in row.failures.items()
    }


def test_what_the_bundled_pass_gets_too_kills_nothing():
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    row = CaseModules(case=case)
    for name, symptom in ((RIGHT, "values"), ("same", "values"), ("other", "shape")):
        found = failure("Miscompile", case, symptom, "")
        row.distinct.append(
            DistinctModule(case=case, unfolded=None, folded=None, changed=True, names=[name], failure=found)
        )
    assert set(select_kills(row)) == {"other"}


def test_failures_that_blame_tvm_kill_nothing():
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    row = CaseModules(case=case, failures={"a": failure("OracleDisagreement", case, "values", "")})
    assert select_kills(row) == {}


# --- counting -----------------------------------------------------------------------------------------


def test_the_interval_of_a_rate_is_wilsons():
    """By hand from the formula with z = 1.96."""
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_a_defect_is_killed_if_every_seed_kills_it():
    found = failure("Miscompile", Case(op="conv1d", axes=(Axis(),)), "values", "")
    tally = Tally(name="any", seeds=[0, 1, 2])
    assert [tally.add(0, 4, found), tally.add(0, 9, found), tally.add(1, 6, found), tally.add(2, 1, None)] == [
        True,
        False,
        True,
        False,
    ]
    assert not tally.killed
    assert (tally.median, tally.worst, tally.kills, tally.cases) == (6, math.inf, 3, 4)
    tally.add(2, 8, found)
    assert tally.killed
    assert (tally.median, tally.worst, tally.symptom) == (6, 8, "Miscompile values")
    assert tally.to_dict()["worst_cases"] == 8


def test_a_budget_is_used_up_to_the_last_case():
    assert sum(len(cases) for _, cases in shards(strategies.cases("conv1d"), 75, 0)) == 75


# --- baselines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_a_baseline_draws_the_same_cases_again(baseline):
    drawn = baseline.draw(50, 1)
    assert drawn == baseline.draw(50, 1)
    assert 0 < len(drawn) <= 50


def test_the_fixed_matrix_is_no_larger_than_itself():
    """3 own paddings x 3 pads x 3 ranks x 2 layouts, for convolutions and both pools."""
    assert len(BY_BASELINE["relay-matrix"].draw(1000, 0)) == 3 * 3 * 3 * 2 * 3


def test_a_baseline_sees_values_alone():
    case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), pad=Pad(value=3.0))
    names = ("value_ignored", "not_idempotent", "input_mutated", "asymmetric_refused")
    [found] = find_kills(BY_BASELINE["uniform"], [case], passes(*names), LLVM, 0)
    assert set(found) == {"value_ignored"}


def test_a_baseline_misses_what_its_tolerance_swallows():
    """A border of -0.0 before a max_pool of zeros: equal as numbers."""
    mutant = BY_NAME["nested_signs_of_zero_not_compared"]
    [found] = find_kills(BY_BASELINE["uniform"], [mutant.witness], passes(mutant.name), LLVM, 0)
    assert found == {}


# --- the command --------------------------------------------------------------------------------------


def foldproof(*args, cwd):
    command = [sys.executable, "-m", "foldproof", "mutants", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_the_command_prints_a_table_and_lines(tmp_path):
    names = "begin_end_swapped,value_ignored,dilation_lost"
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
    assert "held out" in run.stdout


def test_a_defect_that_lives_fails_the_command(tmp_path):
    run = foldproof(
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


def test_the_case_of_a_defect_is_shrunk_to_a_1_minimal_one(tmp_path):
    options = ("--only", "begin_end_swapped", "--budget", 12, "--seeds", 1, "--workers", 1, "--no-baselines")
    run = foldproof(*options, "--json", "log", cwd=tmp_path)
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
        (("--budget", "0"), ("0", "x>=1")),
        (("--seeds", "none"), ("'none'", "integer")),
        (("--json", "no/such/folder/log"), ("no/such/folder/log",)),
    ],
    ids=["defect", "budget", "seeds", "json"],
)
def test_bad_input_gets_one_line(options, named, tmp_path):
    run = foldproof(*options, cwd=tmp_path)
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert all(word in run.stderr for word in named)


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
