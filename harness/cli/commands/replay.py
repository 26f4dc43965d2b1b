"""``foldproof replay``: saved cases, checked again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from foldproof.cli.console import start_pool
from foldproof.cli.options import CHECK_OPTIONS, setting_options, settings_from
from foldproof.core.errors import UsageError

if TYPE_CHECKING:
    from foldproof.checking.result import Verdict
    from foldproof.corpus.entry import Entry


@click.command()
@setting_options(*CHECK_OPTIONS, "workers", workers="1")
@click.option("--any-pass", is_flag=True, help="Also check cases that were found with another pass.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def replay(context: click.Context, /, paths: tuple[Path, ...], any_pass: bool, **given: Any) -> None:
    """Check saved cases again: files, or folders of *.case.json.

    Without --pass, a case that was found with another pass than the bundled one is refused.
    """
    from foldproof.checking.failures import Failure
    from foldproof.corpus.entry import case_files, load_entry
    from foldproof.workers.pool import WorkerPool

    settings = settings_from(given)
    entries = [(path, load_entry(path)) for path in case_files(paths)]
    if not any_pass and context.get_parameter_source("fold") is ParameterSource.DEFAULT:
        _require_same_pass(entries, settings.config.fold)
    failed = skipped = 0
    with WorkerPool(settings.config, settings.workers) as pool:
        start_pool(pool)
        jobs = [(path, entry, pool.submit([entry.case])) for path, entry in entries]
        for path, entry, job in jobs:
            [result] = job.results()
            if isinstance(result, Failure):
                failed += 1
                click.echo(f"FAILED  {path}: {result.fingerprint}: {result.detail}")
                continue
            problem = entry.unexpected_outcome(result) if settings.config.fold is None else None
            failed += problem is not None
            skipped += bool(result.unsupported)
            mark = "FAILED" if problem else "skipped" if result.unsupported else "ok"
            click.echo(f"{mark:<7} {path}: {problem or _outcome(result)}")
    if len(entries) > 1:
        click.echo(f"{len(entries)} cases, {failed} failed" + (f", {skipped} not executed" if skipped else ""))
    sys.exit(1 if failed else 0)


def _require_same_pass(entries: "list[tuple[Path, Entry]]", fold: str | None) -> None:
    """Raise UsageError if a case was found with another pass: it would pass, and say nothing about that pass."""
    for path, entry in entries:
        if other := entry.other_pass(fold):
            raise UsageError(f"{path}: {other}; name a pass with --pass, or give --any-pass")


def _outcome(verdict: "Verdict") -> str:
    if verdict.unsupported:
        return f"not executed: {verdict.unsupported}"
    doubts = ", ".join((*verdict.undefined, *verdict.known_issues))
    return ("folded" if verdict.folded else "refused") + (f" (not compared: {doubts})" if doubts else "")
