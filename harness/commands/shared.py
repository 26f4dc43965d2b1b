"""What commands do alike: start workers, write lines of JSON, end on a signal."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from harness.loading import UsageError

if TYPE_CHECKING:
    from harness.pool import Judge
    from harness.question import Question


def start(judge: "Judge") -> None:
    """Load the pass and the target. Raises UsageError."""
    judge.start()
    tell(judge.notice)


def tell(notice: str) -> None:
    """What the user should know, and no failure: on stderr, where it disturbs no output."""
    if notice:
        click.echo(f"foldproof: {notice}", err=True)


def replay_options(question: "Question") -> str:
    """What a replay line needs behind the path to ask the same."""
    from shlex import quote

    options = f" --pass {quote(question.fold)}" if question.fold else ""
    options += f" --target {quote(question.target)}" if question.target != "llvm" else ""
    options += f" --pipeline {question.pipeline}" if question.pipeline != "fast" else ""
    return options + (" --complete" if question.complete and question.fold else "")


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


class JsonLines:
    """One JSON object a line, flushed, or nothing where no file was asked for."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with suppress(OSError):  # said already: each line is flushed
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append a line. Raises UsageError, on a full disk for one."""
        if self._file is None:
            return
        try:
            print(json.dumps(record, allow_nan=False), file=self._file, flush=True)
        except OSError as error:
            raise UsageError(f"--json {self._file.name}: cannot be written: {error.strerror}") from error


def json_lines(path: Path | None) -> JsonLines:
    """The file of ``--json``, if there is one. Raises UsageError."""
    try:
        return JsonLines(path.open("w", encoding="utf-8") if path else None)
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {error.strerror}") from error


class Stoppable(Protocol):
    """What is told that the user wants an end."""

    stopped: bool


@contextmanager
def interrupting(listener: "Stoppable") -> Iterator[None]:
    """SIGTERM does what Ctrl-C does; the listener knows of both, should the exception get lost, or have to wait."""
    from harness.draws import Drawing

    def interrupt(_number: int, _frame: Any) -> None:
        listener.stopped = True
        if not Drawing.busy:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
