"""Pads that copy elements of the data, before a max_pool: where no window misses the copies. Pure Python.

    x0 x1 x2 x3    --replicate by (1, 1)-->    x0 | x0 x1 x2 x3 | x3

A maximum is the same with and without copies of what it has seen. So the border can go if each window that reads a copy
reads the copied element as well. That is asked axis by axis, since windows and borders are products of axes.
"""

from collections.abc import Iterator, Sequence

from foldproof.fold.bounds import Bounds
from foldproof.fold.facts import Kind, Refused
from foldproof.fold.pooling import count_windows
from foldproof.fold.propagated import Propagated
from foldproof.fold.values import INTEGER_BITS


def refuse_lost_copies(propagated: Propagated) -> Iterator[Refused]:
    """Refuse a pad that copies elements into windows that do not hold them.

    1. No width is negative.
    2. Every window holds the elements whose copies it reads. Where the length is symbolic, that is decided for
       "replicate" alone, whose copies stand next to the element.
    3. The copies come in the order of the elements, or the data cannot hold both 0.0 and -0.0: the maximum of these is
       the last one, or the first one on other targets.
    """
    mode, consumer = propagated.site.pad.mode, propagated.site.consumer
    for i, letter in enumerate(consumer.spatial):
        sides = propagated.widths[letter]
        if min(sides) < 0:
            yield Refused(Kind.MODE, f"the pad crops {letter} by {sides} in mode {mode!r}")
        elif not any(sides):
            continue
        elif consumer.sizes[i] is None and mode != "replicate":
            yield Refused(Kind.SYMBOLIC, f"where mode {mode!r} copies from depends on the length of {letter}")
        elif not all(map(_holds_sources, _list_windows(propagated, i))):
            yield Refused(
                Kind.MODE, f"mode {mode!r} copies elements into windows of axis {letter} that do not hold them"
            )
        elif not _has_one_zero(propagated) and not all(map(_is_in_order, _list_windows(propagated, i))):
            yield Refused(
                Kind.MODE, f"mode {mode!r} copies elements of axis {letter} in another order: of 0.0 and -0.0 one wins"
            )


Window = Sequence[tuple[int, int]]
"""What a window reads along an axis: for each tap its place, 0 being the first element, and that of the element."""


def _holds_sources(window: Window) -> bool:
    """Return whether the window reads every element that it reads a copy of."""
    return {source for _, source in window} <= {place for place, source in window if place == source}


def _is_in_order(window: Window) -> bool:
    """Return whether the first and the last copies of the elements are in the order of the elements."""
    sources = [source for _, source in window]
    first, last = list(dict.fromkeys(sources)), list(dict.fromkeys(reversed(sources)))
    return first == sorted(first) and last == sorted(last, reverse=True)


def _has_one_zero(propagated: Propagated) -> bool:
    """Return whether all zeros of the data have the same bits."""
    bounds: Bounds | None = propagated.border.bounds
    if propagated.site.operand_dtype in INTEGER_BITS:
        return True
    return bounds is not None and (bounds.low > 0 or bounds.high < 0 or bounds.plus_zero)


# --- windows over the border ----------------------------------------------------------------------------


def _list_windows(propagated: Propagated, i: int) -> Iterator[Window]:
    """Yield what the windows that read a copy read along an axis."""
    consumer = propagated.site.consumer
    padded, (before, after) = consumer.sizes[i], propagated.widths[consumer.spatial[i]]
    if padded is None:
        yield from _list_windows_of_any_length(propagated, i)
        return
    size = padded - before - after
    for index in range(count_windows(propagated, i, padded)):
        start = index * consumer.strides[i] - consumer.padding[i] - before
        places = [place for place in _list_taps(propagated, i, start) if -before <= place < size + after]
        if places and (places[0] < 0 or places[-1] >= size):
            yield [(place, find_source(propagated.site.pad.mode, place, size)) for place in places]


def _list_taps(propagated: Propagated, i: int, start: int) -> range:
    kernel, dilation = propagated.site.consumer.kernel[i], propagated.site.consumer.dilation[i]
    return range(start, start + (kernel - 1) * dilation + 1, dilation)


def find_source(mode: str, place: int, size: int) -> int:
    """Return the element that stands at a place: itself inside of the data, a copied one outside.

    "reflect" and "circular" copy as far as the data reaches once. Beyond, what is returned is not an element.
    """
    if 0 <= place < size:
        return place
    if mode == "replicate":
        return 0 if place < 0 else size - 1
    if mode == "reflect":
        return -place if place < 0 else 2 * (size - 1) - place
    return place + size if place < 0 else place - size


def _list_windows_of_any_length(propagated: Propagated, i: int) -> Iterator[Window]:
    """Yield what windows read near each end in mode "replicate", the other end being far away.

    A window that reaches both ends of short data reads the elements at both ends if it does so at each. Where the
    windows stand at the far end depends on the length, so that every place is possible. With ``ceil_mode`` they
    overhang by less than a stride, but start in the data: else the fold would change their number.
    """
    consumer = propagated.site.consumer
    before, after = propagated.widths[consumer.spatial[i]]
    for start in range(-before - consumer.padding[i], 0, consumer.strides[i]):
        places = [place for place in _list_taps(propagated, i, start) if place >= -before]
        if places and places[0] < 0:
            yield [(place, max(place, 0)) for place in places]
    extent = (consumer.kernel[i] - 1) * consumer.dilation[i]
    end = after + consumer.padding[i + len(consumer.spatial)] - extent
    overhang = consumer.strides[i] - 1 if consumer.ceil_mode else 0
    for start in range(-extent, max(end, min(end + overhang, 0))):
        places = [place for place in _list_taps(propagated, i, start) if place < after]
        if places and places[-1] >= 0:
            yield [(place, min(place, -1)) for place in places]  # -1 is the last element
