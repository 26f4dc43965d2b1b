"""Check cases of every scenario of the strategies, and print a table of the outcomes.

    python benchmarks/every_scenario.py [--examples 500] [--seed 0] [--workers 2] [--pass MODULE:ATTR] [--after NAME]
                                       [--only NAME] [--only NAME] ...

A scenario reaches a rule of the bundled pass, or violates one of its conditions. Exits with 1 if a case fails.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.table import Table

from foldproof.case import Case, ops
from foldproof.checking.failures import Failure
from foldproof.generation.draw import draw
from foldproof.generation.shards import shard_seed
from foldproof.strategies.cases import scenario_cases
from foldproof.strategies.scenarios import SCENARIOS, Scenario
from foldproof.workers.pool import CheckConfig, Job, WorkerPool
from foldproof.workers.worker import Result

BATCH = 8

NAMES = [scenario.name for scenario in SCENARIOS]


def draw_scenario(scenario: Scenario, number: int, *, examples: int, seed: int) -> list[Case]:
    """Draw ``examples`` distinct cases of a scenario, or fewer if four shards do not have as many."""
    drawn: dict[Case, None] = {}
    for shard in range(4):
        if len(drawn) < examples:
            drawn |= dict.fromkeys(
                draw(scenario_cases((scenario,), ops.NAMES), examples, shard_seed(seed + number, shard))
            )
    return list(drawn)[:examples]


def check_scenarios(
    pool: WorkerPool, chosen: Sequence[Scenario], *, examples: int, seed: int
) -> Iterator[tuple[Scenario, list[Result]]]:
    """Yield the results of each scenario. The next cases are drawn while the workers check."""
    waiting: list[tuple[Scenario, list[Job]]] = []
    for number, scenario in enumerate(SCENARIOS):  # the seed of a scenario does not depend on what is chosen
        if scenario not in chosen:
            continue
        cases = draw_scenario(scenario, number, examples=examples, seed=seed)
        waiting.append((scenario, [pool.submit(cases[i : i + BATCH]) for i in range(0, len(cases), BATCH)]))
        if len(waiting) > 1:
            yield collect_results(*waiting.pop(0))
    yield from (collect_results(scenario, jobs) for scenario, jobs in waiting)


def collect_results(scenario: Scenario, jobs: list[Job]) -> tuple[Scenario, list[Result]]:
    """Return a result per case, in order."""
    return scenario, [result for job in jobs for result in job.results()]


def format_row(scenario: Scenario, results: list[Result]) -> tuple[str, ...]:
    """Return the cells of a scenario's row."""
    verdicts = [result for result in results if not isinstance(result, Failure)]
    reasons = Counter(kind for verdict in verdicts for kind in {kind for kind, _ in verdict.reasons})
    rules = Counter(rule for verdict in verdicts for rule in set(verdict.rules))
    message = [f"{name} {count}" for name, count in (rules + reasons).most_common(3)]
    folded, doubt = (sum(flags) for flags in ([v.folded for v in verdicts], [v.in_doubt for v in verdicts]))
    return (
        scenario.name,
        str(len(results)),
        str(folded),
        str(doubt),
        str(len(results) - len(verdicts)),
        ", ".join(message),
    )


@click.command(help="Check cases of every scenario.")
@click.option("--examples", default=500, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--pass", "fold", metavar="MODULE:ATTR", help="The pass to test (default: the bundled one).")
@click.option("--after", type=click.Choice(NAMES), metavar="NAME", help="Start after this scenario.")
@click.option("--only", type=click.Choice(NAMES), metavar="NAME", multiple=True, help="Check these scenarios only.")
def main(examples: int, seed: int, workers: int, fold: str | None, after: str | None, only: tuple[str, ...]) -> None:
    """Print the table and the failed cases."""
    console = Console(soft_wrap=True)
    table = Table("scenario", "cases", "folded", "in doubt", "failed", "most frequent")
    failures: list[Failure] = []
    start = 0 if after is None else 1 + NAMES.index(after)
    chosen = [scenario for scenario in SCENARIOS[start:] if not only or scenario.name in only]
    with WorkerPool(CheckConfig(fold=fold, complete=fold is None), workers) as pool:
        pool.start()
        for scenario, results in check_scenarios(pool, chosen, examples=examples, seed=seed):
            found = [result for result in results if isinstance(result, Failure)]
            failures += found
            table.add_row(*format_row(scenario, results))
            console.print(*format_row(scenario, results), sep=" | ", highlight=False)
            for failure in found[:3]:
                console.print(f"{failure.fingerprint}: {failure}", markup=False, highlight=False)
    console.print(table)
    console.print(f"{len(chosen)} scenarios, {len(failures)} failed cases")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
