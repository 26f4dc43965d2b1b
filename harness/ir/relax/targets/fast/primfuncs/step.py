"""PrimFuncs of elementwise steps, equal node for node to those of topi.

    R.add(x, b)   ->   out[i, j] = x[i, j] + b[j]        R.dequantize(x, s, z)   ->   out[i] = (x[i] - z[i]) * s[i]

Sources: topi/broadcast.h, relax/transform/legalize_ops/binary.py, qdq.py. ``tests/ir/relax/targets/test_primfuncs.py``
compares random ones with those of TVM. Every function returns None for symbolic shapes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import Expr, PrimFuncBuilder, Tensor, int64

_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "relax.add": lambda a, b: a + b,
    "relax.subtract": lambda a, b: a - b,
    "relax.multiply": lambda a, b: a * b,
    "relax.divide": tirx.div,
    "relax.minimum": tirx.min,
    "relax.maximum": tirx.max,
}

BINARY = tuple(_BINARY)


def _sign(x: Expr) -> Expr:
    dtype = str(x.ty.dtype)
    zero, one, less = (tirx.const(value, dtype) for value in (0, 1, -1))
    return tirx.Select(x > zero, one, tirx.Select(x < zero, less, zero))


_UNARY: dict[str, Callable[[Expr], Expr]] = {
    "relax.abs": tirx.abs,
    "relax.ceil": tirx.ceil,
    "relax.floor": tirx.floor,
    "relax.negative": lambda x: -x,
    "relax.round": tirx.nearbyint,
    "relax.sign": _sign,
    "relax.square": lambda x: x * x,
    "relax.trunc": tirx.trunc,
}

UNARY = tuple(_UNARY)
_COMPARING = ("relax.abs", "relax.sign")

_Operand = Callable[[Sequence[Expr]], Expr]
"""A function from an index of the result to the element of an operand."""


def binary(call: ir.Call) -> PrimFuncBuilder | None:
    """Build arithmetic with broadcasting."""
    builder = PrimFuncBuilder(call)
    first, second = call.args
    scalar = _scalar_constant(second)
    sides = [_scalar_constant(first) if scalar is None else None, scalar]
    tensors = [builder.operand(i) if sides[i] is None else None for i in (0, 1)]
    if any(side is None and tensor is None for side, tensor in zip(sides, tensors, strict=True)):
        return None
    known = [tensor for tensor in tensors if tensor is not None]
    lengths = _broadcast_shape([tensor.lengths for tensor in known]) if known else None
    if lengths is None:
        return None
    a, b = (
        _read_broadcast(tensor, lengths) if tensor else _read_constant(side)
        for tensor, side in zip(tensors, sides, strict=True)
    )
    operate = _BINARY[call.op.name]
    builder.add_stage("binary", lengths, lambda *at: operate(a(at), b(at)))
    return builder


def relu(call: ir.Call) -> PrimFuncBuilder | None:
    """Build relu."""
    return _unary(call, lambda x: tirx.max(x, tirx.const(0, str(x.ty.dtype))))


def astype(call: ir.Call) -> PrimFuncBuilder | None:
    """Build a cast; return None for a scalar constant."""
    dtype = str(call.attrs.dtype)
    return None if _scalar_constant(call.args[0]) is not None else _unary(call, lambda x: x.astype(dtype))


def clip(call: ir.Call) -> PrimFuncBuilder | None:
    """Build clip; return None if a limit is not a number."""
    low, high = call.args[1:]
    if not all(isinstance(limit, tirx.IntImm | tirx.FloatImm) for limit in (low, high)):
        return None
    return _unary(call, lambda x: tirx.max(tirx.min(x, tirx.Cast(x.ty, high)), tirx.Cast(x.ty, low)), simple=False)


def leakyrelu(call: ir.Call) -> PrimFuncBuilder | None:
    """Build leakyrelu."""
    alpha = float(call.attrs.alpha)
    return _unary(call, lambda x: tirx.Select(x > 0, x, x * tirx.const(alpha, str(x.ty.dtype))), simple=False)


def unary(call: ir.Call) -> PrimFuncBuilder | None:
    """Build a function of each element; return None where TVM compares int32 in int64."""
    name = str(call.op.name)
    if name in _COMPARING and str(call.args[0].ty.dtype) == "int32":
        return None
    return _unary(call, _UNARY[name], simple=False)


def sqrt(call: ir.Call) -> PrimFuncBuilder | None:
    """Build sqrt of floats; return None for integers, which TVM casts in a stage of its own."""
    return _unary(call, tirx.sqrt) if str(call.args[0].ty.dtype).startswith(("float", "bfloat")) else None


def dequantize(call: ir.Call) -> PrimFuncBuilder | None:
    """Build dequantize."""
    dtype = str(call.attrs.out_dtype)

    def value(x: Expr, scale: Expr, zero: Expr) -> Expr:
        floating = str(x.ty.dtype).startswith(("float", "bfloat"))
        out = (x.astype("float32" if floating else "int32") - zero) * scale.astype("float32")
        return out if dtype == "float32" else _clamp(out, dtype)

    return _quantization(call, value)


def quantize(call: ir.Call) -> PrimFuncBuilder | None:
    """Build quantize."""
    dtype = str(call.attrs.out_dtype)

    def value(x: Expr, scale: Expr, zero: Expr) -> Expr:
        scaled = x / scale
        return _clamp((tirx.round(scaled) if "int" in dtype else scaled) + zero, dtype)

    return _quantization(call, value)


# --- shared parts -------------------------------------------------------------------------------------


def _unary(call: ir.Call, value: Callable[[Expr], Expr], *, simple: bool = True) -> PrimFuncBuilder | None:
    builder = PrimFuncBuilder(call)
    x = builder.operand(0)
    if x is None:
        return None
    builder.add_stage("compute", x.lengths, lambda *at: value(x[at]), simple=simple)
    return builder


def _quantization(call: ir.Call, value: Callable[[Expr, Expr, Expr], Expr]) -> PrimFuncBuilder | None:
    """Build a (de)quantization; scale and zero point are a number, one element, or a vector along an axis."""
    builder = PrimFuncBuilder(call)
    x = builder.operand(0)
    factors = [_read_factor(builder, i, int(call.attrs.axis)) for i in (1, 2)]
    if x is None or any(factor is None for factor in factors):
        return None
    scale, zero = factors
    builder.add_stage("quantization", x.lengths, lambda *at: value(x[at], scale(at), zero(at)))  # type: ignore[misc]
    return builder


def _read_factor(builder: PrimFuncBuilder, position: int, axis: int) -> _Operand | None:
    scalar = _scalar_constant(builder.call.args[position])
    if scalar is not None:
        return _read_constant(scalar)
    tensor = builder.operand(position)
    if tensor is None:
        return None
    if all(length == 1 for length in tensor.lengths):
        return lambda at: tensor[[int64(0)] * len(tensor.lengths)]
    return lambda at: tensor[[at[axis]]]


def _clamp(value: Expr, dtype: str) -> Expr:
    return tirx.max(tirx.min(value, tirx.max_value(dtype)), tirx.min_value(dtype)).astype(dtype)


def _scalar_constant(expr: Any) -> Expr | None:
    """Return the value of a constant of shape (); None for anything else."""
    if not isinstance(expr, ir.GenericConst) or int(expr.ty.ndim) != 0:
        return None
    return tirx.const(expr.value.numpy().item(), str(expr.ty.dtype))


def _read_constant(value: Expr) -> _Operand:
    return lambda at: value


def _read_broadcast(tensor: Tensor, lengths: Sequence[int]) -> _Operand:
    """Return how to read a tensor that is broadcast to ``lengths``."""
    missing = len(lengths) - len(tensor.lengths)

    def element(at: Sequence[Expr]) -> Expr:
        wide = zip(at[missing:], tensor.lengths, lengths[missing:], strict=True)
        return tensor[[int64(0) if size == 1 and length != 1 else place for place, size, length in wide]]

    return element


def _broadcast_shape(shapes: Sequence[tuple[int, ...]]) -> list[int] | None:
    """Return the shape that shapes broadcast to; None if they do not."""
    rank = max(map(len, shapes))
    columns = [[1] * (rank - len(shape)) + [*shape] for shape in shapes]
    lengths = [next((n for n in column if n != 1), 1) for column in zip(*columns, strict=True)]
    fits = all(n in (1, length) for column in columns for n, length in zip(column, lengths, strict=True))
    return lengths if fits else None
