"""A site of a model as a Case: the same pad, ops and consumer, on tensors as small as the geometry allows.

Lengths become small, and stay equal to the true ones modulo the stride, so that the last windows end alike.
Channels and filters become two for each group. Weights are drawn from the seed of the case.
"""

import math
from typing import Any

from tvm import relax

from foldproof.case import Axis, Case, Pad, Step, ops
from foldproof.case.step import BINARY, STEP_KINDS, UNARY
from foldproof.fold import Consumer, facts
from foldproof.fold.reader import CALL_TIR, op_name, read_consumer, shape_of
from foldproof.ir.relax.ir import RELAX
from foldproof.model.pads import Place

MOST_PRODUCERS = 4
"""The most steps before a pad that a case has."""

MOST_GROUPS, MOST_CHANNELS = 2, 2
"""The most groups of a scaled case, and the most channels and filters of a group."""


class NotExpressible(ValueError):  # noqa: N818, nothing is wrong with the model
    """A site that a Case cannot express; the message is the reason."""


def as_case(place: Place) -> Case:
    """Return a site as a scaled case.

    Raises:
        NotExpressible: If a Case cannot express it.
    """
    call = None if place.user is None else place.bindings.values.get(place.user)
    consumer = read_consumer(call, place.operand, "return")
    if consumer.family == "other":
        raise NotExpressible(f"{consumer.op} is not a convolution or pool")
    if place.operand != 0:
        raise NotExpressible("the pad is on the weight, and is not scaled")
    if place.facts.widths is None:
        raise NotExpressible("the widths of the pad are not constant")
    shape = shape_of(place.bindings.source(place.path.pad))
    if shape is None or len(shape) != len(consumer.layout):
        raise NotExpressible("an op between pad and consumer changes the number of axes")
    try:
        case = _build(place, call, consumer, shape)
    except ValueError as error:
        raise NotExpressible(str(error)) from error
    if reason := RELAX.supported(case):
        raise NotExpressible(reason)
    return case


def _build(place: Place, call: Any, consumer: Consumer, shape: list[Any]) -> Case:
    spec = ops.BY_NAME[consumer.op]
    widths = dict(zip(consumer.layout, place.facts.widths or (), strict=True))
    lengths = dict(zip(consumer.layout, map(_whole, shape), strict=True))
    kernel = _kernel_of(call, consumer)
    padding = consumer.padding
    axes = tuple(
        _scale_axis(
            Axis(
                size=_size_of(lengths[letter]),
                pad=widths[letter],
                kernel=kernel[i],
                stride=consumer.strides[i],
                dilation=consumer.dilation[i],
                padding=(padding[i], padding[len(padding) // 2 + i]),
                output_padding=int(call.attrs.output_padding[i]) if spec.transposed else 0,
            )
        )
        for i, letter in enumerate(spec.spatial)
    )
    if consumer.spatial != spec.spatial:
        raise NotExpressible("its spatial axes have another order")
    channels, filters, groups = _scale_channels(call, consumer, lengths["C"], widths["C"])
    steps = tuple(_as_step(place, i, consumer.layout, channels) for i in range(len(place.path.steps)))
    producers, dtype = _producers_of(place, consumer)
    operand_dtype = str(call.args[0].ty.dtype)
    weight_dtype = str(call.args[1].ty.dtype) if spec.weighted else operand_dtype
    form = "call_tir" if op_name(place.bindings.values[place.path.pad]) == CALL_TIR else "op"
    return Case(
        op=consumer.op,
        axes=axes,
        dtype=dtype,
        pad=Pad(
            value=float(place.facts.value), mode=place.facts.mode, batch=widths["N"], channel=widths["C"], form=form
        ),
        producers=producers,
        steps=steps,
        channels=channels,
        filters=filters,
        groups=groups,
        data_layout="" if consumer.layout == spec.data_layout else consumer.layout,
        kernel_layout="" if consumer.kernel_layout == spec.kernel_layout else consumer.kernel_layout,
        weight_dtype="" if weight_dtype == operand_dtype else weight_dtype,
        out_dtype="" if consumer.out_dtype in ("", operand_dtype) else consumer.out_dtype,
        constant_weight=spec.weighted and hasattr(call.args[1], "value"),
        symbolic=tuple(letter for letter in consumer.layout if lengths[letter] is None),
        ceil_mode=consumer.ceil_mode,
        count_include_pad=consumer.count_include_pad,
        fills=("integers", "negative"),
    )


def _whole(length: Any) -> int | None:
    return int(length) if isinstance(length, int) or hasattr(length, "value") else None


# --- lengths ------------------------------------------------------------------------------------------


def _size_of(length: int | None) -> int:
    """Return a length; a symbolic one becomes some length, which ``_scale_axis`` makes small."""
    return 64 if length is None else length


def _scale_axis(axis: Axis) -> Axis:
    """Return the axis with the smallest length that has a window of data alone, and ends like the true one."""
    extent = (axis.kernel - 1) * axis.dilation + 1
    cropped = sum(max(0, -width) for width in (*axis.pad, *axis.padding))
    enough = extent + axis.stride + cropped
    size = axis.size if axis.size <= enough else enough + (axis.size - enough) % axis.stride
    return Axis(**{name: getattr(axis, name) for name in _AXIS_FIELDS} | {"size": size})


_AXIS_FIELDS = ("size", "pad", "kernel", "stride", "dilation", "padding", "output_padding")


def _kernel_of(call: Any, consumer: Consumer) -> tuple[int, ...]:
    if consumer.kernel:
        return consumer.kernel
    shape = shape_of(call.args[1])
    if shape is None or any(_whole(length) is None for length in shape):
        raise NotExpressible("the shape of its weight is not constant")
    lengths = dict(zip(consumer.kernel_layout, map(int, shape), strict=True))
    return tuple(lengths[letter] for letter in consumer.spatial)


def _scale_channels(call: Any, consumer: Consumer, length: int | None, widths: tuple[int, int]) -> tuple[int, int, int]:
    """Return channels, filters and groups of the scaled case."""
    if length is None:
        raise NotExpressible("the number of its channels is symbolic")
    if consumer.family.endswith("_pool"):
        return min(length, MOST_CHANNELS), 1, 1
    weight = dict(zip(consumer.kernel_layout, map(int, shape_of(call.args[1]) or ()), strict=True))
    groups = min(consumer.groups, MOST_GROUPS)
    transposed = consumer.family == "conv_transpose"
    of_group = weight["O"] if transposed else weight["O"] // consumer.groups
    filters = groups * min(of_group, MOST_CHANNELS)
    if any(widths):
        if consumer.groups > 1:
            raise NotExpressible("the pad is on channels of a grouped convolution, which is not scaled")
        return min(length, MOST_CHANNELS), filters, groups
    return groups * min(length // consumer.groups, MOST_CHANNELS), filters, groups


# --- steps --------------------------------------------------------------------------------------------


def _as_step(place: Place, number: int, layout: str, channels: int) -> Step:
    var, step, _ = place.path.steps[number]
    return _convert_step(step, place.bindings.values[var], layout, channels)


def _producers_of(place: Place, consumer: Consumer) -> tuple[tuple[Step, ...], str]:
    """Return the steps before the pad of a max_pool, since they bound its data, and the dtype that they read."""
    bindings = place.bindings
    kept: list[Step] = []
    var = bindings.alias(bindings.source(place.path.pad))
    while consumer.family == "max_pool" and len(kept) < MOST_PRODUCERS:
        found = bindings.step(var) if isinstance(var, relax.Var) else None
        if found is None or not isinstance(found[0], facts.Unary | facts.Clip) or found[0].dtype != place.facts.dtype:
            break
        call = bindings.values[var]
        if op_name(call) == CALL_TIR:
            break
        kept.append(_convert_step(found[0], None, consumer.layout, 1))
        var = bindings.alias(call.args[found[1]])
    return tuple(reversed(kept)), place.facts.dtype


def _convert_step(step: facts.Step, call: Any, layout: str, channels: int) -> Step:
    name = step.op.removeprefix("nn.")
    if isinstance(step, facts.Unary) and name == "leakyrelu":
        return Step(kind=name, alpha=float(step.alpha))
    if isinstance(step, facts.Unary) and name in UNARY:
        return Step(kind=name)
    if isinstance(step, facts.Cast):
        return Step(kind="astype", out_dtype=step.dtype)
    if isinstance(step, facts.Clip) and _is_finite(step.low) and _is_finite(step.high):
        return Step(kind="clip", low=float(step.low or 0.0), high=float(step.high or 0.0))
    if isinstance(step, facts.Binary) and name in BINARY:
        values, axis = _operand_of(step.other, layout, channels, name)
        return Step(kind=name, operand=tuple(map(float, values)), axis=axis, swapped=step.swapped)
    if isinstance(step, facts.Quantization):
        scale, axis = _operand_of(step.scale, layout, channels, name)
        zero_point, other = _operand_of(step.zero_point, layout, channels, name)
        return Step(
            kind=name,
            scale=tuple(map(float, scale)),
            zero_point=tuple(map(int, zero_point)),
            zero_point_dtype=str(call.args[2].ty.dtype),
            axis=axis if len(scale) > 1 else other,
            out_dtype=step.dtype,
        )
    known = "" if name not in STEP_KINDS else " of this form"
    raise NotExpressible(f"a case has no step {name}{known}")


def _is_finite(bound: float | None) -> bool:
    return bound is not None and math.isfinite(bound)


def _operand_of(operand: facts.Operand, layout: str, channels: int, op: str) -> tuple[tuple[float, ...], str]:
    """Return the numbers of an operand, and the letter of the axis that they follow."""
    if operand.flat is None or operand.shape is None:
        raise NotExpressible(f"the operand of {op} is not a constant")
    if len(set(operand.flat)) == 1:
        return operand.flat[:1], "C"
    long = [axis for axis, length in enumerate(operand.shape) if length != 1]
    if len(long) != 1 or layout[long[0]] != "C":
        raise NotExpressible(f"the operand of {op} varies along other axes than the channels")
    return operand.flat[:channels], "C"
