"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and answers ``Folded`` or ``Refused``; a refusal names what stood in the way. When unsure, refuse:
a missed fold is a nuisance, an unsound fold is a bug.

    pad --steps--> Arrival --rule--> Folded | Refused
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from foldproof.fold.facts import (
    Consumer,
    Folded,
    Kind,
    Options,
    Outcome,
    Padded,
    PadFacts,
    Rearranged,
    Refused,
    Site,
    Step,
)
from foldproof.fold.pooling import every_window_holds_data, never_wins, other_divisor, other_sum, other_window_count
from foldproof.fold.propagated import Propagated, common, crops, message, overwritten, propagate, summed, value_kind
from foldproof.fold.propagation import other_operands, some
from foldproof.fold.values import FLOATS, INTEGER_BITS, NUMBERS, cast, max_pool_start


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


def _decided(rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    refused = next(common(site), None)
    if refused is not None:
        return refused
    tried: list[Outcome] = []
    for letters in rule.letters(site, options):
        tried.append(_along(letters, rule, site, options))
        if isinstance(tried[-1], Folded):
            break
    return tried[-1]


def _along(letters: str, rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    """The outcome if the widths along these letters go, and the others stay."""
    propagated = propagate(site, letters)
    return propagated if isinstance(propagated, Refused) else _concluded(rule, propagated, options)


def _concluded(rule: "type[Rule]", propagated: Propagated, options: Options) -> Outcome:
    """What the rule says of a pad that arrives, and what the backend says of that."""
    refused = next(crops(propagated), None) or next(rule.refusals(propagated, options), None)
    if refused is not None:
        return refused
    folded = rule.fold(propagated)
    if any(any(sides) for sides in propagated.kept):
        folded = replace(folded, kept=propagated.kept)
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

    @staticmethod
    def applies(site: Site) -> bool:
        return site.pad.is_identity

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        return overwritten(site)

    @staticmethod
    def fold() -> Folded:
        return Folded("identity")


class Cancelled:
    """``crop(f(pad(x)))`` is ``f(x)`` where the crop takes away what the pad has added, whatever f makes of elements.

    1. all widths of both pads, and the rank of the data, are known
    2. every step between them computes, or moves the axis: no pad of that end, or that crops the other one, and no
       operand that varies along the axis
    3. the inner pad adds something at an end where the outer one crops
    4. what the inner pad makes without that is not empty, though it may crop the other end (of an unknown length, which
       is at least 1, no more than it adds)
    """

    @staticmethod
    def pads(inner: Padded, steps: tuple[Step, ...], outer: PadFacts) -> tuple[PadFacts, PadFacts] | None:
        """Both pads without what the one adds and the other crops; None if that is nothing."""
        if inner.pad.widths is None or outer.widths is None:
            return None
        added, cropped = [list(sides) for sides in inner.pad.widths], [list(sides) for sides in outer.widths]
        for axis, end in product(range(len(cropped)), (0, 1)):
            origin = _origin(axis, end, steps)
            if origin is None:
                continue
            both = max(0, min(-cropped[axis][end], added[origin][end]))
            size = inner.sizes[origin]
            if (1 if size is None else size) + sum(added[origin]) - both > 0:
                added[origin][end] -= both
                cropped[axis][end] += both
        smaller = replace(inner.pad, widths=tuple((before, after) for before, after in added))
        rest = replace(outer, widths=tuple((before, after) for before, after in cropped))
        return None if smaller == inner.pad else (smaller, rest)


def _origin(axis: int, end: int, steps: tuple[Step, ...]) -> int | None:
    """The axis before the steps whose ``end`` (0 or 1) becomes that of ``axis``; None if a step minds."""
    for step in reversed(steps):
        if isinstance(step, Rearranged):
            origin = step.origin[axis]
            if origin is None:
                return None
            axis = origin
        elif isinstance(step, Padded):
            if step.pad.widths is None or step.pad.widths[axis][end] != 0 or min(step.pad.widths[axis]) < 0:
                return None
        elif any(operand.shape is None or operand.shape[axis] != 1 for _, operand in other_operands(step)):
            return None
    return axis


class Nested:
    """``pad(pad(x, a), b)`` is ``pad(x, a + b)``.

    1. both modes are "constant", all widths are constants
    2. nothing that the inner pad crops is padded again by the outer one
    3. if both add anything that is left in the end: their values are the same in the dtype of the tensor (no NaN, -0.0
       is not 0.0)
    """

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
        if _remains(inner, outer) and _grows(outer):
            a, b = cast(inner.value, inner.dtype), cast(outer.value, outer.dtype)
            if a is None or b is None or a != b or math.copysign(1, a) != math.copysign(1, b):
                yield Refused(Kind.VALUE, f"the pads add {inner.value!r} and {outer.value!r}")

    @staticmethod
    def merged(inner: PadFacts, outer: PadFacts) -> PadFacts:
        assert inner.widths is not None
        assert outer.widths is not None
        sums = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.widths, outer.widths, strict=True))
        return replace(inner, widths=sums, value=inner.value if _remains(inner, outer) else outer.value)


def _grows(pad: PadFacts) -> bool:
    return pad.widths is not None and any(width > 0 for sides in pad.widths for width in sides)


def _remains(inner: PadFacts, outer: PadFacts) -> bool:
    """Whether the outer pad leaves anything of what the inner one adds."""
    sides = zip(inner.widths or (), outer.widths or (), strict=True)
    return any(width > 0 and width + min(0, crop) > 0 for pair in sides for width, crop in zip(*pair, strict=True))


class Rule:
    """What the rules of the consumers have in common."""

    family = ""

    @staticmethod
    def letters(site: Site, options: Options) -> Iterator[str]:
        """The letters along which a pad may go, most daring first."""
        yield site.consumer.spatial

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        """The preconditions that are not met."""
        raise NotImplementedError

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        """The new padding."""
        raise NotImplementedError


class IntoConv(Rule):
    """``conv(pad(x), w, padding=p)`` is ``conv(x, w, padding=p + widths)``, and so through the steps in between.

    1. ``common`` and ``crops``: constant mode and widths, layouts understood, crops that commute
    2. if anything is added: the value, as it arrives, is 0 or -0.0, what the convolution pads with (the sum starts at
       +0.0, so the sign of a zero product is lost)
    3. or, by option: the border is made up for by adding ``conv(border, w)``, exactly where integers are summed
    4. by option: zero channels go with the weights that they meet, if those are finite (0 * inf is NaN) and not grouped
    """

    family = "conv"

    @staticmethod
    def letters(site: Site, options: Options) -> Iterator[str]:
        consumer = site.consumer
        if options.channels == "slice" and consumer.groups == 1 and consumer.weight:
            yield consumer.spatial + "C"
        yield consumer.spatial

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        yield from _ambiguous_layout(propagated)
        channels = propagated.widths.get("C", (0, 0))
        if min(channels) < 0:
            yield Refused(Kind.CHANNEL, f"the pad crops channels by {channels}")
        nonzero = next(_not_zero(propagated), None)
        if nonzero is not None and (any(channels) or not _correctable(propagated, options)):
            yield nonzero

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        folded = Folded(_named("conv", propagated), padding=summed(propagated))
        if any(propagated.widths.get("C", (0, 0))):
            folded = replace(folded, channels=propagated.widths["C"])
        if next(_not_zero(propagated), None) is not None:
            return replace(folded, rule=f"corrected-{folded.rule}", border=propagated.values)
        return folded


def _correctable(propagated: Propagated, options: Options) -> bool:
    """Whether a convolution of the border alone makes up for it.

    Exactly: sums of integers, which wrap alike in any order. Floats round, hence the option of their own. Not where
    types and kernel read the layout in two ways, since no term is of both.
    """
    site, values = propagated.site, propagated.values
    if not _in_order(site.consumer):
        return False
    out = site.consumer.out_dtype or site.operand_dtype
    exact = site.operand_dtype in INTEGER_BITS and out in INTEGER_BITS and site.consumer.weight == "integer"
    inexact = site.operand_dtype in FLOATS and out in FLOATS and all(map(math.isfinite, values.flat))
    lengths = dict(zip(site.consumer.layout, values.shape, strict=True))
    alike = all(lengths[letter] == 1 for letter in "N" + site.consumer.spatial)
    chosen = (options.nonzero in ("correct", "correct-inexact") and exact) or (
        options.nonzero == "correct-inexact" and inexact
    )
    return chosen and alike and None not in (*site.consumer.sizes, site.consumer.channels)


class IntoMaxPool(Rule):
    """``max_pool(pad(x, v), padding=p)`` is ``max_pool(x, padding=p + widths)`` if v never wins.

    1. ``common`` and ``crops`` as for convolutions
    2. if anything is added: v, as it arrives, is at most the value that TVM's max_pool starts from and pads with: the
       lowest finite value, the minimum of integers, -inf for bfloat16 (it starts at float32's lowest)
    3. or v is no more than any element of the data (relu -> pad(0)), and every window holds one; equal zeros are +0.0
    4. ``ceil_mode`` does not change the number of windows
    """

    family = "max_pool"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        dtype = propagated.site.operand_dtype
        lowest = max_pool_start(dtype)
        if propagated.adds and not all(value <= lowest for value in propagated.values.flat):
            if not never_wins(propagated):
                yield Refused(
                    value_kind(propagated), f"max_pool pads {dtype} with {lowest!r}, but {message(propagated)}"
                )
            elif not every_window_holds_data(propagated):
                yield Refused(
                    Kind.VALUE, f"no element is below {some(propagated.values.flat)}, but a window may hold none at all"
                )
        yield from other_window_count(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        lowest = max_pool_start(propagated.site.operand_dtype)
        below = not propagated.adds or all(value <= lowest for value in propagated.values.flat)
        return Folded(_named("max_pool", propagated) if below else "bounded-max_pool", padding=summed(propagated))


class IntoAvgPool(Rule):
    """``avg_pool(pad(x, 0), padding=p)`` is ``avg_pool(x, padding=p + widths, count_include_pad=True)``.

    1. ``common`` and ``crops`` as for convolutions
    2. if anything is added: the value, as it arrives, is 0 or -0.0
    3. if anything is added: the explicit zeros are counted in the divisor, so padding must be: ``count_include_pad`` is
       set, or the pool's own padding adds nothing and the flag can be set
    4. ``ceil_mode`` changes neither the number of windows nor a divisor
    5. integers keep the width that they are summed in (``other_sum``)
    """

    family = "avg_pool"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        yield from _not_zero(propagated)
        consumer = propagated.site.consumer
        own = consumer.padding
        if propagated.adds and not consumer.count_include_pad and any(padding > 0 for padding in own):
            yield Refused(
                Kind.EXCLUDED_PADDING,
                f"the pool's own padding {list(own)} is not counted in the divisor, but the explicit zeros are",
            )
        yield from other_window_count(propagated)
        yield from other_divisor(propagated)
        yield from other_sum(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        counted = propagated.adds or propagated.site.consumer.count_include_pad
        return Folded(_named("avg_pool", propagated), padding=summed(propagated), count_include_pad=counted)


class IntoTransposed(Rule):
    """``conv_transpose(pad(x), w, padding=p)`` is ``conv_transpose(x, w, padding=p - widths * stride)``.

    A transposed convolution spreads each element over ``stride`` steps and crops its result by its padding, so an
    element more before it moves the result by ``stride``. Negative results grow the result instead of cropping it.

    1. ``common`` and ``crops`` as for convolutions, but no width is negative: a cropped element is no cropped
       result
    2. the value, as it arrives, is 0 or -0.0
    """

    family = "conv_transpose"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        return _not_zero(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        strides = propagated.site.consumer.strides
        return Folded(_named("conv_transpose", propagated), padding=summed(propagated, scale=[-s for s in strides]))


RULES: tuple[type[Rule], ...] = (IntoConv, IntoMaxPool, IntoAvgPool, IntoTransposed)


def _named(rule: str, propagated: Propagated) -> str:
    """The rule, with what stands in between."""
    ops = {step.op for step in propagated.site.steps}
    if not ops:
        return rule
    return f"dequantize-{rule}" if ops == {"dequantize"} else f"chain-{rule}"


def _ambiguous_layout(propagated: Propagated) -> Iterator[Refused]:
    """TVM 0.27 reads a convolution's attributes by letter in its type and by position in its kernel.

    (src/relax/op/nn/convolution.cc, InferTypeConv2d; python/tvm/topi/nn/conv2d.py, conv.) They agree where the
    spatial letters stand in the order D, H, W; elsewhere only widths that are the same on every axis mean one thing.
    """
    consumer = propagated.site.consumer
    widths = {propagated.widths[letter] for letter in consumer.spatial}
    if len(widths) > 1 and not _in_order(consumer):
        layouts = f"{consumer.layout}/{consumer.kernel_layout}"
        yield Refused(Kind.LAYOUT, f"TVM reads padding of layout {layouts} by letter in types, by position in kernels")


def _not_zero(propagated: Propagated) -> Iterator[Refused]:
    if propagated.adds and not all(_as_summed(value, propagated.site) == 0 for value in propagated.values.flat):
        yield Refused(value_kind(propagated), f"{propagated.site.consumer.op} pads with 0, but {message(propagated)}")


def _as_summed(value: float, site: Site) -> float | None:
    """The value as a convolution multiplies it: cast to its out_dtype first (topi/nn/conv2d.py, conv).

    TVM computes bfloat16 in float32 and leaves the rounding of such a cast out, so that float32 is what counts there.
    """
    out_dtype = "float32" if site.consumer.out_dtype == "bfloat16" else site.consumer.out_dtype
    floats = ("float16", "float32", "float64")
    return cast(value, out_dtype) if site.operand_dtype in floats and out_dtype in floats else value


def _in_order(consumer: Consumer) -> bool:
    """Whether the spatial letters stand in the order D, H, W in the layouts of data and kernel."""
    layouts = (consumer.layout, consumer.kernel_layout)
    return all("".join(x for x in layout if x in consumer.spatial) == consumer.spatial for layout in layouts)
