"""Memory of tensors: aligned as TVM promises its kernels, and poisoned, so that what no kernel wrote shows."""

from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

ALIGNMENT = 64
"""Bytes: TVM's kAllocAlignment, which its code generator may rely on."""


class Buffer:
    """A tensor at an aligned ``address``; ``dtype`` is TVM's name of its element type."""

    __slots__ = ("_memory", "address", "array", "dtype")

    def __init__(self, shape: tuple[int, ...], dtype: str, poison: int) -> None:
        """Every byte is ``poison`` at first."""
        element = np.dtype(dtype)
        size = element.itemsize
        for length in shape:
            size *= length
        self._memory = np.full(size + ALIGNMENT, poison, np.uint8)
        start = self._memory.__array_interface__["data"][0]
        self.address = -(-start // ALIGNMENT) * ALIGNMENT
        offset = self.address - start
        self.array: npt.NDArray[Any] = self._memory[offset : offset + size].view(element).reshape(shape)
        self.dtype = dtype

    @classmethod
    def of(cls, array: npt.NDArray[Any], dtype: str | None = None) -> "Buffer":
        """A copy of an array."""
        buffer = cls(array.shape, dtype or str(array.dtype), 0)
        buffer.array[...] = array
        return buffer
