"""Confirm what the fast pipeline says by the default one: every failure, and a sample of what passed.

Invariant: whether a case is in the sample depends on the case and the seed alone, so that any process decides the same.
"""

import zlib

from foldproof.case import Case
from foldproof.checking.failures import Failure, failure

SAMPLE = 0.02
"""Share of the cases that are run through both pipelines, whatever comes of them."""


def is_sampled(case: Case, share: float, seed: int = 0) -> bool:
    """Whether ``case`` is one of the ``share`` (0 to 1) that both pipelines run."""
    return zlib.crc32(f"{seed} {case.dumps()}".encode()) < share * 2**32


def confirm(fast: Failure, default: Failure | None) -> Failure:
    """Return the failure of the fast pipeline, if the default one (None: passes) fails in the same way."""
    if default is not None and default.fingerprint == fast.fingerprint:
        return fast
    message = default.fingerprint if default is not None else "that it passes"
    detail = f"the fast pipeline says {fast.fingerprint} ({fast.detail}), the default one {message}"
    return failure("PipelineDisagreement", fast.case, f"{fast.kind} in the fast one only", detail)
