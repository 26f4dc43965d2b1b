"""The command line: ``foldproof bench | mutants``, which measure the harness."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import patience, plain_console, start
from foldproof.cli.jsonl import json_lines
from foldproof.cli.options import Duration, Share, Workers, config_of, op_names
from foldproof.cli.signals import stop_on_signals
from foldproof.core.errors import UsageError
from foldproof.core.versions import versions


@click.command()
@click.option("--pass", "fold", metavar="MODULE:ATTR", help="Pass to run (default: the bundled one).")
@click.option("--target", default="llvm", show_default=True, help="TVM target: kind, tag or JSON.")
@click.option("--ops", metavar="A,B", help="Ops to draw (default: all).")
@click.option("--time", "seconds", type=Duration(), default=180.0, show_default="3m", help="Budget, about.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same cases.")
@click.option(
    "--sample", type=Share(), default="2%", show_default=True, help="Share of the cases that both pipelines run."
)
@click.option("--no-workers", is_flag=True, help="Leave out the race of one worker and two.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
def bench(
    fold: str | None,
    target: str,
    ops: str | None,
    seconds: float,
    seed: int,
    sample: float,
    no_workers: bool,
    json_path: Path | None,
) -> None:
    """Measure what a case costs: naive, default and fast pipeline, by stage; and what a second worker brings."""
    from foldproof.bench.report import print_bench, record, summary
    from foldproof.bench.rounds import races, rounds
    from foldproof.generation.draw import leave_no_files

    leave_no_files()
    config = replace(config_of(fold, target, "fast", complete=False), sample=sample)
    names = op_names(ops)
    found: list[Any] = []
    raced: list[Any] = []
    console = plain_console()
    with json_lines(json_path) as lines, patience(console) as say:
        for each in rounds(config, ops=names, seed=seed, seconds=seconds * (1.0 if no_workers else 0.6)):
            found.append(each)
            lines.write(record(each))
            say(f"{len(found)} rounds: {each.ms('single'):.1f} ms a case, {each.ratio('single'):.1f} x naive")
        for race in () if no_workers else races(config, ops=names, seed=seed, seconds=seconds * 0.4):
            raced.append(race)
            lines.write(record(race))
            say(f"{len(raced)} races of workers: {race.ratio:.2f} x")
        lines.write(summary(found, raced))
    print_bench(console, found, raced)


@click.command()
@click.option("--only", metavar="A,B", help="Defects to run (default: all).")
@click.option("--budget", type=click.IntRange(min=1), default=1000, show_default=True, help="Cases of each seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many seeds.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first seed.")
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@click.option("--baselines/--no-baselines", default=True, help="Other ways of testing beside it.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="The small case of each defect.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
def mutants(
    only: str | None,
    budget: int,
    seeds: int,
    seed: int,
    workers: int,
    baselines: bool,
    shrinks: bool,
    json_path: Path | None,
) -> None:
    """Measure the harness: how many cases does it take to kill passes that are wrong on purpose?"""
    from foldproof.checking.config import CheckConfig
    from foldproof.mutants.benchmark import Plan, run
    from foldproof.mutants.report import Progress, print_result, records
    from foldproof.workers.pool import WorkerPool

    plan = Plan(
        names=_mutant_names(only),
        budget=budget,
        seeds=seeds,
        seed=seed,
        workers=workers,
        baselines=baselines,
        shrinks=shrinks,
    )
    console = plain_console()
    with json_lines(json_path) as lines:
        progress = Progress(console, plan, lines.write)
        with stop_on_signals(progress), WorkerPool(CheckConfig(), workers, draws=True) as pool:
            lines.write({"event": "start", "versions": versions(), "defects": list(plan.names)})
            start(pool)
            result = run(plan, pool, progress)
        print_result(console, result)
        for record in records(result):
            lines.write(record)
    sys.exit(130 if result.interrupted else 0 if len(result.killed) == len(plan.names) else 1)


def _mutant_names(given: str | None) -> tuple[str, ...]:
    from foldproof.mutants import BY_NAME

    names = tuple(dict.fromkeys(given.split(","))) if given is not None else tuple(BY_NAME)
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"defect {name!r} is none of {', '.join(BY_NAME)}")
    return names
