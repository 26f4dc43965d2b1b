"""Known failures: cases that the user expects to fail. They excuse what has their cause, and nothing else.

files --load_known--> cases --replay_known--> those that still fail as recorded, and the files of the others
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldproof.case.any_case import AnyCase
from foldproof.checking.failures import Failure
from foldproof.core.errors import UsageError
from foldproof.corpus.entry import case_files, load_entry
from foldproof.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure:
    """A case of which a file records a failure.

    Attributes:
        path: the file.
        case: the case.
        fingerprint: the recorded fingerprint.
        hint: the recorded cause; empty if there is none.
    """

    path: Path
    case: AnyCase
    fingerprint: str
    hint: tuple[str, ...] = ()


def load_known(path: Path) -> list[KnownFailure]:
    """Return the known failures of a file, or of the files of a folder.

    Raises:
        UsageError: if a file records no failure, or there is none.
    """
    known = []
    for file in case_files([path]):
        entry = load_entry(file)
        fingerprint, hint = entry.found.get("failure"), entry.found.get("cause") or ()
        if not isinstance(fingerprint, str):
            raise UsageError(f"--known {file}: records no failure; expected a case that a campaign saved")
        known.append(KnownFailure(path=file, case=entry.case, fingerprint=fingerprint, hint=tuple(map(str, hint))))
    return known


def replay_known(pool: WorkerPool, known: Sequence[KnownFailure]) -> tuple[list[KnownFailure], list[Path]]:
    """Check the known cases. Return those that still fail as recorded, and the files of the others."""
    still, gone = [], []
    for each, result in zip(known, pool.check_each([each.case for each in known]), strict=True):
        if isinstance(result, Failure) and result.fingerprint == each.fingerprint:
            still.append(each)
        else:
            gone.append(each.path)
    return still, gone
