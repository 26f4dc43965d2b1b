"""The coverage of a saved case, as values to count and to compare.

``outcomes`` runs a pass, without compiling anything; the rest is read from the case.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from foldproof.case import Case, dtypes
from foldproof.case.any_case import AnyCase
from foldproof.checking.apply_pass import apply_and_explain, check_form
from foldproof.checking.failures import Failure
from foldproof.core.loading import load_pass
from foldproof.corpus.entry import Entry
from foldproof.ir.base import Outcome, Pass, ir_of, read_outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one site of a case covers.

    Attributes:
        family: the family of the op.
        outcome: ``folded RULE``, ``refused KIND``, or another expectation of the entry.
        dtypes: the kinds of the data, operand and result dtypes.
        layout: the class of the data layout.
        steps: the kinds of steps before the pad, and after it.
        form: the form of the pad.
        failure: the recorded fingerprint; empty if there is none.
    """

    family: str
    outcome: str
    dtypes: tuple[str, ...]
    layout: str
    steps: tuple[tuple[str, ...], ...]
    form: str
    failure: str


def coverage_of(entry: Entry) -> frozenset[Coverage]:
    """Return everything that an entry covers."""
    return frozenset(
        Coverage(
            family=case.spec.family,
            outcome=outcome,
            dtypes=tuple(dtype_kind(dtype) for dtype in (case.dtype, case.operand_dtype, case.result_dtype)),
            layout=layout_class(case),
            steps=tuple(tuple(sorted({step.kind for step in steps})) for steps in (case.producers, case.steps)),
            form=case.pad.form,
            failure=str(entry.found.get("failure", "")),
        )
        for outcome in outcomes(entry)
        for case in entry.case.cases
    )


def outcomes(entry: Entry, fold: Pass | None = None) -> tuple[str, ...]:
    """Return what a pass does with each site; for the bundled pass also what the entry expects of it.

    Args:
        entry: the entry.
        fold: the pass; None is the bundled pass.

    Returns:
        ``folded RULE`` or ``refused KIND`` for each site. For a pass that does not explain: ``folded no rule given`` or
        ``refused no reason given``. For a pass that fails before anything is compiled: ``failed FINGERPRINT``.
    """
    if fold is not None:
        return tuple(sorted(_observed(entry.case, fold)))
    bundled = load_pass(None)
    found = _named(read_outcomes(bundled.explain(ir_of(bundled).build(entry.case))))
    found |= {f"{what} {name}" for what, name in entry.expect.items()}
    return tuple(sorted(found or {"no site"}))


def _named(reported: Iterable[Outcome]) -> set[str]:
    return {f"folded {outcome.rule}" if outcome.folded else f"refused {outcome.kind}" for outcome in reported}


def _observed(case: AnyCase, fold: Pass) -> set[str]:
    """Apply a pass of which nothing is known. Without explanation, the number of pads that are left is its outcome."""
    ir = ir_of(fold)
    if reason := ir.supported(case):
        return {f"not executed {reason}"}
    unfolded = ir.build(case)
    try:
        folded, reported = apply_and_explain(case, fold, unfolded, ir)
        check_form(case, unfolded, folded, ir)
    except Failure as failure:
        return {f"failed {failure.fingerprint}"}
    if reported:
        return _named(reported)
    fewer = ir.residual_pads(folded).foldable < ir.residual_pads(unfolded).foldable
    return {"folded no rule given" if fewer else "refused no reason given"}


def dtype_kind(dtype: str) -> str:
    """Return signed, unsigned, float or bfloat16, which rounds differently from the other floats."""
    if dtype in dtypes.INTEGERS:
        return "unsigned" if dtype.startswith("u") else "signed"
    return "bfloat16" if dtype == "bfloat16" else "float"


def layout_class(case: Case) -> str:
    """Return channels first, channels last or other: other orders of axes, or added unit axes."""
    order, spatial = case.operand_layout, case.spec.spatial
    if case.input_layout != order:
        return "other"
    return {f"NC{spatial}": "channels first", f"N{spatial}C": "channels last"}.get(order, "other")
