"""Memory of tensors: aligned as TVM guarantees it to kernels, and poisoned, so that unwritten elements are seen."""

from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

ALIGNMENT = 64
"""In bytes: TVM's kAllocAlignment, which its code generator may rely on."""


class Buffer:
    """A tensor at an aligned ``address``; ``dtype`` is TVM's name of its dtype."""

    __slots__ = ("_memory", "address", "array", "dtype")

    def __init__(self, shape: tuple[int, ...], dtype: str, poison: int) -> None:
        """Allocate; every byte is ``poison``."""
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
    def from_array(cls, array: npt.NDArray[Any], dtype: str | None = None) -> "Buffer":
        """Return a copy of an array."""
        buffer = cls(array.shape, dtype or str(array.dtype), 0)
        buffer.array[...] = array
        return buffer
