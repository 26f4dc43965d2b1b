"""Compile Relax functions with TVM's default pipeline and run them in this process.

Several functions go into one module, since most of the cost is per module; asserts are left out and LLVM runs at
opt-level 0, which together is some four times as fast as two naive compilations (FACTS 5).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Tiny kernels: a thread pool costs more than it gives, and workers share the machine.
os.environ.setdefault("TVM_NUM_THREADS", "1")

import numpy as np
import tvm
from tvm import relax

from harness.loading import UsageError

DEFAULT_TARGET = "llvm"
_HOST_KINDS = ("llvm", "c")
_PASS_CONFIG = {"tirx.disable_assert": True}


class TargetError(UsageError):
    """No such target, or this build of TVM cannot compile for it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A TVM target and the device that runs it; ``name`` is what the user wrote."""

    name: str
    tvm_target: tvm.target.Target
    device: Any


def parse_target(name: str = DEFAULT_TARGET) -> Target:
    """A target from its kind, tag or JSON object, as TVM names them.

    ``llvm`` alone means opt-level 0; ``'{"kind": "llvm", "opt-level": 3}'`` is LLVM's default. Raises TargetError.
    """
    try:
        spec: Any = json.loads(name) if name.lstrip().startswith("{") else name
        target = tvm.target.Target({"kind": "llvm", "opt-level": 0} if spec == "llvm" else spec)
        device = tvm.device("cpu" if target.kind.name in _HOST_KINDS else target.kind.name)
    except Exception as error:  # TVM raises ValueError, TVMError, TypeError and JSONDecodeError for bad targets
        raise TargetError(f"target {name!r} is unknown to TVM: {_last_line(error)}") from error
    if tvm.get_global_func(f"target.build.{target.kind.name}", allow_missing=True) is None:
        raise TargetError(f"target {name!r}: this build of TVM has no code generator for {target.kind.name}")
    if not device.exist:
        raise TargetError(f"target {name!r}: this machine has no {target.kind.name} device")
    return Target(name, target, device)


class Program:
    """Compiled functions, to be called by name with NumPy arrays in the order of their parameters."""

    def __init__(self, entries: dict[str, Any], target: Target) -> None:
        self._entries = entries
        self._device = target.device

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The outputs of one function; a single tensor comes as a tuple of one."""
        out = self._entries[name](*(tvm.runtime.tensor(array, self._device) for array in arrays.values()))
        tensors = [out] if isinstance(out, tvm.runtime.Tensor) else list(out)
        return tuple(tensor.numpy() for tensor in tensors)


def compile_functions(modules: Mapping[str, tvm.IRModule], target: Target) -> Program:
    """Compile the function ``main`` of each module, to be called by the module's key.

    Modules of one function are compiled together. Raises what TVM raises.
    """
    alone = {name: module for name, module in modules.items() if len(module.functions) == 1}
    entries = {}
    if alone:
        functions = {name: module["main"].with_attr("global_symbol", name) for name, module in alone.items()}
        machine = _machine(tvm.IRModule(functions), target)
        entries.update({name: machine[name] for name in functions})
    for name, module in modules.items():
        if name not in alone:
            entries[name] = _machine(module, target)["main"]
    return Program(entries, target)


def _machine(module: tvm.IRModule, target: Target) -> relax.VirtualMachine:
    with tvm.transform.PassContext(opt_level=3, config=_PASS_CONFIG):
        executable = tvm.compile(module, target=target.tvm_target)
    return relax.VirtualMachine(executable, target.device)


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
