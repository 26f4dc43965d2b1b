"""OV-8: OpenVINO reads memory that it has not written in a 3-D Conv with a dilation of the height and a dynamic batch.

The second element of the data has no part in the result, or garbage has: 1.0, 1.00003 and -2.1e32 were seen for 8.
With a batch of 1 instead of "n", or without the dilation, the result is right.

Conv-11, dilations: "dilation value along each spatial axis of the filter." That axis of the filter has one element, so
that its dilation changes nothing.

Needs only onnx, numpy and openvino. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.ones((1, 1, 2, 1, 1), np.float32)}
EXPECTED = [np.array([[[[[8]]]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], dilations=[1, 2, 1]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 2, 1, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, 1, 1, 1])]
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 2, 1, 1], [1, 7]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
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
