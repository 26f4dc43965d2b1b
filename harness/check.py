"""check(case): build, fold, compile, run, compare. The heart of the harness.

case -> build -> unfolded ------------------> run --> out_ref  --+
                    |                                            +-- compare -> Verdict | Failure
                    +--> fold --> folded ---> run --> out_fold --+
inputs + NumPy reference ---------------------------> out_np   --+
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from harness import ir, pads
from harness.build import MAIN, build
from harness.case import Case
from harness.compare import Difference, bitwise, within
from harness.failures import CompileError, Failure, PipelineDisagreement, failure
from harness.fidelity import SAMPLE, confirmed, sampled
from harness.findings import finding_of, finding_raised
from harness.fold import FoldExplicitPadding, Refused
from harness.inputs import inputs, parameters
from harness.legality import Legality, legality, right_folds, unproved_copy
from harness.loading import load_fold
from harness.reference import Reference, outputs
from harness.targets import DEFAULT, FAST, Program, Target, compile_functions, parse_target
from harness.verdict import Verdict

UNJUDGED = "sum that may overflow or has no error bound"

Fold = Callable[[ir.Module], ir.Module]
"""A pass: a ``tvm.transform.Pass``, or any function from module to module."""


def check(
    case: Case,
    fold: Fold | None = None,
    target: str | Target = "llvm",
    *,
    complete: bool | None = None,
    sample: float = SAMPLE,
) -> Verdict:
    """Compile and run ``case`` with and without the pass, and compare. Raises a ``Failure``.

    ``fold`` is the bundled pass unless given. ``complete`` also fails on a legal fold that was not made; by default
    for the bundled pass alone. On a target of the fast pipeline, every failure and a share of ``sample`` (0 to 1) of
    the other cases goes through the default pipeline too. Raises TargetError for an unknown target.
    """
    pass_: Any = load_fold(None) if fold is None else fold
    complete = (isinstance(pass_, FoldExplicitPadding) and pass_.complete) if complete is None else complete
    target = parse_target(target) if isinstance(target, str) else target

    verdict = _confirmed(prepare(case, pass_, complete=complete), target, sample)
    _tell_hypothesis(verdict)
    return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case built, folded and found well formed. ``modules`` are those to compile and run: none, one or two."""

    case: Case
    fold: Fold
    complete: bool
    unfolded: ir.Module
    folded: ir.Module
    modules: dict[str, ir.Module]


def prepare(case: Case, fold: Fold, *, complete: bool) -> Prepared:
    """What can be said of a case without compiling it. Raises a ``Failure``."""
    unfolded = build(case)
    folded = applied(case, fold, unfolded)
    if not folded.same_as(unfolded):  # what ``build`` makes is well formed (tests/test_build.py), and was just given
        check_form(case, unfolded, folded)
        check_again(case, fold, folded)
    return prepared_from(case, fold, unfolded, folded, complete=complete)


def prepared_from(case: Case, fold: Fold, unfolded: ir.Module, folded: ir.Module, *, complete: bool) -> Prepared:
    """A case whose folded module is well formed: what of it is to be compiled and run."""
    changed = not ir.same(unfolded, folded)
    finding = finding_of(case)
    modules = {"unfolded": unfolded, "folded": folded} if changed else {"unfolded": unfolded}
    runs = finding is None or finding.runs
    return Prepared(
        case=case, fold=fold, complete=complete, unfolded=unfolded, folded=folded, modules=modules if runs else {}
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
        told = confirmed(found, _failure(prepared, target.with_pipeline(DEFAULT)))
        if told is found:
            raise
        raise told from found


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
    twin, fallback = None, ""
    finding = finding_of(case)
    findings: tuple[str, ...] = () if modules or finding is None else (finding.name,)
    if modules:
        try:
            program = _compile(case, modules, target) if program is None else program
            twin = _compile_twin(case, modules, target) if sampled(case, sample) else None
            undefined, findings = _compare_runs(case, program, modules, twin)
            fallback = program.fallback
        except CompileError as error:
            excuse = _excuse(case, error)
            if excuse is None:
                raise
            findings = (excuse,)
    verdict = _verdict(
        case, prepared.fold, prepared.unfolded, prepared.folded, undefined, findings, complete=prepared.complete
    )
    return replace(verdict, sampled=twin is not None, fallback=fallback)


def _excuse(case: Case, error: CompileError) -> str | None:
    """The known defect of TVM that keeps the unfolded function from being compiled."""
    raised = finding_raised(case, str(error.__cause__)) if "unfolded" in error.symptom else None
    return None if raised is None else raised.name


# --- fold ---------------------------------------------------------------------------------------------


def applied(case: Case, fold: Fold, unfolded: ir.Module) -> ir.Module:
    """What the pass makes of a module, which it leaves alone. Raises a ``Failure``."""
    before = unfolded.clone()
    try:
        folded = fold(unfolded)
    except (Exception, SystemExit) as error:
        raise failure("CompileError", case, "pass", f"the pass raised {ir.said(error)}") from error
    if not isinstance(folded, ir.Module):
        raise failure("CompileError", case, "pass", f"the pass returned {type(folded).__name__}, not an IRModule")
    if not ir.same(before, unfolded):
        raise failure("InputMutated", case, "module", "the pass changed the module that it was given")
    return folded


def check_form(case: Case, unfolded: ir.Module, folded: ir.Module) -> None:
    """Well formed (which includes the types of all calls), and of the same type. Raises a ``Failure``."""
    if objection := ir.ill_formed(folded):
        raise failure("IllFormed", case, "module", f"the folded module is not well formed: {objection}")
    if MAIN not in folded:
        raise failure("IllFormed", case, "module", f"the folded module has no function {MAIN!r}")
    want, got = unfolded[MAIN].ret_ty, folded[MAIN].ret_ty
    if not ir.same(want, got):
        raise failure("WrongType", case, "return type", f"the folded function returns {got}, but should return {want}")


def check_again(case: Case, fold: Fold, folded: ir.Module) -> None:
    """Left alone the second time. Raises a ``Failure``."""
    try:
        again = fold(folded)
    except (Exception, SystemExit) as error:
        raise failure("CompileError", case, "pass", f"the pass raised on its own result: {ir.said(error)}") from error
    if not ir.same(folded, again):
        raise failure("NotIdempotent", case, "module", "the pass applied to its own result changes it again")


# --- compile and run ----------------------------------------------------------------------------------


def _compile(case: Case, modules: dict[str, ir.Module], target: Target) -> Program:
    try:
        return compile_functions(modules, target)
    except Exception as error:
        # Which of the two was it? The unfolded function alone tells whether the pass is to blame.
        symptom = "unfolded" if len(modules) == 1 or _fails_alone(modules, target) else "folded"
        raise failure(
            "CompileError", case, symptom, f"TVM does not compile the {symptom} function: {ir.said(error)}"
        ) from error


def _fails_alone(modules: dict[str, ir.Module], target: Target) -> bool:
    try:
        compile_functions({"unfolded": modules["unfolded"]}, target)
    except Exception:  # noqa: BLE001, the caller reports it with the first error as the cause
        return True
    return False


def _run(case: Case, program: Program, name: str, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    try:
        return program.run(name, arrays)
    except Exception as error:
        raise failure(
            "CompileError", case, f"run {name}", f"running the {name} function raised {ir.said(error)}"
        ) from error


# --- both pipelines -----------------------------------------------------------------------------------


def _compile_twin(case: Case, modules: dict[str, ir.Module], target: Target) -> Program | None:
    """The program of the default pipeline; None if ``target`` has no other, or that one has a known defect here."""
    if target.pipeline != FAST:
        return None
    with _default_only(case):
        try:
            return _compile(case, modules, target.with_pipeline(DEFAULT))
        except CompileError as error:
            if _excuse(case, error) is None:
                raise
            return None


def _compare_pipelines(
    case: Case,
    fill: str,
    name: str,
    twin: Program | None,
    arrays: dict[str, np.ndarray],
    got: tuple[np.ndarray, ...],
    open_elements: tuple[np.ndarray | None, ...],
) -> None:
    """The default pipeline says what the fast one should give; elements that TVM leaves open left out."""
    if twin is None:
        return
    with _default_only(case):
        want = _run(case, twin, name, arrays)
    difference = _first_difference(got, want, open_elements)
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
class _Opinion:
    """What the reference says of the unfolded run: which elements of each output are open, what is undefined and why.

    ``finding`` names a known defect of TVM that makes the unfolded result wrong, values and all.
    """

    open: tuple[np.ndarray | None, ...] = ()
    undefined: tuple[str, ...] = ()
    finding: str = ""


def _compare_runs(
    case: Case, program: Program, modules: dict[str, ir.Module], twin: Program | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what is undefined, known defects of TVM) over all fills; raises on any other difference."""
    opinions = []
    for fill in case.fills:
        arrays = inputs(case, fill)
        given = parameters(case, arrays)
        unfolded = _run(case, program, "unfolded", given)
        opinion = _ask_reference(case, fill, arrays, unfolded)
        opinions.append(opinion)
        _compare_pipelines(case, fill, "unfolded", twin, given, unfolded, opinion.open)
        if "folded" in modules:
            folded = _run(case, program, "folded", given)
            _compare_pipelines(case, fill, "folded", twin, given, folded, opinion.open)
            difference = _first_difference(folded, unfolded, opinion.open)
            if difference and not (opinion.finding and _is_right_fold(case, modules["folded"])):
                raise _miscompiled(case, fill, difference, modules["folded"])
    undefined = dict.fromkeys(name for opinion in opinions for name in opinion.undefined)
    findings = dict.fromkeys(opinion.finding for opinion in opinions if opinion.finding)
    return tuple(undefined), tuple(findings)


def _ask_reference(case: Case, fill: str, arrays: dict[str, np.ndarray], got: tuple[np.ndarray, ...]) -> _Opinion:
    """Compare the unfolded run with the NumPy reference; a difference is TVM's fault (or the reference's)."""
    wants = outputs(case, arrays)
    wrong = _differs(got, wants)
    if wrong is None:
        return _undefined(wants)
    finding = finding_of(case)
    if finding is not None and not (finding.dtype_only and _differs(got, wants, any_dtype=True)):
        return _Opinion(finding=finding.name)
    detail = f"TVM's unfolded function, {_where(case, fill)}: {wrong.text}"
    raise failure("OracleDisagreement", case, wrong.symptom, detail)


def _undefined(wants: tuple[Reference, ...]) -> _Opinion:
    """What the reference could not judge. Where TVM itself leaves elements open, the fold may change them."""
    names: dict[str, None] = {}
    for want in wants:
        names.update(dict.fromkeys(want.reasons))
        if not (want.defined | (False if want.open is None else want.open)).all():
            names[UNJUDGED] = None
    return _Opinion(open=tuple(want.open for want in wants), undefined=tuple(names))


def _differs(
    got: tuple[np.ndarray, ...], wants: tuple[Reference, ...], *, any_dtype: bool = False
) -> Difference | None:
    differences = (within(g, want, any_dtype=any_dtype) for g, want in zip(got, wants, strict=True))
    return next((d for d in differences if d), None)


def _first_difference(
    got: tuple[np.ndarray, ...], want: tuple[np.ndarray, ...], opened: tuple[np.ndarray | None, ...]
) -> Difference | None:
    """Between the outputs of both functions, bit by bit; elements that TVM leaves open left out."""
    if len(got) != len(want):
        return Difference("shape", f"{len(got)} outputs, but should be {len(want)}")
    for i, where in enumerate(opened):
        if where is not None and got[i].shape == want[i].shape and got[i].dtype == want[i].dtype:
            got = (*got[:i], np.where(where, want[i], got[i]), *got[i + 1 :])
    return next((d for g, w in zip(got, want, strict=True) if (d := bitwise(g, w))), None)


def _miscompiled(case: Case, fill: str, difference: Difference, folded: ir.Module) -> Failure:
    """The pass is at fault, unless what it made is the right fold and TVM executes that one wrongly."""
    detail = f"{_where(case, fill)}: {difference.text}"
    if _is_right_fold(case, folded):
        text = f"TVM's kernel of the right fold, {detail}"
        return failure("OracleDisagreement", case, f"folded {difference.symptom}", text)
    kind = "Miscompile" if difference.symptom == "values" else "WrongType"
    return failure(kind, case, difference.symptom, f"folded, {detail}")


def _is_right_fold(case: Case, folded: ir.Module) -> bool:
    """Whether the folded function is, letter by letter, one that the reference calls equal to the case."""
    return any(ir.same(build(right, with_pad=False)[MAIN], folded[MAIN]) for right in right_folds(case))


def _where(case: Case, fill: str) -> str:
    layouts = "/".join(filter(None, (case.data_order, case.kernel_order)))
    return f"{case.op} {layouts} {case.dtype}, fill {fill!r}"


# --- verdict ------------------------------------------------------------------------------------------


def _verdict(
    case: Case,
    fold: Fold,
    unfolded: ir.Module,
    folded: ir.Module,
    undefined: tuple[str, ...],
    findings: tuple[str, ...],
    *,
    complete: bool,
) -> Verdict:
    left = pads.pads_in_front(folded)
    outcomes: list[Any] = []
    if isinstance(fold, FoldExplicitPadding):
        outcomes = [report.outcome for report in fold.explain(unfolded, check_input=False)]
    idle = pads.idle_pads(folded) > 0 and not unproved_copy(case)
    allowed = Legality.LEGAL if idle else legality(case) if left else None
    finding = finding_of(case)
    executed_wrongly = finding is not None and not finding.dtype_only
    if complete and allowed is Legality.LEGAL and not executed_wrongly:
        said = "; ".join(outcome.detail for outcome in outcomes if isinstance(outcome, Refused)) or "no reason given"
        raise failure("MissedFold", case, "pad left", f"the pad could be folded for every input, but was not: {said}")
    return Verdict(
        folded=left < pads.pads_in_front(unfolded),
        legality=allowed,
        rules=tuple(outcome.rule for outcome in outcomes if not isinstance(outcome, Refused)),
        reasons=tuple((str(outcome.kind), outcome.detail) for outcome in outcomes if isinstance(outcome, Refused)),
        undefined=undefined,
        findings=findings,
    )


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
    for name in (*verdict.undefined, *verdict.findings):
        hypothesis.event(f"not compared: {name}")


class _Callable(ModuleType):
    """``from harness import check`` means the function, but Python binds this module to the same name.

    So the module can be called too, whichever of the two a user gets.
    """

    __call__ = staticmethod(check)


sys.modules[__name__].__class__ = _Callable
