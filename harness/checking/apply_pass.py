"""Apply the pass to the module of a case, and check everything about its result that needs no execution.

Invariant: a pass that raises, changes its input, returns an ill-formed module or another type, changes its own result
again, or returns another result for an equal module, is a ``Failure`` that blames the pass.
"""

from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.checking.failures import failure
from foldproof.checking.graph_evidence import count_terms
from foldproof.core.shortening import shorten_pair
from foldproof.ir.base import IR, Module, Outcome, Pass, read_outcomes
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions


def apply_pass(case: AnyCase, pass_: Pass, unfolded: Module, ir: IR) -> Module:
    """Return what the pass makes of a module. Raises a ``Failure`` like ``apply_and_explain``."""
    return apply_and_explain(case, pass_, unfolded, ir)[0]


def apply_and_explain(case: AnyCase, pass_: Pass, unfolded: Module, ir: IR) -> tuple[Module, tuple[Outcome, ...]]:
    """Return what the pass makes of a module, and its outcome for each site.

    Outcomes come from a pass that has ``fold_and_explain(module) -> (module, reports)``, ``explain(module) -> reports``
    or ``reasons(module) -> reasons``. A pass with ``fold_and_explain`` runs once for both, and so without the pass
    manager of the compiler. ``check_again`` does call the pass itself, and tests/checking/test_apply_pass.py compares
    the two.

    Args:
        case: the case, for the failure.
        pass_: the pass under test.
        unfolded: the module. The pass must not change it.
        ir: the IR of the module.

    Raises:
        Failure: CompileError if the pass raises or returns something else than a module; InputMutated if it changes
            ``unfolded``.
    """
    before, digest = ir.clone(unfolded), ir.digest(unfolded)
    reports: Any = ()
    try:
        if callable(both := getattr(pass_, "fold_and_explain", None)):
            folded, reports = both(unfolded)
        else:
            folded = pass_(unfolded)
            explain = getattr(pass_, "explain", None) or getattr(pass_, "reasons", None)
            if callable(explain):
                reports = explain(before)
    except (Exception, SystemExit) as error:
        raise failure("CompileError", case, "pass", f"the pass raised {ir.short_error(error)}") from error
    if not ir.is_module(folded):
        raise failure("CompileError", case, "pass", f"the pass returned {type(folded).__name__}, not a module")
    if ir.digest(unfolded) != digest:
        raise failure("InputMutated", case, "module", "the pass changed the module that it was given")
    return folded, read_outcomes(reports)


def check_form(case: AnyCase, unfolded: Module, folded: Module, ir: IR) -> None:
    """Require a module that is well formed (the types of all calls included) and returns the same type.

    Raises:
        Failure: IllFormed or WrongType.
    """
    if reason := ir.verify(folded):
        raise failure("IllFormed", case, "module", f"the folded module is not well formed: {reason}")
    if ir.entry(folded) is None:
        raise failure("IllFormed", case, "module", "the folded module has no entry function 'main'")
    want, got = ir.return_type(unfolded), ir.return_type(folded)
    if not ir.same(want, got):
        shown, expected = shorten_pair(str(got), str(want))
        message = f"the folded function returns {shown}, but should return {expected}"
        raise failure("WrongType", case, "return type", message)


_CALLS = {"hardswish": 4, "softsign": 3, "hardshrink": 3}
"""How many calls a step is that is not one."""


def check_structure(
    case: Graph, unfolded: Module, folded: Module, ir: IR, options: PassOptions = NO_OPTIONS, *, complete: bool = True
) -> None:
    """Require that nothing changed beside the folds: signatures, attributes, calls with effects.

    Of a complete pass also that it wastes nothing: a function without a fold is the same object, and there are no more
    pads and steps than before. It may compute one step a second time where a function also returns it, and add one term
    for each convolution if its options allow to correct a border.

    Raises:
        Failure: StructureChanged.
    """
    shown = [site.steps[0] for site in case.cases if "step" in site.extra_outputs and site.steps]
    copies = sum(_CALLS.get(step.kind, 1) for step in shown)
    if options.corrects:
        copies += sum(count_terms(site) for site in case.sites)
    if change := ir.find_structure_change(unfolded, folded, copies=copies if complete else None):
        raise failure("StructureChanged", case, change.symptom, change.detail)


def check_determinism(case: AnyCase, pass_: Pass, unfolded: Module, folded: Module, ir: IR) -> None:
    """Require that the pass returns ``folded`` for an equal module, too, whatever it folded in between.

    The pass itself is called, as users call it, also if ``folded`` is of its ``fold_and_explain``. The module is a copy
    and not built again: a compiler may number the lengths of a kernel in another order each time.

    Raises:
        Failure: NotDeterministic.
    """
    if changed := find_other_result(pass_, unfolded, folded, ir):
        raise failure("NotDeterministic", case, "module", changed)


def find_other_result(pass_: Pass, unfolded: Module, folded: Module, ir: IR) -> str:
    """Return how the pass treats an equal module otherwise than the first one, in a sentence; empty if it does not."""
    try:
        again = pass_(ir.clone(unfolded))
    except (Exception, SystemExit) as error:  # noqa: BLE001, the pass may raise anything
        return f"the pass raised on a module equal to one that it took: {ir.short_error(error)}"
    return "" if ir.same(folded, again) else "the pass applied to an equal module returns another result than before"


def check_again(case: AnyCase, pass_: Pass, folded: Module, ir: IR) -> None:
    """Require that the pass does not change its own result.

    Raises:
        Failure: CompileError or NotIdempotent.
    """
    try:
        again = pass_(folded)
    except (Exception, SystemExit) as error:
        message = f"the pass raised on its own result: {ir.short_error(error)}"
        raise failure("CompileError", case, "pass", message) from error
    if not ir.same(folded, again):
        raise failure("NotIdempotent", case, "module", "the pass applied to its own result changes it again")
