"""The command line: ``foldproof replay | show | shrink``, which take saved cases."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from foldproof.cli.console import plain_console, start, tell
from foldproof.cli.options import Duration, Workers, config_of, config_options, corpus_option, replay_options
from foldproof.core.errors import UsageError

if TYPE_CHECKING:
    from foldproof.case import Case
    from foldproof.checking.config import CheckConfig


@click.command()
@config_options
@click.option("--workers", type=Workers(), default="1", show_default=True, help="Processes that compile and run.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def replay(fold: str | None, target: str, pipeline: str, complete: bool, workers: int, paths: tuple[Path, ...]) -> None:
    """Check saved cases again: files, or folders of *.case.json."""
    from foldproof.checking.failures import Failure
    from foldproof.corpus import entry as corpus
    from foldproof.workers.pool import WorkerPool

    entries = [(path, corpus.load_entry(path)) for path in corpus.case_files(paths)]
    failed = 0
    config = config_of(fold, target, pipeline, complete)
    with WorkerPool(config, workers) as pool:
        start(pool)
        jobs = [(path, entry, pool.submit([entry.case])) for path, entry in entries]
        for path, entry, job in jobs:
            [result] = job.results()
            if isinstance(result, Failure):
                failed += 1
                click.echo(f"FAILED  {path}: {result.fingerprint}: {result.detail}")
                continue
            problem = entry.unexpected_outcome(result) if config.fold is None else None
            failed += problem is not None
            doubts = ", ".join((*result.undefined, *result.known_issues))
            message = problem or ("folded" if result.folded else "refused") + (
                f" (not compared: {doubts})" if doubts else ""
            )
            click.echo(f"{'FAILED' if problem else 'ok':<7} {path}: {message}")
    if len(entries) > 1:
        click.echo(f"{len(entries)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


@click.command()
@config_options
@click.option(
    "--script",
    "script_path",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Print, or write to FILE, a script that shows the case without foldproof and the pass.",
)
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def show(fold: str | None, target: str, pipeline: str, complete: bool, script_path: Path | None, path: Path) -> None:
    """Show a saved case: TVMScript before and after, the reason of each site, the verdict."""
    from foldproof.core.loading import load_fold
    from foldproof.corpus import entry as corpus
    from foldproof.ir.base import ir_of
    from foldproof.report.show import show as show_entry

    entry = corpus.load_entry(path)
    if script_path is not None:
        _show_script(path, entry.case, script_path, config_of(fold, target, pipeline, complete))
    loaded = load_fold(fold)
    loaded_target = ir_of(loaded).parse_target(target, pipeline)
    tell(loaded_target.notice)
    config = config_of(fold, target, pipeline, complete)
    passed = show_entry(plain_console(), entry, loaded, loaded_target, complete=config.complete)
    sys.exit(0 if passed else 1)


def _show_script(path: Path, case: "Case", script_path: Path, config: "CheckConfig") -> NoReturn:
    """In a worker, which may die of the case; exit code 1 if the case fails."""
    from foldproof.checking.failures import Failure
    from foldproof.core.files import replace_file
    from foldproof.workers.pool import WorkerPool

    with WorkerPool(config, 1) as pool:
        start(pool)
        [result] = pool.ask([case])
        text, problem = pool.script(case, result)
    if not text:
        raise UsageError(f"{path}: no script: {problem}")
    if str(script_path) == "-":
        click.echo(text, nl=False)
    else:
        replace_file(script_path, text)
    sys.exit(1 if isinstance(result, Failure) else 0)


@click.command()
@config_options
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@corpus_option("the shrunk case")
@click.option("--shrink-time", type=Duration(), default=60.0, show_default="60s", help="Budget for shrinking.")
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def shrink(
    fold: str | None,
    target: str,
    pipeline: str,
    complete: bool,
    workers: int,
    corpus: Path,
    shrink_time: float,
    path: Path,
) -> None:
    """Shrink a saved case that fails, without the seed that it came from."""
    from foldproof.campaign.settings import Settings
    from foldproof.campaign.summary import DistinctFailure
    from foldproof.campaign.triage import shrink_failure
    from foldproof.checking.failures import Failure
    from foldproof.corpus import entry as files
    from foldproof.report.summary import failure_text
    from foldproof.workers.pool import WorkerPool

    case = files.load_entry(path).case
    files.require_writable(corpus)
    config = config_of(fold, target, pipeline, complete)
    settings = Settings(config=config, workers=workers, corpus=corpus, shrink_seconds=shrink_time)
    with WorkerPool(config, workers) as pool:
        start(pool)
        [result] = pool.ask([case])
        if not isinstance(result, Failure):
            click.echo(f"{path}: does not fail, so there is nothing to shrink")
            sys.exit(0)
        found = DistinctFailure(failure=result)
        shrink_failure(settings, pool, found)
    plain_console().print(failure_text(found, replay_options(config)), soft_wrap=True)
    sys.exit(1)
