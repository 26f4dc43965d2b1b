"""Which scenarios kill which mutants: the rates behind the weights of the scenarios.

    python benchmarks/scenario_kills.py [--examples 50] [--seed 7] [--workers 2] [--json FILE]

Draws cases of every scenario and puts them through the kill matrix. Prints the weights (shares of the cases) that
maximize the lowest kill rate of a mutant, found by multiplicative weights on the game between scenarios and mutants.
Held-out mutants are not used.
"""

import json
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from foldproof.case import ops
from foldproof.checking.config import CheckConfig
from foldproof.generation.draw import draw
from foldproof.generation.shards import shard_seed
from foldproof.mutants import MUTANTS
from foldproof.mutants.jobs import kill
from foldproof.strategies.cases import scenario_cases
from foldproof.strategies.scenarios import SCENARIOS, Scenario
from foldproof.workers.pool import WorkerPool

BATCH = 8
ROUNDS = 100_000


def measure_rates(
    pool: WorkerPool, scenario: Scenario, names: tuple[str, ...], *, examples: int, seed: int
) -> dict[str, float]:
    """Return the share of a scenario's cases that kills each mutant."""
    cases = draw(scenario_cases((scenario,), ops.NAMES), examples, seed)
    batches = [cases[i : i + BATCH] for i in range(0, len(cases), BATCH)]
    rows = [row for job in [pool.schedule(kill, b, names, seconds=600.0) for b in batches] for row in job.result()]
    return {name: sum(name in row for row in rows) / len(rows) for name in names}


def best_weights(rates: np.ndarray) -> np.ndarray:
    """Return the shares of scenarios that maximize the lowest kill rate. ``rates`` is scenarios x mutants."""
    mutants = np.ones(rates.shape[1]) / rates.shape[1]
    chosen = np.zeros(rates.shape[0])
    step = 8.0 * np.sqrt(np.log(rates.shape[1]) / ROUNDS) / max(rates.max(), 1e-9)
    for _ in range(ROUNDS):
        best = int(np.argmax(rates @ mutants))
        chosen[best] += 1
        mutants *= np.exp(-step * rates[best])
        mutants /= mutants.sum()
    return chosen / chosen.sum()


@click.command(help="Print the kill rates of every scenario, and the weights that they suggest.")
@click.option("--examples", default=50, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write the rates of each scenario."
)
def main(examples: int, seed: int, workers: int, path: Path | None) -> None:
    """Print a line per scenario, the mutants that hardly any case kills, and the weights."""
    console = Console(soft_wrap=True, highlight=False)
    names = tuple(mutant.name for mutant in MUTANTS if not (mutant.held_out or mutant.looked_at or mutant.structural))
    rows: dict[str, dict[str, float]] = {}
    with WorkerPool(CheckConfig(), workers) as pool:
        for number, scenario in enumerate(SCENARIOS):
            rows[scenario.name] = measure_rates(pool, scenario, names, examples=examples, seed=shard_seed(seed, number))
            best = sorted(rows[scenario.name].items(), key=lambda item: -item[1])[:5]
            console.print(scenario.name, "|", ", ".join(f"{name} {rate:.0%}" for name, rate in best))
            if path is not None:
                path.write_text(json.dumps(rows))
    rates = np.array([[rows[scenario.name][name] for name in names] for scenario in SCENARIOS])
    weights = best_weights(rates)
    mixed = weights @ rates
    for i in np.argsort(mixed)[:15]:
        console.print(f"{names[i]}: {mixed[i]:.2%} of the cases; best scenario {rates[:, i].max():.0%}")
    for i in np.argsort(-weights):
        console.print(f"{weights[i]:.1%} {SCENARIOS[i].name}")


if __name__ == "__main__":
    main()
