"""Processes that do tasks, each with a pipe and a thread of its own: what ends one of them harms no other.

    processes.schedule(function, args, seconds) -> Future: what came of it, or WorkerDied, or TimeoutError

Laws. Processes share nothing: a lock would stay locked if its holder were killed. A process that died while it had no
task is replaced without a word. SIGKILL comes from outside (a person, a machine that runs out of memory), so a task
whose process was killed is done again, twice at most, and a line on stderr says so. Time limits go by a clock that
nobody sets.
"""

import atexit
import logging
import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Condition, Lock, Thread
from typing import Any

_CHILDREN = Lock()
"""Held while a process is started or waited for: ``multiprocessing`` looks at all children then, in any thread."""

_LAST_SECONDS = 5.0
"""A process that closed its pipe has so long to end by itself."""


class WorkerDied(Exception):  # noqa: N818, as the future of a task has it
    """The process ended before it answered; ``exitcode`` is the negative number of the signal that ended it, if any."""

    def __init__(self, exitcode: int) -> None:
        super().__init__(f"exit code {exitcode}")
        self.exitcode = exitcode


_MOST_AGAIN = 2
"""How often a task is done again whose process was killed."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    future: "Future[Any]"
    call: bytes
    seconds: float


class Processes:
    """Up to ``most`` processes, started when there is something to do. Each ends after so many ``tasks``."""

    def __init__(self, most: int, *, tasks: int, initializer: Callable[..., None], initargs: Iterable[Any]) -> None:
        self._waiting: deque[_Task] = deque()
        self._changed = Condition()
        self._idle, self._stopped = 0, False
        self._workers = [_Worker(tasks, initializer, tuple(initargs)) for _ in range(most)]
        self._threads = [Thread(target=self._serve, args=[worker], daemon=True) for worker in self._workers]
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)

    def schedule(self, function: Callable[..., Any], args: Iterable[Any], seconds: float) -> "Future[Any]":
        """The future of a task that waits in line, and can be cancelled meanwhile; its time begins with a process."""
        task = _Task(Future(), pickle.dumps((function, tuple(args))), seconds)
        with self._changed:
            self._waiting.append(task)
            self._changed.notify_all()
        return task.future

    def stop(self) -> None:
        """End all processes, whatever they do; what waits is cancelled."""
        atexit.unregister(self.stop)
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            thread.join()
        for task in self._waiting:
            task.future.cancel()

    def pids(self) -> list[int]:
        """The processes that exist at this moment."""
        with _CHILDREN:
            return [w.process.pid for w in self._workers if w.process is not None and w.process.pid is not None]

    def _serve(self, worker: "_Worker") -> None:
        """A thread's life: tasks, one by one."""
        while (task := self._next(worker)) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                task.future.set_result(worker.do(task))
            except BaseException as error:  # noqa: BLE001, a task can raise anything, and whoever asked has to know
                task.future.set_exception(error)
        worker.end()

    def _next(self, worker: "_Worker") -> _Task | None:
        """The next task, None at the end. A worker without a process leaves to idle ones what they can do."""
        warm = worker.process is not None
        with self._changed:
            self._idle += warm
            while not self._stopped and len(self._waiting) <= (0 if warm else self._idle):
                self._changed.wait()
            self._idle -= warm
            return None if self._stopped else self._waiting.popleft()


class _Worker:
    """A process, started when it is needed, and our end of its pipe. One thread uses it; another may close it."""

    def __init__(self, most_tasks: int, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
        self._most_tasks, self._main = most_tasks, (initializer, initargs)
        self.process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._tasks, self._closed = 0, False

    def do(self, task: _Task) -> Any:
        """What the task returned. Raises what it raised, WorkerDied, or TimeoutError; the last two end the process."""
        for left in reversed(range(_MOST_AGAIN + 1)):
            try:
                raised, value = self._answer(task)
                break
            except WorkerDied as death:
                if death.exitcode != -signal.SIGKILL or self._closed or not left:
                    raise
                _LOG.warning("foldproof: a worker was killed (SIGKILL), which no case does; what it had is done again")
        if self._tasks >= self._most_tasks:
            self.end()
        if raised:
            raise value
        return value

    def _answer(self, task: _Task) -> tuple[bool, Any]:
        """(whether the task raised, what it returned or raised)"""
        pipe = self._asked(task)
        if not pipe.poll(task.seconds):
            self.end()
            raise TimeoutError
        try:
            raised, value = pickle.loads(pipe.recv_bytes())  # noqa: S301, our own process wrote it
        except Exception:  # noqa: BLE001, the end of the pipe, half a message, or what something else wrote into it
            raise WorkerDied(self.end(_LAST_SECONDS)) from None
        return raised, value

    def _asked(self, task: _Task) -> Connection:
        """The pipe from which the answer will come."""
        while True:
            pipe = self._pipe or self._start()
            try:
                pipe.send_bytes(task.call)
            except OSError:  # the process died while it was idle
                self.end()
                continue
            self._tasks += 1
            return pipe

    def _start(self) -> Connection:
        context: SpawnContext = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        with _CHILDREN:
            if self._closed:
                raise WorkerDied(0)
            process = context.Process(target=_main, args=(theirs, *self._main))
            process.start()
            self.process, self._pipe, self._tasks = process, pipe, 0
        theirs.close()
        return pipe

    def close(self) -> None:
        """Kill the process, and start no other."""
        with _CHILDREN:
            self._closed = True
            if self.process is not None:
                self.process.kill()

    def end(self, patience: float = 0.0) -> int:
        """The exit code of the process, which had so long to end by itself, or was killed."""
        with _CHILDREN:
            if self.process is None or self._pipe is None:
                return 0
            self._pipe.close()
            if patience:
                self.process.join(patience)
            self.process.kill()
            self.process.join()
            code = self.process.exitcode or 0
            self.process = self._pipe = None
            return code


def _main(pipe: Connection, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
    """The process: a task, its answer, and so on until the other end is closed."""
    initializer(*initargs)
    pid = os.getpid()
    with suppress(EOFError, ConnectionError):
        while True:
            function, args = pickle.loads(pipe.recv_bytes())  # noqa: S301, our own process wrote it
            answer = _answer(function, args)
            if os.getpid() != pid:  # the task forked, and the copy came back
                os._exit(0)
            pipe.send_bytes(answer)


def _answer(function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """(whether it raised, what it returned or raised)"""
    try:
        return pickle.dumps((False, function(*args)))
    except BaseException as error:  # noqa: BLE001, whatever the task raised, the process goes on
        error.add_note(traceback.format_exc())
        with suppress(Exception):
            return pickle.dumps((True, error))
        return pickle.dumps((True, RuntimeError(traceback.format_exc())))
