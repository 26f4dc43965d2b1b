"""What came of a shard, case for case, in 64 characters: equal digests, equal cases with equal outcomes in equal order.

What a verdict says is in it whole; of a failure its fingerprint, as its sentence may quote what a dying process wrote.
"""

import hashlib
import json
from dataclasses import asdict

from foldproof.case import Case
from foldproof.checking.failures import Failure
from foldproof.workers.worker import Result


class Digest:
    """SHA-256 over a line per case, in the order drawn."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, case: Case, result: Result) -> None:
        """The next case, and what came of it."""
        self._hash.update(f"{case.dumps()} {_outcome(result)}\n".encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()


def _outcome(result: Result) -> str:
    if isinstance(result, Failure):
        return result.fingerprint
    return json.dumps(asdict(result), sort_keys=True, default=str)
