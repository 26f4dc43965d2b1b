"""``foldproof bench``: what a case costs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import create_console, show_status
from foldproof.cli.jsonl import open_json_lines
from foldproof.cli.options import json_option, setting_options, settings_from


@click.command()
@setting_options("fold", "target", "sample", "ops", "seed", "seconds", seed=0, seconds=180.0)
@click.option("--no-workers", is_flag=True, help="Do not compare two workers with one.")
@json_option
def bench(no_workers: bool, json_path: Path | None, **given: Any) -> None:
    """Measure the time of a case by pipeline and stage, of a graph beside it, and the speed-up of a second worker."""
    from foldproof.bench.graphs import graph_rounds
    from foldproof.bench.report import print_bench, record, summary
    from foldproof.bench.rounds import races, rounds
    from foldproof.generation.draw import leave_no_files

    leave_no_files()
    settings = settings_from(given)
    config, names, seed = replace(settings.config, pipeline="fast"), settings.ops, settings.seed
    seconds = settings.seconds or 0.0
    found: list[Any] = []
    raced: list[Any] = []
    graphs: list[Any] = []
    console = create_console()
    with open_json_lines(json_path) as lines, show_status(console) as status:
        for each in rounds(config, ops=names, seed=seed, seconds=seconds * (0.75 if no_workers else 0.45)):
            found.append(each)
            lines.write(record(each))
            status(f"{len(found)} rounds: {each.ms('single'):.1f} ms per case, {each.ratio('single'):.1f} x naive")
        for graph in graph_rounds(config, ops=names, seed=seed, seconds=seconds * 0.25):
            graphs.append(graph)
            lines.write(record(graph))
            status(f"{len(graphs)} rounds of graphs: one of three sites costs {graph.ratio:.2f} cases")
        for race in () if no_workers else races(config, ops=names, seed=seed, seconds=seconds * 0.3):
            raced.append(race)
            lines.write(record(race))
            status(f"{len(raced)} races of workers: {race.ratio:.2f} x")
        lines.write(summary(found, raced, graphs))
    print_bench(console, found, raced, graphs)
