"""Case -> IRModule: the one place with TVM's flat attribute lists.

main(x [, w] [, parameters of steps])  ->  (result [, padded] [, padded + padded] [, result of the first step])

What TVM 0.27 makes of the values of a case:

- a pad mode that it does not know means ``constant``
- negative widths of ``padding`` crop, which no documentation says
- a division by the constant 0 is an error of the builder
- a ``call_tir`` pad is what the ONNX frontend emits: a PrimFunc that topi made, which has functions for four modes only
- dimensions and dtype of a result are those of ``Case.result_dims`` and ``Case.result_dtype`` (type inference)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx, topi

from foldproof.case import Case, Dims, Place, dtypes
from foldproof.case.parameters import constants
from foldproof.case.step import BINARY, QUANTIZING, UNARY
from foldproof.ir.relax.semantics import SEMANTICS
from foldproof.oracle.fills import inputs

MAIN = "main"

Params = dict[str, relax.Var]


def build(case: Case, *, with_pad: bool = True) -> tvm.IRModule:
    """Build a well-formed Relax module whose function ``main`` is the case, unfolded.

    Args:
        case: the case.
        with_pad: False to leave out a pad whose widths are all 0.

    Returns:
        A module. The parameters of ``main`` are named and ordered as the keys of
        ``foldproof.oracle.fills.parameters``. It returns the consumer's result, or a tuple of it and the tensors of
        ``case.extra_outputs``.
    """
    builder = relax.BlockBuilder()
    params = _make_params(case)
    with builder.function(MAIN, list(params.values())):
        with builder.dataflow():
            outputs = _emit(builder, case, params, with_pad=with_pad)
            result = builder.emit_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
        builder.emit_func_output(result)
    return builder.get()


def shape(dims: Dims, layout: str) -> tuple[int, ...]:
    """Return the lengths in the order of a layout."""
    return tuple(dims[letter] for letter in layout)


def _make_params(case: Case) -> Params:
    return {name: relax.Var(name, ty) for name, ty in parameter_types(case).items()}


def parameter_types(case: Case) -> dict[str, relax.TensorType]:
    """Return the types of the parameters of a case, by name and in order. Symbolic lengths are new variables."""
    symbolic = {letter: tirx.Var(letter.lower(), "int64") for letter in case.symbolic}
    lengths: dict[str, Any] = case.input_dims | symbolic
    types = {"x": relax.TensorType(shape(lengths, case.input_layout), case.dtype)}
    if case.spec.weighted and not case.constant_weight:
        types["w"] = relax.TensorType(shape(case.kernel_dims, case.weight_layout), case.kernel_dtype)
    for place in (*case.producer_places, *case.step_places):
        if not place.step.constant:
            for name, values in constants(place).items():
                types[place.parameter(name)] = relax.TensorType(values.shape, values.dtype.name)
    return types


def _emit(builder: relax.BlockBuilder, case: Case, params: Params, *, with_pad: bool) -> list[relax.Var]:
    data, weight = params["x"], params.get("w")
    if case.constant_weight:
        weight = constant_weight(case)
    if case.input_stride > 1:
        data = builder.emit(read_strided(case, data), "strided")
    for place in case.producer_places:
        data = builder.emit(call_step(place, "", data, params), variable_name(place))
    if not with_pad and all(sides == (0, 0) for sides in case.pad_widths.values()):
        padded = data
    elif case.pads_weight:
        padded = weight = emit_pad(builder, case, weight, case.weight_layout)
    else:
        padded = data = emit_pad(builder, case, data, case.input_layout)
    results = []
    for place, after in zip(case.step_places, case.step_layouts[1:], strict=True):
        data = builder.emit(call_step(place, after, data, params), variable_name(place))
        results.append(data)
    outputs = [builder.emit(call_consumer(case, data, weight), "result")]
    for name in case.extra_outputs:
        if name == "read":
            outputs.append(builder.emit(relax.op.add(padded, padded), "read"))
        else:
            outputs.append(padded if name == "returned" else results[0])
    return outputs


def constant_weight(case: Case) -> relax.Expr:
    """Return the weight of a case as a constant."""
    return relax.const(inputs(case, case.fills[0], SEMANTICS)["w"], case.kernel_dtype)


def read_strided(case: Case, data: relax.Expr) -> relax.Expr:
    """Return every so many elements of the spatial axes: a symbolic length becomes an expression."""
    axes = [i for i, letter in enumerate(case.input_layout) if letter in case.spec.spatial]
    ends = [data.ty.shape.values[i] for i in axes]
    return relax.op.strided_slice(data, axes, [0] * len(axes), ends, [case.input_stride] * len(axes))


# --- pads ---------------------------------------------------------------------------------------------

_TOPI = {"reflect": topi.nn.reflect_pad, "replicate": topi.nn.replicate_pad, "circular": topi.nn.circular_pad}


def emit_pad(builder: Any, case: Case, operand: relax.Expr, layout: str) -> relax.Var:
    """Emit the pad of a case: ``builder`` has ``emit`` and ``emit_te``."""
    sides = [case.pad_widths.get(letter, (0, 0)) for letter in layout]
    pad = case.pad
    if pad.form == "op":
        flat = [width for side in sides for width in side]
        return builder.emit(relax.op.nn.pad(operand, flat, pad_mode=pad.mode, pad_value=pad.value), "padded")
    before, after = ([side[i] for side in sides] for i in (0, 1))
    if pad.mode == "constant":
        return builder.emit_te(topi.nn.pad, operand, before, after, pad.value)
    return builder.emit_te(_TOPI[pad.mode], operand, before, after)


# --- steps --------------------------------------------------------------------------------------------


def call_step(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    """Return the call of a step. ``after`` is the layout of the result of a structural step."""
    return _CALLS[place.step.kind](place, after, data, params)


def variable_name(place: Place) -> str:
    """Return the name of the variable that a step is bound to."""
    kind = place.step.kind
    return kind + "d" if kind in QUANTIZING else kind


def _make_parameters(place: Place, params: Params) -> list[relax.Expr]:
    values = {place.parameter(name): array for name, array in constants(place).items()}
    return [params[name] if name in params else relax.const(array, array.dtype.name) for name, array in values.items()]


def _call_quantizing(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    step = place.step
    op = getattr(relax.op, step.kind)
    return op(data, *_make_parameters(place, params), axis=place.layout.index(step.axis), out_dtype=step.out_dtype)


def _call_binary(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    [operand] = _make_parameters(place, params)
    operands = (operand, data) if place.step.swapped else (data, operand)
    if place.step.form == "call_tir":  # as the ONNX frontend emits a Clip
        return relax.BlockBuilder.current().call_te(getattr(topi, place.step.kind), *operands)
    return getattr(relax.op, place.step.kind)(*operands)


def _call_unary(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return getattr(relax.op.nn if place.step.kind == "relu" else relax.op, place.step.kind)(data)


def _call_hardswish(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    """Return what the ONNX and PyTorch frontends emit: four ops."""
    three, six = (relax.const(number, place.dtype) for number in (3.0, 6.0))
    return relax.op.multiply(data, relax.op.divide(relax.op.clip(relax.op.add(data, three), 0, 6), six))


def _call_softsign(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.divide(data, relax.op.add(relax.op.abs(data), relax.const(1.0, place.dtype)))


def _call_hardshrink(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    half, zero = (relax.const(number, place.dtype) for number in (0.5, 0.0))
    return relax.op.where(relax.op.greater(relax.op.abs(data), half), data, zero)


def _call_leakyrelu(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.nn.leakyrelu(data, place.step.alpha)


def _call_clip(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    is_integer = place.dtype in dtypes.INTEGERS
    bounds = ((int(end) if is_integer else end) for end in (place.step.low, place.step.high))
    return relax.op.clip(data, *bounds)


def _call_astype(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.astype(data, place.step.out_dtype)


def _call_permute_dims(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.permute_dims(data, [place.layout.index(letter) for letter in after])


def _call_expand_dims(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.expand_dims(data, [i for i, letter in enumerate(after) if letter not in place.layout])


def _call_squeeze(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    return relax.op.squeeze(data, [i for i, letter in enumerate(place.layout) if letter not in after])


def _call_reshape(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    lengths = dict(zip(place.layout, data.ty.shape.values, strict=True))
    return relax.op.reshape(data, [lengths.get(letter, 1) for letter in after])


def _call_pad(place: Place, after: str, data: relax.Expr, params: Params) -> relax.Expr:
    sides = {letter: (before, after) for letter, before, after in place.step.widths}
    if place.step.form == "concat":
        return _concat(data, [(place.layout.index(x), *pair) for x, pair in sides.items()], place.step.value)
    if place.step.form != "op":
        return _CROPS[place.step.form](data, [(place.layout.index(x), *pair) for x, pair in sides.items()])
    flat = [width for letter in place.layout for width in sides.get(letter, (0, 0))]
    return relax.op.nn.pad(data, flat, pad_value=place.step.value)


Crops = list[tuple[int, int, int]]
"""(axis, width before, width after)"""


def _slice(data: relax.Expr, crops: Crops) -> relax.Expr:
    lengths = list(data.ty.shape.values)
    begin, end = [-before for _, before, _ in crops], [int(lengths[axis]) + after for axis, _, after in crops]
    return relax.op.strided_slice(data, axes=[axis for axis, _, _ in crops], begin=begin, end=end)


def _piece(data: relax.Expr, crops: Crops) -> relax.Expr:
    """Return a piece of a split: into pieces of equal length where that is possible, else into two or three."""
    if not any(before or after for _, before, after in crops):
        return _slice(data, crops)
    [(axis, before, after)] = crops
    length = int(data.ty.shape.values[axis])
    kept = length + before + after
    if length % kept == 0 and before % kept == 0:
        return relax.TupleGetItem(relax.op.split(data, length // kept, axis=axis), -before // kept)
    cuts = ([-before] if before else []) + ([length + after] if after else [])
    pieces = relax.op.split(data, cuts, axis=axis)
    return relax.TupleGetItem(pieces, 1 if before else 0)


def _take(data: relax.Expr, crops: Crops) -> relax.Expr:
    if not crops:
        return _slice(data, crops)
    [(axis, before, after)] = crops
    length = int(data.ty.shape.values[axis])
    return relax.op.take(data, relax.const(np.arange(-before, length + after), "int64"), axis=axis)


def _concat(data: relax.Expr, border: Crops, value: float) -> relax.Expr:
    """Return the data between constants of one value."""
    if not any(before or after for _, before, after in border):
        return _slice(data, border)
    [(axis, *sides)] = border
    lengths, dtype = [int(length) for length in data.ty.shape.values], str(data.ty.dtype)
    ends = [[*lengths[:axis], side, *lengths[axis + 1 :]] for side in sides]
    before, after = (
        [relax.const(np.full(end, value).astype(np.dtype(dtype)), dtype)] if end[axis] else [] for end in ends
    )
    return relax.op.concat([*before, data, *after], axis=axis)


_CROPS: dict[str, Callable[[relax.Expr, Crops], relax.Expr]] = {
    "strided_slice": _slice,
    "split": _piece,
    "take": _take,
}

_CALLS: dict[str, Callable[[Place, str, relax.Expr, Params], relax.Expr]] = {
    **dict.fromkeys(QUANTIZING, _call_quantizing),
    **dict.fromkeys(BINARY, _call_binary),
    **dict.fromkeys(UNARY, _call_unary),
    "leakyrelu": _call_leakyrelu,
    "hardswish": _call_hardswish,
    "softsign": _call_softsign,
    "hardshrink": _call_hardshrink,
    "clip": _call_clip,
    "astype": _call_astype,
    "permute_dims": _call_permute_dims,
    "expand_dims": _call_expand_dims,
    "squeeze": _call_squeeze,
    "reshape": _call_reshape,
    "pad": _call_pad,
}


# --- the consumer -------------------------------------------------------------------------------------


def call_consumer(case: Case, data: relax.Expr, weight: relax.Expr | None) -> relax.Expr:
    """Return the call of the consumer."""
    op = getattr(relax.op.nn, case.op)
    axes = case.axes
    attributes: dict[str, Any] = {
        "strides": [a.stride for a in axes],
        "padding": [a.padding[0] for a in axes] + [a.padding[1] for a in axes],
        "dilation": [a.dilation for a in axes],
    }
    if case.spec.pools:
        flags = {"ceil_mode": case.ceil_mode, "count_include_pad": case.count_include_pad}
        return op(data, pool_size=[a.kernel for a in axes], layout=case.operand_layout, **flags, **attributes)
    if case.spec.transposed:
        attributes["output_padding"] = [a.output_padding for a in axes]
    return op(
        data,
        weight,
        groups=case.groups,
        data_layout=case.operand_layout,
        kernel_layout=case.weight_layout,
        out_dtype=case.out_dtype or None,
        **attributes,
    )
