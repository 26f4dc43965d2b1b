"""The benchmark: seeds of random cases through the kill matrix, counted per defect, and the baselines beside it.

    seed -> workers: cases -> batches -> workers: matrix -> kills, in the order drawn -> Tally per defect

Law: a case counts at its place in the order drawn, whichever worker is first, so that a seed gives the same numbers
again. Counting goes on when a defect is dead: the kill rate is one per case.
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
from foldproof.case import Case
from foldproof.checking.config import CheckConfig
from foldproof.checking.failures import Failure, failure
from foldproof.mutants import MUTANTS, jobs
from foldproof.mutants.baselines import BASELINES, Baseline
from foldproof.mutants.kill_matrix import Kills
from foldproof.mutants.mutant import Mutant
from foldproof.mutants.tally import Tally
from foldproof.workers.pool import WorkerPool
from foldproof.workers.processes import WorkerDied

BATCH_CASES = 8
HARNESS = "foldproof"
"""The way of testing that is measured, beside the baselines."""

BATCH_SECONDS = 120.0
"""Time limit of a batch, which takes about a second on an idle machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: which defects, how many cases for each of ``seeds`` seeds from ``seed`` on."""

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


@dataclass(kw_only=True)
class Result:
    """What was counted. ``shrunk`` has the small case of each defect that was killed."""

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
    """Told what happens; the report subclasses it. ``stopped`` says that the user wants an end, as for a campaign."""

    stopped = False

    def counted(self, way: str, seed: int, number: int) -> None:
        """So many cases of a seed are counted, by the harness or a baseline."""

    def killed(self, way: str, seed: int, number: int, name: str, failure: Failure) -> None:
        """A defect is killed for the first time by this seed."""

    def shrunk(self, name: str, shrunk: ShrinkResult) -> None:
        """The case of a defect is small."""


def run(plan: Plan, pool: WorkerPool, listener: Listener) -> Result:
    """Run the benchmark to its end. The judge must be started. Ctrl-C ends it early, and the result says so."""
    result = Result(plan=plan, tallies={name: Tally(name=name) for name in plan.names})
    if plan.baselines:
        for baseline in BASELINES:
            result.baselines[baseline.name] = {name: Tally(name=name) for name in plan.names}
    started = time.monotonic()
    try:
        for seed in range(plan.seed, plan.seed + plan.seeds):
            cases = (case for _, shard in prefetch_shards(pool, (), None, plan.budget, seed) for case in shard)
            _count(result.tallies, HARNESS, seed, _kills(plan, cases, _by_harness(pool)), listener)
        for baseline in BASELINES if plan.baselines else ():
            for seed in range(plan.seed, plan.seed + plan.seeds):
                drawn = baseline.draw(plan.budget, seed)
                kills = _kills(plan, drawn, _by_baseline(pool, baseline, seed))
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
                listener.killed(way, seed, number, name, found[name])
        listener.counted(way, seed, number)
        if listener.stopped:
            raise KeyboardInterrupt


# --- jobs ---------------------------------------------------------------------------------------------

Kill = Callable[[list[Case], tuple[str, ...]], Any]
"""Schedules cases through defects in a worker: a future of the kills of each."""


def _by_harness(pool: WorkerPool) -> Kill:
    return lambda cases, names: pool.schedule(jobs.kill, cases, names, seconds=BATCH_SECONDS)


def _by_baseline(pool: WorkerPool, baseline: Baseline, seed: int) -> Kill:
    return lambda cases, names: pool.schedule(jobs.kill_as, baseline.name, cases, names, seed, seconds=BATCH_SECONDS)


def _kills(plan: Plan, cases: Iterable[Case], kill: Kill) -> Iterator[Kills]:
    """The kills of each case, in order, with enough jobs under way that no worker waits."""
    batches = iter(partial(_batch, iter(cases)), [])
    waiting: deque[tuple[list[Case], Any]] = deque()
    while True:
        for batch in islice(batches, 2 * plan.workers + 2 - len(waiting)):
            waiting.append((batch, kill(batch, plan.names)))
        if not waiting:
            return
        yield from _answers(kill, *waiting.popleft(), plan.names)


def _batch(cases: Iterator[Case]) -> list[Case]:
    return list(islice(cases, BATCH_CASES))


def _answers(kill: Kill, cases: list[Case], future: Any, names: tuple[str, ...]) -> list[Kills]:
    """What a job answers. If its worker died or hung, its cases are asked alone, and then its defects."""
    try:
        found: list[Kills] = future.result()
        return found
    except (WorkerDied, TimeoutError) as error:
        if len(cases) > 1:
            return [each for case in cases for each in _answers(kill, [case], kill([case], names), names)]
        return [_lost(kill, cases[0], names, error)]


def _lost(kill: Kill, case: Case, names: tuple[str, ...], error: Exception) -> Kills:
    """Whose fault it is that a worker is lost to a case: nobody's, if the bundled pass loses it, too."""
    if len(names) == 1:
        kind = "TargetTimeout" if isinstance(error, TimeoutError) else "TargetCrashed"
        return {names[0]: failure(kind, case, "worker lost", "the process that compiled and ran the case was lost")}
    found: Kills = {}
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        if half:
            found |= _answers(kill, [case], kill([case], half), half)[0]
    return found


# --- shrinking ----------------------------------------------------------------------------------------


def _shrink(plan: Plan, pool: WorkerPool, tally: Tally, result: Result, listener: Listener) -> None:
    """The small case of a defect, found by asking ``check`` about its pass."""
    assert tally.failure is not None
    config = CheckConfig(fold=f"foldproof.mutants:{tally.name}", complete=True, sample=0.0)
    asked = pool.with_config(config)
    [found] = asked.check_each([tally.failure.case])
    if isinstance(found, Failure):
        result.shrunk[tally.name] = shrink_with(found, asked, seconds=plan.shrink_seconds)
        listener.shrunk(tally.name, result.shrunk[tally.name])
