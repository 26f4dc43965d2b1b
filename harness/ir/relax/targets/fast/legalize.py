"""LegalizeOps with a cache: an operator call that equals an earlier one gets the PrimFunc of that one.

    R.nn.pad(x, (0, 0, 1, 1))      ->      R.call_tir(cls.pad, (x,), out_ty=...)

The PrimFunc of an operator depends on its attributes, the types of its operands and the values of constants among them.
``StructuralCache`` compares all of these. It also depends on the target, so each target has a cache of its own.

Most PrimFuncs are built without TE (``primfuncs``), in a fraction of the time. The first call of each operator is also
legalised by TVM. If the two PrimFuncs differ, the operator is left to TVM from then on.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import int64, static_shape
from foldproof.ir.relax.targets.fast.primfuncs.dispatch import build_primfunc
from foldproof.ir.relax.targets.fast.primfuncs.pad import COPYING_MODES
from foldproof.ir.relax.targets.fast.primfuncs.step import UNARY
from foldproof.ir.relax.targets.fast.structural_cache import StructuralCache

CAPACITY = 256
"""PrimFuncs kept, about 20 kB each. In 500 cases, 4 % of operator calls equalled one of the last 32, or of 1,024."""

_LEGALIZE = "FLegalize"
_CALL_TIR = ir.Op.get("relax.call_tir")


@dataclass(frozen=True, slots=True)
class _Legalized:
    """A legalised call: its PrimFunc with its name, the positions of the operands that it takes, and its type."""

    function: tirx.PrimFunc
    name: str
    operands: tuple[int, ...]
    ty: Any


class Legalizer:
    """LegalizeOps for one target."""

    def __init__(self, target: tvm.target.Target) -> None:
        self._target = target
        self.cache: StructuralCache[_Legalized] = StructuralCache(CAPACITY)
        self._agrees: dict[str, bool] = {}
        self._pass = relax.transform.LegalizeOps(dict.fromkeys(_operators(), self._legalize))

    @property
    def differing(self) -> tuple[str, ...]:
        """Operators, and modes of pads, that ``primfuncs`` builds differently from this TVM; they are left to TVM."""
        return tuple(name for name, agrees in self._agrees.items() if not agrees)

    def __call__(self, module: tvm.IRModule) -> tvm.IRModule:
        """Return the module with a PrimFunc for every operator. Raises what TVM raises."""
        with self._target:
            return self._pass(module)

    def _legalize(self, builder: relax.BlockBuilder, call: ir.Call) -> Any:
        cached = self.cache.get(call)
        if cached is not None:
            return _emit_call(builder, call, cached)
        built = self._build(call)
        if built is not None and self._agrees.get(_check_key(call)):
            self.cache.put(call, built)
            return _emit_call(builder, call, built)
        legalised = call.op.get_attr(_LEGALIZE)(builder, call)
        extracted = _extract(builder, call, legalised)
        if extracted is not None:
            self.cache.put(call, extracted)
        if built is not None:
            self._agrees[_check_key(call)] = extracted is not None and _equal(extracted, built)
        return legalised

    def _build(self, call: ir.Call) -> _Legalized | None:
        """Build a call without TE; return None if that is not possible, or if it differs from this TVM."""
        if not self._agrees.get(_check_key(call), True):
            return None
        built = build_primfunc(call)
        if built is None:
            return None
        result = built.result
        ty = relax.TensorType([int64(length) for length in result.lengths], result.dtype)
        return _Legalized(built.build(), _name(call), tuple(built.operands), ty)


def _check_key(call: ir.Call) -> str:
    """Return what one comparison with TVM covers: an operator, or one mode of a pad, since each has its own kernel."""
    name = str(call.op.name)
    return f"{name} {call.attrs.pad_mode}" if name == "relax.nn.pad" else name


_NAMES = {"relax.astype": "cast", "relax.permute_dims": "transpose", "relax.nn.leakyrelu": "leaky_relu"}
_PREFIXED = (*UNARY, "relax.sqrt", "relax.clip")
"""Operators whose names are also functions of libc."""


def _name(call: ir.Call) -> str:
    """Return the name that LegalizeOps gives to the PrimFunc."""
    name = str(call.op.name)
    if name == "relax.nn.pad" and str(call.attrs.pad_mode) in COPYING_MODES:
        return f"{call.attrs.pad_mode}_pad"
    return _NAMES.get(name, ("tir_" if name in _PREFIXED else "") + name.rpartition(".")[2])


def _emit_call(builder: relax.BlockBuilder, call: ir.Call, known: _Legalized) -> ir.Call:
    var = builder.add_func(known.function, known.name)
    return relax.call_tir(var, [call.args[i] for i in known.operands], known.ty)


def _extract(builder: relax.BlockBuilder, call: ir.Call, legalised: Any) -> _Legalized | None:
    """Return what TVM made; None unless it is one call of a PrimFunc on operands of the call (symbolic shapes)."""
    if not isinstance(legalised, ir.Call) or legalised.op != _CALL_TIR or len(legalised.args) != 2:
        return None
    given, operands = list(call.args), []
    for argument in legalised.args[1].fields:
        place = next((i for i, one in enumerate(given) if one.same_as(argument) and i not in operands), None)
        if place is None:
            return None
        operands.append(place)
    if static_shape(legalised.ty_args[0]) is None:
        return None
    var = legalised.args[0]
    return _Legalized(builder.get()[var], var.name_hint, tuple(operands), legalised.ty_args[0])


def _equal(one: _Legalized, other: _Legalized) -> bool:
    """Return whether two are equal node for node; names of variables may differ."""
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
