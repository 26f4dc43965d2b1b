"""Read the IR: the facts of a pad, of the ops around it and of a consumer, as plain values for the rules."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tvm_ffi
from tvm import ir, relax, tirx
from tvm.sym import Analyzer

from foldproof.fold.facts import (
    Binary,
    Cast,
    Clip,
    Consumer,
    Operand,
    Padded,
    PadFacts,
    Quantization,
    Rearranged,
    Step,
    Unary,
)
from foldproof.fold.values import BINARY, HIGHEST, INTEGER_BITS, UNARY

PAD = "relax.nn.pad"
CALL_TIR = "relax.call_tir"
CALLS = (CALL_TIR, "relax.call_tir_inplace", "relax.call_tir_with_grad")
"""The ops that call a PrimFunc. Only a pad by the first one is read."""

_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}

CONSUMERS = {
    f"relax.nn.{family}{rank}d{suffix}": (family + suffix, _SPATIAL[rank])
    for family, suffix in (("conv", ""), ("conv", "_transpose"), ("max_pool", ""), ("avg_pool", ""))
    for rank in _SPATIAL
}
"""Op name -> (family, spatial letters)."""

MOST_ELEMENTS = 2**16
"""A constant with more elements is not looked at: no scale, zero point or clip bound has so many."""

Resolve = Callable[[Any], Any]
"""From a Relax variable to the value that it is bound to; anything else, or an unbound one, to itself."""


def op_name(value: Any) -> str:
    """Return the name of the operator that ``value`` calls, or ''."""
    if not isinstance(value, ir.Call):
        return ""
    operator = value.op  # once: each access makes another wrapper
    return str(operator.name) if isinstance(operator, ir.Op) else ""


# --- pads and consumers -------------------------------------------------------------------------------


def read_pad(call: ir.Call) -> PadFacts:
    """Return the facts of a ``relax.nn.pad``. ``pad_width`` is flat over all axes: before_0, after_0, before_1, ..."""
    attrs = call.attrs
    flat = [int(width) for width in attrs.pad_width[:]]
    return PadFacts(
        mode=str(attrs.pad_mode),
        value=float(attrs.pad_value),
        dtype=str(call.args[0].ty.dtype),
        widths=tuple(zip(flat[::2], flat[1::2], strict=True)),
    )


def read_consumer(value: Any, operand: int, place: str, *, elements: bool = False) -> Consumer:
    """Return the facts of the reader of a pad.

    Args:
        value: The call that reads the pad, or any other value.
        operand: The number of the operand that is the pad.
        place: The name of a reader that is not an operator.
        elements: Whether to read the elements of a convolution's weight.
    """
    name = op_name(value)
    if name not in CONSUMERS:
        return Consumer(op=name.removeprefix("relax.") or place, family="other", operand=operand)
    family, spatial = CONSUMERS[name]
    attrs, args = value.attrs, value.args[:]
    pools = family.endswith("_pool")
    out_dtype = None if pools else attrs.out_dtype
    layout = str(attrs.layout if pools else attrs.data_layout)
    lengths = shape_of(args[0])
    return Consumer(
        op=name.removeprefix("relax.nn."),
        family=family,
        operand=operand,
        spatial=spatial,
        layout=layout,
        out_layout=str(attrs.out_layout),
        kernel_layout="" if pools else str(attrs.kernel_layout),
        padding=tuple(int(p) for p in attrs.padding[:]),
        kernel=tuple(int(k) for k in attrs.pool_size[:]) if pools else (),
        strides=tuple(int(s) for s in attrs.strides[:]),
        dilation=tuple(int(d) for d in attrs.dilation[:]),
        groups=1 if pools else int(attrs.groups),
        channels=_length_of(lengths, layout.find("C")),
        sizes=tuple(_length_of(lengths, layout.find(letter)) for letter in spatial),
        out_dtype="" if out_dtype is None else str(out_dtype),
        ceil_mode=bool(attrs.ceil_mode) if pools else False,
        count_include_pad=bool(attrs.count_include_pad) if pools else False,
        weight="" if pools else _read_weight(args[1], out_dtype, elements=elements),
    )


def read_operand_types(consumer: Consumer, call: ir.Call) -> Consumer:
    """Return the facts of a consumer with the dtypes of its operands, and with the kernel of a convolution."""
    consumer = replace(consumer, dtype=str(call.args[0].ty.dtype))
    if not consumer.kernel_layout:
        return consumer
    lengths = shape_of(call.args[1])
    kernel = [_length_of(lengths, consumer.kernel_layout.find(letter)) for letter in consumer.spatial]
    known = tuple(length for length in kernel if length is not None)
    dtype = str(call.args[1].ty.dtype)
    return replace(consumer, kernel=known if len(known) == len(kernel) else (), weight_dtype=dtype)


def _read_weight(value: Any, out_dtype: Any, *, elements: bool) -> str:
    """Return ``Consumer.weight``. A convolution casts its weight to its out_dtype, which can make infinities of it."""
    dtype = str(value.ty.dtype)
    if dtype in INTEGER_BITS:
        return "integer"
    if not elements or not isinstance(value, ir.GenericConst):
        return ""
    highest = min(HIGHEST.get(name, -1.0) for name in (dtype, dtype if out_dtype is None else str(out_dtype)))
    return "finite" if bool((abs(value.value.numpy().astype(float)) <= highest).all()) else ""


def _whole(width: Any) -> int | None:
    if isinstance(width, int):
        return width
    return int(width.value) if isinstance(width, tirx.IntImm) else None


def _length_of(lengths: list[Any] | None, axis: int) -> int | None:
    return None if axis < 0 or lengths is None or axis >= len(lengths) else _whole(lengths[axis])


def shape_of(value: Any) -> list[Any] | None:
    """Return the lengths of a tensor, numbers or symbolic; None if the type does not hold them."""
    shape = getattr(value.ty, "shape", None)
    return list(shape.values[:]) if isinstance(shape, relax.ShapeExpr) else None


# --- steps --------------------------------------------------------------------------------------------


def read_step(
    call: ir.Call, resolve: Resolve, pad: PadFacts | None = None, source: Any = None
) -> tuple[Step, int] | None:
    """Return the facts of an op that a pad may pass, and the number of its data operand.

    None if a pad cannot move through it. ``pad`` are its facts if it is a pad itself, of ``source``.
    """
    if not isinstance(getattr(call, "ty", None), relax.TensorType):
        return None
    if pad is not None:
        lengths = shape_of(data_of_pad(call) if source is None else source)
        if pad.widths is None or lengths is None:
            return None
        return Padded(op="pad", dtype=pad.dtype, pad=pad, sizes=tuple(map(_whole, lengths))), 0
    name = op_name(call).removeprefix("relax.")
    reader = _READERS.get(name)
    return None if reader is None else reader(name, call, resolve)


def data_of_pad(call: ir.Call) -> Any:
    """Return the input of a pad of either form."""
    return call.args[1].fields[0] if op_name(call) == CALL_TIR else call.args[0]


Reader = Callable[[str, ir.Call, Resolve], tuple[Step, int] | None]


def _dtype_of(call: ir.Call) -> str:
    return str(call.ty.dtype)


def _read_unary(name: str, call: ir.Call, _: Resolve) -> tuple[Step, int]:
    alpha = float(call.attrs.alpha) if name == "nn.leakyrelu" else 0.0
    return Unary(op=name, dtype=_dtype_of(call), alpha=alpha), 0


def _read_binary(name: str, call: ir.Call, resolve: Resolve) -> tuple[Step, int] | None:
    """Read an op with a constant; of others, the data is the computed operand, and the other one a parameter."""
    args = call.args[:]
    values = [resolve(arg) for arg in args]
    for data, other in ((0, 1), (1, 0)):
        operand, read = values[other], values[data]
        alone = isinstance(operand, ir.GenericConst) and isinstance(read, relax.Var)
        if alone or (isinstance(read, ir.Call) and isinstance(operand, (ir.GenericConst, relax.Var))):
            facts = read_operand(operand, int(args[data].ty.ndim))
            return Binary(op=name, dtype=_dtype_of(call), other=facts, swapped=data == 1), data
    return None


def _read_clip(name: str, call: ir.Call, _: Resolve) -> tuple[Step, int]:
    low, high = map(_read_immediate, call.args[1:])
    return Clip(op=name, dtype=_dtype_of(call), low=low, high=high), 0


def _read_immediate(value: Any) -> float | None:
    return value.value if isinstance(value, tirx.IntImm | tirx.FloatImm) else None


def _read_prelu(name: str, call: ir.Call, resolve: Resolve) -> tuple[Step, int]:
    ndim = int(call.args[0].ty.ndim)
    alpha = read_operand(resolve(call.args[1]), ndim, axis=int(call.attrs.axis) % max(ndim, 1))
    return Binary(op=name, dtype=_dtype_of(call), other=alpha), 0


def _read_cast(name: str, call: ir.Call, _: Resolve) -> tuple[Step, int]:
    return Cast(op=name, dtype=_dtype_of(call)), 0


def _read_quantization(name: str, call: ir.Call, resolve: Resolve) -> tuple[Step, int]:
    ndim = int(call.args[0].ty.ndim)
    axis = int(call.attrs.axis)
    scale, zero_point = (read_operand(resolve(arg), ndim, axis=axis % max(ndim, 1)) for arg in call.args[1:])
    return Quantization(op=name, dtype=_dtype_of(call), scale=scale, zero_point=zero_point), 0


def read_operand(value: Any, ndim: int, *, axis: int | None = None) -> Operand:
    """Return the facts of another operand; with ``axis``, its one axis is that of the data."""
    lengths = shape_of(value)
    if lengths is None or ndim < 0 or len(lengths) > (ndim if axis is None else 1):
        return Operand(shape=None, flat=None)
    known = [_whole(length) for length in lengths]
    shape: list[int | None] = [1] * ndim
    if axis is None:
        shape[ndim - len(known) :] = known
    if axis is not None and known:
        shape[axis] = known[0]
    return Operand(shape=tuple(shape), flat=_read_numbers(value.value) if isinstance(value, ir.GenericConst) else None)


def _read_numbers(tensor: Any) -> tuple[float, ...] | None:
    array = tensor.numpy().reshape(-1)
    return tuple(array.tolist()) if 0 < array.size <= MOST_ELEMENTS else None


def _read_rearranged(name: str, call: ir.Call, _: Resolve) -> tuple[Step, int] | None:
    origin = _ORIGINS[name](call)
    return None if origin is None else (Rearranged(op=name, dtype=_dtype_of(call), origin=tuple(origin)), 0)


def _trace_permute_dims(call: ir.Call) -> list[int | None] | None:
    ndim, axes = int(call.ty.ndim), call.attrs.axes
    return None if ndim < 0 else [ndim - 1 - i if axes is None else int(axes[i]) % ndim for i in range(ndim)]


def _trace_expand_dims(call: ir.Call) -> list[int | None] | None:
    ndim = int(call.ty.ndim)
    if ndim < 0:
        return None
    new = {int(axis) % ndim for axis in call.attrs.axis}
    old = iter(range(ndim))
    return [None if axis in new else next(old) for axis in range(ndim)]


def list_squeezed_axes(call: ir.Call) -> list[int] | None:
    """Return the axes that a ``squeeze`` removes, None if that depends on symbolic lengths."""
    ndim = int(call.args[0].ty.ndim)
    if call.attrs.axis is not None:
        return [int(axis) % ndim for axis in call.attrs.axis]
    lengths = shape_of(call.args[0])
    return None if lengths is None else [i for i, length in enumerate(lengths) if _whole(length) == 1]


def _trace_squeeze(call: ir.Call) -> list[int | None] | None:
    gone = list_squeezed_axes(call)
    return None if gone is None else [axis for axis in range(int(call.args[0].ty.ndim)) if axis not in gone]


def _trace_reshape(call: ir.Call) -> list[int | None] | None:
    """Return the origin of each axis if only axes of length 1 appear or vanish, else None."""
    old, new = shape_of(call.args[0]), shape_of(call)
    if old is None or new is None:
        return None
    axes = [axis for axis, length in enumerate(old) if _whole(length) != 1]
    places = [place for place, length in enumerate(new) if _whole(length) != 1]
    if len(axes) != len(places):
        return None
    if not all(_equal(old[a], new[p]) for a, p in zip(axes, places, strict=True)):
        return None
    origin: list[int | None] = [None] * len(new)
    for axis, place in zip(axes, places, strict=True):
        origin[place] = axis
    return origin


def _equal(a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b)) or bool(Analyzer().can_prove_equal(a, b))


_ORIGINS: dict[str, Callable[[ir.Call], list[int | None] | None]] = {
    "permute_dims": _trace_permute_dims,
    "expand_dims": _trace_expand_dims,
    "squeeze": _trace_squeeze,
    "reshape": _trace_reshape,
}

_READERS: dict[str, Reader] = {
    **dict.fromkeys(UNARY, _read_unary),
    "nn.leakyrelu": _read_unary,
    **dict.fromkeys(BINARY, _read_binary),
    "nn.prelu": _read_prelu,
    "clip": _read_clip,
    "astype": _read_cast,
    "dequantize": _read_quantization,
    "quantize": _read_quantization,
    **dict.fromkeys(_ORIGINS, _read_rearranged),
}
"""Op (without "relax.") -> how to read it."""

STEPS = frozenset(f"relax.{name}" for name in _READERS)
