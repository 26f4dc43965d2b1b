"""What moves with a pad: the steps after it, bound again on the tensor that is not padded, or padded by less.

    lv = nn.pad(x)
    lv1 = relu(lv)       ->     lv1 = relu(x)

A step that others read, too, is computed a second time.
"""

from dataclasses import replace
from typing import Any

from tvm import ir, relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Folded, Padded, PadFacts, Rearranged, Step
from foldproof.fold.kernel_calls import build_op
from foldproof.fold.paths import Path
from foldproof.fold.reader import PAD, list_squeezed_axes, shape_of
from foldproof.fold.spellings import build_crop
from foldproof.fold.varmap import VarMap


def infer_types(bindings: Bindings, path: Path, outcome: Folded) -> list[Any]:
    """Return the types of the tensors that replace the pad and each step: as before, less the widths that fold."""
    return [ty for ty, _ in _infer_types(bindings, path, outcome)]


def _infer_types(bindings: Bindings, path: Path, outcome: Folded) -> list[tuple[Any, list[bool]]]:
    """Return the type of each tensor, and which of its axes get another length."""
    call, pad = bindings.values[path.pad], bindings.pad(path.pad)
    assert pad is not None
    assert pad.widths is not None
    kept = outcome.kept or ((0, 0),) * len(pad.widths)
    source = bindings.source(path.pad).ty
    moving = [sides != stays for sides, stays in zip(pad.widths, kept, strict=True)]
    lengths = shape_of(bindings.source(path.pad))
    if outcome.kept is not None:
        lengths = _choose_lengths(_lengthen(lengths, kept), call, moving)
    types = [(source if outcome.kept is None else make_type(lengths, call.ty), moving)]
    for var, step, _ in path.steps:
        if isinstance(step, Rearranged):
            moving = [axis is not None and moving[axis] for axis in step.origin]
            if lengths is not None:
                lengths = [1 if axis is None else lengths[axis] for axis in step.origin]
        elif isinstance(step, Padded):
            lengths = _lengthen(lengths, step.pad.widths or ())
        lengths = _choose_lengths(lengths, bindings.values[var], moving)
        types.append((make_type(lengths, bindings.values[var].ty), moving))
    return types


def _lengthen(lengths: list[Any] | None, widths: tuple[tuple[int, int], ...]) -> list[Any] | None:
    """Return the lengths with the widths added."""
    if lengths is None:
        return None
    return [n + sum(sides) if any(sides) else n for n, sides in zip(lengths, widths, strict=True)]


def _choose_lengths(lengths: list[Any] | None, old: Any, moving: list[bool]) -> list[Any] | None:
    """Return the given lengths along the axes that move, and those of ``old`` along the others."""
    after = shape_of(old)
    if lengths is None or after is None:
        return None
    return [new if moves else length for new, length, moves in zip(lengths, after, moving, strict=True)]


def make_type(lengths: list[Any] | None, like: Any) -> Any:
    """Return the tensor type of these lengths, with dtype and device of ``like``."""
    if lengths is None:
        return relax.TensorType(None, like.dtype, like.vdevice, like.ndim)
    return relax.TensorType(relax.ShapeExpr(lengths), like.dtype, like.vdevice)


def move_operand(
    bindings: Bindings, path: Path, outcome: Folded, consumer: relax.Var, moved: dict[tuple[Any, ...], relax.Var]
) -> Any:
    """Bind and return the consumer's new operand: the pad's input, or a smaller pad, through the same steps.

    Each is bound once, right after what it replaces, also for several consumers.
    """
    readers = [*(var for var, _, _ in path.steps), consumer]
    call, pad = bindings.values[path.pad], bindings.pad(path.pad)
    operand = bindings.source(path.pad)
    if outcome.kept is None and not path.steps:
        return operand
    assert pad is not None
    types = _infer_types(bindings, path, outcome)
    if outcome.kept is not None:
        smaller = build_pad(operand, replace(pad, widths=outcome.kept), call, types[0][0])
        operand = _bind(bindings, (path.pad.__chandle__(), outcome.kept), smaller, path.pad, readers[0], moved)
    for (var, step, index), (ty, moving), reader in zip(path.steps, types[1:], readers[1:], strict=True):
        if index < 0:
            again = _repeat_join(bindings, var, operand, ty, moving, moved)
        elif bindings.kernel(var) is not None:
            again = _repeat_kernel(bindings, var, operand, ty, reader, moved)
        else:
            again = _repeat_step(bindings, var, step, index, operand, ty)
        operand = _bind(bindings, (var.__chandle__(), operand.__chandle__()), again, var, reader, moved)
    return operand


def _bind(
    bindings: Bindings,
    key: tuple[Any, ...],
    value: ir.Call,
    like: relax.Var,
    reader: relax.Var,
    moved: dict[tuple[Any, ...], relax.Var],
) -> relax.Var:
    """Bind ``value`` after ``like``; the variable is local to a dataflow block only if ``reader`` is in it, too."""
    local = isinstance(like, relax.DataflowVar) and bindings.visible(like, reader)
    key = (*key, local)
    if key not in moved:
        moved[key] = (relax.DataflowVar if local else relax.Var)(like.name, value.ty)
        bindings.add(moved[key], value, after=like)
    return moved[key]


def _repeat_step(bindings: Bindings, var: relax.Var, step: Step, index: int, operand: Any, ty: Any) -> ir.Call:
    """Return the step on the tensor that is not padded."""
    call = bindings.values[var]
    pad = bindings.pad(var)
    if pad is not None:
        fixed = var in bindings.crops and isinstance(step, Padded) and None not in step.sizes
        return (build_crop if fixed else build_pad)(operand, pad, call, ty)
    args = [operand if i == index else arg for i, arg in enumerate(call.args)]
    attrs = call.attrs
    if step.op == "reshape":
        args[1] = ty.shape
    elif step.op == "squeeze":  # by name, since more axes have length 1 without the pad
        attrs = ir.make_node("relax.attrs.SqueezeAttrs", axis=list_squeezed_axes(call))
    return ir.Call(call.op, args, attrs, call.ty_args, call.span, ty)


def _repeat_join(
    bindings: Bindings,
    var: relax.Var,
    operand: Any,
    ty: Any,
    moving: list[bool],
    moved: dict[tuple[Any, ...], relax.Var],
) -> ir.Call:
    """Return the join on the tensor that is not padded, after the ops between are bound on it, too."""
    join = bindings.join(var)
    assert join is not None
    new: VarMap[Any] = VarMap()
    new[join.source] = operand
    for one in join.between:
        lengths = _choose_lengths(shape_of(operand), bindings.values[one], moving)
        ty_of_one = make_type(lengths, bindings.values[one].ty)
        kernel = bindings.kernel(one)
        if kernel is not None:
            data = bindings.alias(bindings.data(one, kernel.parameter))
            again = _repeat_kernel(bindings, one, new[data], ty_of_one, var, moved)
        else:
            again = _substitute(bindings, bindings.values[one], new, ty_of_one)
        new[one] = _bind(bindings, (one.__chandle__(), operand.__chandle__()), again, one, var, moved)
    return _substitute(bindings, bindings.values[var], new, ty)


def _repeat_kernel(
    bindings: Bindings,
    var: relax.Var,
    operand: Any,
    ty: Any,
    reader: relax.Var,
    moved: dict[tuple[Any, ...], relax.Var],
) -> ir.Call:
    """Return what a kernel computes of the tensor that is not padded, as ops of Relax, all but the last bound."""
    kernel, call = bindings.kernel(var), bindings.values[var]
    assert kernel is not None
    last, lengths = operand, shape_of(relax.Var("result", ty))
    for i, node in enumerate(kernel.nodes):
        new = build_op(node, last, call, kernel.parameter)
        of_node = make_type(lengths, relax.TensorType(dtype=node.dtype, ndim=ty.ndim, vdevice=ty.vdevice))
        last = ir.Call(new.op, new.args, new.attrs, new.ty_args, call.span, of_node)
        if node is not kernel.nodes[-1]:
            last = _bind(bindings, (var.__chandle__(), operand.__chandle__(), i), last, var, reader, moved)
    return last


def _substitute(bindings: Bindings, call: ir.Call, new: VarMap[Any], ty: Any) -> ir.Call:
    args = [new.get(bindings.alias(arg), arg) for arg in call.args]
    return ir.Call(call.op, args, call.attrs, call.ty_args, call.span, ty)


def build_pad(source: Any, pad: PadFacts, like: ir.Call, ty: Any) -> ir.Call:
    """Return an ``nn.pad`` of ``source`` with the facts of ``pad`` and the span of ``like``."""
    flat = [width for sides in pad.widths or () for width in sides]
    attrs = ir.make_node("relax.attrs.PadAttrs", pad_width=flat, pad_value=pad.value, pad_mode=pad.mode)
    return ir.Call(ir.Op.get(PAD), [source], attrs, [], like.span, ty)
