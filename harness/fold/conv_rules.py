"""When a pad becomes the padding of a convolution, transposed or not. Pure Python."""

import math
from collections.abc import Iterator
from dataclasses import replace

from foldproof.fold.facts import Consumer, Folded, Kind, Options, Refused, Site
from foldproof.fold.propagated import Propagated, sum_padding
from foldproof.fold.rule import Rule, name_rule, refuse_nonzero
from foldproof.fold.values import FLOATS, INTEGER_BITS


class IntoConv(Rule):
    """``conv(pad(x), w, padding=p)`` is ``conv(x, w, padding=p + widths)``, also through the steps between.

        lv = nn.pad(x, (0, 0, 0, 0, 1, 2))
        gv = conv1d(lv, w, padding=(3, 4))                ->    gv = conv1d(x, w, padding=(4, 6))

    1. ``refuse_common`` and ``refuse_crops``: constant mode and widths, known layouts, crops that padding can express.
    2. A border that is added reaches the consumer as 0 or -0.0, which a convolution pads with. Its sum starts at
       +0.0, so the sign of a zero product is lost.
    3. Or, by option: ``conv(border, w)`` is added instead. That is exact where integers are summed.
    4. By option: zero channels are removed with the weights that they meet. The convolution is not grouped, and these
       weights are finite (0 * inf is NaN).
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
        yield from _refuse_ambiguous_layout(propagated)
        channels = propagated.widths.get("C", (0, 0))
        if min(channels) < 0:
            yield Refused(Kind.CHANNEL, f"the pad crops channels by {channels}")
        nonzero = next(refuse_nonzero(propagated), None)
        if nonzero is not None and (any(channels) or not _can_correct(propagated, options)):
            yield nonzero

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        folded = Folded(name_rule("conv", propagated), padding=sum_padding(propagated))
        if any(propagated.widths.get("C", (0, 0))):
            folded = replace(folded, channels=propagated.widths["C"])
        if next(refuse_nonzero(propagated), None) is not None:
            return replace(folded, rule=f"corrected-{folded.rule}", border=propagated.values)
        return folded


def _can_correct(propagated: Propagated, options: Options) -> bool:
    """Return whether a convolution of the border alone replaces what the zeros of the padding lose.

    Sums of integers are exact, since they wrap alike in any order. Floats round, hence their own option. Where type and
    kernel read the layout in two ways, no term is right for both.
    """
    site, values = propagated.site, propagated.values
    if not _is_in_order(site.consumer):
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


def _refuse_ambiguous_layout(propagated: Propagated) -> Iterator[Refused]:
    """Refuse layouts whose attributes TVM 0.27 reads by letter in the type and by position in the kernel.

    Sources: src/relax/op/nn/convolution.cc, InferTypeConv2d; python/tvm/topi/nn/conv2d.py, conv. Both agree where the
    spatial letters are in the order D, H, W. Elsewhere only widths that are equal on every axis are unambiguous.
    """
    consumer = propagated.site.consumer
    widths = {propagated.widths[letter] for letter in consumer.spatial}
    if len(widths) > 1 and not _is_in_order(consumer):
        layouts = f"{consumer.layout}/{consumer.kernel_layout}"
        yield Refused(Kind.LAYOUT, f"TVM reads padding of layout {layouts} by letter in types, by position in kernels")


def _is_in_order(consumer: Consumer) -> bool:
    """Return whether the spatial letters are in the order D, H, W in the layouts of data and kernel."""
    layouts = (consumer.layout, consumer.kernel_layout)
    return all("".join(x for x in layout if x in consumer.spatial) == consumer.spatial for layout in layouts)


class IntoTransposed(Rule):
    """``conv_transpose(pad(x), w, padding=p)`` is ``conv_transpose(x, w, padding=p - widths * stride)``.

        lv = nn.pad(x, (0, 0, 0, 0, 1, 2))
        gv = conv1d_transpose(lv, w, strides=2,           ->    gv = conv1d_transpose(x, w, strides=2,
                              padding=(3, 3))                                         padding=(1, -1))

    A transposed convolution spreads each element over ``stride`` steps and crops its result by its padding. So one more
    element before the data moves the result by ``stride``. Negative padding grows the result instead of cropping it.

    1. ``refuse_common`` and ``refuse_crops`` as for convolutions, but no width is negative: cropping an element is not
       cropping a result.
    2. The value, as it reaches the consumer, is 0 or -0.0.
    """

    family = "conv_transpose"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        return refuse_nonzero(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        strides = propagated.site.consumer.strides
        return Folded(
            name_rule("conv_transpose", propagated), padding=sum_padding(propagated, scale=[-s for s in strides])
        )
