"""Strategies for spatial axes. They draw the window first, then a length that it fits, so that each axis is valid."""

from functools import cache

from hypothesis import strategies as st

from foldproof.case import Axis, Widths

MOST_WINDOWS = {1: 5, 2: 4, 3: 2}
MOST_KERNEL = {1: 4, 2: 3, 3: 2}
MOST_STRIDE = {1: 3, 2: 3, 3: 2}
MOST_DILATION = {1: 3, 2: 3, 3: 2}


@cache
def pad_widths(*, max_width: int = 4) -> st.SearchStrategy[Widths]:
    """Draw explicit widths >= 0: none, one side or both, alike or not, as wide as a kernel or wider."""
    side = st.sampled_from([1, 0, 2, 0, 1, min(3, max_width), max_width])
    return st.tuples(side, side)


@cache
def crops(*, max_width: int = 2) -> st.SearchStrategy[Widths]:
    """Draw explicit widths with at least one negative side."""
    negative = st.integers(-max_width, -1)
    either = st.integers(-max_width, max_width)
    return st.one_of(st.tuples(negative, either), st.tuples(either, negative))


@cache
def paddings() -> st.SearchStrategy[Widths]:
    """Draw the consumer's own padding: none (half of the draws), symmetric, asymmetric, wider than the kernel."""
    side = st.sampled_from([1, 0, 2, 0, 5])
    return st.one_of(st.just((0, 0)), st.tuples(side, side))


@cache
def axes(
    *,
    rank: int,
    pad: st.SearchStrategy[Widths] | None = None,
    padding: st.SearchStrategy[Widths] | None = None,
    transposed: bool = False,
    pads_kernel: bool = False,
) -> st.SearchStrategy[Axis]:
    """Draw an axis whose windows fit.

    Args:
        rank: The number of spatial axes of the op, which bounds the sizes.
        pad: The widths of the pad (default: ``pad_widths()``).
        padding: The consumer's own padding (default: ``paddings()``).
        transposed: Whether the op is a transposed convolution.
        pads_kernel: Whether the pad widens the kernel instead of the data.
    """
    return _axes(rank=rank, pad=pad, padding=padding, transposed=transposed, pads_kernel=pads_kernel)


@st.composite
def _axes(
    draw: st.DrawFn,
    *,
    rank: int,
    pad: st.SearchStrategy[Widths] | None = None,
    padding: st.SearchStrategy[Widths] | None = None,
    transposed: bool = False,
    pads_kernel: bool = False,
) -> Axis:
    kernel = draw(st.integers(1, MOST_KERNEL[rank]))
    stride = draw(st.integers(1, MOST_STRIDE[rank]))
    dilation = draw(st.integers(1, MOST_DILATION[rank]))
    widths = draw(pad_widths(max_width={1: 4, 2: 4, 3: 2}[rank]) if pad is None else pad)
    own = draw(paddings() if padding is None else padding)
    if pads_kernel:
        kernel = max(kernel, 1 - sum(widths))
    taps = kernel + sum(widths) if pads_kernel else kernel
    extent = (taps - 1) * dilation + 1
    slack = draw(st.integers(0, (MOST_WINDOWS[rank] - 1) * stride))
    added = 0 if pads_kernel else sum(widths)
    if transposed:
        return _transposed(draw, kernel, stride, dilation, widths, own, slack, taps, added)
    # An axis needs at least one element of data to show anything; crops need something to cut.
    least = max(1, -min(widths) + 1, -added + 1)
    size = max(least, extent - added - sum(own) + slack)
    return Axis(size=size, pad=widths, kernel=kernel, stride=stride, dilation=dilation, padding=own)


def _transposed(
    draw: st.DrawFn,
    kernel: int,
    stride: int,
    dilation: int,
    widths: Widths,
    own: Widths,
    slack: int,
    taps: int,
    added: int,
) -> Axis:
    """Draw the axis of a transposed convolution, whose padding crops the result.

    A pad of p folds where the padding is at least p * stride: most draws satisfy that. No padding crops
    the whole result.
    """
    size = max(1, 1 - added, 1 + slack // stride)
    absorbs = added > 0 and draw(st.sampled_from([True, True, False]))
    result = (size + (0 if absorbs else added) - 1) * stride + (taps - 1) * dilation + 1
    before = min(own[0], result - 1)
    padding = (before, min(own[1], result - 1 - before))
    if absorbs:
        padding = (padding[0] + widths[0] * stride, padding[1] + widths[1] * stride)
    output_padding = draw(st.integers(0, stride - 1))
    return Axis(
        size=size,
        pad=widths,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        output_padding=output_padding,
    )
