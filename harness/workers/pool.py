"""A pool of worker processes that check cases. A worker that dies or hangs is a failure of its case alone.

pool.submit(cases) -> Job        job.results() -> a Verdict or Failure for each case
"""

import os
import signal
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.checking.crosscheck import confirm
from foldproof.checking.failures import Failure, TargetCrashed, TargetTimeout, failure
from foldproof.core.errors import UsageError
from foldproof.workers import worker
from foldproof.workers.processes import Processes, WorkerDied
from foldproof.workers.worker import Result

CASE_SECONDS = 60.0
"""Time limit of a batch, whose cases take 0.05 s each, and of a single case that is retried."""

START_SECONDS = 300.0
"""Time limit of importing TVM and the user's pass."""

RECYCLE_TASKS = 150
"""A worker is replaced after this number of batches, because TVM keeps memory of each. In 2,400 cases of a campaign,
100 workers grew by 47 MB at most (docs/results/long-campaigns.md)."""


class Job:
    """A batch of cases that a worker checks."""

    def __init__(self, pool: "WorkerPool", cases: Sequence[AnyCase], future: Any, pipeline: str) -> None:
        self.cases, self.future, self._pool, self._pipeline = list(cases), future, pool, pipeline

    def results(self) -> list[Result]:
        """Return a result per case. If the worker died or hung, each case is retried alone to find the cause."""
        try:
            return list(self.future.result())
        except WorkerDied as error:
            if len(self.cases) == 1:
                return [self._confirm(_crashed(self.cases[0], error.exitcode, self._pool.read_stderr()))]
            kind, how = "TargetCrashed", f"died ({cause(error.exitcode)})"
        except TimeoutError:
            if len(self.cases) == 1:
                detail = f"no result within {CASE_SECONDS:.0f} s"
                return [self._confirm(failure("TargetTimeout", self.cases[0], "timeout", detail))]
            kind, how = "TargetTimeout", "hung"
        alone = [result for job in [self._pool.submit([case]) for case in self.cases] for result in job.results()]
        if any(isinstance(result, TargetCrashed | TargetTimeout) for result in alone):
            return alone
        # It happened, even if no case repeats it. The crash replaces one passed case; the failures of other cases stay.
        i = next((i for i, result in enumerate(alone) if not isinstance(result, Failure)), 0)
        alone[i] = failure(
            kind, self.cases[i], "not reproducible in isolation", _NOT_REPRODUCIBLE.format(how, len(self.cases))
        )
        return alone

    def _confirm(self, lost: Failure) -> Failure:
        """Confirm a worker lost to a single case: the default pipeline decides whether the fast one is to blame."""
        if self._pipeline == "default":
            return lost
        [default] = self._pool.submit(self.cases, pipeline="default").results()
        return confirm(lost, default if isinstance(default, Failure) else None)


_NOT_REPRODUCIBLE = "a worker {} while it checked {} cases, of which this is one; none of them reproduces it alone"


def cause(code: int) -> str:
    """Return what ended a process, from its exit code."""
    if code == worker.OUT_OF_MEMORY:
        return "out of memory"
    return signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"


def _crashed(case: AnyCase, code: int, stderr: str) -> Failure:
    why = cause(code)
    message = f"; it wrote: {stderr}" if stderr else ""
    return failure("TargetCrashed", case, why, f"the process that compiled and ran the case died: {why}{message}")


MAX_QUOTE = 300
"""Characters of what a worker wrote to stderr before it died that a failure quotes."""

MAX_STDERR = 1 << 26
"""Bytes of the stderr of all workers that are kept, about."""


class WorkerPool:
    """A pool of worker processes that check cases in one way. Use as a context manager.

    Args:
        config: how cases are checked.
        workers: number of processes.
        fresh: whether each task runs in a fresh process.
        draws: whether the workers load Hypothesis when they start, to draw cases (``foldproof.campaign.prefetch``).

    Attributes:
        notice: after ``start``: why another pipeline is used than the requested one; empty if none is.
        description: after ``start``: what the target compiles for, in short; empty for the default one.
        blamed: after ``start``: what has the known issues: the compiler, or the compiler or the pass.
    """

    notice = description = blamed = ""

    def __init__(self, config: CheckConfig, workers: int, *, fresh: bool = False, draws: bool = False) -> None:
        self.config, self.workers = config, workers
        self._stderr = _Stderr()
        self._processes = Processes(
            workers,
            tasks=1 if fresh else RECYCLE_TASKS,
            initializer=worker.quiet,
            initargs=[self._stderr.path, draws],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.stop()
        self._stderr.close()

    def processes(self) -> list[int]:
        """Return the ids of the processes that exist at this moment."""
        return self._processes.pids()

    def read_stderr(self) -> str:
        """Return the end of what workers wrote to stderr since the last call, as one line."""
        return self._stderr.new()

    def start(self) -> None:
        """Load the pass and the target in a worker, and apply the pass to a trivial module.

        Raises:
            UsageError: if the pass or the target is unusable, or the pass returns something else than a module.
        """
        config = self.config
        try:
            prepared = self.schedule(worker.prepare, config, seconds=START_SECONDS).result()
        except TimeoutError as error:
            raise UsageError(f"pass {config.fold!r}: importing it took more than {START_SECONDS:.0f} s") from error
        except WorkerDied as error:
            raise UsageError(
                f"pass {config.fold!r}: importing it ended the worker process ({cause(error.exitcode)})"
            ) from error
        problem, self.notice, self.description, self.blamed = prepared
        if problem or (problem := self._try_pass()):
            raise UsageError(problem)

    def _try_pass(self) -> str:
        try:
            return str(self.schedule(worker.try_pass, self.config).result())
        except (TimeoutError, WorkerDied):  # a defect of the pass, which the first case reports
            return ""

    def with_config(self, config: CheckConfig) -> "WorkerPool":
        """Return a view of the same workers that checks cases in another way; they load its pass when it is used."""
        other = copy(self)
        other.config, other.notice, other.description, other.blamed = config, "", "", ""
        return other

    def schedule(self, function: Callable[..., Any], *args: Any, seconds: float = CASE_SECONDS) -> Any:
        """Run a function in a worker; return its future."""
        return self._processes.schedule(function, args, seconds)

    def submit(self, cases: Sequence[AnyCase], *, pipeline: str | None = None) -> Job:
        """Queue a batch of cases for a worker, through another ``pipeline`` if one is given."""
        self._stderr.trim()
        config = self.config if pipeline is None else replace(self.config, pipeline=pipeline)
        future = self.schedule(worker.check_cases, list(cases), config, seconds=CASE_SECONDS)
        return Job(self, cases, future, config.pipeline)

    def script(self, case: AnyCase, result: Result) -> tuple[str, str]:
        """Return (a script that reproduces the result of a case, or empty; why there is no script, or empty)."""
        try:
            text, problem = self.schedule(worker.write_script, case, result, self.config).result()
        except TimeoutError:
            return "", f"the pass alone took more than {CASE_SECONDS:.0f} s"
        except WorkerDied:
            return "", "the pass alone ends its process, so a script without the pass has nothing to show"
        return text, problem

    def check_each(self, cases: Sequence[AnyCase]) -> list[Result]:
        """Check each case in a batch of its own, in parallel, and wait for the results."""
        return [result for job in [self.submit([case]) for case in cases] for result in job.results()]


class _Stderr:
    """A file in memory that workers append their stderr to. It has no name in any folder, so no file is left (Linux).

    All workers share it, so the lines of several workers may be mixed.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("foldproof-stderr", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else None
        self.path = None if self._file is None else f"/proc/{os.getpid()}/fd/{self._file}"
        self._read = 0

    def new(self) -> str:
        """Return the last ``MAX_QUOTE`` characters that are new, as one line."""
        if self._file is None:
            return ""
        size = os.fstat(self._file).st_size
        start, self._read = max(self._read, size - 4 * MAX_QUOTE), size
        text = os.pread(self._file, size - start, start).decode(errors="replace")
        return " ".join(text.split())[-MAX_QUOTE:]

    def trim(self) -> None:
        """Empty the file if it is too large, so that it does not fill the memory."""
        if self._file is not None and os.fstat(self._file).st_size > MAX_STDERR:
            os.ftruncate(self._file, 0)
            self._read = 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
