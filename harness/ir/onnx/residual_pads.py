"""The pads that a model still has: operands of convolutions and pools that come from a Pad of a spatial axis."""

from typing import Any

import onnx
from onnx import numpy_helper

from foldproof.ir.base import ResidualPads

CONSUMERS = (
    *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "FusedConv", "NhwcFusedConv", "MaxPool", "NhwcMaxPool"),
    *("AveragePool", "QLinearAveragePool", "LpPool", "NhwcConv"),
)
"""Operators that slide a window, those of ONNX Runtime included."""

_STOPS = (*CONSUMERS, "Gemm", "MatMul", "GlobalAveragePool")
_WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1}

Nodes = dict[str, onnx.NodeProto]


def count_residual_pads(model: onnx.ModelProto) -> ResidualPads:
    """Count the operands of consumers that come from a Pad that widens or crops, and the Pads of widths 0."""
    nodes = {name: node for node in model.graph.node for name in node.output}
    constants = _read_constants(model)
    identity = sum(1 for node in model.graph.node if node.op_type == "Pad" and not any(_widths(node, constants) or [1]))
    foldable = 0
    for node in model.graph.node:
        if node.op_type in CONSUMERS:
            operands = [node.input[0]]
            place = _WEIGHTS.get(node.op_type)
            operands += [node.input[place]] if place is not None and len(node.input) > place else []
            foldable += sum(_comes_from_pad(name, nodes, constants) for name in operands)
    return ResidualPads(foldable=foldable + identity, identity=identity)


def _comes_from_pad(name: str, nodes: Nodes, constants: dict[str, Any]) -> bool:
    """Whether a value is computed from a Pad with a width other than 0, through ops of one tensor and constants."""
    while (node := nodes.get(name)) is not None and node.op_type not in _STOPS:
        if node.op_type == "Pad" and _pads_spatial_axis(node, constants):
            return True
        computed = [each for each in node.input if each and each not in constants]
        if not computed:
            return False
        name = computed[0]
    return False


def _pads_spatial_axis(node: onnx.NodeProto, constants: dict[str, Any]) -> bool:
    widths = _widths(node, constants)
    if widths is None:
        return True
    rank = len(widths) // 2
    axes = list(range(rank))
    if len(node.input) > 3 and node.input[3]:
        given = constants.get(node.input[3])
        if given is None:
            return any(widths)
        # The rank is not known here. A negative axis is spatial in NC... if it is one of the last three.
        axes = [int(axis) for axis in given]
    return any(widths[i] or widths[rank + i] for i, axis in enumerate(axes) if axis >= 2 or axis < 0)


def _widths(node: onnx.NodeProto, constants: dict[str, Any]) -> list[int] | None:
    """Return the widths of a Pad, None if they are not constant."""
    for attribute in node.attribute:
        if attribute.name == "pads":
            return [int(width) for width in attribute.ints]
    array = constants.get(node.input[1]) if len(node.input) > 1 else None
    return None if array is None else [int(width) for width in array]


def _read_constants(model: onnx.ModelProto) -> dict[str, Any]:
    """Return the constants of a model by name, those that a caller may override included."""
    arrays: dict[str, Any] = {tensor.name: _Lazy(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    arrays[node.output[0]] = _Lazy(attribute.t)
    return arrays


class _Lazy:
    """A constant that is read when it is iterated: most are not."""

    def __init__(self, tensor: onnx.TensorProto) -> None:
        self._tensor = tensor

    def __iter__(self) -> Any:
        return iter(numpy_helper.to_array(self._tensor).reshape(-1).tolist())
