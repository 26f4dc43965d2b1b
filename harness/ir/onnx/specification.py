"""Sentences of the ONNX specification that a case rests on, for bug reports.

Source: the operator documentation of onnx 1.23, which ``onnx.defs.get_schema`` returns.
"""

from foldproof.case import Case
from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase

SENTENCES = {
    "constant": "Pad-18, `constant`: pads with a given constant value as specified by `constant_value` (which defaults "
    "to 0, empty string, or False)",
    "reflect": "Pad-18, `reflect`: pads with the reflection of the vector mirrored on the first and last values of the "
    "vector along each axis",
    "replicate": "Pad-18, `edge`: pads with the edge values of array",
    "circular": "Pad-19, `wrap`: wrap-around padding as if the data tensor forms a torus",
    "axes": "Pad-18, `axes`: 1-D tensor of axes that `pads` apply to. Negative value means counting dimensions from "
    "the back.",
    "conv": "Conv, `pads`: Padding for the beginning and ending along each spatial axis. (It adds zeros.)",
    "conv_transpose": "ConvTranspose: output_shape[i] = stride[i] * (input_size[i] - 1) + output_padding[i] + "
    "((kernel_shape[i] - 1) * dilations[i] + 1) - pads[start_i] - pads[end_i]",
    "max_pool": "MaxPool-22: The output of each pooling window is maximum number of elements exclude pad.",
    "avg_pool": "AveragePool-22: The output of each pooling window is divided by the number of elements (exclude pad "
    "when attribute count_include_pad is zero).",
    "dequantize": "DequantizeLinear: The dequantization formula is `y = (x - x_zero_point) * x_scale`.",
    "quantize": "QuantizeLinear: The quantization formula is `y = saturate((x / y_scale) + y_zero_point)`.",
    "conv_integer": "ConvInteger: consumes an input tensor, its zero-point, a filter, and its zero-point, and computes "
    "the output. (A border of padding is the zero point.)",
    "qlinear": "QLinearConv: consumes a quantized input tensor, its scale and zero point, a quantized filter, its "
    "scale and zero point, and output's scale and zero point, and computes the quantized output.",
}
"""Name of a part of a case -> what the specification says of it."""


def quote(case: AnyCase) -> tuple[str, ...]:
    """Return the sentences of the specification that the expected values of a case rest on."""
    if isinstance(case, Graph):
        return ()
    plain: Case = case.case if isinstance(case, OnnxCase) else case
    mode = plain.pad.mode if plain.pad.mode in SENTENCES else "constant"
    names = [mode]
    if isinstance(case, OnnxCase):
        names += ["axes"] if case.form.axes else []
        names += [case.form.lowering] if case.form.lowering in SENTENCES else []
    names += [step.kind for step in (*plain.producers, *plain.steps) if step.kind in SENTENCES]
    return tuple(dict.fromkeys(SENTENCES[name] for name in (*names, plain.spec.family)))
