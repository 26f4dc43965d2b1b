"""TVM's default pipeline and its virtual machine, and the naive way to use them.

Several functions go into one module, since most of the cost is per module; asserts are left out, which together is
some twice as fast as one module and one compilation each (FACTS 5).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tvm
from tvm import relax

from foldproof.ir.relax.targets.target import Target

_PASS_CONFIG = {"tirx.disable_assert": True}


class VmProgram:
    """Compiled functions, to be called by name with NumPy arrays in the order of their parameters."""

    def __init__(self, entries: dict[str, Any], target: Target, fallback: str = "") -> None:
        self._entries = entries
        self._device = target.device
        self.fallback = fallback

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The outputs of one function; a single tensor comes as a tuple of one."""
        out = self._entries[name](*(tvm.runtime.tensor(array, self._device) for array in arrays.values()))
        tensors = [out] if isinstance(out, tvm.runtime.Tensor) else list(out)
        return tuple(tensor.numpy() for tensor in tensors)


def compile_default(modules: Mapping[str, tvm.IRModule], target: Target, *, fallback: str = "") -> VmProgram:
    """Compile the function ``main`` of each module, to be called by the module's key.

    Modules of one function are compiled together. ``fallback`` says why another pipeline did not do it. Raises what
    TVM raises.
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
    return VmProgram(entries, target, fallback)


def compile_naive(modules: Mapping[str, tvm.IRModule], target: Target) -> VmProgram:
    """Each module by itself, the way one does it first: TVM's defaults, LLVM's included, whatever the target says.

    It does not look whether a pass changed anything: both functions are compiled.
    """
    entries = {}
    for name, module in {"unfolded": modules["unfolded"], "folded": modules["unfolded"], **modules}.items():
        executable = tvm.compile(module, target=target.tvm_target.kind.name)
        entries[name] = relax.VirtualMachine(executable, target.device)["main"]
    return VmProgram(entries, target)


def _machine(module: tvm.IRModule, target: Target) -> relax.VirtualMachine:
    with tvm.transform.PassContext(opt_level=3, config=_PASS_CONFIG):
        executable = tvm.compile(module, target=target.tvm_target)
    return relax.VirtualMachine(executable, target.device)
