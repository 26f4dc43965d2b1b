"""``foldproof corpus check | stats | minimize | migrate``: maintenance of saved cases."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from foldproof.cli.console import create_console
from foldproof.cli.options import config_from, setting_options
from foldproof.core.defaults import DEFAULT_CORPUS

_paths = click.argument("given", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))


@click.group()
def corpus() -> None:
    """Maintain a corpus: files, or folders of *.case.json (default: foldproof-corpus)."""


def _command(function: Callable[..., None]) -> Any:
    return corpus.command()(_paths(function))


@_command
def check(given: tuple[Path, ...]) -> None:
    """Report problems of the files.

    Prints one line per problem. The exit code is 1 if there is one.
    """
    from foldproof.corpus.maintenance import find_problems

    paths = _list_files(given)
    problems = list(find_problems(paths))
    for line in problems:
        click.echo(line)
    click.echo(f"{len(paths)} files, {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    sys.exit(1 if problems else 0)


@corpus.command()
@setting_options("fold")
@_paths
def stats(given: tuple[Path, ...], **options: Any) -> None:
    """Count cases by op, rule, refusal, dtype and layout.

    Rules and refusals are those of the pass. Nothing is compiled.
    """
    from foldproof.core.loading import load_pass, name_of_pass
    from foldproof.corpus.entry import load_entry
    from foldproof.report.corpus import print_stats

    spec = config_from(options).fold
    fold = load_pass(spec) if spec else None
    entries = [load_entry(path) for path in _list_files(given)]
    click.echo(f"outcomes of the pass {name_of_pass(spec)}")
    print_stats(create_console(), entries, fold)


@corpus.command()
@click.option("--remove", "removes", is_flag=True, help="Remove these files and their scripts.")
@_paths
def minimize(given: tuple[Path, ...], removes: bool) -> None:
    """List the files whose coverage other files contain.

    A file with a note is kept. A file with a failure is kept, unless another file has the same coverage and the same
    failure.
    """
    from foldproof.corpus.entry import load_entry
    from foldproof.corpus.maintenance import find_redundant, remove

    entries = [(path, load_entry(path)) for path in _list_files(given)]
    redundant = find_redundant(entries)
    for path, other in redundant.items():
        click.echo(f"{'removed' if removes else 'redundant'} {path}: covered by {other}")
        if removes:
            remove(path)
    click.echo(f"{len(entries)} files, {len(redundant)} {'removed' if removes else 'redundant'}")


@_command
def migrate(given: tuple[Path, ...]) -> None:
    """Rewrite files of older formats in the present one."""
    from foldproof.corpus.maintenance import migrate as migrate_files

    paths = _list_files(given)
    moved = migrate_files(paths)
    for path, new in moved.items():
        click.echo(f"migrated {path}" + (f" to {new}" if new != path else ""))
    click.echo(f"{len(paths)} files, {len(moved)} migrated")


def _list_files(given: tuple[Path, ...]) -> list[Path]:
    """Return each file once, even if it was named twice."""
    from foldproof.corpus.entry import case_files

    return list(dict.fromkeys(case_files(given or (DEFAULT_CORPUS,))))
