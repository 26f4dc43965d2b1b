"""ORT-9: ONNX Runtime does not load a Relu before a Clip with a minimum, of float64 or integers.

The rule that makes one Clip of both reads the minimum of float32 and float16 only, and raises for others.

Relu-14 and Clip-13 take double, int8 and int32 as well.

Needs only onnx, numpy and onnxruntime. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([-3, 2, 9], np.float64)}
EXPECTED = [np.array([1, 2, 9], np.float64)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Clip", ["y", "low"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.DOUBLE, [3])]
    constants = [
        helper.make_tensor("low", TensorProto.DOUBLE, [], [1]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 14)]
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
