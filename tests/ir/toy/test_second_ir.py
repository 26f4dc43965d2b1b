"""A second IR goes through check, shrinking, corpus, replay and reports, where TVM cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ir.toy import toy_ir

from foldproof import Axis, Case, Failure, Pad, check

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), fills=("negative",))
LOWEST = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), pad=Pad(value=float("-inf")))


@pytest.mark.parametrize("case", [CASE, LOWEST])
def test_check_executes_the_module_of_the_ir_that_the_pass_names(case):
    assert check(case, toy_ir.right, complete=True).folded
    with pytest.raises(Failure) as caught:
        check(case, toy_ir.swapped)
    assert caught.value.kind == "Miscompile"
    assert "out[0,0,0]" in caught.value.detail


def test_a_missed_fold_is_one_in_any_ir():
    def folds_nothing(module):
        return module

    folds_nothing.foldproof_ir = toy_ir.TOY
    with pytest.raises(Failure) as caught:
        check(CASE, folds_nothing, complete=True)
    assert caught.value.fingerprint == "MissedFold/conv/pad left"


def test_a_case_that_the_ir_cannot_express_is_not_executed():
    case = Case(op="avg_pool1d", axes=(Axis(),))
    assert check(case, toy_ir.right).unsupported.startswith("the toy IR has")


def test_a_known_issue_of_the_ir_excuses_what_does_not_compile():
    case = Case(op="conv1d", axes=(Axis(size=6, pad=(1, 2), kernel=5),))
    assert check(case, toy_ir.right).known_issues == ("toy-does-not-compile-kernel-5",)


def test_a_target_of_another_ir_is_refused_by_this_one():
    with pytest.raises(ValueError, match="unknown target 'cuda'; expected numpy"):
        check(CASE, toy_ir.right, target="cuda")


@pytest.fixture
def run(tmp_path):
    """The command line in a folder with the toy IR, where importing TVM raises."""
    for name in ("tvm", "tvm_ffi"):
        (tmp_path / "block" / name).mkdir(parents=True)
        (tmp_path / "block" / name / "__init__.py").write_text("raise ImportError('TVM is not here')")
    (tmp_path / "toy_ir.py").write_text(Path(toy_ir.__file__).read_text())
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "block"), *filter(None, sys.path)])}

    def run(*arguments):
        command = [sys.executable, "-m", "foldproof", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

    return run


def test_the_blocked_environment_has_no_tvm(run):
    refused = run("fuzz", "--examples", "1")
    assert refused.returncode == 2
    assert "TVM is not here" in refused.stderr


@pytest.mark.slow
def test_a_campaign_finds_shrinks_saves_and_replays_without_tvm(run, tmp_path):
    fuzz = ("fuzz", "--strategy", "toy_ir:cases", "--examples", 120, "--seed", 1, "--workers", 1, "--json", "log")
    clean = run(*fuzz, "--pass", "toy_ir:right", "--complete", "--no-save")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert ": no failure" in clean.stdout
    summary = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert summary["folded"] > 0
    assert summary["refused"] > 0
    assert sum(summary["unsupported"].values()) > 0
    assert summary["known_issues"]["toy-does-not-compile-kernel-5"] > 0

    found = run(*fuzz, "--pass", "toy_ir:swapped")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "Miscompile/conv/values" in found.stdout
    assert "1-minimal" in found.stdout
    assert "reproduced 3/3" in found.stdout
    [path] = (tmp_path / "foldproof-corpus").glob("conv1d-Miscompile-values-*.case.json")
    assert run("replay", path, "--pass", "toy_ir:swapped").returncode == 1
    assert run("replay", path, "--pass", "toy_ir:right").returncode == 0
    assert run("corpus", "check", path).returncode == 0
    shown = run("show", path, "--pass", "toy_ir:swapped")
    assert shown.returncode == 1
    assert "toy module: Module(op='conv1d'" in shown.stdout
    assert "Miscompile/conv/values" in shown.stdout
