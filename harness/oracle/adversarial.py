"""Adversarial inputs: those that show a difference between two meanings, if there is one."""

from collections.abc import Iterator, Sequence
from itertools import product

import ml_dtypes
import numpy as np

from foldproof.case import Case, dtypes
from foldproof.oracle.fills import inputs
from foldproof.oracle.reference import Arrays
from foldproof.oracle.semantics import Semantics

ADVERSARIAL = ("negative", "integers", "specials", "extremes")
"""Fills that are exact and show padding. Real values would add rounding, and NaN would hide differences."""

SEEDS = (0, 1)

MORE_SEEDS = tuple(range(2, 10))
"""Seeds of the inputs that confirm a fold before it is called legal."""


def adversarial_inputs(case: Case, semantics: Semantics, *, seeds: Sequence[int] = SEEDS) -> Iterator[Arrays]:
    """Yield the inputs of every adversarial fill for each seed."""
    for fill, seed in product(ADVERSARIAL, seeds):
        yield inputs(case, fill, semantics, seed=seed)


def uniform_inputs(case: Case, semantics: Semantics) -> Iterator[Arrays]:
    """Yield the inputs of a max_pool whose data is all the lowest number of its dtype, and all the highest.

    A border just above the lowest number is a maximum only where a whole window holds that number, or where steps that
    decrease make it of the highest one. Drawn data has few such windows.
    """
    if case.spec.family != "max_pool":
        return
    arrays = inputs(case, ADVERSARIAL[0], semantics, seed=0)
    for number in _range_of(arrays["x"].dtype.name):
        yield {**arrays, "x": np.full_like(arrays["x"], number)}


def _range_of(dtype: str) -> tuple[float, float]:
    if dtype in dtypes.INTEGERS:
        return dtypes.int_range(dtype)
    info = ml_dtypes.finfo(np.dtype(dtype))  # type: ignore[no-untyped-call]
    return float(info.min), float(info.max)
