"""Shrink a failing case: follow ``Case.simpler()`` while the failure stays the same.

Shrinking needs no seed and no choice sequence, so it serves saved cases too. The result is 1-minimal unless the time
ended: none of its simpler cases fails in the same way.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.checking.failures import Failure
from foldproof.core.errors import UsageError
from foldproof.workers.pool import WorkerPool
from foldproof.workers.worker import Result

if TYPE_CHECKING:
    from foldproof.ir.base import Pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkResult:
    """The result of shrinking.

    Attributes:
        failure: the failure of the smallest case found.
        tried: how many cases were checked.
        seconds: duration in seconds.
        minimal: whether the case is 1-minimal; False if the time ended before.
    """

    failure: Failure
    tried: int
    seconds: float
    minimal: bool

    @property
    def case(self) -> AnyCase:
        """The smallest case found."""
        return self.failure.case


def shrink(
    found: Failure | AnyCase,
    fold: "Pass | str | None" = None,
    target: str = "llvm",
    *,
    seconds: float = 60.0,
    workers: int = 1,
) -> ShrinkResult:
    """Shrink a failing case to a smaller one with the same fingerprint.

    A pass that is named (``MODULE:ATTR``, or None) runs in worker processes, so a case may crash or hang it. Worker
    processes import the main module again: in a script, call this under ``if __name__ == "__main__":``. A pass that is
    given as an object runs in this process.

    Args:
        found: a failure, or a case that fails.
        fold: the pass, as ``check`` takes it, or as ``MODULE:ATTR``; None is the bundled pass.
        target: the TVM target: kind, tag or JSON.
        seconds: time limit, in seconds.
        workers: number of worker processes, at least 1. A pass that is given as an object needs 1.

    Returns:
        The smallest case found, its failure, and whether it is 1-minimal.

    Raises:
        UsageError: if a case is given that does not fail, or for an unusable pass, target or number of workers.
    """
    complete = fold is None or (isinstance(found, Failure) and found.kind == "MissedFold")
    if fold is not None and not isinstance(fold, str):
        if workers != 1:
            raise UsageError(f"workers is {workers}, but a pass given as an object needs 1; name it as MODULE:ATTR")
        return _shrink_found(found, _InProcess(fold, target, complete=complete), seconds)
    with WorkerPool(CheckConfig(fold=fold, target=target, complete=complete), workers) as pool:
        pool.start()
        return _shrink_found(found, pool, seconds)


def _shrink_found(found: Failure | AnyCase, checker: "Checker", seconds: float) -> ShrinkResult:
    if isinstance(found, Failure):
        return shrink_with(found, checker, seconds=seconds)
    [result] = checker.check_each([found])
    if not isinstance(result, Failure):
        raise UsageError(f"the case does not fail, so there is nothing to shrink: {found!r}")
    return shrink_with(result, checker, seconds=seconds)


class Checker(Protocol):
    """Checks cases, ``workers`` of them at a time; a WorkerPool is one."""

    workers: int

    def check_each(self, cases: Sequence[AnyCase]) -> list[Result]:
        """Return a result per case."""


class _InProcess:
    """Checks cases in this process."""

    workers = 1

    def __init__(self, fold: "Pass", target: str, *, complete: bool) -> None:
        from foldproof.checking.check import check

        self._check: Callable[[AnyCase], Any] = lambda case: check(case, fold, target, complete=complete)

    def check_each(self, cases: Sequence[AnyCase]) -> list[Result]:
        return [self._result(case) for case in cases]

    def _result(self, case: AnyCase) -> Result:
        try:
            result: Result = self._check(case)
        except Failure as failure:
            return failure
        return result


def shrink_with(
    failure: Failure,
    checker: Checker,
    *,
    seconds: float = 60.0,
    accept: Callable[[AnyCase], bool] = lambda case: True,
    progress: Callable[[int, float], None] = lambda tried, left: None,
) -> ShrinkResult:
    """Return the smallest case with the fingerprint of ``failure`` that ``checker`` finds within ``seconds``.

    Cases that ``accept`` rejects, since they fail for another cause, do not count as simpler. ``progress`` is called
    with the number of cases that were tried, and the seconds that are left.
    """
    started = time.monotonic()
    known: dict[AnyCase, Result] = {failure.case: failure}
    position = 0
    while True:
        better = None
        candidates = [case for case in failure.case.simpler() if accept(case)]
        # Begin after the last success, then wrap around: most of the changes before it have failed already.
        start = position % len(candidates) if candidates else 0
        order = [*range(start, len(candidates)), *range(start)]
        for i in range(0, len(order), checker.workers):
            if time.monotonic() - started > seconds:
                return ShrinkResult(
                    failure=failure, tried=len(known) - 1, seconds=time.monotonic() - started, minimal=False
                )
            progress(len(known) - 1, started + seconds - time.monotonic())
            chosen = order[i : i + checker.workers]
            better = _first_same(failure, [candidates[j] for j in chosen], known, checker)
            if better is not None:
                position = candidates.index(better.case)
                break
        if better is None:
            return ShrinkResult(failure=failure, tried=len(known) - 1, seconds=time.monotonic() - started, minimal=True)
        failure = better


def _first_same(
    failure: Failure, candidates: list[AnyCase], known: dict[AnyCase, Result], checker: Checker
) -> Failure | None:
    """Return the failure of the first candidate that fails in the same way. Each case is checked once."""
    unknown = [case for case in candidates if case not in known]
    known.update(zip(unknown, checker.check_each(unknown), strict=True))
    for case in candidates:
        result = known[case]
        if isinstance(result, Failure) and result.fingerprint == failure.fingerprint:
            return result
    return None
