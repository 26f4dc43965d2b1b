"""TVM's default pipeline and its virtual machine, and the naive way to use them.

Modules of one function are compiled as one module, since most of the cost is per module, and asserts are left out.
Together this is about twice as fast as a compilation for each function (FACTS 5).

A pass that saves memory is left out where its result is unsound (``memory_plan``). Then ``fallback`` has the reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tvm
from tvm import relax

from foldproof.ir.relax.targets.local_functions import lift_local_functions
from foldproof.ir.relax.targets.memory_plan import RequireSoundMemory
from foldproof.ir.relax.targets.target import Target

_PASS_CONFIG = {"tirx.disable_assert": True}


class VmProgram:
    """Compiled functions, called by name with NumPy arrays in the order of their parameters."""

    def __init__(self, entries: dict[str, Any], target: Target, fallback: str = "") -> None:
        self._entries = entries
        self._device = target.device
        self.fallback = fallback

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of one function, nested tuples flattened; a single tensor as a tuple of one."""
        return tuple(_flatten(self._entries[name](*_load(arrays, self._device))))


def _load(arrays: Mapping[str, np.ndarray], device: Any) -> Iterator[tvm.runtime.Tensor]:
    return (tvm.runtime.tensor(array, device) for array in arrays.values())


def _flatten(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, tvm.runtime.Tensor):
        yield value.numpy()
    else:
        for part in value:
            yield from _flatten(part)


def compile_default(modules: Mapping[str, tvm.IRModule], target: Target, *, fallback: str = "") -> VmProgram:
    """Compile the function ``main`` of each module; it is called by the key of the module.

    Modules of one function are compiled together. ``fallback`` is the reason why another pipeline did not compile them.
    Raises what TVM raises.
    """
    modules = {name: lift_local_functions(module) for name, module in modules.items()}
    single = {name: module for name, module in modules.items() if _has_one_function(module)}
    entries, reasons = {}, [fallback]
    if single:
        functions = {name: module["main"].with_attr("global_symbol", name) for name, module in single.items()}
        machine, reason = _build_machine(tvm.IRModule(functions), target)
        entries.update({name: machine[name] for name in functions})
        reasons.append(reason)
    for name, module in modules.items():
        if name not in single:
            machine, reason = _build_machine(module, target)
            entries[name] = machine["main"]
            reasons.append(reason)
    return VmProgram(entries, target, "; ".join(dict.fromkeys(filter(None, reasons))))


def _has_one_function(module: tvm.IRModule) -> bool:
    """Whether ``main`` is alone and does not call itself, so that it can have another name."""
    return len(module.functions) == 1 and not relax.analysis.all_global_vars(module["main"])


def compile_naive(modules: Mapping[str, tvm.IRModule], target: Target) -> VmProgram:
    """Compile each module by itself with the defaults of TVM and LLVM, whatever the options of the target.

    Both functions are compiled, even if the pass changed nothing.
    """
    entries, reasons = {}, []
    for name, module in {"unfolded": modules["unfolded"], "folded": modules["unfolded"], **modules}.items():
        sound = RequireSoundMemory()
        with tvm.transform.PassContext(instruments=[sound]):
            executable = tvm.compile(lift_local_functions(module), target=target.tvm_target.kind.name)
        entries[name] = relax.VirtualMachine(executable, target.device)["main"]
        reasons.append(sound.reason)
    return VmProgram(entries, target, "; ".join(dict.fromkeys(filter(None, reasons))))


def _build_machine(module: tvm.IRModule, target: Target) -> tuple[relax.VirtualMachine, str]:
    """Return the machine, and the reason why a pass was left out; empty if none was."""
    sound = RequireSoundMemory()
    with tvm.transform.PassContext(opt_level=3, config=_PASS_CONFIG, instruments=[sound]):
        executable = tvm.compile(module, target=target.tvm_target)
    return relax.VirtualMachine(executable, target.device), sound.reason
