"""Another version of TVM is an error on import that names the supported range; one line for commands."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from foldproof.fold import tvm_version
from foldproof.fold.tvm_version import SUPPORTED, require_supported_tvm

ROOT = Path(__file__).parents[2]

MESSAGE = (
    "foldproof supports apache-tvm >=0.27,<0.28, but this is TVM 0.26.0; "
    "install it with: pip install 'apache-tvm>=0.27,<0.28'"
)


def test_the_range_is_that_of_the_requirement():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"apache-tvm{SUPPORTED}" in project["dependencies"]


@pytest.mark.parametrize(
    ("version", "supported"),
    [("0.27.0", True), ("0.27.0.post1", True), ("0.27.dev3", True), ("0.27", True)]
    + [("0.26.0", False), ("0.28.0", False), ("0.270.0", False), ("1.0", False), ("10.27", False)],
)
def test_versions(version, supported, monkeypatch):
    monkeypatch.setattr(tvm_version.tvm, "__version__", version)
    if supported:
        require_supported_tvm()
        return
    with pytest.raises(ImportError, match=f"but this is TVM {version}; "):
        require_supported_tvm()


@pytest.fixture
def run(tmp_path):
    """Run Python with a package ``tvm`` of version 0.26 that has nothing else."""
    (tmp_path / "tvm").mkdir()
    (tmp_path / "tvm" / "__init__.py").write_text('__version__ = "0.26.0"\n')
    (tmp_path / "mine.py").write_text("import tvm\n\ndef fold(mod):\n    return mod\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    def run_python(*args):
        command, env = [sys.executable, *args], os.environ | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

    return run_python


@pytest.mark.parametrize("module", ["foldproof.fold", "foldproof.ir.relax", "foldproof.ir.relax.targets"])
def test_the_import_says_what_is_supported(module, run):
    last = run("-c", f"import {module}").stderr.splitlines()[-1]
    assert last == f"ImportError: {MESSAGE}"


@pytest.mark.parametrize("options", [(), ("--pass", "mine:fold")])
def test_a_command_says_it_in_one_line(options, run):
    done = run("-m", "foldproof", "fuzz", "--examples", "1", "--workers", "1", "--no-save", *options)
    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("foldproof: ")
    assert line.endswith(f"raised ImportError: {MESSAGE}")


def test_help_needs_no_tvm(run):
    assert run("-m", "foldproof", "--help").returncode == 0
