"""What may explain a failure: another implementation of the IR, or a known defect of the pass.

    failure --ask_second_opinion--> failure | Verdict in doubt --find_known_defect--> its name | None

Invariant: a verdict that comes from here is in doubt. It neither passes nor fails.
"""

from collections.abc import Callable
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.checking.comparison import Outputs, agrees_with_reference, find_excess
from foldproof.checking.execution import compile_case, find_compile_issue, run_function
from foldproof.checking.failures import CompileError, Failure
from foldproof.checking.failures import failure as failed
from foldproof.checking.graph_evidence import evidence_of
from foldproof.checking.prepare import Prepared
from foldproof.checking.result import Verdict
from foldproof.ir.base import KnownDefect, ir_of
from foldproof.oracle.requantize import spelled_outputs

Passes = Callable[[AnyCase, Any, Any, bool], bool]
"""(case, pass, target, executed) -> whether the case does not fail; with ``executed``, whether it was executed, too."""

SEEN_IN_THE_MODULE = (("IllFormed", "module"), ("WrongType", "return type"))
"""Kinds and symptoms of failures that show before anything is executed."""

RUN_DIFFERENTLY = "folded module run differently by two implementations"
"""The known issue of a folded module that a second implementation runs as the reference does."""

NOT_ASKED = "folded module refused by one implementation, and no other one knows its operators"
"""The known issue of a folded module that one implementation does not run, and of which the other has no opinion."""

REFUSED_BY_ONE = "folded module refused by one of two implementations"
"""The known issue of a folded module that only one implementation does not run."""


def ask_second_opinion(failure: Failure, prepared: Prepared | None) -> Verdict | Failure:
    """Return a verdict if one implementation alone is against the folded module; else the failure.

    It becomes a Miscompile if another implementation runs the module and does not compute the reference.
    """
    run_wrongly = failure.kind == "OracleDisagreement" and failure.symptom.startswith("folded")
    refused = failure.kind == "CompileError" and failure.symptom in ("folded", "run folded")
    if prepared is None or not prepared.evidence.ir.needs_two_opinions or not (run_wrongly or refused):
        return failure
    evidence, module = prepared.evidence, prepared.folded
    if refused and not evidence.ir.can_be_asked(module):
        return failure
    opinions = {run: agrees_with_reference(evidence, module, run) for run in evidence.inputs}
    for run, agrees in opinions.items():
        if agrees is False:
            detail = f"folded, {evidence.locate(run)}: a second implementation computes other values; {failure.detail}"
            return failed("Miscompile", failure.case, "values", detail)
    if run_wrongly:
        return Verdict(folded=False, known_issues=(RUN_DIFFERENTLY,))
    limit = any(issue.raises and issue.raises in str(failure.__cause__) for issue in evidence.ir.known_issues)
    if None in opinions.values() and not limit and _only_unfolded_runs(prepared):
        return failure
    return Verdict(folded=False, known_issues=(REFUSED_BY_ONE if True in opinions.values() else NOT_ASKED,))


def _only_unfolded_runs(prepared: Prepared) -> bool:
    """Whether the second implementation runs the unfolded module, and refuses the folded one when it is asked."""
    evidence, ir = prepared.evidence, prepared.evidence.ir
    return any(
        ir.second_opinion(prepared.unfolded, arguments) is not None and ir.second_refuses(prepared.folded, arguments)
        for arguments in map(evidence.arguments, evidence.inputs)
    )


def find_known_defect(failure: Failure, case: Any, pass_: Any, target: Any, passes: Passes) -> str | None:
    """Return the name of the known defect behind a failure; None if there is none.

    - A pass may have known defects of its own: its attribute ``known_defects``.
    - A pass that is a compiler (its attribute ``compiles``) may raise where the compiler of the IR does not compile the
      unfolded module either.
    """
    for defect in getattr(pass_, "known_defects", ()):
        if defect.excuses(failure) and _explains(defect, failure, pass_, target, passes):
            return str(defect.name)
    ir = ir_of(pass_)
    if getattr(pass_, "compiles", False) is True and failure.kind == "CompileError" and failure.symptom == "pass":
        evidence = evidence_of(case, ir)
        try:
            compile_case(evidence, {"unfolded": ir.build(case)}, target)
        except CompileError as error:
            return find_compile_issue(evidence, error, target) or None
    return None


def _explains(defect: KnownDefect, failure: Failure, pass_: Any, target: Any, passes: Passes) -> bool:
    """Whether the case does not fail without what triggers a defect, and the result is what the defect makes of it.

    A defect without a trigger is told by its message. Where the module alone shows the failure, nothing was executed,
    and what the compiler of the IR does not execute tells as much without the trigger.
    """
    case: Any = failure.case
    if defect.becomes is not None:
        computed = _compute(case, pass_, target)
        if not any(_is_result(computed, taken_for, case, pass_) for taken_for in defect.becomes(case)):
            return False
    if defect.without is None:
        return True
    changed = defect.without(case)
    executed = (failure.kind, failure.symptom) not in SEEN_IN_THE_MODULE
    return changed is not None and changed != case and passes(changed, pass_, target, executed)


def _compute(case: Any, pass_: Any, target: Any) -> dict[str, Outputs]:
    """Return what the pass makes of a case computes, in each run; nothing if it does not compile."""
    ir = ir_of(pass_)
    evidence = evidence_of(case, ir)
    try:
        program = compile_case(evidence, {"unfolded": pass_(ir.build(case))}, target)
        return {run: run_function(evidence, program, "unfolded", evidence.arguments(run)) for run in evidence.inputs}
    except CompileError:
        return {}


def _is_result(computed: dict[str, Outputs], taken_for: Any, case: Any, pass_: Any) -> bool:
    """Whether values are those of another case for the inputs of a case. The inputs of the other one may differ."""
    evidence = evidence_of(case, ir_of(pass_))
    wanted = {run: spelled_outputs(taken_for, arrays, evidence.ir.semantics) for run, arrays in evidence.inputs.items()}
    return bool(computed) and all(find_excess(evidence, computed[run], want) is None for run, want in wanted.items())
