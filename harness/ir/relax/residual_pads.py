"""Pads that a pass could still fold, whatever made the module: before convolutions and pools, and idle ones.

    pad --elementwise, astype, quantize, moved and unit axes, other pads, aliases--> operand of a convolution or pool

A pad counts where it changes a spatial axis of its consumer: its batch and channel widths have to stay. It is
``relax.nn.pad``, or ``call_tir`` to a PrimFunc that topi made, whose one block is named ``PadInput`` or the like.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tvm import ir, relax, tirx

from foldproof.ir.relax.module import Module, bindings, same

_PAD, _CALL_TIR, _RESHAPE = "relax.nn.pad", "relax.call_tir", "relax.reshape"
_PERMUTE, _EXPAND, _SQUEEZE = "relax.permute_dims", "relax.expand_dims", "relax.squeeze"
_CONSUMERS = ("relax.nn.conv", "relax.nn.max_pool", "relax.nn.avg_pool")
_NO_SPATIAL = "NCOI"

_ELEMENTWISE = {
    *(f"relax.{name}" for name in ("negative", "round", "abs", "floor", "ceil", "trunc", "sign", "sqrt", "square")),
    *(f"relax.{name}" for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "clip", "astype")),
    *(f"relax.{name}" for name in ("quantize", "dequantize", "nn.relu", "nn.leakyrelu")),
}

Axes = frozenset[int]
Values = dict[Any, Any]
Operands = Callable[[Any], Iterator[tuple[Any, Axes]]]
"""Of a call, each with some places of its axes."""


def count_residual_pads(module: Module) -> int:
    """Operands of convolutions and pools after a pad of a spatial axis, and idle pads wherever they stand."""
    return _padded_operands(module, _operands) + count_identity_pads(module)


def count_channel_pads(module: Module) -> int:
    """Convolutions whose data is after a pad of its channels."""
    return _padded_operands(module, _channels)


def _padded_operands(module: Module, operands: Operands) -> int:
    count = 0
    for function in _functions(module):
        values = {binding.var: binding.value for binding in bindings(function.body)}
        for value in values.values():
            count += sum(_is_padded(module, operand, axes, values) for operand, axes in operands(value))
    return count


def count_identity_pads(module: Module) -> int:
    """Pads of either form whose widths are all 0, which are to be deleted whatever consumes them."""
    calls = (binding.value for function in _functions(module) for binding in bindings(function.body))
    return sum(_padded_axes(module, call) == frozenset() for call in calls)


def _functions(module: Module) -> Iterator[relax.Function]:
    return (function for function in module.functions.values() if isinstance(function, relax.Function))


def _operands(call: Any) -> Iterator[tuple[Any, Axes]]:
    """The operands of a convolution or pool, each with the places of its spatial axes."""
    if not _name(call).startswith(_CONSUMERS):
        return
    pools = "_pool" in _name(call)
    layouts = [call.attrs.layout] if pools else [call.attrs.data_layout, call.attrs.kernel_layout]
    for operand, layout in zip(call.args, layouts, strict=True):
        yield operand, frozenset(i for i, letter in enumerate(str(layout)) if letter not in _NO_SPATIAL)


def _channels(call: Any) -> Iterator[tuple[Any, Axes]]:
    """The data of a convolution, with the place of its channels."""
    if _name(call).startswith("relax.nn.conv"):
        yield call.args[0], frozenset([str(call.attrs.data_layout).index("C")])


def _is_padded(module: Module, operand: Any, axes: Axes, values: Values) -> bool:
    """Whether a pad changes one of the ``axes`` of an operand, somewhere on the way to it."""
    while axes and isinstance(operand, relax.Var) and operand in values:
        value = values[operand]
        if (_padded_axes(module, value) or frozenset()) & axes:
            return True
        operand, axes = _source_of(module, value, axes, values)
    return False


# --- pads ---------------------------------------------------------------------------------------------


def _padded_axes(module: Module, call: Any) -> Axes | None:
    """The axes that a pad changes, none for an idle one; None for everything else."""
    if _name(call) == _PAD:
        return frozenset(i // 2 for i, width in enumerate(call.attrs.pad_width) if not _is(width, 0))
    block = _pad_block(module, call)
    if block is None:
        return None
    before, after = (list(ty.shape.values) for ty in (call.args[1].fields[0].ty, call.ty))
    longer = {i for i, (a, b) in enumerate(zip(before, after, strict=True)) if not same(a, b)}
    return frozenset(longer | _moved_axes(block))


def _pad_block(module: Module, call: Any) -> Any:
    """The one block of the PrimFunc that a ``call_tir`` calls, if it pads; a chain of padding blocks is none."""
    if _name(call) != _CALL_TIR or len(call.args[1].fields) != 1:
        return None
    node = module[call.args[0]].body
    while not (hasattr(node, "name_hint") and node.name_hint != "root"):
        node = next((getattr(node, name) for name in ("block", "body") if hasattr(node, name)), None)
        if node is None:
            return None
    return node if str(node.name_hint).endswith("PadInput") else None


def _moved_axes(block: Any) -> set[int]:
    """Axes along which a constant pad reads elsewhere than it writes: (1, -1) keeps the length."""
    stored = block.body
    loaded = stored.value
    if isinstance(loaded, ir.Call):  # if_then_else(within, data[...], value)
        loaded = loaded.args[1]
    elif str(block.name_hint) != "PadInput":
        return set()  # a mirrored border only ever adds
    pairs = zip(stored.indices, loaded.indices, strict=True)
    return {i for i, (to, source) in enumerate(pairs) if not same(to, source)}


# --- what a pad is seen through -----------------------------------------------------------------------


def _source_of(module: Module, value: Any, axes: Axes, values: Values) -> tuple[Any, Axes]:
    """What a value is computed from, and the places of its ``axes`` there; (None, none) if that is not one tensor."""
    name = _name(value)
    if isinstance(value, relax.Var):
        return value, axes
    if name == _PAD:
        return value.args[0], axes
    if name == _CALL_TIR and _pad_block(module, value) is not None:
        return value.args[1].fields[0], axes
    if name in _ELEMENTWISE:
        return _computed_from(value, values), axes
    moves = {_PERMUTE: _permuted, _EXPAND: _expanded, _SQUEEZE: _squeezed, _RESHAPE: _reshaped}
    return (value.args[0], moves[name](value, axes)) if name in moves else (None, frozenset())


def _computed_from(call: Any, values: Values) -> Any:
    """The one operand that is computed here, of the rank of the result: constants and parameters hold no pad."""
    computed = [arg for arg in call.args if isinstance(arg, relax.Var) and arg in values]
    same_rank = len(computed) == 1 and int(computed[0].ty.ndim) == int(call.ty.ndim)
    return computed[0] if same_rank else None


def _permuted(call: Any, axes: Axes) -> Axes:
    rank = int(call.ty.ndim)
    order = list(reversed(range(rank))) if call.attrs.axes is None else [int(a) % rank for a in call.attrs.axes]
    return frozenset(order[axis] for axis in axes)


def _expanded(call: Any, axes: Axes) -> Axes:
    rank = int(call.ty.ndim)
    inserted = {int(axis) % rank for axis in call.attrs.axis}
    kept = [axis for axis in range(rank) if axis not in inserted]
    return frozenset(kept.index(axis) for axis in axes if axis in kept)


def _squeezed(call: Any, axes: Axes) -> Axes:
    lengths = call.args[0].ty.shape.values
    units = [i for i, length in enumerate(lengths) if _is(length, 1)]
    given = call.attrs.axis
    removed = units if given is None else [int(axis) % len(lengths) for axis in given]
    kept = [axis for axis in range(len(lengths)) if axis not in removed]
    return frozenset(kept[axis] for axis in axes)


def _reshaped(call: Any, axes: Axes) -> Axes:
    """A reshape that only inserts and removes unit axes; through any other, nothing is seen."""
    before, after = (list(enumerate(ty.shape.values)) for ty in (call.args[0].ty, call.ty))
    before, after = ([(i, n) for i, n in lengths if not _is(n, 1)] for lengths in (before, after))
    if len(before) != len(after) or not all(same(a, b) for (_, a), (_, b) in zip(before, after, strict=True)):
        return frozenset()
    place = {to: source for (source, _), (to, _) in zip(before, after, strict=True)}
    return frozenset(place[axis] for axis in axes if axis in place)


def _is(length: Any, number: int) -> bool:
    """Whether a length, or a width, is this constant."""
    return int(length) == number if isinstance(length, int | tirx.IntImm) else False


def _name(value: Any) -> str:
    return str(value.op.name) if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""
