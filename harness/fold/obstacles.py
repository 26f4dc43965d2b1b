"""What stands between a pad and a consumer, where nothing folds: read from the IR, for the sentence of a refusal.

    pad --> step --> step --> obstacle --> ... --> conv2d

An obstacle is an op that the pass does not see through, or an operand of a step that is not a constant.
Nothing here decides about a fold.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tvm import ir, relax

from foldproof.fold.bindings import Bindings, Use
from foldproof.fold.facts import Joined, Kind, Operand, Refused, Step
from foldproof.fold.joins import JOINING
from foldproof.fold.paths import MOST_STEPS, Path, find_paths
from foldproof.fold.propagation import list_other_operands
from foldproof.fold.reader import CALL_TIR, CONSUMERS, PAD, STEPS, op_name

_ENDS = (
    *("matmul", "einsum", "outer", "nn.attention", "nn.attention_bias", "nn.attention_var_len"),
    *("sum", "mean", "max", "min", "prod", "std", "variance", "median", "argmax", "argmin", "cumsum", "cumprod"),
    *("argsort", "sort", "topk", "unique", "nonzero", "bucketize", "one_hot", "nn.softmax", "nn.log_softmax"),
    *("nn.cross_entropy_with_logits", "nn.nll_loss", "shape_of", "size", "tensor_to_shape", "print", "assert_op"),
)
"""Ops that mix all elements, or make something else of them: nothing could move a pad through one of them."""

_POOLS = ("nn.adaptive_avg_pool1d", "nn.adaptive_avg_pool2d", "nn.adaptive_avg_pool3d")
_KERNELS = ("relax.call_", "relax.memory.", "relax.vm.", "relax.builtin.", "relax.shape_of")
_ADVICE = {"dynamic_strided_slice": ": it reads its bounds from tensors. Spell it as a strided_slice with scalars"}
"""What helps where another op does the same and pads pass it."""
_FEW = 64
"""The most ops that are looked at to learn whether an operand consists of constants."""


def name_obstacle(bindings: Bindings, path: Path, use: Use, refused: Refused) -> Refused:
    """Return ``refused``, or a better reason: what is in the way of the pad at the end of its path."""
    if refused.kind is Kind.RUNTIME_OPERAND:
        return _name_operand(bindings, path, refused)
    user = use[0]
    if user is None or refused.kind is not Kind.CONSUMER or op_name(bindings.values.get(user)) in CONSUMERS:
        return refused
    return _name_reader(bindings, path, user, use[1]) or refused


def join_refusals(refusals: list[Refused]) -> Refused:
    """Return one refusal for all operands of one reader: the first one, with the reasons of the others."""
    return replace(refusals[0], detail="; ".join(dict.fromkeys(refused.detail for refused in refusals)))


def _name_reader(bindings: Bindings, path: Path, user: relax.Var, operand: int) -> Refused | None:
    """Return why the pad does not pass its reader, None if the reader ends its way."""
    value = bindings.values.get(user)
    name = op_name(value)
    if value is None:
        return Refused(Kind.STEP, "match_cast is not seen through")
    if name == CALL_TIR and bindings.kernel(user) is None:
        return _name_kernel(bindings, str(value.args[0].name_hint))
    if name in STEPS or name in JOINING or name == CALL_TIR:
        return _name_step(bindings, path, user, operand)
    shown = name.removeprefix("relax.")
    if name == PAD:
        return Refused(
            Kind.STEP, "the pad between is not seen through: its widths or the lengths before it are unknown"
        )
    if shown in _POOLS:
        return Refused(Kind.CONSUMER, f"{shown.removeprefix('nn.')} has no padding: its windows depend on the length")
    if name and shown not in _ENDS and not name.startswith(_KERNELS):
        return Refused(Kind.STEP, f"{shown} is not seen through" + _ADVICE.get(shown, ""))
    if isinstance(value, ir.Call) and isinstance(value.op, ir.GlobalVar):
        callee = value.op.name_hint
        return Refused(
            Kind.CONSUMER, f"the pad is an argument of the function {callee}, and a pad folds in its own one"
        )
    return None


def _name_kernel(bindings: Bindings, kernel: str) -> Refused:
    """Return the reason at the call of a PrimFunc. If there are no ops but such calls, the module is legalized."""
    if all(name.startswith(_KERNELS) for name in bindings.list_ops()):
        return Refused(
            Kind.LEGALIZED,
            f"call_tir of {kernel} is a kernel, and no op is left: the pass comes too late, run it before LegalizeOps",
        )
    return Refused(Kind.STEP, f"call_tir of {kernel} is not seen through")


# --- steps --------------------------------------------------------------------------------------------


def _name_step(bindings: Bindings, path: Path, user: relax.Var, operand: int) -> Refused:
    """Return why the pad does not pass an op that pads pass elsewhere."""
    call = bindings.values[user]
    shown = op_name(call).removeprefix("relax.")
    end = path.steps[-1][0] if path.steps else path.pad
    found = bindings.step(user)
    if found is None:
        return _name_unread_step(bindings, path, call, shown)
    numbered = found[1] >= 0 and bindings.kernel(user) is None  # else each operand that is computed is the data
    if numbered and (operand != found[1] or not bindings.alias(bindings.data(user, found[1])).same_as(end)):
        roles = {"quantize": ("", "scale", "zero point"), "dequantize": ("", "scale", "zero point")}
        role = roles[shown][operand] if shown in roles else f"operand {operand}"
        return Refused(Kind.CONSUMER, f"the pad is the {role} of {shown}, not its data")
    if len(path.steps) + 1 >= MOST_STEPS:
        return Refused(Kind.STEP, f"{shown} is not seen through: {MOST_STEPS} ops or more follow the pad")
    return Refused(Kind.CONSUMER, f"nothing reads the result of {shown}")


def _name_unread_step(bindings: Bindings, path: Path, call: ir.Call, shown: str) -> Refused:
    """Return why the op is not one that a pad passes: an operand that neither is a constant nor comes from the pad."""
    computed = {
        i: bindings.alias(arg)
        for i, arg in enumerate(call.args if op_name(call) in JOINING else ())
        if not isinstance(bindings.resolve(arg), ir.GenericConst)
    }
    for i, arg in computed.items():
        if not any(before.pad.same_as(path.pad) for before in find_paths(bindings, arg)):
            return _describe_operand(bindings, arg, f"operand {i} of {shown}")
    names = list(computed.values())
    if any(not name.same_as(names[0]) for name in names):
        return Refused(Kind.STEP, f"{shown} is not seen through: its operands come from the pad in different ways")
    if shown == "reshape":
        return Refused(Kind.STEP, "reshape is not seen through: it does more than add and remove axes of length 1")
    return Refused(Kind.STEP, f"{shown} is not seen through: its rank or a length is unknown")


# --- operands that are not constants ------------------------------------------------------------------


def _name_operand(bindings: Bindings, path: Path, refused: Refused) -> Refused:
    """Return ``refused`` with what the first operand is whose elements are not known."""
    for var, step, index in path.steps:
        for name, operand, arg in _list_operands(bindings, var, step, index):
            if operand.flat is None:
                return _describe_unknown(bindings, operand, arg, name, refused)
    return refused


def _list_operands(bindings: Bindings, var: relax.Var, step: Step, index: int) -> Iterator[tuple[str, Operand, Any]]:
    """Yield the operands of a step besides its data, each with its name and the expression in the IR."""
    call = bindings.values[var]
    if not isinstance(step, Joined):
        kernel = bindings.kernel(var)
        others = [arg for i, arg in enumerate(call.args) if i != index] if kernel is None else kernel.list_others(call)
        for (name, operand), arg in zip(list_other_operands(step), others, strict=False):
            yield f"the {name} of {step.op}", operand, arg
        return
    join = bindings.join(var)
    for one in () if join is None else join.between:
        found = bindings.step(one)
        if found is not None and found[1] >= 0:
            yield from _list_operands(bindings, one, *found)
        elif found is not None:
            yield from _list_joined(bindings, one, found[0])
    yield from _list_joined(bindings, var, step)


def _list_joined(bindings: Bindings, var: relax.Var, step: Step) -> Iterator[tuple[str, Operand, Any]]:
    """Yield the operands of a join that do not come from the data."""
    assert isinstance(step, Joined)
    for operand, arg in zip(step.operands, bindings.values[var].args, strict=True):
        if isinstance(operand, Operand):
            yield f"the operand of {step.op}", operand, arg


def _describe_unknown(bindings: Bindings, operand: Operand, arg: Any, name: str, refused: Refused) -> Refused:
    if isinstance(bindings.value(arg), ir.GenericConst):
        return replace(refused, detail=f"{name} is a constant of shape {operand.shape}: of too many elements, or none")
    return _describe_operand(bindings, arg, name)


def _describe_operand(bindings: Bindings, arg: Any, name: str) -> Refused:
    """Return the refusal of an operand that is not a constant, with what makes it one, if anything does."""
    value = bindings.value(arg)
    if isinstance(value, ir.Call):
        made = op_name(value).removeprefix("relax.") or "a call"
        if _is_made_of_constants(bindings, value):
            detail = f"{name} is not a constant, but {made} of constants: run FoldConstant first"
            return Refused(Kind.UNFOLDED_CONSTANT, detail)
        return Refused(Kind.RUNTIME_OPERAND, f"{name} is not a constant: {made} computes it at run time")
    if any(param.same_as(value) for param in bindings.function.params):
        detail = f"{name} is not a constant, but the parameter {value.name}: bind it first (BindParams)"
        return Refused(Kind.RUNTIME_OPERAND, detail)
    return Refused(Kind.RUNTIME_OPERAND, f"{name} is not a constant")


def _is_made_of_constants(bindings: Bindings, call: ir.Call) -> bool:
    """Return whether FoldConstant can compute a call: of few ops, down to constants."""
    rest: list[Any] = [call]
    for _ in range(_FEW):
        if not rest:
            return True
        value = bindings.value(rest.pop())
        if isinstance(value, ir.Call) and isinstance(value.op, ir.Op):
            rest += _list_inputs(value)
        elif not isinstance(value, ir.GenericConst):
            return False
    return False


def _list_inputs(call: ir.Call) -> Iterator[Any]:
    """Yield the tensors that a call reads, and whatever else depends on the run."""
    for arg in call.args:
        if isinstance(arg, relax.Tuple):
            yield from arg.fields
        elif isinstance(arg, relax.Var | ir.GenericConst | ir.Call) or relax.analysis.free_vars(arg):
            yield arg
