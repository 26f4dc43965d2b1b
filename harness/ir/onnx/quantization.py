"""Quantized spellings: a weight as integers with scale and zero point, a result that is quantized and dequantized.

Invariant: ``(q - zero_point) * scale`` is the weight to the bit, so that a quantized weight is spelling alone. A
quantized result is rounded: ``foldproof.oracle.requantize`` says to what.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, dtypes
from foldproof.case.form import Form
from foldproof.ir.onnx.graph_builder import GraphBuilder, Value

Array = npt.NDArray[Any]

PER_AXIS = 13
"""The first opset whose QuantizeLinear and DequantizeLinear have an axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedWeight:
    """A weight as int8. Scale and zero point are scalars, or have one element for each filter (the axis O)."""

    integers: Array
    scale: Array
    zero_point: Array


def quantize_weight(form: Form, weight: Array, filters: int) -> QuantizedWeight | None:
    """Return a weight as int8; None if int8 with a scale of 1 or 0.5 does not have all its values.

    Args:
        form: gives the zero point, and whether each filter has its own.
        weight: the weight, float32.
        filters: the axis of the filters.
    """
    if weight.dtype != np.float32 or not np.isfinite(weight).all():
        return None
    count = weight.shape[filters]
    index = np.arange(count)
    scale = np.where(index % 2 == 1, 0.5, 1.0).astype(np.float32)
    zero_point = np.where(index % 2 == 1, -form.weight_zero_point, form.weight_zero_point)
    if not form.weight_per_channel:
        scale, zero_point = scale[:1], zero_point[:1]
    shape = [-1 if axis == filters else 1 for axis in range(weight.ndim)]
    integers = weight.astype(np.float64) / scale.reshape(shape) + zero_point.reshape(shape)
    low, high = dtypes.int_range("int8")
    if (integers != np.rint(integers)).any() or integers.min() < low or integers.max() > high:
        return None
    final = () if not form.weight_per_channel else (count,)
    return QuantizedWeight(
        integers=integers.astype(np.int8),
        scale=scale.reshape(final),
        zero_point=zero_point.astype(np.int8).reshape(final),
    )


def add_weight(builder: GraphBuilder, case: Case, weight: Array) -> Value:
    """Add a constant weight: as it is, or as int8 before a DequantizeLinear if the form says ``qdq``."""
    form, filters = builder.form, case.weight_layout.index("O")
    # A transposed convolution has the filters of one group along O.
    quantized = quantize_weight(form, weight, filters) if form.lowering == "qdq" else None
    if quantized is None:
        return builder.constant(weight, form.weight, "w")
    if form.weight_per_channel:
        builder.require(PER_AXIS)
    integers = builder.constant(quantized.integers, form.weight, "w")
    return add_dequantize(builder, integers, quantized.scale, quantized.zero_point, filters)


def add_dequantize(builder: GraphBuilder, value: Value, scale: Array, zero_point: Array, axis: int) -> Value:
    """Add a DequantizeLinear with constant parameters of one shape."""
    operands = [value, builder.constant(scale), builder.constant(zero_point)]
    return builder.add(
        "DequantizeLinear",
        operands,
        dtype="float32",
        lengths=value.lengths,
        axis=axis if scale.ndim else None,
    )


def add_quantized_result(builder: GraphBuilder, result: Value) -> Value:
    """Add QuantizeLinear and DequantizeLinear after a result, as the form says."""
    form = builder.form
    scale, zero_point = np.float32(form.out_scale), np.array(form.out_zero_point, form.out_dtype)
    operands = [result, builder.constant(scale), builder.constant(zero_point)]
    quantized = builder.add("QuantizeLinear", operands, dtype=form.out_dtype, lengths=result.lengths)
    return add_dequantize(builder, quantized, np.asarray(scale), zero_point, 0)
