"""Sliding windows: the elements that each window of a convolution or pool reads, own padding included."""

from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Axis, Case
from foldproof.oracle.pads import pad_constant

Array = npt.NDArray[Any]


def gather_windows(array: Array, axes: list[Axis], counts: list[int], value: Any) -> Array:
    """Return all windows of an array that is padded with a constant.

    Args:
        array: of shape (N, C, spatial...).
        axes: kernel, stride, dilation and own padding of each spatial axis.
        counts: number of windows along each spatial axis.
        value: the constant of own padding.

    Returns:
        A view of shape (N, C, one axis for each count, one axis for each kernel).
    """
    widths = [(0, 0), (0, 0)]
    for size, axis, count in zip(array.shape[2:], axes, counts, strict=True):
        span = (count - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
        widths.append((axis.padding[0], max(0, span - size - axis.padding[0])))  # ceil_mode may overhang padding
    whole = pad_constant(array, widths, value)
    extents = [(axis.kernel - 1) * axis.dilation + 1 for axis in axes]
    view = np.lib.stride_tricks.sliding_window_view(whole, extents, axis=tuple(range(2, array.ndim)))
    outer = [slice(0, (n - 1) * axis.stride + 1, axis.stride) for n, axis in zip(counts, axes, strict=True)]
    taps = [slice(None, None, axis.dilation) for axis in axes]
    return view[(slice(None), slice(None), *outer, *taps)]


def window_counts(case: Case) -> list[int]:
    """Return the number of windows along each spatial axis, in the order D, H, W."""
    return [case.result_dims[letter] for letter in case.spec.spatial]
