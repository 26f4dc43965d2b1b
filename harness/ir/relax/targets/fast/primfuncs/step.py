"""The PrimFuncs of element-wise steps, as TVM legalises them, without TE: node by node what topi makes.

    R.add(x, b)   ->   out[i, j] = x[i, j] + b[j]        R.dequantize(x, s, z)   ->   out[i] = (x[i] - z[i]) * s[i]

(topi/broadcast.h; relax/transform/legalize_ops/binary.py, qdq.py.) They must be equal, node for node, to what TVM
makes: ``tests/ir/relax/targets/test_primfuncs.py`` compares random ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.stages import Expr, Stages, Tensor, int64

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
"""The element of an operand at a place of the result."""


def binary(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of arithmetic with broadcasting; None of symbolic lengths."""
    stages = Stages(call)
    first, second = call.args
    scalar = _scalar(second)
    sides = [_scalar(first) if scalar is None else None, scalar]
    tensors = [stages.operand(i) if sides[i] is None else None for i in (0, 1)]
    if any(side is None and tensor is None for side, tensor in zip(sides, tensors, strict=True)):
        return None
    known = [tensor for tensor in tensors if tensor is not None]
    lengths = _broadcast([tensor.lengths for tensor in known]) if known else None
    if lengths is None:
        return None
    a, b = (
        _spread(tensor, lengths) if tensor else _constant(side) for tensor, side in zip(tensors, sides, strict=True)
    )
    operate = _BINARY[call.op.name]
    stages.stage("binary", lengths, lambda *at: operate(a(at), b(at)))
    return stages


def relu(call: ir.Call) -> Stages | None:
    """The same of relu."""
    return _unary(call, lambda x: tirx.max(x, tirx.const(0, str(x.ty.dtype))))


def astype(call: ir.Call) -> Stages | None:
    """The same of a cast of what is no scalar constant."""
    dtype = str(call.attrs.dtype)
    return None if _scalar(call.args[0]) is not None else _unary(call, lambda x: x.astype(dtype))


def clip(call: ir.Call) -> Stages | None:
    """The same of a clip whose limits are numbers."""
    low, high = call.args[1:]
    if not all(isinstance(limit, tirx.IntImm | tirx.FloatImm) for limit in (low, high)):
        return None
    return _unary(call, lambda x: tirx.max(tirx.min(x, tirx.Cast(x.ty, high)), tirx.Cast(x.ty, low)), simple=False)


def leakyrelu(call: ir.Call) -> Stages | None:
    """The same of a leaky relu."""
    alpha = float(call.attrs.alpha)
    return _unary(call, lambda x: tirx.Select(x > 0, x, x * tirx.const(alpha, str(x.ty.dtype))), simple=False)


def unary(call: ir.Call) -> Stages | None:
    """The same of a function of each element; None where int32 is compared, for which TVM goes to int64."""
    name = str(call.op.name)
    if name in _COMPARING and str(call.args[0].ty.dtype) == "int32":
        return None
    return _unary(call, _UNARY[name], simple=False)


def sqrt(call: ir.Call) -> Stages | None:
    """The same of a square root of floats; integers are cast first, in a stage of its own."""
    return _unary(call, tirx.sqrt) if str(call.args[0].ty.dtype).startswith(("float", "bfloat")) else None


def dequantize(call: ir.Call) -> Stages | None:
    """The same of a dequantize."""
    dtype = str(call.attrs.out_dtype)

    def value(x: Expr, scale: Expr, zero: Expr) -> Expr:
        floating = str(x.ty.dtype).startswith(("float", "bfloat"))
        out = (x.astype("float32" if floating else "int32") - zero) * scale.astype("float32")
        return out if dtype == "float32" else _clipped(out, dtype)

    return _quantization(call, value)


def quantize(call: ir.Call) -> Stages | None:
    """The same of a quantize."""
    dtype = str(call.attrs.out_dtype)

    def value(x: Expr, scale: Expr, zero: Expr) -> Expr:
        scaled = x / scale
        return _clipped((tirx.round(scaled) if "int" in dtype else scaled) + zero, dtype)

    return _quantization(call, value)


# --- shared parts -------------------------------------------------------------------------------------


def _unary(call: ir.Call, value: Callable[[Expr], Expr], *, simple: bool = True) -> Stages | None:
    stages = Stages(call)
    x = stages.operand(0)
    if x is None:
        return None
    stages.stage("compute", x.lengths, lambda *at: value(x[at]), simple=simple)
    return stages


def _quantization(call: ir.Call, value: Callable[[Expr, Expr, Expr], Expr]) -> Stages | None:
    """With a scale and a zero point, each a number, or one element, or one for each place of an axis."""
    stages = Stages(call)
    x = stages.operand(0)
    factors = [_factor(stages, i, int(call.attrs.axis)) for i in (1, 2)]
    if x is None or any(factor is None for factor in factors):
        return None
    scale, zero = factors
    stages.stage("quantization", x.lengths, lambda *at: value(x[at], scale(at), zero(at)))  # type: ignore[misc]
    return stages


def _factor(stages: Stages, position: int, axis: int) -> _Operand | None:
    scalar = _scalar(stages.call.args[position])
    if scalar is not None:
        return _constant(scalar)
    tensor = stages.operand(position)
    if tensor is None:
        return None
    if all(length == 1 for length in tensor.lengths):
        return lambda at: tensor[[int64(0)] * len(tensor.lengths)]
    return lambda at: tensor[[at[axis]]]


def _clipped(value: Expr, dtype: str) -> Expr:
    return tirx.max(tirx.min(value, tirx.max_value(dtype)), tirx.min_value(dtype)).astype(dtype)


def _scalar(expr: Any) -> Expr | None:
    """The value of a constant without axes."""
    if not isinstance(expr, ir.GenericConst) or int(expr.ty.ndim) != 0:
        return None
    return tirx.const(expr.value.numpy().item(), str(expr.ty.dtype))


def _constant(value: Expr) -> _Operand:
    return lambda at: value


def _spread(tensor: Tensor, lengths: Sequence[int]) -> _Operand:
    """A tensor that is broadcast to ``lengths``."""
    missing = len(lengths) - len(tensor.lengths)

    def element(at: Sequence[Expr]) -> Expr:
        wide = zip(at[missing:], tensor.lengths, lengths[missing:], strict=True)
        return tensor[[int64(0) if own == 1 and length != 1 else place for place, own, length in wide]]

    return element


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> list[int] | None:
    """The lengths of what is broadcast; None if it cannot be."""
    rank = max(map(len, shapes))
    columns = [[1] * (rank - len(shape)) + [*shape] for shape in shapes]
    lengths = [next((n for n in column if n != 1), 1) for column in zip(*columns, strict=True)]
    fits = all(n in (1, length) for column in columns for n, length in zip(column, lengths, strict=True))
    return lengths if fits else None
