"""Live progress of a campaign: one line that is rewritten on a terminal, a line a minute elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.campaign import Found, Listener, Summary

QUIET_SECONDS = 60.0


class Progress(Listener):
    """Shows cases, cases/s, shares and failures while a campaign runs. Use as a context manager."""

    def __init__(self, console: Console, *, seconds: float | None, examples: int | None) -> None:
        self._console, self._seconds, self._examples = console, seconds, examples
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def progressed(self, summary: Summary) -> None:
        """Rewrite the line, or print one when a minute has passed."""
        if self._live:
            self._live.update(self._line(summary))
        elif time.monotonic() - self._last_line >= QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(self._line(summary), soft_wrap=True)

    def found(self, found: Found) -> None:
        """Say at once what was found; the shrunk case follows at the end."""
        self._console.print(
            Text(f"found {found.failure.fingerprint}: {found.failure.detail}", style="red"), soft_wrap=True
        )

    def shrinking(self, found: Found) -> None:
        """Say what is being shrunk."""
        text = Text(f"shrinking {found.failure.fingerprint} ...", style="dim")
        if self._live:
            self._live.update(text)
        else:
            self._console.print(text)

    def _line(self, summary: Summary) -> Text:
        done = max(1, summary.executed)
        budget = f"{summary.executed} cases"
        if self._examples:
            budget = f"{summary.executed}/{self._examples} cases"
        clock = f"{summary.seconds:.0f}" + (f"/{self._seconds:.0f} s" if self._seconds else " s")
        line = Text.assemble(
            (f"{budget}  ", "bold"),
            f"{clock}  {summary.cases_per_second:.1f} cases/s  ",
            (f"folded {summary.folded / done:.0%}  ", "green"),
            (f"refused {summary.refused / done:.0%}  ", "yellow"),
        )
        failures = len(summary.failures)
        line.append(f"failures {failures}", style="bold red" if failures else "dim")
        return line
