"""OV-9: OpenVINO counts padding of an AveragePool of dequantized data as the zero point and not as 0.

It moves the subtraction of the zero point past the AveragePool, whose padding counts: (0 + 6) / 2 - 2 is 1, and
(0 + 6 - 2) / 2 is 2.

AveragePool-19, count_include_pad: "Whether include pad pixels when calculating values for the edges."

Needs only onnx, numpy and openvino. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[6, 8]]], np.uint8)}
EXPECTED = [np.array([[[2, 5]]], np.uint8)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "one", "two"], ["d"]),
        helper.make_node("AveragePool", ["d"], ["a"], kernel_shape=[2], pads=[1, 0], count_include_pad=1),
        helper.make_node("QuantizeLinear", ["a", "one", "zero"], ["q"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 1, 2])]
    outputs = [helper.make_tensor_value_info("q", TensorProto.UINT8, [1, 1, 2])]
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("two", TensorProto.UINT8, [], [2]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
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
