"""Nodes of the consumer: Conv, ConvTranspose, MaxPool, AveragePool, ConvInteger or QLinearConv, with Transposes around.

lowering        dequantize(x) * w                       written as
""              DequantizeLinear -> Conv                 floats
"qdq"           DequantizeLinear -> Conv -> Q -> DQ      weight and result quantized
"conv_integer"  ConvInteger(x, w, zero points) -> Cast -> Mul
"qlinear"       QLinearConv -> DequantizeLinear          result quantized
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, dtypes
from foldproof.case.spelling import lowered_step, lowering_of, same_padding
from foldproof.ir.onnx.graph_builder import GraphBuilder, Lengths, Unsupported, Value
from foldproof.ir.onnx.quantization import add_dequantize, add_quantized_result, quantize_weight

Array = npt.NDArray[Any]

_8_BITS = ("int8", "uint8")


def add_consumer(builder: GraphBuilder, case: Case, data: Value, weight: Value | Array | None) -> Value:
    """Add the consumer of a case, and return its result in the layout of the case.

    Args:
        builder: the graph.
        case: the case.
        data: its data operand, in the layout of the case. For an integer convolution, before the dequantize.
        weight: its weight; the array of it for an integer convolution; None for a pool.
    """
    data = _add_transpose(builder, data, case.operand_layout, case.spec.data_layout)
    lowering = lowering_of(case, builder.form)
    if isinstance(weight, np.ndarray):
        result = _add_integer_conv(builder, case, data, weight, lowering)
    else:
        if weight is not None:
            weight = _add_transpose(builder, weight, case.weight_layout, case.spec.kernel_layout)
        result = _add_op(builder, case, data, weight)
        if lowering == "qdq":
            result = add_quantized_result(builder, result)
    return _add_transpose(builder, result, case.spec.data_layout, case.operand_layout)


def _add_transpose(builder: GraphBuilder, value: Value, layout: str, wanted: str) -> Value:
    if layout == wanted:
        return value
    order = [layout.index(letter) for letter in wanted]
    lengths = tuple(value.lengths[i] for i in order)
    return builder.add("Transpose", [value], dtype=value.dtype, lengths=lengths, perm=order)


def _result_lengths(case: Case) -> Lengths:
    return tuple(None if x in case.symbolic else case.result_dims[x] for x in case.spec.data_layout)


def _add_op(builder: GraphBuilder, case: Case, data: Value, weight: Value | None) -> Value:
    spec, dtype, lengths = case.spec, case.result_dtype, _result_lengths(case)
    attributes = _attributes(builder, case)
    if weight is None:
        kind = "MaxPool" if spec.family == "max_pool" else "AveragePool"
        return builder.add(kind, [data], dtype=dtype, lengths=lengths, **attributes)
    if dtype in dtypes.INTEGERS:
        if spec.transposed or data.dtype not in _8_BITS or weight.dtype not in _8_BITS:
            raise Unsupported(f"ONNX has no {spec.name} of {data.dtype} that returns {dtype}")
        result = builder.add("ConvInteger", [data, weight], dtype="int32", lengths=lengths, **attributes)
        return builder.cast(result, dtype)
    operands = [builder.cast(data, dtype), builder.cast(weight, dtype)]
    if builder.form.bias:
        filters = case.weight_dims["O"] * (case.groups if spec.transposed else 1)
        operands.append(builder.constant(np.zeros(filters, np.dtype(dtype))))
    kind = "ConvTranspose" if spec.transposed else "Conv"
    return builder.add(kind, operands, dtype=dtype, lengths=lengths, **attributes)


def _add_integer_conv(builder: GraphBuilder, case: Case, data: Value, weight: Array, lowering: str) -> Value:
    """Add a ConvInteger or a QLinearConv in place of the dequantize before a convolution, and of the convolution."""
    form, place, lengths = builder.form, lowered_step(case), _result_lengths(case)
    order = [case.weight_layout.index(letter) for letter in case.spec.kernel_layout]
    quantized = quantize_weight(
        form if lowering == "qlinear" else replace(form, weight_per_channel=False), weight.transpose(order), 0
    )
    if quantized is None or place is None:
        raise Unsupported(f"int8 does not have all values of the weight of {case.spec.name}")
    kernel = builder.constant(quantized.integers, form.weight, "w")
    scale, zero_point = np.float32(place.step.scale[0]), np.array(place.step.zero_point[0], data.dtype)
    data_zero, kernel_zero = builder.constant(zero_point), builder.constant(quantized.zero_point)
    attributes = _attributes(builder, case)
    if lowering == "conv_integer":
        operands = [data, kernel, data_zero, kernel_zero]
        sums = builder.add("ConvInteger", operands, dtype="int32", lengths=lengths, **attributes)
        factor = builder.constant(scale * quantized.scale)
        return builder.add("Mul", [builder.cast(sums, "float32"), factor], dtype="float32", lengths=lengths)
    out_scale, out_zero = np.float32(form.out_scale), np.array(form.out_zero_point, form.out_dtype)
    operands = [
        *(data, builder.constant(scale), data_zero),
        *(kernel, builder.constant(quantized.scale), kernel_zero),
        *(builder.constant(out_scale), builder.constant(out_zero)),
    ]
    result = builder.add("QLinearConv", operands, dtype=form.out_dtype, lengths=lengths, **attributes)
    return add_dequantize(builder, result, np.asarray(out_scale), out_zero, 0)


# --- attributes ---------------------------------------------------------------------------------------

_DEFAULTS: dict[str, int] = {
    "strides": 1,
    "dilations": 1,
    "pads": 0,
    "output_padding": 0,
    "ceil_mode": 0,
    "count_include_pad": 0,
    "group": 1,
}


def _attributes(builder: GraphBuilder, case: Case) -> dict[str, Any]:
    """Return the attributes of the consumer, as the form spells them."""
    spec, axes, form = case.spec, case.axes, builder.form
    kernel = [case.weight_dims[x] for x in spec.spatial] if spec.weighted else [axis.kernel for axis in axes]
    written: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": [axis.stride for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "pads": [axis.padding[0] for axis in axes] + [axis.padding[1] for axis in axes],
    }
    if spec.pools:
        written["ceil_mode"] = int(case.ceil_mode)
        if case.ceil_mode and _drops_window(case):
            builder.require(_DROPS_WINDOWS)
    if spec.family == "avg_pool":
        written["count_include_pad"] = int(case.count_include_pad)
        if any(axis.dilation > 1 for axis in axes):
            builder.require(19)
        if builder.opset < 19:
            del written["dilations"]
    if spec.weighted:
        written["group"] = case.groups
        if not form.kernel_shape:
            del written["kernel_shape"]
    if spec.transposed:
        written["output_padding"] = [axis.output_padding for axis in axes]
    _set_auto_pad(form.auto_pad, case, written)
    if not form.defaults:
        written = {name: given for name, given in written.items() if not _is_default(name, given)}
    return written


_DROPS_WINDOWS = 22
"""The first opset that says "sliding windows that would start in the right padded region are ignored"."""


def _drops_window(case: Case) -> bool:
    """Whether the last window of some axis would start in the padding, so that it is ignored."""
    for letter, axis in case.lettered_axes:
        span = case.operand_dims[letter] + sum(axis.padding) - case.window_extent(axis)
        if -(-span // axis.stride) + 1 != case.result_dims[letter]:
            return True
    return False


def _is_default(name: str, given: Any) -> bool:
    numbers = given if isinstance(given, list) else [given]
    return name in _DEFAULTS and all(number == _DEFAULTS[name] for number in numbers)


def _set_auto_pad(spelling: str, case: Case, written: dict[str, Any]) -> None:
    """Write ``auto_pad`` in place of ``pads`` where it means the padding of the case."""
    if spelling == "NOTSET":
        written["auto_pad"] = spelling
        return
    paddings = tuple(axis.padding for axis in case.axes)
    if spelling in ("SAME_UPPER", "SAME_LOWER"):
        # ONNX Runtime refuses SAME with a dilation in a convolution, and ignores the dilation in a pool.
        plain = not case.spec.transposed and not case.ceil_mode and all(axis.dilation == 1 for axis in case.axes)
        means = plain and paddings == same_padding(case, spelling)
    else:
        means = spelling == "VALID" and not case.ceil_mode and not any(map(any, paddings))
    if means:
        del written["pads"]
        written["auto_pad"] = spelling
