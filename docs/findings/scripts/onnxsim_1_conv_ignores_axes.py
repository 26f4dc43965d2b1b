"""SIM-1: onnxsim folds a Pad into a Conv or a pool without a look at its input `axes`.

It reads `pads` as if they named all axes in order. Here the batch is padded, and it pads the spatial axis.

Pad-18, pads: "xi_begin is the number of pad values added at the beginning of axis `axes[i]`".

Needs only onnx, numpy and onnxsim. Exits with 1 as long as the defect is there.
"""

import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnx.printer
import onnxsim
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[-3, -1, -2]]], np.float32)}
EXPECTED = [np.array([[[0, 0]], [[-4, -3]]], np.float32)]
INVALID: list[Exception] = []


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x", "pads", "zero", "axes"], ["y"]),
        helper.make_node("Conv", ["y", "w"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 1, 2])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 1, 0, 0, 0]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0]),
        helper.make_tensor("axes", TensorProto.INT64, [3], [2, 1, 0]),
        helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 2], [1, 1]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what onnx.reference computes with the model that onnxsim makes."""
    after = onnxsim.simplify(model, check_n=0)[0]
    print(onnx.printer.to_text(after.graph))
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as error:  # noqa: BLE001, the checker raises errors of several types
        print("onnx.checker rejects what onnxsim returns:", error)
        INVALID.append(error)
    return ReferenceEvaluator(after).run(None, INPUTS)


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "onnxsim", version("onnxsim"))
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
