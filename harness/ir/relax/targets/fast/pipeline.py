"""The fast pipeline: it compiles and runs a tiny case on a CPU, and does nothing else.

    modules --LegalizeOps--> executors + PrimFuncs --deduplicated--> kernels of one object --> programs

The kernels are TVM's: LegalizeOps, the lowering passes that change a meaning, LLVM. Most PrimFuncs are built by
``primfuncs``, equal node for node to those of TVM.

Left out is what only plans, checks or optimises: memory planning, the virtual machine, the packed calling convention,
optimising TIR passes. The target chooses the passes of LLVM. ``foldproof bench`` measures the saving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tvm
from tvm import tirx

from foldproof.ir.relax.targets.default import VmProgram, compile_default
from foldproof.ir.relax.targets.fast.executor import Executor
from foldproof.ir.relax.targets.fast.kernels import Signature, compile_kernels, derive_signature
from foldproof.ir.relax.targets.fast.legalize import Legalizer
from foldproof.ir.relax.targets.fast.structural_cache import StructuralCache
from foldproof.ir.relax.targets.target import Target, Unsupported

KERNEL_CAPACITY = 256
"""Kernels kept; a batch does not compile these again. In 500 cases 7 % of kernels were found. Keeping 1,024 finds no
more and takes 17 MB more (with as many PrimFuncs, see ``legalize``)."""

_POISONS = (0xA5, 0x5A, 0x3C, 0xC3)
"""Fill bytes for the functions of a program, in turn, so that unwritten elements differ between functions."""


class FastProgram:
    """Compiled functions, to be called by name with NumPy arrays in the order of their parameters."""

    fallback = ""

    def __init__(self, functions: Mapping[str, "_Function"]) -> None:
        self._functions = {
            name: (function.executor, {called: slot.kernel for called, slot in function.slots.items()})
            for name, function in functions.items()
        }
        self._poisons = {name: _POISONS[i % len(_POISONS)] for i, name in enumerate(functions)}

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of one function; a single tensor as a tuple of one."""
        executor, kernels = self._functions[name]
        return executor.run(arrays.values(), kernels, poison=self._poisons[name])


def compile_fast(batch: Sequence[Mapping[str, tvm.IRModule]], target: Target) -> list[FastProgram | VmProgram]:
    """Return a program for each mapping of the batch; all new kernels are compiled into one object.

    Modules that this pipeline does not support are compiled by the default one; ``fallback`` has the reason. Raises
    what TVM raises.
    """
    return [
        compile_default(modules, target, fallback=str(functions))
        if isinstance(functions, Unsupported)
        else FastProgram(functions)
        for modules, functions in zip(batch, _compiler(target).compile(batch), strict=True)
    ]


@cache
def _compiler(target: Target) -> "_Compiler":
    return _Compiler(target)


@dataclass(slots=True)
class _KernelSlot:
    """A PrimFunc and its kernel, once that is compiled."""

    function: tirx.PrimFunc
    signature: Signature
    kernel: Any = None


@dataclass(frozen=True, slots=True)
class _Function:
    """An executor, and the slot of the kernel of each PrimFunc that it calls."""

    executor: Executor
    slots: Mapping[str, _KernelSlot]


class _Compiler:
    """Compiles for one target, and keeps the kernels."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._legalize = Legalizer(target.tvm_target)
        self._slots: StructuralCache[_KernelSlot] = StructuralCache(KERNEL_CAPACITY)

    def compile(self, batch: Sequence[Mapping[str, tvm.IRModule]]) -> Sequence[Mapping[str, _Function] | Unsupported]:
        """Return the functions of each mapping with their compiled kernels, or why they are not supported."""
        new: list[_KernelSlot] = []
        try:
            prepared = [self._prepare(modules, new) for modules in batch]
            kernels = compile_kernels([(slot.function, slot.signature) for slot in new], self._target)
        except BaseException as error:
            for slot in new:
                self._slots.forget(slot.function)
            if isinstance(error, Unsupported):
                return [error] * len(batch)
            raise
        for slot, kernel in zip(new, kernels, strict=True):
            slot.kernel = kernel
        return prepared

    def _prepare(
        self, modules: Mapping[str, tvm.IRModule], new: list[_KernelSlot]
    ) -> Mapping[str, _Function] | Unsupported:
        """Legalise modules and collect their kernels; append slots that are not compiled yet to ``new``."""
        try:
            executors = {name: Executor(self._legalize(module)) for name, module in modules.items()}
            return {
                name: _Function(
                    executor, {called: self._slot(kernel, new) for called, kernel in executor.kernels.items()}
                )
                for name, executor in executors.items()
            }
        except Unsupported as reason:
            return reason

    def _slot(self, function: tirx.PrimFunc, new: list[_KernelSlot]) -> _KernelSlot:
        """Return the slot of an equal function, or a new one. Raises Unsupported."""
        function = function.without_attr("global_symbol")
        slot = self._slots.get(function)
        if slot is None:
            slot = _KernelSlot(function, derive_signature(function))
            self._slots.put(function, slot)
            new.append(slot)
        return slot
