"""The NumPy meaning of a case: what the unfolded graph computes, and how far a right answer may be from it.

    reference(case, arrays, semantics) -> value, bound, defined      |got - value| <= bound wherever defined (``sums``)

Attributes belong to letters: stride, dilation and padding of H are those of H in every layout.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Axis, Case, Place, Widths, dtypes, ops
from foldproof.case.parameters import broadcast, constants
from foldproof.oracle.elementwise import Tensor, apply, cast, known
from foldproof.oracle.error_bounds import Reference, bounded_sum, exact, from_tensor, mask_unknown
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

NAN_IN_MAX = "NaN into max_pool"


def reference(case: Case, arrays: Arrays, semantics: Semantics) -> Reference:
    """The consumer's result on ``arrays`` (those of ``foldproof.oracle.fills``)."""
    return _result(case, evaluate_steps(case, arrays, semantics)[-1], _weight(case, arrays, semantics), semantics)


def outputs(case: Case, arrays: Arrays, semantics: Semantics) -> tuple[Reference, ...]:
    """Everything that the function returns: the result, and what ``case.uses`` asks for after it."""
    made, weight = evaluate_steps(case, arrays, semantics), _weight(case, arrays, semantics)
    tensor = made[0] if weight is None or not case.pads_weight else known(weight)
    with np.errstate(all="ignore"):
        doubled = replace(tensor, value=tensor.value + tensor.value)
    extra_outputs = {"returned": tensor, "read": doubled, "step": made[1] if case.steps else tensor}
    return (
        _result(case, made[-1], weight, semantics),
        *(from_tensor(extra_outputs[use]) for use in case.extra_outputs),
    )


def _result(case: Case, operand: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    standard = operand.each(lambda part: _relayout(part, case.data_order, case.spec.data_layout))
    if weight is not None:
        weight = _relayout(weight, case.kernel_order, case.spec.kernel_layout)
    with np.errstate(all="ignore"):  # overflow, inf - inf and wrapping are part of the meaning
        result = _FAMILIES[case.spec.family](case, standard, weight, semantics)

    def laid_out(part: Array) -> Array:
        return np.ascontiguousarray(_relayout(part, case.spec.data_layout, case.data_order))

    return Reference(
        value=laid_out(result.value),
        bound=laid_out(result.bound),
        defined=laid_out(result.defined),
        unspecified=None if result.unspecified is None else laid_out(result.unspecified),
        reasons=result.reasons,
    )


def _weight(case: Case, arrays: Arrays, semantics: Semantics) -> Array | None:
    return padded(case, arrays, semantics) if case.pads_weight else arrays.get("w")


def _relayout(array: Array, layout: str, wanted: str) -> Array:
    """From one layout to another: axes move, unit axes come and go."""
    kept = [letter for letter in layout if letter in wanted]
    lengths = dict(zip(layout, array.shape, strict=True))
    moved = array.reshape([lengths[letter] for letter in kept]).transpose([kept.index(x) for x in wanted if x in kept])
    return moved.reshape([lengths.get(letter, 1) for letter in wanted])


# --- pads and steps -----------------------------------------------------------------------------------

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def evaluate_steps(case: Case, arrays: Arrays, semantics: Semantics) -> list[Tensor]:
    """The padded data (the data, if the weight is padded), and what each step makes of it."""
    tensor = known(arrays["x"])
    for place in case.producer_places:
        tensor = _applied(place, tensor, arrays, semantics)
    if not case.pads_weight:
        widths = [case.pad_widths.get(letter, (0, 0)) for letter in case.pad_order]
        tensor = _bordered(tensor, widths, _pad_scalar(case.pad.value, case.pad_dtype), case.pad.mode)
    made = [tensor]
    for place, after in zip(case.step_places, case.orders[1:], strict=True):
        step = place.step
        if step.kind == "pad":
            sides = {letter: (before, after) for letter, before, after in step.widths}
            widths = [sides.get(letter, (0, 0)) for letter in place.order]
            tensor = _bordered(tensor, widths, _pad_scalar(step.value, place.dtype))
        elif step.source:
            tensor = tensor.each(partial(_relayout, layout=place.order, wanted=after))
        else:
            tensor = _applied(place, tensor, arrays, semantics)
        made.append(tensor)
    return made


def _applied(place: Place, tensor: Tensor, arrays: Arrays, semantics: Semantics) -> Tensor:
    parameters = constants(place)
    if not place.step.constant:
        parameters = {name: arrays[place.parameter(name)] for name in parameters}
    return apply(place.step, tensor, broadcast(place, parameters), semantics)


def padded(case: Case, arrays: Arrays, semantics: Semantics) -> Array:
    """The tensor after the pad: the data, or the weight if that is padded, in its own layout."""
    if not case.pads_weight:
        return evaluate_steps(case, arrays, semantics)[0].value
    widths = [case.pad_widths[letter] for letter in case.kernel_order]
    value = _pad_scalar(case.pad.value, case.pad_dtype)
    return _bordered(known(arrays["w"]), widths, value, case.pad.mode).value


def _bordered(tensor: Tensor, widths: list[Widths], value: Any, mode: str = "constant") -> Tensor:
    def bordered(part: Array) -> Array:
        if mode in _NUMPY_MODES:
            named: Any = _NUMPY_MODES[mode]
            return np.pad(part, widths, mode=named)
        return _pad_constant(part, widths, value if part is tensor.value else False)

    return tensor.each(bordered)


def _pad_scalar(value: float, dtype: str) -> Any:
    """Convert a pad value to its dtype: integers truncate toward zero, floats round once, from float64."""
    with np.errstate(all="ignore"):
        return np.array(int(value) if dtype in dtypes.INTEGERS else value).astype(np.dtype(dtype))


def _pad_constant(array: Array, widths: list[Widths], value: Any) -> Array:
    """Pad, or crop where a width is negative: element i of an axis is element i - before of the array, if it exists."""
    out = np.full([n + b + a for n, (b, a) in zip(array.shape, widths, strict=True)], value, array.dtype)
    to, source = [], []
    for size, length, (before, _) in zip(array.shape, out.shape, widths, strict=True):
        start = max(before, 0)
        stop = max(start, min(length, size + before))
        to.append(slice(start, stop))
        source.append(slice(start - before, stop - before))
    out[tuple(to)] = array[tuple(source)]
    return out


# --- windows ------------------------------------------------------------------------------------------


def _windows(array: Array, axes: list[Axis], counts: list[int], value: Any) -> Array:
    """All windows of ``array`` (N, C, spatial...) padded with ``value``: (N, C, one axis per count, one per kernel)."""
    widths = [(0, 0), (0, 0)]
    for size, axis, count in zip(array.shape[2:], axes, counts, strict=True):
        spanned = (count - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
        widths.append((axis.padding[0], max(0, spanned - size - axis.padding[0])))  # ceil_mode may overhang padding
    whole = _pad_constant(array, widths, value)
    extents = [(axis.kernel - 1) * axis.dilation + 1 for axis in axes]
    view = np.lib.stride_tricks.sliding_window_view(whole, extents, axis=tuple(range(2, array.ndim)))
    outer = [slice(0, (n - 1) * axis.stride + 1, axis.stride) for n, axis in zip(counts, axes, strict=True)]
    taps = [slice(None, None, axis.dilation) for axis in axes]
    return view[(slice(None), slice(None), *outer, *taps)]


def _counts(case: Case) -> list[int]:
    return [case.result_dims[letter] for letter in case.spec.spatial]


# --- convolutions -------------------------------------------------------------------------------------


def _conv(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    assert weight is not None
    outputs, inputs = weight.shape[:2]
    kernel = weight.reshape(case.groups, outputs // case.groups, inputs, *weight.shape[2:])
    kernels = weight.shape[2:]
    axes = [
        Axis(kernel=kernel, stride=a.stride, dilation=a.dilation, padding=a.padding)
        for a, kernel in zip(case.axes, kernels, strict=True)  # a padded weight is larger than axis.kernel
    ]
    return _convolve(case, data, kernel, axes, semantics, terms=inputs * math.prod(kernels))


def _conv_transpose(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Convolve data spread out by stride and padded by extent - 1 - padding with the mirrored kernel, stride 1.

    The zeros between are multiplied and added like any others, which shows where they meet an infinity.
    """
    assert weight is not None
    inputs, outputs = weight.shape[:2]
    kernel = weight.reshape(case.groups, inputs // case.groups, outputs, *weight.shape[2:]).swapaxes(1, 2)
    kernel = np.flip(kernel, tuple(range(3, kernel.ndim)))
    terms = math.prod(kernel.shape[2:])
    steps = [axis.dilation for axis in case.axes]
    # The zeros inside a dilated kernel count only where they meet an infinity or NaN; without them it is much faster.
    dense = not np.isfinite(data.value.astype(np.dtype(case.result_dtype)).astype(np.float64)).all()
    if dense:
        kernel = _spread(kernel, steps)
    axes, widths = [], [(0, 0), (0, 0)]
    for axis, taps in zip(case.axes, kernel.shape[3:], strict=True):
        axes.append(Axis(kernel=taps, dilation=1 if dense else axis.dilation))
        reach = (taps - 1) * axes[-1].dilation
        widths.append((reach - axis.padding[0], reach - axis.padding[1] + axis.output_padding))
    strides = [axis.stride for axis in case.axes]
    spread = data.each(lambda part: _pad_constant(_spread(part, strides), widths, part.dtype.type(0)))
    return _convolve(case, spread, kernel, axes, semantics, terms=terms)


def _spread(array: Array, steps: list[int]) -> Array:
    """Zeros between the elements of the last axes, so that neighbours come to be a step apart."""
    lead = array.ndim - len(steps)
    sizes = [(n - 1) * step + 1 for n, step in zip(array.shape[lead:], steps, strict=True)]
    out = np.zeros([*array.shape[:lead], *sizes], array.dtype)
    every: list[Any] = [slice(None, None, step) for step in steps]
    out[(..., *every)] = array
    return out


def _convolve(
    case: Case, data: Tensor, kernel: Array, axes: list[Axis], semantics: Semantics, *, terms: int
) -> Reference:
    """``data`` (N, C, spatial...) with ``kernel`` (group, filter, C of a group, taps...): both cast, then summed."""
    dtype = case.result_dtype
    x, rough_x = _cast(data, dtype, semantics)
    w, rough_w = _cast(known(kernel), dtype, semantics)
    counts = _counts(case)
    groups, filters = kernel.shape[:2]
    w = w.each(lambda part: part.reshape(groups, filters, 1, -1))

    def gather(array: Array) -> Array:
        """(N, group, 1, output position, term)."""
        windows = _windows(array, axes, counts, array.dtype.type(0))
        split = windows.reshape(len(array), groups, -1, math.prod(counts), w.value.shape[-1] // kernel.shape[2])
        return split.swapaxes(2, 3).reshape(len(array), groups, 1, math.prod(counts), -1)

    gathered = gather(x.value)
    if dtype in dtypes.INTEGERS:  # int64 wraps, and its low bits are those of dtype
        result = exact((gathered * w.value).sum(-1).astype(np.dtype(dtype)))
    else:
        result = bounded_sum(dtype, gathered, w.value, terms, rough=rough_x or rough_w)
    if x.unknown.any() or w.unknown.any():
        unspecified = np.asarray(gather(x.unspecified).any(-1) | w.unspecified.any(-1))
        unknown = np.asarray(gather(x.unknown).any(-1) | w.unknown.any(-1))
        result = mask_unknown(result, unknown, unspecified, (*x.reasons, *w.reasons))
    shape = [len(data.value), groups * filters, *counts]
    return Reference(
        value=result.value.reshape(shape),
        bound=result.bound.reshape(shape),
        defined=result.defined.reshape(shape),
        unspecified=None if result.unspecified is None else result.unspecified.reshape(shape),
        reasons=result.reasons,
    )


def _cast(tensor: Tensor, dtype: str, semantics: Semantics) -> tuple[Tensor, bool]:
    """Cast ``tensor`` to ``dtype``, held in int64 or float64; return also whether its rounding may be skipped.

    Float to integer, out of range, has no meaning (int8(300.0) is 44 or 127, as the optimiser likes). With excess
    precision the rounding of a cast may be skipped, so operands that do not fit err by u each, and those that would
    become 0 or an infinity are not known.
    """
    if dtype in dtypes.INTEGERS:
        whole = cast(tensor, dtype, semantics)
        return replace(whole, value=whole.value.astype(np.int64)), False
    source = tensor.value.astype(np.float64)
    value = tensor.value.astype(np.dtype(dtype)).astype(np.float64)
    if dtype not in semantics.excess_precision or tensor.value.dtype == np.dtype(dtype):
        return replace(tensor, value=value), False
    strange = np.isfinite(source) & ~(np.abs(value - source) <= np.abs(source) * 2.0 ** -dtypes.PRECISION[dtype])
    rough = bool(((value != source) & np.isfinite(source)).any())
    return replace(tensor, value=value, unknown=tensor.unknown | strange), rough


# --- pools --------------------------------------------------------------------------------------------


def _max_pool(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Reduce with the maximum of the semantics over D, H, W, from the lowest value on."""
    neutral = semantics.lowest(case.operand_dtype)
    windows = _taps(_windows(data.value, list(case.axes), _counts(case), neutral))
    value = np.full(windows.shape[:-1], neutral, data.value.dtype)
    for tap in np.moveaxis(windows, -1, 0):
        value = semantics.maximum(value, tap)
    unknown, unspecified = _read(case, data)
    lost = np.isnan(windows).any(-1) & (windows.shape[-1] > 1 and not semantics.max_of_nan_is_specified)
    reasons = ((NAN_IN_MAX,) if lost.any() else ()) + (data.reasons if unspecified.any() else ())
    return mask_unknown(exact(value), unknown | lost, unspecified | lost, reasons)


def _read(case: Case, data: Tensor) -> tuple[Array, Array]:
    """Which windows read an element that is unsure, and one that is open."""

    def read(part: Array) -> Array:
        if not part.any():
            return np.asarray(False)
        return np.asarray(_taps(_windows(part, list(case.axes), _counts(case), False)).any(-1))

    return read(data.unknown), read(data.unspecified)


def _taps(windows: Array) -> Array:
    """The kernel axes as one, D before H before W."""
    rank = (windows.ndim - 2) // 2
    return windows.reshape(*windows.shape[: 2 + rank], -1)


def _avg_pool(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    dtype = data.value.dtype
    windows = _taps(_windows(data.value, list(case.axes), _counts(case), dtype.type(0)))
    return mask_unknown(_average(case, windows, dtype, semantics), *_read(case, data), data.reasons)


def _average(case: Case, windows: Array, dtype: np.dtype[Any], semantics: Semantics) -> Reference:
    count = _divisor(case)
    if case.result_dtype in dtypes.INTEGERS:
        # The sum wraps in a dtype that may depend on own padding. The quotient truncates, in int64.
        overhangs = [a.stride - 1 if case.ceil_mode else 0 for a in case.axes]  # ceil_mode pads so much more after
        widened = any(a.padding[0] or a.padding[1] + more for a, more in zip(case.axes, overhangs, strict=True))
        narrow = np.dtype(semantics.average_sum_dtype(dtype.name, widened))
        total = windows.astype(np.int64).sum(-1).astype(narrow).astype(np.int64)
        quotient = total // count + ((total < 0) & (total % count != 0))
        return exact(quotient.astype(dtype))
    return bounded_sum(case.result_dtype, windows.astype(np.float64), np.ones(1), windows.shape[-1], count=count)


def _divisor(case: Case) -> Array:
    """How many elements a window divides by: the real ones, or with count_include_pad those within the padding too.

    The overhang of ceil_mode is never counted.
    """
    count: Array = np.ones(1, np.int64)
    for letter, axis in case.lettered_axes:
        size = case.operand_dims[letter]
        start = np.arange(case.result_dims[letter]) * axis.stride - axis.padding[0]
        end = np.minimum(start + (axis.kernel - 1) * axis.dilation, size - 1)
        if case.count_include_pad:
            end = np.minimum(start + (axis.kernel - 1) * axis.dilation, size + axis.padding[1] - 1)
        else:
            start = start + axis.dilation * np.maximum(-(start // axis.dilation), 0)  # the first tap in the data
        count = count[..., None] * np.maximum((end - start) // axis.dilation + 1, 0)
    return np.maximum(count, 1).reshape(_counts(case))  # a window wholly in the padding: 0 / 1


_FAMILIES: dict[ops.Family, Callable[[Case, Tensor, Array | None, Semantics], Reference]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
}
