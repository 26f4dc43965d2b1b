"""The live progress of a campaign: a bar and a line on a terminal, otherwise a line per minute."""

import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from foldproof.campaign.listener import Listener
from foldproof.campaign.summary import DistinctFailure, Summary

QUIET_SECONDS = 60.0
BAR_COLUMNS = 120
"""Columns that a terminal needs to show a bar beside the line."""


class Progress(Listener):
    """Show cases, cases/s, shares, failures and the time left while a campaign runs. A context manager.

    Args of the constructor: where to print, and the budgets of the campaign (wall-clock seconds, cases) or None.
    """

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

    def on_progress(self, summary: Summary) -> None:
        """Rewrite the line on a terminal; otherwise print one per minute."""
        if self._live:
            self._live.update(self._bar(summary))
        elif time.monotonic() - self._last_line >= QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(self._line(summary), soft_wrap=True)

    def on_failure(self, found: DistinctFailure) -> None:
        """Print a new failure at once. The closing report has the shrunk case."""
        self._console.print(
            Text(f"found {found.failure.fingerprint}: {found.failure.detail}", style="red"), soft_wrap=True
        )

    def on_shrinking(self, found: DistinctFailure) -> None:
        """Show which failure is being shrunk."""
        text = Text(f"shrinking {found.name} ...", style="dim")
        if self._live:
            self._live.update(text)
        else:
            self._console.print(text)

    def on_shrink_progress(self, found: DistinctFailure, tried: int, left: float) -> None:
        """Show how many cases were tried, and the time that is left."""
        clock = timedelta(seconds=max(0, round(left)))
        text = Text(f"shrinking {found.name}: {tried} cases tried, at most {clock} left", style="dim")
        if self._live:
            self._live.update(text)
        elif time.monotonic() - self._last_line >= QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(text, soft_wrap=True)

    def _bar(self, summary: Summary) -> Table | Text:
        if self._console.width < BAR_COLUMNS:
            return self._line(summary)
        left = self._left(summary)
        share = None if left is None else summary.seconds / max(summary.seconds + left, 1e-9)
        row = Table.grid(padding=(0, 2))
        row.add_row(ProgressBar(total=1.0, completed=share or 0.0, pulse=share is None, width=24), self._line(summary))
        return row

    def _left(self, summary: Summary) -> float | None:
        """Return the seconds until the first budget ends, at the rate so far.

        None without a budget, or before the first case.
        """
        ends = [] if self._seconds is None else [self._seconds - summary.seconds]
        if self._examples and summary.cases_per_second:
            ends.append((self._examples - summary.executed) / summary.cases_per_second)
        return max(0.0, min(ends)) if ends else None

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
        left = self._left(summary)
        if left is not None:
            line.append(f"  {timedelta(seconds=round(left))} left", style="dim")
        return line
