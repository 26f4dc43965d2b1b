"""Kill campaigns (kill -9) at random moments, and compare them with undisturbed ones at the end.

    python benchmarks/chaos.py [--kills 100] [--seed 0] [--examples 90] [--delay 10] [--workers 2]

Each campaign tests a defective pass and keeps a journal. After a random delay, either the coordinator is killed and the
campaign resumed, or one worker is killed and the campaign continues. At its end, the numbers, the failures and the
files of the corpus must equal those of an undisturbed campaign. Campaigns with further seeds follow until there were
enough kills. Prints a line per kill. Linux only. Exits with 1 if:

- a failure was lost or counted twice,
- a process or a file is left over, or
- a start failed.
"""

import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click

from foldproof.case import Axis, Case
from foldproof.checking.config import CheckConfig
from foldproof.workers.pool import WorkerPool

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.support.faults import Place, kill, outcome, summary

WRONG = "foldproof.mutants:begin_end_swapped"
OPS = "conv1d,max_pool1d"
START_FAILED = "the process ended while it imported it (SIGKILL)"
"""The message of a start whose first worker was killed three times in a row; the next start has to work."""

COORDINATORS = 0.4
"""The share of the kills that hit a coordinator."""


@dataclass
class Tally:
    """Counts, and everything that is wrong, in a sentence each."""

    coordinators: int = 0
    workers: int = 0
    failed_starts: int = 0
    campaigns: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.coordinators + self.workers


@dataclass
class Campaign:
    """One campaign in a folder of its own, started and resumed until it ends by itself."""

    place: Place
    options: tuple[Any, ...]
    moments: random.Random
    tally: Tally
    delay: float
    reported: int = 0

    def run(self, most: int) -> int:
        """Kill until the campaign ends or there were ``most`` kills, then let it end. Return its exit code."""
        while True:
            process = self.place.start(*self.arguments(), "--corpus", "found", "--json", "log")
            while self.tally.kills < most and self.ends_late(process):
                whom = self.kill_one(process.pid)
                print(f"kill {self.tally.kills:3}: {whom}", flush=True)
                if whom == "coordinator":
                    break
            _, message = process.communicate()
            self.reported += message.count("a worker was killed (SIGKILL)")
            if process.returncode == 2 and START_FAILED in message:
                self.tally.failed_starts += 1
            elif process.returncode != -9:
                if process.returncode != 1:
                    self.tally.wrong.append(f"exit code {process.returncode}: {message.strip()}")
                return int(process.returncode)
            self.inspect("a kill")

    def arguments(self) -> tuple[Any, ...]:
        """Return the options: resume if there is a journal with a line."""
        journal = self.place.folder / "kept" / "journal.jsonl"
        begun = journal.exists() and b"\n" in journal.read_bytes()
        return (
            ("--resume", "kept", *self.options[-2:])
            if begun
            else (*self.options[:-2], "--journal", "kept", *self.options[-2:])
        )

    def ends_late(self, process: Any) -> bool:
        """Wait for a random time, and return whether the campaign still runs."""
        time.sleep(self.moments.uniform(0.0, self.delay))
        return process.poll() is None

    def kill_one(self, coordinator: int) -> str:
        """Kill the coordinator or a worker, and return which."""
        workers = self.place.workers()
        if workers and self.moments.random() >= COORDINATORS and kill(self.moments.choice(workers)):
            self.tally.workers += 1
            return f"one of {len(workers)} workers"
        kill(coordinator)
        self.tally.coordinators += 1
        return "coordinator"

    def inspect(self, after: str) -> None:
        """Record processes and files that are left over."""
        self.tally.wrong += [f"after {after}: left process {line}" for _, line in self.place.orphans()]
        self.tally.wrong += [f"after {after}: left file {path}" for path in self.place.leftovers()]


def differences(place: Place, whole: dict[str, Any]) -> list[str]:
    """Return how the end of a campaign differs from an undisturbed one.

    A batch whose worker was killed three times is reported as a failure "not reproducible in isolation". It replaces a
    case that would pass.
    """
    ended = summary(place.folder / "log")
    reported = unreproducible(ended)
    ended["failures"] = [failure for failure in ended["failures"] if failure not in reported]
    times, wrong = sum(failure["count"] for failure in reported), []
    if numbers(ended, times) != numbers(whole, 0) or (not reported and outcome(ended) != outcome(whole)):
        wrong.append(
            f"seed {ended['seed']}: {outcome(ended)} with {times} not reproducible in isolation; "
            f"expected {outcome(whole)}"
        )
    saved = sorted(path.name for path in (place.folder / "found").glob("*.case.json"))
    if saved != sorted(Path(failure["path"]).name for failure in whole["failures"] + reported):
        wrong.append(f"seed {ended['seed']}: the corpus holds {saved}")
    return wrong


def unreproducible(ended: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the failures of batches that were killed too often."""
    return [failure for failure in ended["failures"] if failure["symptom"] == "not reproducible in isolation"]


def numbers(ended: dict[str, Any], reported: int) -> tuple[Any, ...]:
    """Return what must be equal, with ``reported`` failures counted as passed cases."""
    passed = ended["folded"] + ended["refused"] + reported
    return ended["cases"], ended["executed"], passed, ended["failed"] - reported, outcome(ended)[1]


def compare_campaigns(seed: int, options: tuple[Any, ...], place: Place, killed: Campaign, most: int) -> None:
    """Run a campaign undisturbed and another one with kills, and record how they differ."""
    ended, tally = place.fuzz(*options, "--corpus", "found", "--json", "log"), killed.tally
    if ended.returncode != 1:
        raise SystemExit(f"the undisturbed campaign ended with {ended.returncode}: {ended.stderr}")
    whole, before = summary(place.folder / "log"), tally.kills
    code = killed.run(most)
    killed.inspect("the end")
    tally.campaigns += 1
    wrong = differences(killed.place, whole) if code == 1 else []
    tally.wrong += wrong
    message = (
        "equal to the undisturbed campaign"
        if code == 1 and not wrong
        else f"NOT EQUAL to the undisturbed campaign, exit code {code}"
    )
    failed_starts = (
        sum(failure["count"] for failure in unreproducible(summary(killed.place.folder / "log"))) if code == 1 else 0
    )
    message += f", {failed_starts} not reproducible in isolation" if failed_starts else ""
    failures = ", ".join(f"{f['fingerprint']} {f['count']}" for f in whole["failures"])
    print(
        f"seed {seed}: {tally.kills - before} kills, {killed.reported} of them on stderr, {message}: {failures}",
        flush=True,
    )


def replacements(times: int) -> list[float]:
    """Return the seconds from the kill of a busy worker until its replacement has returned the results."""
    seconds = []
    for number in range(times):
        with WorkerPool(CheckConfig(), 1) as pool:
            pool.start()
            [worker] = pool.processes()
            job = pool.submit([Case(op="conv2d", axes=(Axis(size=5 + number, pad=(1, 0)),) * 2)])
            begun = time.monotonic()
            kill(worker)
            job.results()
            seconds.append(time.monotonic() - begun)
    return seconds


@click.command(help="Kill campaigns at random moments, and check what they report at the end.")
@click.option("--kills", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--examples", default=90, show_default=True, type=click.IntRange(min=1))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--delay", default=10.0, show_default=True, help="Maximum seconds until a kill.")
def main(kills: int, seed: int, examples: int, workers: int, delay: float) -> None:
    """Print the lines; exit with 1 if anything is wrong."""
    moments, tally, begun = random.Random(seed), Tally(), time.monotonic()  # noqa: S311, a choice of moments
    while tally.kills < kills and not tally.wrong:
        each = seed + tally.campaigns
        options = ("--pass", WRONG, "--ops", OPS, "--seed", each, "--examples", examples, "--workers", workers)
        with tempfile.TemporaryDirectory() as alone, tempfile.TemporaryDirectory() as folder:
            killed = Campaign(Place(Path(folder)), options, moments, tally, delay)
            compare_campaigns(each, options, Place(Path(alone)), killed, kills)
    slow = replacements(5)
    for line in tally.wrong:
        print(f"WRONG: {line}")
    print(
        f"time to replace a dead worker and return its cases: {median(slow):.1f} s (median of 5), "
        f"{max(slow):.1f} s (maximum)"
    )
    print(
        f"{tally.kills} kills ({tally.coordinators} of coordinators, {tally.workers} of workers), "
        f"{tally.failed_starts} failed starts, {tally.campaigns} campaigns, {time.monotonic() - begun:.0f} s: "
        f"{len(tally.wrong)} problems"
    )
    raise SystemExit(1 if tally.wrong else 0)


if __name__ == "__main__":
    main()
