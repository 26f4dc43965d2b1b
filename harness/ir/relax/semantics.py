"""The choices of TVM 0.27 on llvm, where implementations of the ops differ.

Invariant: TVM computes what the reference computes with these semantics. tests/oracle execute TVM and compare.
"""

import math
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np

from foldproof.case import dtypes
from foldproof.oracle.semantics import Semantics, greater_or_second, less_or_second


def _lowest(dtype: str) -> Any:
    """Return TVM's neutral value of max: float32's lowest for bfloat16, which rounds to -inf there."""
    if dtype in dtypes.INTEGERS:
        return np.array(dtypes.int_range(dtype)[0], np.dtype(dtype))
    return np.array(-math.inf if dtype == "bfloat16" else -dtypes.HIGHEST[dtype], np.dtype(dtype))


def _average_sum_dtype(dtype: str, padded: bool) -> str:
    """Return int32 at least where the pool pads: TVM pads with an int32 zero (topi/nn/pooling.h)."""
    return np.promote_types(np.dtype(dtype), np.int32).name if padded else dtype


SEMANTICS = Semantics(
    name="relax",
    maximum=greater_or_second,
    minimum=less_or_second,
    lowest=_lowest,
    # The result for NaN depends on the opt-level, and on how TVM's simplifier writes max(acc, pad ? lowest : x).
    max_of_nan_is_specified=False,
    average_sum_dtype=_average_sum_dtype,
    # For a constant scalar, TVM's simplifier drops x + 0.0, and replaces x * 0.0 and 0.0 / x by the constant.
    simplifies_constants=True,
    # TVM computes bfloat16 in float32, and drops the rounding of a cast to bfloat16 whose result is used at once.
    excess_precision=frozenset({"bfloat16"}),
    # LLVM leaves the overflow of 32 and 64 bits unspecified; integers of 8 and 16 bits wrap ...
    unspecified_overflow=frozenset({"int32", "int64"}),
    # ... on llvm, but not where TVM emits C, which computes 8 and 16 bits in int.
    wraps_portably=False,
    computes_nan_portably=False,
    contracts_products=True,
    # TVM's analyzer cannot prove that a mirroring kernel of symbolic lengths with widths 0 copies.
    proves_symbolic_copies=False,
)
