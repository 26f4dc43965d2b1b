"""A reproducer: the script of a failure as a file beside its case, run in a fresh process before anybody reads of it.

NAME.case.json -> NAME.repro.py -> confirmed, or why not in a line
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from foldproof.checking.failures import Failure
from foldproof.core.files import replace_file
from foldproof.corpus.entry import SUFFIX

SCRIPT_SUFFIX = ".repro.py"

SCRIPT_SECONDS = 120.0
"""Time limit of a script: it imports TVM, compiles two tiny functions and runs them, which takes some 3 s."""

_SHOWS = {
    "CompileError": ("FAILED: compiling ", "FAILED: running "),
    "IllFormed": ("FAILED: well_formed", "FAILED: parsing ", "FAILED: After has no function"),
    "MissedFold": ("FAILED: After has a pad",),
    "Miscompile": ("FAILED: After, out",),
    "OracleDisagreement": ("FAILED: Before, out", "FAILED: After, out"),
}
"""How the last line of a script begins that shows a failure of this kind."""

NOTHING_TO_RUN = "(recorded: there is nothing to run without the pass)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproducer:
    """``path`` is None where no script shows the failure. ``complaint`` is empty if it was ``confirmed``."""

    path: Path | None = None
    problem: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether the script showed the failure in a process of its own."""
        return self.path is not None and not self.problem

    def to_dict(self) -> dict[str, Any]:
        """As a record of a failure has it."""
        path = str(self.path) if self.path else None
        return {"script": path, "script_confirmed": self.confirmed, "script_problem": self.problem}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """What ``to_plain`` wrote."""
        path = record["script"]
        return cls(path=Path(path) if path else None, problem=record["script_problem"])

    def __str__(self) -> str:
        if self.path is None:
            return f"none: {self.problem}"
        return f"{self.path} ({f'not confirmed: {self.problem}' if self.problem else 'confirmed in a fresh process'})"


def write_reproducer(case_path: Path, text: str, failure: Failure) -> Reproducer:
    """Write the script beside its case, and run it. Raises CorpusError if it cannot be written."""
    path = case_path.with_name(case_path.name.removesuffix(SUFFIX) + SCRIPT_SUFFIX)
    replace_file(path, text)
    return Reproducer(path=path, problem=_complaint(path, failure))


_TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the command that follows, which ends with the process that started it, whatever ends that (Linux)."""


def _complaint(path: Path, failure: Failure) -> str:
    """Run the script: why it does not show the failure, in a line; empty if it does."""
    command = [sys.executable, "-P", str(path)]  # -P: what lies beside the script is no module
    if sys.platform == "linux":
        command = [sys.executable, "-IS", "-c", _TIED, str(os.getpid()), *command]
    try:
        done = subprocess.run(  # noqa: S603, our own script
            command, capture_output=True, text=True, errors="replace", timeout=SCRIPT_SECONDS, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        return "" if failure.kind == "TargetTimeout" else f"no end within {SCRIPT_SECONDS:.0f} s"
    if done.returncode < 0:
        return "" if failure.kind == "TargetCrashed" else f"died of {signal.Signals(-done.returncode).name}"
    last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
    if last.endswith(NOTHING_TO_RUN):
        return "without the pass there is nothing to run"
    shows = _SHOWS.get(failure.kind, ("FAILED: ",))
    lost = failure.kind in ("TargetCrashed", "TargetTimeout")
    if done.returncode == 1 and last.startswith(shows) and not lost:
        return ""
    return f"exit code {done.returncode}, {last}"
