"""Aims: what cases are meant to reach. A draft to start from, and at most one condition to break."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st

from foldproof.case import MIRRORED_MODES, ops
from foldproof.strategies import boundaries, chains
from foldproof.strategies import builder as drafts
from foldproof.strategies import chain_violations as chain_breaks
from foldproof.strategies import variants as forms
from foldproof.strategies import violations as breaks
from foldproof.strategies.builder import Draft

CONVS = ("conv",)
POOLS = ("max_pool", "avg_pool")
WEIGHTED = ("conv", "conv_transpose")
ZERO_PADDED = ("conv", "conv_transpose", "avg_pool")
EVERY = ("conv", "conv_transpose", "max_pool", "avg_pool")


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a case is meant to reach. ``start`` draws a legal case; ``breaks``, if any, breaks one condition of it.

    ``weight`` is how often ``foldproof.strategies.cases`` draws it, compared with an aim of weight 1.
    """

    name: str
    families: tuple[str, ...]
    start: Callable[[st.DrawFn, ops.Op], Draft] = drafts.plain
    breaks: Callable[[Draft], None] | None = None
    ranks: tuple[int, ...] = (1, 2, 3)

    @property
    def weight(self) -> int:
        """By ``benchmarks/aim_kills.py``."""
        return WEIGHTS.get(self.name, 1)

    def fits(self, spec: ops.Op) -> bool:
        return spec.family in self.families and spec.rank in self.ranks


PLAIN_FOLDABLE = (
    Aim(name="neutral value", families=EVERY),
    Aim(name="neutral value, transposed", families=("conv_transpose",)),
    Aim(name="all widths 0", families=EVERY, start=drafts.identity),
    Aim(name="zero point through dequantize", families=ZERO_PADDED, start=drafts.dequantized),
    Aim(name="ceil_mode with the same windows", families=POOLS, start=drafts.ceil_kept),
    Aim(name="own padding that crops", families=("conv", "max_pool", "avg_pool"), start=drafts.cropping_padding),
    Aim(name="zero point, transposed", families=("conv_transpose",), start=drafts.dequantized),
    Aim(name="crop without own padding", families=("conv", "max_pool", "avg_pool"), start=drafts.crop_alone),
    Aim(name="same widths, axes out of order", families=CONVS, start=drafts.same_widths_out_of_order, ranks=(2, 3)),
)

PLAIN_UNFOLDABLE = (
    *(Aim(name=mode, families=EVERY, breaks=partial(breaks.mirrored, mode=mode)) for mode in MIRRORED_MODES),
    Aim(name="unknown mode", families=EVERY, breaks=breaks.unknown_mode),
    Aim(name="other value", families=EVERY, breaks=breaks.other_value),
    Aim(name="zero into max_pool", families=("max_pool",), breaks=breaks.zero_into_max_pool),
    Aim(name="nearly the lowest value", families=("max_pool",), breaks=breaks.nearly_lowest),
    Aim(name="fraction", families=ZERO_PADDED, breaks=breaks.fraction),
    Aim(name="crop", families=EVERY, breaks=breaks.crop_padded_again),
    Aim(name="batch padded", families=EVERY, breaks=breaks.batch_padded),
    Aim(name="channels padded", families=EVERY, breaks=breaks.channel_padded),
    Aim(name="weight padded", families=WEIGHTED, breaks=breaks.weight_padded),
    Aim(name="own padding not counted", families=("avg_pool",), breaks=breaks.padding_excluded),
    Aim(name="narrow integer sum, padding cancelled", families=("avg_pool",), start=drafts.cancelling_average),
    Aim(name="narrow integer sum", families=("avg_pool",), start=drafts.narrow_average),
    Aim(name="ceil_mode loses a window", families=POOLS, breaks=breaks.ceil_changed),
    Aim(name="ceil_mode loses a later window", families=POOLS, breaks=breaks.ceil_changed_later, ranks=(2, 3)),
    Aim(name="axes out of order", families=CONVS, breaks=breaks.out_of_order, ranks=(2, 3)),
    Aim(name="dequantize to the lowest", families=("max_pool",), start=drafts.dequantized),
    Aim(name="not the zero point", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.requantized),
    Aim(name="zero point of the other sign", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.other_sign),
    Aim(
        name="one channel's zero point",
        families=ZERO_PADDED,
        start=drafts.dequantized,
        breaks=breaks.one_channel_requantized,
    ),
    Aim(name="run-time zero point", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.runtime_quantized),
    Aim(
        name="varying along a padded axis",
        families=ZERO_PADDED,
        start=drafts.dequantized,
        breaks=breaks.varying_along_padded,
    ),
)

CHAINS_FOLDABLE = (
    Aim(name="neutral through a chain", families=EVERY, start=chains.kept_neutral),
    Aim(name="made zero by a chain", families=ZERO_PADDED, start=chains.made_zero),
    Aim(name="quantize and dequantize", families=ZERO_PADDED, start=chains.requantized),
    Aim(name="cast in range", families=ZERO_PADDED, start=chains.cast_in_range),
    Aim(name="quantized stem", families=WEIGHTED, start=chains.quantized_stem),
    Aim(name="permuted", families=EVERY, start=forms.permuted),
    Aim(name="unit axes", families=EVERY, start=forms.unit_axes),
    Aim(name="nested pads", families=EVERY, start=forms.nested),
    Aim(name="nested pad of channels", families=EVERY, start=forms.nested_channels),
    Aim(name="batch or channels beside", families=EVERY, start=forms.partial_pad),
    Aim(name="call_tir", families=EVERY, start=forms.as_call_tir),
    Aim(name="symbolic", families=EVERY, start=forms.symbolic),
    Aim(name="constant weight", families=WEIGHTED, start=forms.constant_weight),
    Aim(name="bounded below", families=("max_pool",), start=forms.bounded_below),
)

CHAINS_UNFOLDABLE = (
    Aim(name="not neutral behind a chain", families=EVERY, start=chains.kept_neutral, breaks=chain_breaks.not_mapped),
    Aim(name="second channel of an operand", families=EVERY, breaks=chain_breaks.second_channel),
    Aim(name="operand along a padded axis", families=EVERY, breaks=chain_breaks.varying_operand),
    Aim(name="run-time operand", families=EVERY, start=chains.kept_neutral, breaks=chain_breaks.run_time_operand),
    Aim(name="cast that may be out of range", families=ZERO_PADDED, breaks=chain_breaks.unclipped_cast),
    Aim(name="not finite at a step", families=ZERO_PADDED, breaks=chain_breaks.not_finite),
    Aim(name="zero times infinity", families=ZERO_PADDED, breaks=chain_breaks.zero_times_infinity),
    Aim(name="rounded product", families=ZERO_PADDED, breaks=chain_breaks.rounded_product),
    Aim(
        name="zero points that differ",
        families=("avg_pool",),
        start=chains.requantized,
        breaks=chain_breaks.other_zero_points,
    ),
    Aim(
        name="zero point into integers",
        families=CONVS,
        start=chains.requantized,
        breaks=chain_breaks.into_integers,
    ),
    Aim(name="nested, another value", families=EVERY, start=forms.nested, breaks=chain_breaks.other_nested_value),
    Aim(
        name="nested channels of another value",
        families=WEIGHTED,
        start=forms.nested_channels,
        breaks=chain_breaks.other_channel_value,
    ),
    Aim(name="crop, then pad", families=EVERY, start=chains.kept_neutral, breaks=chain_breaks.cropped_then_padded),
    Aim(name="crop between", families=EVERY, start=chains.kept_neutral, breaks=chain_breaks.crop_between),
    Aim(
        name="window in the border",
        families=("max_pool",),
        start=forms.bounded_below,
        breaks=chain_breaks.window_in_border,
    ),
    Aim(name="minus zero", families=("max_pool",), start=forms.bounded_below, breaks=chain_breaks.minus_zero),
    Aim(name="not bounded below", families=("max_pool",), start=forms.bounded_below, breaks=chain_breaks.unbounded),
    Aim(name="integers of another value", families=CONVS, breaks=chain_breaks.integer_value),
    Aim(name="other value, call_tir", families=EVERY, breaks=chain_breaks.other_value_as_call_tir),
    Aim(name="other value, batch or channels beside", families=EVERY, breaks=chain_breaks.batch_of_other_value),
    Aim(name="mirrored, call_tir", families=EVERY, breaks=chain_breaks.mirrored_call_tir),
    Aim(name="mirrored, in a chain", families=EVERY, start=chains.kept_neutral, breaks=chain_breaks.mirrored_chain),
)

BOUNDARIES = (
    Aim(name="one side not counted", families=("avg_pool",), start=boundaries.one_side_excluded),
    Aim(name="last window overhangs", families=("avg_pool",), start=boundaries.overhanging),
    Aim(name="last window overhangs a crop", families=("avg_pool",), start=boundaries.overhanging_crop),
    Aim(name="ceil_mode and dilation", families=POOLS, start=boundaries.dilated_ceil),
    Aim(name="window of border alone", families=("max_pool",), start=boundaries.window_of_border),
    Aim(name="last zero", families=("max_pool",), start=boundaries.last_zero),
    Aim(name="lowest finite value", families=("max_pool",), start=boundaries.lowest_finite),
    Aim(name="lowest value beside", families=("max_pool",), start=boundaries.lowest_beside),
    Aim(name="other pad in front", families=("max_pool",), start=boundaries.other_pad_in_front),
    Aim(name="signs of zero", families=("max_pool",), start=boundaries.signs_of_zero),
    Aim(name="one step", families=ZERO_PADDED, start=boundaries.one_step),
    Aim(name="vanishing in out_dtype", families=WEIGHTED, start=boundaries.vanishing),
    Aim(name="below zero", families=ZERO_PADDED, start=boundaries.below_zero),
    Aim(name="rounded away", families=ZERO_PADDED, start=boundaries.rounded_away),
    Aim(name="run-time step", families=ZERO_PADDED, start=boundaries.run_time_step),
    Aim(name="one of the channels", families=ZERO_PADDED, start=boundaries.one_of_channels),
    Aim(name="along a padded axis", families=ZERO_PADDED, start=boundaries.along_padded),
    Aim(name="channels moved", families=ZERO_PADDED, start=boundaries.channels_moved),
    Aim(name="axis inserted", families=EVERY, start=boundaries.axis_inserted, ranks=(2, 3)),
    Aim(name="corners", families=WEIGHTED, start=boundaries.corners),
    Aim(name="nested crop", families=EVERY, start=boundaries.nested_crop),
    Aim(name="cropped again", families=EVERY, start=boundaries.cropped_again),
    Aim(name="corrected", families=CONVS, start=boundaries.corrected),
    Aim(name="floats of another value", families=CONVS, start=boundaries.floats_of_another_value),
    Aim(name="channel of zeros", families=CONVS, start=boundaries.channel_of_zeros),
    Aim(name="unknown lengths", families=EVERY, start=boundaries.unknown_lengths),
)

FOLDABLE = PLAIN_FOLDABLE + CHAINS_FOLDABLE
UNFOLDABLE = PLAIN_UNFOLDABLE + CHAINS_UNFOLDABLE
AIMS = FOLDABLE + UNFOLDABLE + BOUNDARIES

WEIGHTS = {
    "neutral value, transposed": 4,
    "all widths 0": 6,
    "nearly the lowest value": 5,
    "narrow integer sum": 6,
    "ceil_mode loses a later window": 5,
    "zero point of the other sign": 5,
    "one channel's zero point": 4,
    "run-time zero point": 9,
    "made zero by a chain": 4,
    "unit axes": 2,
    "batch or channels beside": 3,
    "symbolic": 3,
    "constant weight": 3,
    "second channel of an operand": 4,
    "operand along a padded axis": 4,
    "zero points that differ": 5,
    "nested channels of another value": 4,
    "crop between": 6,
    "integers of another value": 5,
    "mirrored, call_tir": 6,
    "one side not counted": 6,
    "last window overhangs": 2,
    "last window overhangs a crop": 9,
    "ceil_mode and dilation": 5,
    "window of border alone": 8,
    "last zero": 6,
    "lowest finite value": 4,
    "lowest value beside": 5,
    "other pad in front": 6,
    "signs of zero": 6,
    "one step": 8,
    "vanishing in out_dtype": 6,
    "below zero": 5,
    "rounded away": 5,
    "run-time step": 5,
    "channels moved": 5,
    "axis inserted": 9,
    "nested crop": 10,
    "cropped again": 8,
    "corrected": 10,
    "floats of another value": 6,
    "channel of zeros": 4,
    "reflect": 3,
    "replicate": 3,
    "circular": 4,
}
"""Aims that are drawn more often than others, by name. ``benchmarks/aim_kills.py`` proposed them, such that the defect
that fewest cases kill is killed by as many as possible, with three tenths spread over all aims; a dozen were changed by
hand after a run of ``foldproof mutants``. Held-out defects had no part in the weights."""
assert WEIGHTS.keys() <= {aim.name for aim in AIMS}
