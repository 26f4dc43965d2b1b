"""Pads and crops of arrays: what an explicit pad makes of a tensor, its masks included."""

from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Widths, dtypes
from foldproof.oracle.elementwise import Tensor

Array = npt.NDArray[Any]

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def apply_pad(tensor: Tensor, widths: list[Widths], value: Any, mode: str = "constant") -> Tensor:
    """Pad a tensor and its masks. The border is known, unless it mirrors unknown elements.

    Args:
        tensor: the tensor before the pad.
        widths: (before, after) of each axis, in the order of the tensor's axes. Negative widths crop.
        value: the pad value, in the dtype of the tensor (``pad_scalar``). Mirrored modes do not read it.
        mode: a pad mode of ``foldproof.case.MODES``. Any other string means ``constant``.
    """

    def pad_part(part: Array) -> Array:
        if mode in _NUMPY_MODES:
            numpy_mode: Any = _NUMPY_MODES[mode]
            return np.pad(part, widths, mode=numpy_mode)
        return pad_constant(part, widths, value if part is tensor.value else False)

    return tensor.map_parts(pad_part)


def pad_scalar(value: float, dtype: str) -> Any:
    """Convert a pad value to its dtype: integers truncate toward zero, floats round once, from float64."""
    with np.errstate(all="ignore"):
        return np.array(int(value) if dtype in dtypes.INTEGERS else value).astype(np.dtype(dtype))


def pad_constant(array: Array, widths: list[Widths], value: Any) -> Array:
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
