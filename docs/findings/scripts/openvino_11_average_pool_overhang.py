"""OV-11: OpenVINO divides the last window of an AveragePool with `ceil_mode` and dilations by too many elements.

The last window reaches over the end, where there is neither data nor padding.

AveragePool-19: "The output of each pooling window is divided by the number of elements (exclude pad when attribute
count_include_pad is zero)."

Needs only onnx, numpy and openvino. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.full((1, 1, 11), 6, np.float32)}
EXPECTED = [np.array([[[4, 6, 6, 6]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node(
            "AveragePool",
            ["x"],
            ["y"],
            kernel_shape=[3],
            strides=[3],
            dilations=[2],
            pads=[1, 0],
            ceil_mode=1,
            count_include_pad=1,
        ),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 11])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4])]
    constants = []
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
