"""The command line: ``foldproof corpus check | stats | minimize | migrate``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import plain_console

DEFAULT_CORPUS = Path("foldproof-corpus")

_paths = click.argument("given", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))


@click.group()
def corpus() -> None:
    """Keep a corpus: files, or folders of *.case.json (default: foldproof-corpus)."""


def _command(function: Callable[..., None]) -> Any:
    return corpus.command()(_paths(function))


@_command
def check(given: tuple[Path, ...]) -> None:
    """Look for what is wrong with the files.

    Ends with exit code 1 and a line for each problem, if there are any.
    """
    from foldproof.corpus.maintenance import find_problems

    paths = _files(given)
    found = list(find_problems(paths))
    for line in found:
        click.echo(line)
    click.echo(f"{len(paths)} files, {len(found)} problem{'' if len(found) == 1 else 's'}")
    sys.exit(1 if found else 0)


@_command
def stats(given: tuple[Path, ...]) -> None:
    """Count cases by op, rule, refusal, dtype and layout."""
    from foldproof.corpus import entry as files
    from foldproof.report.corpus import print_stats

    entries = [files.load_entry(path) for path in _files(given)]
    print_stats(plain_console(), entries)


@corpus.command()
@click.option("--remove", "removes", is_flag=True, help="Remove them, and the scripts beside them.")
@_paths
def minimize(given: tuple[Path, ...], removes: bool) -> None:
    """Name the files whose coverage others contain.

    A file with a note stays, and one with a failure, unless another covers the same with the same failure.
    """
    from foldproof.corpus import entry as files
    from foldproof.corpus.maintenance import find_redundant, remove

    entries = [(path, files.load_entry(path)) for path in _files(given)]
    found = find_redundant(entries)
    for path, other in found.items():
        click.echo(f"{'removed' if removes else 'redundant'} {path}: covered by {other}")
        if removes:
            remove(path)
    click.echo(f"{len(entries)} files, {len(found)} {'removed' if removes else 'redundant'}")


@_command
def migrate(given: tuple[Path, ...]) -> None:
    """Bring files of older formats to the present one."""
    from foldproof.corpus.maintenance import migrate as migrated

    paths = _files(given)
    moved = migrated(paths)
    for path, new in moved.items():
        click.echo(f"migrated {path}" + (f" to {new}" if new != path else ""))
    click.echo(f"{len(paths)} files, {len(moved)} migrated")


def _files(given: tuple[Path, ...]) -> list[Path]:
    """Each file once, also if it was named twice."""
    from foldproof.corpus import entry as files

    return list(dict.fromkeys(files.case_files(given or (DEFAULT_CORPUS,))))
