"""Run the command line in this process, with workers that are forks: a new process takes seconds to start.

Each command is also run in a process of its own by some test: see ``foldproof`` in tests/cli/test_cli.py.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from foldproof.cli.main import main


@pytest.fixture
def here(monkeypatch, capfd, warm_workers):
    """Run ``foldproof`` with arguments in a folder; return its exit code and what it printed."""
    before, folders = set(sys.modules), []

    def run(*args, cwd):
        folders.append(cwd)
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            patch.setattr(sys, "path", [str(cwd), *sys.path])
            patch.setattr(sys, "argv", ["foldproof", *map(str, args)])
            capfd.readouterr()
            return subprocess.CompletedProcess(args, _exit_code(), *capfd.readouterr())

    yield run
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and any(Path(file).is_relative_to(folder) for folder in folders):
            del sys.modules[name]


def _exit_code():
    try:
        main()
    except SystemExit as ended:
        return ended.code or 0
    return 0
