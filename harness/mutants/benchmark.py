"""The benchmark: cases and graphs of several seeds through the kill matrix, counted per mutant, and the baselines.

    seed -> workers: cases -> batches -> workers: kill matrix -> kills, in the order drawn -> Tally per mutant

Mutants of structure are tried on graphs, all others on cases. Baselines draw cases alone.

Invariant: a case counts at its place in the order drawn, whichever worker is first. So a seed gives the same numbers
again. Cases count after the first kill too, which gives the kill rate.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from foldproof.campaign.prefetch import prefetch_shards
from foldproof.campaign.shrinker import ShrinkResult, shrink_with
from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.checking.failures import Failure, failure
from foldproof.generation.case_source import CaseSource
from foldproof.mutants import BY_NAME, MUTANTS, jobs
from foldproof.mutants.baselines import BASELINES, Baseline
from foldproof.mutants.kill_matrix import Kills
from foldproof.mutants.mutant import Mutant
from foldproof.mutants.tally import Tally
from foldproof.workers.pool import WorkerPool
from foldproof.workers.processes import WorkerDied

BATCH_CASES = 8
HARNESS = "foldproof"
"""The name of the method that is measured, beside those of the baselines."""

CASES = CaseSource(strategy="cases")
GRAPHS = CaseSource(strategy="graphs")
"""What mutants of structure are tried on."""

BATCH_SECONDS = 120.0
"""The time limit of a batch, in seconds. A batch takes about one second on an idle machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: the mutants by name, ``budget`` cases per seed, ``seeds`` seeds from ``seed`` on."""

    names: tuple[str, ...]
    budget: int = 1000
    seeds: int = 5
    seed: int = 0
    workers: int = 1
    baselines: bool = True
    shrinks: bool = True
    shrink_seconds: float = 60.0

    @property
    def mutants(self) -> tuple[Mutant, ...]:
        return tuple(mutant for mutant in MUTANTS if mutant.name in self.names)

    @property
    def of_cases(self) -> tuple[str, ...]:
        """The mutants that are tried on cases."""
        return tuple(name for name in self.names if not BY_NAME[name].structural)

    @property
    def of_graphs(self) -> tuple[str, ...]:
        """The mutants of structure, which are tried on graphs."""
        return tuple(name for name in self.names if BY_NAME[name].structural)


@dataclass(kw_only=True)
class Result:
    """What was counted. ``shrunk`` has the small case of each killed mutant."""

    plan: Plan
    tallies: dict[str, Tally] = field(default_factory=dict)
    baselines: dict[str, dict[str, Tally]] = field(default_factory=dict)
    shrunk: dict[str, ShrinkResult] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def killed(self) -> list[Tally]:
        return [tally for tally in self.tallies.values() if tally.killed]


class Listener:
    """Receives what happens; the report is a subclass. ``stopped`` is set when the user asks for an end."""

    stopped = False

    def on_count(self, way: str, seed: int, number: int) -> None:
        """``number`` cases of a seed are counted, by the harness or a baseline."""

    def on_kill(self, way: str, seed: int, number: int, name: str, failure: Failure) -> None:
        """This seed killed a mutant for the first time."""

    def on_shrink(self, name: str, shrunk: ShrinkResult) -> None:
        """The case of a mutant was shrunk."""


def run(plan: Plan, pool: WorkerPool, listener: Listener) -> Result:
    """Run the benchmark. Ctrl-C ends it early, and the result records that.

    Args:
        plan: What to run.
        pool: Started workers.
        listener: Receives progress.
    """
    result = Result(plan=plan, tallies={name: Tally(name=name) for name in plan.names})
    if plan.baselines:
        for baseline in BASELINES:
            result.baselines[baseline.name] = {name: Tally(name=name) for name in plan.of_cases}
    started = time.monotonic()
    try:
        for names, source in ((plan.of_cases, CASES), (plan.of_graphs, GRAPHS)):
            for seed in range(plan.seed, plan.seed + plan.seeds) if names else ():
                drawn = (case for _, shard in prefetch_shards(pool, source, plan.budget, seed) for case in shard)
                tallies = {name: result.tallies[name] for name in names}
                _count(tallies, HARNESS, seed, _kills(plan, names, drawn, _by_harness(pool)), listener)
        for baseline in BASELINES if plan.baselines and plan.of_cases else ():
            for seed in range(plan.seed, plan.seed + plan.seeds):
                cases = baseline.draw(plan.budget, seed)
                kills = _kills(plan, plan.of_cases, cases, _by_baseline(pool, baseline, seed))
                _count(result.baselines[baseline.name], baseline.name, seed, kills, listener)
        result.seconds = time.monotonic() - started
        for tally in result.tallies.values() if plan.shrinks else ():
            if listener.stopped:
                raise KeyboardInterrupt
            if tally.failure is not None:
                _shrink(plan, pool, tally, result, listener)
    except KeyboardInterrupt:
        result.interrupted = True
    result.seconds = result.seconds or time.monotonic() - started
    return result


def _count(tallies: dict[str, Tally], way: str, seed: int, kills: Iterator[Kills], listener: Listener) -> None:
    for tally in tallies.values():
        tally.seeds.append(seed)
    for number, found in enumerate(kills, 1):
        for name, tally in tallies.items():
            if tally.add(seed, number, found.get(name)):
                listener.on_kill(way, seed, number, name, found[name])
        listener.on_count(way, seed, number)
        if listener.stopped:
            raise KeyboardInterrupt


# --- jobs ---------------------------------------------------------------------------------------------

Kill = Callable[[list[AnyCase], tuple[str, ...]], Any]
"""Schedules cases and mutants in a worker; returns a future of the kills of each case."""


def _by_harness(pool: WorkerPool) -> Kill:
    return lambda cases, names: pool.schedule(jobs.kill, cases, names, seconds=BATCH_SECONDS)


def _by_baseline(pool: WorkerPool, baseline: Baseline, seed: int) -> Kill:
    return lambda cases, names: pool.schedule(
        jobs.kill_by_baseline, baseline.name, cases, names, seed, seconds=BATCH_SECONDS
    )


def _kills(plan: Plan, names: tuple[str, ...], cases: Iterable[AnyCase], kill: Kill) -> Iterator[Kills]:
    """Yield the kills of each case, in order, with enough jobs scheduled to keep all workers busy."""
    batches = iter(partial(_batch, iter(cases)), [])
    waiting: deque[tuple[list[AnyCase], Any]] = deque()
    while True:
        for batch in islice(batches, 2 * plan.workers + 2 - len(waiting)):
            waiting.append((batch, kill(batch, names)))
        if not waiting:
            return
        yield from _collect(kill, *waiting.popleft(), names)


def _batch(cases: Iterator[AnyCase]) -> list[AnyCase]:
    return list(islice(cases, BATCH_CASES))


def _collect(kill: Kill, cases: list[AnyCase], future: Any, names: tuple[str, ...]) -> list[Kills]:
    """Return the kills of a job. If its worker died or hung, retry its cases one by one, then fewer mutants."""
    try:
        found: list[Kills] = future.result()
        return found
    except (WorkerDied, TimeoutError) as error:
        if len(cases) > 1:
            return [each for case in cases for each in _collect(kill, [case], kill([case], names), names)]
        return [_blame(kill, cases[0], names, error)]


def _blame(kill: Kill, case: AnyCase, names: tuple[str, ...], error: Exception) -> Kills:
    """Find the mutants that lose a worker on a case. If the bundled pass loses it too, none is to blame."""
    if len(names) == 1:
        kind = "TargetTimeout" if isinstance(error, TimeoutError) else "TargetCrashed"
        return {names[0]: failure(kind, case, "worker lost", "the process that compiled and ran the case was lost")}
    found: Kills = {}
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        if half:
            found |= _collect(kill, [case], kill([case], half), half)[0]
    return found


# --- shrinking ----------------------------------------------------------------------------------------


def _shrink(plan: Plan, pool: WorkerPool, tally: Tally, result: Result, listener: Listener) -> None:
    """Shrink the case of a mutant, by ``check`` of its pass."""
    assert tally.failure is not None
    config = CheckConfig(fold=f"foldproof.mutants:{tally.name}", complete=True, sample=0.0)
    checks = pool.with_config(config)
    [found] = checks.check_each([tally.failure.case])
    if isinstance(found, Failure):
        result.shrunk[tally.name] = shrink_with(found, checks, seconds=plan.shrink_seconds)
        listener.on_shrink(tally.name, result.shrunk[tally.name])
