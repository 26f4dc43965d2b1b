"""What a case costs, by pipeline and by stage: naive, default and fast, one at a time and in batches, in one run.

    round:          draw cases -> each mode checks them, in turns -> CPU seconds per case -> ratios of the same round
    race of shards: the same campaign with one worker and with two, in turns -> wall-clock seconds -> their ratio

Shared machines are noisy, so only ratios within a round are compared, and CPU time counts, that of child processes
included: what runs beside it does not. Every mode pays for drawing the case, for all oracles, and for the sample that
both pipelines run. How workers scale is a matter of wall-clock time, and only as true as the machine is idle.
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

from foldproof.campaign.campaign import BATCH_CASES, Listener, run
from foldproof.campaign.settings import Settings
from foldproof.case import Case
from foldproof.checking.config import CheckConfig
from foldproof.generation.draw import draw, strategy_of
from foldproof.generation.shards import FIRST_SHARD_EXAMPLES, SHARD_EXAMPLES, shard_seed
from foldproof.workers.pool import WorkerPool

WARM_UP_CASES = {"naive": 2, "default": 2, "fast": FIRST_SHARD_EXAMPLES}
"""Before anything is timed, by pipeline. A process that judges 2,400 cases has compared the PrimFuncs of nearly all
operators with TVM's after its first shard (``targets.legalize``).
"""

WARM_UP_EXAMPLES = 48
"""Enough that both workers have loaded TVM and compiled something."""

RACE_EXAMPLES = 400

STAGES: tuple[tuple[str, str, str], ...] = (
    ("build", "foldproof.ir.relax.ir", "build"),
    ("pass", "foldproof.checking.prepare", "apply_and_explain"),
    ("well formed", "foldproof.checking.prepare", "check_form"),
    ("pass again", "foldproof.checking.prepare", "check_again"),
    ("legalize", "foldproof.ir.relax.targets.fast.legalize:Legalizer", "__call__"),
    ("read the graph", "foldproof.ir.relax.targets.fast.pipeline", "Graph"),
    ("lower", "foldproof.ir.relax.targets.fast.kernels", "lower"),
    ("LLVM", "foldproof.ir.relax.targets.fast.kernels", "generate"),
    ("object, load", "foldproof.ir.relax.targets.fast.kernels", "load"),
    ("default pipeline", "foldproof.ir.relax.targets", "compile_default"),
    ("naive pipeline", "foldproof.ir.relax.targets", "compile_naive"),
    ("inputs", "foldproof.checking.evidence", "inputs"),
    ("run", "foldproof.checking.execution", "run_function"),
    ("compare", "foldproof.checking.execution", "first_difference"),
    ("oracle: reference", "foldproof.checking.execution", "compare_with_reference"),
    ("oracle: legality", "foldproof.oracle.legality", "legality"),
)
"""What is timed: a name, and where the function stands that does it. A stage within a stage counts for itself alone."""

COMPILED = ("build", "legalize", "read the graph", "lower", "LLVM", "object, load", "run")
"""The stages of building, compiling and running through the fast pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A way to check cases: through which pipeline, ``together`` in a batch or one at a time."""

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
"""Named by the inputs that each compiled case is run on."""


@dataclass(kw_only=True)
class Round:
    """What a round took, in CPU seconds: ``drawing`` and each mode for all its ``cases``, and its stages.

    ``one_fill`` and ``four_fills`` are building, compiling and running alone, with as many inputs per case.
    """

    cases: int
    drawing: float
    seconds: dict[str, float] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    one_fill: float = 0.0
    four_fills: float = 0.0

    def ms(self, mode: str) -> float:
        """CPU milliseconds per case, drawing included."""
        return 1e3 * (self.drawing + self.seconds[mode]) / self.cases

    def ratio(self, mode: str) -> float:
        """How many times as fast as the naive mode."""
        return self.ms("naive") / self.ms(mode)


def rounds(config: CheckConfig, *, ops: tuple[str, ...], seed: int, seconds: float) -> Iterator[Round]:
    """Rounds until ``seconds`` of wall-clock time are over, at least one. Raises UsageError."""
    from foldproof.core.loading import load_fold
    from foldproof.ir.relax.targets import parse_target

    fold = load_fold(config.fold)
    target = parse_target(config.target)
    # What one mode compiled, another must not find: the fast pipeline remembers by target.
    targets = {mode.name: replace(target.with_pipeline(mode.pipeline), name=mode.name) for mode in (*MODES, *FILLS)}
    strategy = strategy_of(ops, None)
    run = _Runner(fold, targets, config)
    started = time.monotonic()
    run.warm_up(draw(strategy, FIRST_SHARD_EXAMPLES, shard_seed(seed, 0)))
    for number, (cases, drawing) in enumerate(_drawn(strategy, seed)):
        yield run.round(cases, drawing, MODES[number % 2 :] + MODES[: number % 2])
        if time.monotonic() - started > seconds:
            return


def _drawn(strategy: SearchStrategy[Case], seed: int) -> Iterator[tuple[list[Case], float]]:
    """Batches, each with its share of the CPU seconds that drawing its shard took. Shards are those of a campaign."""
    for shard in range(1, 1_000_000):
        before = cpu_seconds()
        cases = draw(strategy, SHARD_EXAMPLES, shard_seed(seed, shard))
        each = (cpu_seconds() - before) / len(cases)
        for start in range(0, len(cases), BATCH_CASES):
            batch = cases[start : start + BATCH_CASES]
            yield batch, each * len(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Wall-clock seconds of the same campaign, judged by one worker and by two."""

    cases: int
    one: float
    two: float

    @property
    def ratio(self) -> float:
        """How many times as fast two workers are as one."""
        return self.one / self.two


def races(config: CheckConfig, *, ops: tuple[str, ...], seed: int, seconds: float) -> Iterator[Race]:
    """Races until ``seconds`` of wall-clock time are over, at least one. Raises UsageError."""

    def seconds_of(pool: WorkerPool, race: int, examples: int) -> float:
        settings = Settings(
            ops=ops, config=config, seed=shard_seed(seed, race), examples=examples, workers=pool.workers
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
        self._fold, self._targets, self._question = fold, targets, config

    def warm_up(self, cases: list[Case]) -> None:
        """Everything is loaded, and was compiled once, after it."""
        for mode in (*MODES, *FILLS):
            some = cases[: WARM_UP_CASES[mode.pipeline]]
            for start in range(0, len(some), BATCH_CASES):
                self._check(mode.name, some[start : start + BATCH_CASES], together=True, sample=0.0)

    def round(self, cases: list[Case], drawing: float, modes: Sequence[Mode]) -> Round:
        result = Round(cases=len(cases), drawing=drawing)
        for mode in modes:
            _forget()
            with timed(STAGES) as stages:
                before = cpu_seconds()
                self._check(mode.name, cases, together=mode.together, sample=self._question.sample)
                result.seconds[mode.name] = cpu_seconds() - before
            result.stages[mode.name] = stages
        result.one_fill, result.four_fills = (self._compiled(mode.name, cases) for mode in FILLS)
        return result

    def _check(self, mode: str, cases: Sequence[Case], *, together: bool, sample: float) -> None:
        from foldproof.checking.batch import check_batch

        for group in [cases] if together else [[case] for case in cases]:
            check_batch(group, self._fold, self._targets[mode], complete=self._question.complete, sample=sample)

    def _compiled(self, mode: str, cases: Sequence[Case]) -> float:
        """Seconds of building, compiling and running with the fills that ``mode`` names."""
        _forget()
        with timed(STAGES) as stages:
            filled = [replace(case, fills=tuple(mode.split("+"))) for case in cases]
            self._check(mode, filled, together=True, sample=0.0)
        return sum(stages[name] for name in COMPILED)


def _forget() -> None:
    """What an oracle said of a case is remembered, and would come free to all modes but the first."""
    from foldproof.oracle.preimage import compute_preimage

    compute_preimage.cache_clear()


# --- clocks -------------------------------------------------------------------------------------------


def peak_megabytes() -> tuple[float, float]:
    """The most memory that this process held, and that any one which it started and that has ended did."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_maxrss / 1024, ended.ru_maxrss / 1024  # Linux counts in KiB


def cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended, a linker for example."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


@contextmanager
def timed(stages: Sequence[tuple[str, str, str]]) -> Iterator[dict[str, float]]:
    """CPU seconds of each stage while the context lasts, those of stages within it not counted twice."""
    spent: dict[str, float] = defaultdict(float)
    inner = [0.0]

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
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
            patches.enter_context(patch.object(home, attribute, watched(name, getattr(home, attribute))))
        yield spent
