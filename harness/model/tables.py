"""An examination as text: tables for a console, from which the HTML page is exported, too."""

from collections import Counter
from collections.abc import Iterable
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from foldproof.core.loading import name_of_pass
from foldproof.model.examine import Examination, Worth, describe_worth
from foldproof.model.outcomes import LEFT, Site
from foldproof.model.session import FOLDED, PLAIN

HTML_WIDTH = 180
"""Columns of the HTML page."""

_STYLES = {"folded": "green", "left": "yellow", "unexplained": "magenta"}


def render(found: Examination) -> RenderableType:
    """Return everything that is known of a model."""
    parts: list[RenderableType] = [_describe_model(found)]
    if found.sites is not None:
        parts += [_list_sites(found.rows), _list_totals(found), *_list_remedies(found.rows)]
    for worth in found.worth:
        parts += _describe_worth(worth)
    if found.blame is not None:
        parts.append(Text(f"{', '.join(found.blame.pads)}: at fault: {found.blame.fault}", style="bold red"))
        parts.append(Text(f"  {found.blame.reason}"))
    parts += [Text(line) for line in _list_files(found)]
    parts += [Text(f"note: {notice}", style="yellow") for notice in found.notices]
    parts += [Text(f"problem: {problem}", style="bold red") for problem in found.problems]
    parts.append(Text(conclude(found), style="bold"))
    return Group(*parts)


def render_html(found: Examination) -> str:
    """Return an HTML page with everything that is known of a model."""
    console = Console(record=True, width=HTML_WIDTH, file=StringIO(), highlight=False, force_terminal=True)
    console.print(render(found))
    return console.export_html(inline_styles=True)


def conclude(found: Examination) -> str:
    """Return the result in a sentence."""
    if found.interrupted:
        return "interrupted: this is what is known"
    if found.differs:
        return "the folded model computes other bits"
    if found.problems:
        return "something failed: see the problems"
    compared = sum(len(worth.compared) for worth in found.worth)
    equal = f"the same bits with and without the pass, on {compared} inputs" if compared else "not compared"
    if found.sites is not None and found.sites.unchanged:
        equal = "the pass changes nothing"
    if found.sites is None:
        return equal
    return f"{found.sites.before} pads before the pass, {found.sites.after} after it; {equal}"


def _describe_model(found: Examination) -> Text:
    loaded = found.loaded
    text = found.request.model
    if loaded is not None:
        chosen = ", ".join(f"{name}={number}" for name, number in loaded.lengths)
        text += f": {loaded.kind}, inputs {'; '.join(loaded.inputs) or 'none'}"
        text += f" (executed with {chosen})" if chosen else ""
    return Text(f"{text}\npass {name_of_pass(found.request.fold)}, target {found.request.target}", style="cyan")


def _list_sites(rows: Iterable[Site]) -> Table:
    """Return a row for each site; neighbours that differ in their names only are one row, with their number."""
    table = Table(title="sites", title_justify="left", box=None, pad_edge=False)
    for name in ("pad", "widths", "mode", "value", "input", "consumer", "outcome", "reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        pad = row.pad
        table.add_row(
            row.key[1] if row.key[0] == "main" else row.name,
            pad.widths_text if pad else "",
            pad.mode if pad else "",
            f"{pad.value:g}" if pad else "",
            f"{pad.shape} {pad.dtype}" if pad else "made by the pass",
            row.consumer,
            Text(f"{row.outcome} {row.kind}".strip(), style=_STYLES[row.outcome]),
            row.reason,
        )
    return table


def _list_totals(found: Examination) -> Table:
    assert found.sites is not None
    table = Table(title="totals", title_justify="left", box=None, pad_edge=False)
    for name in ("outcome", "rule or reason", "sites"):
        table.add_column(name)
    for outcome, kind, count in found.sites.totals:
        table.add_row(Text(outcome, style=_STYLES[outcome]), kind or "no reason given", str(count))
    table.add_row("pads", "before the pass, and after it", f"{found.sites.before}, {found.sites.after}")
    return table


def _list_remedies(rows: Iterable[Site]) -> list[Text]:
    left = Counter(row.remedy for row in rows if row.outcome == LEFT)
    known = [
        Text(f"{count} of the sites that are left would fold with {remedy}") for remedy, count in left.items() if remedy
    ]
    return known if known or not left else [Text("nothing that was tried folds the sites that are left")]


def _describe_worth(worth: Worth) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for compared in worth.compared:
        nans = f"; {compared.nans} of them NaN" if compared.nans else ""
        outputs = "1 output" if compared.outputs == 1 else f"{compared.outputs} outputs"
        what = f"{outputs}, {compared.elements} elements{nans}"
        text = compared.difference or "the same bits"
        parts.append(Text(f"pipeline {worth.pipeline}, {compared.fill} inputs: {text} ({what})"))
    if worth.plans:
        parts.append(_tabulate_worth(worth))
        parts.append(Text(f"pipeline {worth.pipeline}: {describe_worth(worth)}"))
    return parts


def _tabulate_worth(worth: Worth) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in (f"pipeline {worth.pipeline}", "kernels", "planned memory", "compiled in", "latency, median"):
        table.add_column(name)
    for number, which in enumerate((PLAIN, FOLDED)):
        if (plan := worth.plans.get(which)) is None:
            continue
        memory = "symbolic" if plan.memory is None else f"{plan.memory / 2**20:.2f} MiB"
        times = sorted(pair[number] for pair in worth.timed)
        latency = f"{times[len(times) // 2] * 1e3:.2f} ms" if times else ""
        table.add_row(which, str(plan.kernels), memory, f"{plan.seconds:.1f} s", latency)
    if worth.ratio is not None:
        low, median, high = worth.ratio
        ratio = f"{median:.3f} ({low:.3f} to {high:.3f}), {len(worth.timed)} runs of each"
        table.add_row("ratio, median and quartiles", "", "", "", ratio)
    return table


def _list_files(found: Examination) -> list[str]:
    lines = [f"written: {path}" for path in found.saved]
    lines += [f"not a case: {each.site}: {each.reason}" for each in found.cases if each.case is None]
    return lines
