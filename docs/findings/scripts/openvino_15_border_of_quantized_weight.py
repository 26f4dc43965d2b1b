"""OV-15: OpenVINO pads a quantized weight with the integer 0, which stands for another value than 0.

The Pad of a dequantized weight is moved before the dequantization, and its value 0 does not become the zero point.

DequantizeLinear: "The dequantization formula is `y = (x - x_zero_point) * x_scale`."

Needs only onnx, numpy and openvino. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[2]]], np.float32)}
EXPECTED = [np.array([[[-12, 0]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("Pad", ["d", "pads"], ["w"]),
        helper.make_node("ConvTranspose", ["x", "w"], ["t"]),
        helper.make_node("QuantizeLinear", ["t", "scale", "none"], ["i"]),
        helper.make_node("DequantizeLinear", ["i", "scale", "none"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2])]
    constants = [
        helper.make_tensor("q", TensorProto.INT8, [1, 1, 1], [-13]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("zero", TensorProto.INT8, [], [-7]),
        helper.make_tensor("none", TensorProto.INT8, [], [0]),
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 0, 0, 0, 1]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what OpenVINO computes on CPU, in float32."""
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)
    request = compiled.create_infer_request()
    request.infer(INPUTS)
    return [request.get_output_tensor(i).data.copy() for i in range(len(compiled.outputs))]


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "openvino", openvino.__version__)
    model = build_model()
    onnx.checker.check_model(model, full_check=True)
    print(onnx.printer.to_text(model.graph))
    try:
        second = ReferenceEvaluator(model).run(None, INPUTS)
    except Exception as error:  # noqa: BLE001, it lacks older operators
        second = error
    print("expected:", EXPECTED)
    print("onnx.reference:", second)
    try:
        got = run_tool(model)
    except Exception as error:  # noqa: BLE001, a tool can raise anything
        print("got:", type(error).__name__, error)
        return 1
    print("got:", got)
    pairs = list(zip(got, EXPECTED, strict=True))
    same = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
