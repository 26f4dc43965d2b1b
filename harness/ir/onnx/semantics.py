"""The choices of ONNX, and what its specification leaves open.

Sources: the operator documentation of onnx 1.23 (``onnx.defs``), by operator and the opset that introduced it.

- MaxPool-12 takes floats, int8 and uint8. "The output of each pooling window is maximum number of elements exclude
  pad": the border has no value, so a window with nothing above the lowest finite number is left open.
- Max-13, Relu-14 and MaxPool name no result for NaN, and none for two zeros of different signs.
- AveragePool takes floats only. "The output of each pooling window is divided by the number of elements (exclude pad
  when attribute count_include_pad is zero)."
- Add-14, Sub-14 and Mul-14 take integers and name no result for an overflow.
- Cast-13: float to integer out of range is undefined; integer to integer discards the high bits.
- No operator names the order of a sum, a fused multiply-add, or the precision of an intermediate result.
"""

import math
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np

from foldproof.case import dtypes
from foldproof.oracle.semantics import Semantics


def _lowest(dtype: str) -> Any:
    """Return the neutral value of a maximum: a border of MaxPool takes no part."""
    if dtype in dtypes.INTEGERS:
        return np.array(dtypes.int_range(dtype)[0], np.dtype(dtype))
    return np.array(-math.inf, np.dtype(dtype))


def _average_sum_dtype(dtype: str, padded: bool) -> str:
    """Return a dtype for completeness: ONNX has no average of integers."""
    return dtype


SEMANTICS = Semantics(
    name="onnx",
    maximum=np.maximum,
    minimum=np.minimum,
    lowest=_lowest,
    max_of_nan_is_specified=False,
    average_sum_dtype=_average_sum_dtype,
    simplifies_constants=False,
    excess_precision=frozenset({"float16", "bfloat16"}),
    unspecified_overflow=frozenset(dtypes.INTEGERS),
    wraps_portably=False,
    computes_nan_portably=False,
    contracts_products=True,
    proves_symbolic_copies=True,
    specifies_zero_signs=False,
    specifies_roundings=False,
    specifies_lowest=False,
    specifies_nan=False,
)
