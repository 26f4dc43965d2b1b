"""Read a PrimFunc that pads with copies of elements: ``out[i, j] = x[f(i), g(j)]``, as ``topi.nn`` emits it.

    v = x[T.max(0, T.min(7, i - 1))]                                          replicate by (1, ...)
    v = x[7 - T.abs(7 - T.abs(i - 1))]                                        reflect

Each index is evaluated at every place of its axis, and compared with what the mode copies there. So the name of the
block does not matter. Lengths must be constants, except those of axes that are not padded.
"""

from typing import Any

from tvm import sym, tirx

from foldproof.fold.facts import MIRRORING, Widths
from foldproof.fold.mirroring import find_source
from foldproof.fold.store import Store, is_integer

MOST_PLACES = 2**12
"""An axis with more elements is not read: each one takes some 20 us."""


def read_copies(store: Store, named: str) -> tuple[str, tuple[Widths, ...]] | None:
    """Return mode and widths of a PrimFunc that stores a load, None if it does not pad with copies in one mode.

    Where several modes copy alike, the one that the block is named by counts.
    """
    sizes, indices = store.source.ty.shape, store.value.indices
    if len(indices) != len(store.axes):
        return None
    axes = [*map(_read_axis, indices, store.axes, sizes, store.target)]
    for mode in sorted(MIRRORING, key=lambda mode: mode != named):
        widths = [_match(mode, *axis) for axis in axes if axis is not None]
        known = tuple(sides for sides in widths if sides is not None)
        if len(known) == len(axes):
            return mode, known
    return None


def _read_axis(index: Any, axis: Any, size: Any, extent: Any) -> tuple[list[int], int] | None:
    """Return the index at each place of an axis and the length of the data; None if one of them is not known.

    A whole axis that is copied may have any length: it counts as one element.
    """
    if sym.Analyzer().can_prove_equal(size, extent) and _is_axis(index, axis, size):
        return [0], 1
    if not isinstance(size, tirx.IntImm) or not isinstance(extent, tirx.IntImm) or extent.value > MOST_PLACES:
        return None
    places = _evaluate(index, axis, int(extent.value))
    return None if places is None else (places, int(size.value))


def _is_axis(index: Any, axis: Any, size: Any) -> bool:
    """Return whether an index is its axis, clamped to the length at most: the analyzer proves no symbolic clamp."""
    if isinstance(index, tirx.Max) and is_integer(index.a, 0) and isinstance(index.b, tirx.Min):
        low = index.b
        return bool(low.b.same_as(axis)) and bool(sym.Analyzer().can_prove_equal(low.a, size - 1))
    return bool(index.same_as(axis))


def _evaluate(index: Any, axis: Any, extent: int) -> list[int] | None:
    """Return the index at each place of its axis, None if it depends on anything else."""
    found = []
    for place in range(extent):
        analyzer = sym.Analyzer()
        analyzer.bind(axis, tirx.IntImm(str(axis.ty.dtype), place))
        value = analyzer.simplify(index)
        if not isinstance(value, tirx.IntImm):
            return None
        found.append(int(value.value))
    return found


def _match(mode: str, places: list[int], size: int) -> Widths | None:
    """Return (before, after) if ``places`` are the elements that the mode copies, in the order of the result."""
    more = len(places) - size
    for before in sorted(range(more + 1), key=lambda width: abs(2 * width - more)):  # of one element, any one is right
        if places == [find_source(mode, place - before, size) for place in range(len(places))]:
            return before, len(places) - size - before
    return None
