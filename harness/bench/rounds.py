"""The cost of a case, per pipeline and per stage: naive, default and fast, one at a time and in batches.

    round: draw cases -> each mode checks them, in turns -> CPU seconds per case -> ratios of the same round
    race:  the same campaign with one worker and with two, in turns -> wall-clock seconds -> their ratio

Shared machines are noisy. So only ratios within a round are compared, and CPU time counts, with that of child
processes. Every mode pays for drawing, for all oracles, and for the sample that both pipelines run. How workers scale
is measured in wall-clock time, which is only right on an idle machine.
"""

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from hypothesis.strategies import SearchStrategy

from foldproof.campaign.campaign import BATCH_CASES, run
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.case import Case
from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.generation.draw import draw, strategy_of
from foldproof.generation.shards import FIRST_SHARD_EXAMPLES, SHARD_EXAMPLES, shard_seed
from foldproof.workers.pool import WorkerPool

WARM_UP_CASES = {"naive": 2, "default": 2, "fast": FIRST_SHARD_EXAMPLES}
"""Cases before anything is timed, per pipeline.

After its first shard, a process has compared the PrimFuncs of nearly all operators with TVM's (``targets.legalize``).
A process checks 2,400 cases.
"""

WARM_UP_EXAMPLES = 48
"""Cases before a race, so that both workers have loaded TVM and compiled something."""

RACE_EXAMPLES = 400

STAGES: tuple[tuple[str, str, str], ...] = (
    ("build", "foldproof.ir.relax.ir", "build"),
    ("pass", "foldproof.checking.prepare", "apply_and_explain"),
    ("well formed", "foldproof.checking.prepare", "check_form"),
    ("pass again", "foldproof.checking.prepare", "check_again"),
    ("legalize", "foldproof.ir.relax.targets.fast.legalize:Legalizer", "__call__"),
    ("read the graph", "foldproof.ir.relax.targets.fast.pipeline", "Executor"),
    ("lower", "foldproof.ir.relax.targets.fast.kernels", "lower"),
    ("LLVM", "foldproof.ir.relax.targets.fast.kernels", "generate"),
    ("object, load", "foldproof.ir.relax.targets.fast.kernels", "load"),
    ("default pipeline", "foldproof.ir.relax.targets", "compile_default"),
    ("naive pipeline", "foldproof.ir.relax.targets", "compile_naive"),
    ("inputs", "foldproof.checking.evidence", "inputs"),
    ("run", "foldproof.checking.execution", "run_function"),
    ("compare", "foldproof.checking.execution", "compare_with_unfolded"),
    ("oracle: reference", "foldproof.checking.execution", "compare_with_reference"),
    ("oracle: legality", "foldproof.oracle.legality", "legality"),
)
"""The stages that are timed: a name, and the function that does the work. A nested stage counts only for itself."""

COMPILED = ("build", "legalize", "read the graph", "lower", "LLVM", "object, load", "run")
"""The stages of building, compiling and running through the fast pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A way to check cases: the pipeline, and whether cases are checked ``together`` in a batch or one at a time."""

    name: str
    pipeline: str
    together: bool = False


MODES = (
    Mode(name="naive", pipeline="naive"),
    Mode(name="default", pipeline="default"),
    Mode(name="single", pipeline="fast"),
    Mode(name="batched", pipeline="fast", together=True),
)

FILLS = (
    Mode(name="integers", pipeline="fast", together=True),
    Mode(name="integers+negative+extremes+reals", pipeline="fast", together=True),
)
"""Modes named by the inputs that each compiled case runs on."""


@dataclass(kw_only=True)
class Round:
    """The CPU seconds of a round: ``drawing``, and each mode for all its ``cases``, in total and per stage.

    ``one_fill`` and ``four_fills`` are only building, compiling and running, with as many inputs per case.
    """

    cases: int
    drawing: float
    seconds: dict[str, float] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    one_fill: float = 0.0
    four_fills: float = 0.0

    def ms(self, mode: str) -> float:
        """Return the CPU milliseconds per case, drawing included."""
        return 1e3 * (self.drawing + self.seconds[mode]) / self.cases

    def ratio(self, mode: str) -> float:
        """Return how many times as fast as the naive mode a mode is."""
        return self.ms("naive") / self.ms(mode)


def rounds(config: CheckConfig, *, ops: tuple[str, ...], seed: int, seconds: float) -> Iterator[Round]:
    """Yield rounds until ``seconds`` of wall-clock time are over, at least one.

    Args:
        config: The pass, the target and the share of cases that both pipelines run.
        ops: Names of ops (empty: all).
        seed: The seed of the cases.
        seconds: The budget.

    Raises:
        UsageError: If pass or target cannot be loaded.
    """
    from foldproof.core.loading import load_pass
    from foldproof.ir.relax.targets import parse_target

    fold = load_pass(config.fold)
    target = parse_target(config.target)
    # The fast pipeline caches by target, so each mode has a target of its own.
    targets = {mode.name: replace(target.with_pipeline(mode.pipeline), name=mode.name) for mode in (*MODES, *FILLS)}
    strategy = strategy_of(ops, "cases")
    run = _Runner(fold, targets, config)
    started = time.monotonic()
    run.warm_up(draw(strategy, FIRST_SHARD_EXAMPLES, shard_seed(seed, 0)))
    for number, (cases, drawing) in enumerate(_draw_batches(strategy, seed)):
        yield run.round(cases, drawing, MODES[number % 2 :] + MODES[: number % 2])
        if time.monotonic() - started > seconds:
            return


def _draw_batches(strategy: SearchStrategy[AnyCase], seed: int) -> Iterator[tuple[list[AnyCase], float]]:
    """Yield batches, each with its share of the CPU seconds that its shard took to draw, as in a campaign."""
    for shard in range(1, 1_000_000):
        before = cpu_seconds()
        cases = draw(strategy, SHARD_EXAMPLES, shard_seed(seed, shard))
        each = (cpu_seconds() - before) / len(cases)
        for start in range(0, len(cases), BATCH_CASES):
            batch = cases[start : start + BATCH_CASES]
            yield batch, each * len(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Wall-clock seconds of the same campaign with one worker and with two."""

    cases: int
    one: float
    two: float

    @property
    def ratio(self) -> float:
        """How many times as fast two workers are as one."""
        return self.one / self.two


def races(config: CheckConfig, *, ops: tuple[str, ...], seed: int, seconds: float) -> Iterator[Race]:
    """Yield races until ``seconds`` of wall-clock time are over, at least one.

    Args:
        config: As for ``rounds``.
        ops: Names of ops (empty: all).
        seed: The seed of the cases.
        seconds: The budget.

    Raises:
        UsageError: If pass or target cannot be loaded.
    """

    def seconds_of(pool: WorkerPool, race: int, examples: int) -> float:
        settings = Settings(
            ops=ops,
            strategy="cases",
            config=config,
            seed=shard_seed(seed, race),
            examples=examples,
            workers=pool.workers,
        )
        return run(replace(settings, shrink_seconds=0.0), pool, Listener()).seconds

    with WorkerPool(config, 1, draws=True) as one, WorkerPool(config, 2, draws=True) as two:
        for pool in (one, two):
            pool.start()
            seconds_of(pool, 0, WARM_UP_EXAMPLES)
        started = time.monotonic()
        for race in range(1, 1_000_000):
            order = (one, two) if race % 2 else (two, one)
            took = {pool.workers: seconds_of(pool, race, RACE_EXAMPLES) for pool in order}
            yield Race(cases=RACE_EXAMPLES, one=took[1], two=took[2])
            if time.monotonic() - started > seconds:
                return


class _Runner:
    """Checks the cases of a round in each mode."""

    def __init__(self, fold: Any, targets: dict[str, Any], config: CheckConfig) -> None:
        self._fold, self._targets, self._config = fold, targets, config

    def warm_up(self, cases: list[AnyCase]) -> None:
        """Load everything and compile it once."""
        for mode in (*MODES, *FILLS):
            some = cases[: WARM_UP_CASES[mode.pipeline]]
            for start in range(0, len(some), BATCH_CASES):
                self._check(mode.name, some[start : start + BATCH_CASES], together=True, sample=0.0)

    def round(self, cases: list[AnyCase], drawing: float, modes: Sequence[Mode]) -> Round:
        result = Round(cases=len(cases), drawing=drawing)
        for mode in modes:
            _clear_caches()
            with time_stages(STAGES) as stages:
                before = cpu_seconds()
                self._check(mode.name, cases, together=mode.together, sample=self._config.sample)
                result.seconds[mode.name] = cpu_seconds() - before
            result.stages[mode.name] = stages
        result.one_fill, result.four_fills = (self._time_compilation(mode.name, cases) for mode in FILLS)
        return result

    def _check(self, mode: str, cases: Sequence[AnyCase], *, together: bool, sample: float) -> None:
        from foldproof.checking.batch import check_batch

        for group in [cases] if together else [[case] for case in cases]:
            check_batch(group, self._fold, self._targets[mode], complete=self._config.complete, sample=sample)

    def _time_compilation(self, mode: str, cases: Sequence[AnyCase]) -> float:
        """Return the CPU seconds to build, compile and run with the fills that ``mode`` names."""
        _clear_caches()
        with time_stages(STAGES) as stages:
            filled = [replace(case, fills=tuple(mode.split("+"))) for case in cases if isinstance(case, Case)]
            self._check(mode, filled, together=True, sample=0.0)
        return sum(stages[name] for name in COMPILED)


def _clear_caches() -> None:
    """Clear the cache of the oracles, which would save all modes but the first their work."""
    from foldproof.oracle.preimage import compute_preimage

    compute_preimage.cache_clear()


# --- clocks -------------------------------------------------------------------------------------------


def peak_megabytes() -> tuple[float, float]:
    """Return the peak memory of this process, and of any child process that has ended, in MiB."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_maxrss / 1024, ended.ru_maxrss / 1024  # Linux counts in KiB


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its child processes that have ended, for example a linker."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


@contextmanager
def time_stages(stages: Sequence[tuple[str, str, str]]) -> Iterator[dict[str, float]]:
    """Measure the CPU seconds of each stage while the context lasts. Nested stages are not counted twice."""
    spent: dict[str, float] = defaultdict(float)
    inner = [0.0]

    def wrap(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            before = cpu_seconds()
            inner.append(0.0)
            try:
                return function(*args, **options)
            finally:
                took = cpu_seconds() - before
                spent[name] += took - inner.pop()
                inner[-1] += took

        return run

    with ExitStack() as patches:
        for name, module, attribute in stages:
            home = resolve_name(module)
            patches.enter_context(patch.object(home, attribute, wrap(name, getattr(home, attribute))))
        yield spent
