"""The closing report of a campaign: a table of outcomes per op, counters, and each distinct failure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from foldproof.campaign.summary import RERUNS, DistinctFailure, Summary
from foldproof.case import ops
from foldproof.case.describe import describe
from foldproof.case.graph import GraphSpec
from foldproof.oracle.legality import Legality

OUTCOMES = ("folded", "refused", "in doubt", "failed", "known", "not executed")
"""The outcomes of a case. Each case has exactly one."""

MEANINGS = {
    "graph": "several sites in one module. It counts as folded if the pass changed it.",
    "known": "a failure with the cause of a known one (--known). It does not fail the campaign.",
    "out of scope": "the pass declares that it does not fold these pads (out_of_scope). They could be folded.",
    "in doubt": "some output could not be compared with every oracle. The case counts neither as passed nor as failed.",
    "known issue": "a defect of {blamed} that foldproof knows. It does not fail the case.",
    Legality.UNOBSERVABLE: "no result depends on the border, so the fold would change nothing.",
    Legality.STRUCTURE: "the fold is right, but a pass need not see through what stands around the pad.",
    Legality.SHARED: "the fold is right, but the graph would have more pads, since others read the pad.",
    Legality.THIS_SHAPE_ONLY: "the fold is right for the lengths of this case, but not for every length.",
    Legality.UNKNOWN_MODE: "TVM treats the mode as constant or as a copy, but does not guarantee it.",
    Legality.NEEDS_NO_FMA: "the fold is right unless the target fuses a multiplication and an addition.",
    Legality.UNSPECIFIED: "the fold is right for every value that TVM specifies.",
}
"""The report's own words, each with its meaning. The report explains those that occur."""


def print_summary(console: Console, summary: Summary, replay_options: str, blamed: str = "TVM") -> None:
    """Print the whole closing report.

    Args:
        console: Where to print.
        summary: The counts and failures of the campaign.
        replay_options: What to append to each replay line, for example `` --pass MODULE:ATTR``.
        blamed: What has the known issues, such as "TVM" or "ONNX Runtime or the pass".
    """
    if summary.by_op:
        console.print(_outcome_table(summary))
    for word in _words(summary):
        console.print(Text(f"{word}: {MEANINGS[word].replace('{blamed}', blamed)}", style="dim"), soft_wrap=True)
    counted = _counter_table(summary, blamed)
    if counted.row_count:
        console.print(counted)
    if summary.known_not_examined:
        text = f"not looked at: {summary.known_not_examined} failures with the fingerprint of a known one"
        console.print(Text(f"{text}; some may have another cause", style="yellow"), soft_wrap=True)
    for found in summary.failures.values():
        console.print(failure_text(found, replay_options), soft_wrap=True)
    if summary.phases:
        times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.phases.items())
        console.print(Text(f"time: {times}", style="dim"), soft_wrap=True)
    console.print(_closing_line(summary), soft_wrap=True)


def _outcome_table(summary: Summary) -> Table:
    """Return a row per op: the outcomes of its cases, and their sum."""
    table = Table(title="op x outcome", title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("op")
    rows = {name: _outcomes(summary, name) for name in (*ops.NAMES, GraphSpec().name)}
    total = Counter[str]()
    for counts in rows.values():
        total.update(counts)
    outcomes = [each for each in OUTCOMES if total[each] or each in ("folded", "refused", "failed")]
    for title in (*outcomes, "cases"):
        table.add_column(title, justify="right")
    for name, counts in {**rows, "all": total}.items():
        if counts.total():
            numbers = [*(counts[outcome] for outcome in outcomes), counts.total()]
            table.add_row(name, *map(_number, numbers), style="bold" if name == "all" else "")
    return table


def _outcomes(summary: Summary, op: str) -> Counter[str]:
    """Return how many cases of an op have each outcome. A case in doubt is neither folded nor refused here."""
    counts = Counter({outcome: summary.by_op[op, outcome] for outcome in OUTCOMES})
    folded_in_doubt = summary.by_op[op, "folded in doubt"]
    counts["folded"] -= folded_in_doubt
    counts["refused"] -= counts["in doubt"] - folded_in_doubt
    return counts


def _words(summary: Summary) -> Iterator[str]:
    """Yield the words of ``MEANINGS`` that the report uses, in the order of that table."""
    used = {name for name, n in summary.legality.items() if n}
    used |= {"graph"} if any(op == "graph" for op, _ in summary.by_op) else set()
    used |= {"known"} if summary.known else set()
    used |= {"out of scope"} if summary.declined else set()
    used |= {"in doubt"} if summary.in_doubt else set()
    used |= {"known issue"} if summary.known_issues else set()
    return (word for word in MEANINGS if word in used)


def _counter_table(summary: Summary, blamed: str) -> Table:
    """Return a row per counter: rules, refusals, legality, what is in doubt, and how cases were compiled."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    rows: tuple[tuple[str, Counter[str]], ...] = (
        ("rules", summary.rules),
        ("refusals", summary.reasons),
        ("legality where a pad stays", summary.legality),
        ("legal folds out of scope", summary.declined),
        ("in doubt: undefined by TVM" if blamed == "TVM" else "in doubt: undefined", summary.undefined),
        (f"in doubt: known issue of {blamed}", summary.known_issues),
        ("not executed: not supported by the IR", summary.unsupported),
        ("compiled by the default pipeline", summary.fallbacks),
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
    """Return the report of one failure: what failed, the smallest case, and how to run it again.

    Args:
        found: The failure, shrunk or not, saved or not.
        replay_options: What to append to the replay line.
    """
    failure = found.smallest
    times = "once" if found.count == 1 else f"{found.count} times"
    lines = [Text(f"{failure.fingerprint}, seen {times}", style="bold red"), Text(f"  {failure.detail}")]
    lines.append(Text("\n".join("  " + line for line in describe(failure.case).splitlines()), style="cyan"))
    lines.append(Text(f"  {failure.case!r}"))
    lines.extend(Text(f"  {line}", style="dim") for line in (_shrunk_line(found), *_cause_lines(found)))
    if found.path is not None:
        lines.append(Text(f"  replay: foldproof replay {found.path}{replay_options}", style="bold"))
    if found.reproducer is not None:
        lines.append(Text(f"  reproducer: {found.reproducer}", style="bold" if found.reproducer.confirmed else "dim"))
    return Group(*lines)


def print_known(console: Console, gone: Sequence[Path]) -> None:
    """Print a line per known failure that no longer fails, so that it can be removed from the list."""
    for path in gone:
        console.print(Text(f"known failure {path} no longer fails", style="bold"), soft_wrap=True)


def _shrunk_line(found: DistinctFailure) -> str:
    if found.shrunk is None:
        return "not shrunk"
    size = "1-minimal" if found.shrunk.minimal else "not minimal (the time for shrinking ended)"
    return (
        f"{size} after {found.shrunk.tried} cases in {found.shrunk.seconds:.1f} s; "
        f"reproduced {found.reproduced}/{RERUNS} in fresh processes"
    )


def _cause_lines(found: DistinctFailure) -> Iterator[str]:
    """Yield what is known of the cause, and how many cases were not looked at."""
    if found.cause is not None:
        needs = ", ".join(found.cause) or "nothing else: the simplest cases fail"
        explains = f"explains {len(found.explained)} case{'s' if len(found.explained) != 1 else ''}"
        yield f"cause: {needs}; {explains}, first met at case {found.first_met}"
    if found.unexplained:
        yield f"not explained: {found.unexplained} cases; they may have other causes"
    if found.dropped:
        yield f"not looked at: {found.dropped} more cases of this fingerprint"


def _closing_line(summary: Summary) -> Text:
    kinds = len(summary.failures)
    verdict = f"{kinds} distinct failure{'s' if kinds != 1 else ''}" if kinds else "no failure"
    interrupted = ", interrupted" if summary.interrupted else ""
    resumed = f" ({summary.resumed} of them resumed from the journal)" if summary.resumed else ""
    text = (
        f"{summary.executed} cases{resumed} in {summary.seconds:.1f} s ({summary.cases_per_second:.1f} cases/s), "
        f"seed {summary.seed}: {verdict}{interrupted}"
    )
    return Text(text, style="bold red" if kinds else "bold green")
