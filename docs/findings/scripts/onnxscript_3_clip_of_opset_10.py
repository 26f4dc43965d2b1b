"""OS-3: onnxscript replaces Max and Min by a Clip that its opset has not.

Before opset 11, the bounds of Clip are attributes. The model that it returns is invalid.

Clip-6: "min: Minimum value, under which element is replaced by min", an attribute.

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

INPUTS = {"x": np.array([-1, 2, 9], np.float32)}
EXPECTED = [np.array([0, 2, 5], np.float32)]
INVALID: list[Exception] = []


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Max", ["x", "low"], ["y"]),
        helper.make_node("Min", ["y", "high"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [3])]
    constants = [
        helper.make_tensor("low", TensorProto.FLOAT, [], [0]),
        helper.make_tensor("high", TensorProto.FLOAT, [], [5]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 10)]
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
