"""The NumPy meaning of pools: a maximum that rounds nothing, and an average with its divisor.

Arrays are in the standard layout: (N, C, spatial...).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, dtypes
from foldproof.oracle.elementwise import Tensor
from foldproof.oracle.error_bounds import Reference, bounded_sum, exact_reference, mask_unknown
from foldproof.oracle.semantics import Semantics
from foldproof.oracle.windows import gather_windows, window_counts

Array = npt.NDArray[Any]

NAN_IN_MAX = "NaN into max_pool"
LOWEST_IN_MAX = "max_pool of lowest values only"


def max_pool(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Reduce each window with the maximum of the semantics, in the order D, H, W, starting from the lowest value."""
    neutral = semantics.lowest(case.operand_dtype)
    windows = _merge_taps(gather_windows(data.value, list(case.axes), window_counts(case), neutral))
    value = np.full(windows.shape[:-1], neutral, data.value.dtype)
    for tap in np.moveaxis(windows, -1, 0):
        value = semantics.maximum(value, tap)
    unknown, unspecified = _reads_unknown(case, data)
    lost = np.isnan(windows).any(-1) & (windows.shape[-1] > 1 and not semantics.max_of_nan_is_specified)
    reasons = ((NAN_IN_MAX,) if lost.any() else ()) + (data.reasons if unspecified.any() else ())
    if not semantics.specifies_lowest and case.operand_dtype in dtypes.FLOATS:
        lowest = value.astype(np.float64) <= -dtypes.HIGHEST[case.operand_dtype]
        reasons += (LOWEST_IN_MAX,) if lowest.any() else ()
        lost = lost | lowest
    return mask_unknown(exact_reference(value), unknown | lost, unspecified | lost, reasons)


def _reads_unknown(case: Case, data: Tensor) -> tuple[Array, Array]:
    """Return which windows read an unknown element, and which read an unspecified one."""

    def reads(part: Array) -> Array:
        if not part.any():
            return np.asarray(False)
        return np.asarray(_merge_taps(gather_windows(part, list(case.axes), window_counts(case), False)).any(-1))

    return reads(data.unknown), reads(data.unspecified)


def _merge_taps(windows: Array) -> Array:
    """Merge the kernel axes into one, D before H before W."""
    rank = (windows.ndim - 2) // 2
    return windows.reshape(*windows.shape[: 2 + rank], -1)


def avg_pool(case: Case, data: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    """Return the average of each window, with the error bound of its sum."""
    dtype = data.value.dtype
    windows = _merge_taps(gather_windows(data.value, list(case.axes), window_counts(case), dtype.type(0)))
    return mask_unknown(_average(case, windows, dtype, semantics), *_reads_unknown(case, data), data.reasons)


def _average(case: Case, windows: Array, dtype: np.dtype[Any], semantics: Semantics) -> Reference:
    divisor = _divisor(case)
    if case.result_dtype in dtypes.INTEGERS:
        # The sum wraps in a dtype that may depend on own padding. The quotient truncates, in int64.
        narrow = np.dtype(semantics.average_sum_dtype(dtype.name, has_padding(case)))
        total = windows.astype(np.int64).sum(-1).astype(narrow).astype(np.int64)
        quotient = total // divisor + ((total < 0) & (total % divisor != 0))
        return exact_reference(quotient.astype(dtype))
    return bounded_sum(case.result_dtype, windows.astype(np.float64), np.ones(1), windows.shape[-1], divisor=divisor)


def has_padding(case: Case) -> bool:
    """Whether a pool has padding of its own, the overhang of ``ceil_mode`` included."""
    overhangs = [axis.stride - 1 if case.ceil_mode else 0 for axis in case.axes]
    return any(a.padding[0] or a.padding[1] + more for a, more in zip(case.axes, overhangs, strict=True))


def _divisor(case: Case) -> Array:
    """Return the number of elements that the sum of each window is divided by, in the shape of the windows.

    Those are the elements of the data, and with ``count_include_pad`` those of the padding too. The overhang of
    ``ceil_mode`` is never counted.
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
    return np.maximum(count, 1).reshape(window_counts(case))  # a window of padding alone: 0 / 1
