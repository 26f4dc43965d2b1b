"""Worker processes that have TVM when they start: forks of a server, where users get new processes.

A new process takes seconds to import TVM and Hypothesis, and a test needs one to ten of them. Tests of how a process
starts, ends or is interrupted, and all that run the command in a process of its own, get new ones.
"""

import multiprocessing
import os
from functools import partial
from types import SimpleNamespace

import pytest

from foldproof.workers import processes, worker

PRELOADED = [
    "foldproof.workers.worker",
    "foldproof.checking.batch",
    "foldproof.ir.relax.ir",
    "foldproof.generation.draw",
    "foldproof.fold",
    "tvm",
    "hypothesis",
    "pytest",
]


def quiet_fork(environ, *args):
    """Initialize a worker that the server started, and that ends with the server: with the environment of its pool."""
    os.environ.clear()
    os.environ.update(environ)
    start, end_with_parent = worker.quiet, worker.end_with_parent
    worker.end_with_parent = lambda _: end_with_parent()
    start(*args)


class _QuietFork:
    """``quiet_fork`` with the environment at the time when a worker is started."""

    def __reduce__(self):
        return partial, (quiet_fork, dict(os.environ))


@pytest.fixture
def warm_workers(monkeypatch):
    """Let pools of this process fork their workers. The server ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    monkeypatch.setattr(worker, "quiet", _QuietFork())
    monkeypatch.setattr(processes, "multiprocessing", SimpleNamespace(get_context=lambda _: context))
