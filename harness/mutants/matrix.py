"""The kill matrix: a case through all defects. Equal modules are one, and only distinct ones are compiled and run.

    case -> build -> unfolded --each pass--> modules, equal ones once --one batch--> programs --conclude--> kills

Law: a defect is killed by a case if ``check(case, its pass, complete=True)`` raises a failure of the pass, another one
than the bundled pass gets. Passes are functions of the module: what equals the input folds to what it folded to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness import ir
from harness.build import build
from harness.case import Case
from harness.check import Fold, Prepared, applied, check_again, check_form, conclude, prepared_from
from harness.failures import (
    CompileError,
    Failure,
    IllFormed,
    InputMutated,
    Miscompile,
    MissedFold,
    NotIdempotent,
    TargetCrashed,
    TargetTimeout,
    WrongType,
    failure,
)
from harness.targets import Program, Target, compile_batch

BLAMING = (
    Miscompile,
    WrongType,
    IllFormed,
    InputMutated,
    NotIdempotent,
    MissedFold,
    CompileError,
    TargetCrashed,
    TargetTimeout,
)
"""Failures that blame the pass. Those that blame TVM or the harness kill nothing."""

BUNDLED = ""
"""The name of the bundled pass among the folds."""

Kills = dict[str, Failure]
"""Name of a defect -> the failure of its pass."""


@dataclass(slots=True, kw_only=True)
class Distinct:
    """A module, and the names of the passes that made it; ``failure`` is what is wrong with it."""

    case: Case
    unfolded: ir.Module
    folded: ir.Module
    names: list[str] = field(default_factory=list)
    failure: Failure | None = None

    @property
    def changed(self) -> bool:
        return not ir.same(self.folded, self.unfolded)


@dataclass(slots=True, kw_only=True)
class Folded:
    """A case through all passes: the distinct modules, and the failures of those that made none."""

    case: Case
    distinct: list[Distinct] = field(default_factory=list)
    failures: Kills = field(default_factory=dict)

    def kills(self) -> Kills:
        """The failures that blame a pass, and which the bundled one does not have."""
        found = self.failures | {
            name: each.failure for each in self.distinct if each.failure is not None for name in each.names
        }
        bundled = found.pop(BUNDLED, None)
        return {
            name: failed
            for name, failed in found.items()
            if isinstance(failed, BLAMING) and (bundled is None or failed.fingerprint != bundled.fingerprint)
        }


def matrix(cases: Sequence[Case], folds: Mapping[str, Fold], target: Target) -> list[Kills]:
    """The kills of each case. ``folds`` has the passes by name, ``BUNDLED`` among them."""
    through = [fold_all(case, folds) for case in cases]
    ready = [(each, _prepared(each)) for row in through for each in row.distinct if each.failure is None]
    programs = _compiled([prepared for _, prepared in ready], target)
    for i, (each, prepared) in enumerate(ready):
        each.failure = _concluded(prepared, target, programs.get(i))
    return [row.kills() for row in through]


# --- fold ---------------------------------------------------------------------------------------------


def fold_all(case: Case, folds: Mapping[str, Fold], *, form: bool = True) -> Folded:
    """The case through every pass. ``form`` asks of each module what ``check`` asks before anything runs."""
    row = Folded(case=case)
    unfolded = build(case)
    for name, fold in folds.items():
        try:
            folded = applied(case, fold, unfolded.clone())
            each = _distinct(row, unfolded, folded, form=form)
            if form and each.failure is None and each.changed:
                check_again(case, fold, folded)
            each.names.append(name)
        except Failure as found:
            row.failures[name] = found
    return row


def _distinct(row: Folded, unfolded: ir.Module, folded: ir.Module, *, form: bool) -> Distinct:
    """The entry of an equal module, or a new one."""
    known = next((each for each in row.distinct if ir.same(each.folded, folded)), None)
    if known is not None:
        return known
    each = Distinct(case=row.case, unfolded=unfolded, folded=folded)
    row.distinct.append(each)
    if form:
        try:
            check_form(row.case, unfolded, folded)
        except Failure as found:
            each.failure = found
    return each


# --- compile and run ----------------------------------------------------------------------------------


def _prepared(each: Distinct) -> Prepared:
    return prepared_from(each.case, _no_fold, each.unfolded, each.folded, complete=True)


def _no_fold(module: ir.Module) -> ir.Module:
    """Never called: what is asked of a pass has been asked."""
    return module


def _compiled(prepared: Sequence[Prepared], target: Target) -> dict[int, Program]:
    """The program of each, by its place; none if one of them does not compile, which then shows alone."""
    places = [i for i, each in enumerate(prepared) if each.modules]
    try:
        programs = compile_batch([prepared[i].modules for i in places], target)
    except Exception:  # noqa: BLE001, each is compiled again, alone
        return {}
    return dict(zip(places, programs, strict=True))


def _concluded(prepared: Prepared, target: Target, program: Program | None) -> Failure | None:
    try:
        conclude(prepared, target, program=program)
    except Failure as found:
        return found
    except Exception as error:  # noqa: BLE001, one case must not end the benchmark, and this blames no pass
        return failure("HarnessError", prepared.case, type(error).__name__, f"{type(error).__name__}: {error}")
    return None
