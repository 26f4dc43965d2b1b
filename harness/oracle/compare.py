"""Compare tensors: shape, then dtype, then values. The first difference is described in words.

Invariant: without an error bound, equal means equal bits, except for the payload and sign of a NaN, which IEEE 754
leaves unspecified.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from foldproof.oracle.error_bounds import Reference

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two tensors differ.

    Args:
        symptom: a constant to count by.
        text: a description for a person: ``out[0,1,3,2] = 0.0, but should be -2.0 (17 of 40 elements differ)``.
    """

    symptom: Literal["shape", "dtype", "values"]
    text: str


def bitwise(got: Array, want: Array) -> Difference | None:
    """Return how ``got`` differs from ``want`` in any bit; None if it does not.

    0.0 differs from -0.0. Any NaN equals any other.
    """
    return _compare_types(got, want, any_dtype=False) or _describe_values(got, want, ~_equals(got, want))


def within(got: Array, want: Reference, *, any_dtype: bool = False, signed_zeros: bool = True) -> Difference | None:
    """Return how ``got`` differs from a reference by more than its bound, where that is defined; None if it does not.

    Args:
        got: what a compiler computed.
        want: the reference, with an absolute bound for each element.
        any_dtype: whether to compare values only, because a known issue of the IR changes the dtype.
        signed_zeros: whether 0.0 differs from -0.0.
    """
    difference = _compare_types(got, want.value, any_dtype=any_dtype)
    if difference:
        return difference
    right = _equals(got, want.value, signed_zeros=signed_zeros)
    if (want.bound > 0).any():  # the only tolerance: the proven error of the sum, 0.0 for exact elements
        with np.errstate(all="ignore"):  # inf - inf is NaN, which is within nothing
            distance = np.abs(got.astype(np.float64) - want.value.astype(np.float64))
        right |= (want.bound > 0) & (distance <= want.bound)
    return _describe_values(got, want.value, ~right & want.defined, want.bound)


def overlap(one: Reference, other: Reference) -> bool:
    """Return whether one result can be right for two references, in every element that both define."""
    bound, defined = one.bound + other.bound, one.defined & other.defined
    return within(one.value, replace(other, bound=bound, defined=defined)) is None


def _compare_types(got: Array, want: Array, *, any_dtype: bool) -> Difference | None:
    if got.shape != want.shape:
        return Difference("shape", f"out has shape {got.shape}, but should have {want.shape}")
    if got.dtype != want.dtype and not any_dtype:
        return Difference("dtype", f"out has dtype {got.dtype}, but should have {want.dtype}")
    return None


def _equals(got: Array, want: Array, *, signed_zeros: bool = True) -> Array:
    if np.issubdtype(got.dtype, np.integer) and np.issubdtype(want.dtype, np.integer):
        return np.asarray(got == want)
    a, b = got.astype(np.float64), want.astype(np.float64)  # exact for every float dtype, and has signbit for all
    same = (a == b) & (np.signbit(a) == np.signbit(b)) if signed_zeros else a == b
    return np.asarray(same | (np.isnan(a) & np.isnan(b)))


def _describe_values(got: Array, want: Array, wrong: Array, bound: Array | None = None) -> Difference | None:
    count = int(np.count_nonzero(wrong))
    if count == 0:
        return None
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    place = f"out[{','.join(map(str, index))}]" if index else "out"
    slack = float(bound[index]) if bound is not None else 0.0
    allowed = f" within {slack:.3g}" if slack > 0 and math.isfinite(slack) else ""
    verb = "differs" if count == 1 else "differ"
    tally = f"{count} of {wrong.size} elements {verb}"
    return Difference(
        "values", f"{place} = {_format(got[index])}, but should be {_format(want[index])}{allowed} ({tally})"
    )


def _format(value: Any) -> str:
    """Return the fewest digits that distinguish the value from its neighbours in its dtype."""
    text = str(value)
    return text if np.issubdtype(value.dtype, np.integer) or any(c in text for c in ".enf") else f"{text}.0"
