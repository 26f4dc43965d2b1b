"""``foldproof corpus stats``: the number of cases per op, rule, refusal, dtype and layout."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table

from foldproof.corpus.coverage import layout_class, outcomes
from foldproof.corpus.entry import Entry
from foldproof.ir.base import Pass

PARTS = ("op", "folded", "refused", "failed", "not executed", "expected", "dtype", "layout", "failure")
"""The parts of the table, in order."""

OUTCOMES = ("folded", "refused", "failed", "not executed")
"""The parts that count outcomes of the pass."""


def print_stats(console: Console, entries: Iterable[Entry], fold: Pass | None = None) -> None:
    """Print a table with a row per op, rule, refusal, expectation, dtype, layout and failure, and the total.

    A case counts once in each row that it belongs to. Rules and refusals are those of a pass; None is the bundled pass.
    """
    counts: dict[str, Counter[str]] = {}
    total = 0
    for entry in entries:
        total += 1
        for part, name in set(_rows_of(entry, fold)):
            counts.setdefault(part, Counter())[name] += 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("part", style="bold")
    table.add_column("value")
    table.add_column("cases", justify="right")
    for part in PARTS:
        for i, (name, n) in enumerate(counts.get(part, Counter()).most_common()):
            table.add_row("" if i else part, name, str(n))
    table.add_row("all", "", str(total), style="bold")
    console.print(table)


def _rows_of(entry: Entry, fold: Pass | None) -> Iterator[tuple[str, str]]:
    """Yield (part, value) of every row that counts the entry."""
    case = entry.case
    yield "op", case.op
    for outcome in outcomes(entry, fold):
        what = next((part for part in OUTCOMES if outcome.startswith(part + " ")), "expected")
        yield what, outcome.removeprefix(what + " ")
    yield "dtype", case.dtype
    for layout in dict.fromkeys(layout_class(each) for each in case.cases):
        yield "layout", layout
    if failure := entry.found.get("failure"):
        yield "failure", str(failure)
