"""REF-1: onnx.reference computes padded MaxPools wrongly if their strides and dilations are 1.

It reads `pads` in a wrong order: here it pads the width by 1 on both sides instead of the height. In one dimension it
drops the padding at the end, or raises.

MaxPool-12, pads: "`pads` format should be as follow [x1_begin, x2_begin...x1_end, x2_end,...]".

Needs only onnx and numpy. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)}
EXPECTED = [np.array([[[[1, 2], [4, 5], [4, 5]]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], pads=[1, 0, 1, 0]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 3, 2])]
    constants = []
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what onnx.reference computes."""
    return ReferenceEvaluator(model).run(None, INPUTS)


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__)
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
