"""The cost of a graph beside that of a case, in the fast pipeline.

    round: the same number of cases, of graphs, and of graphs of three sites -> CPU seconds of each -> ratios

As in ``rounds``, only ratios within a round are compared, and drawing is paid for.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from foldproof.bench.rounds import cpu_seconds
from foldproof.campaign.campaign import BATCH_CASES
from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.generation.draw import draw, strategy_of
from foldproof.generation.shards import SHARD_EXAMPLES, shard_seed

THREE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some cases or graphs took: CPU ``seconds``, drawing included."""

    count: int
    sites: int
    seconds: float

    @property
    def ms(self) -> float:
        """CPU milliseconds for each."""
        return 1e3 * self.seconds / self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRound:
    """The costs of a round."""

    cases: Cost
    graphs: Cost
    three: Cost

    @property
    def ratio(self) -> float:
        """How many cases a graph of three sites costs."""
        return self.three.ms / self.cases.ms


def graph_rounds(config: CheckConfig, *, ops: tuple[str, ...], seed: int, seconds: float) -> Iterator[GraphRound]:
    """Yield rounds until ``seconds`` of wall-clock time are over, at least one. The first cases are not timed.

    Args:
        config: The pass and the target.
        ops: Names of ops (empty: all).
        seed: The seed of cases and graphs.
        seconds: The budget.

    Raises:
        UsageError: If pass or target cannot be loaded.
    """
    from foldproof.core.loading import load_pass
    from foldproof.ir.relax.targets import FAST, parse_target

    fold, target = load_pass(config.fold), parse_target(config.target, FAST)
    streams = [
        _draw_batches(ops, "cases", seed),
        _draw_batches(ops, "graphs", seed),
        _draw_batches(ops, "graphs", seed + 1, sites=THREE),
    ]
    started = time.monotonic()
    for number in count():
        order = [*range(number % 3, 3), *range(number % 3)]
        costs = {i: _measure(next(streams[i]), fold, target, config) for i in order}
        if number:
            yield GraphRound(cases=costs[0], graphs=costs[1], three=costs[2])
        if number and time.monotonic() - started > seconds:
            return


def _measure(drawn: tuple[list[AnyCase], float], fold: Any, target: Any, config: CheckConfig) -> Cost:
    from foldproof.checking.batch import check_batch

    batch, drawing = drawn
    before = cpu_seconds()
    check_batch(batch, fold, target, complete=config.complete, sample=config.sample)
    sites = sum(len(each.cases) for each in batch)
    return Cost(count=len(batch), sites=sites, seconds=cpu_seconds() - before + drawing)


def _draw_batches(
    ops: tuple[str, ...], strategy: str, seed: int, *, sites: int = 0
) -> Iterator[tuple[list[AnyCase], float]]:
    """Yield batches, each with its share of the CPU seconds that drawing took. ``sites`` keeps graphs of so many."""
    strategy_ = strategy_of(ops, strategy)
    waiting: list[AnyCase] = []
    each = 0.0
    for shard in count(1):
        before = cpu_seconds()
        drawn = draw(strategy_, SHARD_EXAMPLES, shard_seed(seed, shard))
        each = (cpu_seconds() - before) / len(drawn)
        waiting += [one for one in drawn if not sites or len(one.cases) == sites]
        while len(waiting) >= BATCH_CASES:
            batch, waiting = list(islice(waiting, BATCH_CASES)), waiting[BATCH_CASES:]
            yield batch, each * len(batch)
