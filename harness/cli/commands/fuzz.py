"""``foldproof fuzz``: a campaign."""

import os
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from foldproof.campaign.settings import DEFAULT_SECONDS, NOT_TESTED_CORPUS, Settings
from foldproof.cli.console import create_console, print_notice, start_pool
from foldproof.cli.jsonl import SCHEMA_VERSION, JsonLines, open_json_lines
from foldproof.cli.options import json_option, replay_options, setting_options, settings_from
from foldproof.cli.resume import require_same_pass, resume_settings, start_record
from foldproof.cli.signals import Stopped, ignore_signals, stop_on_signals
from foldproof.core.errors import UsageError
from foldproof.core.versions import versions

if TYPE_CHECKING:
    from foldproof.campaign.campaign import RunShards
    from foldproof.campaign.journal import Journal
    from foldproof.campaign.known import KnownFailure
    from foldproof.campaign.summary import Summary
    from foldproof.checking.config import CheckConfig


@click.command()
@setting_options()
@click.option("--no-save", is_flag=True, help="Save no case.")
@click.option("--no-shrink", is_flag=True, help="Shrink no failure, as --shrink-time 0 does.")
@click.option("--first", is_flag=True, help="Stop at the first failure, as --max-failures 1 does.")
@click.option(
    "--known",
    "known_path",
    type=click.Path(path_type=Path),
    help="Case file, or folder of them, that fails for a known cause. Failures with that cause are not reported.",
)
@json_option
@click.option(
    "--journal",
    "journal_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Record the campaign in this folder, so that --resume can continue it.",
)
@click.option(
    "--resume",
    "resume_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Resume the campaign recorded in this folder, even after a crash. "
    "Only budgets, --workers and files may differ.",
)
@click.option("--anyway", is_flag=True, help="With --resume: continue even if the source of the pass changed.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Check cases on the Dask cluster of this scheduler, such as tcp://host:8786. --workers then only shrink.",
)
@click.pass_context
def fuzz(
    context: click.Context,
    /,
    no_save: bool,
    no_shrink: bool,
    first: bool,
    known_path: Path | None,
    json_path: Path | None,
    journal_path: Path | None,
    resume_path: Path | None,
    anyway: bool,
    scheduler: str | None,
    **given: Any,
) -> None:
    """Check random cases until a budget ends; shrink and save those that fail."""
    if resume_path is not None and journal_path is not None:
        raise UsageError(
            f"--resume {resume_path} records in the journal that it resumes; omit --journal {journal_path}"
        )
    if anyway and resume_path is None:
        raise UsageError("--anyway continues a campaign whose pass changed; add --resume DIR")
    started = time.monotonic()
    settings = _settings(given, no_save=no_save, no_shrink=no_shrink, first=first)
    try:
        with stop_on_signals(Stopped()), ExitStack() as stack:
            from foldproof.campaign.journal import Journal
            from foldproof.campaign.known import load_known
            from foldproof.corpus.entry import require_writable

            journal, changed = None, ""
            if resume_path is not None:
                journal = stack.enter_context(Journal.resume(resume_path, versions()))
                settings = resume_settings(context, settings, journal)
                changed = require_same_pass(journal, settings, anyway=anyway)
            if settings.seconds is None and settings.examples is None:
                settings = replace(settings, seconds=DEFAULT_SECONDS)
            settings = _keep_tests_as_they_are(context, settings)
            if settings.corpus is not None:
                require_writable(settings.corpus)
            known = load_known(known_path) if known_path is not None else []
            settings = replace(settings, known=tuple(dict.fromkeys(each.fingerprint for each in known)))
            run_shards = _connect(scheduler, stack)
            lines = stack.enter_context(open_json_lines(json_path))
            if journal_path is not None:
                journal = stack.enter_context(Journal.create(journal_path, start_record(settings)))
            summary = _run(settings, lines, journal, known, run_shards, changed, started)
    except KeyboardInterrupt:  # before the campaign began: from there on its own summary tells what was checked
        from foldproof.campaign.summary import Summary
        from foldproof.report.summary import print_summary

        print_summary(create_console(), Summary(seed=settings.seed, interrupted=True), "")
        sys.exit(130)
    _exit(settings, summary)


def _settings(given: dict[str, Any], *, no_save: bool, no_shrink: bool, first: bool) -> Settings:
    settings = settings_from(given)
    return replace(
        settings,
        seed=int.from_bytes(os.urandom(3), "big") if given["seed"] is None else settings.seed,
        max_failures=1 if first else settings.max_failures,
        shrink_seconds=0.0 if no_shrink else settings.shrink_seconds,
        corpus=None if no_save else settings.corpus,
    )


def _keep_tests_as_they_are(context: click.Context, settings: Settings) -> Settings:
    """Save into another folder than the default one if that is a folder of tests, and --corpus was not given.

    Every defect would be a failing test of the user's project, found or not.
    """
    from foldproof.corpus.folders_of_tests import OPTION, folders_of_tests

    given = context.get_parameter_source("corpus") is not ParameterSource.DEFAULT
    if settings.corpus is None or given:
        return settings
    folder = settings.corpus.resolve()
    if not any(folder.is_relative_to(each) for each in folders_of_tests(Path.cwd())):
        return settings
    print_notice(
        f"{settings.corpus} is a folder of tests ({OPTION} of the pytest configuration), so cases are saved in "
        f"{NOT_TESTED_CORPUS}; --corpus {settings.corpus} saves there"
    )
    return replace(settings, corpus=NOT_TESTED_CORPUS)


def _exit(settings: Settings, summary: "Summary") -> NoReturn:
    if summary.problem:
        click.echo(f"foldproof: {summary.problem}", err=True)
        sys.exit(1 if summary.failures else 2)
    if settings.only_cases and summary.cases == 0 and not summary.interrupted:
        raise UsageError(f"no case was drawn that satisfies --only-cases {settings.only_cases!r}: nothing was tested")
    if not summary.failures and summary.executed == 0 and not summary.interrupted:
        raise UsageError(
            "the budget ended before a case was checked: nothing was tested; increase --time or --examples"
        )
    if not summary.failures and summary.known_not_examined and not summary.interrupted:
        raise UsageError(
            f"{summary.known_not_examined} failures with the fingerprint of a known one were not examined: "
            "some may have another cause; mend the known failure, or use a smaller budget"
        )
    sys.exit(1 if summary.failures else 130 if summary.interrupted else 0)


def _target_of(config: "CheckConfig") -> str:
    """Return the target, for the first line; nothing for a subject, whose own description of it follows."""
    from foldproof.ir.subjects import BY_NAME

    return "" if config.fold in BY_NAME else f", target {config.target}"


def _connect(scheduler: str | None, stack: ExitStack) -> "RunShards | None":
    """Return how shards are run on a cluster; None is on this machine."""
    if scheduler is None:
        return None
    from foldproof.campaign.distributed.dask_cluster import Cluster
    from foldproof.campaign.distributed.remote import run_remotely

    return run_remotely(stack.enter_context(Cluster(scheduler)))


def _run(
    settings: Settings,
    lines: JsonLines,
    journal: "Journal | None",
    known: "list[KnownFailure]",
    run_shards: "RunShards | None",
    changed: str,
    started: float,
) -> "Summary":
    from foldproof.campaign.campaign import run
    from foldproof.campaign.known import replay_known
    from foldproof.campaign.prefetch import PendingDraw
    from foldproof.campaign.summary import Summary, failure_record
    from foldproof.cli.live import WrittenProgress
    from foldproof.report.summary import print_known, print_summary
    from foldproof.workers.pool import WorkerPool

    console = create_console()
    progress = WrittenProgress(console, lines, seconds=settings.seconds, examples=settings.examples)
    gone: list[Path] = []
    summary, blamed = Summary(seed=settings.seed, interrupted=True), "TVM"
    # run reports an interruption itself; this is for one before it began, or after it ended
    with stop_on_signals(progress), suppress(KeyboardInterrupt):
        console.print(f"seed {settings.seed}, {settings.workers} workers{_target_of(settings.config)}", markup=False)
        start = start_record(settings)
        start = {"event": start.pop("event"), "schema": SCHEMA_VERSION, **start}
        lines.write(start | ({"pass_changed": changed} if changed else {}))
        with WorkerPool(settings.config, settings.workers, draws=True) as pool:
            start_pool(pool)
            blamed = pool.blamed
            if pool.description:
                console.print(f"target: {pool.description}", markup=False)
            # raises for an unusable strategy
            PendingDraw(pool, settings.source, 0, settings.seed).cases()
            still, gone = replay_known(pool, known)
            settings = replace(settings, known=tuple(dict.fromkeys(each.fingerprint for each in still)))
            with progress:
                summary = run(settings, pool, progress, journal, run_shards, still, started)
    ignore_signals()
    print_summary(console, summary, replay_options(settings.config), blamed)
    print_known(console, gone)
    if changed:
        console.print(changed, markup=False, soft_wrap=True)
    if progress.error:
        raise progress.error
    for found in summary.failures.values():
        lines.write({"event": "failure", **failure_record(found)})
    lines.write({**summary.to_dict(), "known_no_longer_failing": [str(path) for path in gone]})
    return summary
