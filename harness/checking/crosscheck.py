"""Confirm the results of the fast pipeline by the default pipeline: every failure, and a sample of the passing cases.

Invariant: whether a case is in the sample depends on the case and the seed alone, so every process decides the same.
"""

import json
import zlib

from foldproof.case.any_case import AnyCase
from foldproof.case.formats import to_first_format
from foldproof.checking.failures import Failure, failure

SAMPLE = 0.02
"""Share of the passing cases that both pipelines run."""


def is_sampled(case: AnyCase, share: float, seed: int = 0) -> bool:
    """Whether a case is in the share of cases, 0 to 1, that both pipelines run."""
    return zlib.crc32(f"{seed} {json.dumps(to_first_format(case.to_json()))}".encode()) < share * 2**32


def confirm(fast: Failure, default: Failure | None) -> Failure:
    """Return the failure of the fast pipeline if the default pipeline confirms it, else a PipelineDisagreement.

    Args:
        fast: the failure of the fast pipeline.
        default: the failure of the default pipeline; None if the case passes there.
    """
    if default is not None and default.fingerprint == fast.fingerprint:
        return fast
    message = f"reports {default.fingerprint}" if default is not None else "passes"
    detail = f"the fast pipeline reports {fast.fingerprint} ({fast.detail}), but the default pipeline {message}"
    return failure("PipelineDisagreement", fast.case, f"{fast.kind} in the fast one only", detail)
