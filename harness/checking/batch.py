"""Check several cases at once: compiled together, they cost less than one by one.

Invariant: the results are those of ``check`` on each case alone. Nothing that goes wrong in a batch is believed before
the case has shown it alone.
"""

from collections.abc import Sequence
from functools import partial

from foldproof.case import Case
from foldproof.checking.check import Prepared, check, conclude, prepare
from foldproof.checking.failures import Failure, failure
from foldproof.checking.result import Verdict
from foldproof.ir.base import IR, Pass, Program, Target, ir_of

Result = Verdict | Failure


def check_batch(cases: Sequence[Case], fold: Pass, target: Target, *, complete: bool, sample: float) -> list[Result]:
    """Return a verdict or failure for each case, in order."""
    alone = partial(_check_alone, fold=fold, target=target, complete=complete, sample=sample)
    if len(cases) == 1:
        return [alone(cases[0])]
    prepared = [_try_prepare(case, fold, complete=complete) for case in cases]
    programs = _compile_together(ir_of(fold), [p for p in prepared if p is not None and p.modules], target)
    results = []
    for case, ready in zip(cases, prepared, strict=True):
        together = None
        if ready is not None and (case in programs or not ready.modules):
            together = _conclude(ready, target, programs.get(case), sample)
        results.append(together if isinstance(together, Verdict) else _confirm_alone(together, alone(case)))
    return results


def _check_alone(case: Case, fold: Pass, target: Target, *, complete: bool, sample: float) -> Result:
    try:
        return check(case, fold, target, complete=complete, sample=sample)
    except Failure as found:
        return found
    except BaseException as error:  # noqa: BLE001, nothing may end a campaign from here, least of all silently
        message = f"check raised {type(error).__name__}: {error}"
        return failure("HarnessError", case, type(error).__name__, message)


def _try_prepare(case: Case, fold: Pass, *, complete: bool) -> Prepared | None:
    try:
        return prepare(case, fold, complete=complete)
    except BaseException:  # noqa: BLE001, the case is checked again, alone
        return None


def _compile_together(ir: IR, prepared: Sequence[Prepared], target: Target) -> dict[Case, Program]:
    """Compile the cases; return the program of each, or none if one does not compile, which then shows alone."""
    try:
        programs = ir.compile([p.modules for p in prepared], target)
    except BaseException:  # noqa: BLE001, each case is checked again, alone
        return {}
    return {p.case: program for p, program in zip(prepared, programs, strict=True)}


def _conclude(prepared: Prepared, target: Target, program: Program | None, sample: float) -> Result | None:
    """Return the result on a program of a batch; None if the harness raised, which then shows alone."""
    try:
        return conclude(prepared, target, program=program, sample=sample)
    except Failure as found:
        return found
    except BaseException:  # noqa: BLE001, the case is checked again, alone
        return None


def _confirm_alone(together: Failure | None, alone: Result) -> Result:
    """Return the result alone; but a failure that only a batch shows is one of the pipeline."""
    if together is None or isinstance(alone, Failure):
        return alone
    detail = f"in a batch, the fast pipeline says {together.fingerprint} ({together.detail}), alone that it passes"
    return failure("PipelineDisagreement", together.case, f"{together.kind} in a batch only", detail)
