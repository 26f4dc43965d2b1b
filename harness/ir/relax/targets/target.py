"""What to compile for, and by which pipeline.

    parse_target("llvm", "fast") -> Target

``default`` is TVM's own way from a Relax function to a run: its passes, its virtual machine. ``fast`` does only what a
tiny case needs, on a CPU (``foldproof.ir.relax.targets.fast.pipeline``). ``naive`` is what one writes first, and
what ``foldproof bench`` compares with.
"""

import json
import os
from dataclasses import dataclass, replace
from typing import Any

# Tiny kernels: a thread pool costs more than it gives, and workers share the machine.
os.environ.setdefault("TVM_NUM_THREADS", "1")

import tvm

from foldproof.core.errors import UsageError

DEFAULT_TARGET = "llvm"
FAST, DEFAULT, NAIVE = "fast", "default", "naive"
PIPELINES = (FAST, DEFAULT)
"""Those that a user can choose."""

_HOST_KINDS = ("llvm", "c")
_HOST_ARCHITECTURE = tvm.target.Target("llvm").attrs.get("mtriple", "").split("-")[0]


class TargetError(UsageError):
    """No such target, or this build of TVM cannot compile for it."""


class Unsupported(Exception):  # noqa: N818, nothing is wrong: another pipeline does it
    """The fast pipeline does not understand this module, or lacks something on this machine; the message says what."""


@dataclass(frozen=True, slots=True)
class Target:
    """A TVM target and the device that runs it; ``name`` is what the user wrote.

    ``notice`` says why ``pipeline`` is not the one that was asked for; empty if it is.
    """

    name: str
    tvm_target: tvm.target.Target
    device: Any
    pipeline: str = FAST
    notice: str = ""

    @property
    def spec(self) -> Any:
        """What makes the TVM target: a name, or a JSON object."""
        return _spec(self.name)

    def with_pipeline(self, pipeline: str) -> "Target":
        """The same target, compiled for in another way: ``fast`` becomes ``default`` where it cannot be."""
        notice = _why_not_fast(self.tvm_target) if pipeline == FAST else ""
        return replace(self, pipeline=DEFAULT if notice else pipeline, notice=notice)


def parse_target(name: str = DEFAULT_TARGET, pipeline: str = FAST) -> Target:
    """A target from its kind, tag or JSON object, as TVM names them.

    ``llvm`` alone means opt-level 0; ``'{"kind": "llvm", "opt-level": 3}'`` is LLVM's default. Raises TargetError.
    """
    try:
        target = tvm.target.Target(_spec(name))
        device = tvm.device("cpu" if target.kind.name in _HOST_KINDS else target.kind.name)
    except Exception as error:  # TVM raises ValueError, TVMError, TypeError and JSONDecodeError for bad targets
        raise TargetError(f"target {name!r} is unknown to TVM: {_last_line(error)}") from error
    if tvm.get_global_func(f"target.build.{target.kind.name}", allow_missing=True) is None:
        raise TargetError(f"target {name!r}: this build of TVM has no code generator for {target.kind.name}")
    if not device.exist:
        raise TargetError(f"target {name!r}: this machine has no {target.kind.name} device")
    return Target(name, target, device).with_pipeline(pipeline)


def _spec(name: str) -> Any:
    if name == "llvm":
        return {"kind": "llvm", "opt-level": 0}
    return json.loads(name) if name.lstrip().startswith("{") else name


def _why_not_fast(target: tvm.target.Target) -> str:
    """Why the fast pipeline cannot compile for a target, in a sentence; empty if it can."""
    if target.kind.name != "llvm":
        return f"the fast pipeline is for llvm, not for {target.kind.name}: using the default one"
    if not hasattr(os, "memfd_create"):
        return "the fast pipeline needs Linux (memfd_create): using the default one"
    architecture = target.attrs.get("mtriple", _HOST_ARCHITECTURE).split("-")[0]
    if architecture != _HOST_ARCHITECTURE:
        return f"the fast pipeline runs code for {_HOST_ARCHITECTURE}, not {architecture}: using the default one"
    return ""


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
