"""A reproducer: a script beside the saved case, run in a fresh process before it is reported.

NAME.case.json -> NAME.repro.py -> confirmed, or the reason why not
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
from foldproof.corpus.entry import SCRIPT_SUFFIX, SUFFIX

SCRIPT_SECONDS = 120.0
"""The time limit of a script, in seconds. It imports TVM and compiles two small functions, which takes about 3 s."""

_LAST_LINES = {
    "CompileError": ("FAILED: compiling ", "FAILED: running "),
    "IllFormed": ("FAILED: well_formed", "FAILED: parsing ", "FAILED: After has no function"),
    "MissedFold": ("FAILED: After has a pad",),
    "Miscompile": ("FAILED: After, out",),
    "OracleDisagreement": ("FAILED: Before, out", "FAILED: After, out"),
}
"""The beginnings of a script's last line that show a failure of each kind."""

NOTHING_TO_RUN = "(recorded: there is nothing to run without the pass)"


class CannotReproduce(ValueError):  # noqa: N818, nothing is wrong with the script
    """No script without foldproof and the pass shows this; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproducer:
    """``path`` is None if no script shows the failure. ``problem`` is empty if the script was ``confirmed``."""

    path: Path | None = None
    problem: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether the script showed the failure in a process of its own."""
        return self.path is not None and not self.problem

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of a record of a failure."""
        path = str(self.path) if self.path else None
        return {"script": path, "script_confirmed": self.confirmed, "script_problem": self.problem}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read what ``to_dict`` returned. Older journals say ``script_complaint``."""
        path = record["script"]
        return cls(
            path=Path(path) if path else None, problem=record.get("script_problem", record.get("script_complaint", ""))
        )

    def __str__(self) -> str:
        if self.path is None:
            return f"none: {self.problem}"
        return f"{self.path} ({f'not confirmed: {self.problem}' if self.problem else 'confirmed in a fresh process'})"


def write_reproducer(case_path: Path, text: str, failure: Failure) -> Reproducer:
    """Write the script beside its case, and run it.

    Args:
        case_path: The saved case.
        text: The script.
        failure: The failure that the script must show.

    Raises:
        CorpusError: If the script cannot be written.
    """
    path = case_path.with_name(case_path.name.removesuffix(SUFFIX) + SCRIPT_SUFFIX)
    replace_file(path, text)
    return Reproducer(path=path, problem=_run_script(path, failure))


_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""A program that executes the command after it. The command is killed when its parent ends (Linux)."""


def _run_script(path: Path, failure: Failure) -> str:
    """Run the script. Return why it does not show the failure, in a line; empty if it does."""
    command = [sys.executable, "-P", str(path)]  # -P: files beside the script must not be imported
    if sys.platform == "linux":
        command = [sys.executable, "-IS", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
    try:
        done = subprocess.run(  # noqa: S603, our own script
            command, capture_output=True, text=True, errors="replace", timeout=SCRIPT_SECONDS, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        return "" if failure.kind == "TargetTimeout" else f"did not end within {SCRIPT_SECONDS:.0f} s"
    if done.returncode < 0:
        return "" if failure.kind == "TargetCrashed" else f"killed by {signal.Signals(-done.returncode).name}"
    last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
    if last.endswith(NOTHING_TO_RUN):
        return "without the pass there is nothing to run"
    beginnings = _LAST_LINES.get(failure.kind, ("FAILED: ",))
    lost = failure.kind in ("TargetCrashed", "TargetTimeout")
    if done.returncode == 1 and last.startswith(beginnings) and not lost:
        return ""
    return f"exit code {done.returncode}, {last}"
