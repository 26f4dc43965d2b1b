"""LegalizeOps, with a memory: an operator call that equals an earlier one gets the PrimFunc that the earlier one got.

    R.nn.pad(x, (0, 0, 1, 1))      ->      R.call_tir(cls.pad, (x,), out_ty=...)

What an operator is legalised to depends on its attributes, on the types of its operands and on the values of constants
among them, all of which ``StructuralCache`` compares, and on the target, which has a memory of its own.

Most operators are built without TE (``own``), which takes a fraction of the time. The first call of each goes both
ways: if this TVM makes of it another PrimFunc than ``own`` does, TVM makes those of the operator from then on.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.ir.relax.targets.fast.primfuncs.pad import COPYING
from foldproof.ir.relax.targets.fast.primfuncs.step import UNARY
from foldproof.ir.relax.targets.fast.primfuncs.table import built
from foldproof.ir.relax.targets.fast.stages import int64, numbers
from foldproof.ir.relax.targets.fast.structural_cache import StructuralCache

CAPACITY = 256
"""PrimFuncs remembered, some 20 kB each. In 500 cases 4 % of operator calls equalled one of the last 32, or 1,024."""

_LEGALIZE = "FLegalize"
_CALL_TIR = ir.Op.get("relax.call_tir")


@dataclass(frozen=True, slots=True)
class _Known:
    """A legalised call: its PrimFunc and the PrimFunc's name, which of the call's operands it takes, and its type."""

    function: tirx.PrimFunc
    name: str
    operands: tuple[int, ...]
    ty: Any


class Legalizer:
    """LegalizeOps for one target."""

    def __init__(self, target: tvm.target.Target) -> None:
        self._target = target
        self.known: StructuralCache[_Known] = StructuralCache(CAPACITY)
        self._alike: dict[str, bool] = {}
        self._pass = relax.transform.LegalizeOps(dict.fromkeys(_operators(), self._legalize))

    @property
    def differing(self) -> tuple[str, ...]:
        """Operators, and modes of pads, that ``own`` builds otherwise than this TVM does, and which are left to TVM."""
        return tuple(name for name, alike in self._alike.items() if not alike)

    def __call__(self, module: tvm.IRModule) -> tvm.IRModule:
        """The module with a PrimFunc for every operator. Raises what TVM raises."""
        with self._target:
            return self._pass(module)

    def _legalize(self, builder: relax.BlockBuilder, call: ir.Call) -> Any:
        known = self.known.get(call)
        if known is not None:
            return _called(builder, call, known)
        made = self._made(call)
        if made is not None and self._alike.get(_kind(call)):
            self.known.put(call, made)
            return _called(builder, call, made)
        legalised = call.op.get_attr(_LEGALIZE)(builder, call)
        known = _read(builder, call, legalised)
        if known is not None:
            self.known.put(call, known)
        if made is not None:
            self._alike[_kind(call)] = known is not None and _same(known, made)
        return legalised

    def _made(self, call: ir.Call) -> _Known | None:
        """What is built without TE; None of what is not, or not as this TVM does."""
        if not self._alike.get(_kind(call), True):
            return None
        stages = built(call)
        if stages is None:
            return None
        result = stages.result
        ty = relax.TensorType([int64(length) for length in result.lengths], result.dtype)
        return _Known(stages.function(), _name(call), tuple(stages.operands), ty)


def _kind(call: ir.Call) -> str:
    """What one comparison with TVM stands for: an operator; of pads, a mode, since each has a kernel of its own."""
    name = str(call.op.name)
    return f"{name} {call.attrs.pad_mode}" if name == "relax.nn.pad" else name


_NAMES = {"relax.astype": "cast", "relax.permute_dims": "transpose", "relax.nn.leakyrelu": "leaky_relu"}
_PREFIXED = (*UNARY, "relax.sqrt", "relax.clip")
"""Functions whose names libc has, too."""


def _name(call: ir.Call) -> str:
    """What LegalizeOps calls the PrimFunc."""
    name = str(call.op.name)
    if name == "relax.nn.pad" and str(call.attrs.pad_mode) in COPYING:
        return f"{call.attrs.pad_mode}_pad"
    return _NAMES.get(name, ("tir_" if name in _PREFIXED else "") + name.rpartition(".")[2])


def _called(builder: relax.BlockBuilder, call: ir.Call, known: _Known) -> ir.Call:
    var = builder.add_func(known.function, known.name)
    return relax.call_tir(var, [call.args[i] for i in known.operands], known.ty)


def _read(builder: relax.BlockBuilder, call: ir.Call, legalised: Any) -> _Known | None:
    """What TVM made, if that is one call of a PrimFunc on operands of the call, which symbolic shapes may not be."""
    if not isinstance(legalised, ir.Call) or legalised.op != _CALL_TIR or len(legalised.args) != 2:
        return None
    given, operands = list(call.args), []
    for argument in legalised.args[1].fields:
        place = next((i for i, one in enumerate(given) if one.same_as(argument) and i not in operands), None)
        if place is None:
            return None
        operands.append(place)
    if numbers(legalised.ty_args[0]) is None:
        return None
    var = legalised.args[0]
    return _Known(builder.get()[var], var.name_hint, tuple(operands), legalised.ty_args[0])


def _same(one: _Known, other: _Known) -> bool:
    """Node for node, whatever the names of variables."""
    return (
        one.operands == other.operands
        and bool(tvm_ffi.structural_equal(one.ty, other.ty))
        and bool(tvm_ffi.structural_equal(one.function.without_attr("global_symbol"), other.function))
    )


@cache
def _operators() -> tuple[str, ...]:
    return tuple(
        name
        for name in ir.Op.list_op_names()
        if name.startswith("relax.") and ir.Op.get(name).get_attr(_LEGALIZE) is not None
    )
