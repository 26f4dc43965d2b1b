"""Which elements of the data the windows of a max_pool read: exact, where inputs only sample.

    max_pool(steps(pad(x))) is the same for every x only if a fold lets each window read the same elements of x

Invariant: an element that one side alone reads can be the only maximum, so some x shows the difference. That holds for
every dtype, mode and step, unless the steps turn all data into one number.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

from foldproof.case import Axis, Case, Widths
from foldproof.oracle.elementwise import exact_tensor
from foldproof.oracle.pads import apply_pad

BORDER = -1
"""The place of an element that a constant pad added, which is not an element of the data."""

Places = frozenset[int]


def reads_same_data(case: Case, folded: Case) -> bool:
    """Return whether each window of two max_pools reads the same elements of the data.

    Args:
        case: the case.
        folded: the case with pads moved into the padding. It has the same data and as many windows.
    """
    pairs = [
        set(zip(_windows(case, letter, axis), _windows(folded, letter, other), strict=True))
        for (letter, axis), (_, other) in zip(case.lettered_axes, folded.lettered_axes, strict=True)
    ]
    # A window reads the product of what it reads along each axis: nothing at all, if one axis reads nothing.
    return all(
        window == other or not (all(window) or all(other))
        for window, other in (tuple(zip(*axes, strict=True)) for axes in product(*pairs))
    )


def _windows(case: Case, letter: str, axis: Axis) -> list[Places]:
    """Return the places in the data that each window reads along one axis."""
    places = _places(case, letter, axis)
    starts = (i * axis.stride - axis.padding[0] for i in range(case.result_dims[letter]))
    taps = range(0, axis.kernel * axis.dilation, axis.dilation)
    read = ((start + tap for tap in taps) for start in starts)
    return [frozenset(int(places[at]) for at in window if 0 <= at < len(places)) - {BORDER} for window in read]


def _places(case: Case, letter: str, axis: Axis) -> npt.NDArray[np.int64]:
    """Return the place in the data that each element of the operand along one axis comes from."""
    places = _pad(np.arange(axis.size), axis.pad, case.pad.mode)
    for step in case.steps:
        for padded, before, after in step.widths:
            if padded == letter:
                places = _pad(places, (before, after), "constant")
    return places


def _pad(places: npt.NDArray[np.int64], widths: Widths, mode: str) -> npt.NDArray[np.int64]:
    return np.asarray(apply_pad(exact_tensor(places), [widths], BORDER, mode).value)
