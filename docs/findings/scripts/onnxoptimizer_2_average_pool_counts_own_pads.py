"""OO-2: onnxoptimizer folds a Pad of 0 into an AveragePool that has padding of its own, and counts that too.

It sets `count_include_pad` to 1. That is right for the elements of the Pad, and wrong for the padding that was there,
which was not counted.

AveragePool-19, count_include_pad: "Whether include pad pixels when calculating values for the edges. Default is 0,
doesn't count include pad."

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

INPUTS = {"x": np.array([[[-3, -1, -2]]], np.float32)}
EXPECTED = [np.array([[[-3, -2, -1.5, -1]]], np.float32)]
INVALID: list[Exception] = []


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x", "pads", "zero"], ["y"]),
        helper.make_node("AveragePool", ["y"], ["z"], kernel_shape=[2], pads=[1, 0]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 1, 4])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 0, 0, 0, 1]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what onnx.reference computes with the model that onnxoptimizer makes."""
    after = onnxoptimizer.optimize(model, ["fuse_pad_into_pool"])
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
