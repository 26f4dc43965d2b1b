"""LegalizeOps, with a memory: an operator call that equals an earlier one gets the PrimFunc that the earlier one got.

    R.nn.pad(x, (0, 0, 1, 1))      ->      R.call_tir(cls.pad, (x,), out_ty=...)

What an operator is legalised to depends on its attributes, on the types of its operands and on the values of constants
among them, all of which ``StructuralCache`` compares, and on the target, which has a memory of its own.

Constant pads are built without TE (``pad_kernel``), if this TVM makes of a pad what that builds.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from harness.targets.pad_kernel import constant_pad
from harness.targets.structural import StructuralCache

CAPACITY = 256
"""PrimFuncs remembered, some 20 kB each. In 500 cases 4 % of operator calls equalled one of the last 32, or 1,024."""

_LEGALIZE = "FLegalize"
_CALL_TIR = ir.Op.get("relax.call_tir")
_PAD = ir.Op.get("relax.nn.pad")


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
        self._pass = relax.transform.LegalizeOps(dict.fromkeys(_operators(), self._legalize))

    def __call__(self, module: tvm.IRModule) -> tvm.IRModule:
        """The module with a PrimFunc for every operator. Raises what TVM raises."""
        with self._target:
            return self._pass(module)

    def _legalize(self, builder: relax.BlockBuilder, call: ir.Call) -> Any:
        known = self.known.get(call)
        if known is not None:
            var = builder.add_func(known.function, known.name)
            return relax.call_tir(var, [call.args[i] for i in known.operands], known.ty)
        legalised = _padded(builder, call)
        if legalised is None:
            legalised = call.op.get_attr(_LEGALIZE)(builder, call)
        self._remember(builder, call, legalised)
        return legalised

    def _remember(self, builder: relax.BlockBuilder, call: ir.Call, legalised: Any) -> None:
        """Only what is one call of a PrimFunc on operands of the call, which symbolic shapes may not be."""
        if not isinstance(legalised, ir.Call) or legalised.op != _CALL_TIR or len(legalised.args) != 2:
            return
        given = list(call.args)
        taken = legalised.args[1].fields
        operands = [i for argument in taken for i in range(len(given)) if given[i].same_as(argument)]
        if len(operands) == len(taken) and _static(legalised.ty_args[0]):
            var = legalised.args[0]
            self.known.put(call, _Known(builder.get()[var], var.name_hint, tuple(operands), legalised.ty_args[0]))


def _padded(builder: relax.BlockBuilder, call: ir.Call) -> ir.Call | None:
    """The call of a constant pad's PrimFunc; None of anything else, and if this TVM makes others."""
    function = constant_pad(call) if call.op == _PAD and _pads_are_known() else None
    if function is None:
        return None
    return relax.call_tir(builder.add_func(function, "pad"), [call.args[0]], call.ty)


@cache
def _pads_are_known() -> bool:
    """Whether LegalizeOps makes of pads what ``constant_pad`` does: another TVM may make other PrimFuncs of them."""
    return all(_is_known(dtype, widths) for dtype, widths in (("float32", [1, 0, -1, 2]), ("int8", [0, 0, 0, 0])))


def _is_known(dtype: str, widths: list[int]) -> bool:
    builder, data = relax.BlockBuilder(), relax.Var("x", relax.TensorType((2, 3, 4), dtype))
    call = builder.normalize(relax.op.nn.pad(data, [0, 0, *widths], pad_value=1.5))
    with builder.function("main", [data]):
        builder.emit_func_output(call)
    module = relax.transform.LegalizeOps()(builder.get())
    made = [function for function in module.functions.values() if isinstance(function, tirx.PrimFunc)]
    return len(made) == 1 and bool(tvm_ffi.structural_equal(made[0], constant_pad(call)))


@cache
def _operators() -> tuple[str, ...]:
    return tuple(
        name
        for name in ir.Op.list_op_names()
        if name.startswith("relax.") and ir.Op.get(name).get_attr(_LEGALIZE) is not None
    )


def _static(ty: Any) -> bool:
    """Whether a type is that of a tensor whose shape is known."""
    return (
        isinstance(ty, relax.TensorType)
        and isinstance(ty.shape, relax.ShapeExpr)
        and all(isinstance(length, tirx.IntImm) for length in ty.shape.values)
    )
