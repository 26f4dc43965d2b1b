"""``foldproof corpus stats``: how many cases of a corpus have what."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table

from foldproof.corpus.coverage import layout_class, outcomes
from foldproof.corpus.entry import Entry


def print_stats(console: Console, entries: Iterable[Entry]) -> None:
    """A table: op, rule, refusal, dtype and layout, each with the number of cases; the total below."""
    counts: dict[str, Counter[str]] = {}
    total = 0
    for entry in entries:
        total += 1
        for part, name in set(_parts(entry)):
            counts.setdefault(part, Counter())[name] += 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("by", style="bold")
    table.add_column("what")
    table.add_column("cases", justify="right")
    for part in ("op", "folded", "refused", "expected", "dtype", "layout", "failure"):
        for i, (name, n) in enumerate(counts.get(part, Counter()).most_common()):
            table.add_row("" if i else part, name, str(n))
    table.add_row("all", "", str(total), style="bold")
    console.print(table)


def _parts(entry: Entry) -> Iterator[tuple[str, str]]:
    """(part of the table, row) of all that an entry counts for."""
    case = entry.case
    yield "op", case.op
    for outcome in outcomes(entry):
        what, _, name = outcome.partition(" ")
        yield (what, name) if what in ("folded", "refused") else ("expected", outcome)
    yield "dtype", case.dtype
    yield "layout", layout_class(case)
    if failure := entry.found.get("failure"):
        yield "failure", str(failure)
