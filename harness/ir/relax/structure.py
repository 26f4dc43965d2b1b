"""What a pass changed in a module beside its folds: signatures, attributes, functions, and the numbers of calls."""

from collections.abc import Iterator
from typing import Any

import tvm
from tvm import ir, relax

from foldproof.ir.base import StructureChange
from foldproof.ir.relax.module import bindings, same
from foldproof.ir.relax.residual_pads import ELEMENTWISE, PADS, find_bordered, is_pad_kernel


def find_structure_change(before: tvm.IRModule, after: tvm.IRModule, *, copies: int | None) -> StructureChange | None:
    """Return what changed beside the folds; None if nothing did.

    Args:
        before: the unfolded module.
        after: the folded module.
        copies: how many elementwise calls the pass may add; None if what it wastes does not matter.
    """
    checks = (_find_lost, _find_dangling, _find_changed_signature, _find_changed_effects)
    change = next((change for check in checks if (change := check(before, after))), None)
    if change is not None or copies is None:
        return change
    return _find_rebuilt(before, after) or _find_added(before, after, copies)


def _names(module: tvm.IRModule) -> dict[str, Any]:
    return {str(var.name_hint): function for var, function in module.functions.items()}


def _is_public(function: Any) -> bool:
    return function.attrs is not None and "global_symbol" in function.attrs


def _find_lost(before: tvm.IRModule, after: tvm.IRModule) -> StructureChange | None:
    kept = _names(after)
    for name, function in _names(before).items():
        if name not in kept and _is_public(function):
            return StructureChange(symptom="function lost", detail=f"the public function {name} is gone")
    return None


def _find_dangling(before: tvm.IRModule, after: tvm.IRModule) -> StructureChange | None:
    functions = set(after.functions)
    for name, function in _names(after).items():
        for var in _called(function):
            if var not in functions:
                detail = f"{name} calls {var.name_hint}, which the module does not have"
                return StructureChange(symptom="dangling call", detail=detail)
    return None


def _called(function: Any) -> Iterator[ir.GlobalVar]:
    if isinstance(function, relax.Function):
        for value in _values(function):
            if isinstance(value, ir.Call):
                for part in (value.op, *value.args):
                    if isinstance(part, ir.GlobalVar):
                        yield part


def _values(function: relax.Function) -> Iterator[Any]:
    return (binding.value for binding in bindings(function.body) if isinstance(binding, relax.VarBinding))


def _find_changed_signature(before: tvm.IRModule, after: tvm.IRModule) -> StructureChange | None:
    kept = _names(after)
    for name, old in _names(before).items():
        new = kept.get(name)
        if new is None or not isinstance(old, relax.Function):
            continue
        if type(new) is not type(old):
            return StructureChange(symptom="signature", detail=f"{name} is a {type(new).__name__} now")
        names = [[str(param.name) for param in function.params] for function in (old, new)]
        if names[0] != names[1] or not same(old.ty, new.ty):
            return StructureChange(symptom="signature", detail=f"the parameters or the type of {name} changed")
        if not _same_attributes(old.attrs, new.attrs):
            detail = f"the attributes of {name} were {old.attrs}, and are {new.attrs} now"
            return StructureChange(symptom="attributes", detail=detail)
    return None


def _same_attributes(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return old is None and new is None
    return same(old, new)


def _find_changed_effects(before: tvm.IRModule, after: tvm.IRModule) -> StructureChange | None:
    """Find calls that are not pure, or in place, of which there are others now, or in another order."""
    kept = _names(after)
    for name, old in _names(before).items():
        new = kept.get(name)
        if isinstance(old, relax.Function) and isinstance(new, relax.Function) and not new.same_as(old):
            calls = [[*map(_effect, _values(function))] for function in (old, new)]
            had, has = ([call for call in each if call] for each in calls)
            if had != has:
                detail = f"{name} has the calls with effects {has}, but had {had}"
                return StructureChange(symptom="effects", detail=detail)
    return None


def _effect(value: Any) -> str:
    """Return the name of what a call calls that is not pure, or in place; empty for any other value."""
    if not isinstance(value, ir.Call):
        return ""
    if isinstance(value.op, relax.ExternFunc):
        return str(value.op.global_symbol)
    if isinstance(value.op, ir.Op):
        name = str(value.op.name)
        return name if "inplace" in name or value.op.get_attr("FPurity") is False else ""
    return str(value.op.name_hint) if isinstance(value.op, ir.GlobalVar) and not value.op.ty.purity else ""


def _find_rebuilt(before: tvm.IRModule, after: tvm.IRModule) -> StructureChange | None:
    kept = _names(after)
    for name, old in _names(before).items():
        new = kept.get(name)
        if new is not None and not new.same_as(old) and same(old, new):
            return StructureChange(symptom="function rebuilt", detail=f"{name} did not change, but is another object")
    return None


def _find_added(before: tvm.IRModule, after: tvm.IRModule, copies: int) -> StructureChange | None:
    (pads_before, steps_before), (pads, steps) = _count(before), _count(after)
    if pads > pads_before:
        return StructureChange(symptom="more pads", detail=f"the module has {pads} pads, but had {pads_before}")
    if steps > steps_before + copies:
        detail = f"the module has {steps} elementwise calls, but had {steps_before}"
        return StructureChange(symptom="more steps", detail=detail)
    return None


def _count(module: tvm.IRModule) -> tuple[int, int]:
    """Return the numbers of pads of both forms, and of elementwise ops and calls of other kernels."""
    pads = steps = 0
    for function in _names(module).values():
        if not isinstance(function, relax.Function):
            continue
        bound = {binding.var: binding.value for binding in bindings(function.body)}
        for value in _values(function):
            name = str(value.op.name) if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""
            if name in PADS or is_pad_kernel(module, value) or find_bordered(value, bound) is not None:
                pads += 1
            elif name in ELEMENTWISE or name == "relax.call_tir":
                steps += 1
    return pads, steps
