"""Nodes of the steps of a case: a row of ``_STEPS`` each, or a function where ONNX writes it in several nodes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Place, Step, dtypes
from foldproof.case.parameters import constants
from foldproof.case.step import BINARY, STRUCTURAL
from foldproof.ir.onnx.graph_builder import GraphBuilder, Lengths, Unsupported, Value, first_opset
from foldproof.ir.onnx.pads import add_pad, add_widths
from foldproof.ir.onnx.quantization import PER_AXIS

Array = npt.NDArray[Any]
Parameters = dict[str, Value]

_UNARY = {
    "negative": "Neg",
    "round": "Round",
    "abs": "Abs",
    "floor": "Floor",
    "ceil": "Ceil",
    "sign": "Sign",
    "sqrt": "Sqrt",
}
_BINARY = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
}
_ROUNDING = ("round", "floor", "ceil", "trunc")
"""Kinds that return integers unchanged, and that ONNX has for floats only."""


def add_step(
    builder: GraphBuilder, place: Place, data: Value, parameters: Parameters, lengths: Lengths, layout: str = ""
) -> Value:
    """Add the nodes of a step.

    Args:
        builder: the graph.
        place: the step in its case.
        data: what it reads.
        parameters: the run-time parameters of all steps, by name.
        lengths: the lengths of its result.
        layout: the layout of its result; empty for that which it reads.
    """
    step = place.step
    if step.kind in STRUCTURAL:
        return _add_structural(builder, place, data, lengths, layout)
    if step.kind == "pad":
        return _add_nested(builder, place, data, lengths)
    if step.kind in _ROUNDING and data.dtype in dtypes.INTEGERS:
        return builder.add("Identity", [data], dtype=data.dtype, lengths=lengths)
    if step.kind in BINARY:
        return _add_binary(builder, place, data, parameters, lengths)
    if step.kind in ("dequantize", "quantize"):
        return _add_quantizing(builder, place, data, parameters, lengths)
    if step.kind in _WRITTEN:
        return _WRITTEN[step.kind](builder, step, data)
    if step.kind not in _UNARY:
        raise Unsupported(f"foldproof does not write the step {step.kind} in ONNX")
    return builder.add(_UNARY[step.kind], [data], dtype=data.dtype, lengths=lengths)


def _add_same(builder: GraphBuilder, kind: str, operands: list[Value], **attributes: Any) -> Value:
    """Add a node whose result is like the first operand."""
    return builder.add(kind, operands, dtype=operands[0].dtype, lengths=operands[0].lengths, **attributes)


def _scalar(builder: GraphBuilder, number: float, dtype: str) -> Value:
    with np.errstate(all="ignore"):
        return builder.constant(np.array(number).astype(np.dtype(dtype)))


# --- elementwise --------------------------------------------------------------------------------------


def _add_relu(builder: GraphBuilder, step: Step, data: Value) -> Value:
    if first_opset("Relu", builder.opset, data.dtype) is None:  # no opset has Relu of uint8
        return _add_same(builder, "Max", [data, _scalar(builder, 0, data.dtype)])
    return _add_same(builder, "Relu", [data])


def _add_clip(builder: GraphBuilder, step: Step, data: Value) -> Value:
    low, high = (float(np.array(end).astype(np.dtype(data.dtype))) for end in (step.low, step.high))
    if builder.opset < 11:
        return _add_same(builder, "Clip", [data], min=low, max=high)
    if first_opset("Clip", builder.opset, data.dtype) is None:
        upper = _add_same(builder, "Min", [data, _scalar(builder, high, data.dtype)])
        return _add_same(builder, "Max", [upper, _scalar(builder, low, data.dtype)])
    return _add_same(builder, "Clip", [data, _scalar(builder, low, data.dtype), _scalar(builder, high, data.dtype)])


def _add_leaky_relu(builder: GraphBuilder, step: Step, data: Value) -> Value:
    """Add a LeakyRelu, or a PRelu where the attribute, a float32, would round the slope."""
    alpha = float(np.array(step.alpha).astype(np.dtype(data.dtype)))
    if float(np.float32(alpha)) == alpha:
        return _add_same(builder, "LeakyRelu", [data], alpha=alpha)
    return _add_same(builder, "PRelu", [data, _scalar(builder, alpha, data.dtype)])


def _add_trunc(builder: GraphBuilder, step: Step, data: Value) -> Value:
    """Write sign(x) * floor(abs(x)): ONNX has no Trunc."""
    whole = _add_same(builder, "Floor", [_add_same(builder, "Abs", [data])])
    return _add_same(builder, "Mul", [_add_same(builder, "Sign", [data]), whole])


def _add_hard_swish(builder: GraphBuilder, step: Step, data: Value) -> Value:
    """Write x * (clip(x + 3, 0, 6) / 6): the operator HardSwish multiplies by 1/6 instead."""
    shifted = _add_same(builder, "Add", [data, _scalar(builder, 3, data.dtype)])
    clipped = _add_clip(builder, Step(kind="clip", low=0.0, high=6.0), shifted)
    return _add_same(builder, "Mul", [data, _add_same(builder, "Div", [clipped, _scalar(builder, 6, data.dtype)])])


def _add_softsign(builder: GraphBuilder, step: Step, data: Value) -> Value:
    shifted = _add_same(builder, "Add", [_add_same(builder, "Abs", [data]), _scalar(builder, 1, data.dtype)])
    return _add_same(builder, "Div", [data, shifted])


def _add_hard_shrink(builder: GraphBuilder, step: Step, data: Value) -> Value:
    """Add a Shrink; in float64 a Where, since ONNX Runtime computes Shrink of float64 in float32."""
    if data.dtype != "float64":
        return _add_same(builder, "Shrink", [data], lambd=0.5)
    operands = [_add_same(builder, "Abs", [data]), _scalar(builder, 0.5, data.dtype)]
    large = builder.add("Greater", operands, dtype="bool", lengths=data.lengths)
    chosen = [large, data, _scalar(builder, 0, data.dtype)]
    return builder.add("Where", chosen, dtype=data.dtype, lengths=data.lengths)


_WRITTEN: dict[str, Callable[[GraphBuilder, Step, Value], Value]] = {
    "relu": _add_relu,
    "clip": _add_clip,
    "leakyrelu": _add_leaky_relu,
    "trunc": _add_trunc,
    "hardswish": _add_hard_swish,
    "softsign": _add_softsign,
    "hardshrink": _add_hard_shrink,
    "square": lambda builder, step, data: _add_same(builder, "Mul", [data, data]),
    "astype": lambda builder, step, data: builder.cast(data, step.out_dtype),
}


def _add_binary(builder: GraphBuilder, place: Place, data: Value, parameters: Parameters, lengths: Lengths) -> Value:
    step = place.step
    array = constants(place)["operand"]
    operand = builder.constant(array) if step.constant else parameters[place.parameter("operand")]
    operands = [operand, data] if step.swapped else [data, operand]
    return builder.add(_BINARY[step.kind], operands, dtype=data.dtype, lengths=lengths)


# --- quantize and dequantize --------------------------------------------------------------------------


def _add_quantizing(
    builder: GraphBuilder, place: Place, data: Value, parameters: Parameters, lengths: Lengths
) -> Value:
    """Add QuantizeLinear or DequantizeLinear, or their arithmetic where the zero point is not of the data's dtype."""
    step, arrays = place.step, constants(place)
    quantizes = step.kind == "quantize"
    reads = step.out_dtype if quantizes else place.dtype
    operands: dict[str, Value] = {}
    if step.constant:
        if fits_operator(place):
            arrays["zero_point"] = arrays["zero_point"].astype(np.dtype(reads))
            if arrays["scale"].shape != arrays["zero_point"].shape:
                scale, zero_point = np.broadcast_arrays(arrays["scale"], arrays["zero_point"])
                arrays = {"scale": scale, "zero_point": zero_point}
            operands = {name: builder.constant(array) for name, array in arrays.items()}
    else:
        operands = {name: parameters[place.parameter(name)] for name in arrays}
    if not fits_operator(place):
        return _write_arithmetic(builder, place, data, parameters)
    axis = place.layout.index(step.axis) if operands["scale"].lengths else None
    if axis is not None:
        builder.require(PER_AXIS)
    names = [operands["scale"], operands["zero_point"]]
    if quantizes:
        return builder.add(
            "QuantizeLinear", [builder.cast(data, "float32"), *names], dtype=step.out_dtype, lengths=lengths, axis=axis
        )
    result = builder.add("DequantizeLinear", [data, *names], dtype="float32", lengths=lengths, axis=axis)
    return _saturate(builder, step, result)


def fits_operator(place: Place) -> bool:
    """Whether QuantizeLinear or DequantizeLinear can say a step.

    The zero point has the dtype of the quantized data, and that of int32 is 0. Scale and zero point have one shape.
    """
    step = place.step
    reads = step.out_dtype if step.kind == "quantize" else place.dtype
    if not step.constant:
        same_shape = len(step.scale) == len(step.zero_point)
        return step.zero_point_dtype == reads and same_shape and reads != "int32"
    if reads == "int32":
        return not any(step.zero_point)
    low, high = dtypes.int_range(reads)
    return all(low <= zero_point <= high for zero_point in step.zero_point)


def _write_arithmetic(builder: GraphBuilder, place: Place, data: Value, parameters: Parameters) -> Value:
    """Write float(int32(q) - zero_point) * scale, or its inverse, as arithmetic."""
    step = place.step
    scale, zero_point = (_broadcast(builder, place, name, parameters) for name in ("scale", "zero_point"))
    if step.kind == "dequantize":
        difference = _add_same(builder, "Sub", [builder.cast(data, "int32"), builder.cast(zero_point, "int32")])
        return _saturate(builder, step, _add_same(builder, "Mul", [builder.cast(difference, "float32"), scale]))
    rounded = _add_same(builder, "Round", [_add_same(builder, "Div", [builder.cast(data, "float32"), scale])])
    shifted = _add_same(builder, "Add", [rounded, builder.cast(zero_point, "float32")])
    low, high = dtypes.int_range(step.out_dtype)
    return builder.cast(
        _add_clip(builder, Step(kind="clip", low=float(low), high=float(high)), shifted), step.out_dtype
    )


def _broadcast(builder: GraphBuilder, place: Place, name: str, parameters: Parameters) -> Value:
    """Return a parameter with a shape that broadcasts to the data."""
    array = constants(place)[name]
    shape = [-1 if letter == place.step.axis else 1 for letter in place.layout]
    if place.step.constant:
        return builder.constant(array.reshape(shape) if array.ndim else array)
    value = parameters[place.parameter(name)]
    if not array.ndim:
        return value
    lengths = tuple(len(array) if each == -1 else 1 for each in shape)
    return builder.add(
        "Reshape", [value, builder.constant(np.array(lengths, np.int64))], dtype=value.dtype, lengths=lengths
    )


def _saturate(builder: GraphBuilder, step: Step, result: Value) -> Value:
    """Return a dequantized result as float16, saturated, if the step says so."""
    if step.out_dtype == "float32":
        return result
    highest = dtypes.HIGHEST["float16"]
    return builder.cast(_add_clip(builder, Step(kind="clip", low=-highest, high=highest), result), step.out_dtype)


# --- pads and structure -------------------------------------------------------------------------------


def _add_nested(builder: GraphBuilder, place: Place, data: Value, lengths: Lengths) -> Value:
    """Add a pad after the pad: a Pad, a Slice that crops, or a Concat with a constant."""
    step = place.step
    sides = {letter: (before, after) for letter, before, after in step.widths}
    widths = add_widths(sides, place.layout)
    if step.form in ("op", "call_tir") or not sides:
        return add_pad(builder, data, widths, lengths, mode="constant", value_of_border=step.value)
    if step.form == "concat":
        return _add_concat(builder, place, data, lengths)
    axes = [i for i, pair in enumerate(widths) if pair != (0, 0)]
    if not axes:
        return builder.add("Identity", [data], dtype=data.dtype, lengths=lengths)
    starts = [-widths[i][0] for i in axes]
    ends = [np.iinfo(np.int64).max if widths[i][1] == 0 else widths[i][1] for i in axes]
    operands = [builder.constant(np.array(each, np.int64)) for each in (starts, ends, axes)]
    return builder.add("Slice", [data, *operands], dtype=data.dtype, lengths=lengths)


def _add_concat(builder: GraphBuilder, place: Place, data: Value, lengths: Lengths) -> Value:
    [(letter, before, after)] = place.step.widths
    axis = place.layout.index(letter)

    def border(width: int) -> list[Value]:
        shape = [width if each == letter else place.dims[each] for each in place.layout]
        filled = np.full(shape, place.step.value).astype(np.dtype(data.dtype))
        return [builder.constant(filled)] if width else []

    operands = [*border(before), data, *border(after)]
    return builder.add("Concat", operands, dtype=data.dtype, lengths=lengths, axis=axis)


def _add_structural(builder: GraphBuilder, place: Place, data: Value, lengths: Lengths, layout: str) -> Value:
    """Add a Transpose, Unsqueeze, Squeeze or Reshape. A Reshape of unknown lengths is a Squeeze and an Unsqueeze."""
    source = place.layout
    if place.step.kind == "permute_dims":
        order = [source.index(letter) for letter in layout]
        return builder.add("Transpose", [data], dtype=data.dtype, lengths=lengths, perm=order)
    if place.step.kind == "reshape" and None not in lengths:
        target = builder.constant(np.array(lengths, np.int64))
        return builder.add("Reshape", [data, target], dtype=data.dtype, lengths=lengths)
    kept = [i for i, letter in enumerate(source) if letter in layout]
    removed = [i for i in range(len(source)) if i not in kept]
    inserted = [i for i, letter in enumerate(layout) if letter not in source]
    if removed:
        data = _add_axes(builder, "Squeeze", data, removed, tuple(data.lengths[i] for i in kept))
    return _add_axes(builder, "Unsqueeze", data, inserted, lengths) if inserted else data


def _add_axes(builder: GraphBuilder, kind: str, data: Value, axes: list[int], lengths: Lengths) -> Value:
    if builder.opset < 13:
        return builder.add(kind, [data], dtype=data.dtype, lengths=lengths, axes=axes)
    operand = builder.constant(np.array(axes, np.int64))
    return builder.add(kind, [data, operand], dtype=data.dtype, lengths=lengths)
