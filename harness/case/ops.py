"""The ops under test, one row each, and the plain facts about dtypes that cases, inputs and references share.

An op is a row of ``OPS``; its meaning in NumPy is chosen by ``family`` in ``foldproof.oracle.reference``.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from typing import Literal

Family = Literal["conv", "conv_transpose", "max_pool", "avg_pool"]

FLOATS = ("float32", "float16", "float64", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "int32", "int64")
DTYPES = FLOATS + INTEGERS
QUANTIZED_DTYPES = ("int8", "uint8", "int32")
ZERO_POINT_DTYPES = ("int8", "uint8", "int32")
DEQUANTIZED_DTYPES = ("float32", "float16")
REQUANTIZED_DTYPES = ("int8", "uint8")

FILLS = ("integers", "negative", "extremes", "reals", "specials", "nans")
"""Recipes for the input tensors; ``foldproof.oracle.fills`` says what each one makes."""

PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Bits of the significand, the hidden one included."""

HIGHEST = {
    "float16": 65504.0,
    "bfloat16": 2.0**128 - 2.0**120,
    "float32": 2.0**128 - 2.0**104,
    "float64": 1.7976931348623157e308,
}
"""Highest finite value."""

_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


@dataclass(frozen=True, kw_only=True)
class Op:
    """One row: ``name`` as in ``relax.op.nn``, ``rank`` counts the spatial axes."""

    name: str
    family: Family
    rank: int

    @property
    def spatial(self) -> str:
        """Letters of the spatial axes, outermost first."""
        return _SPATIAL[self.rank]

    @property
    def transposed(self) -> bool:
        return self.family == "conv_transpose"

    @property
    def weighted(self) -> bool:
        """Whether the op has a weight operand, groups and an out_dtype."""
        return self.family in ("conv", "conv_transpose")

    @property
    def pools(self) -> bool:
        return self.family in ("max_pool", "avg_pool")

    @property
    def data_layout(self) -> str:
        return "NC" + self.spatial

    @property
    def kernel_layout(self) -> str:
        if not self.weighted:
            return ""
        return ("IO" if self.transposed else "OI") + self.spatial

    @cached_property
    def data_layouts(self) -> tuple[str, ...]:
        """Layouts that TVM 0.27 legalises: every order of the letters, but one for transposed convolutions."""
        return (self.data_layout,) if self.transposed else _orders(self.data_layout)

    @cached_property
    def kernel_layouts(self) -> tuple[str, ...]:
        return (self.kernel_layout,) if not self.weighted or self.transposed else _orders(self.kernel_layout)

    def spatial_order(self, layout: str) -> str:
        """The spatial letters in the order in which ``layout`` has them."""
        return "".join(letter for letter in layout if letter in self.spatial)


@cache
def _orders(layout: str) -> tuple[str, ...]:
    """All orders of the letters, the given one first."""
    return tuple("".join(order) for order in permutations(layout))


OPS = (
    Op(name="conv1d", family="conv", rank=1),
    Op(name="conv2d", family="conv", rank=2),
    Op(name="conv3d", family="conv", rank=3),
    Op(name="conv1d_transpose", family="conv_transpose", rank=1),
    Op(name="conv2d_transpose", family="conv_transpose", rank=2),
    Op(name="conv3d_transpose", family="conv_transpose", rank=3),
    Op(name="max_pool1d", family="max_pool", rank=1),
    Op(name="max_pool2d", family="max_pool", rank=2),
    Op(name="max_pool3d", family="max_pool", rank=3),
    Op(name="avg_pool1d", family="avg_pool", rank=1),
    Op(name="avg_pool2d", family="avg_pool", rank=2),
    Op(name="avg_pool3d", family="avg_pool", rank=3),
)

NAMES = tuple(op.name for op in OPS)
BY_NAME = {op.name: op for op in OPS}


def window_count(size: int, extent: int, stride: int, padding: tuple[int, int], *, ceil_mode: bool) -> int:
    """Windows of ``extent`` elements over ``size`` elements plus ``padding``.

    With ``ceil_mode`` the last window may overhang, unless it starts at or after the end of the data
    (src/relax/op/nn/pooling.cc, InferTypePool2D).
    """
    before, after = padding
    numerator = size + before + after - extent + (stride - 1 if ceil_mode else 0)
    count = numerator // stride + 1
    if ceil_mode and (count - 1) * stride >= size + before:
        count -= 1
    return count


def int_range(dtype: str) -> tuple[int, int]:
    """Lowest and highest value of an integer dtype."""
    bits = int(dtype.lstrip("uint"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
