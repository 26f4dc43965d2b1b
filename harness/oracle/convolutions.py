"""The NumPy meaning of convolutions, plain and transposed.

    both operands --cast to the result's dtype--> windows x kernel --summed with its error bound--> Reference

Arrays are in the standard layouts: data (N, C, spatial...), weight (O, I, spatial...), transposed (I, O, spatial...).
"""

import math
from dataclasses import replace
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Axis, Case, dtypes
from foldproof.oracle.elementwise import Tensor, cast, exact_tensor
from foldproof.oracle.error_bounds import Reference, bounded_sum, exact_reference, mask_unknown
from foldproof.oracle.pads import pad_constant
from foldproof.oracle.semantics import Semantics
from foldproof.oracle.windows import gather_windows, window_counts

Array = npt.NDArray[Any]


NOT_FINITE = "not finite in a transposed convolution"


def conv(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Return the convolution of data with a weight (O, I of a group, spatial...).

    A padded weight is larger than ``axis.kernel``: its own shape counts.
    """
    assert weight is not None
    outputs, inputs = weight.shape[:2]
    kernel = weight.reshape(case.groups, outputs // case.groups, inputs, *weight.shape[2:])
    kernels = weight.shape[2:]
    axes = [
        Axis(kernel=kernel, stride=a.stride, dilation=a.dilation, padding=a.padding)
        for a, kernel in zip(case.axes, kernels, strict=True)
    ]
    return _convolve(case, data, kernel, axes, semantics, terms=inputs * math.prod(kernels))


def conv_transpose(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Convolve the mirrored kernel, at stride 1, with data that is spread by the strides.

    The spread data is padded by extent - 1 - padding. The zeros in between are multiplied and added like any other
    element, which shows where they meet an infinity.

    Args:
        case: the case.
        data: (N, C, spatial...).
        weight: (I, O of a group, spatial...).
        semantics: the choices of the IR.
    """
    assert weight is not None
    inputs, outputs = weight.shape[:2]
    kernel = weight.reshape(case.groups, inputs // case.groups, outputs, *weight.shape[2:]).swapaxes(1, 2)
    kernel = np.flip(kernel, tuple(range(3, kernel.ndim)))
    terms = math.prod(kernel.shape[2:])
    steps = [axis.dilation for axis in case.axes]
    # The zeros inside a dilated kernel matter only where they meet an infinity or NaN. Without them it is much faster.
    dense = not np.isfinite(data.value.astype(np.dtype(case.result_dtype)).astype(np.float64)).all()
    if dense and not semantics.specifies_nan:
        data = data.mark_unspecified(~np.isfinite(data.value.astype(np.dtype(case.result_dtype))), NOT_FINITE)
    if dense:
        kernel = _spread(kernel, steps)
    axes, widths = [], [(0, 0), (0, 0)]
    for axis, taps in zip(case.axes, kernel.shape[3:], strict=True):
        axes.append(Axis(kernel=taps, dilation=1 if dense else axis.dilation))
        reach = (taps - 1) * axes[-1].dilation
        widths.append((reach - axis.padding[0], reach - axis.padding[1] + axis.output_padding))
    strides = [axis.stride for axis in case.axes]
    spread = data.map_parts(lambda part: pad_constant(_spread(part, strides), widths, part.dtype.type(0)))
    return _convolve(case, spread, kernel, axes, semantics, terms=terms)


def _spread(array: Array, steps: list[int]) -> Array:
    """Insert zeros between the elements of the last axes, so that neighbours are a step apart."""
    lead = array.ndim - len(steps)
    sizes = [(n - 1) * step + 1 for n, step in zip(array.shape[lead:], steps, strict=True)]
    out = np.zeros([*array.shape[:lead], *sizes], array.dtype)
    every: list[Any] = [slice(None, None, step) for step in steps]
    out[(..., *every)] = array
    return out


def _convolve(
    case: Case, data: Tensor, kernel: Array, axes: list[Axis], semantics: Semantics, *, terms: int
) -> Reference:
    """Cast both operands to the dtype of the result, and sum their products with the error bound.

    Args:
        case: gives the dtype and the number of windows.
        data: (N, C, spatial...).
        kernel: (group, filter of a group, C of a group, taps...).
        axes: kernel, stride, dilation and padding of each spatial axis.
        semantics: the choices of the IR.
        terms: products of one sum that are not zeros inserted by this module; the error bound counts them.

    Returns:
        The result in the standard layout.
    """
    dtype = case.result_dtype
    x, is_rough_x = _cast(data, dtype, semantics)
    w, is_rough_w = _cast(exact_tensor(kernel), dtype, semantics)
    counts = window_counts(case)
    groups, filters = kernel.shape[:2]
    w = w.map_parts(lambda part: part.reshape(groups, filters, 1, -1))

    def gather(array: Array) -> Array:
        """Return the terms of each sum: (N, group, 1, output position, term)."""
        windows = gather_windows(array, axes, counts, array.dtype.type(0))
        split = windows.reshape(len(array), groups, -1, math.prod(counts), w.value.shape[-1] // kernel.shape[2])
        return split.swapaxes(2, 3).reshape(len(array), groups, 1, math.prod(counts), -1)

    elements = gather(x.value)
    if dtype in dtypes.INTEGERS:  # int64 wraps, and its low bits are those of dtype
        result = exact_reference((elements * w.value).sum(-1).astype(np.dtype(dtype)))
    else:
        result = bounded_sum(dtype, elements, w.value, terms, rough=is_rough_x or is_rough_w)
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

    A float out of the range of an integer dtype has no specified value: int8(300.0) is 44 or 127. With excess precision
    a compiler may skip the rounding of a cast. Operands that do not fit then err by u each, and those that would become
    0 or an infinity are unknown.
    """
    if dtype in dtypes.INTEGERS:
        whole = cast(tensor, dtype, semantics)
        return replace(whole, value=whole.value.astype(np.int64)), False
    source = tensor.value.astype(np.float64)
    value = tensor.value.astype(np.dtype(dtype)).astype(np.float64)
    if dtype not in semantics.excess_precision or tensor.value.dtype == np.dtype(dtype):
        return replace(tensor, value=value), False
    unrelated = np.isfinite(source) & ~(np.abs(value - source) <= np.abs(source) * 2.0 ** -dtypes.PRECISION[dtype])
    rough = bool(((value != source) & np.isfinite(source)).any())
    return replace(tensor, value=value, unknown=tensor.unknown | unrelated), rough
