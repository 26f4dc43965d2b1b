"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and answers ``Folded`` or ``Refused``; a refusal names what stood in the way. When unsure, refuse:
a missed fold is a nuisance, an unsound fold is a bug.
"""

import math
from collections.abc import Iterator

from harness.fold.facts import Consumer, Dequantize, Folded, Kind, Outcome, Refused, Site, Widths
from harness.fold.values import INTEGER_BITS, NUMBERS, cast, max_pool_start


def decide(site: Site) -> Outcome:
    """The outcome of one site."""
    for rule in RULES:
        if rule.applies(site):
            return next(rule.refusals(site), None) or rule.fold(site)
    return Refused(Kind.CONSUMER, f"{site.consumer.op} is no convolution or pool: it has no padding to fold into")


# --- the rules ----------------------------------------------------------------------------------------


class Identity:
    """A pad whose widths are all 0 is deleted, whatever its mode, its value and its consumer.

    1. every width is the constant 0 (``applies``)
    2. nothing is written in place, so that the pad need not be a copy
    """

    name = "identity"

    @staticmethod
    def applies(site: Site) -> bool:
        return site.pad.is_identity

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        return _overwritten(site)

    @staticmethod
    def fold(site: Site) -> Folded:
        return Folded("identity")


class IntoConv:
    """``conv(pad(x), w, padding=p)`` is ``conv(x, w, padding=p + widths)``, and so through ``dequantize``.

    1. the pad is on the data operand
    2. ``_common``: constant mode, constant widths, none on batch or channel, crops that commute, layouts understood
    3. if anything is added: the value, seen through ``dequantize``, is 0 or -0.0, what the convolution pads with (the
       sum starts at +0.0, so the sign of a zero product is lost)
    """

    name = "conv"

    @staticmethod
    def applies(site: Site) -> bool:
        return site.consumer.family == "conv"

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        yield from _on_weight(site)
        yield from _common(site)
        yield from _not_zero(site)

    @staticmethod
    def fold(site: Site) -> Folded:
        return Folded("dequantize-conv" if site.dequantize else "conv", padding=_summed(site))


class IntoMaxPool:
    """``max_pool(pad(x, v), padding=p)`` is ``max_pool(x, padding=p + widths)`` if v never wins.

    1. ``_common`` as for convolutions
    2. if anything is added: v, in the dtype of the tensor, is at most the value that TVM's max_pool starts from and
       pads with: the lowest finite value, the minimum of integers, -inf for bfloat16 (it starts at float32's lowest)
    3. ``ceil_mode`` does not change the number of windows
    """

    name = "max_pool"

    @staticmethod
    def applies(site: Site) -> bool:
        return site.consumer.family == "max_pool"

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        yield from _common(site)
        if site.dequantize:
            yield Refused(Kind.QUANTIZATION, "dequantize maps no pad value to the lowest one, which max_pool pads with")
            return
        dtype = site.pad.dtype
        value, lowest = cast(site.pad.value, dtype), max_pool_start(dtype)
        if _adds(site) and (value is None or not value <= lowest):
            yield Refused(Kind.VALUE, f"max_pool pads {dtype} with {lowest!r}, but the pad value is {site.pad.value!r}")
        yield from _other_window_count(site)

    @staticmethod
    def fold(site: Site) -> Folded:
        return Folded("max_pool", padding=_summed(site))


class IntoAvgPool:
    """``avg_pool(pad(x, 0), padding=p)`` is ``avg_pool(x, padding=p + widths, count_include_pad=True)``.

    1. ``_common`` as for convolutions
    2. if anything is added: the value, seen through ``dequantize``, is 0 or -0.0
    3. if anything is added: the explicit zeros are counted in the divisor, so padding must be: ``count_include_pad`` is
       set, or the pool's own padding adds nothing and the flag can be set
    4. ``ceil_mode`` changes neither the number of windows nor a divisor
    5. integers keep the width that they are summed in (``_other_sum``)
    """

    name = "avg_pool"

    @staticmethod
    def applies(site: Site) -> bool:
        return site.consumer.family == "avg_pool"

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        yield from _common(site)
        yield from _not_zero(site)
        own = site.consumer.padding
        if _adds(site) and not site.consumer.count_include_pad and any(padding > 0 for padding in own):
            yield Refused(
                Kind.EXCLUDED_PADDING,
                f"the pool's own padding {list(own)} is not counted in the divisor, but the explicit zeros are",
            )
        yield from _other_window_count(site)
        yield from _other_divisor(site)
        yield from _other_sum(site)

    @staticmethod
    def fold(site: Site) -> Folded:
        rule = "dequantize-avg_pool" if site.dequantize else "avg_pool"
        counted = _adds(site) or site.consumer.count_include_pad
        return Folded(rule, padding=_summed(site), count_include_pad=counted)


class IntoTransposed:
    """``conv_transpose(pad(x), w, padding=p)`` is ``conv_transpose(x, w, padding=p - widths * stride)``.

    A transposed convolution spreads each element over ``stride`` steps and crops its result by its padding, so an
    element more in front moves the result by ``stride``. Negative results grow the result instead of cropping it.

    1. the pad is on the data operand
    2. ``_common`` as for convolutions, but no width is negative: a cropped element is no cropped result
    3. the value, seen through ``dequantize``, is 0 or -0.0
    """

    name = "conv_transpose"

    @staticmethod
    def applies(site: Site) -> bool:
        return site.consumer.family == "conv_transpose"

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        yield from _on_weight(site)
        yield from _common(site)
        yield from _not_zero(site)

    @staticmethod
    def fold(site: Site) -> Folded:
        rule = "dequantize-conv_transpose" if site.dequantize else "conv_transpose"
        return Folded(rule, padding=_summed(site, scale=[-stride for stride in site.consumer.strides]))


RULES = (Identity, IntoConv, IntoMaxPool, IntoAvgPool, IntoTransposed)


# --- preconditions that rules share -------------------------------------------------------------------


def _on_weight(site: Site) -> Iterator[Refused]:
    if site.consumer.operand != 0:
        yield Refused(Kind.WEIGHT, "the pad is on the weight operand, which the padding attribute does not reach")


def _common(site: Site) -> Iterator[Refused]:
    """What every rule but ``identity`` asks; the first that fails is reported.

    a. the mode is "constant"; b. the dtypes are known; c. the widths are constants; d. the layout is known, and the
    padding attribute complete; e. what is cropped commutes with the consumer's own padding (``_crop``); f. batch and
    channels are not padded; g. types and kernel read the layout alike; h. the pad's input can be read by the consumer
    """
    pad, consumer = site.pad, site.consumer
    letters = sorted("NC" + consumer.spatial)
    if pad.mode != "constant":
        yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
    for dtype in (pad.dtype, site.operand_dtype):
        if dtype not in NUMBERS:
            yield Refused(Kind.DTYPE, f"dtype {dtype} is none whose arithmetic is known to fold exactly")
    if pad.widths is None:
        yield Refused(Kind.DYNAMIC_WIDTH, "a pad width is not a constant")
        return
    if sorted(consumer.layout) != letters or consumer.out_layout != consumer.layout:
        shown = f"{consumer.layout} (out_layout {consumer.out_layout})"
        yield Refused(Kind.LAYOUT, f"layout {shown} is no order of the letters {'NC' + consumer.spatial}")
        return
    if len(consumer.padding) != 2 * len(consumer.spatial):
        yield Refused(Kind.OWN_PADDING, f"padding {list(consumer.padding)} does not give both sides of every axis")
        return
    by_letter = dict(zip(consumer.layout, pad.widths, strict=True))
    yield from _crop(consumer, by_letter)
    if any(by_letter["N"]):
        yield Refused(Kind.BATCH, f"the pad changes the batch axis by {by_letter['N']}")
    if any(by_letter["C"]):
        yield Refused(Kind.CHANNEL, f"the pad changes the channel axis by {by_letter['C']}")
    if consumer.family == "conv":
        yield from _ambiguous_layout(consumer, by_letter)
    if not site.input_visible:
        yield Refused(Kind.SCOPE, "the input of the pad is local to a dataflow block that the consumer is not in")
    yield from _overwritten(site)


def _crop(consumer: Consumer, by_letter: dict[str, Widths]) -> Iterator[Refused]:
    """A crop and a padding behind it are their sum only where there is nothing to pad again: own padding <= 0.

    A pad and a crop behind it (own padding < 0) always are. With ceil_mode a last window could reach what was cropped.
    """
    cropped = {letter: sides for letter, sides in by_letter.items() if min(sides) < 0}
    if cropped and consumer.family == "conv_transpose":
        yield Refused(Kind.CROP, f"the pad crops {_shown(cropped)}, which no padding of a transposed convolution does")
    if cropped and consumer.ceil_mode:
        yield Refused(Kind.CROP, f"the pad crops {_shown(cropped)}, and the last window of ceil_mode could reach that")
    for letter, sides in cropped.items():
        if letter not in consumer.spatial:
            continue  # refused as batch or channel
        i = consumer.spatial.index(letter)
        own = (consumer.padding[i], consumer.padding[i + len(consumer.spatial)])
        if any(width < 0 < padding for width, padding in zip(sides, own, strict=True)):
            yield Refused(Kind.CROP, f"the pad crops {letter} by {sides}, and own padding {own} pads it again with 0")


def _adds(site: Site) -> bool:
    """Whether the pad adds anything: one that only crops has no value."""
    return site.pad.widths is not None and any(width > 0 for sides in site.pad.widths for width in sides)


def _overwritten(site: Site) -> Iterator[Refused]:
    if site.overwritten:
        yield Refused(Kind.IN_PLACE, "the function has in-place calls, which may overwrite what the pad reads or makes")


def _ambiguous_layout(consumer: Consumer, by_letter: dict[str, Widths]) -> Iterator[Refused]:
    """TVM 0.27 reads a convolution's attributes by letter in its type and by position in its kernel.

    (src/relax/op/nn/convolution.cc, InferTypeConv2d; python/tvm/topi/nn/conv2d.py, conv.) They agree where the
    spatial letters stand in the order D, H, W; elsewhere only widths that are the same on every axis mean one thing.
    """
    orders = {_spatial(consumer.layout, consumer.spatial), _spatial(consumer.kernel_layout, consumer.spatial)}
    widths = {by_letter[letter] for letter in consumer.spatial}
    if orders != {consumer.spatial} and len(widths) > 1:
        layouts = f"{consumer.layout}/{consumer.kernel_layout}"
        yield Refused(Kind.LAYOUT, f"TVM reads padding of layout {layouts} by letter in types, by position in kernels")


def _not_zero(site: Site) -> Iterator[Refused]:
    value = cast(site.pad.value, site.pad.dtype)
    if site.dequantize:
        yield from _not_dequantized_to_zero(site, site.dequantize, value)
    elif _adds(site) and (value is None or _as_summed(value, site) != 0):
        yield Refused(Kind.VALUE, f"{site.consumer.op} pads with 0, but the pad value is {site.pad.value!r}")


def _as_summed(value: float, site: Site) -> float | None:
    """The value as a convolution multiplies it: cast to its out_dtype first (topi/nn/conv2d.py, conv).

    TVM computes bfloat16 in float32 and leaves the rounding of such a cast out, so that float32 is what counts there.
    """
    out_dtype = "float32" if site.consumer.out_dtype == "bfloat16" else site.consumer.out_dtype
    floats = ("float16", "float32", "float64")
    return cast(value, out_dtype) if site.pad.dtype in floats and out_dtype in floats else value


def _not_dequantized_to_zero(site: Site, step: Dequantize, value: float | None) -> Iterator[Refused]:
    """``scale * (value - zero_point)`` must be 0 for every channel; no parameter may follow a padded axis."""
    pad = site.pad
    if step.scale is None or step.zero_point is None:
        yield Refused(Kind.RUNTIME_QUANTIZATION, "the scale or zero point of dequantize is not a constant")
        return
    follows = max(len(step.scale), len(step.zero_point)) > 1
    if follows and pad.widths is not None and any(pad.widths[step.axis]):
        yield Refused(Kind.VARYING_QUANTIZATION, f"scale or zero point vary along axis {step.axis}, which is padded")
    if not _adds(site):
        return
    if not all(map(math.isfinite, step.scale)):
        yield Refused(Kind.QUANTIZATION, f"scale {_some(step.scale)} is not finite, so that 0 is not mapped to 0")
    differing = [zero_point for zero_point in step.zero_point if zero_point != value]
    if value is None or differing:
        where = f"zero point {_some(differing)}" if differing else "no zero point"
        yield Refused(Kind.QUANTIZATION, f"the pad value {pad.value!r} is not the zero point: dequantize has {where}")


def _other_window_count(site: Site) -> Iterator[Refused]:
    """With ``ceil_mode`` the last window goes if it starts behind the data and the begin padding.

    Padding is no data, so a fold can lose that window (src/relax/op/nn/pooling.cc, InferTypePool2D).
    """
    consumer = site.consumer
    if not consumer.ceil_mode or site.pad.widths is None:
        return
    for i, letter in enumerate(consumer.spatial):
        padded = consumer.sizes[i]
        if padded is None:
            yield Refused(Kind.CEIL_MODE, f"ceil_mode over axis {letter}, whose length is not a constant")
            continue
        before, after = site.pad.widths[consumer.layout.index(letter)]
        own_before, own_after = consumer.padding[i], consumer.padding[i + len(consumer.spatial)]
        window = ((consumer.kernel[i] - 1) * consumer.dilation[i] + 1, consumer.strides[i])
        unfolded = _windows(padded, own_before, own_after, *window)
        folded = _windows(padded - before - after, own_before + before, own_after + after, *window)
        if folded != unfolded:
            yield Refused(Kind.CEIL_MODE, f"with ceil_mode, axis {letter} would have {folded} windows, not {unfolded}")


def _other_divisor(site: Site) -> Iterator[Refused]:
    """With ``ceil_mode`` the last window overhangs, and what it counts ends elsewhere when padding is counted.

    Not counted, it ends with the data, whatever own padding crops of that; counted, it ends with the padding
    (include/tvm/topi/nn/pooling.h, pool_impl_nd).
    """
    consumer = site.consumer
    if not consumer.ceil_mode or site.pad.widths is None or None in consumer.sizes:
        return
    merged, counted = _summed(site), _adds(site) or consumer.count_include_pad
    for i, letter in enumerate(consumer.spatial):
        padded, added = consumer.sizes[i] or 0, sum(site.pad.widths[consumer.layout.index(letter)])
        window = (consumer.kernel[i], consumer.strides[i], consumer.dilation[i])
        own = _sides(consumer.padding, i)
        count = _windows(padded, *own, (window[0] - 1) * window[2] + 1, window[1])
        unfolded = _divisors(padded, own, window, count, counted=consumer.count_include_pad)
        folded = _divisors(padded - added, _sides(merged, i), window, count, counted=counted)
        if folded != unfolded:
            yield Refused(Kind.CEIL_MODE, f"with ceil_mode, windows of axis {letter} would divide by other counts")


def _sides(padding: tuple[int, ...], i: int) -> Widths:
    return (padding[i], padding[i + len(padding) // 2])


def _divisors(size: int, padding: Widths, window: tuple[int, int, int], count: int, *, counted: bool) -> list[int]:
    kernel, stride, dilation = window
    divisors = []
    for index in range(count):
        start = index * stride - padding[0]
        end = min(start + (kernel - 1) * dilation, size - 1 + (padding[1] if counted else 0))
        if not counted:
            start += dilation * max(-(start // dilation), 0)
        divisors.append((end - start) // dilation + 1)
    return divisors


def _other_sum(site: Site) -> Iterator[Refused]:
    """TVM sums integers in their own dtype, wrapping, but in int32 at least where it pads: its zero is an int32.

    (include/tvm/topi/nn/pooling.h, pool_impl_nd: ``pad(x, ..., 0)``; ceil_mode with a stride pads too.) So the first
    own padding widens the sum of int8, uint8 and int16, and a sum that wrapped without it does not wrap with it; and a
    sum of own padding and widths that is 0 narrows it.
    """
    consumer, dtype = site.consumer, site.operand_dtype
    if dtype not in INTEGER_BITS or dtype in ("int32", "int64") or site.pad.widths is None:
        return
    if _pads(consumer, consumer.padding) != _pads(consumer, _summed(site)):
        yield Refused(Kind.DTYPE, f"TVM sums {dtype} in {dtype} without padding, but widens the sum with it")


def _pads(consumer: Consumer, padding: tuple[int, ...]) -> bool:
    """Whether TVM's kernel pads at all: ceil_mode adds ``stride - 1`` behind, which can cancel a crop."""
    overhang = [stride - 1 if consumer.ceil_mode else 0 for stride in consumer.strides]
    before, after = padding[: len(overhang)], padding[len(overhang) :]
    return any(before) or any(own + more != 0 for own, more in zip(after, overhang, strict=True))


def _windows(size: int, before: int, after: int, extent: int, stride: int) -> int:
    count = -(-(size + before + after - extent) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


# --- arithmetic ---------------------------------------------------------------------------------------


def _summed(site: Site, *, scale: list[int] | None = None) -> tuple[int, ...]:
    """Own padding plus widths (times ``scale`` of each axis), in the flat order of the attribute."""
    consumer, widths = site.consumer, site.pad.widths
    assert widths is not None
    sides = [widths[consumer.layout.index(letter)] for letter in consumer.spatial]
    added = [before for before, _ in sides] + [after for _, after in sides]
    factors = [1] * len(sides) if scale is None else scale
    return tuple(own + more * by for own, more, by in zip(consumer.padding, added, factors * 2, strict=True))


# --- wording ------------------------------------------------------------------------------------------


def _spatial(layout: str, letters: str) -> str:
    return "".join(letter for letter in layout if letter in letters)


def _shown(by_letter: dict[str, Widths]) -> str:
    return ", ".join(f"{letter} {sides}" for letter, sides in by_letter.items() if any(sides))


def _some(values: list[float] | tuple[float, ...], most: int = 4) -> str:
    """The first few of many values."""
    unique = list(dict.fromkeys(f"{v:g}" for v in values))
    return ", ".join(unique[:most]) + (", ..." if len(unique) > most else "")
