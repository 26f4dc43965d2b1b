"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and answers ``Folded`` or ``Refused``; a refusal names what stood in the way. When unsure, refuse:
a missed fold is a nuisance, an unsound fold is a bug.

    pad --steps--> Arrival --rule--> Folded | Refused
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.fold.facts import (
    Consumer,
    Folded,
    Kind,
    Options,
    Outcome,
    PadFacts,
    Quantization,
    Rearranged,
    Refused,
    Site,
    Values,
    Widths,
)
from harness.fold.steps import Border, known_bounds, passed, some
from harness.fold.values import FLOATS, INTEGER_BITS, NUMBERS, cast, max_pool_start


def decide(site: Site, options: Options = Options()) -> Outcome:  # noqa: B008, a frozen value
    """The outcome of one site."""
    if Identity.applies(site):
        return next(Identity.refusals(site), None) or Identity.fold()
    for rule in RULES:
        if site.consumer.family == rule.family:
            return _decided(rule, site, options)
    return Refused(Kind.CONSUMER, f"{site.consumer.op} is no convolution or pool: it has no padding to fold into")


def merge(inner: PadFacts, outer: PadFacts) -> PadFacts | Refused:
    """One pad that does what ``outer`` does to the result of ``inner``; the rule is ``Nested``."""
    return next(Nested.refusals(inner, outer), None) or Nested.merged(inner, outer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A pad as it reaches its consumer: the widths that padding has to make up for, by letter of the layout.

    ``border`` is what the operand holds there; ``kept`` are the widths of the pad that stays, per axis of what it pads.
    """

    site: Site
    widths: dict[str, Widths]
    border: Border
    kept: tuple[Widths, ...]

    @property
    def adds(self) -> bool:
        """Whether anything is added: a pad that only crops has no value."""
        return any(width > 0 for sides in self.widths.values() for width in sides)

    @property
    def values(self) -> Values:
        assert self.border.values is not None
        return self.border.values


def _decided(rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    refused = next(_common(site), None)
    if refused is not None:
        return refused
    outcome: Outcome = Refused(Kind.CONSUMER, "no letters to fold along")
    for letters in rule.letters(site, options):
        arrival = _arrival(site, letters)
        outcome = _concluded(rule, arrival, options) if isinstance(arrival, Arrival) else arrival
        if isinstance(outcome, Folded):
            return outcome
    return outcome


def _concluded(rule: "type[Rule]", arrival: Arrival, options: Options) -> Outcome:
    """What the rule says of a pad that arrives, and what the backend says of that."""
    refused = next(_geometry(arrival), None) or next(rule.refusals(arrival, options), None)
    if refused is not None:
        return refused
    folded = rule.fold(arrival)
    if any(any(sides) for sides in arrival.kept):
        folded = replace(folded, kept=arrival.kept)
    return _not_taken(folded, options) or folded


def _not_taken(folded: Folded, options: Options) -> Refused | None:
    padding = folded.padding or ()
    rank = len(padding) // 2
    if not options.allow_negative and any(width < 0 for width in padding):
        return Refused(Kind.OPTION, f"padding {list(padding)} is negative, and allow_negative is False")
    if not options.allow_asymmetric and padding[:rank] != padding[rank:]:
        return Refused(Kind.OPTION, f"padding {list(padding)} is asymmetric, and allow_asymmetric is False")
    return None


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
    def fold() -> Folded:
        return Folded("identity")


class Nested:
    """``pad(pad(x, a), b)`` is ``pad(x, a + b)``.

    1. both modes are "constant", all widths are constants
    2. nothing that the inner pad crops is padded again by the outer one
    3. if both add anything: their values are the same in the dtype of the tensor (no NaN, -0.0 is not 0.0)
    """

    name = "nested"

    @staticmethod
    def refusals(inner: PadFacts, outer: PadFacts) -> Iterator[Refused]:
        for pad in (inner, outer):
            if pad.mode != "constant":
                yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
            if pad.dtype not in NUMBERS:
                yield Refused(Kind.DTYPE, f"dtype {pad.dtype} is none whose pad values are known")
        if inner.widths is None or outer.widths is None:
            yield Refused(Kind.DYNAMIC_WIDTH, "a pad width is not a constant")
            return
        for axis, (first, second) in enumerate(zip(inner.widths, outer.widths, strict=True)):
            if any(a < 0 < b for a, b in zip(first, second, strict=True)):
                yield Refused(Kind.CROP, f"axis {axis} is cropped by {first} and then padded by {second}")
        if _grows(inner) and _grows(outer):
            a, b = cast(inner.value, inner.dtype), cast(outer.value, outer.dtype)
            if a is None or b is None or a != b or math.copysign(1, a) != math.copysign(1, b):
                yield Refused(Kind.VALUE, f"the pads add {inner.value!r} and {outer.value!r}")

    @staticmethod
    def merged(inner: PadFacts, outer: PadFacts) -> PadFacts:
        assert inner.widths is not None
        assert outer.widths is not None
        sums = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.widths, outer.widths, strict=True))
        return replace(inner, widths=sums, value=inner.value if _grows(inner) else outer.value)


def _grows(pad: PadFacts) -> bool:
    return pad.widths is not None and any(width > 0 for sides in pad.widths for width in sides)


class Rule:
    """What the rules of the consumers have in common."""

    family = ""

    @staticmethod
    def letters(site: Site, options: Options) -> Iterator[str]:
        """The letters along which a pad may go, most daring first."""
        yield site.consumer.spatial

    @staticmethod
    def refusals(arrival: Arrival, options: Options) -> Iterator[Refused]:
        """The preconditions that are not met."""
        raise NotImplementedError

    @staticmethod
    def fold(arrival: Arrival) -> Folded:
        """The new padding."""
        raise NotImplementedError


class IntoConv(Rule):
    """``conv(pad(x), w, padding=p)`` is ``conv(x, w, padding=p + widths)``, and so through the steps in between.

    1. ``_common`` and ``_geometry``: constant mode and widths, layouts understood, crops that commute
    2. if anything is added: the value, as it arrives, is 0 or -0.0, what the convolution pads with (the sum starts at
       +0.0, so the sign of a zero product is lost)
    3. or, by option: the border is made up for by adding ``conv(border, w)``, exactly where integers are summed
    4. by option: zero channels go with the weights that they meet, if those are finite (0 * inf is NaN) and not grouped
    """

    family = "conv"

    @staticmethod
    def letters(site: Site, options: Options) -> Iterator[str]:
        consumer = site.consumer
        integer = consumer.out_dtype in INTEGER_BITS
        finite = consumer.weight == "integer" or (consumer.weight == "finite" and not integer)
        if options.channels == "slice" and consumer.groups == 1 and finite:
            yield consumer.spatial + "C"
        yield consumer.spatial

    @staticmethod
    def refusals(arrival: Arrival, options: Options) -> Iterator[Refused]:
        yield from _ambiguous_layout(arrival)
        channels = arrival.widths.get("C", (0, 0))
        if min(channels) < 0:
            yield Refused(Kind.CHANNEL, f"the pad crops channels by {channels}")
        nonzero = next(_not_zero(arrival), None)
        if nonzero is not None and (any(channels) or not _correctable(arrival, options)):
            yield nonzero

    @staticmethod
    def fold(arrival: Arrival) -> Folded:
        folded = Folded(_named("conv", arrival), padding=_summed(arrival))
        if any(arrival.widths.get("C", (0, 0))):
            folded = replace(folded, channels=arrival.widths["C"])
        if next(_not_zero(arrival), None) is not None:
            return replace(folded, rule=f"corrected-{folded.rule}", border=arrival.values)
        return folded


def _correctable(arrival: Arrival, options: Options) -> bool:
    """Whether a convolution of the border alone makes up for it.

    Exactly: sums of integers, which wrap alike in any order. Floats round, hence the option of their own.
    """
    site, values = arrival.site, arrival.values
    out = site.consumer.out_dtype or site.operand_dtype
    exact = site.operand_dtype in INTEGER_BITS and out in INTEGER_BITS
    inexact = site.operand_dtype in FLOATS and out in FLOATS and all(map(math.isfinite, values.flat))
    lengths = dict(zip(site.consumer.layout, values.shape, strict=True))
    alike = all(lengths[letter] == 1 for letter in "N" + site.consumer.spatial)
    chosen = (options.nonzero in ("correct", "correct-inexact") and exact) or (
        options.nonzero == "correct-inexact" and inexact
    )
    return chosen and alike and None not in (*site.consumer.sizes, site.consumer.channels)


class IntoMaxPool(Rule):
    """``max_pool(pad(x, v), padding=p)`` is ``max_pool(x, padding=p + widths)`` if v never wins.

    1. ``_common`` and ``_geometry`` as for convolutions
    2. if anything is added: v, as it arrives, is at most the value that TVM's max_pool starts from and pads with: the
       lowest finite value, the minimum of integers, -inf for bfloat16 (it starts at float32's lowest)
    3. or v is no more than any element of the data (relu -> pad(0)), and every window holds one; equal zeros are +0.0
    4. ``ceil_mode`` does not change the number of windows
    """

    family = "max_pool"

    @staticmethod
    def refusals(arrival: Arrival, options: Options) -> Iterator[Refused]:
        dtype = arrival.site.operand_dtype
        lowest = max_pool_start(dtype)
        if arrival.adds and not all(value <= lowest for value in arrival.values.flat):
            if not _never_wins(arrival):
                yield Refused(_value_kind(arrival), f"max_pool pads {dtype} with {lowest!r}, but {_said(arrival)}")
            elif not _every_window_holds_data(arrival):
                yield Refused(
                    Kind.VALUE, f"no element is below {some(arrival.values.flat)}, but a window may hold none at all"
                )
        yield from _other_window_count(arrival)

    @staticmethod
    def fold(arrival: Arrival) -> Folded:
        lowest = max_pool_start(arrival.site.operand_dtype)
        below = not arrival.adds or all(value <= lowest for value in arrival.values.flat)
        return Folded(_named("max_pool" if below else "bounded-max_pool", arrival), padding=_summed(arrival))


def _never_wins(arrival: Arrival) -> bool:
    """Whether the data has no smaller element than the border. Among equals, the bits must be the same."""
    bounds = arrival.border.bounds
    if bounds is None:
        return False
    highest = max(arrival.values.flat)
    plus = all(value != 0 or math.copysign(1, value) > 0 for value in arrival.values.flat)
    plus = plus and not any(step.op in _SIGN_OF_ZERO_UNKNOWN for step in arrival.site.steps)
    return highest < bounds.low or (highest == bounds.low and (highest != 0 or (bounds.plus_zero and plus)))


_SIGN_OF_ZERO_UNKNOWN = frozenset(
    ("negative", "round", "ceil", "trunc", "floor", "sign", "sqrt", "multiply", "divide", "add", "subtract", "maximum")
    + ("minimum", "dequantize", "clip", "nn.leakyrelu", "tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh")
    + ("erf", "nn.gelu", "nn.gelu_tanh", "nn.silu", "abs", "square")
)
"""Steps behind which ``values`` does not tell 0.0 from -0.0 with certainty."""


def _every_window_holds_data(arrival: Arrival) -> bool:
    consumer = arrival.site.consumer
    for i, letter in enumerate(consumer.spatial):
        padded, (before, after) = consumer.sizes[i], arrival.widths[letter]
        if padded is None:
            return False
        own = _sides(consumer.padding, i)
        extent = (consumer.kernel[i] - 1) * consumer.dilation[i] + 1
        windows = _window_count(padded, *own, extent, consumer.strides[i], ceil_mode=consumer.ceil_mode)
        first, last = max(before, 0), padded - max(after, 0)
        for window in range(windows):
            start = window * consumer.strides[i] - own[0]
            taps = range(start, start + extent, consumer.dilation[i])
            if not any(first <= tap < last for tap in taps):
                return False
    return True


class IntoAvgPool(Rule):
    """``avg_pool(pad(x, 0), padding=p)`` is ``avg_pool(x, padding=p + widths, count_include_pad=True)``.

    1. ``_common`` and ``_geometry`` as for convolutions
    2. if anything is added: the value, as it arrives, is 0 or -0.0
    3. if anything is added: the explicit zeros are counted in the divisor, so padding must be: ``count_include_pad`` is
       set, or the pool's own padding adds nothing and the flag can be set
    4. ``ceil_mode`` changes neither the number of windows nor a divisor
    5. integers keep the width that they are summed in (``_other_sum``)
    """

    family = "avg_pool"

    @staticmethod
    def refusals(arrival: Arrival, options: Options) -> Iterator[Refused]:
        yield from _not_zero(arrival)
        consumer = arrival.site.consumer
        own = consumer.padding
        if arrival.adds and not consumer.count_include_pad and any(padding > 0 for padding in own):
            yield Refused(
                Kind.EXCLUDED_PADDING,
                f"the pool's own padding {list(own)} is not counted in the divisor, but the explicit zeros are",
            )
        yield from _other_window_count(arrival)
        yield from _other_divisor(arrival)
        yield from _other_sum(arrival)

    @staticmethod
    def fold(arrival: Arrival) -> Folded:
        counted = arrival.adds or arrival.site.consumer.count_include_pad
        return Folded(_named("avg_pool", arrival), padding=_summed(arrival), count_include_pad=counted)


class IntoTransposed(Rule):
    """``conv_transpose(pad(x), w, padding=p)`` is ``conv_transpose(x, w, padding=p - widths * stride)``.

    A transposed convolution spreads each element over ``stride`` steps and crops its result by its padding, so an
    element more in front moves the result by ``stride``. Negative results grow the result instead of cropping it.

    1. ``_common`` and ``_geometry`` as for convolutions, but no width is negative: a cropped element is no cropped
       result
    2. the value, as it arrives, is 0 or -0.0
    """

    family = "conv_transpose"

    @staticmethod
    def refusals(arrival: Arrival, options: Options) -> Iterator[Refused]:
        return _not_zero(arrival)

    @staticmethod
    def fold(arrival: Arrival) -> Folded:
        strides = arrival.site.consumer.strides
        return Folded(_named("conv_transpose", arrival), padding=_summed(arrival, scale=[-s for s in strides]))


RULES: tuple[type[Rule], ...] = (IntoConv, IntoMaxPool, IntoAvgPool, IntoTransposed)


def _named(rule: str, arrival: Arrival) -> str:
    """The rule, with what stands in between."""
    ops = {step.op for step in arrival.site.steps}
    if not ops:
        return rule
    return f"dequantize-{rule}" if ops == {"dequantize"} else f"chain-{rule}"


# --- how the pad gets there ---------------------------------------------------------------------------


def _common(site: Site) -> Iterator[Refused]:
    """What every rule asks of the pad and its consumer; the first that fails is reported.

    a. the pad is on the data operand; b. the mode is "constant"; c. the dtypes are known; d. the widths are constants;
    e. the layout is known, and the padding attribute complete; f. the pad's input can be read by the consumer
    """
    pad, consumer = site.pad, site.consumer
    letters = sorted("NC" + consumer.spatial)
    if consumer.operand != 0:
        yield Refused(Kind.WEIGHT, "the pad is on the weight operand, which the padding attribute does not reach")
    if pad.mode != "constant":
        yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
    for dtype in (pad.dtype, site.operand_dtype):
        if dtype not in NUMBERS:
            yield Refused(Kind.DTYPE, f"dtype {dtype} is none whose arithmetic is known to fold exactly")
    if pad.widths is None:
        yield Refused(Kind.DYNAMIC_WIDTH, "a pad width is not a constant")
    if sorted(consumer.layout) != letters or consumer.out_layout != consumer.layout:
        shown = f"{consumer.layout} (out_layout {consumer.out_layout})"
        yield Refused(Kind.LAYOUT, f"layout {shown} is no order of the letters {'NC' + consumer.spatial}")
    if len(consumer.padding) != 2 * len(consumer.spatial):
        yield Refused(Kind.OWN_PADDING, f"padding {list(consumer.padding)} does not give both sides of every axis")
    if not site.input_visible:
        yield Refused(Kind.SCOPE, "the input of the pad is local to a dataflow block that the consumer is not in")
    yield from _overwritten(site)


def _arrival(site: Site, letters: str) -> Arrival | Refused:
    """The pad as it arrives, if its widths along ``letters`` of the consumer's layout go and the others stay."""
    pad, consumer = site.pad, site.consumer
    assert pad.widths is not None
    origins = _origins(site)
    moving = {origins[consumer.layout.index(letter)] for letter in letters}
    widths = tuple(sides if axis in moving else (0, 0) for axis, sides in enumerate(pad.widths))
    kept = tuple((0, 0) if axis in moving else sides for axis, sides in enumerate(pad.widths))
    if not any(any(sides) for sides in widths):
        return _nothing_moves(site, origins)
    border = _moved(site, widths)
    if isinstance(border, Refused):
        return border
    by_letter = dict(zip(consumer.layout, border.widths, strict=True))
    return Arrival(site=site, widths={x: by_letter[x] for x in letters}, border=border, kept=kept)


def _origins(site: Site) -> tuple[int | None, ...]:
    """For each axis of the consumer's operand, the axis of the padded tensor that it is; None for a new one."""
    assert site.pad.widths is not None
    origins: tuple[int | None, ...] = tuple(range(len(site.pad.widths)))
    for step in site.steps:
        if isinstance(step, Rearranged):
            origins = tuple(None if axis is None else origins[axis] for axis in step.origin)
    return origins


def _nothing_moves(site: Site, origins: tuple[int | None, ...]) -> Refused:
    assert site.pad.widths is not None
    for letter, origin in zip(site.consumer.layout, origins, strict=True):
        sides = (0, 0) if origin is None else site.pad.widths[origin]
        if any(sides):
            kind, axis = (Kind.BATCH, "batch") if letter == "N" else (Kind.CHANNEL, "channel")
            return Refused(kind, f"the pad changes the {axis} axis by {sides}")
    return Refused(Kind.CONSUMER, f"{site.consumer.op} has no axis of those that are padded")


def _moved(site: Site, widths: tuple[Widths, ...]) -> Border | Refused:
    """The border in front of the consumer, or what step it cannot pass."""
    pad = site.pad
    border = Border(dtype=pad.dtype, widths=widths, values=None, bounds=known_bounds(pad.dtype, site.producers))
    if any(width > 0 for sides in widths for width in sides):
        value = cast(pad.value, pad.dtype)
        if value is None:
            return Refused(Kind.VALUE, f"the pad value {pad.value!r} does not fit {pad.dtype}")
        border = replace(border, values=Values((1,) * len(widths), (value,)))
    for step in site.steps:
        passing = passed(border, step)
        if isinstance(passing, Refused):
            return passing
        border = passing
    return border


# --- preconditions that rules share -------------------------------------------------------------------


def _geometry(arrival: Arrival) -> Iterator[Refused]:
    """What is cropped commutes with the consumer's own padding, and is read alike by types and kernel."""
    yield from _crop(arrival.site.consumer, arrival.widths)


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
            continue  # channels, which have no padding
        i = consumer.spatial.index(letter)
        own = (consumer.padding[i], consumer.padding[i + len(consumer.spatial)])
        if any(width < 0 < padding for width, padding in zip(sides, own, strict=True)):
            yield Refused(Kind.CROP, f"the pad crops {letter} by {sides}, and own padding {own} pads it again with 0")


def _overwritten(site: Site) -> Iterator[Refused]:
    if site.overwritten:
        yield Refused(Kind.IN_PLACE, "the function has in-place calls, which may overwrite what the pad reads or makes")


def _ambiguous_layout(arrival: Arrival) -> Iterator[Refused]:
    """TVM 0.27 reads a convolution's attributes by letter in its type and by position in its kernel.

    (src/relax/op/nn/convolution.cc, InferTypeConv2d; python/tvm/topi/nn/conv2d.py, conv.) They agree where the
    spatial letters stand in the order D, H, W; elsewhere only widths that are the same on every axis mean one thing.
    """
    consumer = arrival.site.consumer
    orders = {_spatial(consumer.layout, consumer.spatial), _spatial(consumer.kernel_layout, consumer.spatial)}
    widths = {arrival.widths[letter] for letter in consumer.spatial}
    if orders != {consumer.spatial} and len(widths) > 1:
        layouts = f"{consumer.layout}/{consumer.kernel_layout}"
        yield Refused(Kind.LAYOUT, f"TVM reads padding of layout {layouts} by letter in types, by position in kernels")


def _not_zero(arrival: Arrival) -> Iterator[Refused]:
    if arrival.adds and not all(_as_summed(value, arrival.site) == 0 for value in arrival.values.flat):
        yield Refused(_value_kind(arrival), f"{arrival.site.consumer.op} pads with 0, but {_said(arrival)}")


def _as_summed(value: float, site: Site) -> float | None:
    """The value as a convolution multiplies it: cast to its out_dtype first (topi/nn/conv2d.py, conv).

    TVM computes bfloat16 in float32 and leaves the rounding of such a cast out, so that float32 is what counts there.
    """
    out_dtype = "float32" if site.consumer.out_dtype == "bfloat16" else site.consumer.out_dtype
    floats = ("float16", "float32", "float64")
    return cast(value, out_dtype) if site.operand_dtype in floats and out_dtype in floats else value


def _value_kind(arrival: Arrival) -> Kind:
    quantized = any(isinstance(step, Quantization) for step in arrival.site.steps)
    return Kind.QUANTIZATION if quantized else Kind.VALUE


def _said(arrival: Arrival) -> str:
    """The pad value, and what the steps make of it."""
    pad, steps = arrival.site.pad, arrival.site.steps
    if not steps:
        return f"the pad value is {pad.value!r}"
    said = f"{', '.join(step.op for step in steps)} makes {some(arrival.values.flat)} of the pad value {pad.value!r}"
    points = [step.zero_point.flat for step in steps if isinstance(step, Quantization) and step.zero_point.flat]
    return said + (f" (zero point {some(points[-1])})" if points else "")


def _other_window_count(arrival: Arrival) -> Iterator[Refused]:
    """With ``ceil_mode`` the last window goes if it starts behind the data and the begin padding.

    Padding is no data, so a fold can lose that window (src/relax/op/nn/pooling.cc, InferTypePool2D).
    """
    consumer = arrival.site.consumer
    if not consumer.ceil_mode:
        return
    for i, letter in enumerate(consumer.spatial):
        padded = consumer.sizes[i]
        if padded is None:
            yield Refused(Kind.CEIL_MODE, f"ceil_mode over axis {letter}, whose length is not a constant")
            continue
        before, after = arrival.widths[letter]
        own_before, own_after = consumer.padding[i], consumer.padding[i + len(consumer.spatial)]
        window = ((consumer.kernel[i] - 1) * consumer.dilation[i] + 1, consumer.strides[i])
        unfolded = _windows(padded, own_before, own_after, *window)
        folded = _windows(padded - before - after, own_before + before, own_after + after, *window)
        if folded != unfolded:
            yield Refused(Kind.CEIL_MODE, f"with ceil_mode, axis {letter} would have {folded} windows, not {unfolded}")


def _other_divisor(arrival: Arrival) -> Iterator[Refused]:
    """With ``ceil_mode`` the last window overhangs, and what it counts ends elsewhere when padding is counted.

    Not counted, it ends with the data, whatever own padding crops of that; counted, it ends with the padding
    (include/tvm/topi/nn/pooling.h, pool_impl_nd).
    """
    consumer = arrival.site.consumer
    if not consumer.ceil_mode or None in consumer.sizes:
        return
    merged, counted = _summed(arrival), arrival.adds or consumer.count_include_pad
    for i, letter in enumerate(consumer.spatial):
        padded, added = consumer.sizes[i] or 0, sum(arrival.widths[letter])
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


def _other_sum(arrival: Arrival) -> Iterator[Refused]:
    """TVM sums integers in their own dtype, wrapping, but in int32 at least where it pads: its zero is an int32.

    (include/tvm/topi/nn/pooling.h, pool_impl_nd: ``pad(x, ..., 0)``; ceil_mode with a stride pads too.) So the first
    own padding widens the sum of int8, uint8 and int16, and a sum that wrapped without it does not wrap with it; and a
    sum of own padding and widths that is 0 narrows it.
    """
    consumer, dtype = arrival.site.consumer, arrival.site.operand_dtype
    if dtype not in INTEGER_BITS or dtype in ("int32", "int64"):
        return
    if _pads(consumer, consumer.padding) != _pads(consumer, _summed(arrival)):
        yield Refused(Kind.DTYPE, f"TVM sums {dtype} in {dtype} without padding, but widens the sum with it")


def _pads(consumer: Consumer, padding: tuple[int, ...]) -> bool:
    """Whether TVM's kernel pads at all: ceil_mode adds ``stride - 1`` behind, which can cancel a crop."""
    overhang = [stride - 1 if consumer.ceil_mode else 0 for stride in consumer.strides]
    before, after = padding[: len(overhang)], padding[len(overhang) :]
    return any(before) or any(own + more != 0 for own, more in zip(after, overhang, strict=True))


def _window_count(size: int, before: int, after: int, extent: int, stride: int, *, ceil_mode: bool) -> int:
    room = size + before + after - extent
    return _windows(size, before, after, extent, stride) if ceil_mode else room // stride + 1


def _windows(size: int, before: int, after: int, extent: int, stride: int) -> int:
    """Windows with ``ceil_mode``."""
    count = -(-(size + before + after - extent) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


# --- arithmetic ---------------------------------------------------------------------------------------


def _summed(arrival: Arrival, *, scale: list[int] | None = None) -> tuple[int, ...]:
    """Own padding plus widths (times ``scale`` of each axis), in the flat order of the attribute."""
    consumer = arrival.site.consumer
    sides = [arrival.widths[letter] for letter in consumer.spatial]
    added = [before for before, _ in sides] + [after for _, after in sides]
    factors = [1] * len(sides) if scale is None else scale
    return tuple(own + more * by for own, more, by in zip(consumer.padding, added, factors * 2, strict=True))


# --- wording ------------------------------------------------------------------------------------------


def _spatial(layout: str, letters: str) -> str:
    return "".join(letter for letter in layout if letter in letters)


def _shown(by_letter: dict[str, Widths]) -> str:
    return ", ".join(f"{letter} {sides}" for letter, sides in by_letter.items() if any(sides))
