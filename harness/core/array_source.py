"""Arrays as Python source, exact: what a reproducer holds instead of a file beside it.

Law: ``eval(literal(array))``, where ``np``, ``inf`` and ``nan`` are what they seem to be, has the bits of ``array``,
but for the payload and the sign of a NaN.
"""

import base64
import zlib
from pprint import pformat
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_LISTED = 1024
"""Elements of an array that is written as numbers; a larger one is packed, since nobody reads that many."""

_WIDTH = 100


def array_source(array: npt.NDArray[Any]) -> str:
    """An expression that makes the array. bfloat16 needs ``ml_dtypes`` to be imported, as TVM does."""
    if array.size == 0:
        return f'np.zeros({array.shape}, "{array.dtype}")'
    if array.size > MOST_LISTED:
        return _packed(array)
    if array.dtype.name == "bfloat16":  # NumPy parses no text to it; float32 has all its values
        return f'np.array({_listed(array.astype(np.float32))}, "float32").astype("bfloat16")'
    return f'np.array({_listed(array)}, "{array.dtype}")'


def _listed(array: npt.NDArray[Any]) -> str:
    return pformat(array.tolist(), width=_WIDTH, compact=True)


def _packed(array: npt.NDArray[Any]) -> str:
    raw = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    lines = "\n".join(f'"{raw[i : i + _WIDTH]}"' for i in range(0, len(raw), _WIDTH))
    unpacked = f"np.frombuffer(zlib.decompress(base64.b64decode(\n{lines}\n)), np.uint8)"
    return f'{unpacked}.view("{array.dtype}").reshape({array.shape})'
