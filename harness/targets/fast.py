"""The fast pipeline: what a tiny case needs to be compiled and run on a CPU, and nothing else.

    modules --LegalizeOps--> graphs + PrimFuncs --equal ones once--> kernels of one object --> programs

Ten times as fast as two naive compilations of a case (``foldproof bench``). What makes a kernel is TVM's, operator by
operator: LegalizeOps, the lowering passes that change a meaning, LLVM. What is left out arranges, checks and optimises:
memory planning, the virtual machine, the packed calling convention, passes of TIR; those of LLVM are up to the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
import tvm_ffi
from tvm import relax, tirx

from harness.targets.default import VmProgram, compile_default
from harness.targets.graph import Graph
from harness.targets.kernels import Kernel, compile_kernels, signature
from harness.targets.target import Target, Unsupported

_LEGALIZE = relax.transform.LegalizeOps()

_POISONS = (0xA5, 0x5A, 0x3C, 0xC3)
"""One for each function of a program, in turn: elements that no kernel wrote differ from function to function."""


class FastProgram:
    """Compiled functions, to be called by name with NumPy arrays in the order of their parameters."""

    fallback = ""

    def __init__(self, functions: Mapping[str, "_Function"], kernels: Sequence[Kernel]) -> None:
        self._functions = functions
        self._kernels = {
            name: {called: kernels[number] for called, number in function.numbers.items()}
            for name, function in functions.items()
        }
        self._poisons = {name: _POISONS[i % len(_POISONS)] for i, name in enumerate(functions)}

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The outputs of one function; a single tensor comes as a tuple of one."""
        graph = self._functions[name].graph
        return graph.run(arrays.values(), self._kernels[name], poison=self._poisons[name])


def compile_fast(batch: Sequence[Mapping[str, tvm.IRModule]], target: Target) -> list[FastProgram | VmProgram]:
    """A program for each mapping of the batch, all of whose kernels come from one object.

    What this pipeline does not understand is compiled by the default one, with the reason in ``fallback``. Raises what
    TVM raises.
    """
    distinct = _Distinct()
    read: list[dict[str, _Function] | Unsupported] = []
    for modules in batch:
        try:
            read.append({name: _read(module, distinct, target) for name, module in modules.items()})
        except Unsupported as reason:
            read.append(reason)
    try:
        kernels = compile_kernels(distinct.functions, target)
    except Unsupported as reason:
        return [compile_default(modules, target, fallback=str(reason)) for modules in batch]
    return [
        compile_default(modules, target, fallback=str(functions))
        if isinstance(functions, Unsupported)
        else FastProgram(functions, kernels)
        for modules, functions in zip(batch, read, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Function:
    """A graph, and the number of the kernel for each PrimFunc that it calls."""

    graph: Graph
    numbers: Mapping[str, int]


def _read(module: tvm.IRModule, distinct: "_Distinct", target: Target) -> _Function:
    with target.tvm_target:
        graph = Graph(_LEGALIZE(module))
    return _Function(graph, {name: distinct.number(function) for name, function in graph.kernels.items()})


class _Distinct:
    """PrimFuncs, structurally equal ones once."""

    def __init__(self) -> None:
        self.functions: list[tirx.PrimFunc] = []
        self._by_hash: dict[int, list[int]] = {}

    def number(self, function: tirx.PrimFunc) -> int:
        """The place of a function, or of one that equals it, in ``functions``. Raises Unsupported."""
        signature(function)
        function = function.without_attr("global_symbol")
        candidates = self._by_hash.setdefault(tvm_ffi.structural_hash(function), [])
        for number in candidates:
            if tvm_ffi.structural_equal(self.functions[number], function):
                return number
        self.functions.append(function)
        candidates.append(len(self.functions) - 1)
        return candidates[-1]
