"""The PrimFuncs of a module that are pads or elementwise: each is read once, and goes with its last call."""

from typing import Any

import tvm
import tvm_ffi
from tvm import ir, tirx

from foldproof.fold.facts import PadFacts
from foldproof.fold.kernels import Node, read_kernel
from foldproof.fold.primfunc import read_prim_pad


class PadKernels:
    """The PrimFuncs of a module that are pads, each read once. ``read`` holds those that were asked for."""

    def __init__(self, mod: tvm.IRModule) -> None:
        self._mod = mod
        self.read: dict[ir.GlobalVar, PadFacts | None] = {}
        self.kernels: dict[ir.GlobalVar, Node | None] = {}

    def __call__(self, global_var: ir.GlobalVar) -> PadFacts | None:
        if global_var not in self.read:
            function = self._mod.functions.get(global_var)
            facts = read_prim_pad(function) if isinstance(function, tirx.PrimFunc) else None
            self.read[global_var] = facts if facts is not None and _fits_nn_pad(facts) else None
        return self.read[global_var]

    def elementwise(self, global_var: ir.GlobalVar) -> Node | None:
        """Return what the PrimFunc computes for each element, None if it is not elementwise."""
        if global_var not in self.kernels:
            function = self._mod.functions.get(global_var)
            self.kernels[global_var] = read_kernel(function) if isinstance(function, tirx.PrimFunc) else None
        return self.kernels[global_var]


def _fits_nn_pad(facts: PadFacts) -> bool:
    """Return whether ``nn.pad``, whose value is a double, can hold the value: an int64 may not fit."""
    return isinstance(facts.value, float) or float(facts.value) == facts.value


def remove_unused(mod: tvm.IRModule, pads: PadKernels) -> tvm.IRModule:
    """Remove the private PrimFuncs, of those that were read, that nothing calls any more."""
    candidates = [
        global_var
        for global_var, facts in (*pads.read.items(), *pads.kernels.items())
        if facts is not None and "global_symbol" not in (mod[global_var].attrs or {})
    ]
    if not candidates:
        return mod
    called = {name for function in mod.functions.values() for name in _find_called(function)}
    for global_var in candidates:
        if global_var not in called:
            del mod[global_var]
    return mod


def _find_called(function: Any) -> list[Any]:
    """Return the functions of the module that a Relax or TIR function names."""
    found: list[Any] = []
    tvm_ffi.structural_walk(function, (ir.GlobalVar, found.append))
    return found
