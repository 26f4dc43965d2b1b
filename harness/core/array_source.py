"""Arrays as exact Python source: a reproducer embeds its data.

Invariant: ``eval(array_source(array))`` has the bits of ``array``, except for the payload and the sign of a NaN.
"""

import base64
import zlib
from pprint import pformat
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_LISTED = 1024
"""Number of elements up to which an array is written as numbers; a larger one is packed."""

_WIDTH = 100


def array_source(array: npt.NDArray[Any]) -> str:
    """Return an expression that evaluates to the array. For bfloat16, ``ml_dtypes`` must be imported."""
    if array.size == 0:
        return f'np.zeros({array.shape}, "{array.dtype}")'
    if array.size > MOST_LISTED:
        return _pack(array)
    if array.dtype.name == "bfloat16":  # NumPy cannot parse it; float32 has all its values
        return f'np.array({_list_numbers(array.astype(np.float32))}, "float32").astype("bfloat16")'
    return f'np.array({_list_numbers(array)}, "{array.dtype}")'


def _list_numbers(array: npt.NDArray[Any]) -> str:
    return pformat(array.tolist(), width=_WIDTH, compact=True)


def _pack(array: npt.NDArray[Any]) -> str:
    raw = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    lines = "\n".join(f'"{raw[i : i + _WIDTH]}"' for i in range(0, len(raw), _WIDTH))
    unpacked = f"np.frombuffer(zlib.decompress(base64.b64decode(\n{lines}\n)), np.uint8)"
    return f'{unpacked}.view("{array.dtype}").reshape({array.shape})'
