"""ORT-8: ONNX Runtime does not load a Transpose after a DequantizeLinear of int32.

It moves the Transpose, and adds a QuantizeLinear to int32, which ONNX has not.

DequantizeLinear-13: "In the case of dequantizing int32, there's no zero point (zero point is supposed to be 0)."

Needs only onnx, numpy and onnxruntime. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"q": np.arange(6, dtype=np.int32).reshape(1, 2, 3)}
EXPECTED = [np.array([[[0, 3], [1, 4], [2, 5]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("Transpose", ["d"], ["z"], perm=[0, 2, 1]),
    ]
    inputs = [helper.make_tensor_value_info("q", TensorProto.INT32, [1, 2, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3, 2])]
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("zero", TensorProto.INT32, [], [0]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what ONNX Runtime computes with its extended optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
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
