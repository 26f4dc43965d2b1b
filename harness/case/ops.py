"""The ops under test: a row of ``OPS`` each.

The ``family`` of an op selects its NumPy meaning (``foldproof.oracle.reference``).
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from typing import Literal

Family = Literal["conv", "conv_transpose", "max_pool", "avg_pool"]

FILLS = ("integers", "negative", "extremes", "reals", "specials", "nans")
"""The names of the recipes for input tensors (``foldproof.oracle.fills``)."""

_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


@dataclass(frozen=True, kw_only=True)
class Op:
    """One op.

    Args:
        name: its name.
        family: its meaning.
        rank: the number of its spatial axes.
    """

    name: str
    family: Family
    rank: int

    @property
    def spatial(self) -> str:
        """The letters of the spatial axes, outermost first."""
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
        """Every order of the letters, the standard layout first."""
        return _orders(self.data_layout)

    @cached_property
    def kernel_layouts(self) -> tuple[str, ...]:
        """Every order of the letters, the standard layout first; only ``""`` for pools."""
        return _orders(self.kernel_layout) if self.weighted else ("",)

    def spatial_order(self, layout: str) -> str:
        """Return the spatial letters in the order of ``layout``."""
        return "".join(letter for letter in layout if letter in self.spatial)


@cache
def _orders(layout: str) -> tuple[str, ...]:
    """Return all orders of the letters, the given one first."""
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
    """Return the number of windows along one axis.

    With ``ceil_mode`` the last window may overhang, unless it starts at or after the end of the data. That is PyTorch's
    rule, which ONNX and the graph compilers share.

    Args:
        size: the elements of the data.
        extent: the elements that one window spans, dilation included.
        stride: the distance between windows.
        padding: the widths (before, after) that the op adds.
        ceil_mode: whether the last window may overhang.
    """
    before, after = padding
    numerator = size + before + after - extent + (stride - 1 if ceil_mode else 0)
    count = numerator // stride + 1
    if ceil_mode and (count - 1) * stride >= size + before:
        count -= 1
    return count
