"""Execute a Case with ONNX Runtime: an independent implementation of the same ops.

    unsupported(case) -> reason | None       execute(case, arrays) -> the result, in the layout and dtype of the case

The model is the unfolded graph, node for node. Graph optimisations of ONNX Runtime are off, so that a Pad stays a Pad.
Layouts become Transpose nodes. ``unsupported`` returns the reason where ONNX or ONNX Runtime has no such op.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from foldproof.case import dtypes
from foldproof.case.parameters import constants
from foldproof.case.step import BINARY

OPSET, IR = 22, 10

PAD_DTYPE = "ONNX Runtime has no Pad of this dtype"
CONV_DTYPE = "ONNX Runtime has Conv for float32 and float16 only, and ConvInteger from 8 bits to int32"
POOL_DTYPE = "ONNX Runtime has no pool of this dtype"
WIDE_PADDING = "ONNX Runtime rejects a pool whose padding is as wide as its kernel"
NEGATIVE = "ONNX has no negative padding"
STRIDE = "the models of this module read all of x"
STEP = "ONNX has no such step, or ONNX Runtime not for this dtype"
ZERO_POINT = "in ONNX, a zero point has the dtype of the quantized data"
FLOAT16_STEP = "ONNX Runtime computes float16 steps in float32, and rounds once for several steps"

REASONS = (PAD_DTYPE, CONV_DTYPE, POOL_DTYPE, WIDE_PADDING, NEGATIVE, STRIDE, STEP, ZERO_POINT, FLOAT16_STEP)

_STEPS = {
    "relu": "Relu",
    "negative": "Neg",
    "round": "Round",
    "abs": "Abs",
    "floor": "Floor",
    "ceil": "Ceil",
    "sign": "Sign",
    "sqrt": "Sqrt",
    "leakyrelu": "LeakyRelu",
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
}
_UNSUPPORTED = {
    "trunc": dtypes.DTYPES,
    **dict.fromkeys(("hardswish", "softsign"), dtypes.FLOATS),  # it multiplies by 1/6, and approximates
    **dict.fromkeys(("round", "floor", "ceil"), dtypes.INTEGERS),
    "relu": ("uint8", "int64"),
    "leakyrelu": ("float64",),
}
"""Kind of step -> dtypes for which ONNX or ONNX Runtime does not have it."""

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_PAD_DTYPES = ("float32", "float64", "float16", "int8", "uint8", "int32", "int64")
_8_BITS = ("int8", "uint8")


def unsupported(case):
    """Return why ONNX Runtime cannot execute a case; None if it can."""
    found = [_unsupported_op(case), *(unsupported_step(place) for place in (*case.producer_places, *case.step_places))]
    return next((reason for reason in found if reason is not None), None)


def _unsupported_op(case):
    if case.input_stride > 1:
        return STRIDE
    if case.pad_dtype not in _PAD_DTYPES:
        return PAD_DTYPE
    if any(min(axis.padding) < 0 for axis in case.axes):
        return NEGATIVE
    if case.spec.pools:
        if any(max(axis.padding) >= axis.kernel for axis in case.axes):
            return WIDE_PADDING
        takes = ("float32", "float16", *(("float64", *_8_BITS) if case.spec.family == "max_pool" else ()))
        return None if case.operand_dtype in takes else POOL_DTYPE
    if case.result_dtype in dtypes.FLOATS:
        return None if case.result_dtype in ("float32", "float16") else CONV_DTYPE
    small = case.operand_dtype in _8_BITS and case.kernel_dtype in _8_BITS and case.spec.family == "conv"
    narrow = case.result_dtype in (case.operand_dtype, case.kernel_dtype) and case.operand_dtype != case.kernel_dtype
    return None if small and not narrow else CONV_DTYPE


def unsupported_step(place):
    """Return why ONNX Runtime cannot execute a step in its place; None if it can."""
    step, dtype = place.step, place.dtype
    if step.source:
        return None
    if step.kind in ("dequantize", "quantize"):
        reads = dtype if step.kind == "dequantize" else step.out_dtype
        low, high = dtypes.int_range(reads)
        return None if all(low <= zero <= high for zero in step.zero_point) else ZERO_POINT
    if step.kind == "pad":
        return None if dtype in _PAD_DTYPES else PAD_DTYPE
    if not {dtype, step.result_dtype(dtype)} <= {*_PAD_DTYPES, "int16"} or dtype in _UNSUPPORTED.get(step.kind, ()):
        return STEP
    return FLOAT16_STEP if dtype == "float16" and step.kind != "astype" else None


# --- the model ----------------------------------------------------------------------------------------


class _Graph:
    """Nodes and constants of a model, named by their numbers."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, kind, *names, **given):
        out = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(names), [out], **given))
        return out

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def cast(self, name, dtype):
        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def transpose(self, name, order, wanted):
        return self.add("Transpose", name, perm=[order.index(letter) for letter in wanted])

    def pad(self, name, order, widths, *, mode, value, dtype):
        sides = [widths.get(letter, (0, 0)) for letter in order]
        pads = self.constant(np.array([b for b, _ in sides] + [a for _, a in sides], np.int64))
        if mode in _MODES:
            return self.add("Pad", name, pads, mode=_MODES[mode])
        with np.errstate(all="ignore"):
            kept = np.array(int(value) if dtype in dtypes.INTEGERS else value).astype(np.dtype(dtype))
        return self.add("Pad", name, pads, self.constant(kept))


def _operands(graph, case, arrays):
    """Add the unfolded graph up to the consumer; return the names of data and weight, in the layouts of the case."""
    name = "x"
    for place in case.producer_places:
        name = _step(graph, place, name, arrays)
    weight = graph.constant(arrays["w"]) if "w" in arrays else None
    border = {"mode": case.pad.mode, "value": case.pad.value, "dtype": case.pad_dtype}
    if case.pads_weight:
        weight = graph.pad(weight, case.weight_layout, case.pad_widths, **border)
    else:
        name = graph.pad(name, case.input_layout, case.pad_widths, **border)
    for place, order, dims in zip(case.step_places, case.step_layouts[1:], case.step_dims[1:], strict=True):
        if place.step.kind == "permute_dims":
            name = graph.transpose(name, place.layout, order)
        elif place.step.source:
            name = graph.add("Reshape", name, graph.constant(np.array([dims[letter] for letter in order], np.int64)))
        else:
            name = _step(graph, place, name, arrays)
    return name, weight


def _result(graph, case, name, weight):
    name = graph.transpose(name, case.operand_layout, case.spec.data_layout)
    if weight is not None:
        weight = graph.transpose(weight, case.weight_layout, case.spec.kernel_layout)
    return graph.transpose(_consumer(graph, case, name, weight), case.spec.data_layout, case.operand_layout)


def _step(graph, place, name, arrays):
    step, parameters = place.step, constants(place)
    if not step.constant:
        parameters = {key: arrays[place.parameter(key)] for key in parameters}
    if step.kind == "pad":
        widths = {letter: (before, after) for letter, before, after in step.widths}
        return graph.pad(name, place.layout, widths, mode="constant", value=step.value, dtype=place.dtype)
    if step.kind == "astype":
        return graph.cast(name, step.out_dtype)
    if step.kind in ("dequantize", "quantize"):
        reads = place.dtype if step.kind == "dequantize" else step.out_dtype
        scale, zero = parameters["scale"], parameters["zero_point"].astype(reads)
        if scale.shape != zero.shape:
            scale, zero = np.broadcast_arrays(scale, zero)
        names = (graph.constant(scale), graph.constant(zero))
        if step.kind == "quantize":
            return graph.add("QuantizeLinear", graph.cast(name, "float32"), *names, axis=place.layout.index(step.axis))
        name = graph.add("DequantizeLinear", name, *names, axis=place.layout.index(step.axis))
        if step.out_dtype == "float16":  # TVM clips to the range of float16
            name = _clip(graph, name, -65504.0, 65504.0, "float32")
        return graph.cast(name, step.out_dtype)
    if step.kind == "clip":
        return _clip(graph, name, step.low, step.high, place.dtype)
    if step.kind == "square":
        return graph.add("Mul", name, name)
    if step.kind == "hardshrink":
        half, zero = (graph.constant(np.array(number, np.dtype(place.dtype))) for number in (0.5, 0.0))
        return graph.add("Where", graph.add("Greater", graph.add("Abs", name), half), name, zero)
    if step.kind in BINARY:
        operands = (name, graph.constant(parameters["operand"]))
        return graph.add(_STEPS[step.kind], *(reversed(operands) if step.swapped else operands))
    return graph.add(_STEPS[step.kind], name, **({"alpha": step.alpha} if step.kind == "leakyrelu" else {}))


def _clip(graph, name, low, high, dtype):
    return graph.add("Clip", name, *(graph.constant(np.array(end, np.dtype(dtype))) for end in (low, high)))


def _consumer(graph, case, name, weight):
    axes = case.axes
    given = {
        "strides": [axis.stride for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "pads": [axis.padding[0] for axis in axes] + [axis.padding[1] for axis in axes],
    }
    if case.spec.pools:
        given |= {"kernel_shape": [axis.kernel for axis in axes], "ceil_mode": int(case.ceil_mode)}
        if case.spec.family == "max_pool":
            return graph.add("MaxPool", name, **given)
        return graph.add("AveragePool", name, count_include_pad=int(case.count_include_pad), **given)
    given["group"] = case.groups
    if case.result_dtype in dtypes.INTEGERS:
        return graph.add("ConvInteger", name, weight, **given)
    name, weight = (graph.cast(operand, case.result_dtype) for operand in (name, weight))
    if not case.spec.transposed:
        return graph.add("Conv", name, weight, **given)
    return graph.add("ConvTranspose", name, weight, output_padding=[axis.output_padding for axis in axes], **given)


# --- execution ----------------------------------------------------------------------------------------


def _options():
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised anyway
    # Without VNNI, sums of two products of 8 bits would saturate at 16 bits.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _run(graph, name, x):
    given = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    made = helper.make_graph(graph.nodes, "case", [given], [helper.make_empty_tensor_value_info(name)], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    session = onnxruntime.InferenceSession(model.SerializeToString(), _options(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def execute(case, arrays):
    """Return the result of ONNX Runtime. It sums int8 products in int32; a case may ask for the low bits only."""
    graph = _Graph()
    result = _run(graph, _result(graph, case, *_operands(graph, case, arrays)), arrays["x"])
    return result.astype(np.dtype(case.result_dtype)) if case.result_dtype in dtypes.INTEGERS else result


def execute_steps(case, arrays):
    """Return the consumer's data operand as ONNX Runtime computes it."""
    graph = _Graph()
    return _run(graph, _operands(graph, case, arrays)[0], arrays["x"])
