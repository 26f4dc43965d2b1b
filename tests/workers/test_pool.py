"""Workers: a process that dies or hangs is a failure of its case, and the other cases still have results."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foldproof.campaign.shrinker import shrink_with
from foldproof.case import Axis, Case
from foldproof.case.graph import Graph, Site
from foldproof.checking.config import CheckConfig
from foldproof.checking.result import Verdict
from foldproof.core.errors import UsageError
from foldproof.workers import pool
from foldproof.workers.pool import WorkerPool

PASSES = """
import os, signal, time

def stride(mod):
    for line in mod.script().splitlines():
        if "strides=[" in line:
            return int(line.split("strides=[")[1].split("]")[0])
    return 1

def dies_on_stride_two(mod):
    if stride(mod) == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return mod

def exits_on_stride_two(mod):
    if stride(mod) == 2:
        os._exit(7)
    return mod

def dies_once(mod):
    if "nn.pad" in mod.script() and not os.path.exists(os.environ["FOLDPROOF_TEST_MARK"]):
        open(os.environ["FOLDPROOF_TEST_MARK"], "w").close()
        os._exit(3)
    return mod

def dies_once_and_raises_on_stride_two(mod):
    dies_once(mod)
    if stride(mod) == 2:
        raise RuntimeError("boom")
    return mod

def speaks_and_dies_on_stride_two(mod):
    if stride(mod) == 2:
        print("garbage on stdout", flush=True)
        os.write(2, b"Check failed: stride\\n  is two\\n")
        os.abort()
    return mod

HOARD = []

def eats_memory_on_stride_two(mod):
    while stride(mod) == 2:
        HOARD.append(bytearray(1 << 26))
    return mod

def hangs_on_stride_two(mod):
    if stride(mod) == 2:
        time.sleep(1000)
    return mod
"""


@pytest.fixture
def passes(tmp_path, monkeypatch, warm_workers):
    (tmp_path / "bad_passes.py").write_text(PASSES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(tmp_path))
    return "bad_passes:"


def strided(stride):
    return Case(op="conv1d", axes=(Axis(size=5, pad=(1, 0), stride=stride),))


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("dies_on_stride_two", "TargetCrashed/conv/SIGSEGV"),
        ("exits_on_stride_two", "TargetCrashed/conv/exit code 7"),
        ("speaks_and_dies_on_stride_two", "TargetCrashed/conv/SIGABRT"),
        ("eats_memory_on_stride_two", "TargetCrashed/conv/out of memory"),
    ],
)
def test_a_worker_that_dies_is_a_failure_of_the_case_that_killed_it(passes, name, fingerprint):
    with WorkerPool(CheckConfig(fold=passes + name, complete=False, megabytes=1024), workers=1) as workers:
        workers.start()
        results = workers.submit([strided(1), strided(2), strided(3)]).results()
    assert [isinstance(result, Verdict) for result in results] == [True, False, True]
    assert results[1].fingerprint == fingerprint


def test_a_worker_that_dies_of_a_graph_is_a_failure_of_that_graph(passes):
    """The pass reads the first stride in the text of a module."""
    graphs = [Graph(sites=(Site(case=strided(stride)), Site(case=strided(1)))) for stride in (2, 1)]
    with WorkerPool(CheckConfig(fold=passes + "dies_on_stride_two", complete=False), workers=1) as workers:
        workers.start()
        crash, verdict = workers.submit(graphs).results()
        shrunk = shrink_with(crash, workers)
    assert crash.fingerprint == "TargetCrashed/graph/SIGSEGV"
    assert isinstance(verdict, Verdict)
    assert shrunk.minimal
    assert shrunk.case.cases == (Case(op="conv1d", axes=(Axis(stride=2),)),)


def test_what_a_worker_wrote_before_it_died_is_in_the_failure(passes):
    with WorkerPool(CheckConfig(fold=passes + "speaks_and_dies_on_stride_two", complete=False), workers=1) as workers:
        workers.start()
        [result] = workers.check_each([strided(2)])
    assert "died: SIGABRT; it wrote: " in result.detail
    assert "Check failed: stride is two" in result.detail
    assert "garbage" not in result.detail


def test_stderr_of_workers_is_emptied_when_it_is_too_large(monkeypatch):
    monkeypatch.setattr(pool, "MAX_STDERR", 1000)
    with WorkerPool(CheckConfig(complete=False), workers=1) as workers:
        workers.start()
        workers.schedule(os.write, 2, b"a" * 1001).result()
        workers.check_each([strided(1)])
        assert os.stat(workers._stderr.path).st_size == 0
        workers.schedule(os.write, 2, b"last words").result()
        assert workers.read_stderr() == "last words"


def test_workers_end_with_the_process_that_started_them(passes, tmp_path):
    program = f"""
import os, sys, time
from foldproof.case import Axis, Case
from foldproof.workers.pool import WorkerPool
from foldproof.checking.config import CheckConfig
if __name__ == "__main__":
    pool = WorkerPool(CheckConfig(fold="{passes}hangs_on_stride_two", complete=False), workers=2)
    pool.start()
    for size in (5, 6):
        pool.submit([Case(op="conv1d", axes=(Axis(size=size, pad=(1, 0), stride=2),))])
    time.sleep(4)
    print(*open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read().split(), flush=True)
    time.sleep(100)
"""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        children = descendants(process.pid) if process.stdout.readline() else []
        process.kill()
    assert len(children) >= 2
    deadline = time.monotonic() + 10
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, children))


def descendants(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_worker_that_hangs_is_a_failure_of_the_case_that_hung(passes, monkeypatch):
    monkeypatch.setattr(pool, "CASE_SECONDS", 8.0)
    with WorkerPool(CheckConfig(fold=passes + "hangs_on_stride_two", complete=False), workers=1) as workers:
        workers.start()
        results = workers.submit([strided(2), strided(3)]).results()
        [graph] = workers.check_each([Graph(sites=(Site(case=strided(2)),))])
    assert results[0].fingerprint == "TargetTimeout/conv/timeout"
    assert isinstance(results[1], Verdict)
    assert graph.fingerprint == "TargetTimeout/graph/timeout"


def test_a_death_that_does_not_happen_again_is_still_reported(passes, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDPROOF_TEST_MARK", str(tmp_path / "mark"))
    with WorkerPool(CheckConfig(fold=passes + "dies_once", complete=False), workers=1) as workers:
        workers.start()
        results = workers.submit([strided(1), strided(2)]).results()
    assert results[0].fingerprint == "TargetCrashed/conv/not reproducible in isolation"
    assert "a worker died (exit code 3) while it checked 2 cases" in results[0].detail
    assert isinstance(results[1], Verdict)


def test_a_death_that_does_not_happen_again_takes_the_place_of_no_other_failure(passes, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDPROOF_TEST_MARK", str(tmp_path / "mark"))
    with WorkerPool(
        CheckConfig(fold=passes + "dies_once_and_raises_on_stride_two", complete=False), workers=1
    ) as workers:
        workers.start()
        results = workers.submit([strided(2), strided(1), strided(3)]).results()
    assert [getattr(result, "fingerprint", "") for result in results] == [
        "CompileError/conv/pass",
        "TargetCrashed/conv/not reproducible in isolation",
        "",
    ]


def test_what_workers_write_is_kept_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(pool, "MAX_STDERR", 1000)
    words = pool._Stderr()
    with open(words.path, "ab", buffering=0) as file:
        file.write(b"x" * 900)
        words.trim()
        assert words.new() == "x" * pool.MAX_QUOTE
        file.write(b"x" * 900)
        words.trim()
        file.write(b"the end")
    assert words.new() == "the end"
    words.close()


@pytest.mark.slow
def test_a_crash_shrinks_like_any_other_failure(passes):
    with WorkerPool(CheckConfig(fold=passes + "dies_on_stride_two", complete=False), workers=1) as workers:
        workers.start()
        [crash] = workers.check_each([strided(2)])
        shrunk = shrink_with(crash, workers)
    assert shrunk.minimal
    assert shrunk.case == Case(op="conv1d", axes=(Axis(stride=2),))


def test_an_unusable_pass_is_refused_at_the_start():
    with (
        WorkerPool(CheckConfig(fold="nowhere:nothing"), workers=1) as workers,
        pytest.raises(UsageError, match="nowhere"),
    ):
        workers.start()


def test_no_worker_is_left_when_the_pool_is_closed():
    with WorkerPool(CheckConfig(), workers=2) as workers:
        workers.start()
        assert children()
    deadline = time.monotonic() + 10
    while children() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not children()


def children():
    """Processes of ours that run ``multiprocessing.spawn``; pytest-xdist's own are not among them."""
    found = []
    for entry in os.listdir("/proc") if sys.platform == "linux" else ():
        try:
            with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as line:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                if parent == os.getpid() and "spawn_main" in line.read():
                    found.append(int(entry))
        except (OSError, ValueError, IndexError):
            continue  # not a process, or gone meanwhile
    return found


def test_ctrl_c_is_left_to_the_coordinator():
    with WorkerPool(CheckConfig(), workers=1) as workers:
        workers.start()
        for pid in children():
            os.kill(pid, signal.SIGINT)
        [result] = workers.check_each([strided(1)])
    assert isinstance(result, Verdict)


@pytest.mark.parametrize("name", ["raises", "dies", "interrupts"])
def test_a_pass_that_fails_on_every_module_is_not_refused_at_the_start(name, tmp_path, monkeypatch):
    bodies = {"raises": "1 / 0", "dies": "os._exit(3)", "interrupts": "raise KeyboardInterrupt"}
    (tmp_path / "failing.py").write_text(f"import os\ndef {name}(mod):\n    {bodies[name]}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with WorkerPool(CheckConfig(fold=f"failing:{name}", complete=False), workers=1) as workers:
        workers.start()
