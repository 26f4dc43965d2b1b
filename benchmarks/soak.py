"""A long campaign, observed from outside: do workers grow, leak files or memory maps, or slow down?

    python benchmarks/soak.py [--examples 20000 | --time 1h] [--seed 0] [--workers 2] [--pass MODULE:ATTR] \
        [--strategy NAME]

Reads each worker's resident memory, open files and memory maps from /proc (Linux) as results arrive. Prints a table of
workers (which are replaced after a number of batches), a table over time, the rates of the four quarters, and what is
left in /dev/shm and in a temporary folder of its own. Exits with 1 if:

- a case fails,
- a worker grew by more than 50 MB, or
- anything is left.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from foldproof.campaign.campaign import run
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary
from foldproof.checking.config import CheckConfig
from foldproof.cli.options import Duration, Share
from foldproof.report.summary import print_summary
from foldproof.workers.pool import WorkerPool

MOST_GROWTH_MB = 50.0
SETTLED = 20
"""Samples of a worker before its growth counts: TVM is loaded, and each op was compiled once."""
SAMPLE_SECONDS = 0.2
PERIODS = 12
"""Rows of the table over time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The values in /proc of a process."""

    megabytes: float
    files: int
    maps: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The progress of a campaign: cases, seconds since its start, MB of this process, MB of all workers."""

    cases: int
    seconds: float
    own_megabytes: float
    worker_megabytes: float


@dataclass(slots=True)
class Watch(Listener):
    """Samples all workers as results arrive, and records when each case was done."""

    samples: dict[int, list[Sample]] = field(default_factory=dict)
    times: list[tuple[int, float]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def on_progress(self, summary: Summary) -> None:
        self.times.append((summary.executed, summary.seconds))
        if self.moments and summary.seconds - self.moments[-1].seconds < SAMPLE_SECONDS:
            return
        together = 0.0
        for pid in workers():
            sample = take_sample(pid)
            if sample is not None:
                self.samples.setdefault(pid, []).append(sample)
                together += sample.megabytes
        self.moments.append(Moment(summary.executed, summary.seconds, megabytes(os.getpid()), together))

    def periods(self) -> Iterator[tuple[Moment, Moment, list[Moment]]]:
        """Yield, for equal parts of the time: the last moment before it, its last moment, and all its moments."""
        end = max(self.moments[-1].seconds, 1e-9)
        parts: list[list[Moment]] = [[] for _ in range(PERIODS)]
        for moment in self.moments:
            parts[min(PERIODS - 1, int(moment.seconds / end * PERIODS))].append(moment)
        before = Moment(0, 0.0, 0.0, 0.0)
        for part in filter(None, parts):
            yield before, part[-1], part
            before = part[-1]

    def rates(self) -> list[float]:
        """Return the cases per second in each quarter of the cases."""
        total = self.times[-1][0]
        marks = [(0, 0.0)]
        for quarter in range(1, 5):
            marks.append(next(mark for mark in self.times if mark[0] >= total * quarter / 4))
        return [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(marks)]


def workers() -> Iterator[int]:
    """Yield the process ids of all descendants of this process."""
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:  # it ended just now
                continue
            waiting += children
            yield from children


def take_sample(pid: int) -> Sample | None:
    """Return the values of a process; None if it has ended or has not loaded TVM."""
    folder = Path(f"/proc/{pid}")
    try:
        maps = (folder / "maps").read_text()
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        files = len(list((folder / "fd").iterdir()))
    except OSError:
        return None
    if "libtvm" not in maps or "VmRSS" not in status:
        return None
    return Sample(int(status["VmRSS"].split()[0]) / 1024, files, maps.count("\n"))


def megabytes(pid: int) -> float:
    """Return the resident memory of a process that exists."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def list_leftovers() -> set[str]:
    """Return everything in /dev/shm and in the temporary folder."""
    return {str(path) for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())) for path in folder.iterdir()}  # noqa: S108


@click.command(help="Run a long campaign, and observe its workers.")
@click.option("--examples", type=click.IntRange(min=100), help="Default: 20,000 without --time.")
@click.option("--time", "seconds", type=Duration(), help="As for foldproof fuzz: 90s, 10m, 1h.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--workers", "count", default=2, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--sample", type=Share(), default="2%", show_default=True, help="Share of the cases that both pipelines run."
)
@click.option("--pass", "fold", metavar="MODULE:ATTR", help="Another pass than the bundled one.")
@click.option("--strategy", metavar="NAME", help="What is drawn, as for foldproof fuzz: cases, graphs or both.")
def main(
    examples: int | None,
    seconds: float | None,
    seed: int,
    count: int,
    sample: float,
    fold: str | None,
    strategy: str | None,
) -> None:
    """Print the tables; exit with 1 if anything is wrong."""
    console, watch = Console(width=120, highlight=False), Watch()
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp()
    before, config = list_leftovers(), CheckConfig(fold=fold, complete=fold is None, sample=sample)
    examples = 20_000 if examples is None and seconds is None else examples
    settings = Settings(config=config, seed=seed, examples=examples, seconds=seconds, workers=count, strategy=strategy)
    with WorkerPool(config, count, draws=True) as pool:
        pool.start()
        summary = run(settings, pool, watch)
    time.sleep(1.0)  # wait for the last worker to end
    new = sorted(list_leftovers() - before)
    print_summary(console, summary, "")
    if not watch.moments:
        raise click.ClickException("the campaign ended without a result, so nothing was observed")
    table = Table(
        "worker", "samples", "MB settled", "MB at the end", "MB maximum", "MB growth", "files", "maps", title="workers"
    )
    growths = []
    for pid, samples in watch.samples.items():
        settled = samples[min(SETTLED, len(samples) - 1)]
        most = max(sample.megabytes for sample in samples)
        growths.append(samples[-1].megabytes - settled.megabytes)
        files, maps = ([getattr(s, name) for s in samples[SETTLED:] or samples] for name in ("files", "maps"))
        table.add_row(
            str(pid),
            str(len(samples)),
            *(f"{mb:.0f}" for mb in (settled.megabytes, samples[-1].megabytes, most, growths[-1])),
            f"{min(files)} to {max(files)}",
            f"{min(maps)} to {max(maps)}",
        )
    console.print(table)
    console.print(over_time(watch))
    rates = watch.rates()
    console.print("cases/s by quarter: " + ", ".join(f"{rate:.1f}" for rate in rates))
    console.print(f"last quarter / first quarter: {rates[-1] / rates[0]:.3f}")
    console.print(f"maximum growth of a worker: {max(growths):.1f} MB (limit: {MOST_GROWTH_MB:.0f})")
    console.print(f"left over: {', '.join(new) or 'nothing'}")
    raise SystemExit(1 if summary.failures or max(growths) > MOST_GROWTH_MB or new else 0)


def over_time(watch: Watch) -> Table:
    """Return the table of cases per second and memory, part by part."""
    table = Table(
        "from s", "to s", "cases", "cases/s", "MB coordinator", "MB workers, mean", "maximum", title="over time"
    )
    for first, last, part in watch.periods():
        done, took = last.cases - first.cases, max(last.seconds - first.seconds, 1e-9)
        together = [moment.worker_megabytes for moment in part]
        mean = sum(together) / len(together)
        memory = (last.own_megabytes, mean, max(together))
        table.add_row(
            f"{first.seconds:.0f}",
            f"{last.seconds:.0f}",
            str(done),
            f"{done / took:.1f}",
            *map("{:.0f}".format, memory),
        )
    return table


if __name__ == "__main__":
    main()
