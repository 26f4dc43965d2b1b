"""One node of ONNX, said in the words of a Case and answered by the NumPy reference.

    answer(node, arrays) -> Reference

Only words are translated here, by the text of the ONNX operator specifications: pads (all befores, then all afters),
automatic padding, output shapes. What is computed is computed by ``foldproof.oracle.reference``.
"""

import math
from dataclasses import replace

import numpy as np
import onnx
from tests.support.relax import evaluate_pad, evaluate_steps, reference

from foldproof.case import Axis, Case, Pad, Step, dtypes, ops
from foldproof.oracle.error_bounds import exact_reference

MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}

HELD_IN = {"uint2": "uint8", "uint4": "uint8", "int2": "int8", "int4": "int8", "int16": "int32", "uint16": "int32"}
"""Integers that a Case has no dtype for, and one whose values include all of theirs: a number is the same in both."""

RANGES = {"uint2": (0, 3), "uint4": (0, 15), "int2": (-2, 1), "int4": (-8, 7)}


def attributes(node):
    """The attributes of a node by name, strings decoded."""
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def answer(node, arrays):
    """What the reference says a node makes of ``arrays``, its inputs in order."""
    return _ANSWERS[node.op_type](attributes(node), *arrays)


def op(family, rank):
    """The op of a family: conv -> conv2d."""
    [name] = [row.name for row in ops.OPS if row.family == family and row.rank == rank]
    return name


# --- geometry -----------------------------------------------------------------------------------------


def _axes(given, sizes, kernel):
    """The axes of a window op. ``auto_pad`` SAME makes ceil(size / stride) windows, padding no more than needed."""
    rank = len(sizes)
    strides, dilations = given.get("strides", [1] * rank), given.get("dilations", [1] * rank)
    pads = given.get("pads", [0] * 2 * rank)
    mode = given.get("auto_pad", "NOTSET")
    found = []
    for i, size in enumerate(sizes):
        before, after = pads[i], pads[i + rank]
        if mode.startswith("SAME"):
            extent = (kernel[i] - 1) * dilations[i] + 1
            total = max(0, (math.ceil(size / strides[i]) - 1) * strides[i] + extent - size)
            before, after = _halves(total, upper=mode == "SAME_UPPER")
        padding = (before, after)
        found.append(Axis(size=size, kernel=kernel[i], stride=strides[i], dilation=dilations[i], padding=padding))
    return tuple(found)


def _halves(total, *, upper):
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


def _transposed_axes(given, sizes, kernel):
    """``output_shape`` and SAME (size * stride) say how long the result is: cropped, or added to after."""
    axes = []
    wanted = given.get("output_shape")
    mode = given.get("auto_pad", "NOTSET")
    for i, axis in enumerate(_axes(given | {"auto_pad": "NOTSET"}, sizes, kernel)):
        added = given.get("output_padding", [0] * len(sizes))[i]
        if wanted is not None or mode.startswith("SAME"):
            length = axis.size * axis.stride if wanted is None else wanted[i]
            whole = (axis.size - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1 + added
            added += max(0, length - whole)
            axis = replace(axis, padding=_halves(max(0, whole - length), upper=mode == "SAME_UPPER"))
        axes.append(replace(axis, output_padding=added))
    return tuple(axes)


# --- convolutions -------------------------------------------------------------------------------------


def _conv(given, x, w, bias=None):
    axes = _axes(given, x.shape[2:], w.shape[2:])
    case = _of(x, "conv", axes, filters=w.shape[0], groups=given.get("group", 1))
    return _biased(case, reference(case, {"x": x, "w": w}), bias)


def _conv_transpose(given, x, w, bias=None):
    axes, groups = _transposed_axes(given, x.shape[2:], w.shape[2:]), given.get("group", 1)
    case = _of(x, "conv_transpose", axes, filters=w.shape[1] * groups, groups=groups)
    return _biased(case, reference(case, {"x": x, "w": w}), bias)


def _biased(case, result, bias):
    """The result plus a bias, which is one more term: first or last, the error is at most 2 * gamma_(n+1) * (S + |b|).

    That of the sum alone is 2 * gamma_n * S, and gamma_(n+1) <= 2 * gamma_n.
    """
    if bias is None:
        return result
    assert (result.bound > 0).all(), "an exact sum tells nothing of the error of its sum with a bias"
    terms, u = case.macs // math.prod(case.result_dims.values()) + 1, 2.0 ** -dtypes.PRECISION[case.result_dtype]
    bias = bias.reshape(1, -1, *[1] * len(case.axes)).astype(np.float64)
    value = (result.value + bias).astype(result.value.dtype)
    return replace(result, value=value, bound=2 * result.bound + 2 * terms * u / (1 - terms * u) * np.abs(bias))


_ZERO = np.zeros(1, np.int64)


def _conv_integer(given, x, w, x_zero=_ZERO, w_zero=_ZERO):
    """(x - x_zero) with (w - w_zero) in int32: what is padded is 0 after the subtraction."""
    steps = (Step(kind="astype", out_dtype="int32"), Step(kind="subtract", operand=(float(x_zero.item()),)))
    weight = w.astype(np.int32) - w_zero.astype(np.int32).reshape(-1, *[1] * (w.ndim - 1))
    axes, groups = _axes(given, x.shape[2:], w.shape[2:]), given.get("group", 1)
    case = _of(x, "conv", axes, filters=len(w), groups=groups, steps=steps, weight_dtype="int32")
    return reference(case, {"x": x, "w": weight})


def _qlinear_conv(given, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero):
    """ConvInteger, then a dequantize with the product of both scales and a quantize."""
    whole = _conv_integer(given, x, w, x_zero, w_zero).value
    scales = (x_scale * w_scale).astype(np.float64)
    steps = (
        Step(scale=tuple(np.ravel(scales).tolist()), zero_point_dtype="int32"),
        _quantization("quantize", y_scale, y_zero, "C", y_zero.dtype.name),
    )
    return exact_reference(_through(whole, steps))


# --- pools and pads -----------------------------------------------------------------------------------


def _of(x, family, axes, **fields):
    return Case(
        op=op(family, len(axes)), axes=axes, dtype=x.dtype.name, batch=x.shape[0], channels=x.shape[1], **fields
    )


def _max_pool(given, x):
    axes = _axes(given, x.shape[2:], given["kernel_shape"])
    return reference(_of(x, "max_pool", axes, ceil_mode=bool(given.get("ceil_mode", 0))), {"x": x})


def _avg_pool(given, x):
    axes = _axes(given, x.shape[2:], given["kernel_shape"])
    flags = {name: bool(given.get(name, 0)) for name in ("ceil_mode", "count_include_pad")}
    return reference(_of(x, "avg_pool", axes, **flags), {"x": x})


def _pad(given, x, pads=None, value=None, axes=None):
    """A pad of N, C and spatial axes; before opset 11 its widths and value were attributes."""
    pads = given["pads"] if pads is None else pads.tolist()
    value = given.get("value", 0.0) if value is None else value.item()
    widths = dict.fromkeys(range(x.ndim), (0, 0))
    for i, axis in enumerate(range(x.ndim) if axes is None else axes.tolist()):
        widths[axis % x.ndim] = (pads[i], pads[i + len(pads) // 2])
    pad = Pad(mode=MODES[given.get("mode", "constant")], value=float(value), batch=widths[0], channel=widths[1])
    spatial = tuple(Axis(size=size, pad=widths[i]) for i, size in enumerate(x.shape[2:], start=2))
    return exact_reference(evaluate_pad(_of(x, "max_pool", spatial, pad=pad), {"x": x}))


# --- quantization -------------------------------------------------------------------------------------


def _quantization(kind, scale, zero, letter, out_dtype):
    names = {"zero_point_dtype": HELD_IN.get(zero.dtype.name, zero.dtype.name), "axis": letter, "out_dtype": out_dtype}
    scales, zeros = (tuple(np.ravel(part).tolist()) for part in (scale, zero))
    return Step(kind=kind, scale=scales, zero_point=tuple(int(z) for z in zeros), **names)


def _through(x, steps):
    """What steps make of an array of two axes or more, N and C first."""
    axes = tuple(Axis(size=size) for size in x.shape[2:])
    return evaluate_steps(_of(x, "max_pool", axes, steps=steps), {"x": x})[-1].value


def _in_five(x, axis):
    """x with unit axes before it and after, so that it is an N, C, D, H, W; and the letter of one of its axes."""
    return x.reshape(*x.shape, *[1] * (5 - x.ndim)), "NCDHW"[axis % x.ndim]


def _quantize(given, x, scale, zero):
    """Into 2 and 4 bits: into 8, then clip, which cuts what is left to cut."""
    whole, letter = _in_five(x, given.get("axis", 1) if scale.size > 1 else 0)
    name = zero.dtype.name
    steps = (_quantization("quantize", scale, zero, letter, HELD_IN.get(name, name)),)
    if name in RANGES:
        low, high = RANGES[name]
        steps += (Step(kind="clip", low=low, high=high),)
    return exact_reference(_through(whole, steps).reshape(x.shape).astype(zero.dtype))


def _dequantize(given, x, scale, zero):
    whole, letter = _in_five(x, given.get("axis", 1) if scale.size > 1 else 0)
    held = whole.astype(np.dtype(HELD_IN.get(x.dtype.name, x.dtype.name)))
    return exact_reference(
        _through(held, (_quantization("dequantize", scale, zero, letter, "float32"),)).reshape(x.shape)
    )


_ANSWERS = {
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

OPS = tuple(_ANSWERS)
