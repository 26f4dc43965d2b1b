"""check(case): build, fold, compile, run, compare. The heart of the harness.

    prepare     case --build--> unfolded --pass--> folded           checked without running them
    conclude    unfolded --compile, run--> out_ref  --+
                folded   --compile, run--> out_fold --+-- compare --> Verdict | Failure
                inputs --NumPy reference-> out_np   --+

Invariant: a failure of the fast pipeline is raised only if the default pipeline fails in the same way.
"""

from dataclasses import replace
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.checking.comparison import Comparison
from foldproof.checking.completeness import judge_residual_pads, require_complete
from foldproof.checking.crosscheck import SAMPLE, confirm, is_sampled
from foldproof.checking.events import report_events
from foldproof.checking.execution import compare_runs, compile_case, compile_default_program, find_compile_issue
from foldproof.checking.failures import CheckArguments, CompileError, Failure, PipelineDisagreement
from foldproof.checking.opinions import ask_second_opinion, find_known_defect
from foldproof.checking.prepare import Prepared, is_complete, prepare
from foldproof.checking.result import Verdict
from foldproof.core.loading import load_pass
from foldproof.ir.base import DEFAULT, FAST, Pass, Program, Target, ir_of


def check(
    case: AnyCase,
    fold: Pass | None = None,
    target: str | Any = "llvm",
    *,
    complete: bool | None = None,
    sample: float = SAMPLE,
) -> Verdict:
    """Compile and run a case with and without a pass, and compare the outputs.

    Args:
        case: the case.
        fold: the pass: any callable from module to module; None is the bundled pass. A pass for another IR than Relax
            names that IR with its attribute ``foldproof_ir``.
        target: a target of the IR, by name or as its ``parse_target`` returns it.
        complete: whether a legal fold that the pass misses is a failure. None means: if the pass has a true attribute
            ``complete``, as the bundled pass has.
        sample: the share of passing cases, 0 to 1, that the default pipeline runs as well. Both pipelines run every
            failure.

    Returns:
        The verdict on a case that passes: whether it was folded, by which rules, and what could not be compared.

    Raises:
        Failure: if the case fails. Its class, ``symptom`` and ``detail`` describe how (``foldproof.failures``).
        UsageError: if the target is unknown.
    """
    pass_: Any = load_pass(None) if fold is None else fold
    complete = is_complete(pass_) if complete is None else complete
    target = ir_of(pass_).parse_target(target) if isinstance(target, str) else target

    try:
        verdict = _check(case, pass_, target, complete=complete, sample=sample)
    except Failure as failure:
        failure.checked_with = CheckArguments(fold=pass_, target=target, complete=complete)
        raise
    report_events(verdict)
    return verdict


def _check(case: AnyCase, pass_: Any, target: Any, *, complete: bool, sample: float) -> Verdict:
    """Prepare and conclude. Another implementation, or a known defect of the pass, may explain a failure."""
    prepared = None
    try:
        prepared = prepare(case, pass_, complete=complete, sample=sample)
        return _conclude_confirmed(prepared, target, sample)
    except Failure as failure:
        asked = ask_second_opinion(failure, prepared)
        if isinstance(asked, Verdict):
            return asked
        if (name := find_known_defect(asked, case, pass_, target, _passes)) is not None:
            return Verdict(folded=False, known_issues=(name,))
        if asked is failure:
            raise
        raise asked from failure


def _passes(case: AnyCase, pass_: Any, target: Any, executed: bool) -> bool:
    """Whether a case does not fail, or shows another known defect of the pass; and, if so asked, is executed."""
    try:
        verdict = check(case, pass_, target, complete=False, sample=0.0)
    except Failure:
        return False
    defects = {defect.name for defect in getattr(pass_, "known_defects", ())}
    return not verdict.unsupported and (not executed or set(verdict.known_issues) <= defects)


def conclude(prepared: Prepared, target: Target, *, program: Program | None = None, sample: float = 0.0) -> Verdict:
    """Compile and run what was prepared, compare the outputs, and judge the pads that the pass left.

    Args:
        prepared: the case with its modules.
        target: the target, with its pipeline.
        program: what ``prepared.modules`` were compiled to, if they are compiled already.
        sample: the share of cases whose outputs are compared with those of the default pipeline, if the target is of
            another one.

    Raises:
        Failure: if the case fails. It is not confirmed by the default pipeline yet.
    """
    if prepared.evidence.unsupported:
        return Verdict(folded=False, unsupported=prepared.evidence.unsupported)
    with prepared.evidence.naming_known_issue():
        comparison = _compare(prepared, target, program, sample)
        before, after, legality = judge_residual_pads(prepared)
        declined = require_complete(prepared, after, legality) if prepared.complete else ()
    return Verdict(
        folded=after.foldable < before.foldable,
        legality=legality,
        rules=tuple(outcome.rule for outcome in prepared.outcomes if outcome.folded),
        reasons=tuple((outcome.kind, outcome.detail) for outcome in prepared.outcomes if not outcome.folded),
        declined=declined,
        undefined=comparison.undefined,
        known_issues=comparison.known_issues,
        sampled=comparison.sampled,
        fallback=comparison.fallback,
    )


def _compare(prepared: Prepared, target: Target, program: Program | None, sample: float) -> Comparison:
    """Compile, run and compare. A known issue of the compiler is not a failure: the comparison names it."""
    evidence, modules = prepared.evidence, prepared.modules
    if not modules:
        return Comparison(known_issues=() if evidence.known_issue is None else (evidence.known_issue.name,))
    default_program = None
    try:
        program = compile_case(evidence, modules, target) if program is None else program
        if is_sampled(evidence.case, sample):
            default_program = compile_default_program(evidence, modules, target)
        comparison = compare_runs(evidence, program, modules, default_program)
        return replace(comparison, sampled=default_program is not None, fallback=program.fallback)
    except CompileError as error:
        issue = find_compile_issue(evidence, error, target)
        if not issue:
            raise
        return Comparison(known_issues=(issue,), sampled=default_program is not None)


# --- both pipelines -----------------------------------------------------------------------------------


def _conclude_confirmed(prepared: Prepared, target: Target, sample: float) -> Verdict:
    """Conclude. A failure of the fast pipeline counts only if the default pipeline fails in the same way.

    A known issue may prevent the default pipeline from compiling the case. Then nothing contradicts the fast one.
    """
    try:
        return conclude(prepared, target, sample=sample)
    except PipelineDisagreement:
        raise
    except Failure as failure:
        if target.pipeline != FAST:
            raise
        default = _conclude_or_failure(prepared, target.with_pipeline(DEFAULT))
        if isinstance(default, Verdict) and _was_not_compiled(prepared, default):
            raise
        confirmed = confirm(failure, default if isinstance(default, Failure) else None)
        if confirmed is failure:
            raise
        raise confirmed from failure


def _conclude_or_failure(prepared: Prepared, target: Target) -> Verdict | Failure:
    try:
        return conclude(prepared, target)
    except Failure as failure:
        return failure


def _was_not_compiled(prepared: Prepared, verdict: Verdict) -> bool:
    """Whether a known issue of the compiler prevented it from compiling the case."""
    return any(issue.raises and issue.name in verdict.known_issues for issue in prepared.evidence.ir.known_issues)
