"""The fast pipeline: what a tiny case needs to be compiled and run on a CPU, and nothing else.

    modules --LegalizeOps--> graphs + PrimFuncs --equal ones once--> kernels of one object --> programs

``foldproof bench`` measures what that saves, compared with two naive compilations. What makes a kernel is TVM's,
operator by operator: LegalizeOps, the lowering passes that change a meaning, LLVM; but most PrimFuncs are built by
``own``, node for node as TVM makes them. What is left out arranges, checks and optimises: memory planning, the virtual
machine, the packed calling convention, passes of TIR; those of LLVM are up to the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tvm
from tvm import tirx

from foldproof.ir.relax.targets.default import VmProgram, compile_default
from foldproof.ir.relax.targets.fast.executor import Graph
from foldproof.ir.relax.targets.fast.kernels import Signature, compile_kernels, signature
from foldproof.ir.relax.targets.fast.legalize import Legalizer
from foldproof.ir.relax.targets.fast.structural_cache import StructuralCache
from foldproof.ir.relax.targets.target import Target, Unsupported

KERNELS = 256
"""Kernels kept: a batch compiles only those that equal none of them. In 500 cases 7 % did, no more with 1,024 kept,
which take 17 MB more (with as many PrimFuncs, see ``legalize``)."""

_POISONS = (0xA5, 0x5A, 0x3C, 0xC3)
"""One for each function of a program, in turn: elements that no kernel wrote differ from function to function."""


class FastProgram:
    """Compiled functions, to be called by name with NumPy arrays in the order of their parameters."""

    fallback = ""

    def __init__(self, functions: Mapping[str, "_Function"]) -> None:
        self._functions = {
            name: (function.graph, {called: slot.kernel for called, slot in function.slots.items()})
            for name, function in functions.items()
        }
        self._poisons = {name: _POISONS[i % len(_POISONS)] for i, name in enumerate(functions)}

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The outputs of one function; a single tensor comes as a tuple of one."""
        graph, kernels = self._functions[name]
        return graph.run(arrays.values(), kernels, poison=self._poisons[name])


def compile_fast(batch: Sequence[Mapping[str, tvm.IRModule]], target: Target) -> list[FastProgram | VmProgram]:
    """A program for each mapping of the batch; what kernels are new comes from one object.

    What this pipeline does not understand is compiled by the default one, with the reason in ``fallback``. Raises what
    TVM raises.
    """
    return [
        compile_default(modules, target, fallback=str(functions))
        if isinstance(functions, Unsupported)
        else FastProgram(functions)
        for modules, functions in zip(batch, _compiler(target).compiled(batch), strict=True)
    ]


@cache
def _compiler(target: Target) -> "_Compiler":
    return _Compiler(target)


@dataclass(slots=True)
class _Slot:
    """The place of a kernel, before and after it is compiled."""

    function: tirx.PrimFunc
    signature: Signature
    kernel: Any = None


@dataclass(frozen=True, slots=True)
class _Function:
    """A graph, and the place of the kernel for each PrimFunc that it calls."""

    graph: Graph
    slots: Mapping[str, _Slot]


class _Compiler:
    """Compiles for one target, and remembers what it compiled."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._legalize = Legalizer(target.tvm_target)
        self._slots: StructuralCache[_Slot] = StructuralCache(KERNELS)

    def compiled(self, batch: Sequence[Mapping[str, tvm.IRModule]]) -> Sequence[Mapping[str, _Function] | Unsupported]:
        """The functions of each mapping with all their kernels, or why there are none."""
        new: list[_Slot] = []
        try:
            read = [self._read(modules, new) for modules in batch]
            kernels = compile_kernels([(slot.function, slot.signature) for slot in new], self._target)
        except BaseException as error:
            for slot in new:
                self._slots.forget(slot.function)
            if isinstance(error, Unsupported):
                return [error] * len(batch)
            raise
        for slot, kernel in zip(new, kernels, strict=True):
            slot.kernel = kernel
        return read

    def _read(self, modules: Mapping[str, tvm.IRModule], new: list[_Slot]) -> Mapping[str, _Function] | Unsupported:
        try:
            graphs = {name: Graph(self._legalize(module)) for name, module in modules.items()}
            return {
                name: _Function(graph, {called: self._slot(kernel, new) for called, kernel in graph.kernels.items()})
                for name, graph in graphs.items()
            }
        except Unsupported as reason:
            return reason

    def _slot(self, function: tirx.PrimFunc, new: list[_Slot]) -> _Slot:
        """The place of an equal function's kernel, or a new one. Raises Unsupported."""
        function = function.without_attr("global_symbol")
        slot = self._slots.get(function)
        if slot is None:
            slot = _Slot(function, signature(function))
            self._slots.put(function, slot)
            new.append(slot)
        return slot
