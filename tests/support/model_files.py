"""Small models as files: an ONNX graph with pads that fold and pads that stay, and modules of Relax."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDABLE = (0, 0, 1, 1, 0, 0, 1, 1)
ON_CHANNELS = (0, 0, 0, 0, 0, 1, 0, 0)

SCRIPT = """
from tvm.script import ir as I
from tvm.script import relax as R


@I.ir_module
class Net:
    @R.function
    def main(x: R.Tensor((1, 2, 8, 8), "float32"), w: R.Tensor((3, 2, 3, 3), "float32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 1, 2, 1, 2))
            y = R.nn.conv2d(padded, w, strides=2)
            R.output(y)
        return y
"""

SYMBOLIC = """
from typing import TypeVar

from tvm.script import ir as I
from tvm.script import relax as R

n, h, w = TypeVar("n"), TypeVar("h"), TypeVar("w")


@I.ir_module
class Symbolic:
    @R.function
    def main(x: R.Tensor((n, 2, h, w), "float32"), k: R.Tensor((3, 2, 3, 3), "float32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1))
            y = R.nn.conv2d(padded, k)
            R.output(y)
        return y
"""


def onnx_model(path, *, height=16, pads=(FOLDABLE, ON_CHANNELS), op="Conv"):
    """Write a chain of Pad and Conv, one for each of ``pads``, with a Relu after each; return the path."""
    rng, nodes, weights = np.random.default_rng(3), [], []
    current, channels = "x", 3
    for i, widths in enumerate(pads):
        channels += widths[1] + widths[5]
        weights.append(numpy_helper.from_array(np.array(widths, np.int64), f"widths{i}"))
        weights.append(numpy_helper.from_array(rng.normal(size=(4, channels, 3, 3)).astype(np.float32), f"weight{i}"))
        nodes.append(helper.make_node("Pad", [current, f"widths{i}"], [f"padded{i}"]))
        nodes.append(helper.make_node(op, [f"padded{i}", f"weight{i}"], [f"conv{i}"], strides=[2, 2]))
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
        current, channels = f"relu{i}", 4
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "graph",
        [value("x", TensorProto.FLOAT, [1, 3, height, 16])],
        [value(current, TensorProto.FLOAT, None)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path
