"""Strategies for plain values: pad values, dtypes, layouts, zero points, fills.

Invariant: only ``sampled_from``, booleans and integers within +-99 are drawn. Hypothesis mixes literals of the user's
modules into wider integers and floats, so that importing a pass would change the cases of a seed. ``sampled_from``
draws an integer too, so ``member_of`` replaces it for more than 100 values. Each strategy is cached, because
Hypothesis validates every new one, which would take a third of the drawing time.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from foldproof.case import dtypes, ops
from foldproof.case.records import require

SEEDS = st.integers(0, 99)

UNKNOWN_MODES = ("edge", "symmetric", "Constant")
"""Strings that TVM treats as ``constant``."""

UNDERFLOWING = {"float16": 1e-9, "float32": 1e-60, "bfloat16": 1e-60}
"""Values that are 0 in the dtype of the tensor, but not as the double of the attribute."""

NEARLY_LOWEST = (
    ("float32", -dtypes.HIGHEST["float16"]),
    ("bfloat16", -dtypes.HIGHEST["bfloat16"]),
    ("float64", -dtypes.HIGHEST["float32"]),
    ("float16", -65472.0),
    ("int8", -127.0),
    ("int16", -128.0),
    ("int32", -32768.0),
    ("int64", -(2.0**31)),
    ("uint8", 1.0),
)
"""(dtype, value) just above what never wins in a max_pool: its neighbour, or the lowest value of a narrower dtype."""

OUT_DTYPES = {
    "float16": ("", "float32", "float64"),
    "bfloat16": ("", "float32"),
    "float32": ("", "float64"),
    "float64": ("", "float32"),
    "int8": ("int32", "", "float32", "int64"),
    "uint8": ("int32", "", "float64"),
    "int16": ("int32", "", "float32"),
    "int32": ("", "int64"),
    "int64": ("",),
}
"""Output dtypes of a convolution per dtype of its data, the usual one first; '' is the dtype of the data."""


@cache
def operand_dtypes(*, quantized: bool = False) -> st.SearchStrategy[str]:
    """Draw dtypes of the data, the usual one first."""
    return st.sampled_from(dtypes.QUANTIZED_DTYPES if quantized else dtypes.DTYPES)


T = TypeVar("T")


def member_of(values: Sequence[T]) -> st.SearchStrategy[T]:
    """Draw one of up to 500 values, each with the same probability within 5 %.

    Raises:
        ValueError: For more than 500 values.
    """
    if len(values) <= 100:
        return st.sampled_from(values)
    require(len(values) <= 500, f"{len(values)} values to choose from are more than 500")
    return st.tuples(_DIGITS, _DIGITS).map(lambda digits: values[(100 * digits[0] + digits[1]) % len(values)])


_DIGITS = st.integers(0, 99)


@cache
def data_layouts(spec: ops.Op, *, ordered: bool = True) -> st.SearchStrategy[str]:
    """Draw data layouts; half of the draws are the standard one or channels last.

    ``ordered`` keeps the spatial letters of a convolution in the order D, H, W. TVM contradicts itself for other orders
    (``foldproof.ir.relax.known_issues``). Pools are right in every order.
    """
    every = (spec.data_layout,) if spec.transposed else spec.data_layouts  # Relax takes no other
    if ordered and spec.family != "max_pool" and spec.family != "avg_pool":
        every = tuple(layout for layout in every if spec.spatial_order(layout) == spec.spatial)
    last = "N" + spec.spatial + "C"
    usual = (spec.data_layout, last) if last in every else (spec.data_layout,)
    return st.one_of(st.sampled_from(usual), member_of(every))


@cache
def kernel_layouts(spec: ops.Op, *, ordered: bool = True) -> st.SearchStrategy[str]:
    """Draw kernel layouts, see ``data_layouts``; '' for pools."""
    every = (spec.kernel_layout,) if spec.transposed else spec.kernel_layouts
    if ordered:
        every = tuple(layout for layout in every if spec.spatial_order(layout) == spec.spatial)
    last = spec.spatial + "IO"
    usual = (every[0], last) if last in every else (every[0],)
    return st.one_of(st.sampled_from(usual), member_of(every))


@cache
def zeros(dtype: str) -> st.SearchStrategy[float]:
    """Draw pad values that are 0 in ``dtype``: 0.0, -0.0, fractions that truncate, values that underflow."""
    values = [0.0, -0.0]
    if dtype in dtypes.INTEGERS:
        values += [0.5, 0.99] + ([] if dtype.startswith("u") else [-0.5, -0.99])
        if dtype.startswith("u"):
            values.remove(-0.0)
    elif dtype in UNDERFLOWING:
        values.append(UNDERFLOWING[dtype])
    return st.sampled_from(values)


@cache
def nonzeros(dtype: str) -> st.SearchStrategy[float]:
    """Draw pad values that are not 0 in ``dtype``: small, fractions, extremes, infinities and NaN."""
    if dtype in dtypes.INTEGERS:
        low, high = dtypes.int_range(dtype)
        most = float(high if high < 2**53 else 2**53)
        values = [1.0, 2.0, 1.99, 127.0, most]
        if low < 0:
            values += [-1.0, -2.0, -1.5, -128.0, float(low)]
        return st.sampled_from(values)
    highest = dtypes.HIGHEST[dtype]
    smallest = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 5e-324}[dtype]
    return st.sampled_from([1.0, -1.0, 0.5, -3.0, highest, -highest, smallest, math.inf, -math.inf, math.nan])


@cache
def lowest(dtype: str) -> st.SearchStrategy[float]:
    """Draw pad values that never win in a max_pool of ``dtype``."""
    if dtype in dtypes.INTEGERS:
        return st.sampled_from([float(dtypes.int_range(dtype)[0])])
    if dtype == "bfloat16":
        return st.sampled_from([-math.inf, -dtypes.HIGHEST["float32"]])
    return st.sampled_from([-math.inf, -dtypes.HIGHEST[dtype]])


@cache
def above_lowest(dtype: str) -> st.SearchStrategy[float]:
    """Draw pad values that win in a max_pool of small enough data; the neighbour of the lowest value is one of them."""
    if dtype in dtypes.INTEGERS:
        low, high = dtypes.int_range(dtype)
        return st.sampled_from(
            [0.0 if low < 0 else 1.0, float(low + 1) if low > -(2**53) else -(2.0**53), 1.0, float(min(high, 2**53))]
        )
    neighbour = {"float16": -65472.0, "bfloat16": -dtypes.HIGHEST["bfloat16"]}.get(dtype, -dtypes.HIGHEST[dtype] * 0.75)
    return st.sampled_from([0.0, neighbour, 0.0, -1.0, 0.0, 1.0, -0.0, math.inf, math.nan])


@cache
def zero_points(dtype: str) -> st.SearchStrategy[int]:
    """Draw zero points that ``dtype`` can hold; not only 0, so that a confusion with 0 shows."""
    if dtype == "uint8":
        return st.sampled_from([3, 128, 1, 255, 0, 130])
    return st.sampled_from([3, -5, 1, -128, 127, 0])


@cache
def fills(family: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw one to three fills, first one that exposes padding. NaN is rare: TVM leaves it unspecified in max_pool."""
    first = "negative" if family == "max_pool" else "integers"
    second = st.sampled_from(["negative", "extremes", "reals", "specials", "integers"])
    third = st.sampled_from(["", "reals", "specials", "extremes", "", "negative", "", "nans"])
    return st.tuples(st.just(first), second, third).map(lambda names: tuple(dict.fromkeys(n for n in names if n)))
