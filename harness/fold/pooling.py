"""What a fold changes for a pool: windows, divisors, the dtype of sums, and the maximum. Pure Python."""

import math
from collections.abc import Iterator

from foldproof.fold.facts import Composed, Consumer, Joined, Kind, Quantization, Refused, Step, Widths
from foldproof.fold.lengths import list_lengths
from foldproof.fold.propagated import Propagated, sum_padding
from foldproof.fold.values import INTEGER_BITS

# --- windows and divisors -------------------------------------------------------------------------------


def refuse_other_window_count(propagated: Propagated) -> Iterator[Refused]:
    """Refuse a fold that changes the number of windows under ``ceil_mode``.

    The last window is dropped if it starts after the data and the padding before them. Padding is not data, so a fold
    can lose that window. Source: src/relax/op/nn/pooling.cc, InferTypePool2D.
    """
    consumer = propagated.site.consumer
    if not consumer.ceil_mode:
        return
    for i, letter in enumerate(consumer.spatial):
        before, after = propagated.widths[letter]
        own_before, own_after = consumer.padding[i], consumer.padding[i + len(consumer.spatial)]
        window = ((consumer.kernel[i] - 1) * consumer.dilation[i] + 1, consumer.strides[i])
        lengths = list_lengths(consumer, i, (before, after))
        if lengths is None:
            yield Refused(Kind.CEIL_MODE, f"ceil_mode over axis {letter}, whose length is not a constant")
            return
        for padded in lengths:
            unfolded = _count_ceil_windows(padded, own_before, own_after, *window)
            folded = _count_ceil_windows(padded - before - after, own_before + before, own_after + after, *window)
            if folded != unfolded:
                detail = f"with ceil_mode, axis {letter} would have {folded} windows, not {unfolded}"
                yield Refused(Kind.CEIL_MODE, detail + _name_length(consumer.sizes[i], padded))
                break


def _name_length(size: int | None, padded: int) -> str:
    """Return which of the possible lengths a sentence is about, if there are several."""
    return "" if size is not None else f", where the padded length is {padded}"


def _count_windows(size: int, before: int, after: int, extent: int, stride: int, *, ceil_mode: bool) -> int:
    room = size + before + after - extent
    return _count_ceil_windows(size, before, after, extent, stride) if ceil_mode else room // stride + 1


def _count_ceil_windows(size: int, before: int, after: int, extent: int, stride: int) -> int:
    """Return the number of windows with ``ceil_mode``."""
    count = -(-(size + before + after - extent) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


def count_windows(propagated: Propagated, i: int, padded: int) -> int:
    """Return the number of windows along the spatial axis ``i``, of which ``padded`` is the length."""
    consumer = propagated.site.consumer
    extent = (consumer.kernel[i] - 1) * consumer.dilation[i] + 1
    own = _sides_of(consumer.padding, i)
    return _count_windows(padded, *own, extent, consumer.strides[i], ceil_mode=consumer.ceil_mode)


def refuse_other_divisor(propagated: Propagated) -> Iterator[Refused]:
    """Refuse a fold that changes a divisor: under ``ceil_mode`` the last window overhangs.

    Without ``count_include_pad`` the divisor counts up to the end of the data, even if own padding crops. With it, the
    divisor counts up to the end of the padding. Source: include/tvm/topi/nn/pooling.h, pool_impl_nd.
    """
    consumer = propagated.site.consumer
    if not consumer.ceil_mode:
        return
    merged, counted = sum_padding(propagated), propagated.adds or consumer.count_include_pad
    for i, letter in enumerate(consumer.spatial):
        added = sum(propagated.widths[letter])
        window = (consumer.kernel[i], consumer.strides[i], consumer.dilation[i])
        own = _sides_of(consumer.padding, i)
        for padded in list_lengths(consumer, i, propagated.widths[letter]) or ():  # None: refused by the count
            count = _count_ceil_windows(padded, *own, (window[0] - 1) * window[2] + 1, window[1])
            unfolded = _list_divisors(padded, own, window, count, counted=consumer.count_include_pad)
            folded = _list_divisors(padded - added, _sides_of(merged, i), window, count, counted=counted)
            if folded != unfolded:
                detail = f"with ceil_mode, windows of axis {letter} would divide by other counts"
                yield Refused(Kind.CEIL_MODE, detail + _name_length(consumer.sizes[i], padded))
                break


def _sides_of(padding: tuple[int, ...], i: int) -> Widths:
    return (padding[i], padding[i + len(padding) // 2])


def _list_divisors(size: int, padding: Widths, window: tuple[int, int, int], count: int, *, counted: bool) -> list[int]:
    kernel, stride, dilation = window
    divisors = []
    for index in range(count):
        start = index * stride - padding[0]
        end = min(start + (kernel - 1) * dilation, size - 1 + (padding[1] if counted else 0))
        if not counted:
            start += dilation * max(-(start // dilation), 0)
        divisors.append((end - start) // dilation + 1)
    return divisors


def refuse_other_sum(propagated: Propagated) -> Iterator[Refused]:
    """Refuse a fold that changes the dtype of a sum.

    TVM sums integers in their own dtype, wrapping, but in at least int32 where it pads, since its zero is an int32.
    ceil_mode with a stride pads, too. So the first own padding widens the sum of int8, uint8 and int16: a sum that
    wraps without padding does not wrap with it. If own padding and widths add up to 0, the sum narrows.
    Source: include/tvm/topi/nn/pooling.h, pool_impl_nd, ``pad(x, ..., 0)``.
    """
    consumer, dtype = propagated.site.consumer, propagated.site.operand_dtype
    if dtype not in INTEGER_BITS or dtype in ("int32", "int64"):
        return
    if _pads(consumer, consumer.padding) != _pads(consumer, sum_padding(propagated)):
        yield Refused(Kind.DTYPE, f"TVM sums {dtype} in {dtype} without padding, but widens the sum with it")


def _pads(consumer: Consumer, padding: tuple[int, ...]) -> bool:
    """Return whether TVM's kernel pads at all. ceil_mode adds ``stride - 1`` after, which can cancel a crop."""
    overhang = [stride - 1 if consumer.ceil_mode else 0 for stride in consumer.strides]
    before, after = padding[: len(overhang)], padding[len(overhang) :]
    return any(before) or any(own + more != 0 for own, more in zip(after, overhang, strict=True))


# --- who wins -------------------------------------------------------------------------------------------


def never_wins(propagated: Propagated) -> bool:
    """Return whether no element of the data is below the border. Equal values must have equal bits."""
    bounds = propagated.border.bounds
    if bounds is None:
        return False
    highest = max(propagated.values.flat)
    plus = all(value != 0 or math.copysign(1, value) > 0 for value in propagated.values.flat)
    plus = plus and not any(_may_turn_zero(step) for step in propagated.site.steps)
    return highest < bounds.low or (highest == bounds.low and (highest != 0 or (bounds.plus_zero and plus)))


def _may_turn_zero(step: Step) -> bool:
    """Return whether the sign of a zero in ``values`` is not certain after a step."""
    if step.op == "dequantize":  # a product of +0.0 and a scale
        return not (isinstance(step, Quantization) and all(scale > 0 for scale in step.scale.flat or (0.0,)))
    return step.op in _SIGN_OF_ZERO_UNKNOWN or isinstance(step, Joined | Composed)


_SIGN_OF_ZERO_UNKNOWN = frozenset(
    ("negative", "round", "ceil", "trunc", "floor", "sign", "sqrt", "multiply", "divide", "add", "subtract", "maximum")
    + ("minimum", "clip", "nn.leakyrelu", "tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh")
    + ("erf", "nn.gelu", "nn.gelu_tanh", "nn.silu", "abs", "square", "nn.selu", "exp", "sigmoid", "log", "cos", "cosh")
    + ("power", "nn.prelu")
)
"""Steps after which the sign of a zero in ``values`` is not certain."""


def every_window_holds_data(propagated: Propagated) -> bool:
    """Return whether every window that reads the border holds data, too. A symbolic length may be any, from 1.

    A window of own padding alone has the same maximum before and after a fold.
    """
    consumer = propagated.site.consumer
    for i, letter in enumerate(consumer.spatial):
        lengths = list_lengths(consumer, i, propagated.widths[letter])
        if lengths is None or not all(_hold_data(consumer, i, propagated.widths[letter], n) for n in lengths):
            return False
    return True


def _hold_data(consumer: Consumer, i: int, widths: Widths, padded: int) -> bool:
    """Return whether every window that reads the border of an axis of ``padded`` elements has a tap in the data."""
    own = _sides_of(consumer.padding, i)
    extent = (consumer.kernel[i] - 1) * consumer.dilation[i] + 1
    windows = _count_windows(padded, *own, extent, consumer.strides[i], ceil_mode=consumer.ceil_mode)
    first, last = max(widths[0], 0), padded - max(widths[1], 0)
    for window in range(windows):
        start = window * consumer.strides[i] - own[0]
        taps = range(start, start + extent, consumer.dilation[i])
        reads = [tap for tap in taps if 0 <= tap < padded]
        if reads and not any(first <= tap < last for tap in reads):
            return False
    return True
