"""foldproof in an environment of its own, in a project that has a folder ``harness/`` and a file ``strategies.py``."""

import os
import shutil
import subprocess
import sys

import pytest
from tests.docs.test_ci_page import FILES, NIGHTLY, RIGHT, WRONG
from tests.support.house import ROOT

pytestmark = pytest.mark.slow

OWN_TEST = """
import harness
import strategies
from hypothesis import given, settings

import foldproof

assert harness.MINE and strategies.MINE


@settings(max_examples=5, deadline=None, database=None)
@given(foldproof.strategies.cases("conv1d"))
def test_a_pass(case):
    foldproof.check(case)
"""


def clean_environment():
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The programs of a new environment in which foldproof was installed from its wheel."""
    folder = tmp_path_factory.mktemp("fresh")
    source = folder / "source"
    shutil.copytree(
        ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".venv", ".git", "build", "site", ".*_cache")
    )
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    pip = [folder / "env" / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, source], check=True, env=clean_environment())
    [wheel] = folder.glob("foldproof-*.whl")
    subprocess.run(
        [*pip, "install", "--constraint", ROOT / "constraints.txt", wheel], check=True, env=clean_environment()
    )
    return folder / "env" / "bin"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "strategies.py").write_text("MINE = True\n")
    (tmp_path / "test_own.py").write_text(OWN_TEST)
    return tmp_path


def run(folder, *command):
    command = list(map(str, command))
    return subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=300)


def test_pytest_runs_in_a_project_with_a_harness_and_strategies_of_its_own(fresh, project):
    done = run(project, fresh / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_fuzz_runs_there_too(fresh, project):
    done = run(project, fresh / "foldproof", "fuzz", "--examples", 20, "--seed", 1, "--no-save")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 cases" in done.stdout
    assert done.stdout.rstrip().endswith("no failure")


@pytest.mark.parametrize(("line", "code"), [(RIGHT, 0), (WRONG, 1)], ids=["right", "wrong"])
def test_the_files_of_the_ci_page_are_a_whole_project_there(fresh, tmp_path, line, code):
    """``pytest`` and the nightly script of the page, with a right pass and with one that folds every pad."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(RIGHT, line))
    nightly = f'PATH="{fresh}:$PATH" {NIGHTLY}'
    done = run(tmp_path, "sh", "-c", nightly)
    assert done.returncode == code, done.stdout + done.stderr
    assert bool(list((tmp_path / "found").glob("*.case.json"))) is (code == 1)
    done = run(tmp_path, fresh / "python", "-m", "pytest", "-p", "no:cacheprovider")
    assert done.returncode == code, done.stdout + done.stderr


def test_nothing_else_is_installed(fresh, tmp_path):
    for name in ("harness", "strategies"):
        done = run(tmp_path, fresh / "python", "-c", f"import {name}")
        assert done.returncode == 1
        assert f"No module named '{name}'" in done.stderr
    done = run(tmp_path, fresh / "python", "-c", "import foldproof.strategies; print(foldproof.strategies.cases)")
    assert done.returncode == 0, done.stderr
