"""What commands print: results on the console, notices on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from foldproof.workers.pool import WorkerPool


def start_pool(pool: "WorkerPool") -> None:
    """Load the pass and the target in the workers, and print the notice. Raises UsageError."""
    pool.start()
    print_notice(pool.notice)


def print_notice(notice: str) -> None:
    """Print what the user should know, and is not a failure, on stderr; nothing if it is empty."""
    if notice:
        click.echo(f"foldproof: {notice}", err=True)


def create_console(width: int = 120) -> Any:
    """Return a console without highlighting. Where stdout is not a terminal, it has ``width`` columns."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else width)


@contextmanager
def show_status(console: Any) -> Iterator[Callable[[str], None]]:
    """Show a status line on a terminal, and yield the function that changes it."""
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("warming up") as status:
        yield status.update
