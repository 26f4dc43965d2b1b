"""A reference result: value, absolute error bound, and a mask of comparable elements.

Invariant: a compiler that sums n terms x*w, in any order, with or without fused multiply-add, in a dtype of p bits
(u = 2**-p), is within ``bound`` of ``value`` wherever ``defined``. With S = sum |x||w| over the finite terms:

- Every term is a multiple of ``unit``. While S < 2**p * unit no partial sum rounds, so the result is exact: bound 0.
- Otherwise the result is within gamma_n * S of the true sum, gamma_n = n*u / (1 - n*u). The value here is computed in
  float64 and rounded once, so it is no further away. The bound is 2 * gamma_n * S, plus one smallest subnormal for each
  product that may underflow.
- Where a partial sum may overflow, or n*u >= 1 leaves no gamma_n, the value depends on the order: not defined.
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
"""Smallest subnormal value of each dtype."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference result.

    Args:
        value: the result, in its dtype and layout.
        bound: the absolute error that is allowed, float64, in the shape of ``value``; 0.0 means exact.
        defined: bool, in the shape of ``value``; False where the value depends on evaluation order, or on a cast out of
            range.
        unspecified: bool, in the shape of ``value``, or None for nowhere; a subset of what is not defined. There, equal
            graphs may return different values, because of ``reasons``. Elsewhere equal graphs return equal values, even
            if the reference cannot tell which.
        reasons: why anything is unspecified.
    """

    value: Array
    bound: Array
    defined: Array
    unspecified: Array | None = None
    reasons: tuple[str, ...] = ()


def exact_reference(value: Array) -> Reference:
    """Return a reference that is right to the bit everywhere."""
    return Reference(value, np.zeros(value.shape), np.ones(value.shape, np.bool_))


def from_tensor(tensor: Tensor) -> Reference:
    """Return the reference of a tensor that the function returns as it is."""
    return mask_unknown(exact_reference(tensor.value), tensor.unknown, tensor.unspecified, tensor.reasons)


def mask_unknown(result: Reference, unknown: Array, unspecified: Array, reasons: tuple[str, ...]) -> Reference:
    """Mask the elements of a result that were computed from unknown elements.

    Args:
        result: the result.
        unknown: where it reads an unknown element, in the shape of the result.
        unspecified: where it reads an unspecified element; a subset of ``unknown``.
        reasons: why anything is unspecified.
    """
    if not unspecified.any():
        return replace(result, defined=result.defined & ~unknown)
    return replace(
        result, defined=result.defined & ~unknown, unspecified=unspecified, reasons=tuple(dict.fromkeys(reasons))
    )


def bounded_sum(
    dtype: str, x: Array, w: Array, terms: int, *, rough: bool = False, divisor: Array | None = None
) -> Reference:
    """Sum x*w over the last axis, and bound the error of that sum in ``dtype``.

    Args:
        dtype: the float dtype in which a compiler accumulates and returns the sum.
        x: float64, (..., term).
        w: float64, broadcastable to ``x``.
        terms: the number n of terms that may round.
        rough: whether x and w themselves may be off by one rounding each.
        divisor: the number that each sum is divided by, for an average; None for 1.

    Returns:
        The quotient in ``dtype``, with its bound.
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
    if divisor is None:
        divisor = np.ones(1)
    else:
        roundings += 1
        exact &= divisor * u <= 1  # otherwise the divisor itself rounds
    # (1 + u)**roundings bounds the growth of a partial sum by rounding; exp leaves room for the errors of float64 here.
    ceiling = np.where(exact, magnitude, magnitude * math.exp(min(4 * roundings * u, 700.0)))
    overflows = ceiling > dtypes.HIGHEST[dtype]
    gamma = roundings * u / (1 - roundings * u) if roundings * u < 1 else math.inf
    # Rounding to a subnormal errs by half of the smallest one, here and in the compiler, for each product and quotient.
    bound = 2 * gamma * magnitude / divisor + roundings * tiny
    bound = np.where(exact | mixed, 0.0, bound)
    # A NaN or an infinity decides the sum in every order, unless the finite terms alone overflow to an infinity.
    decided = mixed & (~overflows | np.isnan(np.where(special, products, 0.0).sum(-1)))
    defined = decided | (~mixed & ~overflows & np.isfinite(bound))
    return Reference((total / divisor).astype(np.dtype(dtype)), np.where(defined, bound, 0.0), defined)


def _lowest_bit(array: Array) -> Array:
    """Return the value of the lowest set bit of each element; infinity for zeros, infinities and NaN."""
    fraction, exponent = np.frexp(np.where(np.isfinite(array), array, 0.0))
    digits = np.abs(np.ldexp(fraction, 53)).astype(np.int64)
    return np.where(digits == 0, np.inf, np.ldexp((digits & -digits).astype(np.float64), exponent - 53))
