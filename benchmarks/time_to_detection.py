"""Cases and seconds until the fast pipeline, and TVM's default one, detect representative mutants.

    python benchmarks/time_to_detection.py [--examples 500] [--seed 1]

Each mutant has a campaign on each pipeline, one after the other, with one worker, until its first failure. Seconds do
not include the start of Python and shrinking. Exits with 1 if a pipeline does not detect a mutant.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foldproof.mutants import REPRESENTATIVES

PIPELINES = ("fast", "default")


def campaign(mutant: str, pipeline: str, *, examples: int, seed: int) -> dict[str, Any]:
    """Run a campaign and return its summary."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "foldproof", "fuzz", "--first", "--no-save", "--workers", "1", "--json", "log"]
        command += ["--pass", f"foldproof.mutants:{mutant}", "--pipeline", pipeline]
        command += ["--examples", str(examples), "--seed", str(seed)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603
        if run.returncode not in (0, 1):
            raise click.ClickException(run.stderr)
        lines = (Path(folder) / "log").read_text().splitlines()
    return dict(json.loads(lines[-1]))


@click.command(help="Compare how fast both pipelines detect representative mutants.")
@click.option("--examples", default=500, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(examples: int, seed: int) -> None:
    """Print a line per mutant as it comes, and the table."""
    console = Console(highlight=False)
    table = Table("mutant", *(f"{name}: {what}" for name in PIPELINES for what in ("cases", "s")), "default / fast")
    ratios, missed = [], False
    for mutant in REPRESENTATIVES:
        summaries = [campaign(mutant, pipeline, examples=examples, seed=seed) for pipeline in PIPELINES]
        missed = missed or not all(summary["failures"] for summary in summaries)
        ratios.append(summaries[1]["seconds"] / summaries[0]["seconds"])
        cells = [(str(summary["executed"]), f"{summary['seconds']:.1f}") for summary in summaries]
        table.add_row(mutant, *cells[0], *cells[1], f"{ratios[-1]:.1f}")
        console.print(mutant, *cells[0], *cells[1], f"{ratios[-1]:.1f}", sep=" | ")
    console.print(table)
    console.print(f"default / fast: {statistics.median(ratios):.1f} (median)")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
