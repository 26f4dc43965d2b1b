"""Shrink a failing case: follow ``Case.simpler()`` while the failure stays the same.

Needs no seed and no choice sequence, so it serves saved and orphaned cases alike. The result is 1-minimal, unless the
budget ended: none of its simpler cases fails in the same way.
"""

import time
from dataclasses import dataclass

from foldproof.case import Case
from foldproof.checking.failures import Failure
from foldproof.workers.pool import WorkerPool
from foldproof.workers.worker import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkResult:
    """``failure`` is that of the smallest case found; ``tried`` counts executed cases; ``minimal`` says 1-minimal."""

    failure: Failure
    tried: int
    seconds: float
    minimal: bool

    @property
    def case(self) -> Case:
        return self.failure.case


def shrink(failure: Failure, pool: WorkerPool, *, seconds: float = 60.0) -> ShrinkResult:
    """The smallest case with the fingerprint of ``failure`` that is found within ``seconds``."""
    started = time.monotonic()
    known: dict[Case, Result] = {failure.case: failure}
    position = 0
    while True:
        better = None
        candidates = list(failure.case.simpler())
        # Go on where the last success was, then round: the changes before it have mostly been refused already.
        start = position % len(candidates) if candidates else 0
        order = [*range(start, len(candidates)), *range(start)]
        for i in range(0, len(order), pool.workers):
            if time.monotonic() - started > seconds:
                return ShrinkResult(
                    failure=failure, tried=len(known) - 1, seconds=time.monotonic() - started, minimal=False
                )
            chosen = order[i : i + pool.workers]
            better = _first_same(failure, [candidates[j] for j in chosen], known, pool)
            if better is not None:
                position = candidates.index(better.case)
                break
        if better is None:
            return ShrinkResult(failure=failure, tried=len(known) - 1, seconds=time.monotonic() - started, minimal=True)
        failure = better


def _first_same(
    failure: Failure, candidates: list[Case], known: dict[Case, Result], pool: WorkerPool
) -> Failure | None:
    """The failure of the first candidate that fails in the same way. Each case is executed once."""
    unknown = [case for case in candidates if case not in known]
    known.update(zip(unknown, pool.ask(unknown), strict=True))
    for case in candidates:
        result = known[case]
        if isinstance(result, Failure) and result.fingerprint == failure.fingerprint:
            return result
    return None
