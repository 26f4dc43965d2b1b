"""check(case): build, fold, compile, run, compare. The heart of the harness.

case -> build -> unfolded ------------------> run --> out_ref  --+
                    |                                            +-- compare -> Verdict | Failure
                    +--> fold --> folded ---> run --> out_fold --+
inputs + NumPy reference ---------------------------> out_np   --+
"""

import sys
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from foldproof.case import Case
from foldproof.checking.apply_pass import Fold, apply_and_explain, check_again, check_form
from foldproof.checking.crosscheck import SAMPLE, confirm, is_sampled
from foldproof.checking.execution import compare_runs, compile_case, compile_default_program, known_compile_issue
from foldproof.checking.failures import CompileError, Failure, PipelineDisagreement, failure
from foldproof.checking.result import Verdict
from foldproof.core.loading import load_fold
from foldproof.fold import FoldExplicitPadding, Outcome, Refused
from foldproof.ir.relax import module as ir
from foldproof.ir.relax import residual_pads as pads
from foldproof.ir.relax.build import build
from foldproof.ir.relax.known_issues import find_known_issue
from foldproof.ir.relax.targets import DEFAULT, FAST, Program, Target, parse_target
from foldproof.oracle.legality import Legality, is_unproved_copy, legality
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions, find_unused_option


def check(
    case: Case,
    fold: Fold | None = None,
    target: str | Target = "llvm",
    *,
    complete: bool | None = None,
    sample: float = SAMPLE,
) -> Verdict:
    """Compile and run a case with and without the pass, and compare the outputs.

    Args:
        case: the case.
        fold: the pass: a ``tvm.transform.Pass``, or a function from IRModule to IRModule; None is the bundled pass.
        target: the TVM target: kind, tag or JSON.
        complete: whether a legal fold that the pass misses is a failure; None means only for the bundled pass.
        sample: the share of passing cases, 0 to 1, that the default pipeline runs as well. Every failure is run by
            both pipelines.

    Returns:
        What was seen of a case that passes: whether it was folded, by which rules, or why not.

    Raises:
        Failure: if the case fails; its class, ``symptom`` and ``detail`` tell how.
        TargetError: for an unknown target.
    """
    pass_: Any = load_fold(None) if fold is None else fold
    complete = (isinstance(pass_, FoldExplicitPadding) and pass_.complete) if complete is None else complete
    target = parse_target(target) if isinstance(target, str) else target

    verdict = _confirmed(prepare(case, pass_, complete=complete), target, sample)
    _tell_hypothesis(verdict)
    return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case built, folded and found well formed. ``modules`` are those to compile and run: none, one or two.

    ``outcomes`` are what the pass says of it, where that is the bundled one, and ``promises`` what its options do.
    """

    case: Case
    complete: bool
    options: PassOptions
    unfolded: ir.Module
    folded: ir.Module
    modules: dict[str, ir.Module]
    outcomes: tuple[Outcome, ...]


def prepare(case: Case, fold: Fold, *, complete: bool) -> Prepared:
    """What can be said of a case without compiling it. Raises a ``Failure``."""
    unfolded = build(case)
    folded, outcomes = apply_and_explain(case, fold, unfolded)
    if not folded.same_as(unfolded):  # tests/ir/relax/test_build.py: what ``build`` makes is well formed
        check_form(case, unfolded, folded)
        check_again(case, fold, folded)
    return prepared_from(case, unfolded, folded, outcomes, complete=complete, options=options_of(fold))


def options_of(fold: Fold) -> PassOptions:
    """What the options of the bundled pass say; nothing of another pass."""
    if not (isinstance(fold, FoldExplicitPadding) and fold.complete):
        return NO_OPTIONS
    return PassOptions(corrects=fold.options.nonzero != "refuse", slices=fold.options.channels == "slice")


def prepared_from(
    case: Case,
    unfolded: ir.Module,
    folded: ir.Module,
    outcomes: tuple[Outcome, ...] = (),
    *,
    complete: bool,
    options: PassOptions = NO_OPTIONS,
) -> Prepared:
    """A case whose folded module is well formed: what of it is to be compiled and run."""
    changed = not ir.same(unfolded, folded)
    known_issue = find_known_issue(case)
    modules = {"unfolded": unfolded, "folded": folded} if changed else {"unfolded": unfolded}
    runs = known_issue is None or known_issue.runs
    return Prepared(
        case=case,
        complete=complete,
        options=options,
        unfolded=unfolded,
        folded=folded,
        modules=modules if runs else {},
        outcomes=outcomes,
    )


def _confirmed(prepared: Prepared, target: Target, sample: float) -> Verdict:
    """What the fast pipeline makes of a case, its failures only if the default one fails in the same way."""
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


def conclude(prepared: Prepared, target: Target, *, program: Program | None = None, sample: float = 0.0) -> Verdict:
    """Compile, run and compare. Raises a ``Failure``, which is not confirmed by the default pipeline yet.

    ``program`` is what ``prepared.modules`` were compiled to, if they are already. ``sample`` is the share of cases
    whose outputs are compared with those of the default pipeline, where the target has another one.
    """
    case, modules = prepared.case, prepared.modules
    undefined: tuple[str, ...] = ()
    default_program, fallback = None, ""
    known_issue = find_known_issue(case)
    known_issues: tuple[str, ...] = () if modules or known_issue is None else (known_issue.name,)
    if modules:
        try:
            program = compile_case(case, modules, target) if program is None else program
            default_program = compile_default_program(case, modules, target) if is_sampled(case, sample) else None
            undefined, known_issues = compare_runs(case, program, modules, default_program)
            fallback = program.fallback
        except CompileError as error:
            excused = known_compile_issue(case, error)
            if excused is None:
                raise
            known_issues = (excused,)
    verdict = _verdict(prepared, undefined, known_issues)
    return replace(verdict, sampled=default_program is not None, fallback=fallback)


# --- verdict ------------------------------------------------------------------------------------------


def _verdict(prepared: Prepared, undefined: tuple[str, ...], known_issues: tuple[str, ...]) -> Verdict:
    case, unfolded, folded, outcomes = prepared.case, prepared.unfolded, prepared.folded, prepared.outcomes
    left = pads.count_residual_pads(folded)
    before = left if folded.same_as(unfolded) else pads.count_residual_pads(unfolded)
    idle = pads.count_identity_pads(folded) > 0 and not is_unproved_copy(case)
    allowed = Legality.LEGAL if idle else legality(case) if left else None
    known_issue = find_known_issue(case)
    executed_wrongly = known_issue is not None and not known_issue.dtype_only
    if prepared.complete and not executed_wrongly:
        message = "; ".join(outcome.detail for outcome in outcomes if isinstance(outcome, Refused)) or "no reason given"
        if allowed is Legality.LEGAL:
            raise failure(
                "MissedFold", case, "pad left", f"the pad could be folded for every input, but was not: {message}"
            )
        if promise := _broken(prepared, left):
            raise failure("MissedFold", case, "option unused", f"{promise}, but the pad was not folded: {message}")
    return Verdict(
        folded=left < before,
        legality=allowed,
        rules=tuple(outcome.rule for outcome in outcomes if not isinstance(outcome, Refused)),
        reasons=tuple((str(outcome.kind), outcome.detail) for outcome in outcomes if isinstance(outcome, Refused)),
        undefined=undefined,
        known_issues=known_issues,
    )


def _broken(prepared: Prepared, left: int) -> str:
    """The promise of an option that was not kept; empty if all were."""
    if prepared.options == NO_OPTIONS:
        return ""
    channels = pads.count_channel_pads(prepared.folded)
    return find_unused_option(prepared.case, prepared.options, spatial=left > 0, channels=channels > 0)


def _tell_hypothesis(verdict: Verdict) -> None:
    """Outcomes and reasons as events, for ``--hypothesis-show-statistics``; only inside a test of Hypothesis."""
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


class _Callable(ModuleType):
    """``from harness import check`` means the function, but Python binds this module to the same name.

    So the module can be called too, whichever of the two a user gets.
    """

    __call__ = staticmethod(check)


sys.modules[__name__].__class__ = _Callable
