"""OS-1: onnxscript folds a Pad of 0 into a ConvInteger whose data has another zero point.

The padding of a ConvInteger is its zero point. So a border of 0 may be folded only if `x_zero_point` is 0.

ConvInteger-10: "The integer convolution operator consumes an input tensor, its zero-point, a filter, and its
zero-point, and computes the output." It names no value of the padding. ONNX Runtime and onnx.reference both pad with
the zero point, as QLinearConv does, and both compute other values after the fold.

Needs only onnx, numpy and onnxscript. Exits with 1 as long as the defect is there.
"""

import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnx.printer
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxscript import optimizer, rewriter

INPUTS = {"x": np.array([[[1, 2, 3]]], np.int8)}
EXPECTED = [np.array([[[-5, -3, -1, -3]]], np.int32)]
INVALID: list[Exception] = []


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["y"]),
        helper.make_node("ConvInteger", ["y", "w", "zero"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 1, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.INT32, [1, 1, 4])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 1, 0, 0, 1]),
        helper.make_tensor("w", TensorProto.INT8, [1, 1, 2], [1, 1]),
        helper.make_tensor("zero", TensorProto.INT8, [], [3]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what onnx.reference computes with the model that onnxscript makes."""
    after = rewriter.rewrite(optimizer.optimize(model))
    print(onnx.printer.to_text(after.graph))
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as error:  # noqa: BLE001, the checker raises errors of several types
        print("onnx.checker rejects what onnxscript returns:", error)
        INVALID.append(error)
    return ReferenceEvaluator(after).run(None, INPUTS)


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "onnxscript", version("onnxscript"))
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
