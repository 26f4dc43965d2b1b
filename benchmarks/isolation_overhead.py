"""The overhead of checking cases in a worker process instead of in this one, in wall-clock seconds.

    python benchmarks/isolation_overhead.py [--rounds 6] [--examples 400] [--seed 0]

A round checks the same fresh cases here and in one worker, in turns, batch by batch as a campaign does. The order
alternates. Both have TVM loaded. Workers are replaced after a number of batches (``foldproof.workers.pool``), which
counts in the rounds where it happens. Only ratios within a round are compared, and only on a machine with an idle
core.
"""

import os
import statistics
import time
from collections.abc import Sequence
from functools import partial

import click

os.environ |= dict.fromkeys(("TVM_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")  # as in a worker

from foldproof.campaign.campaign import split_batches
from foldproof.case import Case
from foldproof.checking.batch import check_batch
from foldproof.checking.config import CheckConfig
from foldproof.core.loading import load_pass
from foldproof.generation.draw import draw, strategy_of
from foldproof.generation.shards import shard_seed
from foldproof.ir.base import Pass
from foldproof.ir.relax.targets import Target, parse_target
from foldproof.workers.pool import WorkerPool


def time_here(cases: Sequence[Case], config: CheckConfig, fold: Pass, target: Target) -> float:
    """Return the seconds in this process."""
    started = time.perf_counter()
    for batch in split_batches(0, cases):
        check_batch(batch.cases, fold, target, complete=config.complete, sample=config.sample)
    return time.perf_counter() - started


def time_in_worker(cases: Sequence[Case], pool: WorkerPool) -> float:
    """Return the seconds through a worker, which always has the next batch waiting."""
    started = time.perf_counter()
    for job in [pool.submit(batch.cases) for batch in split_batches(0, cases)]:
        job.results()
    return time.perf_counter() - started


@click.command(help="Compare checking in a worker with checking in this process.")
@click.option("--rounds", default=6, show_default=True, type=click.IntRange(min=2))
@click.option("--examples", default=400, show_default=True, type=click.IntRange(min=50))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(rounds: int, examples: int, seed: int) -> None:
    """Print a line per round, and the median of the ratios."""
    config = CheckConfig()
    fold, target = load_pass(config.fold), parse_target(config.target, config.pipeline)
    strategy = strategy_of((), "cases")
    ratios = []
    with WorkerPool(config, workers=1) as pool:
        pool.start()
        for number in range(rounds + 1):
            cases = draw(strategy, examples, shard_seed(seed, number))
            turns = {
                "here": partial(time_here, cases, config, fold, target),
                "worker": partial(time_in_worker, cases, pool),
            }
            order = list(turns) if number % 2 else list(reversed(turns))
            seconds = {name: turns[name]() for name in order}
            if number == 0:
                continue  # both warm up
            ratios.append(seconds["worker"] / seconds["here"])
            click.echo(
                f"{len(cases)} cases: here {seconds['here']:.1f} s, worker {seconds['worker']:.1f} s: {ratios[-1]:.3f}"
            )
    low, _, high = statistics.quantiles(ratios, n=4)
    click.echo(f"worker / here: {statistics.median(ratios):.3f} (median, quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
