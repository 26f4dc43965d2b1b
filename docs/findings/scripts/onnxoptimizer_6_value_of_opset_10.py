"""OO-6: onnxoptimizer folds a Pad of opset 10 into a Conv or an AveragePool whatever its value is.

The value is an attribute in opset 10, which the passes do not read. A border of 3 becomes padding, which is 0.

Pad-2, value: "One float, indicates the value to be filled."

Needs only onnx, numpy and onnxoptimizer. Exits with 1 as long as the defect is there.
"""

import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnx.printer
import onnxoptimizer
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[1, 2, 3]]], np.float32)}
EXPECTED = [np.array([[[4, 3, 5, 6]]], np.float32)]
INVALID: list[Exception] = []


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 1], value=3.0),
        helper.make_node("Conv", ["y", "w"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 1, 4])]
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 2], [1, 1]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 10)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what onnx.reference computes with the model that onnxoptimizer makes."""
    after = onnxoptimizer.optimize(model, ["fuse_pad_into_conv"])
    print(onnx.printer.to_text(after.graph))
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as error:  # noqa: BLE001, the checker raises errors of several types
        print("onnx.checker rejects what onnxoptimizer returns:", error)
        INVALID.append(error)
    return ReferenceEvaluator(after).run(None, INPUTS)


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "onnxoptimizer", version("onnxoptimizer"))
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
    return 0 if same and not INVALID else 1


if __name__ == "__main__":
    sys.exit(main())
