"""Whether the border of a case can be observed in its result at all.

A fold of a border that nobody can observe is neither right nor wrong.
"""

import math
from itertools import product

import numpy as np

from foldproof.case import Axis, Case, Widths, dtypes
from foldproof.oracle.adversarial import adversarial_inputs
from foldproof.oracle.borders import border_images
from foldproof.oracle.fold_candidates import spatial_widths
from foldproof.oracle.reference import evaluate_steps, reference
from foldproof.oracle.semantics import Semantics


def reads_border(case: Case) -> bool:
    """Whether a window reads an element that a pad added along a spatial axis, or would have read a cropped one."""
    widths = spatial_widths(case)
    if case.pads_weight:
        return True
    if any(width < 0 for pads in widths.values() for sides in pads for width in sides):
        return True
    added = {letter: (sum(b for b, _ in pads), sum(a for _, a in pads)) for letter, pads in widths.items()}
    if not any(any(sides) for sides in added.values()):
        return True  # there is nothing to fold, so windows do not matter
    reads = _spreads_border if case.spec.transposed else _reads_border
    return any(reads(case, letter, axis, added[letter]) for letter, axis in case.lettered_axes)


def _spreads_border(case: Case, letter: str, axis: Axis, added: Widths) -> bool:
    """Whether a transposed convolution spreads an element of the border to a place that the padding does not crop."""
    length = added[0] + axis.size + added[1]
    border = (*range(added[0]), *range(length - added[1], length))
    places = (at * axis.stride + tap * axis.dilation for at, tap in product(border, range(axis.kernel)))
    return any(0 <= place - axis.padding[0] < case.result_dims[letter] for place in places)


def _reads_border(case: Case, letter: str, axis: Axis, added: Widths) -> bool:
    """Whether a tap of a window lies in the border along one axis."""
    first, last = added[0], added[0] + axis.size
    for window, tap in product(range(case.result_dims[letter]), range(axis.kernel)):
        at = window * axis.stride + tap * axis.dilation - axis.padding[0]
        if 0 <= at < first or last <= at < last + added[1]:
            return True
    return False


def loses_data(folded: Case, semantics: Semantics) -> bool:
    """Whether the steps turn all data into one number, or into nothing finite.

    A border of that one number looks like data. Sums of infinities of both signs are NaN, whatever the border
    holds. A convolution that sums integers reads fractions as whole numbers.
    """
    numbers: set[float] = set()
    sums_integers = folded.spec.weighted and folded.result_dtype in dtypes.INTEGERS
    for arrays in adversarial_inputs(folded, semantics):
        operand = evaluate_steps(folded, arrays, semantics)[-1].value.astype(np.float64)
        operand = np.trunc(operand) if sums_integers else operand
        numbers |= set(operand.reshape(-1).tolist())
    return len(numbers) == 1 or not any(map(math.isfinite, numbers))


def drowns_data(folded: Case, semantics: Semantics) -> bool:
    """Whether a remaining pad, of batch or channels, makes every result NaN or infinite, whatever the data is."""
    if all(map(math.isfinite, border_images(folded, semantics))):
        return False
    results = (reference(folded, arrays, semantics) for arrays in adversarial_inputs(folded, semantics))
    return not any(np.isfinite(result.value.astype(np.float64)).any() for result in results)
