"""OV-16: OpenVINO dies of SIGSEGV in a quantized convolution with a stride, a dilation and a kernel of 1.

It has to do with OV-7: the stride of an axis whose kernel is 1 is moved before the padding.

Conv-11: the model passes `onnx.checker` with `full_check`, and two other implementations run it.

Needs only onnx, numpy and openvino. Exits with 1 as long as the defect is there.
"""

import os
import sys

import numpy as np
import onnx
import onnx.printer
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

INPUTS = {"x": np.array([[[2]]], np.float32), "w": np.array([[[3]]], np.float32)}
EXPECTED = [np.array([[[0, 0]]], np.float32)]


def build_model() -> onnx.ModelProto:
    """Return the model."""
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"]),
        helper.make_node("Conv", ["p", "w"], ["c"], kernel_shape=[1], strides=[2], dilations=[2], pads=[0, 1]),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 1]) for name in ("x", "w")]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2])]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 1, 0, 0, 0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("zero", TensorProto.INT8, [], [0]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))


def run_tool(model: onnx.ModelProto) -> list[np.ndarray]:
    """Run the model by OpenVINO on CPU with one thread, in a process of its own, since that dies."""
    child = os.fork()
    if child == 0:
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_NUM_THREADS": 1})
        compiled.create_infer_request().infer(INPUTS)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise RuntimeError(f"the process died of signal {os.WTERMSIG(status)}")
    return EXPECTED


def main() -> int:
    """Compare what the tool computes with what is expected."""
    print("onnx", onnx.__version__, "openvino", openvino.__version__)
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
