"""check(case): build, fold, compile, run, compare. The heart of the harness.

case -> build -> unfolded ------------------> run --> out_ref  --+
                    |                                            +-- compare -> Verdict | Failure
                    +--> fold --> folded ---> run --> out_fold --+
inputs + NumPy reference ---------------------------> out_np   --+
"""

import sys
from dataclasses import dataclass, replace
from typing import Any

from foldproof.case import Case
from foldproof.checking.apply_pass import apply_and_explain, check_again, check_form
from foldproof.checking.crosscheck import SAMPLE, confirm, is_sampled
from foldproof.checking.evidence import Evidence
from foldproof.checking.execution import (
    Comparison,
    compare_runs,
    compile_case,
    compile_default_program,
    known_compile_issue,
)
from foldproof.checking.failures import CompileError, Failure, PipelineDisagreement, failure
from foldproof.checking.result import Verdict
from foldproof.core.loading import load_fold
from foldproof.ir.base import DEFAULT, FAST, Module, Outcome, Pass, Program, ResidualPads, Target, ir_of
from foldproof.oracle.legality import Legality
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions


def check(
    case: Case,
    fold: Pass | None = None,
    target: str | Any = "llvm",
    *,
    complete: bool | None = None,
    sample: float = SAMPLE,
) -> Verdict:
    """Compile and run ``case`` with and without a pass, and compare.

    Args:
        case: what to build, fold and run.
        fold: the pass, any callable from module to module; None is the bundled one. A pass for another IR than Relax
            names it with its attribute ``foldproof_ir``.
        target: a target of the IR, by name or as its ``parse_target`` returns it.
        complete: whether a legal fold that the pass misses is a failure too. None: as the attribute ``complete`` of the
            pass says, which the bundled one has.
        sample: share of the cases (0 to 1) that go through the compiler's default pipeline as well, besides all
            failures, on a target of the fast pipeline.

    Returns:
        What was seen: folded or not, and what could not be compared.

    Raises:
        Failure: of the class that says what is wrong (``foldproof.failures``).
        UsageError: for an unknown target.
    """
    pass_: Any = load_fold(None) if fold is None else fold
    complete = _is_complete(pass_) if complete is None else complete
    target = ir_of(pass_).parse_target(target) if isinstance(target, str) else target

    verdict = _confirmed(prepare(case, pass_, complete=complete), target, sample)
    _report_to_hypothesis(verdict)
    return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case built, folded and found well formed. ``modules`` are those to compile and run: none, one or two.

    ``outcomes`` are what the pass reports of its sites, and ``options`` what its options promise beyond legal folds.
    ``folded`` is None, like ``unfolded``, where the IR does not support the case.
    """

    evidence: Evidence
    complete: bool
    options: PassOptions
    unfolded: Module
    folded: Module
    modules: dict[str, Module]
    outcomes: tuple[Outcome, ...] = ()

    @property
    def case(self) -> Case:
        return self.evidence.case


def prepare(case: Case, pass_: Pass, *, complete: bool) -> Prepared:
    """Build and fold a case, and check all that can be checked without compiling. Raises a ``Failure``."""
    evidence = Evidence(case, ir_of(pass_))
    ir, options = evidence.ir, options_of(pass_)
    if evidence.unsupported:
        return Prepared(evidence=evidence, complete=complete, options=options, unfolded=None, folded=None, modules={})
    unfolded = ir.build(case)
    folded, outcomes = apply_and_explain(case, pass_, unfolded, ir)
    if not ir.identical(folded, unfolded):
        check_form(case, unfolded, folded, ir)
        check_again(case, pass_, folded, ir)
    return prepared_from(evidence, unfolded, folded, outcomes, complete=complete, options=options)


def options_of(pass_: Any) -> PassOptions:
    """Return what the options of a complete pass promise: its attribute ``options``, as the bundled one has it."""
    options = getattr(pass_, "options", None)
    if options is None or not _is_complete(pass_):
        return NO_OPTIONS
    nonzero, channels = getattr(options, "nonzero", "refuse"), getattr(options, "channels", "refuse")
    return PassOptions(corrects=nonzero != "refuse", slices=channels == "slice")


def prepared_from(
    evidence: Evidence,
    unfolded: Module,
    folded: Module,
    outcomes: tuple[Outcome, ...] = (),
    *,
    complete: bool,
    options: PassOptions = NO_OPTIONS,
) -> Prepared:
    """Return a case whose folded module is well formed, with the modules that are to be compiled and run."""
    changed = not evidence.ir.same(unfolded, folded)
    modules = {"unfolded": unfolded, "folded": folded} if changed else {"unfolded": unfolded}
    runs = evidence.known_issue is None or evidence.known_issue.runs
    return Prepared(
        evidence=evidence,
        complete=complete,
        options=options,
        unfolded=unfolded,
        folded=folded,
        modules=modules if runs else {},
        outcomes=outcomes,
    )


def conclude(prepared: Prepared, target: Target, *, program: Program | None = None, sample: float = 0.0) -> Verdict:
    """Compile, run and compare. Raises a ``Failure``, which is not confirmed by the default pipeline yet.

    ``program`` is what ``prepared.modules`` were compiled to, if they are already. ``sample`` is the share of cases
    whose outputs are compared with those of the default pipeline, where the target has another one.
    """
    evidence, modules = prepared.evidence, prepared.modules
    if evidence.unsupported:
        return Verdict(folded=False, unsupported=evidence.unsupported)
    issue = evidence.known_issue
    comparison = Comparison(known_issues=() if modules or issue is None else (issue.name,))
    default_program, fallback = None, ""
    if modules:
        try:
            program = compile_case(evidence, modules, target) if program is None else program
            if is_sampled(evidence.case, sample):
                default_program = compile_default_program(evidence, modules, target)
            comparison = compare_runs(evidence, program, modules, default_program)
            fallback = program.fallback
        except CompileError as error:
            known = known_compile_issue(evidence, error)
            if not known:
                raise
            comparison = Comparison(known_issues=(known,))
    verdict = _verdict(prepared, comparison)
    return replace(verdict, sampled=default_program is not None, fallback=fallback)


# --- both pipelines -----------------------------------------------------------------------------------


def _confirmed(prepared: Prepared, target: Target, sample: float) -> Verdict:
    """Conclude; a failure of the fast pipeline counts only if the default one fails in the same way."""
    try:
        return conclude(prepared, target, sample=sample)
    except PipelineDisagreement:
        raise
    except Failure as found:
        if target.pipeline != FAST:
            raise
        confirmed = confirm(found, _failure(prepared, target.with_pipeline(DEFAULT)))
        if confirmed is found:
            raise
        raise confirmed from found


def _failure(prepared: Prepared, target: Target) -> Failure | None:
    try:
        conclude(prepared, target)
    except Failure as found:
        return found
    return None


# --- verdict ------------------------------------------------------------------------------------------


def _verdict(prepared: Prepared, comparison: Comparison) -> Verdict:
    """Judge what the pass left. Raises MissedFold."""
    evidence, unfolded, folded = prepared.evidence, prepared.unfolded, prepared.folded
    ir = evidence.ir
    left = ir.residual_pads(folded)
    before = left if ir.identical(folded, unfolded) else ir.residual_pads(unfolded)
    legality = _legality_of(evidence, left)
    if prepared.complete:
        _require_complete(prepared, left, legality)
    refused = tuple((outcome.kind, outcome.detail) for outcome in prepared.outcomes if not outcome.folded)
    return Verdict(
        folded=left.foldable < before.foldable,
        legality=legality,
        rules=tuple(outcome.rule for outcome in prepared.outcomes if outcome.folded),
        reasons=refused,
        undefined=comparison.undefined,
        known_issues=comparison.known_issues,
    )


def _legality_of(evidence: Evidence, left: ResidualPads) -> Legality | None:
    """Return whether the pads that are left could be folded; None if none is left."""
    if left.identity > 0 and not evidence.is_unproved_copy:
        return Legality.LEGAL
    return evidence.legality if left.foldable else None


def _require_complete(prepared: Prepared, left: ResidualPads, legality: Legality | None) -> None:
    issue = prepared.evidence.known_issue
    if issue is not None and not issue.dtype_only:  # the compiler executes the case wrongly, so nobody has to fold it
        return
    reasons = "; ".join(o.detail for o in prepared.outcomes if not o.folded) or "no reason given"
    if legality is Legality.LEGAL:
        message = f"the pad could be folded for every input, but was not: {reasons}"
        raise failure("MissedFold", prepared.case, "pad left", message)
    if prepared.options == NO_OPTIONS:
        return
    spatial, channels = left.foldable > 0, left.channel > 0
    if unused := prepared.evidence.unused_option(prepared.options, spatial=spatial, channels=channels):
        message = f"{unused}, but the pad was not folded: {reasons}"
        raise failure("MissedFold", prepared.case, "option unused", message)


def _is_complete(pass_: Any) -> bool:
    """Whether the pass says that it makes every legal fold."""
    return getattr(pass_, "complete", False) is True


def _report_to_hypothesis(verdict: Verdict) -> None:
    """Report outcomes and reasons as events, for ``--hypothesis-show-statistics``, inside a test of Hypothesis only."""
    hypothesis: Any = sys.modules.get("hypothesis")
    if hypothesis is None or not hypothesis.currently_in_test_context():
        return
    hypothesis.event("folded" if verdict.folded else "refused")
    for rule in verdict.rules:
        hypothesis.event(f"rule: {rule}")
    for kind, _ in verdict.reasons:
        hypothesis.event(f"refused: {kind}")
    for name in (*verdict.undefined, *verdict.known_issues):
        hypothesis.event(f"not compared: {name}")
    if verdict.unsupported:
        hypothesis.event(f"not executed: {verdict.unsupported}")
