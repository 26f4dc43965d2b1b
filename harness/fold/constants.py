"""The values of small expressions of constants, which frontends leave to FoldConstant.

    lv = R.where(R.isnan(R.const(6.0)), R.const(inf), R.const(6.0))         6.0

A value is given only where it is what TVM computes, bit by bit: elements are chosen and rearranged, or computed as
``values`` does. A zero that was computed may have either sign, so it is not given.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm import ir, relax, tirx

from foldproof.fold import values
from foldproof.fold.reader import MOST_ELEMENTS, list_squeezed_axes, op_name, shape_of

Array = npt.NDArray[Any]
Resolve = Callable[[Any], Any]


def evaluate(call: Any, resolve: Resolve) -> ir.GenericConst | None:
    """Return the constant that a call of constants computes, None if it is not one, or not known."""
    function = _FUNCTIONS.get(op_name(call).removeprefix("relax."))
    tensors = [arg for arg in call.args if not isinstance(arg.ty, relax.ShapeType)]
    operands = [resolve(arg) for arg in tensors]
    if function is None or not all(isinstance(operand, ir.GenericConst) for operand in operands):
        return None
    shape = _small_shape(call)
    if shape is None or any(_small_shape(operand) is None for operand in operands):
        return None
    result = function(call, [operand.value.numpy() for operand in operands], shape)
    return None if result is None else relax.const(np.array(result).reshape(shape), str(call.ty.dtype))


def choose(call: ir.Call, resolve: Resolve) -> ir.GenericConst | None:
    """Return the constant that a ``where`` of a constant condition always chooses, None if there is none.

    The other operand may be anything: ONNX's Gather adds the length to indices below 0, of which there are none.
    """
    condition = resolve(call.args[0])
    if not isinstance(condition, ir.GenericConst) or _small_shape(condition) is None:
        return None
    chosen = condition.value.numpy()
    if chosen.any() and not chosen.all():
        return None
    constant = resolve(call.args[1 if chosen.any() else 2])
    known = isinstance(constant, ir.GenericConst) and _small_shape(constant) is not None
    return constant if known and _small_shape(constant) == _small_shape(call) else None


def _small_shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a tensor that is not too large to be read, None for others."""
    lengths = shape_of(value)
    if lengths is None or not all(isinstance(length, int | tirx.IntImm) for length in lengths):
        return None
    shape = tuple(int(length) for length in lengths)
    return shape if 0 < math.prod(shape) <= MOST_ELEMENTS else None


def _reshape(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return arrays[0].reshape(shape)


def _squeeze(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return None if list_squeezed_axes(call) is None else arrays[0].reshape(shape)


def _broadcast(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return np.broadcast_to(arrays[0], shape)


def _permute(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    axes = call.attrs.axes
    return np.transpose(arrays[0], None if axes is None else [int(axis) for axis in axes])


def _fill(number: int) -> "Function":
    return lambda call, arrays, shape: np.full(shape, number, np.dtype(str(call.ty.dtype)))


def _full(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    same = arrays[-1].dtype == np.dtype(str(call.ty.dtype))
    return np.full(shape, arrays[-1].item(), arrays[-1].dtype) if same and arrays[-1].size == 1 else None


def _where(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return np.where(*arrays)


def _is_nan(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return np.isnan(arrays[0])


def _is_finite(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return np.isfinite(arrays[0])


def _is_infinite(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
    return np.isinf(arrays[0])


def _compute(name: str) -> "Function":
    """Return the function of an elementwise op in ``values``, element by element."""

    def function(call: ir.Call, arrays: list[Array], shape: tuple[int, ...]) -> Array | None:
        dtype, source = str(call.ty.dtype), arrays[0].dtype.name
        if not values.is_known(name, source, dtype):
            return None
        results = []
        for numbers in zip(*(array.ravel().tolist() for array in np.broadcast_arrays(*arrays)), strict=True):
            number = None if any(x != x for x in numbers) else _apply(name, numbers, source, dtype)
            if number is None or (number == 0 and dtype in values.FLOATS):
                return None
            results.append(number)
        return np.array(results).astype(np.dtype(dtype))

    return function


def _apply(name: str, numbers: tuple[Any, ...], source: str, dtype: str) -> float | None:
    if name == "astype":
        return values.convert(numbers[0], source, dtype)
    if name in values.UNARY:
        return values.UNARY[name](numbers[0], source)
    a, b = numbers
    return values.BINARY[name](a, b, source)


Function = Callable[[ir.Call, list[Array], tuple[int, ...]], Array | None]

_FUNCTIONS: dict[str, Function] = {
    **{
        name: _compute(name)
        for name in ("astype", "add", "subtract", "multiply", "divide", "maximum", "minimum", "negative", "abs", "sqrt")
        + ("logical_not", "logical_and", "logical_or", "equal", "not_equal", "less", "less_equal", "greater")
        + ("greater_equal",)
    },
    "reshape": _reshape,
    "expand_dims": _reshape,
    "squeeze": _squeeze,
    "broadcast_to": _broadcast,
    "permute_dims": _permute,
    "zeros": _fill(0),
    "ones": _fill(1),
    "full": _full,
    "where": _where,
    "isnan": _is_nan,
    "isfinite": _is_finite,
    "isinf": _is_infinite,
}

CONSTANT_OPS = frozenset(f"relax.{name}" for name in _FUNCTIONS)
