"""A reference result: value, absolute error bound, and a mask of comparable elements.

The law of ``bound``. A sum of n terms x*w, in any order and with or without fused multiply-add, in a dtype of p bits
(u = 2**-p), with S = sum |x||w| over the finite terms:

- every term is a multiple of ``unit``, so while S < 2**p * unit no partial sum rounds: the result is exact, bound 0;
- otherwise the result is within gamma_n * S of the true sum, gamma_n = n*u / (1 - n*u), and the value here, itself
  computed in float64 and rounded once, is no further away: bound 2 * gamma_n * S, plus one smallest subnormal per
  product that may underflow;
- where a partial sum may overflow, or n*u >= 1 leaves no gamma_n, the value depends on the order: not defined.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import dtypes
from foldproof.oracle.elementwise import Tensor

Array = npt.NDArray[Any]

_LEAST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}
"""Smallest subnormal value."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference result.

    Args:
        value: in the result's dtype and layout.
        bound: the absolute error allowed, float64, in the shape of ``value``; 0.0 is exact.
        defined: False where the value depends on evaluation order, or on a cast out of range.
        unspecified: a part of what is not defined: where equal graphs may return different values, because of
            ``reasons``. Elsewhere equal graphs return equal values, though the reference cannot tell which.
        reasons: why anything is unspecified.
    """

    value: Array
    bound: Array
    defined: Array
    unspecified: Array | None = None
    reasons: tuple[str, ...] = ()


def exact(value: Array) -> Reference:
    """Return a reference that is right to the bit, everywhere."""
    return Reference(value, np.zeros(value.shape), np.ones(value.shape, np.bool_))


def from_tensor(tensor: Tensor) -> Reference:
    """Return what is known of a tensor that the function returns as it is."""
    return mask_unknown(exact(tensor.value), tensor.unknown, tensor.unspecified, tensor.reasons)


def mask_unknown(result: Reference, unknown: Array, unspecified: Array, reasons: tuple[str, ...]) -> Reference:
    """Mask what the result reads of ``unknown`` elements, some of which are ``unspecified``."""
    if not unspecified.any():
        return replace(result, defined=result.defined & ~unknown)
    return replace(
        result, defined=result.defined & ~unknown, unspecified=unspecified, reasons=tuple(dict.fromkeys(reasons))
    )


def bounded_sum(
    dtype: str, x: Array, w: Array, terms: int, *, rough: bool = False, count: Array | None = None
) -> Reference:
    """Sum of x*w over the last axis as ``dtype`` has it, with its error; divided by ``count``, if that is given.

    ``rough`` says that x and w themselves may be off by a rounding each.
    """
    products = x * w
    special = ~np.isfinite(x) | ~np.isfinite(w)
    mixed = special.any(-1)
    total = products.sum(-1) + 0.0  # an accumulator starts at 0.0, and 0.0 + -0.0 is 0.0
    magnitude = np.abs(np.where(special, 0.0, products)).sum(-1)
    u, tiny = 2.0 ** -dtypes.PRECISION[dtype], _LEAST[dtype]
    unit = _lowest_bit(x).min(-1) * _lowest_bit(w).min(-1)
    exact = (magnitude * u < unit) & (unit >= tiny) & (not rough)
    roundings = terms + (2 if rough else 0)
    divisor: Array = np.ones(1)
    if count is not None:
        divisor, roundings = count, roundings + 1
        exact &= count * u <= 1  # else the count itself rounds
    # (1 + u)**roundings bounds the growth of a partial sum by rounding; exp leaves room for the errors of float64 here.
    ceiling = np.where(exact, magnitude, magnitude * math.exp(min(4 * roundings * u, 700.0)))
    overflows = ceiling > dtypes.HIGHEST[dtype]
    gamma = roundings * u / (1 - roundings * u) if roundings * u < 1 else math.inf
    # One smallest subnormal for each product (and quotient) that may underflow: rounding errs by half of it, twice.
    bound = 2 * gamma * magnitude / divisor + roundings * tiny
    bound = np.where(exact | mixed, 0.0, bound)
    # A NaN or an infinity decides the sum, whatever the order, unless the finite terms make an infinity of their own.
    decided = mixed & (~overflows | np.isnan(np.where(special, products, 0.0).sum(-1)))
    defined = decided | (~mixed & ~overflows & np.isfinite(bound))
    return Reference((total / divisor).astype(np.dtype(dtype)), np.where(defined, bound, 0.0), defined)


def _lowest_bit(array: Array) -> Array:
    """The value of the lowest set bit of each element; infinity for zeros, infinities and NaN, which have no say."""
    fraction, exponent = np.frexp(np.where(np.isfinite(array), array, 0.0))
    digits = np.abs(np.ldexp(fraction, 53)).astype(np.int64)
    return np.where(digits == 0, np.inf, np.ldexp((digits & -digits).astype(np.float64), exponent - 53))
