"""Compile both functions of a case, run them on all its inputs, and compare the outputs.

Outputs are compared with each other and with the NumPy reference (``comparison``), and for a sample of the cases with
the default pipeline.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from foldproof.case.any_case import AnyCase, without_kernels
from foldproof.checking.comparison import (
    Comparison,
    Masks,
    Outputs,
    compare_with_reference,
    compare_with_unfolded,
    first_difference,
)
from foldproof.checking.evidence import Arrays, Evidence
from foldproof.checking.failures import CompileError, failure
from foldproof.ir.base import DEFAULT, FAST, IR, Module, Program, Target, find_raised_issue


def compile_case(evidence: Evidence, modules: dict[str, Module], target: Target) -> Program:
    """Compile the modules of a case.

    Raises:
        CompileError: with the symptom ``unfolded`` or ``folded``. Only the latter blames the pass.
    """
    ir = evidence.ir
    try:
        return ir.compile([modules], target)[0]
    except Exception as error:
        # If the unfolded function alone does not compile either, the pass is not to blame.
        symptom = "unfolded" if len(modules) == 1 or _fails_unfolded(ir, modules, target) else "folded"
        message = f"{ir.compiler} does not compile the {symptom} function: {ir.short_error(error)}"
        raise failure("CompileError", evidence.case, symptom, message) from error


def _fails_unfolded(ir: IR, modules: dict[str, Module], target: Target) -> bool:
    try:
        ir.compile([{"unfolded": modules["unfolded"]}], target)
    except Exception:  # noqa: BLE001, the caller reports it with the first error as the cause
        return True
    return False


def run_function(evidence: Evidence, program: Program, name: str, arrays: Arrays) -> Outputs:
    """Return the outputs of a function.

    Raises:
        CompileError: if running it raises, whatever the error is.
    """
    try:
        return program.run(name, arrays)
    except Exception as error:
        message = f"running the {name} function raised {evidence.ir.short_error(error)}"
        raise failure("CompileError", evidence.case, f"run {name}", message) from error


def find_compile_issue(evidence: Evidence, error: CompileError, target: Target) -> str:
    """Return the name of the known issue that prevents compiling a function; empty if there is none.

    For the folded function, the compiler has to fail in the same way without the pass, with each pad as an op: a pad
    that is a kernel is lowered already, so that a right fold may be what brings an issue to light.
    """
    cause = error.__cause__
    if "unfolded" not in error.symptom:
        issue = None if cause is None else find_raised_issue(evidence.ir, evidence.case, str(cause))
        if issue is None or not issue.raises:
            return ""
        cause = _compile_error_of(evidence, without_kernels(evidence.case), target)
    issue = None if cause is None else find_raised_issue(evidence.ir, evidence.case, str(cause))
    return "" if issue is None else issue.name


def _compile_error_of(evidence: Evidence, case: AnyCase, target: Target) -> Exception | None:
    """Return what the compiler raises on a case without the pass; None if it compiles it."""
    try:
        evidence.ir.compile([{"unfolded": evidence.ir.build(case)}], target)
    except Exception as error:  # noqa: BLE001, the compiler may raise anything
        return error
    return None


def compare_runs(
    evidence: Evidence, program: Program, modules: dict[str, Module], default_program: Program | None
) -> Comparison:
    """Run both functions on all fills, and compare their outputs.

    Args:
        evidence: the case.
        program: the compiled functions.
        modules: the modules that they were compiled from.
        default_program: the same functions from the default pipeline; None to leave that comparison out.

    Raises:
        Failure: for a difference that nothing explains.
    """
    results = []
    for fill in evidence.inputs:
        arrays = evidence.arguments(fill)
        unfolded = _run_twice(evidence, program, "unfolded", fill)
        result = compare_with_reference(evidence, fill, unfolded, modules["unfolded"])
        results.append(result)
        _compare_pipelines(evidence, fill, "unfolded", default_program, arrays, unfolded, result.unspecified)
        if "folded" in modules:
            folded = _run_twice(evidence, program, "folded", fill)
            _compare_pipelines(evidence, fill, "folded", default_program, arrays, folded, result.unspecified)
            compare_with_unfolded(evidence, fill, folded, unfolded, result, modules["folded"])
    undefined = dict.fromkeys(name for result in results for name in result.undefined)
    known_issues = dict.fromkeys(result.known_issue for result in results if result.known_issue)
    return Comparison(tuple(undefined), tuple(known_issues))


def _run_twice(evidence: Evidence, program: Program, name: str, fill: str) -> Outputs:
    """Return the outputs of a function, after it computed the same bits twice, but for unspecified elements.

    Raises:
        Failure: NotDeterministic; or CompileError if running it raises.
    """
    arrays = evidence.arguments(fill)
    first, second = (run_function(evidence, program, name, arrays) for _ in range(2))
    unspecified = tuple(want.unspecified for want in evidence.reference[fill])
    difference = first_difference(second, first, unspecified)
    if difference is not None:
        detail = f"the {name} function, run a second time, {evidence.locate(fill)}: {difference.text}"
        raise failure("NotDeterministic", evidence.case, f"{name} {difference.symptom}", detail)
    return first


# --- both pipelines -----------------------------------------------------------------------------------


def compile_default_program(evidence: Evidence, modules: dict[str, Module], target: Target) -> Program | None:
    """Compile through the default pipeline.

    Returns:
        The program; None if ``target`` already is of the default pipeline, or if a known issue prevents compiling.

    Raises:
        PipelineDisagreement: if it does not compile for another reason.
    """
    if target.pipeline != FAST:
        return None
    with _blame_default(evidence.case):
        try:
            return compile_case(evidence, modules, target.with_pipeline(DEFAULT))
        except CompileError as error:
            if not find_compile_issue(evidence, error, target.with_pipeline(DEFAULT)):
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
    """Require the same bits from the default pipeline, but for unspecified elements."""
    if default_program is None:
        return
    case = evidence.case
    with _blame_default(case):
        want = run_function(evidence, default_program, name, arrays)
    difference = first_difference(got, want, unspecified)
    if difference is not None:
        detail = f"the fast pipeline's {name} function, {evidence.locate(fill)}: {difference.text}"
        raise failure("PipelineDisagreement", case, f"{name} {difference.symptom}", detail)


@contextmanager
def _blame_default(case: AnyCase) -> Iterator[None]:
    """Turn a CompileError of the default pipeline alone into a PipelineDisagreement."""
    try:
        yield
    except CompileError as error:
        symptom = "CompileError in the default one only"
        raise failure("PipelineDisagreement", case, symptom, f"through the default pipeline, {error.detail}") from error
