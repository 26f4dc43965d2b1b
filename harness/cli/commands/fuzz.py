"""The command line: ``foldproof fuzz``."""

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from foldproof.cli.console import plain_console, start
from foldproof.cli.jsonl import JsonLines, json_lines
from foldproof.cli.options import (
    Duration,
    Share,
    Workers,
    config_of,
    config_options,
    corpus_option,
    op_names,
    replay_options,
)
from foldproof.cli.resume import resumed, start_record
from foldproof.cli.signals import stop_on_signals
from foldproof.core.errors import UsageError
from foldproof.core.versions import versions

if TYPE_CHECKING:
    from foldproof.campaign.campaign import RunShards
    from foldproof.campaign.journal import Journal
    from foldproof.campaign.settings import Settings
    from foldproof.campaign.summary import Summary
    from foldproof.workers.pool import WorkerPool

DEFAULT_SECONDS = 60.0


@click.command()
@config_options
@click.option("--ops", metavar="A,B", help="Ops to draw (default: all).")
@click.option("--examples", type=click.IntRange(min=1), help="Budget: cases to draw.")
@click.option(
    "--time",
    "seconds",
    type=Duration(),
    help=f"Budget: 60s, 10m, 8h (default without a budget: {DEFAULT_SECONDS:.0f}s).",
)
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same cases (default: a new one, printed first).")
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@corpus_option("shrunk cases")
@click.option("--no-save", is_flag=True, help="Save no case.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
@click.option(
    "--strategy", metavar="MODULE:ATTR", help="Strategy of cases, or a function of op names that returns one."
)
@click.option(
    "--sample",
    type=Share(),
    default="2%",
    show_default=True,
    help="Share of the cases that both pipelines run, besides all failures.",
)
@click.option("--first", is_flag=True, help="Stop at the first failure: --max-failures 1.")
@click.option("--max-failures", type=click.IntRange(min=1), help="Stop at so many distinct failures.")
@click.option(
    "--memory",
    "megabytes",
    type=click.IntRange(min=512),
    default=4096,
    show_default=True,
    help="MB that a worker may hold; a case that needs more is a defect.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="Case, or folder of cases, whose failures are known: counted, and no reason to fail.",
)
@click.option("--journal", type=click.Path(path_type=Path, file_okay=False), help="Folder to write down what is done.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of a journal: go on with that campaign, which says all but budgets, --workers and files.",
)
@click.option(
    "--shrink-time", type=Duration(), default=60.0, show_default="60s", help="Budget for each failure's shrinking."
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Judge on the Dask cluster of this scheduler, such as tcp://host:8786; --workers then only shrink.",
)
@click.pass_context
def fuzz(
    context: click.Context,
    fold: str | None,
    target: str,
    pipeline: str,
    complete: bool,
    ops: str | None,
    examples: int | None,
    seconds: float | None,
    seed: int | None,
    workers: int,
    corpus: Path,
    no_save: bool,
    json_path: Path | None,
    strategy: str | None,
    sample: float,
    first: bool,
    max_failures: int | None,
    megabytes: int,
    known: Path | None,
    journal: Path | None,
    resume: Path | None,
    shrink_time: float,
    scheduler: str | None,
) -> None:
    """Check random cases until a budget ends; shrink and save what fails."""
    from foldproof.campaign.journal import Journal
    from foldproof.campaign.settings import Settings
    from foldproof.corpus.entry import require_writable

    if resume is not None and journal is not None:
        raise UsageError(f"--resume {resume} goes on with the journal there, so --journal {journal} has no place")
    settings = Settings(
        ops=op_names(ops),
        config=replace(config_of(fold, target, pipeline, complete), sample=sample, megabytes=megabytes),
        strategy=strategy,
        seed=int.from_bytes(os.urandom(3), "big") if seed is None else seed,
        seconds=seconds,
        examples=examples,
        workers=workers,
        max_failures=1 if first else max_failures,
        corpus=None if no_save else corpus,
        shrink_seconds=shrink_time,
    )
    with ExitStack() as stack:
        kept = None
        if resume is not None:
            kept = stack.enter_context(Journal.resume(resume, versions()))
            settings = resumed(context, settings, kept)
        if settings.seconds is None and settings.examples is None:
            settings = replace(settings, seconds=DEFAULT_SECONDS)
        if settings.corpus is not None:
            require_writable(settings.corpus)
        known_cases = _known(known)
        settings = replace(settings, known=tuple(known_cases.values()))
        run_shards = _run_shards(scheduler, stack)
        lines = stack.enter_context(json_lines(json_path))
        if journal is not None:
            kept = stack.enter_context(Journal.create(journal, start_record(settings)))
        summary = _campaign(settings, lines, kept, known_cases, run_shards)
    _exit(summary)


def _exit(summary: "Summary") -> NoReturn:
    if summary.problem:
        click.echo(f"foldproof: {summary.problem}", err=True)
        sys.exit(1 if summary.failures else 2)
    if not summary.failures and summary.executed == 0 and not summary.interrupted:
        raise UsageError("the budget ended when not a single case was checked yet: nothing was tested")
    sys.exit(1 if summary.failures else 130 if summary.interrupted else 0)


def _known(path: Path | None) -> dict[Path, str]:
    """The files of known failures, and their fingerprints."""
    from foldproof.corpus import entry as corpus

    found: dict[Path, str] = {}
    for file in corpus.case_files([path]) if path is not None else ():
        fingerprint = corpus.load_entry(file).found.get("failure")
        if not isinstance(fingerprint, str):
            raise UsageError(f"--known {file}: has no failure on record that could be known")
        found[file] = fingerprint
    return found


def _run_shards(scheduler: str | None, stack: ExitStack) -> "RunShards | None":
    """How shards are judged: None is here."""
    if scheduler is None:
        return None
    from foldproof.campaign.distributed.dask_cluster import Cluster
    from foldproof.campaign.distributed.remote import run_remotely

    return run_remotely(stack.enter_context(Cluster(scheduler)))


def _campaign(
    settings: "Settings",
    lines: "JsonLines",
    journal: "Journal | None",
    known: dict[Path, str],
    run_shards: "RunShards | None" = None,
) -> "Summary":
    from foldproof.campaign.campaign import run
    from foldproof.campaign.prefetch import PendingDraw
    from foldproof.campaign.summary import failure_record
    from foldproof.report.progress import Progress
    from foldproof.report.summary import print_known, print_summary
    from foldproof.workers.pool import WorkerPool

    console = plain_console()
    console.print(f"seed {settings.seed}, {settings.workers} workers, target {settings.config.target}", markup=False)
    lines.write(start_record(settings))
    progress = Progress(console, seconds=settings.seconds, examples=settings.examples)
    with stop_on_signals(progress), WorkerPool(settings.config, settings.workers, draws=True) as pool:
        start(pool)
        PendingDraw(pool, settings.ops, settings.strategy, 0, settings.seed).cases()  # is the strategy one?
        with progress:
            summary = run(settings, pool, progress, journal, run_shards)
        gone = [] if summary.interrupted else _no_longer_failing(pool, known)
    print_summary(console, summary, replay_options(settings.config))
    print_known(console, gone)
    for found in summary.failures.values():
        lines.write({"event": "failure", **failure_record(found)})
    lines.write({**summary.to_dict(), "known_no_longer_failing": [str(path) for path in gone]})
    return summary


def _no_longer_failing(pool: "WorkerPool", known: dict[Path, str]) -> list[Path]:
    """The known failures whose cases do not fail in that way any more."""
    from foldproof.checking.failures import Failure
    from foldproof.corpus import entry as corpus

    results = pool.ask([corpus.load_entry(path).case for path in known])
    return [
        path
        for (path, fingerprint), result in zip(known.items(), results, strict=True)
        if not (isinstance(result, Failure) and result.fingerprint == fingerprint)
    ]
