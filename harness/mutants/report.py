"""The report of ``foldproof mutants``: progress lines, tables, and lines of ``--json``."""

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from foldproof.campaign.shrinker import ShrinkResult
from foldproof.case.describe import describe
from foldproof.checking.failures import Failure
from foldproof.mutants import BY_NAME
from foldproof.mutants.benchmark import HARNESS, Listener, Plan, Result
from foldproof.mutants.tally import Tally, finite_or_none, median_of_medians

QUIET_SECONDS = 30.0
WIDTH = 160
"""Columns of the tables at least, also on a narrower terminal, so that no cell is cut."""

Write = Callable[[dict[str, Any]], None]
"""A function that appends an object to the file of ``--json``."""


class Progress(Listener):
    """Write the first kill of each mutant and seed as a line of ``--json``, and print a line every 30 s."""

    def __init__(self, console: Console, plan: Plan, write: Write) -> None:
        self._console, self._plan, self._write = console, plan, write
        self._started = self._last = time.monotonic()

    def on_count(self, way: str, seed: int, number: int) -> None:
        """Print a line every 30 s, and one at the end of a seed."""
        now = time.monotonic()
        if number == self._plan.budget or now - self._last > QUIET_SECONDS:
            self._last = now
            line = f"{way}, seed {seed}: {number}/{self._plan.budget} cases, {now - self._started:.0f} s"
            self._console.print(line, style="dim", markup=False)

    def on_kill(self, way: str, seed: int, number: int, name: str, failure: Failure) -> None:
        """Write a line of ``--json``."""
        self._write(
            {
                "event": "kill",
                "by": way,
                "defect": name,
                "seed": seed,
                "case_number": number,
                "fingerprint": failure.fingerprint,
                "case": failure.case.to_json(),
            }
        )

    def on_shrink(self, name: str, shrunk: ShrinkResult) -> None:
        """Write a line of ``--json``."""
        self._write({"event": "shrunk", "defect": name, **_shrunk_record(shrunk)})


def _shrunk_record(shrunk: ShrinkResult) -> dict[str, Any]:
    return {
        "fingerprint": shrunk.failure.fingerprint,
        "case": shrunk.case.to_json(),
        "minimal": shrunk.minimal,
        "seconds": round(shrunk.seconds, 3),
    }


# --- the table ----------------------------------------------------------------------------------------


def print_result(console: Console, result: Result) -> None:
    """Print the tables (held-out mutants in one of their own), the shrunk cases and a closing line."""
    tallies = list(result.tallies.values())
    wide = Console(file=console.file, highlight=False, width=max(console.width, WIDTH))
    for title, (structural, group) in TABLES.items():
        chosen = [tally for tally in tallies if _place(tally.name) == (structural, group)]
        if chosen:
            wide.print(_table(title, chosen, result, drawn="graphs" if structural else "cases"))
    for name, shrunk in result.shrunk.items():
        console.print(Text(f"{name}: {BY_NAME[name].text}", style="bold"), soft_wrap=True)
        console.print(Text(_shrunk_line(shrunk), style="dim"), soft_wrap=True)
        console.print(Text(describe(shrunk.case), style="cyan"), soft_wrap=True)
    console.print(_closing(result), soft_wrap=True)


TABLES = {
    "mutants": (False, ""),
    "mutants that were held out once": (False, "looked at"),
    "held-out mutants (written last, never used for tuning)": (False, "held out"),
    "mutants of structure, on graphs": (True, ""),
    "held-out mutants of structure, on graphs": (True, "held out"),
}
"""Title of a table -> whether its mutants are of structure, and their group."""


def _place(name: str) -> tuple[bool, str]:
    mutant = BY_NAME[name]
    return mutant.structural, "held out" if mutant.held_out else "looked at" if mutant.looked_at else ""


def _table(title: str, tallies: list[Tally], result: Result, *, drawn: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("mutant", no_wrap=True)
    for column in ("seeds that kill", f"median {drawn}", "worst", f"kills per 100 {drawn} [95 %]"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("most frequent failure", no_wrap=True)
    baselines = {} if drawn == "graphs" else result.baselines
    for name in baselines:
        table.add_column(name, justify="right", no_wrap=True)
    budget = result.plan.budget
    for tally in tallies:
        others = [_baseline_cell(of[tally.name], budget) for of in baselines.values()]
        style = "" if tally.killed else "bold red"
        table.add_row(tally.name, *_cells(tally, budget), *others, style=style)
    return table


def _cells(tally: Tally, budget: int) -> tuple[str, ...]:
    low, high = (100 * end for end in tally.interval)
    rate = f"{100 * tally.rate:5.1f} [{low:4.1f}, {high:4.1f}]"
    return _seeds(tally), _number(tally.median, budget), _number(tally.worst, budget), rate, tally.symptom or "-"


def _seeds(tally: Tally) -> str:
    return f"{len(tally.first)}/{len(tally.seeds)}"


def _baseline_cell(tally: Tally, budget: int) -> str:
    return f"{_seeds(tally)} {_number(tally.median, budget)}" if tally.first else "-"


def _number(number: float, budget: int) -> str:
    """Return a number of cases as text. A fraction is the median of an even number of seeds."""
    return f">{budget}" if math.isinf(number) else f"{number:g}"


def _shrunk_line(shrunk: ShrinkResult) -> str:
    size = "1-minimal" if shrunk.minimal else "not minimal (the time for shrinking ended)"
    return f"{shrunk.failure.fingerprint}, {size} after {shrunk.tried} cases in {shrunk.seconds:.1f} s"


def _closing(result: Result) -> Text:
    tallies = list(result.tallies.values())
    plan = result.plan
    parts = [
        f"{len(result.killed)} of {len(tallies)} defects killed by each of {plan.seeds} seeds "
        f"(from {plan.seed}) within {plan.budget} {_drawn(tallies)}",
        _medians(tallies, plan.budget),
    ]
    of_graphs = [tally for tally in tallies if BY_NAME[tally.name].structural]
    if 0 < len(of_graphs) < len(tallies):
        killed = sum(tally.killed for tally in of_graphs)
        parts.append(f"of structure: {killed} of {len(of_graphs)}, {_medians(of_graphs, plan.budget)}")
    for name, of in result.baselines.items():
        parts.append(f"{name} kills {sum(tally.killed for tally in of.values())}")
    if result.shrunk:
        minimal = sum(shrunk.minimal for shrunk in result.shrunk.values())
        parts.append(
            f"{minimal} of {len(result.shrunk)} shrunk cases 1-minimal, median {_shrink_seconds(result)} s each"
        )
    parts.append(f"{result.seconds:.1f} s" + (", interrupted" if result.interrupted else ""))
    good = len(result.killed) == len(tallies) and not result.interrupted
    return Text("; ".join(parts), style="bold green" if good else "bold red")


def _drawn(tallies: list[Tally]) -> str:
    kinds = {BY_NAME[tally.name].structural for tally in tallies}
    return " or ".join(name for structural, name in ((False, "cases"), (True, "graphs")) if structural in kinds)


def _medians(tallies: list[Tally], budget: int) -> str:
    worst = max((tally.worst for tally in tallies), default=math.inf)
    return f"median {_number(median_of_medians(tallies), budget)}, worst {_number(worst, budget)}"


# --- JSON ---------------------------------------------------------------------------------------------


def records(result: Result) -> list[dict[str, Any]]:
    """Return the last lines of ``--json``: one per mutant and method of testing, then the summary."""
    ways = {HARNESS: result.tallies, **result.baselines}
    rows: list[dict[str, Any]] = []
    for way, tallies in ways.items():
        for name, tally in tallies.items():
            mutant = BY_NAME[name]
            about = {"kind": mutant.kind, "upstream": mutant.upstream, "held_out": mutant.held_out}
            about |= {"looked_at": mutant.looked_at, "structural": mutant.structural}
            rows.append({"event": "defect", "by": way, "defect": name, **about, **tally.to_dict()})
    return [*rows, _summary(result)]


def _summary(result: Result) -> dict[str, Any]:
    plan, tallies = result.plan, list(result.tallies.values())
    groups = {
        "held_out": (False, "held out"),
        "looked_at": (False, "looked at"),
        "structure": (True, ""),
        "structure_held_out": (True, "held out"),
    }
    return {
        "event": "summary",
        "seed": plan.seed,
        "seeds": plan.seeds,
        "budget": plan.budget,
        "workers": plan.workers,
        **_totals(tallies),
        **{name: _totals([tally for tally in tallies if _place(tally.name) == of]) for name, of in groups.items()},
        "baselines": {name: _totals(list(of.values())) for name, of in result.baselines.items()},
        "shrunk": len(result.shrunk),
        "minimal": sum(shrunk.minimal for shrunk in result.shrunk.values()),
        "median_shrink_seconds": _shrink_seconds(result),
        "survivors": [tally.name for tally in tallies if not tally.killed],
        "seconds": round(result.seconds, 3),
        "interrupted": result.interrupted,
    }


def _shrink_seconds(result: Result) -> float | None:
    seconds = [shrunk.seconds for shrunk in result.shrunk.values()]
    return round(median(seconds), 3) if seconds else None


def _totals(tallies: list[Tally]) -> dict[str, Any]:
    return {
        "defects": len(tallies),
        "killed": sum(tally.killed for tally in tallies),
        "median_cases": finite_or_none(median_of_medians(tallies)),
        "worst_cases": finite_or_none(max((tally.worst for tally in tallies), default=math.inf)),
    }
