"""Whether a pool of copied elements returns the same of two zeros, 0.0 and -0.0, with and without the copies.

A maximum of both is the last one on some targets, and the first one on others. Copies can change which one that is.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from foldproof.case import Case, Pad, dtypes
from foldproof.oracle.compare import bitwise
from foldproof.oracle.fold_candidates import fold_candidates
from foldproof.oracle.reference import Arrays, reference
from foldproof.oracle.semantics import Semantics

_SEEDS = range(16)


def keeps_zeros(case: Case, semantics: Semantics) -> bool:
    """Whether the fold of a mirrored pad before a max_pool keeps the sign of every zero, whichever zero wins.

    Steps and producers are left out: they may make zeros of either sign of any data.
    """
    if case.operand_dtype in dtypes.INTEGERS:
        return True
    bare = Case(op=case.op, axes=case.axes, pad=Pad(mode=case.pad.mode), ceil_mode=case.ceil_mode)
    return all(_agree(bare, folded, each) for folded in fold_candidates(bare) for each in _both(semantics))


@cache
def _both(semantics: Semantics) -> tuple[Semantics, Semantics]:
    """Return the semantics, and those of a target whose maximum selects the other one of equal operands."""
    return semantics, replace(semantics, maximum=lambda a, b: semantics.maximum(b, a))


def _agree(case: Case, folded: Case, semantics: Semantics) -> bool:
    results = ((reference(each, x, semantics).value for each in (case, folded)) for x in _zeros(case))
    return all(bitwise(got, want) is None for want, got in results)


def _zeros(case: Case) -> Iterator[Arrays]:
    """Yield data of -1.0 and zeros of both signs."""
    shape = (1, 1, *(axis.size for axis in case.axes))
    for seed in _SEEDS:
        yield {"x": np.random.default_rng(seed).choice(np.array([0.0, -0.0, -1.0], "float32"), shape)}
