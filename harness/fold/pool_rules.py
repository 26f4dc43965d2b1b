"""When a pad becomes the padding of a pool. Pure Python."""

from collections.abc import Iterator

from foldproof.fold.facts import MIRRORING, Folded, Kind, Options, Refused
from foldproof.fold.mirroring import refuse_lost_copies
from foldproof.fold.pooling import (
    every_window_holds_data,
    never_wins,
    refuse_other_divisor,
    refuse_other_sum,
    refuse_other_window_count,
)
from foldproof.fold.propagated import Propagated, choose_value_kind, describe_value, sum_padding
from foldproof.fold.propagation import show_some
from foldproof.fold.rule import Rule, name_rule, refuse_nonzero
from foldproof.fold.values import max_pool_start


class IntoMaxPool(Rule):
    """``max_pool(pad(x, v), padding=p)`` is ``max_pool(x, padding=p + widths)`` if v never wins.

        lv = nn.pad(x, (0, 0, 0, 0, 1, 2), value=-inf)
        gv = max_pool1d(lv, 3, padding=(1, 0))            ->    gv = max_pool1d(x, 3, padding=(2, 2))

    1. ``refuse_common`` and ``refuse_crops`` as for convolutions.
    2. If anything is added: v, as it reaches the consumer, is at most the value that TVM's max_pool starts from and
       pads with: the lowest finite value, the minimum of integers, -inf for bfloat16 (it starts at float32's lowest).
    3. Or v is at most any element of the data (relu -> pad(0)), and every window holds one; equal zeros are +0.0.
    4. Or the mode copies elements, and every window holds those whose copies it reads (``refuse_lost_copies``).
    5. ``ceil_mode`` does not change the number of windows.

    Where a length is symbolic, 3 and 5 hold for all that it can have (``foldproof.fold.lengths``).
    """

    family = "max_pool"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        dtype = propagated.site.operand_dtype
        lowest = max_pool_start(dtype)
        if propagated.site.pad.mode in MIRRORING:
            yield from refuse_lost_copies(propagated)
        elif propagated.adds and not all(value <= lowest for value in propagated.values.flat):
            if not never_wins(propagated):
                yield Refused(
                    choose_value_kind(propagated),
                    f"max_pool pads {dtype} with {lowest!r}, but {describe_value(propagated)}",
                )
            elif not every_window_holds_data(propagated):
                yield Refused(
                    Kind.VALUE,
                    f"no element is below {show_some(propagated.values.flat)}, but a window may hold only padding",
                )
        yield from refuse_other_window_count(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        if propagated.site.pad.mode in MIRRORING:
            return Folded("mirrored-max_pool", padding=sum_padding(propagated))
        lowest = max_pool_start(propagated.site.operand_dtype)
        below = not propagated.adds or all(value <= lowest for value in propagated.values.flat)
        return Folded(
            name_rule("max_pool", propagated) if below else "bounded-max_pool", padding=sum_padding(propagated)
        )


class IntoAvgPool(Rule):
    """``avg_pool(pad(x, 0), padding=p)`` is ``avg_pool(x, padding=p + widths, count_include_pad=True)``.

        lv = nn.pad(x, (0, 0, 0, 0, 1, 2))                ->    gv = avg_pool1d(x, 3, padding=(1, 2),
        gv = avg_pool1d(lv, 3, count_include_pad=False)                         count_include_pad=True)

    1. ``refuse_common`` and ``refuse_crops`` as for convolutions.
    2. If anything is added: the value, as it reaches the consumer, is 0 or -0.0.
    3. If anything is added: the divisor counts the explicit zeros, so it must count padding. ``count_include_pad`` is
       set, or the pool's own padding adds nothing and the flag can be set.
    4. ``ceil_mode`` changes neither the number of windows nor a divisor.
    5. The sum of integers keeps its width (``refuse_other_sum``).
    """

    family = "avg_pool"

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        yield from refuse_nonzero(propagated)
        consumer = propagated.site.consumer
        own = consumer.padding
        if propagated.adds and not consumer.count_include_pad and any(padding > 0 for padding in own):
            yield Refused(
                Kind.EXCLUDED_PADDING,
                f"the pool's own padding {list(own)} is not counted in the divisor, but the explicit zeros are",
            )
        yield from refuse_other_window_count(propagated)
        yield from refuse_other_divisor(propagated)
        yield from refuse_other_sum(propagated)

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        counted = propagated.adds or propagated.site.consumer.count_include_pad
        return Folded(name_rule("avg_pool", propagated), padding=sum_padding(propagated), count_include_pad=counted)
