"""The digest of a shard: equal digests mean equal cases with equal results in equal order.

A Verdict is in it with all its fields. A Failure is in it by its fingerprint alone, because its detail may quote what
a dying process wrote.
"""

import hashlib
import json
from dataclasses import asdict

from foldproof.case.any_case import AnyCase
from foldproof.checking.failures import Failure
from foldproof.workers.worker import Result


class Digest:
    """SHA-256 over one line per case, in the order drawn."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, case: AnyCase, result: Result) -> None:
        """Add the next case and its result."""
        self._hash.update(f"{case.dumps()} {_serialize(result)}\n".encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()


def _serialize(result: Result) -> str:
    if isinstance(result, Failure):
        return result.fingerprint
    return json.dumps(asdict(result), sort_keys=True, default=str)
