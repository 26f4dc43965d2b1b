"""The PrimFuncs of a module that are pads or elementwise, and the calls of pads: each is read once.

A PrimFunc goes with its last call.

    lv1 = R.call_tir(cls.pad, (lv, H), out_ty=R.Tensor((1, 3, H // 2 + 2)))      the ONNX frontend, after a stride
                                   |
             def pad(x: T.Buffer((1, 3, H // 2)), H: T.int64, y: T.Buffer((1, 3, H // 2 + 2)))

The proof of the PrimFunc holds for the lengths of its buffers. So the scalars of a call have to make the lengths of its
types of them. What looks like a pad and is not read as one is refused with a reason, never passed over.
"""

import re
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, s_tir, tirx
from tvm.sym import Analyzer

from foldproof.fold.facts import Kind, PadFacts, Refused
from foldproof.fold.kernels import Node, read_kernel
from foldproof.fold.primfunc import MODES, read_prim_pad
from foldproof.fold.reader import CALL_TIR, op_name, shape_of
from foldproof.fold.varmap import VarMap


class PadKernels:
    """The PrimFuncs of a module that are pads, and the calls of them.

    ``read`` holds the PrimFuncs that were asked for: facts, a refusal, or None for what does not look like a pad.
    """

    def __init__(self, mod: tvm.IRModule) -> None:
        self._mod = mod
        self.read: dict[ir.GlobalVar, PadFacts | Refused | None] = {}
        self.kernels: dict[ir.GlobalVar, Node | None] = {}
        self._alone: set[ir.GlobalVar] = set()
        self._calls: VarMap[PadFacts | Refused] = VarMap()

    def __call__(self, call: ir.Call) -> PadFacts | Refused | None:
        """Return the facts of a call that is a pad, a refusal if it only looks like one, None for any other call."""
        args = call.args[:]
        facts = self._read_kernel(args[0]) if args and isinstance(args[0], ir.GlobalVar) else None
        if not isinstance(facts, PadFacts):
            return facts
        if args[0] in self._alone and _passes_one_tensor(args) and op_name(call) == CALL_TIR:
            return facts  # the lengths of the PrimFunc are those of its buffers, whatever they are
        if call not in self._calls:
            self._calls[call] = self._read_call(call, facts)
        return self._calls[call]

    def _read_call(self, call: ir.Call, facts: PadFacts) -> PadFacts | Refused:
        name, global_var = op_name(call), call.args[0]
        if name != CALL_TIR:
            return _refuse(
                f"{name.removeprefix('relax.')} calls the PrimFunc {global_var.name_hint}, a pad; only call_tir is read"
            )
        why = _find_other_lengths(call, self._mod[global_var])
        return _refuse(why) if why else facts

    def _read_kernel(self, global_var: ir.GlobalVar) -> PadFacts | Refused | None:
        if global_var not in self.read:
            function = self._mod.functions.get(global_var)
            is_kernel = isinstance(function, tirx.PrimFunc)
            self.read[global_var] = _read_function(global_var.name_hint, function) if is_kernel else None
            if is_kernel and len(function.params) == 2:
                self._alone.add(global_var)
        return self.read[global_var]

    def elementwise(self, global_var: ir.GlobalVar) -> Node | None:
        """Return what the PrimFunc computes for each element, None if it is not elementwise."""
        if global_var not in self.kernels:
            function = self._mod.functions.get(global_var)
            self.kernels[global_var] = read_kernel(function) if isinstance(function, tirx.PrimFunc) else None
        return self.kernels[global_var]


def _refuse(why: str) -> Refused:
    return Refused(Kind.UNKNOWN_PAD, why)


# --- the PrimFunc -------------------------------------------------------------------------------------


def _read_function(name: str, function: tirx.PrimFunc) -> PadFacts | Refused | None:
    facts = read_prim_pad(function)
    if facts is not None and not _fits_nn_pad(facts):
        return _refuse(f"the PrimFunc {name} pads with {facts.value}, which the double of nn.pad cannot hold")
    if facts is None and (block := _find_pad_block(function)):
        return _refuse(
            f"the PrimFunc {name} has a block {block}, but it is not proved to compute a pad and nothing else"
        )
    return facts


def _fits_nn_pad(facts: PadFacts) -> bool:
    """Return whether ``nn.pad``, whose value is a double, can hold the value: an int64 may not fit."""
    return isinstance(facts.value, float) or float(facts.value) == facts.value


def _find_pad_block(function: tirx.PrimFunc) -> str:
    """Return the name of a block that topi gives to pads, '' if there is none."""
    names: list[str] = []
    tvm_ffi.structural_walk(function, (s_tir.SBlock, lambda block: names.append(str(block.name_hint))))
    return next((name for name in names if re.sub(r"_\d+$", "", name) in MODES), "")


# --- a call of it -------------------------------------------------------------------------------------


def _passes_one_tensor(args: Any) -> bool:
    return len(args) == 2 and isinstance(args[1], relax.Tuple) and len(args[1].fields) == 1


def _find_other_lengths(call: ir.Call, function: tirx.PrimFunc) -> str:
    """Return why a call is not the pad that its PrimFunc computes of tensors of its own lengths, '' if it is."""
    name, operands = call.args[0].name_hint, call.args[1] if len(call.args) == 2 else None
    if not isinstance(operands, relax.Tuple) or len(operands.fields) != len(function.params) - 1:
        return f"call_tir does not pass one operand for each parameter of the PrimFunc {name}"
    source, *scalars = operands.fields[:]
    params = function.params[1:-1]
    if not isinstance(source.ty, relax.TensorType) or not isinstance(call.ty, relax.TensorType):
        return f"call_tir does not pass one tensor to the PrimFunc {name}, and return one"
    if not all(_is_scalar(value, param.ty.dtype) for value, param in zip(scalars, params, strict=True)):
        return f"call_tir passes operands to the PrimFunc {name} that are not its scalars"
    bound = dict(zip(map(_key, params), scalars, strict=True))
    return _compare_lengths(name, [(function.params[0], source), (function.params[-1], call)], bound)


def _compare_lengths(name: str, buffers: list[tuple[Any, Any]], bound: dict[int, Any]) -> str:
    """Return how the lengths of a buffer and of its tensor differ, '' if they are equal whatever the variables are.

    ``bound`` are the values of the scalars, by the key of the parameter.
    """
    pairs = []
    for buffer, value in buffers:
        lengths, wanted = shape_of(value), list(buffer.ty.shape)
        if lengths is None or len(lengths) != len(wanted):
            return f"the types of call_tir do not have the lengths that the PrimFunc {name} takes as scalars"
        pairs += [(axis, *both) for axis, both in enumerate(zip(wanted, lengths, strict=True))]
    for _, dim, length in pairs:
        if isinstance(dim, ir.Var):
            bound.setdefault(_key(dim), length)  # a length of a buffer that is a variable is bound by the tensor
    analyzer = Analyzer()
    for axis, dim, length in pairs:
        made = _substitute(dim, bound)
        if not _is_equal(analyzer, made, length):
            return (
                f"with these scalars, axis {axis} of a buffer of the PrimFunc {name} has length "
                f"{analyzer.simplify(made)}, where the type of call_tir has {length}"
            )
    return ""


def _key(var: Any) -> int:
    return int(var.__chandle__())


def _is_scalar(value: Any, dtype: Any) -> bool:
    return isinstance(value.ty, ir.PrimType) and value.ty.dtype == dtype


def _substitute(length: Any, bound: dict[int, Any]) -> Any:
    """Return a length of the PrimFunc with all its variables replaced at once."""
    if not bound or isinstance(length, tirx.IntImm):
        return length
    return tvm_ffi.structural_map(length, (ir.Var, lambda var: bound.get(_key(var), var)))


def _is_equal(analyzer: Analyzer, a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b)) or bool(analyzer.can_prove_equal(a, b))


# --- the last call ------------------------------------------------------------------------------------


def remove_unused(mod: tvm.IRModule, pads: PadKernels) -> tvm.IRModule:
    """Remove the private PrimFuncs, of those that were read, that nothing calls any more."""
    candidates = [
        global_var
        for global_var, facts in (*pads.read.items(), *pads.kernels.items())
        if isinstance(facts, PadFacts | Node) and "global_symbol" not in (mod[global_var].attrs or {})
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
