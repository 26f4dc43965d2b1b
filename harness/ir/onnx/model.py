"""Questions about a model: is it the same, does the checker accept it, what does it take and return?"""

from dataclasses import dataclass
from typing import Any

import onnx

MAX_ERROR_CHARS = 300
"""The most characters of a message."""

Dims = tuple[int | str | None, ...] | None
"""Lengths as declared: a number, a name, or nothing; None if the rank is not declared."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and returns: (name, element type, lengths) of each. Initializers are no inputs here."""

    inputs: tuple[tuple[str, int, Dims], ...]
    outputs: tuple[tuple[str, int, Dims], ...]

    def __str__(self) -> str:
        return f"({_describe(self.inputs)}) -> ({_describe(self.outputs)})"

    def fits(self, other: "Signature") -> bool:
        """Whether both have the same names and types. A length that one of them does not declare fits any."""
        pairs = [(self.inputs, other.inputs), (self.outputs, other.outputs)]
        return all(len(a) == len(b) and all(_fits(x, y) for x, y in zip(a, b, strict=True)) for a, b in pairs)


def _fits(a: tuple[str, int, Dims], b: tuple[str, int, Dims]) -> bool:
    if a[:2] != b[:2]:
        return False
    if a[2] is None or b[2] is None:
        return True
    numbers = zip(a[2], b[2], strict=False)
    return len(a[2]) == len(b[2]) and all(x == y for x, y in numbers if isinstance(x, int) and isinstance(y, int))


def _describe(values: tuple[tuple[str, int, Dims], ...]) -> str:
    shown = []
    for name, kind, dims in values:
        lengths = "?" if dims is None else ", ".join("?" if d is None else str(d) for d in dims)
        shown.append(f"{name}: {onnx.TensorProto.DataType.Name(kind).lower()}[{lengths}]")
    return ", ".join(shown)


def signature(model: onnx.ModelProto) -> Signature:
    """Return what a model takes and returns."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialized]
    return Signature(tuple(map(_read_type, inputs)), tuple(map(_read_type, model.graph.output)))


def _read_type(value: onnx.ValueInfoProto) -> tuple[str, int, Dims]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return value.name, tensor.elem_type, None
    dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim)
    return value.name, tensor.elem_type, dims


def same(a: Any, b: Any) -> bool:
    """Whether two models have the same bytes, or two signatures fit."""
    if isinstance(a, Signature) and isinstance(b, Signature):
        return a.fits(b)
    if isinstance(a, onnx.ModelProto) and isinstance(b, onnx.ModelProto):
        return a is b or a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)
    return a is b


def checker_error(model: onnx.ModelProto) -> str:
    """Return why a model is not valid, in one line; empty if it is.

    ``onnx.checker`` with ``full_check`` decides, and one rule of the operators that it does not check.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # noqa: BLE001, the checker raises errors of several types, which all mean "invalid"
        return short_error(error)
    return next(filter(None, map(_padding_error, model.graph.node)), "")


def _padding_error(node: onnx.NodeProto) -> str:
    """Return that a node has two paddings, which the checker does not notice; empty if it has not.

    Conv-11, MaxPool-12, AveragePool-19: "`pads` cannot be used simultaneously with auto_pad attribute."
    """
    attributes = {attribute.name: attribute for attribute in node.attribute}
    auto = attributes["auto_pad"].s.decode() if "auto_pad" in attributes else "NOTSET"
    pads = attributes["pads"].ints if "pads" in attributes else ()
    if auto == "NOTSET" or not any(pads):
        return ""
    return f"{node.op_type} has pads {list(pads)} and auto_pad {auto}; pads cannot be used simultaneously with auto_pad"


def first_output(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the first output alone, and only the nodes and constants that it needs."""
    reduced = onnx.ModelProto()
    reduced.CopyFrom(model)
    graph = reduced.graph
    del graph.output[1:]
    needed = {value.name for value in graph.output}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed.update(node.input)
    for field in (graph.initializer, graph.value_info):
        kept = [item for item in field if item.name in needed]
        del field[:]
        field.extend(kept)
    nodes = [node for node in graph.node if needed & set(node.output)]
    del graph.node[:]
    graph.node.extend(nodes)
    return reduced


def short_error(error: BaseException) -> str:
    """Return the type and the message of an error, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:MAX_ERROR_CHARS]}{'...' if len(text) > MAX_ERROR_CHARS else ''}"
