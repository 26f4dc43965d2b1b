"""Case and form -> ModelProto: the one place with ONNX's flat attribute lists.

main(x [, w] [, parameters of steps])  ->  (result [, padded] [, padded + padded] [, result of the first step])

What ONNX makes of the values of a case:

- a mode that no operator has means ``constant``, as in a case
- layouts other than NC... are Transpose nodes around the consumer
- a convolution of int8 and uint8 is a ConvInteger, whose int32 is cast to the dtype of the result
- operands that are not of the dtype of the result are cast to it before a Conv
- a zero point has the dtype of its data; where a case has another one, the arithmetic is written out

Steps are in ``steps``, the consumer in ``consumer``.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import onnx

from foldproof.case import Case
from foldproof.case.form import Form
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.parameters import constants
from foldproof.case.spelling import lowering_of
from foldproof.ir.onnx.consumer import add_consumer
from foldproof.ir.onnx.graph_builder import GraphBuilder, Lengths, NeedsOpset, Unsupported, Value
from foldproof.ir.onnx.pads import add_pad, add_widths
from foldproof.ir.onnx.quantization import add_weight
from foldproof.ir.onnx.semantics import SEMANTICS
from foldproof.ir.onnx.steps import add_step
from foldproof.oracle.fills import inputs


def spelled(case: Any) -> OnnxCase:
    """Return a case with its form; the default form if it has none."""
    return case if isinstance(case, OnnxCase) else OnnxCase(case=case)


def supported(case: Any) -> str:
    """Return why ONNX cannot express a case, in a sentence; empty if it can."""
    if isinstance(case, Graph):
        return "graphs of several sites are built in Relax only"
    result = _convert(spelled(case))
    return result if isinstance(result, str) else ""


def build(case: Any, *, with_pad: bool = True) -> onnx.ModelProto:
    """Build the model of a case, unfolded.

    Args:
        case: the case, with or without a form.
        with_pad: False to leave out a pad whose widths are all 0.

    Returns:
        A model of its own. Its inputs are named and ordered as the keys of ``foldproof.oracle.fills.parameters``.
        Constants that a caller may override follow them.

    Raises:
        Unsupported: if ONNX cannot express the case.
    """
    result = _convert(spelled(case)) if with_pad else _try_convert(spelled(case), with_pad=False)
    if isinstance(result, str):
        raise Unsupported(result)
    model = onnx.ModelProto()
    model.CopyFrom(result)
    return model


@lru_cache(maxsize=64)
def _convert(case: OnnxCase) -> onnx.ModelProto | str:
    """Return the model, or why there is none. ``supported`` and ``build`` ask one after the other."""
    return _try_convert(case, with_pad=True)


def _try_convert(case: OnnxCase, *, with_pad: bool) -> onnx.ModelProto | str:
    opset = case.form.opset
    while True:
        try:
            return _Converter(case.case, case.form, opset).convert(with_pad=with_pad)
        except NeedsOpset as error:
            opset = error.opset
        except Unsupported as error:
            return str(error)


class _Converter:
    """One attempt to convert a case, in one opset."""

    def __init__(self, case: Case, form: Form, opset: int) -> None:
        self.case, self.builder = case, GraphBuilder(form, opset)

    def convert(self, *, with_pad: bool) -> onnx.ModelProto:
        case, builder = self.case, self.builder
        if any(min(axis.padding) < 0 for axis in case.axes):
            raise Unsupported("ONNX has no negative padding")
        data = builder.input("x", case.dtype, self._input_lengths())
        weight = None
        if case.spec.weighted and not case.constant_weight:
            lengths = tuple(case.kernel_dims[letter] for letter in case.weight_layout)
            weight = builder.input("w", case.kernel_dtype, lengths)
        parameters = self._parameters()
        lowered = lowering_of(case, builder.form) in ("conv_integer", "qlinear")
        array = inputs(case, case.fills[0], SEMANTICS)["w"] if case.constant_weight else None
        if array is not None and not lowered:
            weight = add_weight(builder, case, array)
        if case.input_stride > 1:
            data = self._read_strided(data)
        for place in case.producer_places:
            data = add_step(builder, place, data, parameters, self._lengths(place.dims, place.layout))
        padded = weight if case.pads_weight and weight is not None else data
        if with_pad or any(sides != (0, 0) for sides in case.pad_widths.values()):
            padded = self._pad(padded)
        if case.pads_weight:
            weight = padded
        else:
            data = padded
        results = []
        places = case.step_places[:-1] if lowered else case.step_places
        for place, layout, dims in zip(places, case.step_layouts[1:], case.step_dims[1:], strict=False):
            data = add_step(builder, place, data, parameters, self._lengths(dims, layout), layout)
            results.append(data)
        outputs = [add_consumer(builder, case, data, array if lowered else weight)]
        for name in case.extra_outputs:
            if name == "read":
                outputs.append(builder.add("Add", [padded, padded], dtype=padded.dtype, lengths=padded.lengths))
            else:
                outputs.append(padded if name == "returned" else results[0])
        return builder.model(self._distinct(outputs))

    def _distinct(self, outputs: list[Value]) -> list[Value]:
        """Return outputs of different names that nodes compute: a model cannot return a value twice."""
        computed = {name for node in self.builder.nodes for name in node.output}
        distinct: list[Value] = []
        for value in outputs:
            if value.name not in computed or value in distinct:
                value = self.builder.add("Identity", [value], dtype=value.dtype, lengths=value.lengths)
            distinct.append(value)
        return distinct

    def _lengths(self, dims: dict[str, int], layout: str) -> Lengths:
        """Return lengths in the order of a layout; a length that is symbolic in x is not known."""
        return tuple(None if letter in self.case.symbolic else dims[letter] for letter in layout)

    def _input_lengths(self) -> Lengths:
        case = self.case
        return tuple(
            letter.lower() if letter in case.symbolic else case.input_dims[letter] for letter in case.input_layout
        )

    def _parameters(self) -> dict[str, Value]:
        """Add the run-time parameters of steps as inputs, in the order of ``oracle.fills.parameters``."""
        values = {}
        for place in (*self.case.producer_places, *self.case.step_places):
            if not place.step.constant:
                for name, array in constants(place).items():
                    full = place.parameter(name)
                    values[full] = self.builder.input(full, array.dtype.name, tuple(array.shape))
        return values

    def _read_strided(self, data: Value) -> Value:
        case, builder = self.case, self.builder
        axes = [i for i, letter in enumerate(case.input_layout) if letter in case.spec.spatial]
        ends = [np.iinfo(np.int64).max] * len(axes)
        operands = [np.array(each, np.int64) for each in ([0] * len(axes), ends, axes, [case.input_stride] * len(axes))]
        lengths = self._lengths(case.source_dims, case.input_layout)
        return builder.add("Slice", [data, *map(builder.constant, operands)], dtype=data.dtype, lengths=lengths)

    def _pad(self, value: Value) -> Value:
        case, builder = self.case, self.builder
        layout = case.weight_layout if case.pads_weight else case.input_layout
        widths = add_widths(case.pad_widths, layout)
        dims = case.weight_dims if case.pads_weight else case.step_dims[0]
        lengths = tuple(dims[x] for x in layout) if case.pads_weight else self._lengths(dims, layout)
        padded = add_pad(builder, value, widths, lengths, mode=case.pad.mode, value_of_border=case.pad.value)
        if builder.form.identities:
            padded = builder.add("Identity", [padded], dtype=padded.dtype, lengths=padded.lengths)
        return padded
