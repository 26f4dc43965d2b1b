"""TVM's default pipeline and its virtual machine, and the naive way to use them.

Several functions are compiled as one module, since most of the cost is per module, and asserts are left out. Together
this is about twice as fast as a compilation for each function (FACTS 5).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tvm
from tvm import relax

from foldproof.ir.relax.targets.target import Target

_PASS_CONFIG = {"tirx.disable_assert": True}


class VmProgram:
    """Compiled functions, called by name with NumPy arrays in the order of their parameters."""

    def __init__(self, entries: dict[str, Any], target: Target, fallback: str = "") -> None:
        self._entries = entries
        self._device = target.device
        self.fallback = fallback

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of one function; a single tensor as a tuple of one."""
        out = self._entries[name](*(tvm.runtime.tensor(array, self._device) for array in arrays.values()))
        tensors = [out] if isinstance(out, tvm.runtime.Tensor) else list(out)
        return tuple(tensor.numpy() for tensor in tensors)


def compile_default(modules: Mapping[str, tvm.IRModule], target: Target, *, fallback: str = "") -> VmProgram:
    """Compile the function ``main`` of each module; it is called by the key of the module.

    Modules of one function are compiled together. ``fallback`` is the reason why another pipeline did not compile them.
    Raises what TVM raises.
    """
    single = {name: module for name, module in modules.items() if len(module.functions) == 1}
    entries = {}
    if single:
        functions = {name: module["main"].with_attr("global_symbol", name) for name, module in single.items()}
        machine = _build_machine(tvm.IRModule(functions), target)
        entries.update({name: machine[name] for name in functions})
    for name, module in modules.items():
        if name not in single:
            entries[name] = _build_machine(module, target)["main"]
    return VmProgram(entries, target, fallback)


def compile_naive(modules: Mapping[str, tvm.IRModule], target: Target) -> VmProgram:
    """Compile each module by itself with the defaults of TVM and LLVM, whatever the options of the target.

    Both functions are compiled, even if the pass changed nothing.
    """
    entries = {}
    for name, module in {"unfolded": modules["unfolded"], "folded": modules["unfolded"], **modules}.items():
        executable = tvm.compile(module, target=target.tvm_target.kind.name)
        entries[name] = relax.VirtualMachine(executable, target.device)["main"]
    return VmProgram(entries, target)


def _build_machine(module: tvm.IRModule, target: Target) -> relax.VirtualMachine:
    with tvm.transform.PassContext(opt_level=3, config=_PASS_CONFIG):
        executable = tvm.compile(module, target=target.tvm_target)
    return relax.VirtualMachine(executable, target.device)
