"""``foldproof shrink``: the smallest case that fails like a saved one."""

import sys
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import create_console, start_pool
from foldproof.cli.options import CHECK_OPTIONS, replay_options, setting_options, settings_from


@click.command()
@setting_options(*CHECK_OPTIONS, "workers", "corpus", "shrink_seconds")
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def shrink(path: Path, **given: Any) -> None:
    """Shrink a saved case that fails. This needs no seed."""
    from foldproof.campaign.summary import DistinctFailure
    from foldproof.campaign.triage import confirm_failure, shrink_failure
    from foldproof.checking.failures import Failure
    from foldproof.corpus.entry import load_entry, require_writable
    from foldproof.report.summary import failure_text
    from foldproof.workers.pool import WorkerPool

    case = load_entry(path).case
    settings = settings_from(given)
    if settings.corpus is not None:
        require_writable(settings.corpus)
    with WorkerPool(settings.config, settings.workers) as pool:
        start_pool(pool)
        [result] = pool.check_each([case])
        if not isinstance(result, Failure):
            click.echo(f"{path}: does not fail, so there is nothing to shrink")
            sys.exit(0)
        found = DistinctFailure(failure=result)
        shrink_failure(pool, found, seconds=settings.shrink_seconds)
        confirm_failure(settings, pool, found)
    create_console().print(failure_text(found, replay_options(settings.config)), soft_wrap=True)
    sys.exit(1)
