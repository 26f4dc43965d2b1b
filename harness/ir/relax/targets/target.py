"""Targets: what to compile for, and by which pipeline.

    parse_target("llvm", "fast") -> Target
    parse_target("native", "fast") -> Target, for this CPU and its features

- ``default``: TVM's own passes and its virtual machine
- ``fast``: only what a tiny case needs, on a CPU (``foldproof.ir.relax.targets.fast.pipeline``)
- ``naive``: one compilation for each module with TVM's defaults, the baseline of ``foldproof bench``
"""

import json
import os
from dataclasses import dataclass, replace
from typing import Any

# Kernels are tiny, so a thread pool costs more than it saves; and workers share the machine.
os.environ.setdefault("TVM_NUM_THREADS", "1")

import tvm

from foldproof.core.errors import UsageError
from foldproof.ir.relax.targets import llvm

DEFAULT_TARGET, NATIVE = "llvm", "native"
FAST, DEFAULT, NAIVE = "fast", "default", "naive"
PIPELINES = (FAST, DEFAULT)
"""The pipelines that a user can choose."""

_HOST_KINDS = ("llvm", "c")
_HOST_ARCHITECTURE = tvm.target.Target("llvm").attrs.get("mtriple", "").split("-")[0]


class TargetError(UsageError):
    """A target that does not exist, or that this build of TVM cannot compile for."""


class Unsupported(Exception):  # noqa: N818, not an error: the default pipeline takes over
    """The fast pipeline does not support this module, or not on this machine; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Target:
    """A TVM target and its device; ``name`` is the text that the user gave.

    ``notice`` is the reason if ``pipeline`` is not the requested one, else empty. ``description`` names the CPU and the
    features that LLVM compiles for, in short; it is empty for the default target.
    """

    name: str
    tvm_target: tvm.target.Target
    device: Any
    pipeline: str = FAST
    notice: str = ""
    description: str = ""

    @property
    def spec(self) -> Any:
        """The argument of ``tvm.target.Target``: a name, or a JSON object."""
        return _spec(self.name)

    def with_pipeline(self, pipeline: str) -> "Target":
        """Return the target with another pipeline; ``fast`` becomes ``default`` where it is not supported."""
        notice = _fast_obstacle(self.tvm_target) if pipeline == FAST else ""
        return replace(self, pipeline=DEFAULT if notice else pipeline, notice=notice)


def parse_target(name: str = DEFAULT_TARGET, pipeline: str = FAST) -> Target:
    """Return a target.

    Args:
        name: a kind, a tag or a JSON object of TVM, or ``native``: this CPU and its features, with LLVM's default
            opt-level. ``llvm`` alone means opt-level 0; the default of LLVM is ``'{"kind": "llvm", "opt-level": 3}'``.
        pipeline: one of ``PIPELINES``.

    Raises:
        TargetError: if TVM does not know the target, cannot compile for it, or finds no such device; also if TVM or
            LLVM would compile for something else than what ``name`` says.
    """
    try:
        with llvm.captured_stderr():  # what LLVM writes here is said again, in one line, below
            target = tvm.target.Target(_spec(name))
        device = tvm.device("cpu" if target.kind.name in _HOST_KINDS else target.kind.name)
    except Exception as error:  # TVM raises ValueError, TVMError, TypeError and JSONDecodeError for bad targets
        raise TargetError(f"target {name!r} is unknown to TVM: {_last_line(error)}") from error
    if tvm.get_global_func(f"target.build.{target.kind.name}", allow_missing=True) is None:
        raise TargetError(f"target {name!r}: this build of TVM has no code generator for {target.kind.name}")
    if not device.exist:
        raise TargetError(f"target {name!r}: this machine has no {target.kind.name} device")
    problem = llvm.find_problem(target) if target.kind.name in _HOST_KINDS else ""
    if problem:
        raise TargetError(f"target {name!r}: {problem}")
    described = name != DEFAULT_TARGET and target.kind.name == "llvm"
    description = llvm.describe(target) if described else ""
    return Target(name, target, device, description=description).with_pipeline(pipeline)


def _spec(name: str) -> Any:
    if name == NATIVE:
        return llvm.native_spec()
    if name == "llvm":
        return {"kind": "llvm", "opt-level": 0}
    return json.loads(name) if name.lstrip().startswith("{") else name


def _fast_obstacle(target: tvm.target.Target) -> str:
    """Return why the fast pipeline cannot compile for a target, as a sentence; empty if it can."""
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
