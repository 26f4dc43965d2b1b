"""Processes: the end of one does not affect the others, and the wall clock does not matter."""

import operator
import os
import signal
import subprocess
import sys
import time

import pytest

from foldproof.workers.processes import Processes, WorkerDied


def nothing():
    pass


@pytest.fixture
def one():
    processes = Processes(1, tasks=100, initializer=nothing, initargs=())
    yield processes
    processes.stop()


def result_of(processes, function, *args, seconds=60.0):
    return processes.schedule(function, args, seconds).result()


def killed(log, times):
    with open(log, "a+") as file:
        file.seek(0)
        before = len(file.readlines())
        print(os.getpid(), file=file)
    if before < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return before


def slow_pid():
    time.sleep(0.5)
    return os.getpid()


def forked():
    return os.getpid() if os.fork() else -1


def into_all_files(text):
    for descriptor in sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2):
        try:
            os.write(descriptor, text)
        except OSError:
            continue
    return "written"


def unpicklable():
    return lambda: None


def test_the_result_of_a_task_is_what_it_returns_or_raises(one):
    assert result_of(one, operator.add, 1, 2) == 3
    with pytest.raises(ZeroDivisionError) as raised:
        result_of(one, operator.truediv, 1, 0)
    assert "in _call" in raised.value.__notes__[0]
    assert result_of(one, os.getpid) == result_of(one, os.getpid) != os.getpid()


def test_a_result_that_cannot_be_pickled_is_reported_and_the_process_continues(one):
    before = result_of(one, os.getpid)
    with pytest.raises(Exception, match="lambda"):
        result_of(one, unpicklable)
    assert result_of(one, os.getpid) == before


@pytest.mark.parametrize("code", [0, 7])
def test_a_process_that_exits_is_reported_with_its_code_and_replaced(one, code):
    with pytest.raises(WorkerDied) as died:
        result_of(one, os._exit, code)
    assert died.value.exitcode == code
    assert result_of(one, operator.add, 1, 2) == 3


def test_a_process_that_was_killed_while_it_was_idle_is_replaced_silently(one):
    for _ in range(3):
        os.kill(result_of(one, os.getpid), signal.SIGKILL)
        time.sleep(0.1)
        assert result_of(one, operator.add, 1, 2) == 3


def test_the_task_of_a_process_that_was_killed_is_retried_and_reported(one, tmp_path, caplog):
    assert result_of(one, killed, str(tmp_path / "log"), 2) == 2
    assert caplog.text.count("a worker was killed by SIGKILL") == 2


def test_a_task_whose_process_is_always_killed_is_given_up(one, tmp_path):
    with pytest.raises(WorkerDied) as died:
        result_of(one, killed, str(tmp_path / "log"), 99)
    assert died.value.exitcode == -signal.SIGKILL
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert result_of(one, operator.add, 1, 2) == 3


def test_a_process_that_takes_too_long_is_ended_by_the_monotonic_clock(one, monkeypatch):
    before = result_of(one, os.getpid)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(TimeoutError):
        result_of(one, time.sleep, 100, seconds=0.3)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert result_of(one, time.sleep, 0.1) is None
    assert not os.path.exists(f"/proc/{before}")


def test_a_task_that_forks_has_one_result(one):
    pid = result_of(one, os.getpid)
    assert [result_of(one, forked), result_of(one, os.getpid)] == [pid, pid]


def test_what_a_task_writes_into_the_pipe_is_not_a_result(one):
    with pytest.raises(WorkerDied):
        result_of(one, into_all_files, b"\0\0\0\x04junk")
    assert result_of(one, operator.add, 1, 2) == 3


def test_tasks_are_queued_and_can_be_cancelled_before_they_begin(one):
    long = one.schedule(time.sleep, [0.5], 60.0)
    futures = [one.schedule(operator.add, [i, 1], 60.0) for i in range(3)]
    assert futures[1].cancel()
    assert long.result() is None
    assert [futures[0].result(), futures[2].result()] == [1, 3]


def test_idle_processes_are_used_before_new_ones_are_started():
    processes = Processes(3, tasks=100, initializer=nothing, initargs=())
    assert len({result_of(processes, os.getpid) for _ in range(4)}) == 1
    waiting = [processes.schedule(slow_pid, [], 60.0) for _ in range(3)]
    assert len({future.result() for future in waiting}) == 3
    processes.stop()


def test_a_process_is_replaced_after_its_number_of_tasks():
    processes = Processes(1, tasks=2, initializer=nothing, initargs=())
    pids = [result_of(processes, os.getpid) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    processes.stop()


ENDLESS = """
import time
from foldproof.workers.processes import Processes

def nothing():
    pass

if __name__ == "__main__":
    processes = Processes(2, tasks=1, initializer=nothing, initargs=())
    busy = [processes.schedule(time.sleep, [100], 200.0) for _ in range(3)]
    time.sleep(0.5)
    {end}
"""


@pytest.mark.parametrize("end", ["processes.stop()", "pass"])
def test_nothing_is_left_when_the_owner_ends(end, tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS.format(end=end))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, tmp_path / "endless.py"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
