"""How much processor time a case on ONNX takes, and how much of it the tool under test takes.

    python benchmarks/tool_cost.py onnxruntime onnxslim [--cases 300] [--seed 5]

Processor time of one process, in ms a case: drawing it, checking it, and applying the tool, a part of checking. The
last column is what one core does in a second.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foldproof.checking.batch import check_batch
from foldproof.core.loading import load_pass
from foldproof.generation.draw import draw
from foldproof.ir.base import ir_of
from foldproof.ir.onnx.subjects.subject_pass import SubjectPass
from foldproof.strategies.onnx_cases import onnx_cases

BATCH_CASES = 16


@click.command(help="Measure the processor time of cases on ONNX, for each of the tools NAMES.")
@click.argument("names", nargs=-1, required=True)
@click.option("--cases", "count", default=300, show_default=True, type=click.IntRange(min=BATCH_CASES))
@click.option("--seed", default=5, show_default=True, type=click.IntRange(min=0))
def main(names: tuple[str, ...], count: int, seed: int) -> None:
    """Print a row for each tool."""
    console = Console(width=100, highlight=False)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # tools write about models that they do not understand
    cases, draw_seconds = timed(lambda: draw(onnx_cases(), count, seed))
    table = Table("tool", "draw, ms", "check, ms", "of it the tool, ms", "cases/s per core")
    for name in names:
        tool: Any = load_pass(name)
        target, spent = ir_of(tool).parse_target("cpu"), [0.0]
        watched = watch(tool, spent)

        def check(some: Any, fold: Any = watched, to: Any = target) -> None:
            for start in range(0, len(some), BATCH_CASES):
                check_batch(some[start : start + BATCH_CASES], fold, to, complete=False, sample=0.02)

        check(cases[:BATCH_CASES])  # what is loaded once
        spent[0] = 0.0
        _, seconds = timed(lambda check=check: check(cases))
        each = [1e3 * part / count for part in (draw_seconds, seconds, spent[0])]
        table.add_row(name, *(f"{part:.1f}" for part in each), f"{count / (draw_seconds + seconds):.0f}")
    console.print(table)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and the processor time in seconds that it took."""
    start = time.process_time()
    return work(), time.process_time() - start


def watch(tool: SubjectPass, spent: list[float]) -> SubjectPass:
    """Return the tool as a pass that adds the processor time of each application to ``spent``."""

    def apply(model: Any) -> Any:
        start = time.process_time()
        try:
            return tool.apply(model)
        finally:
            spent[0] += time.process_time() - start

    return replace(tool, apply=apply)


if __name__ == "__main__":
    main()
