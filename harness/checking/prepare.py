"""Prepare a case: build it, apply the pass, and check everything that needs no compiler.

case --build--> unfolded --pass--> folded --well formed, same type, idempotent--> modules to compile and run
"""

from dataclasses import dataclass
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.checking.apply_pass import (
    apply_and_explain,
    check_again,
    check_determinism,
    check_form,
    check_structure,
)
from foldproof.checking.crosscheck import is_sampled
from foldproof.checking.evidence import Evidence
from foldproof.checking.graph_evidence import evidence_of
from foldproof.checking.scope import NO_SCOPE, Scope, scope_of
from foldproof.ir.base import Module, Outcome, Pass, ir_of
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case with its modules, which are well formed.

    Args:
        evidence: the case with what the oracles make of it.
        complete: whether a legal fold that the pass missed is a failure.
        scope: what the pass declares that it does not fold.
        options: the folds beyond legal ones that the options of the pass allow.
        unfolded: the module of the case; None if the IR does not support the case.
        folded: what the pass returned for it; None likewise.
        modules: the modules to compile and run, by name: none, ``unfolded``, or ``unfolded`` and ``folded``.
        outcomes: what the pass reports of its sites.
    """

    evidence: Evidence
    complete: bool
    options: PassOptions
    unfolded: Module
    folded: Module
    modules: dict[str, Module]
    scope: Scope = NO_SCOPE
    outcomes: tuple[Outcome, ...] = ()

    @property
    def case(self) -> AnyCase:
        case: AnyCase = self.evidence.case
        return case


def prepare(case: AnyCase, pass_: Pass, *, complete: bool, sample: float = 0.0) -> Prepared:
    """Build and fold a case, and check everything that needs no compiler.

    Args:
        case: the case.
        pass_: the pass under test.
        complete: whether a legal fold that the pass misses is a failure.
        sample: the share of cases that the pass folds a second time.

    Raises:
        Failure: if the pass raises, changes its input, or returns a module of the wrong form.
    """
    evidence, scope = evidence_of(case, ir_of(pass_)), scope_of(pass_) if complete else NO_SCOPE
    ir, options = evidence.ir, options_of(pass_)
    if evidence.unsupported:
        return Prepared(evidence=evidence, complete=complete, options=options, unfolded=None, folded=None, modules={})
    unfolded = ir.build(case)
    with evidence.naming_known_issue():
        folded, outcomes = apply_and_explain(case, pass_, unfolded, ir)
        if not ir.identical(folded, unfolded):
            check_form(case, unfolded, folded, ir)
            if isinstance(case, Graph):
                check_structure(case, unfolded, folded, ir, options, complete=complete)
            if getattr(pass_, "idempotent", True):
                check_again(case, pass_, folded, ir)
        if is_sampled(case, sample):
            check_determinism(case, pass_, unfolded, folded, ir)
    return prepared_from(evidence, unfolded, folded, outcomes, complete=complete, options=options, scope=scope)


def prepared_from(
    evidence: Evidence,
    unfolded: Module,
    folded: Module,
    outcomes: tuple[Outcome, ...] = (),
    *,
    complete: bool,
    options: PassOptions = NO_OPTIONS,
    scope: Scope = NO_SCOPE,
) -> Prepared:
    """Return a case whose folded module is well formed, with the modules that are to be compiled and run.

    The folded module is run only if the pass changed something. Nothing is run if that could kill the process. A graph
    with a known issue is not run, since a wrong value of one site is the data of others.
    """
    changed = not evidence.ir.same(unfolded, folded)
    modules = {"unfolded": unfolded, "folded": folded} if changed else {"unfolded": unfolded}
    issue = evidence.known_issue
    runs = issue is None or (issue.runs and not isinstance(evidence.case, Graph))
    return Prepared(
        evidence=evidence,
        complete=complete,
        options=options,
        unfolded=unfolded,
        folded=folded,
        modules=modules if runs else {},
        scope=scope,
        outcomes=outcomes,
    )


def is_complete(pass_: Any) -> bool:
    """Whether the pass claims to make every legal fold: its attribute ``complete`` is True."""
    return getattr(pass_, "complete", False) is True


def options_of(pass_: Any) -> PassOptions:
    """Return the folds beyond legal ones that a complete pass claims, by its attribute ``options``."""
    options = getattr(pass_, "options", None)
    if options is None or not is_complete(pass_):
        return NO_OPTIONS
    nonzero, channels = getattr(options, "nonzero", "refuse"), getattr(options, "channels", "refuse")
    return PassOptions(corrects=nonzero != "refuse", slices=channels == "slice")
