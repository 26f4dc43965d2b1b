"""The choices that implementations of the ops make differently, as a value that the reference is given.

Each IR has one ``Semantics`` (``ir.base.IR.semantics``). Everything else in this room is arithmetic that all IRs share:
IEEE 754, windows, borders, wrapping integers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

Choose = Callable[[Any, Any], Array]
"""A function of two operands: element by element, the one that a maximum or minimum returns, NaN and zeros included."""


def greater_or_second(left: Any, right: Any) -> Array:
    """Return ``left if left > right else right``: the second of equals, and of a pair with NaN."""
    return np.asarray(np.where(left > right, left, right))


def less_or_second(left: Any, right: Any) -> Array:
    """Return ``left if left < right else right``: the second of equals, and of a pair with NaN."""
    return np.asarray(np.where(left < right, left, right))


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics:
    """The choices of one implementation. Frozen and hashable, so that results are cached by (case, semantics).

    Args:
        name: the name of the IR, for messages.
        maximum: the result of a binary maximum, a relu, the lower end of a clip, and one step of a max_pool.
        minimum: the result of a binary minimum and the upper end of a clip.
        lowest: dtype -> the value that a max_pool starts from and implicitly pads with.
        max_of_nan_is_specified: whether a max_pool of data with NaN has one right result.
        average_sum_dtype: (dtype of the data, whether the pool has padding of its own) -> the dtype in which an
            average of integers is summed. The sum wraps.
        simplifies_constants: whether ``x + 0.0`` is x, and ``x * 0.0`` and ``0.0 / x`` are the constant, for a
            constant scalar. NaN, infinities and the sign of zero are then not those of IEEE 754.
        excess_precision: dtypes that are computed in float32. A rounding between two steps may be dropped.
        unspecified_overflow: integer dtypes whose overflow in a step is unspecified. Other integer dtypes wrap.
        wraps_portably: whether a narrow integer wraps in the same way on every target.
        computes_nan_portably: whether relu, clip and the like return the same for NaN on every target.
        contracts_products: whether a target may contract a product and a sum to one rounding (fused multiply-add).
        proves_symbolic_copies: whether the compiler proves that a mirroring pad of widths 0 copies a tensor of symbolic
            lengths.
        specifies_zero_signs: whether 0.0 and -0.0 are two results.
        specifies_roundings: whether equal graphs round alike. If not, a pass may change a result within its error
            bound, and two functions are compared with the reference only.
        specifies_lowest: whether a max_pool of nothing but the lowest values has one right result.
        specifies_nan: whether a relu, a clip, a maximum and the like have one right result for NaN.
    """

    name: str
    maximum: Choose
    minimum: Choose
    lowest: Callable[[str], Any]
    max_of_nan_is_specified: bool
    average_sum_dtype: Callable[[str, bool], str]
    simplifies_constants: bool
    excess_precision: frozenset[str]
    unspecified_overflow: frozenset[str]
    wraps_portably: bool
    computes_nan_portably: bool
    contracts_products: bool
    proves_symbolic_copies: bool
    specifies_zero_signs: bool = True
    specifies_roundings: bool = True
    specifies_lowest: bool = True
    specifies_nan: bool = True
