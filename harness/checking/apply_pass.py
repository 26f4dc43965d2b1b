"""The pass at work on a case, and all that can be asked of what it made without running it."""

from collections.abc import Callable

from foldproof.case import Case
from foldproof.checking.failures import failure
from foldproof.fold import FoldExplicitPadding, Outcome
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.build import MAIN

Fold = Callable[[ir.Module], ir.Module]
"""A pass: a ``tvm.transform.Pass``, or any function from module to module."""


def apply_pass(case: Case, fold: Fold, unfolded: ir.Module) -> ir.Module:
    """What the pass makes of a module, which it leaves alone. Raises a ``Failure``."""
    return apply_and_explain(case, fold, unfolded)[0]


def apply_and_explain(case: Case, fold: Fold, unfolded: ir.Module) -> tuple[ir.Module, tuple[Outcome, ...]]:
    """What the pass makes of a module, which it leaves alone, and what the bundled one says of it.

    That one is asked for both at once, and so not through TVM's pass manager, which ``check_again`` and a test of both
    ways (tests/checking/test_check.py) go through. Raises a ``Failure``.
    """
    before = unfolded.clone()
    outcomes: tuple[Outcome, ...] = ()
    try:
        if isinstance(fold, FoldExplicitPadding):
            folded, reports = fold.fold_and_explain(unfolded)
            outcomes = tuple(report.outcome for report in reports)
        else:
            folded = fold(unfolded)
    except (Exception, SystemExit) as error:
        raise failure("CompileError", case, "pass", f"the pass raised {ir.short_error(error)}") from error
    if not isinstance(folded, ir.Module):
        raise failure("CompileError", case, "pass", f"the pass returned {type(folded).__name__}, not an IRModule")
    if not ir.same(before, unfolded):
        raise failure("InputMutated", case, "module", "the pass changed the module that it was given")
    return folded, outcomes


def check_form(case: Case, unfolded: ir.Module, folded: ir.Module) -> None:
    """Well formed (which includes the types of all calls), and of the same type. Raises a ``Failure``."""
    if objection := ir.well_formedness_error(folded):
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
        raise failure(
            "CompileError", case, "pass", f"the pass raised on its own result: {ir.short_error(error)}"
        ) from error
    if not ir.same(folded, again):
        raise failure("NotIdempotent", case, "module", "the pass applied to its own result changes it again")
