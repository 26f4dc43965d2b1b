"""The NumPy meaning of the elementwise steps, bit by bit.

    apply(step, tensor, {"scale": ..., ...}, semantics) -> tensor

Invariant: each operation rounds once, to the dtype that it works in. Integers wrap. ``semantics`` decides where
implementations differ: maxima of NaN and of zeros of two signs, products with a constant 0, overflow, and roundings
that are skipped. A cast from float to integer out of range is unspecified everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Step, dtypes
from foldproof.case.parameters import Parameters
from foldproof.case.step import QUANTIZING
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

OUT_OF_RANGE = "float to integer cast out of range"
OVERFLOW = "integer overflow in a step"
NAN_IN_STEP = "NaN into a step that compares"

_COMPARING = ("relu", "clip", "maximum", "minimum", "sign", "leakyrelu", "hardswish", "quantize")
"""Kinds that compare, so that their result for NaN may be unspecified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An array with masks of the elements whose value is in doubt.

    Invariant: every unspecified element is unknown.

    Args:
        value: the array.
        unknown: bool, in the shape of ``value``: the reference cannot tell the value. A rounding that a compiler may
            skip is the usual cause. Equal graphs still return equal values.
        unspecified: bool, in the shape of ``value``: equal graphs may return different values.
        reasons: why anything is unspecified.
    """

    value: Array
    unknown: Array
    unspecified: Array
    reasons: tuple[str, ...] = ()

    def map_parts(self, change: Callable[[Array], Array]) -> "Tensor":
        """Apply the same change to the value and to both masks."""
        unknown = change(self.unknown)
        unspecified = unknown if self.unspecified is self.unknown else change(self.unspecified)
        return Tensor(value=change(self.value), unknown=unknown, unspecified=unspecified, reasons=self.reasons)

    def mark_unspecified(self, where: Array, reason: str) -> "Tensor":
        """Return the tensor with further elements marked as unspecified, and so as unknown."""
        if not where.any():
            return self
        reasons = tuple(dict.fromkeys((*self.reasons, reason)))
        return replace(self, unknown=self.unknown | where, unspecified=self.unspecified | where, reasons=reasons)


def exact_tensor(value: Array) -> Tensor:
    """Return a tensor of which every element is known."""
    nowhere = np.zeros(value.shape, np.bool_)
    return Tensor(value=value, unknown=nowhere, unspecified=nowhere)


def apply(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """Apply an elementwise step to a tensor.

    Args:
        step: the step; structural steps and pads are not elementwise.
        tensor: what the step reads, of any shape.
        parameters: scale, zero_point or operand by name, in their dtypes, of shapes that broadcast to the tensor.
        semantics: the choices of the IR.

    Returns:
        The result, in the shape of the tensor and the dtype of the step.
    """
    with np.errstate(all="ignore"):  # overflow, inf - inf and wrapping are part of the meaning
        result = _KINDS[step.kind](step, tensor, parameters, semantics)
        if not semantics.specifies_nan and step.kind in _COMPARING and not _is_integer(tensor):
            result = result.mark_unspecified(_find_nan(tensor, parameters), NAN_IN_STEP)
        excess = tensor.value.dtype.name in semantics.excess_precision
        if excess and step.kind not in QUANTIZING and step.kind != "astype":
            result = replace(
                result, unknown=result.unknown | _find_rounded(step, tensor, parameters, result, semantics)
            )
        return result


def _find_nan(tensor: Tensor, parameters: Parameters) -> Array:
    """Return the elements that are computed from NaN."""
    nan = np.isnan(tensor.value)
    return np.asarray(nan | np.isnan(parameters["operand"]) if "operand" in parameters else nan)


def _find_rounded(step: Step, tensor: Tensor, parameters: Parameters, result: Tensor, semantics: Semantics) -> Array:
    """Return the elements that round. They are computed in a wider dtype, and a compiler may drop the rounding."""
    single = np.dtype(np.float64 if tensor.value.dtype == np.float32 else np.float32)
    exact = _KINDS[step.kind](
        replace(step, alpha=float(np.array(step.alpha).astype(tensor.value.dtype)))
        if step.kind == "leakyrelu"
        else step,
        replace(tensor, value=tensor.value.astype(single)),
        {name: value.astype(single) for name, value in parameters.items()},
        semantics,
    )
    return np.asarray((exact.value != result.value.astype(single)) & ~np.isnan(exact.value))


def cast(tensor: Tensor, dtype: str, semantics: Semantics) -> Tensor:
    """Cast a tensor.

    Float to integer truncates, and is unspecified out of range. A cast to a dtype of excess precision is unknown where
    it rounds.
    """
    value, to_integer = tensor.value, dtype in dtypes.INTEGERS
    if to_integer and not np.issubdtype(value.dtype, np.integer):
        low, high = dtypes.int_range(dtype)
        truncated = np.trunc(value.astype(np.float64))
        inside = (truncated >= low) & (
            truncated < high + 1
        )  # high + 1 is a power of two: exact where int64's high is not
        inner = np.where(inside, truncated, 0).astype(np.dtype(dtype))
        return replace(tensor, value=inner).mark_unspecified(~inside, OUT_OF_RANGE)
    result = value.astype(np.dtype(dtype))
    if dtype not in semantics.excess_precision or value.dtype == result.dtype:
        return replace(tensor, value=result)
    rounded = (result.astype(np.float64) != value.astype(np.float64)) & ~np.isnan(value.astype(np.float64))
    return replace(tensor, value=result, unknown=tensor.unknown | rounded)


# --- kinds --------------------------------------------------------------------------------------------


def _cast(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return cast(tensor, step.out_dtype, semantics)


def _dequantize(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """Compute float32(int32(q) - zero_point) * scale: int32 wraps, and each float operation rounds once."""
    scale, zero_point = parameters["scale"], parameters["zero_point"]
    difference = (tensor.value.astype(np.int64) - zero_point.astype(np.int64)).astype(np.int32)
    result = difference.astype(np.float32) * scale
    if "float32" in semantics.excess_precision:
        exact = difference.astype(np.float64) * scale.astype(np.float64)
        tensor = replace(tensor, unknown=tensor.unknown | (exact != result))
    if semantics.simplifies_constants and step.constant and scale.size == 1 and not scale.any():
        result = np.full_like(result, scale.item())
    if step.out_dtype == "float16":
        single = np.clip(result, np.float32(-65504), np.float32(65504))
        result = single.astype(np.float16)
        if "float16" in semantics.excess_precision:
            return replace(tensor, value=result, unknown=tensor.unknown | (result.astype(np.float32) != single))
    return replace(tensor, value=result)


def _quantize(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """Compute clip(round(x / scale) + zero_point) in float32."""
    low, high = (np.float32(end) for end in dtypes.int_range(step.out_dtype))
    scaled = tensor.value.astype(np.float32) / parameters["scale"]
    shifted = np.rint(scaled) + parameters["zero_point"].astype(np.float32)
    clipped = semantics.maximum(semantics.minimum(shifted, high), low)
    return replace(tensor, value=clipped.astype(np.dtype(step.out_dtype)))


def _relu(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return replace(tensor, value=semantics.maximum(tensor.value, tensor.value.dtype.type(0)))


def _clip(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    kind = tensor.value.dtype.type
    low, high = (kind(int(end)) if _is_integer(tensor) else kind(end) for end in (step.low, step.high))
    return replace(tensor, value=semantics.maximum(semantics.minimum(tensor.value, high), low))


def _leakyrelu(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    value = tensor.value
    return replace(
        tensor, value=np.where(value > 0, value, _multiply_constant(value, value.dtype.type(step.alpha), semantics))
    )


def _sign(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """Return 1, -1, or 0.0 for zeros of either sign and for NaN."""
    value = tensor.value
    return replace(tensor, value=((value > 0).astype(value.dtype) - (value < 0).astype(value.dtype)))


def _make_rounding(function: Callable[[Array], Array]) -> Callable[[Step, Tensor, Parameters, Semantics], Tensor]:
    """Return a step that applies a function to floats, and returns integers unchanged."""

    def round_floats(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
        return tensor if _is_integer(tensor) else replace(tensor, value=function(tensor.value))

    return round_floats


def _sqrt(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return replace(tensor, value=np.sqrt(tensor.value))


def _hardswish(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    value = tensor.value
    three, six, zero = (value.dtype.type(number) for number in (3, 6, 0))
    gate = semantics.maximum(semantics.minimum(value + three, six), zero) / six
    return _compute(tensor, semantics, np.multiply, value, gate)


def _softsign(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    value = tensor.value
    return _compute(tensor, semantics, np.divide, value, np.abs(value) + value.dtype.type(1))


def _hardshrink(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    value = tensor.value
    return replace(tensor, value=np.where(np.abs(value) > value.dtype.type(0.5), value, value.dtype.type(0)))


def _negative(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return _compute(tensor, semantics, np.negative, tensor.value)


def _abs(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return _compute(tensor, semantics, np.abs, tensor.value)


def _square(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    return _compute(tensor, semantics, np.multiply, tensor.value, tensor.value)


def _binary(step: Step, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    operand = parameters["operand"]
    scalar = operand if step.constant and operand.size == 1 else None
    left, right = (operand, tensor.value) if step.swapped else (tensor.value, operand)
    if semantics.simplifies_constants and scalar is not None and not scalar.any():
        if step.kind == "add" or (step.kind == "subtract" and not step.swapped):
            return tensor
        if step.kind in ("multiply", "divide"):
            return replace(tensor, value=np.full_like(tensor.value, scalar.item()))
    if step.kind in ("maximum", "minimum"):
        choose = semantics.maximum if step.kind == "maximum" else semantics.minimum
        return replace(tensor, value=choose(left, right))
    if step.kind == "divide" and _is_integer(tensor):
        return replace(tensor, value=_divide_integers(left, right))
    arithmetic = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
    return _compute(tensor, semantics, arithmetic[step.kind], left, right)


_KINDS: dict[str, Callable[[Step, Tensor, Parameters, Semantics], Tensor]] = {
    "dequantize": _dequantize,
    "quantize": _quantize,
    "astype": _cast,
    "relu": _relu,
    "clip": _clip,
    "leakyrelu": _leakyrelu,
    "round": _make_rounding(np.rint),
    "floor": _make_rounding(np.floor),
    "ceil": _make_rounding(np.ceil),
    "trunc": _make_rounding(np.trunc),
    "sign": _sign,
    "sqrt": _sqrt,
    "negative": _negative,
    "abs": _abs,
    "hardswish": _hardswish,
    "softsign": _softsign,
    "hardshrink": _hardshrink,
    "square": _square,
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum"), _binary),
}


# --- arithmetic ---------------------------------------------------------------------------------------


def _is_integer(tensor: Tensor) -> bool:
    return bool(np.issubdtype(tensor.value.dtype, np.integer))


def _multiply_constant(value: Array, factor: Any, semantics: Semantics) -> Array:
    """Multiply by a constant. A simplifier replaces a product with the constant 0 by that constant."""
    return np.asarray(np.full_like(value, factor) if semantics.simplifies_constants and not factor else value * factor)


def _divide_integers(left: Array, right: Array) -> Array:
    """Divide integers and truncate toward zero. No divisor is 0 or -1 (``case.validation``)."""
    quotient = left // right
    return np.asarray(quotient + ((left % right != 0) & ((left < 0) != (right < 0)))).astype(left.dtype)


def _compute(tensor: Tensor, semantics: Semantics, function: Callable[..., Any], *operands: Array) -> Tensor:
    """Apply an arithmetic function: floats round once, integers wrap, which may be unspecified."""
    dtype = tensor.value.dtype
    if not _is_integer(tensor):
        return replace(tensor, value=np.asarray(function(*operands)).astype(dtype))
    exact = np.asarray(function(*(operand.astype(object) for operand in operands)))
    low, high = dtypes.int_range(dtype.name)
    wraps = np.asarray((exact < low) | (exact > high), np.bool_)
    wrapped = np.asarray((exact - low) % (high - low + 1) + low).astype(dtype)
    result = replace(tensor, value=wrapped.reshape(tensor.value.shape))
    return result.mark_unspecified(wraps, OVERFLOW) if dtype.name in semantics.unspecified_overflow else result
