"""The sites of a model: each pad with its readers, what a pass does to it and why, and what would fold the rest.

sites(model)  -> a row for each pad and reader
remedies(...) -> pad -> the option or the earlier pass that folds it
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tvm
from tvm import relax

from foldproof.fold import Folded, FoldExplicitPadding, Report
from foldproof.ir.base import Pass
from foldproof.ir.relax.module import short_error
from foldproof.model.importing import Model
from foldproof.model.pads import PadRow, list_pads

FOLDED, LEFT, UNEXPLAINED = "folded", "left", "unexplained"
"""The outcomes. A pass without reasons leaves its pads unexplained: they are counted before and after it."""


class PassFailed(RuntimeError):  # noqa: N818, it names an event
    """The pass raised, or returned something else than a module; the message names the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A pad and one of its readers.

    Args:
        pad: the pad; None for a pad that the pass itself made.
        name: the variable of the pad, with its function.
        consumer: the op that reads it, after the ops that a pad may pass; empty if the pass gives no reasons.
        outcome: ``folded``, ``left`` or ``unexplained``.
        kind: the rule that folded it, or the kind of the refusal.
        reason: the sentence of the refusal; what was folded into what.
        remedy: what would fold it; empty if nothing is known to.
    """

    pad: PadRow | None
    name: str
    consumer: str
    outcome: str
    kind: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return the function and the variable of the pad."""
        function, _, name = self.name.partition(":")
        return function, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """What a pass makes of a model.

    Args:
        model: the folded model.
        sites: a row for each pad and reader.
        before: the number of pads of the model.
        after: the number of pads of the folded model.
    """

    model: Model
    sites: tuple[Site, ...]
    before: int
    after: int

    @property
    def totals(self) -> tuple[tuple[str, str, int], ...]:
        """Return (outcome, kind, number of sites), the most frequent first in each outcome."""
        counted = Counter((site.outcome, site.kind) for site in self.sites)
        order = (FOLDED, LEFT, UNEXPLAINED)
        return tuple(
            (outcome, kind, count)
            for (outcome, kind), count in sorted(counted.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
        )


def sites(model: Model, fold: Pass | None = None) -> tuple[Site, ...]:
    """Return a row for each pad of a model and each of its readers.

    Args:
        model: The model, which is not changed.
        fold: A pass from module to module; None is the bundled pass. One with ``explain`` gives the reasons.

    Returns:
        The rows, in the order of the reports: folds first. A pad without a report follows, as unexplained.

    Raises:
        PassFailed: If the pass raises, or returns something else than a module.
    """
    return apply_fold(model, fold).sites


def apply_fold(model: Model, fold: Pass | None = None) -> Folding:
    """Apply a pass to a model, and return the folded model with a row for each site.

    Args:
        model: The model, which is not changed.
        fold: A pass from module to module; None is the bundled pass.

    Returns:
        The folded model, its sites, and the number of pads before and after.

    Raises:
        PassFailed: If the pass raises, or returns something else than a module.
    """
    pass_: Any = FoldExplicitPadding(check_input=False) if fold is None else fold
    try:
        folded, reports = _apply(pass_, model.module)
    except (Exception, SystemExit) as error:  # the pass can raise anything
        raise PassFailed(f"{model.name}: the pass raised {short_error(error)}") from error
    if not isinstance(folded, tvm.IRModule):
        raise PassFailed(f"{model.name}: the pass returned {type(folded).__name__}; expected an IRModule")
    pads = list_pads(model.module)
    left = list_pads(folded)
    rows = _explained(pads, reports) if reports is not None else _unexplained(pads, left)
    return Folding(model=replace(model, module=folded), sites=rows, before=len(pads), after=len(left))


def _apply(pass_: Any, module: tvm.IRModule) -> tuple[Any, tuple[Report, ...] | None]:
    """Return the folded module and the reports; None if the pass gives no reasons."""
    if callable(both := getattr(pass_, "fold_and_explain", None)):
        folded, reports = both(module)
        return folded, tuple(reports)
    before = module.clone()
    folded = pass_(module)
    explain = getattr(pass_, "explain", None)
    reports = explain(before) if callable(explain) else None
    known = reports is not None and all(hasattr(each, "outcome") and hasattr(each, "pad") for each in reports)
    return folded, tuple(reports) if known and reports is not None else None


def _explained(pads: Iterable[PadRow], reports: Iterable[Any]) -> tuple[Site, ...]:
    by_key = {pad.key: pad for pad in pads}
    rows = [_row(by_key, report) for report in reports]
    named = {row.key for row in rows}
    silent = [pad for pad in by_key.values() if pad.key not in named]
    return (*rows, *(Site(pad=pad, name=":".join(pad.key), consumer="", outcome=UNEXPLAINED) for pad in silent))


def _row(pads: Mapping[tuple[str, str], PadRow], report: Any) -> Site:
    outcome = report.outcome
    folded = isinstance(outcome, Folded) or not hasattr(outcome, "detail")
    text = str(report)
    return Site(
        pad=pads.get((report.function, report.pad)) or _describe_pad(report),
        name=f"{report.function}:{report.pad}",
        consumer=" ".join(filter(None, (report.consumer, report.result))),
        outcome=FOLDED if folded else LEFT,
        kind=str(outcome.rule if folded else outcome.kind),
        reason=text.partition(": folded (")[2].removesuffix(")") if folded else outcome.detail,
    )


def _describe_pad(report: Any) -> PadRow | None:
    """Return the pad of a report that describes it: a pad that the pass made is not in the module."""
    if not hasattr(report, "input_shape"):
        return None
    return PadRow(
        function=report.function,
        name=report.pad,
        widths=report.widths,
        mode=report.mode,
        value=report.value,
        shape=",".join(map(str, report.input_shape or ())),
        dtype="",
    )


def _unexplained(before: Iterable[PadRow], after: Iterable[PadRow]) -> tuple[Site, ...]:
    """Return a row for each pad. A pad whose variable is gone was folded, or was merged with another."""
    remaining = {pad.key for pad in after}
    return tuple(
        Site(
            pad=pad,
            name=":".join(pad.key),
            consumer="",
            outcome=UNEXPLAINED if pad.key in remaining else FOLDED,
            reason="" if pad.key in remaining else "the pad is gone",
        )
        for pad in before
    )


# --- what would fold the rest -------------------------------------------------------------------------


def add_remedies(model: Model, rows: Iterable[Site], lengths: Mapping[Any, int]) -> tuple[tuple[Site, ...], str]:
    """Try what would fold the pads that are left: options of the bundled pass, FoldConstant, static shapes.

    Args:
        model: The model.
        rows: Its sites.
        lengths: Numbers for its symbolic lengths, for the trial with static shapes.

    Returns:
        The sites with ``remedy``, and a notice where a trial raised.
    """
    found: dict[tuple[str, str], str] = {}
    notices = []
    left = {site.key for site in rows if site.outcome == LEFT}
    for text, prepare, options in _trials(model, lengths):
        if not left - set(found):
            break
        try:
            reports = FoldExplicitPadding(check_input=False, **options).explain(prepare(model.module))
        except Exception as error:  # noqa: BLE001, TVM's own passes raise on some models
            notices.append(f"{text}: not tried: {short_error(error)}")
            continue
        still = {(each.function, each.pad) for each in reports if not isinstance(each.outcome, Folded)}
        folded = {(each.function, each.pad) for each in reports if isinstance(each.outcome, Folded)}
        found.update({key: text for key in left - set(found) if key in folded and key not in still})
    marked = (replace(site, remedy=found.get(site.key, "")) if site.outcome == LEFT else site for site in rows)
    return tuple(marked), "; ".join(notices)


def _trials(model: Model, lengths: Mapping[Any, int]) -> Iterable[tuple[str, Callable[[Any], Any], dict[str, Any]]]:
    yield 'nonzero="correct"', lambda module: module, {"nonzero": "correct"}
    yield 'channels="slice"', lambda module: module, {"channels": "slice"}
    yield "FoldConstant before the pass", relax.transform.FoldConstant(), {}
    if lengths:
        yield "static shapes", relax.transform.BindSymbolicVars(dict(lengths), model.entry), {}
    yield 'nonzero="correct-inexact" (rounds differently)', lambda module: module, {"nonzero": "correct-inexact"}
