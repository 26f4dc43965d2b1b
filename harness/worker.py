"""What happens in a worker process: ``check`` on a few cases, answered with verdicts and failures.

The process that holds Hypothesis imports none of this module's contents but the names; TVM lives here alone.
"""

import contextlib
import os
import signal
from typing import Any

from harness.case import Case
from harness.failures import Failure
from harness.loading import BUNDLED, UsageError
from harness.question import Question
from harness.verdict import Verdict

Result = Verdict | Failure

_LOADED: dict[tuple[str | None, str, str], tuple[Any, Any]] = {}


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


def prepare(question: Question) -> tuple[str, str]:
    """Load the pass and the target: (what the user got wrong about them, what to know of the target), a line each."""
    try:
        _, target = _load(question)
    except UsageError as error:
        return str(error), ""
    return "", target.notice


def judge(cases: list[Case], question: Question) -> list[Result]:
    """``check`` of each case, in order."""
    from harness.batch import check_batch

    fold, target = _load(question)
    return check_batch(cases, fold, target, complete=question.complete, sample=question.sample)


def write_script(case: Case, result: Result, question: Question) -> tuple[str, str]:
    """(the script that shows ``result``, empty if there is none; why there is none), see ``harness.script``."""
    from harness.script import NoScript, script

    fold, target = _load(question)
    try:
        return script(case, fold, target, result, fold_name=question.fold or BUNDLED), ""
    except NoScript as error:
        return "", str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001, the pass, which can raise anything; the report says so
        return "", f"making it raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _load(question: Question) -> tuple[Any, Any]:
    """Once a process."""
    from harness.loading import load_fold
    from harness.targets import parse_target

    key = (question.fold, question.target, question.pipeline)
    if key not in _LOADED:
        _LOADED[key] = (load_fold(question.fold), parse_target(question.target, question.pipeline))
    return _LOADED[key]
