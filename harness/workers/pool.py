"""Judges: processes that check cases. A process that dies or hangs is a failure of its case, not of the campaign.

judge.submit(cases) -> Job        job.results() -> a Verdict or Failure for each case
"""

import os
import signal
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

from foldproof.case import Case
from foldproof.checking.config import CheckConfig
from foldproof.checking.crosscheck import confirm
from foldproof.checking.failures import Failure, TargetCrashed, TargetTimeout, failure
from foldproof.core.errors import UsageError
from foldproof.workers import worker
from foldproof.workers.processes import Processes, WorkerDied
from foldproof.workers.worker import Result

CASE_SECONDS = 60.0
"""Time limit of a few cases, which take 0.05 s each, and of a single one that is asked again."""

START_SECONDS = 300.0
"""Time limit of importing TVM and the user's pass."""

RECYCLE_TASKS = 150
"""A worker is replaced after as many batches: TVM keeps some of what each leaves. In 2,400 cases of a campaign, 100
workers grew by 47 MB at most (docs/hour.md)."""


class Job:
    """A few cases under way in a worker."""

    def __init__(self, pool: "WorkerPool", cases: Sequence[Case], future: Any, pipeline: str) -> None:
        self.cases, self.future, self._judge, self._pipeline = list(cases), future, pool, pipeline

    def results(self) -> list[Result]:
        """A result per case. Where the worker died or hung, each case is asked again, alone, to find the one."""
        try:
            return list(self.future.result())
        except WorkerDied as error:
            if len(self.cases) == 1:
                return [self._confirmed(_crashed(self.cases[0], error.exitcode, self._judge.last_words()))]
            kind, how = "TargetCrashed", f"died ({cause(error.exitcode)})"
        except TimeoutError:
            if len(self.cases) == 1:
                detail = f"no answer within {CASE_SECONDS:.0f} s"
                return [self._confirmed(failure("TargetTimeout", self.cases[0], "timeout", detail))]
            kind, how = "TargetTimeout", "hung"
        alone = [result for job in [self._judge.submit([case]) for case in self.cases] for result in job.results()]
        if any(isinstance(result, TargetCrashed | TargetTimeout) for result in alone):
            return alone
        # What does not happen again has happened all the same; it takes the place of a verdict, not of another failure.
        i = next((i for i, result in enumerate(alone) if not isinstance(result, Failure)), 0)
        alone[i] = failure(
            kind, self.cases[i], "not reproducible in isolation", _NOT_REPRODUCIBLE.format(how, len(self.cases))
        )
        return alone

    def _confirmed(self, lost: Failure) -> Failure:
        """A worker lost to a single case: what the default pipeline makes of that case decides who is to blame."""
        if self._pipeline == "default":
            return lost
        [default] = self._judge.submit(self.cases, pipeline="default").results()
        return confirm(lost, default if isinstance(default, Failure) else None)


_NOT_REPRODUCIBLE = "a worker {} while it checked {} cases, of which this is one; none of them does so alone"


def cause(code: int) -> str:
    """What ended a process, by its exit code."""
    if code == worker.OUT_OF_MEMORY:
        return "out of memory"
    return signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"


def _crashed(case: Case, code: int, words: str) -> Failure:
    why = cause(code)
    message = f"; it wrote: {words}" if words else ""
    return failure("TargetCrashed", case, why, f"the process that compiled and ran the case died: {why}{message}")


MOST_WORDS = 300
"""Characters of what a worker wrote to stderr before it died that a failure quotes."""

MOST_BYTES = 1 << 26
"""What is kept of all that workers write to stderr, about."""


class WorkerPool:
    """A pool of worker processes with one question. Use as a context manager; ``start`` reports what is unusable.

    ``notice``, known after ``start``, says why it is another pipeline than the one asked for; empty if it is not.
    ``draws`` says that the workers draw cases as well (``foldproof.campaign.prefetch``); they can in any case.
    """

    notice = ""

    def __init__(self, config: CheckConfig, workers: int, *, fresh: bool = False, draws: bool = False) -> None:
        self.config, self.workers = config, workers
        self._stderr = _Words()
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
        """The workers that exist at this moment."""
        return self._processes.pids()

    def last_words(self) -> str:
        """The end of what workers wrote to stderr since this was asked last, in a line."""
        return self._stderr.new()

    def start(self) -> None:
        """Load the pass and the target in a worker. Raises UsageError with what it says of them."""
        config = self.config
        try:
            problem, self.notice = self.schedule(worker.prepare, config, seconds=START_SECONDS).result()
        except TimeoutError as error:
            raise UsageError(f"pass {config.fold!r}: importing it took over {START_SECONDS:.0f} s") from error
        except WorkerDied as error:
            raise UsageError(
                f"pass {config.fold!r}: the process ended while it imported it ({cause(error.exitcode)})"
            ) from error
        if problem:
            raise UsageError(problem)

    def asking(self, config: CheckConfig) -> "WorkerPool":
        """The same workers with another question; they load its pass when it is asked."""
        other = copy(self)
        other.config, other.notice = config, ""
        return other

    def schedule(self, function: Callable[..., Any], *args: Any, seconds: float = CASE_SECONDS) -> Any:
        """A future of what a worker makes of something else than a question."""
        return self._processes.schedule(function, args, seconds)

    def submit(self, cases: Sequence[Case], *, pipeline: str | None = None) -> Job:
        """Ask about cases in a worker, through another ``pipeline`` if one is given; they wait in line."""
        self._stderr.trim()
        config = self.config if pipeline is None else replace(self.config, pipeline=pipeline)
        future = self.schedule(worker.check_cases, list(cases), config, seconds=CASE_SECONDS)
        return Job(self, cases, future, config.pipeline)

    def script(self, case: Case, result: Result) -> tuple[str, str]:
        """(the script that shows what came of a case, empty if there is none; why there is none in a line)."""
        try:
            text, problem = self.schedule(worker.write_script, case, result, self.config).result()
        except TimeoutError:
            return "", f"the pass alone took over {CASE_SECONDS:.0f} s"
        except WorkerDied:
            return "", "the pass alone ends its process: without the pass there is nothing to show"
        return text, problem

    def ask(self, cases: Sequence[Case]) -> list[Result]:
        """Ask about each case apart, in parallel, and wait."""
        return [result for job in [self.submit([case]) for case in cases] for result in job.results()]


class _Words:
    """A file in memory that workers append to: it has no name in any folder, so nothing is left of it (Linux).

    All workers share it: what another one wrote at the same time may stand in between.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("foldproof-stderr", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else None
        self.path = None if self._file is None else f"/proc/{os.getpid()}/fd/{self._file}"
        self._read = 0

    def new(self) -> str:
        """The last ``MOST_WORDS`` characters of what is new, as a line."""
        if self._file is None:
            return ""
        size = os.fstat(self._file).st_size
        start, self._read = max(self._read, size - 4 * MOST_WORDS), size
        text = os.pread(self._file, size - start, start).decode(errors="replace")
        return " ".join(text.split())[-MOST_WORDS:]

    def trim(self) -> None:
        """A file in memory must not fill it: forget what is too much."""
        if self._file is not None and os.fstat(self._file).st_size > MOST_BYTES:
            os.ftruncate(self._file, 0)
            self._read = 0

    def close(self) -> None:
        """Nothing can be read any more."""
        if self._file is not None:
            os.close(self._file)
