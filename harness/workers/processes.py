"""Processes that execute tasks, each with its own pipe and thread: the end of one does not affect the others.

    processes.schedule(function, args, seconds) -> Future: its result, or WorkerDied, or TimeoutError

Invariants: Processes share nothing; a shared lock would stay locked if its holder were killed. A process that died
without a task is replaced silently. SIGKILL comes from outside (a person, a machine without memory), so a task whose
process was killed is retried, at most twice, and a line on stderr reports it. Time limits use the monotonic clock.
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
"""Held while a process is started or joined: ``multiprocessing`` then polls all children, in any thread."""

_EXIT_SECONDS = 5.0
"""Time for a process that closed its pipe to end by itself."""


class WorkerDied(Exception):  # noqa: N818, it names an event, as BrokenPipeError does
    """The process ended before it returned a result; ``exitcode`` is the negative number of its signal, if any."""

    def __init__(self, exitcode: int) -> None:
        super().__init__(f"exit code {exitcode}")
        self.exitcode = exitcode


_RETRIES = 2
"""How often a task is retried whose process was killed."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    future: "Future[Any]"
    call: bytes
    seconds: float


class Processes:
    """Up to ``most`` processes, started when there are tasks. Each is replaced after ``tasks`` tasks."""

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
        """Queue a task, and return its future. Its time limit begins when a process takes it."""
        task = _Task(Future(), pickle.dumps((function, tuple(args))), seconds)
        with self._changed:
            self._waiting.append(task)
            self._changed.notify_all()
        return task.future

    def stop(self) -> None:
        """Kill all processes, and cancel the queued tasks."""
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
        """Return the ids of the processes that exist at this moment."""
        with _CHILDREN:
            return [w.process.pid for w in self._workers if w.process is not None and w.process.pid is not None]

    def _serve(self, worker: "_Worker") -> None:
        """Execute tasks, one after another: the main function of a thread."""
        while (task := self._next(worker)) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                task.future.set_result(worker.execute(task))
            except BaseException as error:  # noqa: BLE001, a task can raise anything; the future has it
                task.future.set_exception(error)
        worker.end()

    def _next(self, worker: "_Worker") -> _Task | None:
        """Return the next task, None at the end. A worker without a process leaves tasks to idle ones."""
        warm = worker.process is not None
        with self._changed:
            self._idle += warm
            while not self._stopped and len(self._waiting) <= (0 if warm else self._idle):
                self._changed.wait()
            self._idle -= warm
            return None if self._stopped else self._waiting.popleft()


class _Worker:
    """A process, started when needed, and our end of its pipe. One thread uses it; another may close it."""

    def __init__(self, most_tasks: int, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
        self._most_tasks, self._main = most_tasks, (initializer, initargs)
        self.process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._tasks, self._closed = 0, False

    def execute(self, task: _Task) -> Any:
        """Return what the task returned. Raises what it raised; or WorkerDied or TimeoutError, and ends the process."""
        for left in reversed(range(_RETRIES + 1)):
            try:
                raised, value = self._run(task)
                break
            except WorkerDied as death:
                if death.exitcode != -signal.SIGKILL or self._closed or not left:
                    raise
                _LOG.warning(
                    "foldproof: a worker was killed by SIGKILL, which a case does not send; its cases are checked again"
                )
        if self._tasks >= self._most_tasks:
            self.end()
        if raised:
            raise value
        return value

    def _run(self, task: _Task) -> tuple[bool, Any]:
        """Send the task, and return (whether it raised, what it returned or raised)."""
        pipe = self._send(task)
        if not pipe.poll(task.seconds):
            self.end()
            raise TimeoutError
        try:
            raised, value = pickle.loads(pipe.recv_bytes())  # noqa: S301, our own process wrote it
        except Exception:  # noqa: BLE001, the end of the pipe, half a message, or foreign bytes
            raise WorkerDied(self.end(_EXIT_SECONDS)) from None
        return raised, value

    def _send(self, task: _Task) -> Connection:
        """Send the task to the process, and return the pipe that its result will come from."""
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
        """Kill the process, and start none again."""
        with _CHILDREN:
            self._closed = True
            if self.process is not None:
                self.process.kill()

    def end(self, patience: float = 0.0) -> int:
        """End the process, and return its exit code: it is killed after ``patience`` seconds."""
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
    """Execute task after task until the other end of the pipe is closed: the main function of a process."""
    initializer(*initargs)
    pid = os.getpid()
    with suppress(EOFError, ConnectionError):
        while True:
            function, args = pickle.loads(pipe.recv_bytes())  # noqa: S301, our own process wrote it
            result = _call(function, args)
            if os.getpid() != pid:  # the task forked, and the copy came back
                os._exit(0)
            pipe.send_bytes(result)


def _call(function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """Call the function; return (whether it raised, what it returned or raised), pickled."""
    try:
        return pickle.dumps((False, function(*args)))
    except BaseException as error:  # noqa: BLE001, the process continues, whatever the task raised
        error.add_note(traceback.format_exc())
        with suppress(Exception):
            return pickle.dumps((True, error))
        return pickle.dumps((True, RuntimeError(traceback.format_exc())))
