"""The overhead of a shard, in bytes and CPU time: the numbers of docs/results/scaling.md.

    python benchmarks/shard_cost.py [--cases 500] [--shards 500] [--tasks 2000] [--pass MODULE:ATTR]

Checks one shard in a process of its own, as a Dask worker does. Then the coordinator enters its result --shards times
(merge, journal, fsync). A real scheduler sends it --tasks times from two workers that check nothing.
"""

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import foldproof.campaign.distributed.dask_cluster
from foldproof.campaign.distributed.dask_cluster import Cluster, shard_task
from foldproof.campaign.distributed.remote import ShardLedger, ShardResult
from foldproof.campaign.distributed.shard_process import run_in_process
from foldproof.campaign.journal import JOURNAL, Journal
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary
from foldproof.checking.config import CheckConfig
from foldproof.core.loading import BUNDLED_NAMES
from foldproof.generation.shards import Plan

ANSWER = "FOLDPROOF_SHARD_COST_ANSWER"
"""The variable with the file of the result that a Dask worker returns for every task."""

IDLE_SECONDS = 15.0


def echo(asked: str) -> str:
    """Return the recorded result; runs on a Dask worker instead of ``in_process``."""
    answer = json.loads(Path(os.environ[ANSWER]).read_text())
    given = json.loads(asked)
    return json.dumps(answer | {"shard": given["shard"], "most": given["most"], "cases": given["most"]})


@click.command()
@click.option("--cases", default=500, show_default=True, help="Cases of the shard.")
@click.option("--shards", default=500, show_default=True, help="How often its result is entered.")
@click.option("--tasks", default=2000, show_default=True, help="Tasks through the scheduler.")
@click.option("--pass", "fold", help="Pass to test (default: the bundled one).")
def main(cases: int, shards: int, tasks: int, fold: str | None) -> None:
    """Print the table."""
    settings = Settings(config=CheckConfig(fold=fold, complete=fold in BUNDLED_NAMES), seed=1)
    table = Table(title=f"a shard of {cases} cases, {fold or 'bundled pass'}", title_justify="left")
    table.add_column("what")
    table.add_column("cost", justify="right")
    _, *started = run_shard(settings, 1)
    answer, wall, cpu = run_shard(settings, cases)
    row = table.add_row
    row("checking it: wall, CPU", f"{wall:.1f} s, {cpu:.1f} s")
    row("the same for 1 case (start of two processes, TVM)", f"{started[0]:.1f} s, {started[1]:.1f} s")
    asked = shard_task(settings, 1, cases)
    row("task: JSON, pickled with its function", f"{len(asked)} B, {len(pickle.dumps((run_in_process, asked)))} B")
    row("result: JSON", f"{len(answer)} B")
    merge, fsync, line = enter_shards(settings, answer, shards)
    row("coordinator, merge and journal: CPU, wall with fsync", f"{1e3 * merge:.2f} ms, {1e3 * fsync:.2f} ms")
    row("journal: line", f"{line} B")
    coordinator, scheduler, idle, rate = send_through_dask(settings, answer, tasks)
    row("coordinator, all of it with Dask's client: CPU", f"{1e3 * coordinator:.2f} ms")
    row("scheduler: CPU", f"{1e3 * scheduler:.2f} ms")
    row("idle scheduler with two workers: CPU", f"{1e3 * idle:.2f} ms/s")
    row("through two workers that check nothing", f"{rate:.0f} shards/s")
    Console().print(table)


def run_shard(settings: Settings, cases: int) -> tuple[str, float, float]:
    """Check a shard as a Dask worker does. Return its result, wall-clock and CPU seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "foldproof.campaign.distributed.shard_process", str(os.getpid()), "here"]
    asked = shard_task(settings, 1, cases)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)  # noqa: S603, ourselves
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, time.monotonic() - started, cpu


def enter_shards(settings: Settings, answer: str, shards: int) -> tuple[float, float, int]:
    """Enter a shard many times. Return CPU and wall-clock seconds per shard, and bytes of its line."""
    with tempfile.TemporaryDirectory(dir=".") as folder, Journal.create(Path(folder), {}) as journal:
        ledger = ShardLedger(
            settings=settings, listener=Listener(), journal=journal, summary=Summary(seed=1), started=time.monotonic()
        )
        size, cpu, wall = (Path(folder) / JOURNAL).stat().st_size, time.process_time(), time.monotonic()
        for shard in range(shards):
            ledger.enter(ShardResult(**json.loads(answer) | {"shard": shard}))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        size = (Path(folder) / JOURNAL).stat().st_size - size
    return cpu / shards, wall / shards, size // shards


def send_through_dask(settings: Settings, answer: str, tasks: int) -> tuple[float, float, float, float]:
    """Send tasks through Dask. Return CPU seconds per task of coordinator and scheduler, CPU seconds per second of an
    idle scheduler, and tasks per second.
    """
    import shard_cost  # not __main__: the workers import ``echo`` by this name

    foldproof.campaign.distributed.dask_cluster.in_process = shard_cost.echo  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name).resolve()
        (folder / "answer.json").write_text(answer)
        with dask(folder) as (address, scheduler), Cluster(address) as cluster:
            idle = processor_seconds(scheduler)
            time.sleep(IDLE_SECONDS)
            idle = (processor_seconds(scheduler) - idle) / IDLE_SECONDS
            plan = Plan(None, dict.fromkeys(range(4), 1))  # the shards of 500 cases
            journal = Journal.create(folder / "journal", {})
            ledger = ShardLedger(
                settings=replace(settings, examples=None),
                listener=Listener(),
                journal=journal,
                summary=Summary(seed=1),
                started=time.monotonic(),
                done=dict.fromkeys(range(4), 1),
            )
            ticks, cpu, wall = processor_seconds(scheduler), time.process_time(), time.monotonic()
            for arrived in islice(cluster.answers(settings, plan, lambda: True), tasks):
                ledger.enter(arrived)
            wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            return cpu / tasks, (processor_seconds(scheduler) - ticks) / tasks, idle, tasks / wall


@contextmanager
def dask(folder: Path) -> Iterator[tuple[str, int]]:
    """Start a scheduler with two workers; yield (address, process id of the scheduler)."""
    file = folder / "scheduler.json"
    here = os.pathsep.join([str(Path(__file__).parent.resolve()), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {ANSWER: str(folder / "answer.json"), "PYTHONPATH": here}
    started: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *args: str) -> None:
        code = f"from distributed.cli.dask_{kind} import main; main()"
        command = [sys.executable, "-c", code, *args, "--scheduler-file", str(file), "--no-dashboard"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, env=env, cwd=folder, **quiet))  # noqa: S603, ourselves

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        for _ in range(2):
            start("worker", "--nthreads", "1", "--no-nanny")
        wait_for(file.exists)
        yield json.loads(file.read_text())["address"], started[0].pid
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    while not condition():
        time.sleep(0.1)


def processor_seconds(pid: int) -> float:
    """Return the user and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
