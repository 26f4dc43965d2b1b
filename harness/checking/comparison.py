"""Compare the outputs of both functions with each other and with the NumPy reference, and blame who is wrong.

Invariant: an element is left out of a comparison only if the reference cannot tell its value, or if the value is
unspecified. The verdict then names the reason.
"""

from dataclasses import dataclass

import numpy as np

from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import Failure, failure
from foldproof.ir.base import KnownIssue, Module
from foldproof.oracle.compare import Difference, bitwise, within
from foldproof.oracle.error_bounds import Reference

Outputs = tuple[np.ndarray, ...]
Masks = tuple[np.ndarray | None, ...]
"""For each output, the elements that are unspecified; None for none."""


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """What the reference makes of one unfolded run.

    Args:
        unspecified: the elements of each output that a fold may change.
        undefined: why some elements could not be compared.
        known_issue: the known issue of the compiler that makes the unfolded values wrong; empty if there is none.
    """

    unspecified: Masks = ()
    undefined: tuple[str, ...] = ()
    known_issue: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What could not be compared with all oracles, over all fills.

    Args:
        undefined: the names of reasons.
        known_issues: the names of known issues of the compiler.
        sampled: whether both pipelines ran the case.
        fallback: why the fast pipeline did not run the case; empty if it did.
    """

    undefined: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    sampled: bool = False
    fallback: str = ""


def compare_with_reference(evidence: Evidence, fill: str, got: Outputs, module: Module) -> ReferenceResult:
    """Compare the outputs of the unfolded function ``module`` on one fill with the NumPy reference.

    A known issue explains a difference of the first output, which is that of the consumer, and of no other one.

    Raises:
        Failure: OracleDisagreement, which blames the compiler or the reference, unless a known issue explains it.
    """
    references = evidence.reference[fill]
    difference = find_excess(evidence, got, references)
    if difference is None:
        return _summarize(references)
    if (issue := _explaining_issue(evidence, got, references)) is not None:
        return ReferenceResult(known_issue=issue.name)
    detail = f"{evidence.ir.compiler}'s unfolded function, {evidence.locate(fill)}: {difference.text}"
    detail += _describe_vote(evidence, module, fill)
    raise failure("OracleDisagreement", evidence.case, difference.symptom, detail)


def _describe_vote(evidence: Evidence, module: Module, fill: str) -> str:
    """Return what a second implementation of the IR computes, in a phrase; empty if there is none."""
    agrees = agrees_with_reference(evidence, module, fill)
    if agrees is None:
        return ""
    return "; a second implementation agrees with " + ("the reference" if agrees else "neither, or with the compiler")


def agrees_with_reference(evidence: Evidence, module: Module, fill: str) -> bool | None:
    """Whether a second implementation computes the reference results with a module; None if it computes nothing."""
    outputs = evidence.ir.second_opinion(module, evidence.arguments(fill))
    return None if outputs is None else find_excess(evidence, outputs, evidence.reference[fill]) is None


def _explaining_issue(evidence: Evidence, got: Outputs, references: tuple[Reference, ...]) -> KnownIssue | None:
    """Return the known issue of the case if it explains all differences: those of the first output."""
    issue = evidence.known_issue
    if issue is None or find_excess(evidence, got[1:], references[1:]):
        return None
    if issue.dtype_only and find_excess(evidence, got[:1], references[:1], any_dtype=True):
        return None
    return issue


NOT_COMPARED = "sum that may overflow or has no error bound"


def _summarize(references: tuple[Reference, ...]) -> ReferenceResult:
    """Collect what the reference could not compare. A fold may change unspecified elements."""
    names: dict[str, None] = {}
    for want in references:
        names.update(dict.fromkeys(want.reasons))
        if not (want.defined | (False if want.unspecified is None else want.unspecified)).all():
            names[NOT_COMPARED] = None
    return ReferenceResult(unspecified=tuple(want.unspecified for want in references), undefined=tuple(names))


def find_excess(
    evidence: Evidence, got: Outputs, references: tuple[Reference, ...], *, any_dtype: bool = False
) -> Difference | None:
    """Return the first difference that exceeds the error bound of the reference."""
    if len(got) != len(references):
        return _describe_count(len(got), len(references))
    signed_zeros = evidence.ir.semantics.specifies_zero_signs
    differences = (
        within(g, want, any_dtype=any_dtype, signed_zeros=signed_zeros) for g, want in zip(got, references, strict=True)
    )
    return next((difference for difference in differences if difference), None)


def _describe_count(got: int, want: int) -> Difference:
    return Difference("shape", f"{got} outputs, but should be {want}")


def first_difference(got: Outputs, want: Outputs, unspecified: Masks) -> Difference | None:
    """Return the first difference between the outputs of two functions, bit by bit, except in unspecified elements."""
    if len(got) != len(want):
        return _describe_count(len(got), len(want))
    for i, where in enumerate(unspecified):
        if where is not None and got[i].shape == want[i].shape == where.shape and got[i].dtype == want[i].dtype:
            got = (*got[:i], np.where(where, want[i], got[i]), *got[i + 1 :])
    return next((d for g, w in zip(got, want, strict=True) if (d := bitwise(g, w))), None)


def compare_with_unfolded(
    evidence: Evidence, fill: str, folded: Outputs, unfolded: Outputs, result: ReferenceResult, module: Module
) -> None:
    """Compare the outputs of both functions on one fill.

    A legal fold may change the first output where a known issue of the compiler makes it wrong, and nothing else.

    Args:
        evidence: the case.
        fill: the fill, for the failure.
        folded: the outputs of the folded function.
        unfolded: the outputs of the unfolded function.
        result: the comparison of ``unfolded`` with the reference.
        module: the folded module.

    Raises:
        Failure: Miscompile or WrongType, which blame the pass; OracleDisagreement if the pass made a legal fold.
    """
    if not evidence.ir.semantics.specifies_roundings:
        if (excess := find_excess(evidence, folded, evidence.reference[fill])) and not result.known_issue:
            raise _blame_by_vote(evidence, fill, excess, module)
        return
    difference = first_difference(folded, unfolded, result.unspecified)
    if difference is None:
        return
    others = first_difference(folded[1:], unfolded[1:], result.unspecified[1:])
    is_legal = others is None and is_legal_fold(evidence, module)
    if not (is_legal and result.known_issue):
        raise _blame(evidence, fill, difference, is_legal=is_legal)


def _blame_by_vote(evidence: Evidence, fill: str, difference: Difference, module: Module) -> Failure:
    """Return a failure that blames the pass, or the compiler if a second implementation runs the module rightly.

    The unfolded function agrees with the reference here: those are the two opinions against the pass.
    """
    if not agrees_with_reference(evidence, module, fill):
        return _blame(evidence, fill, difference, is_legal=False)
    text = f"{evidence.ir.compiler} runs the folded module wrongly, which a second implementation runs rightly"
    detail = f"{text}, {evidence.locate(fill)}: {difference.text}"
    return failure("OracleDisagreement", evidence.case, f"folded {difference.symptom}", detail)


def _blame(evidence: Evidence, fill: str, difference: Difference, *, is_legal: bool) -> Failure:
    """Return a failure that blames the pass, or the compiler if the pass made a legal fold."""
    case = evidence.case
    detail = f"{evidence.locate(fill)}: {difference.text}"
    if is_legal:
        text = f"{evidence.ir.compiler}'s kernel of the right fold, {detail}"
        return failure("OracleDisagreement", case, f"folded {difference.symptom}", text)
    kind = "Miscompile" if difference.symptom == "values" else "WrongType"
    return failure(kind, case, difference.symptom, f"folded, {detail}")


def is_legal_fold(evidence: Evidence, folded: Module) -> bool:
    """Whether the folded function computes its result by a fold that the reference calls legal.

    What the function returns besides its result does not matter: the pad may stay for another reader.
    """
    ir = evidence.ir
    result = ir.first_output(folded)
    return any(ir.same(ir.first_output(ir.build(legal, with_pad=False)), result) for legal in evidence.legal_folds)
