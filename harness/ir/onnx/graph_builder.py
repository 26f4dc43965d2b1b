"""GraphBuilder: nodes and constants of an ONNX graph, with the dtype and the lengths of every value.

    builder.add("Conv", [x, w], dtype="float32", lengths=(1, 2, 4, 4), strides=[1, 1]) -> Value

Invariant: a node is added only if the operator of its opset takes the dtype. If a newer opset does, ``NeedsOpset``
names it; if none does, ``Unsupported`` says so.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from foldproof.case.form import OPSETS, Form

Array = npt.NDArray[Any]
Lengths = tuple[int | str | None, ...]
"""A length is a number, a name, or not known."""


class Unsupported(Exception):  # noqa: N818, the case is right, and ONNX cannot say it
    """ONNX cannot express a case; the message is the reason."""


class NeedsOpset(Exception):  # noqa: N818, it is a request
    """A case needs a newer opset than its form names."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        super().__init__(opset)


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the graph: its name, the name of its dtype, and its lengths."""

    name: str
    dtype: str
    lengths: Lengths


OMITTED = Value("", "", ())
"""An optional input that is left out."""

_TYPE_NAMES = {"float32": "float", "float64": "double"}
_ELEMENT_TYPES = {
    "float32": onnx.TensorProto.FLOAT,
    "float64": onnx.TensorProto.DOUBLE,
    "float16": onnx.TensorProto.FLOAT16,
    "bfloat16": onnx.TensorProto.BFLOAT16,
    "int8": onnx.TensorProto.INT8,
    "uint8": onnx.TensorProto.UINT8,
    "int16": onnx.TensorProto.INT16,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "bool": onnx.TensorProto.BOOL,
}


def element_type(dtype: str) -> int:
    """Return the number that ONNX has for a dtype."""
    return int(_ELEMENT_TYPES[dtype])


@cache
def takes(kind: str, opset: int, dtype: str) -> bool:
    """Whether the first input of an operator may have a dtype, by the schema of the opset."""
    try:
        schema = onnx.defs.get_schema(kind, opset, "")
    except onnx.defs.SchemaError:
        return False
    if schema.deprecated or not schema.inputs:
        return not schema.deprecated
    return f"tensor({_TYPE_NAMES.get(dtype, dtype)})" in schema.inputs[0].types


@cache
def first_opset(kind: str, opset: int, dtype: str) -> int | None:
    """Return the first opset from ``opset`` on in which an operator takes a dtype; None if there is none."""
    return next((each for each in OPSETS if each >= opset and takes(kind, each, dtype)), None)


class GraphBuilder:
    """A graph under construction, in one opset.

    Args:
        form: how the graph is spelled.
        opset: the opset of its nodes.
    """

    def __init__(self, form: Form, opset: int) -> None:
        self.form, self.opset = form, opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.values: list[Value] = []
        self._count = 0

    def require(self, opset: int) -> None:
        """Require at least this opset."""
        if self.opset < opset:
            raise NeedsOpset(opset)

    def input(self, name: str, dtype: str, lengths: Lengths) -> Value:
        """Add an input of the model."""
        value = Value(name, dtype, lengths)
        self.inputs.append(type_info(value))
        return value

    def add(self, kind: str, inputs: list[Value], *, dtype: str, lengths: Lengths, **attributes: Any) -> Value:
        """Add a node with one output, and return the output.

        Args:
            kind: the operator.
            inputs: its inputs.
            dtype: the dtype of the output.
            lengths: the lengths of the output.
            attributes: its attributes; one that is None is left out.

        Raises:
            NeedsOpset: if a newer opset takes the dtype of the first input.
            Unsupported: if no opset does.
        """
        reads = inputs[0].dtype if inputs else dtype
        first = first_opset(kind, self.opset, reads)
        if first is None:
            raise Unsupported(f"ONNX has no {kind} of {reads}")
        self.require(first)
        value = Value(self._name(kind), dtype, lengths)
        while inputs and inputs[-1] is OMITTED:
            inputs = inputs[:-1]
        written = {name: given for name, given in attributes.items() if given is not None}
        node = helper.make_node(kind, [each.name for each in inputs], [value.name], **written)
        if self.form.names != "unnamed":
            node.name = value.name.removesuffix("_output_0")
        self.nodes.append(node)
        self.values.append(value)
        return value

    def constant(self, array: Any, storage: str | None = None, name: str = "") -> Value:
        """Add a constant where the form has constants, or in ``storage``; 0-d arrays stay 0-d.

        Args:
            array: the constant.
            storage: where it stands, one of ``foldproof.case.form.STORAGES``; None as the form says.
            name: its name; empty for the next one.
        """
        storage = self.form.storage if storage is None else storage
        array = np.array(array, order="C")  # ascontiguousarray would make 0-d arrays 1-d
        lengths = tuple(array.shape)
        if storage == "node":
            value = Value(name or self._name("Constant"), array.dtype.name, lengths)
            tensor = numpy_helper.from_array(array, value.name)
            node = helper.make_node("Constant", [], [value.name], value=tensor)
            if self.form.names != "unnamed":
                node.name = f"{value.name}_node"
            self.nodes.append(node)
            return value
        value = Value(name or self._name("c"), array.dtype.name, lengths)
        self.initializers.append(numpy_helper.from_array(array, value.name))
        if storage == "overridable":
            self.inputs.append(type_info(value))
        return value

    def cast(self, value: Value, dtype: str) -> Value:
        """Return the value in another dtype; the value itself if it has that dtype."""
        if value.dtype == dtype:
            return value
        return self.add("Cast", [value], dtype=dtype, lengths=value.lengths, to=element_type(dtype))

    def _name(self, kind: str) -> str:
        self._count += 1
        if self.form.names == "exporter":
            return f"/features.{self._count - 1}/{kind}_output_0"
        return f"{kind.lower()}{self._count - 1}"

    def model(self, outputs: list[Value]) -> onnx.ModelProto:
        """Return the model of the graph with these outputs."""
        shown = [value for value in self.values if value not in outputs] if self.form.value_info else []
        graph = helper.make_graph(
            self.nodes,
            "case",
            self.inputs,
            [type_info(value) for value in outputs],
            self.initializers,
            value_info=[type_info(value) for value in shown],
        )
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(
            graph,
            opset_imports=imports,
            ir_version=max(4, helper.find_min_ir_version_for(imports)),
            producer_name="foldproof",
        )


def type_info(value: Value) -> onnx.ValueInfoProto:
    """Return the declaration of a value."""
    return helper.make_tensor_value_info(value.name, element_type(value.dtype), list(value.lengths))
