"""Compile both functions of a case, run them on all its inputs, and compare.

The outputs are compared with each other, with the NumPy reference, and on a sample with those of the compiler's
default pipeline.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from foldproof.case import Case
from foldproof.checking.evidence import Arrays, Evidence
from foldproof.checking.failures import CompileError, Failure, failure
from foldproof.ir.base import DEFAULT, FAST, IR, Module, Program, Target, find_raised_issue
from foldproof.oracle.compare import Difference, bitwise, within
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.fills import parameters

Outputs = tuple[np.ndarray, ...]
Masks = tuple[np.ndarray | None, ...]
"""Of each output, the elements that are unspecified; None for none."""

# --- compile and run ----------------------------------------------------------------------------------


def compile_case(evidence: Evidence, modules: dict[str, Module], target: Target) -> Program:
    """Compile the modules of a case. Raises CompileError, which tells whether the pass is to blame."""
    ir = evidence.ir
    try:
        return ir.compile([modules], target)[0]
    except Exception as error:
        # Which of the two was it? The unfolded function alone tells whether the pass is to blame.
        symptom = "unfolded" if len(modules) == 1 or _fails_alone(ir, modules, target) else "folded"
        message = f"{ir.compiler} does not compile the {symptom} function: {ir.short_error(error)}"
        raise failure("CompileError", evidence.case, symptom, message) from error


def _fails_alone(ir: IR, modules: dict[str, Module], target: Target) -> bool:
    try:
        ir.compile([{"unfolded": modules["unfolded"]}], target)
    except Exception:  # noqa: BLE001, the caller reports it with the first error as the cause
        return True
    return False


def run_function(evidence: Evidence, program: Program, name: str, arrays: Arrays) -> Outputs:
    """Return the outputs of a function. Raises CompileError."""
    try:
        return program.run(name, arrays)
    except Exception as error:
        message = f"running the {name} function raised {evidence.ir.short_error(error)}"
        raise failure("CompileError", evidence.case, f"run {name}", message) from error


def known_compile_issue(evidence: Evidence, error: CompileError) -> str:
    """Return the known issue that keeps the unfolded function from being compiled; empty if it is none."""
    if "unfolded" not in error.symptom:
        return ""
    issue = find_raised_issue(evidence.ir, evidence.case, str(error.__cause__))
    return "" if issue is None else issue.name


# --- both pipelines -----------------------------------------------------------------------------------


def compile_default_program(evidence: Evidence, modules: dict[str, Module], target: Target) -> Program | None:
    """Compile through the default pipeline; None if ``target`` is of that one, or it has a known issue here."""
    if target.pipeline != FAST:
        return None
    with _default_only(evidence.case):
        try:
            return compile_case(evidence, modules, target.with_pipeline(DEFAULT))
        except CompileError as error:
            if not known_compile_issue(evidence, error):
                raise
            return None


def _compare_pipelines(
    evidence: Evidence,
    fill: str,
    name: str,
    default_program: Program | None,
    arrays: Arrays,
    got: Outputs,
    unspecified: Masks,
) -> None:
    """Require the outputs of the default pipeline; unspecified elements are left out."""
    if default_program is None:
        return
    case = evidence.case
    with _default_only(case):
        want = run_function(evidence, default_program, name, arrays)
    difference = first_difference(got, want, unspecified)
    if difference is not None:
        detail = f"the fast pipeline's {name} function, {_where(case, fill)}: {difference.text}"
        raise failure("PipelineDisagreement", case, f"{name} {difference.symptom}", detail)


@contextmanager
def _default_only(case: Case) -> Iterator[None]:
    try:
        yield
    except CompileError as error:
        symptom = "CompileError in the default one only"
        raise failure("PipelineDisagreement", case, symptom, f"through the default pipeline, {error.detail}") from error


# --- compare ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """What the reference makes of one unfolded run.

    ``unspecified`` are the elements of each output that a fold may change, ``undefined`` why some could not be
    compared. ``known_issue`` names one of the compiler that makes the unfolded result wrong, values and all.
    """

    unspecified: Masks = ()
    undefined: tuple[str, ...] = ()
    known_issue: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What could not be compared with all oracles, over all fills: names of reasons, and of known issues."""

    undefined: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()


def compare_runs(
    evidence: Evidence, program: Program, modules: dict[str, Module], default_program: Program | None
) -> Comparison:
    """Run both functions on all fills and compare. Raises a ``Failure`` for a difference that nothing explains."""
    case = evidence.case
    results = []
    for fill in case.fills:
        given = parameters(case, evidence.inputs[fill])
        unfolded = run_function(evidence, program, "unfolded", given)
        result = compare_with_reference(evidence, fill, unfolded)
        results.append(result)
        _compare_pipelines(evidence, fill, "unfolded", default_program, given, unfolded, result.unspecified)
        if "folded" in modules:
            folded = run_function(evidence, program, "folded", given)
            _compare_pipelines(evidence, fill, "folded", default_program, given, folded, result.unspecified)
            difference = first_difference(folded, unfolded, result.unspecified)
            if difference and not (result.known_issue and _is_legal_fold(evidence, modules["folded"])):
                raise _miscompiled(evidence, fill, difference, modules["folded"])
    undefined = dict.fromkeys(name for result in results for name in result.undefined)
    known_issues = dict.fromkeys(result.known_issue for result in results if result.known_issue)
    return Comparison(tuple(undefined), tuple(known_issues))


def compare_with_reference(evidence: Evidence, fill: str, got: Outputs) -> ReferenceResult:
    """Compare the unfolded run with the NumPy reference. A difference is the compiler's fault, or the reference's."""
    wants = evidence.reference[fill]
    wrong = _differs(got, wants)
    if wrong is None:
        return _undefined(wants)
    issue = evidence.known_issue
    if issue is not None and not (issue.dtype_only and _differs(got, wants, any_dtype=True)):
        return ReferenceResult(known_issue=issue.name)
    detail = f"{evidence.ir.compiler}'s unfolded function, {_where(evidence.case, fill)}: {wrong.text}"
    raise failure("OracleDisagreement", evidence.case, wrong.symptom, detail)


NOT_COMPARED = "sum that may overflow or has no error bound"


def _undefined(wants: tuple[Reference, ...]) -> ReferenceResult:
    """Collect what the reference could not judge. A fold may change elements that are unspecified."""
    names: dict[str, None] = {}
    for want in wants:
        names.update(dict.fromkeys(want.reasons))
        if not (want.defined | (False if want.unspecified is None else want.unspecified)).all():
            names[NOT_COMPARED] = None
    return ReferenceResult(unspecified=tuple(want.unspecified for want in wants), undefined=tuple(names))


def _differs(got: Outputs, wants: tuple[Reference, ...], *, any_dtype: bool = False) -> Difference | None:
    differences = (within(g, want, any_dtype=any_dtype) for g, want in zip(got, wants, strict=True))
    return next((d for d in differences if d), None)


def first_difference(got: Outputs, want: Outputs, unspecified: Masks) -> Difference | None:
    """Return the first difference between the outputs of two functions, bit by bit, unspecified elements left out."""
    if len(got) != len(want):
        return Difference("shape", f"{len(got)} outputs, but should be {len(want)}")
    for i, where in enumerate(unspecified):
        if where is not None and got[i].shape == want[i].shape and got[i].dtype == want[i].dtype:
            got = (*got[:i], np.where(where, want[i], got[i]), *got[i + 1 :])
    return next((d for g, w in zip(got, want, strict=True) if (d := bitwise(g, w))), None)


def _miscompiled(evidence: Evidence, fill: str, difference: Difference, folded: Module) -> Failure:
    """Blame the pass, unless what it made is a legal fold that the compiler executes wrongly."""
    case = evidence.case
    detail = f"{_where(case, fill)}: {difference.text}"
    if _is_legal_fold(evidence, folded):
        text = f"{evidence.ir.compiler}'s kernel of the right fold, {detail}"
        return failure("OracleDisagreement", case, f"folded {difference.symptom}", text)
    kind = "Miscompile" if difference.symptom == "values" else "WrongType"
    return failure(kind, case, difference.symptom, f"folded, {detail}")


def _is_legal_fold(evidence: Evidence, folded: Module) -> bool:
    """Whether the folded function is, node for node, one that the reference calls equal to the case."""
    ir = evidence.ir
    return any(ir.same(ir.entry(ir.build(legal, with_pad=False)), ir.entry(folded)) for legal in evidence.legal_folds)


def _where(case: Case, fill: str) -> str:
    layouts = "/".join(filter(None, (case.data_order, case.kernel_order)))
    return f"{case.op} {layouts} {case.dtype}, fill {fill!r}"
