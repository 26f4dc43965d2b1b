"""Adversarial inputs: those that show a difference between two meanings, if there is one."""

from collections.abc import Iterator, Sequence
from itertools import product

from foldproof.case import Case
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
