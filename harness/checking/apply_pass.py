"""Apply the pass to a case, and check everything about its result that needs no execution."""

from typing import Any

from foldproof.case import Case
from foldproof.checking.failures import failure
from foldproof.ir.base import IR, Module, Outcome, Pass, read_outcomes

Fold = Pass


def apply_pass(case: Case, pass_: Pass, unfolded: Module, ir: IR) -> Module:
    """Return what the pass makes of a module, which it leaves alone. Raises a ``Failure``."""
    return apply_and_explain(case, pass_, unfolded, ir)[0]


def apply_and_explain(case: Case, pass_: Pass, unfolded: Module, ir: IR) -> tuple[Module, tuple[Outcome, ...]]:
    """Return what the pass makes of a module, which it leaves alone, and its outcome for each site.

    Outcomes come from a pass that has ``fold_and_explain(module) -> (module, reports)`` or ``explain(module) ->
    reports``. Through ``fold_and_explain`` the pass is asked once for both, and so not as the compiler's pass manager
    would; ``check_again`` goes that way, and a test compares both (tests/checking/test_check.py). Raises a ``Failure``.
    """
    before = ir.clone(unfolded)
    reports: Any = ()
    try:
        if callable(both := getattr(pass_, "fold_and_explain", None)):
            folded, reports = both(unfolded)
        else:
            folded = pass_(unfolded)
            if callable(explain := getattr(pass_, "explain", None)):
                reports = explain(before)
    except (Exception, SystemExit) as error:
        raise failure("CompileError", case, "pass", f"the pass raised {ir.short_error(error)}") from error
    if not ir.is_module(folded):
        raise failure("CompileError", case, "pass", f"the pass returned {type(folded).__name__}, not a module")
    if not ir.same(before, unfolded):
        raise failure("InputMutated", case, "module", "the pass changed the module that it was given")
    return folded, read_outcomes(reports)


def check_form(case: Case, unfolded: Module, folded: Module, ir: IR) -> None:
    """Require a well-formed module (which includes the types of all calls) of the same type. Raises a ``Failure``."""
    if objection := ir.verify(folded):
        raise failure("IllFormed", case, "module", f"the folded module is not well formed: {objection}")
    if ir.entry(folded) is None:
        raise failure("IllFormed", case, "module", "the folded module has no entry function 'main'")
    want, got = ir.return_type(unfolded), ir.return_type(folded)
    if not ir.same(want, got):
        raise failure("WrongType", case, "return type", f"the folded function returns {got}, but should return {want}")


def check_again(case: Case, pass_: Pass, folded: Module, ir: IR) -> None:
    """Require that the pass leaves its own result alone. Raises a ``Failure``."""
    try:
        again = pass_(folded)
    except (Exception, SystemExit) as error:
        message = f"the pass raised on its own result: {ir.short_error(error)}"
        raise failure("CompileError", case, "pass", message) from error
    if not ir.same(folded, again):
        raise failure("NotIdempotent", case, "module", "the pass applied to its own result changes it again")
