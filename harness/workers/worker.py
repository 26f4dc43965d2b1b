"""The functions that run in a worker process: they draw shards, check batches of cases, and write scripts.

Hypothesis, TVM, the user's pass and the user's strategy are loaded in worker processes only.
"""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import resource
import signal
import sys
from functools import cache
from typing import Any

from foldproof.case import Axis, Case
from foldproof.case.any_case import AnyCase
from foldproof.checking.config import CheckConfig
from foldproof.checking.failures import Failure
from foldproof.checking.result import Verdict
from foldproof.core.errors import UsageError
from foldproof.core.loading import BUNDLED, load_attribute
from foldproof.generation.case_source import CaseSource

Result = Verdict | Failure

_LOADED: dict[tuple[str | None, str, str], tuple[Any, Any]] = {}


def quiet(stderr: str | None = None, draws: bool = False) -> None:
    """Initialize a worker process: its stdout is dropped, and its stderr goes into a file.

    The worker ends with the process that started it (Linux).

    Args:
        stderr: the path of that file; None drops stderr too.
        draws: whether to import Hypothesis now, so that the memory of the worker grows by what cases leave only.
    """
    os.environ.setdefault("TVM_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the coordinator decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    end_with_parent(None if parent is None else parent.pid)
    for stream, path in ((1, os.devnull), (2, stderr or os.devnull)):
        with contextlib.suppress(OSError):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), stream)
    if draws:
        importlib.import_module("foldproof.generation.draw")


def end_with_parent(parent: int | None = None) -> None:
    """Have this process killed when the thread that started it ends; exit if process ``parent`` has ended (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


_PR_SET_PDEATHSIG = 1
"""prctl(2)"""


def prepare(config: CheckConfig) -> tuple[str, str, str, str]:
    """Load the pass and the target.

    Returns:
        The usage error, the notice of the target, its description, and what has the known issues: the compiler of the
        IR, and the pass if it has known defects of its own. Each is empty if there is none.
    """
    from foldproof.ir.base import ir_of

    try:
        pass_, target = _load(config)
    except UsageError as error:
        return str(error), "", "", ""
    compiler = ir_of(pass_).compiler
    blamed = f"{compiler} or the pass" if getattr(pass_, "known_defects", ()) else compiler
    return "", target.notice, target.description, blamed


def try_pass(config: CheckConfig) -> str:
    """Apply the pass to a trivial module. Return why it is not a pass, in a line; empty if it may be one.

    A pass that raises here is a pass with a defect, which the first case reports.
    """
    from foldproof.checking.scope import scope_of
    from foldproof.ir.base import ir_of

    pass_, _ = _load(config)
    ir = ir_of(pass_)
    try:
        scope_of(pass_)
    except UsageError as error:
        return f"pass {config.fold or BUNDLED!r}: {error}"
    try:
        result = pass_(ir.build(_TRIVIAL, with_pad=False))
    except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001, the pass can raise anything
        return ""
    kind = type(result).__name__
    return "" if ir.is_module(result) else f"pass {config.fold or BUNDLED!r} returned {kind}; expected {ir.module_name}"


_TRIVIAL = Case(op="conv1d", axes=(Axis(),))


def draw(source: CaseSource, most: int, seed: int) -> list[AnyCase]:
    """Draw up to ``most`` cases, see ``foldproof.generation.draw``. Raises UsageError."""
    from foldproof.generation.draw import draw as draw_cases
    from foldproof.generation.draw import leave_no_files

    leave_no_files()
    try:
        return draw_cases(_strategy(source), most, seed, source.case_filter)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # the draw is retried in another process, whose memory no case has filled yet


@cache
def _strategy(source: CaseSource) -> Any:
    from foldproof.generation.draw import strategy_of

    return strategy_of(source.drawn_ops, source.strategy or _strategy_of_ir(source.fold))


def _strategy_of_ir(fold: str | None) -> str | None:
    """Return the bundled strategy for the IR of a pass, as ``MODULE:ATTR``; None for that of Relax."""
    from foldproof.core.loading import BUNDLED_NAMES, load_pass
    from foldproof.ir.base import RELAX_STRATEGY, ir_of

    if fold in BUNDLED_NAMES:
        return None
    strategy = ir_of(load_pass(fold)).strategy
    return None if strategy == RELAX_STRATEGY else strategy


def check_cases(cases: list[AnyCase], config: CheckConfig) -> list[Result]:
    """Check each case, and return results in order. Running out of memory ends the process."""
    from foldproof.checking.batch import check_batch
    from foldproof.checking.prepare import is_complete

    fold, target = _load(config)
    limit_memory(config.megabytes)
    try:
        complete = config.complete or is_complete(fold)
        results = check_batch(cases, fold, target, complete=complete, sample=config.sample)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    if any(map(_ran_out_of_memory, results)):
        os._exit(OUT_OF_MEMORY)  # the state of this process cannot be trusted any more
    return results


OUT_OF_MEMORY = 77
"""Exit code of a worker that reached its memory limit."""


def limit_memory(megabytes: int) -> None:
    """Limit the memory of this process; allocating more fails."""
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _ran_out_of_memory(result: Result) -> bool:
    message = result.detail if isinstance(result, Failure) else ""
    return "MemoryError" in message or "bad_alloc" in message


def write_script(case: AnyCase, result: Result, config: CheckConfig) -> tuple[str, str]:
    """Return (a script that reproduces ``result``, or empty; why there is none), see ``foldproof.repro.script``."""
    from foldproof.ir.base import ir_of
    from foldproof.repro.reproducer import CannotReproduce

    fold, target = _load(config)
    ir = ir_of(fold)
    if not ir.script_writer:
        return "", f"there is no script writer for {ir.name}"
    try:
        write = load_attribute(ir.script_writer, "script writer")
        return write(case, fold, target, result, fold_name=config.fold or BUNDLED), ""
    except CannotReproduce as error:
        return "", str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001, the pass can raise anything; it is reported
        return "", f"writing it raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _load(config: CheckConfig) -> tuple[Any, Any]:
    """Load the pass and the target, once per process."""
    from foldproof.core.loading import load_pass
    from foldproof.ir.base import ir_of

    key = (config.fold, config.target, config.pipeline)
    if key not in _LOADED:
        fold = load_pass(config.fold)
        _LOADED[key] = (fold, ir_of(fold).parse_target(config.target, config.pipeline))
    return _LOADED[key]
