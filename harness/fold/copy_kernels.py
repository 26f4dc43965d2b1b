"""Read a PrimFunc that pads with copies of elements: ``out[i, j] = x[f(i), g(j)]``, as ``topi.nn`` emits it.

    v = x[T.max(0, T.min(7, i - 1))]                                          replicate by (1, ...)
    v = x[7 - T.abs(7 - T.abs(i - 1))]                                        reflect

Each index is evaluated at every place of its axis, and compared with what the mode copies there. So the name of the
block does not matter. Lengths must be constants, except those of axes that are not padded, and of those that
"replicate" pads: its index is proved to be clamped to the data, whatever the length.
"""

from dataclasses import dataclass
from typing import Any

from tvm import sym, tirx

from foldproof.fold.facts import MIRRORING, Widths
from foldproof.fold.mirroring import find_source
from foldproof.fold.store import Store, is_integer

MOST_PROVED = 16
"""The most elements that are added to an axis of symbolic length: each split of them into two widths is a proof."""

MOST_PLACES = 2**12
"""An axis with more elements is not read: each one takes some 20 us."""


def read_copies(store: Store, named: str) -> tuple[str, tuple[Widths, ...]] | None:
    """Return mode and widths of a PrimFunc that stores a load, None if it does not pad with copies in one mode.

    Where several modes copy alike, the one that the block is named by counts.
    """
    sizes, indices = store.source.ty.shape, store.value.indices
    if len(indices) != len(store.axes):
        return None
    axes: list[_Places | Widths | None] = [*map(_read_axis, indices, store.axes, sizes, store.target)]
    for mode in sorted(MIRRORING, key=lambda mode: mode != named):
        widths = [_match(mode, axis) for axis in axes if axis is not None]
        known = tuple(sides for sides in widths if sides is not None)
        if len(known) == len(axes):
            return mode, known
    return None


@dataclass(frozen=True, slots=True)
class _Places:
    """The index at each place of an axis, and the length of the data."""

    indices: list[int]
    size: int


def _read_axis(index: Any, axis: Any, size: Any, extent: Any) -> "_Places | Widths | None":
    """Return the index at each place of an axis, or the widths of "replicate"; None if neither is known.

    A whole axis that is copied may have any length: it counts as one element.
    """
    if sym.Analyzer().can_prove_equal(size, extent) and _is_axis(index, axis, size):
        return _Places([0], 1)
    if not isinstance(size, tirx.IntImm):
        return _prove_replicated(index, axis, size, extent)
    if not isinstance(size, tirx.IntImm) or not isinstance(extent, tirx.IntImm) or extent.value > MOST_PLACES:
        return None
    places = _evaluate(index, axis, int(extent.value))
    return None if places is None else _Places(places, int(size.value))


def _prove_replicated(index: Any, axis: Any, size: Any, extent: Any) -> Widths | None:
    """Return the widths for which an index is clamped to the data, None if there are none. A length is at least 1."""
    analyzer = sym.Analyzer()
    more = analyzer.simplify(extent - size)
    if not isinstance(more, tirx.IntImm) or not 0 <= more.value <= MOST_PROVED:
        return None
    for before in range(int(more.value) + 1):
        clamped = tirx.max(tirx.min(axis - before, size - 1), 0)
        if analyzer.can_prove_equal(index, clamped):
            return before, int(more.value) - before
    return None


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


def _match(mode: str, axis: "_Places | Widths") -> Widths | None:
    """Return (before, after) if an axis holds the elements that the mode copies, in the order of the result."""
    if not isinstance(axis, _Places):
        return axis if mode == "replicate" else None
    places, size = axis.indices, axis.size
    more = len(places) - size
    for before in sorted(range(more + 1), key=lambda width: abs(2 * width - more)):  # of one element, any one is right
        if places == [find_source(mode, place - before, size) for place in range(len(places))]:
            return before, len(places) - size - before
    return None
