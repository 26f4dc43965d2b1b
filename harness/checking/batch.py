"""Check several cases at once: compiled together, they cost less than one by one.

    cases --prepare each--> modules --compile together--> programs --conclude each--> results

Invariant: the results are those of ``check`` on each case alone. Whatever goes wrong in a batch is confirmed by
checking the case alone.
"""

from collections.abc import Sequence
from functools import partial

from foldproof.case.any_case import AnyCase
from foldproof.checking.apply_pass import find_other_result
from foldproof.checking.check import check, conclude
from foldproof.checking.failures import Failure, failure
from foldproof.checking.prepare import Prepared, prepare
from foldproof.checking.result import Verdict
from foldproof.ir.base import IR, Pass, Program, Target, ir_of

Result = Verdict | Failure


def check_batch(cases: Sequence[AnyCase], fold: Pass, target: Target, *, complete: bool, sample: float) -> list[Result]:
    """Check each case, and never raise.

    Args:
        cases: the cases.
        fold: the pass under test, for all of them.
        target: the parsed target.
        complete: whether a legal fold that the pass misses is a failure.
        sample: the share of passing cases, 0 to 1, that both pipelines run.

    Returns:
        A verdict or a failure for each case, in order. An error of the harness is a failure, too: HarnessError.
    """
    alone = partial(_check_alone, fold=fold, target=target, complete=complete, sample=sample)
    if len(cases) == 1:
        return [alone(cases[0])]
    prepared = [_try_prepare(case, fold, complete=complete, sample=sample) for case in cases]
    programs = _compile_together(ir_of(fold), [p for p in prepared if p is not None and p.modules], target)
    results = []
    excuses = ir_of(fold).needs_two_opinions
    for case, ready in zip(cases, prepared, strict=True):
        together: Result | None = None
        if ready is not None and (case in programs or not ready.modules):
            together = _conclude(ready, target, programs.get(case), sample)
        if not isinstance(together, Verdict):
            together = _confirm_alone(together, alone(case), ready, fold, excuses=excuses)
        results.append(together)
    return results


def _check_alone(case: AnyCase, fold: Pass, target: Target, *, complete: bool, sample: float) -> Result:
    try:
        return check(case, fold, target, complete=complete, sample=sample)
    except Failure as failed:
        return failed
    except BaseException as error:  # noqa: BLE001, nothing may end a campaign from here
        message = f"check raised {type(error).__name__}: {error}"
        return failure("HarnessError", case, type(error).__name__, message)


def _try_prepare(case: AnyCase, fold: Pass, *, complete: bool, sample: float) -> Prepared | None:
    try:
        return prepare(case, fold, complete=complete, sample=sample)
    except BaseException:  # noqa: BLE001, the case is checked again, alone
        return None


def _compile_together(ir: IR, prepared: Sequence[Prepared], target: Target) -> dict[AnyCase, Program]:
    """Compile the cases together and return the program of each; empty if one of them does not compile."""
    try:
        programs = ir.compile([p.modules for p in prepared], target)
    except BaseException:  # noqa: BLE001, each case is checked again, alone
        return {}
    return {p.case: program for p, program in zip(prepared, programs, strict=True)}


def _conclude(prepared: Prepared, target: Target, program: Program | None, sample: float) -> Result | None:
    """Return the result of a case with its program of the batch; None if the harness raised."""
    try:
        return conclude(prepared, target, program=program, sample=sample)
    except Failure as failed:
        return failed
    except BaseException:  # noqa: BLE001, the case is checked again, alone
        return None


def _confirm_alone(
    together: Failure | None, alone: Result, ready: Prepared | None, fold: Pass, *, excuses: bool
) -> Result:
    """Return the result of the case alone, but blame the pipeline, or the pass, for what only the batch shows.

    The pass is to blame if it returned another module in the batch, where it had folded other modules before.
    Only the case alone excuses a known defect of the pass (``check``), which then does not count for the batch.
    """
    if together is None or isinstance(alone, Failure) or (excuses and alone.known_issues):
        return alone
    if ready is not None and (changed := find_other_result(fold, ready.unfolded, ready.folded, ir_of(fold))):
        detail = f"{changed}; in a batch: {together.fingerprint} ({together.detail}); alone, the case passes"
        return failure("NotDeterministic", together.case, "module", detail)
    detail = f"in a batch, the fast pipeline reports {together.fingerprint} ({together.detail}); alone, the case passes"
    return failure("PipelineDisagreement", together.case, f"{together.kind} in a batch only", detail)
