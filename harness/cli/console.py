"""What commands say, and where: on the console, and what the user should know on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from foldproof.workers.pool import WorkerPool


def start(pool: "WorkerPool") -> None:
    """Load the pass and the target. Raises UsageError."""
    pool.start()
    tell(pool.notice)


def tell(notice: str) -> None:
    """What the user should know, and no failure: on stderr, where it disturbs no output."""
    if notice:
        click.echo(f"foldproof: {notice}", err=True)


def plain_console() -> Any:
    """Without a terminal, lines are as wide as a log likes them."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@contextmanager
def patience(console: Any) -> Iterator[Callable[[str], None]]:
    """A line that says how far a command has come, on a terminal only."""
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("warming up") as status:
        yield status.update
