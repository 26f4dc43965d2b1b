"""ORT-7: ONNX Runtime removes a Pad of the weight of a Conv, and does not load the model then.

The rule that folds a Pad into a Conv takes it for one of the data. It removes the Pad, and the Conv still reads it.

Pad-18: "a padded tensor (`output`) is generated", from any `data`.

Needs only onnx, numpy and onnxruntime. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[1, 2, 3]]], np.float32), "w": np.ones((1, 1, 1), np.float32)}
EXPECTED = [np.array([[[1, 2, 3]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["w", "pads"], ["v"]),
        helper.make_node("Conv", ["x", "v"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3]),
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 1, 1]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 3])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 0, 0, 0, 0]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what ONNX Runtime computes with its basic optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, INPUTS)


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
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
