"""``foldproof show``: a case, its TVMScript before and after the pass, the outcome of each site, and the result."""

from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from foldproof.case.describe import describe
from foldproof.checking.check import check
from foldproof.checking.comparison import is_legal_fold
from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import Failure
from foldproof.checking.graph_evidence import GraphEvidence, evidence_of
from foldproof.corpus.entry import Entry
from foldproof.ir.base import IR, Module, Pass, ir_of


def show(console: Console, entry: Entry, fold: Pass, target: Any, *, complete: bool) -> bool:
    """Print a case, both modules, the outcome of each site and the result of ``check``.

    Args:
        console: Where to print.
        entry: The case, with its note and what its file records.
        fold: The pass.
        target: The parsed target.
        complete: Whether a missed legal fold is a failure.

    Returns:
        Whether the case passed.
    """
    case = entry.case
    console.print(Text(describe(case), style="cyan"), soft_wrap=True)
    console.print(Text(f"  {case!r}"), soft_wrap=True)
    if entry.note:
        console.print(Text(f"  note: {entry.note}"), soft_wrap=True)
    for name, value in {**entry.expect, **entry.found}.items():
        console.print(Text(f"  {name}: {value}", style="dim"), soft_wrap=True)
    ir = ir_of(fold)
    evidence = evidence_of(case, ir)
    if evidence.unsupported:
        console.print(Text(f"not executed: {evidence.unsupported}", style="yellow"), soft_wrap=True)
        return False
    before = ir.build(case)
    console.print(Rule("before"))
    console.print(_source(ir, before), soft_wrap=True)
    after = _show_after(console, before, fold, ir)
    console.print(Rule("result"))
    console.print(Text(_judge_fold(evidence, before, after)), soft_wrap=True)
    return _show_verdict(console, entry, fold, target, complete=complete)


def _show_after(console: Console, before: Module, fold: Pass, ir: IR) -> Module | None:
    """Print the module that the pass returns, with the outcome of each site, and return it; None if the pass raised."""
    console.print(Rule("after"))
    try:
        after = fold(ir.clone(before))
        explain = getattr(fold, "explain", None)
        sites: Any = explain(before) if callable(explain) else ()
    except (Exception, SystemExit) as error:  # noqa: BLE001, a pass can raise anything; the result below reports it as a failure
        console.print(Text(f"the pass raised {ir.short_error(error)}", style="red"))
        return None
    console.print(Text("unchanged") if ir.same(before, after) else _source(ir, after), soft_wrap=True)
    for site in sites:
        console.print(Text(str(site), style="yellow" if ": refused (" in str(site) else "green"), soft_wrap=True)
    return after


def _judge_fold(evidence: Evidence, before: Module, after: Module | None) -> str:
    """Return whether the reference calls a fold legal, and whether it is the one that the pass made."""
    if isinstance(evidence, GraphEvidence):
        return "\n".join(_judge_site(evidence, index) for index in range(len(evidence.sites)))
    text = f"by the NumPy reference, folding the pad into the padding is {evidence.legality}"
    ir = evidence.ir
    if after is None or not ir.is_module(after) or ir.entry(after) is None or ir.same(before, after):
        return text
    made = is_legal_fold(evidence, after)
    return f"{text}; the pass {'made that fold' if made else 'made another change, which is not that fold'}"


def _judge_site(evidence: GraphEvidence, index: int) -> str:
    """Return whether the reference calls the fold of a site legal, and whether a pass may leave it."""
    legality, stays = evidence.sites[index].legality, evidence.stays(index)
    text = f"site {index}: by the NumPy reference, folding the pad into the padding is {legality}"
    return f"{text}; it may stay, since it is {stays}" if stays not in (None, legality) else text


def _show_verdict(console: Console, entry: Entry, fold: Pass, target: Any, *, complete: bool) -> bool:
    try:
        verdict = check(entry.case, fold, target, complete=complete)
    except Failure as failure:
        console.print(Text(f"{failure.fingerprint}: {failure.detail}", style="bold red"), soft_wrap=True)
        return False
    console.print(Text("folded" if verdict.folded else "refused", style="bold green"))
    for name in (*verdict.undefined, *verdict.known_issues):
        console.print(Text(f"in doubt: {name}", style="yellow"), soft_wrap=True)
    return True


def _source(ir: IR, module: Module) -> Text:
    """Return the highlighted source. Printed with ``soft_wrap``, its lines stay whole, so that it can be pasted."""
    text = Syntax("", "python", background_color="default").highlight(ir.to_source(module))
    text.rstrip()
    return text
