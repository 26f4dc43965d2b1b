"""Which lengths of an axis decide a question about windows, if the length is symbolic. Pure Python.

    length  1 2 3 ... reach ... reach + stride - 1 | every longer one repeats one of these

A window is near the begin of an axis if it touches what is added there, near the end alike. On an axis that is as long
as ``reach`` no window is near both. One more stride adds a window that is near neither, and moves those near the end.
So a question about each window that is answered by what it touches has the same answers again, and what holds for
these lengths holds for all. The number of windows grows by one with each stride, whatever it counts.

Invariant: a symbolic length is at least 1. TVM computes empty tensors, but nothing that holds no element is pooled.
"""

from collections.abc import Sequence

from foldproof.fold.facts import Consumer, Widths

MOST_LENGTHS = 256
"""The most lengths that are looked at: the time to decide grows with their square. No model has such windows."""


def list_lengths(consumer: Consumer, i: int, widths: Widths) -> Sequence[int] | None:
    """Return the lengths of the padded axis ``i`` that stand for all that it can have.

    Args:
        consumer: The pool.
        i: The index of the axis in ``consumer.spatial``.
        widths: What the pad adds before and after the data of this axis. Negative widths crop.

    Returns:
        The length itself if it is known, None if there are too many to look at.
    """
    size = consumer.sizes[i]
    if size is not None:
        return (size,)
    own = (consumer.padding[i], consumer.padding[i + len(consumer.spatial)])
    extent = (consumer.kernel[i] - 1) * consumer.dilation[i] + 1
    stride = consumer.strides[i]
    reach = extent + stride + sum(map(abs, (*widths, *own)))
    return None if reach + stride > MOST_LENGTHS else range(max(1, 1 + sum(widths)), reach + stride)
