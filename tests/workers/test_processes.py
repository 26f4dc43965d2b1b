"""Processes: what ends one of them harms no other, and what a clock says does not matter."""

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


def answer(processes, function, *args, seconds=60.0):
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
    for descriptor in range(3, 30):
        try:
            os.write(descriptor, text)
        except OSError:
            continue
    return "written"


def unpicklable():
    return lambda: None


def test_a_task_is_answered_with_what_it_returns_or_raises(one):
    assert answer(one, operator.add, 1, 2) == 3
    with pytest.raises(ZeroDivisionError) as raised:
        answer(one, operator.truediv, 1, 0)
    assert "in _answer" in raised.value.__notes__[0]
    assert answer(one, os.getpid) == answer(one, os.getpid) != os.getpid()


def test_what_cannot_be_sent_back_is_said_and_the_process_goes_on(one):
    before = answer(one, os.getpid)
    with pytest.raises(Exception, match="lambda"):
        answer(one, unpicklable)
    assert answer(one, os.getpid) == before


@pytest.mark.parametrize("code", [0, 7])
def test_a_process_that_exits_is_reported_with_its_code_and_replaced(one, code):
    with pytest.raises(WorkerDied) as died:
        answer(one, os._exit, code)
    assert died.value.exitcode == code
    assert answer(one, operator.add, 1, 2) == 3


def test_a_process_that_was_killed_while_it_was_idle_is_replaced_without_a_word(one):
    for _ in range(3):
        os.kill(answer(one, os.getpid), signal.SIGKILL)
        time.sleep(0.1)
        assert answer(one, operator.add, 1, 2) == 3


def test_the_task_of_a_process_that_was_killed_is_done_again_and_said(one, tmp_path, caplog):
    assert answer(one, killed, str(tmp_path / "log"), 2) == 2
    assert caplog.text.count("a worker was killed (SIGKILL)") == 2


def test_a_task_whose_process_is_always_killed_is_given_up(one, tmp_path):
    with pytest.raises(WorkerDied) as died:
        answer(one, killed, str(tmp_path / "log"), 99)
    assert died.value.exitcode == -signal.SIGKILL
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert answer(one, operator.add, 1, 2) == 3


def test_a_process_that_takes_too_long_is_ended_by_a_clock_that_nobody_sets(one, monkeypatch):
    before = answer(one, os.getpid)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(TimeoutError):
        answer(one, time.sleep, 100, seconds=0.3)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert answer(one, time.sleep, 0.1) is None
    assert not os.path.exists(f"/proc/{before}")


def test_a_task_that_forks_is_answered_once(one):
    pid = answer(one, os.getpid)
    assert [answer(one, forked), answer(one, os.getpid)] == [pid, pid]


def test_what_a_task_writes_into_the_pipe_is_no_answer(one):
    with pytest.raises(WorkerDied):
        answer(one, into_all_files, b"\0\0\0\x04junk")
    assert answer(one, operator.add, 1, 2) == 3


def test_tasks_wait_in_line_and_can_be_cancelled_before_they_begin(one):
    long = one.schedule(time.sleep, [0.5], 60.0)
    futures = [one.schedule(operator.add, [i, 1], 60.0) for i in range(3)]
    assert futures[1].cancel()
    assert long.result() is None
    assert [futures[0].result(), futures[2].result()] == [1, 3]


def test_idle_processes_are_asked_before_new_ones_are_started():
    processes = Processes(3, tasks=100, initializer=nothing, initargs=())
    assert len({answer(processes, os.getpid) for _ in range(4)}) == 1
    waiting = [processes.schedule(slow_pid, [], 60.0) for _ in range(3)]
    assert len({future.result() for future in waiting}) == 3
    processes.stop()


def test_a_process_ends_after_so_many_tasks():
    processes = Processes(1, tasks=2, initializer=nothing, initargs=())
    pids = [answer(processes, os.getpid) for _ in range(4)]
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
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, tmp_path / "endless.py"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 20.0
