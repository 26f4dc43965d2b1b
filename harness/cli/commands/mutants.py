"""``foldproof mutants``: how many mutants of the pass the harness kills, and after how many cases."""

import sys
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import create_console, start_pool
from foldproof.cli.jsonl import open_json_lines
from foldproof.cli.options import json_option, setting_options, settings_from
from foldproof.cli.signals import stop_on_signals
from foldproof.core.errors import UsageError
from foldproof.core.versions import versions


@click.command()
@click.option("--only", metavar="A,B", help="Mutants to run (default: all).")
@click.option(
    "--strategy",
    type=click.Choice(["cases", "graphs"]),
    help="Run only the mutants that cases, or graphs, are drawn for (default: both).",
)
@click.option(
    "--budget", type=click.IntRange(min=1), default=1000, show_default=True, help="Cases, or graphs, per seed."
)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Number of seeds.")
@setting_options("seed", "workers", seed=0)
@click.option("--baselines/--no-baselines", default=True, help="Also run the baselines: other ways of testing.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="Also shrink a failing case of each mutant.")
@json_option
def mutants(
    only: str | None,
    strategy: str | None,
    budget: int,
    seeds: int,
    baselines: bool,
    shrinks: bool,
    json_path: Path | None,
    **given: Any,
) -> None:
    """Measure how many cases the harness needs to kill mutants: passes with a planted defect.

    Mutants of structure get graphs of several sites, all others get cases.
    """
    from foldproof.checking.config import CheckConfig
    from foldproof.mutants.benchmark import Plan, run
    from foldproof.mutants.report import Progress, print_result, records
    from foldproof.workers.pool import WorkerPool

    settings = settings_from(given)
    plan = Plan(
        names=_mutant_names(only, strategy),
        budget=budget,
        seeds=seeds,
        seed=settings.seed,
        workers=settings.workers,
        baselines=baselines,
        shrinks=shrinks,
    )
    console = create_console()
    with open_json_lines(json_path) as lines:
        progress = Progress(console, plan, lines.write)
        with stop_on_signals(progress), WorkerPool(CheckConfig(), plan.workers, draws=True) as pool:
            lines.write({"event": "start", "versions": versions(), "defects": list(plan.names)})
            start_pool(pool)
            result = run(plan, pool, progress)
        print_result(console, result)
        for record in records(result):
            lines.write(record)
    sys.exit(130 if result.interrupted else 0 if len(result.killed) == len(plan.names) else 1)


def _mutant_names(given: str | None, strategy: str | None) -> tuple[str, ...]:
    from foldproof.mutants import BY_NAME

    names = tuple(dict.fromkeys(given.split(","))) if given is not None else tuple(BY_NAME)
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"unknown mutant {name!r}; expected one of {', '.join(BY_NAME)}")
    chosen = tuple(name for name in names if strategy is None or BY_NAME[name].structural is (strategy == "graphs"))
    if not chosen:
        raise UsageError(f"--only names no mutant that {strategy} are drawn for: {', '.join(names)}")
    return chosen
