"""Evaluate an ONNX node with the NumPy reference, by translating it to a Case.

    evaluate_node(node, arrays) -> the result of the reference

Only attributes are translated here, following the ONNX operator specifications: pads (all befores, then all afters),
automatic padding, output shapes. All values are computed by ``foldproof.oracle.reference``.
"""

import math
from dataclasses import replace

import numpy as np
import onnx
from tests.support.relax import evaluate_pad, evaluate_steps, reference

from foldproof.case import Axis, Case, Pad, Step, dtypes, ops
from foldproof.oracle.error_bounds import exact_reference

MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}

WIDER = {"uint2": "uint8", "uint4": "uint8", "int2": "int8", "int4": "int8", "int16": "int32", "uint16": "int32"}
"""Integer dtypes that a Case does not have -> one that has all of their values."""

RANGES = {"uint2": (0, 3), "uint4": (0, 15), "int2": (-2, 1), "int4": (-8, 7)}


def attributes(node):
    """Return the attributes of a node by name, with decoded strings."""
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def evaluate_node(node, arrays):
    """Return the reference result of a node for ``arrays``, its inputs in order."""
    return _EVALUATORS[node.op_type](attributes(node), *arrays)


def op_name(family, rank):
    """Return the op of a family and rank: conv, 2 -> conv2d."""
    [name] = [row.name for row in ops.OPS if row.family == family and row.rank == rank]
    return name


# --- geometry -----------------------------------------------------------------------------------------


def _axes(attrs, sizes, kernel):
    """Return the axes of a window op. ``auto_pad`` SAME makes ceil(size / stride) windows, with least padding."""
    rank = len(sizes)
    strides, dilations = attrs.get("strides", [1] * rank), attrs.get("dilations", [1] * rank)
    pads = attrs.get("pads", [0] * 2 * rank)
    mode = attrs.get("auto_pad", "NOTSET")
    found = []
    for i, size in enumerate(sizes):
        before, after = pads[i], pads[i + rank]
        if mode.startswith("SAME"):
            extent = (kernel[i] - 1) * dilations[i] + 1
            total = max(0, (math.ceil(size / strides[i]) - 1) * strides[i] + extent - size)
            before, after = _split(total, upper=mode == "SAME_UPPER")
        padding = (before, after)
        found.append(Axis(size=size, kernel=kernel[i], stride=strides[i], dilation=dilations[i], padding=padding))
    return tuple(found)


def _split(total, *, upper):
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


def _transposed_axes(attrs, sizes, kernel):
    """Return the axes of a transposed convolution.

    ``output_shape`` and SAME (size * stride) give the length of the result. It is cropped, or extended at the end.
    """
    axes = []
    wanted = attrs.get("output_shape")
    mode = attrs.get("auto_pad", "NOTSET")
    for i, axis in enumerate(_axes(attrs | {"auto_pad": "NOTSET"}, sizes, kernel)):
        added = attrs.get("output_padding", [0] * len(sizes))[i]
        if wanted is not None or mode.startswith("SAME"):
            length = axis.size * axis.stride if wanted is None else wanted[i]
            whole = (axis.size - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1 + added
            added += max(0, length - whole)
            axis = replace(axis, padding=_split(max(0, whole - length), upper=mode == "SAME_UPPER"))
        axes.append(replace(axis, output_padding=added))
    return tuple(axes)


# --- convolutions -------------------------------------------------------------------------------------


def _conv(attrs, x, w, bias=None):
    axes = _axes(attrs, x.shape[2:], w.shape[2:])
    case = _case_of(x, "conv", axes, filters=w.shape[0], groups=attrs.get("group", 1))
    return _add_bias(case, reference(case, {"x": x, "w": w}), bias)


def _conv_transpose(attrs, x, w, bias=None):
    axes, groups = _transposed_axes(attrs, x.shape[2:], w.shape[2:]), attrs.get("group", 1)
    case = _case_of(x, "conv_transpose", axes, filters=w.shape[1] * groups, groups=groups)
    return _add_bias(case, reference(case, {"x": x, "w": w}), bias)


def _add_bias(case, result, bias):
    """Return the result plus a bias, which is one more term of the sum.

    Whether it is added first or last, the error is at most 2 * gamma_(n+1) * (S + |b|). The error of the sum alone is
    2 * gamma_n * S, and gamma_(n+1) <= 2 * gamma_n.
    """
    if bias is None:
        return result
    assert (result.bound > 0).all(), "the bound of a sum with a bias needs the bound of an inexact sum"
    terms, u = case.macs // math.prod(case.result_dims.values()) + 1, 2.0 ** -dtypes.PRECISION[case.result_dtype]
    bias = bias.reshape(1, -1, *[1] * len(case.axes)).astype(np.float64)
    value = (result.value + bias).astype(result.value.dtype)
    return replace(result, value=value, bound=2 * result.bound + 2 * terms * u / (1 - terms * u) * np.abs(bias))


_ZERO = np.zeros(1, np.int64)


def _conv_integer(attrs, x, w, x_zero=_ZERO, w_zero=_ZERO):
    """Convolve (x - x_zero) with (w - w_zero) in int32. The padding is 0 after the subtraction."""
    steps = (Step(kind="astype", out_dtype="int32"), Step(kind="subtract", operand=(float(x_zero.item()),)))
    weight = w.astype(np.int32) - w_zero.astype(np.int32).reshape(-1, *[1] * (w.ndim - 1))
    axes, groups = _axes(attrs, x.shape[2:], w.shape[2:]), attrs.get("group", 1)
    case = _case_of(x, "conv", axes, filters=len(w), groups=groups, steps=steps, weight_dtype="int32")
    return reference(case, {"x": x, "w": weight})


def _qlinear_conv(attrs, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero):
    """Evaluate a ConvInteger, a dequantize with the product of both scales, and a quantize."""
    whole = _conv_integer(attrs, x, w, x_zero, w_zero).value
    scales = (x_scale * w_scale).astype(np.float64)
    steps = (
        Step(scale=tuple(np.ravel(scales).tolist()), zero_point_dtype="int32"),
        _quantization("quantize", y_scale, y_zero, "C", y_zero.dtype.name),
    )
    return exact_reference(_apply_steps(whole, steps))


# --- pools and pads -----------------------------------------------------------------------------------


def _case_of(x, family, axes, **fields):
    return Case(
        op=op_name(family, len(axes)),
        axes=axes,
        dtype=x.dtype.name,
        batch=x.shape[0],
        channels=x.shape[1],
        **fields,
    )


def _max_pool(attrs, x):
    axes = _axes(attrs, x.shape[2:], attrs["kernel_shape"])
    return reference(_case_of(x, "max_pool", axes, ceil_mode=bool(attrs.get("ceil_mode", 0))), {"x": x})


def _avg_pool(attrs, x):
    axes = _axes(attrs, x.shape[2:], attrs["kernel_shape"])
    flags = {name: bool(attrs.get(name, 0)) for name in ("ceil_mode", "count_include_pad")}
    return reference(_case_of(x, "avg_pool", axes, **flags), {"x": x})


def _pad(attrs, x, pads=None, value=None, axes=None):
    """Evaluate a pad of N, C and spatial axes. Before opset 11, its widths and value were attributes."""
    pads = attrs["pads"] if pads is None else pads.tolist()
    value = attrs.get("value", 0.0) if value is None else value.item()
    widths = dict.fromkeys(range(x.ndim), (0, 0))
    for i, axis in enumerate(range(x.ndim) if axes is None else axes.tolist()):
        widths[axis % x.ndim] = (pads[i], pads[i + len(pads) // 2])
    pad = Pad(mode=MODES[attrs.get("mode", "constant")], value=float(value), batch=widths[0], channel=widths[1])
    spatial = tuple(Axis(size=size, pad=widths[i]) for i, size in enumerate(x.shape[2:], start=2))
    return exact_reference(evaluate_pad(_case_of(x, "max_pool", spatial, pad=pad), {"x": x}))


# --- quantization -------------------------------------------------------------------------------------


def _quantization(kind, scale, zero, letter, out_dtype):
    names = {"zero_point_dtype": WIDER.get(zero.dtype.name, zero.dtype.name), "axis": letter, "out_dtype": out_dtype}
    scales, zeros = (tuple(np.ravel(part).tolist()) for part in (scale, zero))
    return Step(kind=kind, scale=scales, zero_point=tuple(int(z) for z in zeros), **names)


def _apply_steps(x, steps):
    """Apply steps to an array of at least two axes, N and C first."""
    axes = tuple(Axis(size=size) for size in x.shape[2:])
    return evaluate_steps(_case_of(x, "max_pool", axes, steps=steps), {"x": x})[-1].value


def _to_five_axes(x, axis):
    """Return x with unit axes after it, as N, C, D, H, W, and the letter of ``axis``."""
    return x.reshape(*x.shape, *[1] * (5 - x.ndim)), "NCDHW"[axis % x.ndim]


def _quantize(attrs, x, scale, zero):
    """Quantize. For 2 and 4 bits, quantize to 8 bits, then clip."""
    whole, letter = _to_five_axes(x, attrs.get("axis", 1) if scale.size > 1 else 0)
    name = zero.dtype.name
    steps = (_quantization("quantize", scale, zero, letter, WIDER.get(name, name)),)
    if name in RANGES:
        low, high = RANGES[name]
        steps += (Step(kind="clip", low=low, high=high),)
    return exact_reference(_apply_steps(whole, steps).reshape(x.shape).astype(zero.dtype))


def _dequantize(attrs, x, scale, zero):
    whole, letter = _to_five_axes(x, attrs.get("axis", 1) if scale.size > 1 else 0)
    held = whole.astype(np.dtype(WIDER.get(x.dtype.name, x.dtype.name)))
    return exact_reference(
        _apply_steps(held, (_quantization("dequantize", scale, zero, letter, "float32"),)).reshape(x.shape)
    )


_EVALUATORS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "ConvInteger": _conv_integer,
    "QLinearConv": _qlinear_conv,
    "MaxPool": _max_pool,
    "AveragePool": _avg_pool,
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}

OPS = tuple(_EVALUATORS)
