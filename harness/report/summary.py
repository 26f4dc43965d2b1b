"""The end of a campaign: a table op x outcome, what was counted, and each distinct failure with its replay line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from foldproof.campaign.summary import RERUNS, DistinctFailure, Summary
from foldproof.case import ops
from foldproof.case.describe import describe

OUTCOMES = ("folded", "refused", "failed", "known", "in doubt")


def print_summary(console: Console, summary: Summary, replay_options: str) -> None:
    """The whole closing report."""
    if summary.by_op:
        console.print(_outcome_table(summary))
    counted = _counter_table(summary)
    if counted.row_count:
        console.print(counted)
    for found in summary.failures.values():
        console.print(failure_text(found, replay_options), soft_wrap=True)
    console.print(_closing_line(summary), soft_wrap=True)


def _outcome_table(summary: Summary) -> Table:
    table = Table(title="op x outcome", title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("op")
    for outcome in OUTCOMES:
        table.add_column(outcome, justify="right")
    for name in ops.NAMES:
        counts = [summary.by_op[name, outcome] for outcome in OUTCOMES]
        if any(counts):
            table.add_row(name, *(_number(n) for n in counts))
    total = [summary.folded, summary.refused, summary.failed, summary.known.total(), summary.in_doubt]
    table.add_row("all", *(_number(n) for n in total), style="bold")
    return table


def _counter_table(summary: Summary) -> Table:
    """Rules, refusals and what was neither passed nor failed, with how many cases showed each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    rows: tuple[tuple[str, Counter[str]], ...] = (
        ("rules", summary.rules),
        ("refusals", summary.reasons),
        ("where a pad was left, the fold is", summary.legality),
        ("in doubt: TVM leaves it undefined", summary.undefined),
        ("in doubt: known defects of TVM", summary.known_issues),
        ("left to the default pipeline", summary.fallbacks),
        ("known failures", summary.known),
    )
    for title, counter in rows:
        if counter:
            table.add_row(title, Text(", ".join(f"{name} {n}" for name, n in counter.most_common())))
    if summary.sampled:
        table.add_row("run by both pipelines", f"{summary.sampled} cases: the same bits")
    return table


def _number(n: int) -> str:
    return str(n) if n else "."


def failure_text(found: DistinctFailure, replay_options: str) -> RenderableType:
    """A failure as a person wants it: what, the smallest case, how to run it again."""
    failure = found.smallest
    times = "once" if found.count == 1 else f"{found.count} times"
    lines = [Text(f"{failure.fingerprint}, seen {times}", style="bold red"), Text(f"  {failure.detail}")]
    lines.append(Text("\n".join("  " + line for line in describe(failure.case).splitlines()), style="cyan"))
    lines.append(Text(f"  {failure.case!r}"))
    lines.append(Text(f"  {_shrunk_line(found)}", style="dim"))
    if found.path is not None:
        lines.append(Text(f"  replay: foldproof replay {found.path}{replay_options}", style="bold"))
    if found.reproducer is not None:
        lines.append(Text(f"  reproducer: {found.reproducer}", style="bold" if found.reproducer.confirmed else "dim"))
    return Group(*lines)


def print_known(console: Console, gone: Sequence[Path]) -> None:
    """What is to be said of known failures: those that fail no more can leave the list."""
    for path in gone:
        console.print(Text(f"known failure {path} no longer fails", style="bold"), soft_wrap=True)


def _shrunk_line(found: DistinctFailure) -> str:
    if found.shrunk is None:
        return "not shrunk"
    size = "1-minimal" if found.shrunk.minimal else "shrunk as far as its time allowed"
    return (
        f"{size} after {found.shrunk.tried} cases in {found.shrunk.seconds:.1f} s; "
        f"reproduced {found.reproduced}/{RERUNS} in fresh processes"
    )


def _closing_line(summary: Summary) -> Text:
    kinds = len(summary.failures)
    verdict = f"{kinds} distinct failure{'s' if kinds != 1 else ''}" if kinds else "no failure"
    interrupted = ", interrupted" if summary.interrupted else ""
    resumed = f", {summary.resumed} of them before" if summary.resumed else ""
    text = (
        f"{summary.executed} cases{resumed} in {summary.seconds:.1f} s ({summary.cases_per_second:.1f} cases/s), "
        f"seed {summary.seed}: {verdict}{interrupted}"
    )
    return Text(text, style="bold red" if kinds else "bold green")
