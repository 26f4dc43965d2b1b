"""What happens in a worker process: ``check`` on a few cases, answered with verdicts and failures.

The process that holds Hypothesis imports none of this module's contents but the names; TVM lives here alone.
"""

import contextlib
import os
import signal
from typing import Any

from harness.case import Case
from harness.failures import Failure, failure
from harness.loading import UsageError
from harness.verdict import Verdict

Result = Verdict | Failure

_LOADED: dict[tuple[str | None, str], tuple[Any, Any]] = {}


def quiet() -> None:
    """Worker start: what the compiler writes to stdout and stderr does not belong into the campaign's output."""
    os.environ.setdefault("TVM_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the coordinator decides
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with contextlib.suppress(OSError):
            os.dup2(null, stream)


def prepare(fold: str | None, target: str) -> str | None:
    """Load the pass and the target; what the user got wrong about them, in a line, or None."""
    try:
        _load(fold, target)
    except UsageError as error:
        return str(error)
    return None


def judge(cases: list[Case], fold: str | None, target: str, complete: bool) -> list[Result]:
    """``check`` of each case, in order."""
    from harness.check import check

    loaded_fold, loaded_target = _load(fold, target)
    results: list[Result] = []
    for case in cases:
        try:
            results.append(check(case, loaded_fold, loaded_target, complete=complete))
        except Failure as found:
            results.append(found)
        except BaseException as error:  # noqa: BLE001, nothing may end the campaign from here, least of all silently
            said = f"check raised {type(error).__name__}: {error}"
            results.append(failure("HarnessError", case, type(error).__name__, said))
    return results


def _load(fold: str | None, target: str) -> tuple[Any, Any]:
    """Once a process."""
    from harness.loading import load_fold
    from harness.targets import parse_target

    key = (fold, target)
    if key not in _LOADED:
        _LOADED[key] = (load_fold(fold), parse_target(target))
    return _LOADED[key]
