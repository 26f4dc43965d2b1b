"""Compare tensors: shape, then dtype, then values; the first difference in words.

Law: without an error bound, equal means equal bits, but for what IEEE 754 leaves open: payload and sign of a NaN.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from foldproof.oracle.error_bounds import Reference

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """``symptom`` to count by, ``text`` for a person: ``out[0,1,3,2] = 0.0, but should be -2.0 (17 of 40 ...)``."""

    symptom: Literal["shape", "dtype", "values"]
    text: str


def bitwise(got: Array, want: Array) -> Difference | None:
    """How ``got`` differs from ``want`` at all: 0.0 is not -0.0, and any NaN is as good as another."""
    return _form(got, want, any_dtype=False) or _values(got, want, ~_same(got, want))


def within(got: Array, want: Reference, *, any_dtype: bool = False) -> Difference | None:
    """How ``got`` differs from a reference by more than its bound, where it is defined.

    ``any_dtype`` compares values only, where a known issue of the IR changes the dtype.
    """
    difference = _form(got, want.value, any_dtype=any_dtype)
    if difference:
        return difference
    right = _same(got, want.value)
    if (want.bound > 0).any():  # the only tolerance: the proven error of the sum, 0.0 for exact elements
        with np.errstate(all="ignore"):  # inf - inf is NaN, which is within nothing
            distance = np.abs(got.astype(np.float64) - want.value.astype(np.float64))
        right |= (want.bound > 0) & (distance <= want.bound)
    return _values(got, want.value, ~right & want.defined, want.bound)


def _form(got: Array, want: Array, *, any_dtype: bool) -> Difference | None:
    if got.shape != want.shape:
        return Difference("shape", f"out has shape {got.shape}, but should have {want.shape}")
    if got.dtype != want.dtype and not any_dtype:
        return Difference("dtype", f"out has dtype {got.dtype}, but should have {want.dtype}")
    return None


def _same(got: Array, want: Array) -> Array:
    if np.issubdtype(got.dtype, np.integer) and np.issubdtype(want.dtype, np.integer):
        return np.asarray(got == want)
    a, b = got.astype(np.float64), want.astype(np.float64)  # exact for every float dtype, and has signbit for all
    return np.asarray(((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b)))


def _values(got: Array, want: Array, wrong: Array, bound: Array | None = None) -> Difference | None:
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
        "values", f"{place} = {_shown(got[index])}, but should be {_shown(want[index])}{allowed} ({tally})"
    )


def _shown(value: Any) -> str:
    """Shortest digits that tell the value from its neighbours in its dtype."""
    text = str(value)
    return text if np.issubdtype(value.dtype, np.integer) or any(c in text for c in ".enf") else f"{text}.0"
