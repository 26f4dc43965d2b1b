"""TVM-2: TVM does not compile an elementwise operator on a tensor of an unknown length that was padded.

The pass RewriteDataflowReshape asks whether its kernel is a reshape, and raises where it cannot prove that a length
divides another.

A dimension with a `dim_param` has any length (`TensorShapeProto` in onnx.proto).

Needs only onnx, numpy and apache-tvm. Exits with 1 as long as the defect is there.
"""

import sys

import numpy as np
import onnx
import onnx.printer
import tvm
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

INPUTS = {"x": np.ones((1, 3, 1, 2), np.float32)}
EXPECTED = [np.pad(np.ones((1, 3, 1, 2), np.float32), ((0, 0), (0, 0), (1, 2), (2, 1)))]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["y"]),
        helper.make_node("Min", ["y", "three"], ["z"]),
        helper.make_node("MaxPool", ["z"], ["r"], kernel_shape=[1, 1]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 1, "w"])]
    outputs = [helper.make_tensor_value_info("r", TensorProto.FLOAT, [1, 3, 4, "v"])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 2, 0, 0, 2, 1]),
        helper.make_tensor("three", TensorProto.FLOAT, [], [3]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Return what TVM computes with the imported model, compiled for the CPU."""
    executable = tvm.compile(from_onnx(model, keep_params_in_input=False), target="llvm")
    function = relax.VirtualMachine(executable, tvm.cpu())["main"]
    return [function(*(tvm.runtime.tensor(array) for array in INPUTS.values())).numpy()]


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "apache-tvm", tvm.__version__)
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
