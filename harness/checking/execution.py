"""Both functions of a case compiled, run on all its inputs, and compared: with each other, with the NumPy reference,
and on a sample with what TVM's default pipeline makes of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from foldproof.case import Case
from foldproof.checking.failures import CompileError, Failure, failure
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.build import MAIN, build
from foldproof.ir.relax.known_issues import find_known_issue, find_raised_issue
from foldproof.ir.relax.targets import DEFAULT, FAST, Program, Target, compile_functions
from foldproof.oracle.compare import Difference, bitwise, within
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.fills import inputs, parameters
from foldproof.oracle.legality import legal_folds
from foldproof.oracle.reference import outputs

# --- compile and run ----------------------------------------------------------------------------------


def compile_case(case: Case, modules: dict[str, ir.Module], target: Target) -> Program:
    """What the modules of a case are compiled to. Raises CompileError, which tells whether the pass is to blame."""
    try:
        return compile_functions(modules, target)
    except Exception as error:
        # Which of the two was it? The unfolded function alone tells whether the pass is to blame.
        symptom = "unfolded" if len(modules) == 1 or _fails_alone(modules, target) else "folded"
        raise failure(
            "CompileError", case, symptom, f"TVM does not compile the {symptom} function: {ir.short_error(error)}"
        ) from error


def _fails_alone(modules: dict[str, ir.Module], target: Target) -> bool:
    try:
        compile_functions({"unfolded": modules["unfolded"]}, target)
    except Exception:  # noqa: BLE001, the caller reports it with the first error as the cause
        return True
    return False


def run_function(case: Case, program: Program, name: str, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The outputs of a function. Raises CompileError."""
    try:
        return program.run(name, arrays)
    except Exception as error:
        raise failure(
            "CompileError", case, f"run {name}", f"running the {name} function raised {ir.short_error(error)}"
        ) from error


def known_compile_issue(case: Case, error: CompileError) -> str | None:
    """The known defect of TVM that keeps the unfolded function from being compiled."""
    raised = find_raised_issue(case, str(error.__cause__)) if "unfolded" in error.symptom else None
    return None if raised is None else raised.name


# --- both pipelines -----------------------------------------------------------------------------------


def compile_default_program(case: Case, modules: dict[str, ir.Module], target: Target) -> Program | None:
    """The program of the default pipeline; None if ``target`` has no other, or that one has a known defect here."""
    if target.pipeline != FAST:
        return None
    with _default_only(case):
        try:
            return compile_case(case, modules, target.with_pipeline(DEFAULT))
        except CompileError as error:
            if known_compile_issue(case, error) is None:
                raise
            return None


def _compare_pipelines(
    case: Case,
    fill: str,
    name: str,
    default_program: Program | None,
    arrays: dict[str, np.ndarray],
    got: tuple[np.ndarray, ...],
    open_elements: tuple[np.ndarray | None, ...],
) -> None:
    """The default pipeline says what the fast one should give; elements that TVM leaves open left out."""
    if default_program is None:
        return
    with _default_only(case):
        want = run_function(case, default_program, name, arrays)
    difference = first_difference(got, want, open_elements)
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
    """What the reference says of the unfolded run: which elements of each output are open, what is undefined and why.

    ``finding`` names a known defect of TVM that makes the unfolded result wrong, values and all.
    """

    unspecified: tuple[np.ndarray | None, ...] = ()
    undefined: tuple[str, ...] = ()
    known_issue: str = ""


def compare_runs(
    case: Case, program: Program, modules: dict[str, ir.Module], default_program: Program | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what is undefined, known defects of TVM) over all fills; raises on any other difference."""
    reference_results = []
    for fill in case.fills:
        arrays = inputs(case, fill)
        given = parameters(case, arrays)
        unfolded = run_function(case, program, "unfolded", given)
        reference_result = compare_with_reference(case, fill, arrays, unfolded)
        reference_results.append(reference_result)
        _compare_pipelines(case, fill, "unfolded", default_program, given, unfolded, reference_result.unspecified)
        if "folded" in modules:
            folded = run_function(case, program, "folded", given)
            _compare_pipelines(case, fill, "folded", default_program, given, folded, reference_result.unspecified)
            difference = first_difference(folded, unfolded, reference_result.unspecified)
            if difference and not (reference_result.known_issue and _is_legal_fold(case, modules["folded"])):
                raise _miscompiled(case, fill, difference, modules["folded"])
    undefined = dict.fromkeys(name for reference_result in reference_results for name in reference_result.undefined)
    known_issues = dict.fromkeys(
        reference_result.known_issue for reference_result in reference_results if reference_result.known_issue
    )
    return tuple(undefined), tuple(known_issues)


def compare_with_reference(
    case: Case, fill: str, arrays: dict[str, np.ndarray], got: tuple[np.ndarray, ...]
) -> ReferenceResult:
    """Compare the unfolded run with the NumPy reference; a difference is TVM's fault (or the reference's)."""
    wants = outputs(case, arrays)
    wrong = _differs(got, wants)
    if wrong is None:
        return _undefined(wants)
    known_issue = find_known_issue(case)
    if known_issue is not None and not (known_issue.dtype_only and _differs(got, wants, any_dtype=True)):
        return ReferenceResult(known_issue=known_issue.name)
    detail = f"TVM's unfolded function, {_where(case, fill)}: {wrong.text}"
    raise failure("OracleDisagreement", case, wrong.symptom, detail)


NOT_COMPARED = "sum that may overflow or has no error bound"


def _undefined(wants: tuple[Reference, ...]) -> ReferenceResult:
    """What the reference could not judge. Where TVM itself leaves elements open, the fold may change them."""
    names: dict[str, None] = {}
    for want in wants:
        names.update(dict.fromkeys(want.reasons))
        if not (want.defined | (False if want.unspecified is None else want.unspecified)).all():
            names[NOT_COMPARED] = None
    return ReferenceResult(unspecified=tuple(want.unspecified for want in wants), undefined=tuple(names))


def _differs(
    got: tuple[np.ndarray, ...], wants: tuple[Reference, ...], *, any_dtype: bool = False
) -> Difference | None:
    differences = (within(g, want, any_dtype=any_dtype) for g, want in zip(got, wants, strict=True))
    return next((d for d in differences if d), None)


def first_difference(
    got: tuple[np.ndarray, ...], want: tuple[np.ndarray, ...], unspecified: tuple[np.ndarray | None, ...]
) -> Difference | None:
    """Between the outputs of both functions, bit by bit; elements that TVM leaves open left out."""
    if len(got) != len(want):
        return Difference("shape", f"{len(got)} outputs, but should be {len(want)}")
    for i, where in enumerate(unspecified):
        if where is not None and got[i].shape == want[i].shape and got[i].dtype == want[i].dtype:
            got = (*got[:i], np.where(where, want[i], got[i]), *got[i + 1 :])
    return next((d for g, w in zip(got, want, strict=True) if (d := bitwise(g, w))), None)


def _miscompiled(case: Case, fill: str, difference: Difference, folded: ir.Module) -> Failure:
    """The pass is at fault, unless what it made is the right fold and TVM executes that one wrongly."""
    detail = f"{_where(case, fill)}: {difference.text}"
    if _is_legal_fold(case, folded):
        text = f"TVM's kernel of the right fold, {detail}"
        return failure("OracleDisagreement", case, f"folded {difference.symptom}", text)
    kind = "Miscompile" if difference.symptom == "values" else "WrongType"
    return failure(kind, case, difference.symptom, f"folded, {detail}")


def _is_legal_fold(case: Case, folded: ir.Module) -> bool:
    """Whether the folded function is, letter by letter, one that the reference calls equal to the case."""
    return any(ir.same(build(right, with_pad=False)[MAIN], folded[MAIN]) for right in legal_folds(case))


def _where(case: Case, fill: str) -> str:
    layouts = "/".join(filter(None, (case.data_order, case.kernel_order)))
    return f"{case.op} {layouts} {case.dtype}, fill {fill!r}"
