"""The pads that a module still has: those before convolutions and pools, and those whose widths are all 0.

    pad --elementwise, astype, quantize, moved and unit axes, pads, slices, aliases--> operand of a convolution or pool

Invariant: a pad counts if it changes a spatial axis of its consumer, since batch and channel widths have to stay. A pad
is ``relax.nn.pad``, or a ``call_tir`` of a PrimFunc of topi, whose one block is named ``PadInput`` or the like.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tvm import ir, relax, tirx

from foldproof.ir.relax.module import Module, bindings, same

_PAD, _CALL_TIR, _RESHAPE = "relax.nn.pad", "relax.call_tir", "relax.reshape"
_PERMUTE, _EXPAND, _SQUEEZE = "relax.permute_dims", "relax.expand_dims", "relax.squeeze"
PADS = (_PAD,)
"""Ops that pad."""

_CONSUMERS = ("relax.nn.conv", "relax.nn.max_pool", "relax.nn.avg_pool")
_NO_SPATIAL = "NCOI"

_FILLED = ("relax.zeros", "relax.ones", "relax.full")
_SLICES = ("relax.strided_slice", "relax.take")

ELEMENTWISE = {
    *(f"relax.{name}" for name in ("negative", "round", "abs", "floor", "ceil", "trunc", "sign", "sqrt", "square")),
    *(f"relax.{name}" for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "clip", "astype")),
    *(f"relax.{name}" for name in ("quantize", "dequantize", "nn.relu", "nn.leakyrelu", "greater", "where")),
}

Axes = frozenset[int]
Values = dict[Any, Any]
Operands = Callable[[Any], Iterator[tuple[Any, Axes]]]
"""call -> some of its operands, each with the places of the axes that matter."""


def count_residual_pads(module: Module) -> int:
    """Count the operands of convolutions and pools that are after a pad of a spatial axis, plus all identity pads."""
    return count_padded_operands(module) + count_identity_pads(module)


def count_padded_operands(module: Module) -> int:
    """Count the operands of convolutions and pools that are after a pad of a spatial axis."""
    return len(find_padded_consumers(module))


def find_padded_consumers(module: Module) -> tuple[str, ...]:
    """Return the op of each convolution or pool with an operand after a pad of a spatial axis, for each operand."""
    return _find_padded_consumers(module, _spatial_operands)


def count_channel_pads(module: Module) -> int:
    """Count the convolutions whose data is after a pad of its channels."""
    return len(_find_padded_consumers(module, _channel_operand))


def _find_padded_consumers(module: Module, operands: Operands) -> tuple[str, ...]:
    found = []
    for function in _functions(module):
        values = {binding.var: binding.value for binding in bindings(function.body)}
        for value in values.values():
            padded = (_is_padded(module, operand, axes, values) for operand, axes in operands(value))
            found += [_op_name(value).rpartition(".")[2] for is_padded in padded if is_padded]
    return tuple(found)


def count_identity_pads(module: Module) -> int:
    """Count the pads of either form whose widths are all 0. A complete pass deletes them, whatever consumes them."""
    calls = (binding.value for function in _functions(module) for binding in bindings(function.body))
    return sum(_find_padded_axes(module, call, {}) == frozenset() for call in calls)


def _functions(module: Module) -> Iterator[relax.Function]:
    return (function for function in module.functions.values() if isinstance(function, relax.Function))


def _spatial_operands(call: Any) -> Iterator[tuple[Any, Axes]]:
    """Yield the operands of a convolution or pool, each with the places of its spatial axes."""
    if not _op_name(call).startswith(_CONSUMERS):
        return
    is_pool = "_pool" in _op_name(call)
    layouts = [call.attrs.layout] if is_pool else [call.attrs.data_layout, call.attrs.kernel_layout]
    for operand, layout in zip(call.args, layouts, strict=True):
        yield operand, frozenset(i for i, letter in enumerate(str(layout)) if letter not in _NO_SPATIAL)


def _channel_operand(call: Any) -> Iterator[tuple[Any, Axes]]:
    """Yield the data of a convolution, with the place of its channels."""
    if _op_name(call).startswith("relax.nn.conv"):
        yield call.args[0], frozenset([str(call.attrs.data_layout).index("C")])


def _is_padded(module: Module, operand: Any, axes: Axes, values: Values) -> bool:
    """Whether a pad changes one of the axes of an operand, anywhere on the way to it."""
    while axes and isinstance(operand, relax.Var) and operand in values:
        value = values[operand]
        if (_find_padded_axes(module, value, values) or frozenset()) & axes:
            return True
        operand, axes = _trace_source(module, value, axes, values)
    return False


# --- pads ---------------------------------------------------------------------------------------------


def _find_padded_axes(module: Module, call: Any, values: Values) -> Axes | None:
    """Return the axes that a pad changes, empty for an identity pad; None for any other call."""
    if _op_name(call) == _PAD:
        return frozenset(i // 2 for i, width in enumerate(call.attrs.pad_width) if not _equals(width, 0))
    if find_bordered(call, values) is not None:
        return frozenset([int(call.attrs.axis) % int(call.ty.ndim)])
    block = _find_pad_block(module, call)
    if block is None:
        return None
    before, after = (list(ty.shape.values) for ty in (call.args[1].fields[0].ty, call.ty))
    longer = {i for i, (a, b) in enumerate(zip(before, after, strict=True)) if not same(a, b)}
    return frozenset(longer | _find_moved_axes(block))


def find_bordered(call: Any, values: Values) -> Any:
    """Return the only operand of a ``concat`` beside constants and filled tensors, None for any other call."""
    if _op_name(call) != "relax.concat" or not isinstance(call.args[0], relax.Tuple):
        return None
    fields = list(call.args[0].fields)
    others = [field for field in fields if not _is_filled(values.get(field, field))]
    return others[0] if len(others) == 1 and len(fields) > 1 else None


def _is_filled(value: Any) -> bool:
    return isinstance(value, ir.GenericConst) or _op_name(value) in _FILLED


def _find_pad_block(module: Module, call: Any) -> Any:
    """Return the only block of the PrimFunc that a ``call_tir`` calls, if that block pads; else None.

    The PrimFunc has one tensor. Its other operands are symbolic lengths, where a length is an expression.
    """
    if _op_name(call) != _CALL_TIR or not _takes_one_tensor(call):
        return None
    node = module[call.args[0]].body
    while not (hasattr(node, "name_hint") and node.name_hint != "root"):
        node = next((getattr(node, name) for name in ("block", "body") if hasattr(node, name)), None)
        if node is None:
            return None
    return node if str(node.name_hint).endswith("PadInput") else None


def is_pad_kernel(module: Module, call: Any) -> bool:
    """Whether a call is a ``call_tir`` of a PrimFunc that pads."""
    return (
        _op_name(call) == _CALL_TIR and call.args[0] in module.functions and _find_pad_block(module, call) is not None
    )


def _takes_one_tensor(call: Any) -> bool:
    return [isinstance(field.ty, relax.TensorType) for field in call.args[1].fields].count(True) == 1


def _find_moved_axes(block: Any) -> set[int]:
    """Return the axes along which a constant pad shifts the data. Widths (1, -1) do, though they keep the length."""
    stored = block.body
    loaded = stored.value
    if isinstance(loaded, ir.Call):  # if_then_else(within, data[...], value)
        loaded = loaded.args[1]
    elif str(block.name_hint) != "PadInput":
        return set()  # a mirrored border only adds elements
    pairs = zip(stored.indices, loaded.indices, strict=True)
    return {i for i, (to, source) in enumerate(pairs) if not same(to, source)}


# --- the ops between pad and consumer -----------------------------------------------------------------


def _trace_source(module: Module, value: Any, axes: Axes, values: Values) -> tuple[Any, Axes]:
    """Return the tensor that a value is computed from, and the places of its axes there; (None, empty) if unknown."""
    name = _op_name(value)
    if isinstance(value, relax.Var):
        return value, axes
    if name == _PAD:
        return value.args[0], axes
    if name == _CALL_TIR and _find_pad_block(module, value) is not None:
        return value.args[1].fields[0], axes
    if name in _SLICES:
        return value.args[0], axes
    if (bordered := find_bordered(value, values)) is not None:
        return bordered, axes
    if name == _CALL_TIR and _is_choice(module, value):
        return _find_computed(value.args[1].fields, value, values), axes
    if isinstance(value, relax.TupleGetItem):
        split: Any = values.get(value.tuple_value)
        return (split.args[0], axes) if _op_name(split) == "relax.split" else (None, frozenset())
    if name in ELEMENTWISE:
        return _find_computed_operand(value, values), axes
    moves = {_PERMUTE: _undo_permute, _EXPAND: _undo_expand, _SQUEEZE: _undo_squeeze, _RESHAPE: _undo_reshape}
    return (value.args[0], moves[name](value, axes)) if name in moves else (None, frozenset())


def _is_choice(module: Module, call: Any) -> bool:
    """Return whether a ``call_tir`` calls a maximum or minimum of topi, by the name of its function."""
    return str(call.args[0].name_hint).rstrip("0123456789_") in ("maximum", "minimum")


def _find_computed_operand(call: Any, values: Values) -> Any:
    """Return the only operand that is bound in the function, if it has the rank of the result; else None.

    Constants and parameters are not after a pad. Several operands, as of ``x * sigmoid(x)``, count as the tensor that
    all of them come from through elementwise ops.
    """
    return _find_computed(call.args, call, values)


def _find_computed(operands: Any, call: Any, values: Values) -> Any:
    computed = [arg for arg in operands if isinstance(arg, relax.Var) and arg in values]
    if len(computed) > 1:
        computed = list(dict.fromkeys(_find_origin(arg, values) for arg in computed))
    same_rank = len(computed) == 1 and computed[0] is not None and int(computed[0].ty.ndim) == int(call.ty.ndim)
    return computed[0] if same_rank else None


def _find_origin(operand: Any, values: Values) -> Any:
    """Return the first tensor that is not the result of an elementwise op, None if it is not known."""
    while operand in values and _op_name(values[operand]) in ELEMENTWISE:
        operand = _find_computed_operand(values[operand], values)
    return operand


def _undo_permute(call: Any, axes: Axes) -> Axes:
    rank = int(call.ty.ndim)
    order = list(reversed(range(rank))) if call.attrs.axes is None else [int(a) % rank for a in call.attrs.axes]
    return frozenset(order[axis] for axis in axes)


def _undo_expand(call: Any, axes: Axes) -> Axes:
    rank = int(call.ty.ndim)
    inserted = {int(axis) % rank for axis in call.attrs.axis}
    rest = [axis for axis in range(rank) if axis not in inserted]
    return frozenset(rest.index(axis) for axis in axes if axis in rest)


def _undo_squeeze(call: Any, axes: Axes) -> Axes:
    lengths = call.args[0].ty.shape.values
    units = [i for i, length in enumerate(lengths) if _equals(length, 1)]
    named = call.attrs.axis
    removed = units if named is None else [int(axis) % len(lengths) for axis in named]
    rest = [axis for axis in range(len(lengths)) if axis not in removed]
    return frozenset(rest[axis] for axis in axes)


def _undo_reshape(call: Any, axes: Axes) -> Axes:
    """Return the axes before a reshape that only inserts and removes unit axes; empty for any other reshape."""
    before, after = (list(enumerate(ty.shape.values)) for ty in (call.args[0].ty, call.ty))
    before, after = ([(i, n) for i, n in lengths if not _equals(n, 1)] for lengths in (before, after))
    if len(before) != len(after) or not all(same(a, b) for (_, a), (_, b) in zip(before, after, strict=True)):
        return frozenset()
    place = {to: source for (source, _), (to, _) in zip(before, after, strict=True)}
    return frozenset(place[axis] for axis in axes if axis in place)


def _equals(length: Any, number: int) -> bool:
    """Whether a length or a width is this constant."""
    return int(length) == number if isinstance(length, int | tirx.IntImm) else False


def _op_name(value: Any) -> str:
    return str(value.op.name) if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""
