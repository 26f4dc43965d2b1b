"""Examine a model, step by step, in a worker process. A crash, a hang or a raised error is a result of its step.

load -> fold -> remedies -> for each pipeline: compile, run, compare, measure -> blame -> save, cases
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from foldproof.core.errors import UsageError
from foldproof.core.files import replace_file
from foldproof.model.blame import Blame
from foldproof.model.compare import Compared
from foldproof.model.outcomes import Site
from foldproof.model.running import FILLS, PIPELINES, Plan
from foldproof.model.session import FOLDED, PLAIN, Loaded, Request, SavedCase, Sites, Timed, call
from foldproof.workers import worker
from foldproof.workers.pool import cause
from foldproof.workers.processes import Processes, WorkerDied

_STEPS_OF_A_PIPELINE = 5 + len(FILLS)

TASK_SECONDS = 900.0
"""Time limit of one step: importing, compiling or running a large model takes minutes."""

MEASURE_SECONDS, MOST_ROUNDS = 10.0, 101
"""How long both programs run in alternation, for each pipeline, and the most rounds."""

NOTHING = 0.02
"""A change of the time by less than this share is called nothing."""


@dataclass(slots=True, kw_only=True)
class Worth:
    """What one pipeline makes of both models. A missing value was not measured; ``problem`` says why, if it failed.

    Args:
        pipeline: one of ``PIPELINES``.
        plans: what was planned, by ``unfolded`` and ``folded``.
        compared: a comparison for each fill.
        timed: seconds of (unfolded, folded), for each round.
        problem: why a step failed; empty if none did.
        by_fold: whether only the folded model fails.
    """

    pipeline: str
    plans: dict[str, Plan] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)
    timed: Timed = ()
    problem: str = ""
    by_fold: bool = False

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """Return the quartiles of the ratios folded / unfolded: lower, median, upper. None if nothing was measured."""
        if len(self.timed) < 2:
            return None
        low, median, high = quantiles([b / a for a, b in self.timed], n=4, method="inclusive")
        return low, median, high


@dataclass(slots=True, kw_only=True)
class Examination:
    """What is known of a model; a value that is None was not found out.

    Args:
        request: what was asked.
        loaded: the model.
        sites: what the pass does.
        rows: the sites, with their remedies once these are tried.
        worth: the pipelines, in order.
        blame: whose fault a difference is.
        cases: the sites as cases.
        saved: the files that were written.
        notices: what else the user should know.
        problems: what is wrong: each makes the exit code 1.
        interrupted: whether the user stopped it.
    """

    request: Request
    loaded: Loaded | None = None
    sites: Sites | None = None
    rows: tuple[Site, ...] = ()
    worth: list[Worth] = field(default_factory=list)
    blame: Blame | None = None
    cases: tuple[SavedCase, ...] = ()
    saved: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def differs(self) -> bool:
        """Return whether an output differs."""
        return any(compared.difference for worth in self.worth for compared in worth.compared)

    @property
    def exit_code(self) -> int:
        """Return 130 if it was interrupted, 1 if something is wrong, else 0."""
        return 130 if self.interrupted else 1 if self.problems or self.differs else 0


Progress = Callable[[str, int, int], None]
"""Called with the name of the next step, the number of finished steps, and the number of all steps."""


class StepFailed(Exception):  # noqa: N818, the examination goes on
    """A step raised, crashed or took too long; the message says which."""


def examine(
    request: Request,
    *,
    run: bool = True,
    save: Path | None = None,
    cases: Path | None = None,
    seconds: float = MEASURE_SECONDS,
    progress: Progress = lambda text, done, steps: None,
    into: Examination | None = None,
) -> Examination:
    """Examine a model in a worker process.

    Args:
        request: The model, the pass and the target.
        run: Whether to compile and run both models.
        save: A file for the folded model, as TVMScript.
        cases: A folder for the sites, as cases of the corpus.
        seconds: How long both models run in alternation, for each pipeline.
        progress: Called before each step.
        into: Where to note the results. What it holds stays known if the user stops the function.

    Returns:
        What is known.

    Raises:
        UsageError: If the model cannot be imported, or the pass or the target is unknown.
        KeyboardInterrupt: If the user stops it.
    """
    examination = Examination(request=request) if into is None else into
    processes = Processes(1, tasks=10_000, initializer=worker.quiet, initargs=())
    try:
        count = 3 + (_STEPS_OF_A_PIPELINE * len(PIPELINES) if run else 0) + bool(save) + bool(cases)
        steps = _Steps(request, processes, progress, count, seconds)
        _examine(examination, steps, run=run, save=save, cases=cases)
    finally:
        processes.stop()
    return examination


class _Steps:
    """Executes one task after another, and reports each to ``progress``."""

    def __init__(self, request: Request, processes: Processes, progress: Progress, count: int, seconds: float) -> None:
        self._request, self._processes, self._progress = request, processes, progress
        self._done, self._count = 0, count
        self.seconds = seconds

    def __call__(self, text: str, task: str, *args: Any) -> Any:
        """Return the result of a task. Raises StepFailed, or UsageError."""
        self._progress(text, self._done, self._count)
        self._done = min(self._done + 1, self._count)
        try:
            kind, value = self._processes.schedule(call, (task, self._request, *args), TASK_SECONDS).result()
        except WorkerDied as error:
            raise StepFailed(f"{text} ended the process: {cause(error.exitcode)}") from error
        except TimeoutError as error:
            raise StepFailed(f"{text} took more than {TASK_SECONDS:.0f} s") from error
        if kind == "usage":
            raise UsageError(value)
        if kind == "error":
            raise StepFailed(f"{text} raised {value}")
        return value


def _examine(found: Examination, steps: _Steps, *, run: bool, save: Path | None, cases: Path | None) -> None:
    try:
        found.loaded = steps("importing the model", "load")
    except StepFailed as error:
        raise UsageError(f"{found.request.model}: {error}") from error
    if found.loaded is not None and found.loaded.notice:
        found.notices.append(found.loaded.notice)
    try:
        found.sites = steps("the pass on the model", "fold")
    except StepFailed as error:
        found.problems.append(str(error))
        return
    assert found.sites is not None
    found.rows = found.sites.sites
    if found.sites.problem:
        found.problems.append(f"the folded model is not well formed: {found.sites.problem}")
    _add_remedies(found, steps)
    _write_cases(found, steps, cases)
    _save(found, steps, save)
    pipelines = PIPELINES[:1] if found.sites.unchanged else PIPELINES  # once, so that kernels and memory are known
    for pipeline in pipelines if run else ():
        found.worth.append(Worth(pipeline=pipeline))
        _run_pipeline(found, steps, found.worth[-1])
    differing = [worth.pipeline for worth in found.worth if any(each.difference for each in worth.compared)]
    if differing:
        try:
            found.blame = steps("looking for the site at fault", "blame", differing[0])
        except StepFailed as error:
            found.notices.append(f"the site at fault was not found: {error}")


def _add_remedies(found: Examination, steps: _Steps) -> None:
    try:
        found.rows, notice = steps("trying what would fold the rest", "remedies")
    except StepFailed as error:
        notice = str(error)
    if notice:
        found.notices.append(notice)


def _run_pipeline(found: Examination, steps: _Steps, worth: Worth) -> None:
    """Compile, run, compare and measure by one pipeline.

    The unfolded model goes first: if it fails, TVM is at fault.
    """
    name = f"through the pipeline {worth.pipeline}"
    unchanged = found.sites is not None and found.sites.unchanged
    try:
        for which in (PLAIN,) if unchanged else (PLAIN, FOLDED):
            worth.by_fold = which == FOLDED
            worth.plans[which] = steps(f"compiling the {which} model {name}", "compile", worth.pipeline, which)
            steps(f"running the {which} model {name}", "run", worth.pipeline, which)
        if unchanged:
            return
        for fill in FILLS:
            worth.compared.append(steps(f"comparing, {fill} inputs, {name}", "compare", worth.pipeline, fill))
        worth.timed = steps(f"measuring {name}", "measure", worth.pipeline, steps.seconds, MOST_ROUNDS)
    except StepFailed as error:
        worth.problem = str(error)
        whose = "" if worth.by_fold else ", also without the pass"
        found.problems.append(f"{error}{whose}")
    except UsageError as error:  # an input without a shape
        worth.problem = str(error)
        found.notices.append(f"not run: {error}")


def _save(found: Examination, steps: _Steps, path: Path | None) -> None:
    if path is None:
        return
    try:
        replace_file(path, steps("writing the folded model", "save"))
    except StepFailed as error:
        found.problems.append(f"--save: {error}")
        return
    found.saved.append(str(path))


def _write_cases(found: Examination, steps: _Steps, folder: Path | None) -> None:
    if folder is None:
        return
    from foldproof.case import Case
    from foldproof.corpus.entry import save_case

    try:
        found.cases = steps("writing the sites as cases", "cases")
    except StepFailed as error:
        found.problems.append(f"--cases: {error}")
        return
    for each in found.cases:
        if each.case is not None:
            note = f"{each.site} of {Path(found.request.model).name}, scaled down"
            path = str(save_case(folder, Case.from_json(each.case), note))
            if path not in found.saved:
                found.saved.append(path)


def describe_worth(worth: Worth) -> str:
    """Return what the fold is worth through one pipeline, in a sentence. It is plain where it is nothing."""
    if worth.problem:
        return f"not measured: {worth.problem}"
    if worth.ratio is None:
        return "not measured: the pass changes nothing" if len(worth.plans) == 1 else "not measured"
    low, median, high = worth.ratio
    time = "no time"
    if (high < 1 or low > 1) and abs(1 - median) >= NOTHING:
        time = f"{abs(1 - median):.0%} of the time" if median < 1 else f"{median - 1:.0%} more time"
    memory = _describe_memory([worth.plans[which].memory for which in (PLAIN, FOLDED)])
    kernels = worth.plans[PLAIN].kernels - worth.plans[FOLDED].kernels
    if time == "no time" and memory == "no memory":
        saved = f"; {kernels} fewer kernels" if kernels > 0 else ""
        return f"the fold is worth nothing here: it saves no time and no memory{saved}"
    if median > 1 and time != "no time":
        return f"the fold costs {time} here, and saves {memory}"
    return f"the fold saves {time} and {memory}"


def _describe_memory(planned: Sequence[int | None]) -> str:
    before, after = planned
    if before is None or after is None or before == 0:
        return "an unknown amount of memory"
    share = 1 - after / before
    if abs(share) < 0.005:
        return "no memory"
    return f"{share:.0%} of the planned memory" if share > 0 else f"no memory (it plans {-share:.0%} more)"
