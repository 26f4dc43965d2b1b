"""Ten more mutants that were written last, before their author read the scenarios of ``strategies``.

Invariant: nothing is ever tuned to them, so that they show the effect of tuning.
"""

from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Pad, Step
from foldproof.fold import Folded, Outcome, conv_rules, pool_rules, pooling, values
from foldproof.fold.facts import Operand, Quantization, Site
from foldproof.fold.propagated import Propagated
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, SLICE, Mutant, witness_case
from foldproof.mutants.operators import (
    change_attributes,
    change_outcome,
    misread_site,
    patch_pass,
    retype,
    with_steps,
    with_value,
)
from foldproof.mutants.patched_pass import SLICING

# --- numbers ------------------------------------------------------------------------------------------


def quantize_rounds_half_away_from_zero() -> Pass:
    """The pass rounds a half in quantize away from zero instead of to even."""

    def quantize(value: float, scale: float, zero_point: float, source: str, dtype: str) -> float | None:
        scaled = value / scale if scale else value
        tie = abs(scaled - int(scaled)) == 0.5 if abs(scaled) < 2**31 else False
        away = value + (0.25 * scale if scaled > 0 else -0.25 * scale) if tie else value
        return _quantize(away, scale, zero_point, source, dtype)

    _quantize = values.quantize
    return retype(patch_pass(values, quantize=quantize))


def quantize_does_not_saturate() -> Pass:
    """The pass does not clip what quantize makes of the pad value, but takes its low bits."""

    def quantize(value: float, scale: float, zero_point: float, source: str, dtype: str) -> float | None:
        known = _quantize(value, scale, zero_point, source, dtype)
        if known is None or abs(value / scale) > 2**31:
            return known
        low, high = values.int_range(dtype)
        return low + (round(value / scale) + int(zero_point) - low) % (high - low + 1)

    _quantize = values.quantize
    return retype(patch_pass(values, quantize=quantize))


def casts_round_to_nearest() -> Pass:
    """The pass rounds a float that becomes an integer to nearest, instead of toward zero."""

    def convert(value: float, source: str, dtype: str) -> float | None:
        rounds = source in values.FLOATS and dtype in values.INTEGER_BITS and abs(value) < 2**31
        return _convert(float(round(value)) if rounds else value, source, dtype)

    _convert = values.convert
    return retype(patch_pass(values, convert=convert))


def any_infinity_taken_for_the_lowest() -> Pass:
    """The pass takes an infinity of either sign for the neutral value of a max_pool."""

    def lie(site: Site) -> Site:
        value = site.pad.value
        return with_value(site, -value) if isinstance(value, float) and value == float("inf") else site

    return misread_site(lie)


def last_axis_taken_for_channels() -> Pass:
    """The pass reads parameters along the last axis, as of axis -1, as those of axis 1."""

    def moved(operand: Operand) -> Operand:
        shape = operand.shape
        if shape is None or len(shape) < 3 or shape[-1] == 1:
            return operand
        return replace(operand, shape=(shape[0], shape[-1], *shape[2:-1], shape[1]))

    def other(step: Any) -> Any:
        if not isinstance(step, Quantization):
            return step
        return replace(step, scale=moved(step.scale), zero_point=moved(step.zero_point))

    return misread_site(lambda site: with_steps(site, other))


# --- geometry -----------------------------------------------------------------------------------------


def crop_scaled_by_dilation() -> Pass:
    """The pass takes a negative width for a number of taps, which are a dilation apart."""

    def scaled(site: Site, folded: Folded) -> Outcome:
        consumer = site.consumer
        sides = zip(consumer.padding, folded.padding or (), consumer.dilation * 2, strict=True)
        return replace(folded, padding=tuple(new if new >= own else own + (new - own) * by for own, new, by in sides))

    return change_outcome(scaled)


def ceil_windows_of_the_other_axis() -> Pass:
    """The pass checks the number of windows under ceil_mode with the widths of the axes in reverse order."""

    def refusals(propagated: Propagated) -> Any:
        spatial = propagated.site.consumer.spatial
        turned = {letter: propagated.widths[other] for letter, other in zip(spatial, spatial[::-1], strict=True)}
        return _refusals(replace(propagated, widths=propagated.widths | turned))

    _refusals = pooling.refuse_other_window_count
    return retype(patch_pass(pool_rules, refuse_other_window_count=refusals))


def counted_padding_lost_in_channels_last() -> Pass:
    """The folded average pool of a layout with channels last does not count its padding."""

    def uncounted(call: ir.Call) -> dict[str, Any]:
        counts = hasattr(call.attrs, "count_include_pad") and str(call.attrs.layout).endswith("C")
        return {"count_include_pad": False} if counts else {}

    return change_attributes(uncounted)


def stride_and_dilation_swapped_in_window_check() -> Pass:
    """The pass takes the stride for the dilation when it checks whether a window holds data."""

    def swapped(propagated: Propagated) -> bool:
        consumer = propagated.site.consumer
        other = replace(consumer, strides=consumer.dilation, dilation=consumer.strides)
        return _holds(replace(propagated, site=replace(propagated.site, consumer=other)))

    _holds = pooling.every_window_holds_data
    return retype(patch_pass(pool_rules, every_window_holds_data=swapped))


def slice_of_grouped_convolutions() -> Pass:
    """The pass slices the weight of a grouped convolution as that of an ungrouped one."""

    def letters(site: Site, options: Any) -> Any:
        alone = replace(site, consumer=replace(site.consumer, groups=1))
        return _letters(alone, options)

    _letters = conv_rules.IntoConv.letters
    return patch_pass(conv_rules.IntoConv, fold=SLICING, letters=staticmethod(letters))


# --- the table ----------------------------------------------------------------------------------------

_QUANTIZE = Step(kind="quantize", out_dtype="int8")
_INTEGERS = {"out_dtype": "int32"}

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        held_out=True,
        kind="quantization",
        make=quantize_rounds_half_away_from_zero,
        witness=witness_case("conv1d", BARE, pad=Pad(value=0.5), steps=(_QUANTIZE,), **_INTEGERS),
    ),
    Mutant(
        held_out=True,
        kind="quantization",
        make=quantize_does_not_saturate,
        witness=witness_case("conv1d", BARE, pad=Pad(value=256.0), steps=(_QUANTIZE,), **_INTEGERS),
    ),
    Mutant(
        held_out=True,
        kind="chain",
        make=casts_round_to_nearest,
        witness=witness_case(
            "conv1d",
            BARE,
            pad=Pad(value=0.75),
            steps=(Step(kind="clip"), Step(kind="astype", out_dtype="int8")),
            **_INTEGERS,
        ),
    ),
    Mutant(
        held_out=True,
        kind="value",
        make=any_infinity_taken_for_the_lowest,
        witness=witness_case("max_pool1d", BARE, pad=Pad(value=float("inf"))),
    ),
    Mutant(
        held_out=True,
        kind="quantization",
        make=last_axis_taken_for_channels,
        witness=witness_case(
            "conv1d",
            BARE,
            dtype="int8",
            data_layout="NWC",
            channels=2,
            steps=(Step(scale=(1.0, 2.0), zero_point=(0, 0)),),
        ),
    ),
    Mutant(
        held_out=True,
        kind="widths",
        make=crop_scaled_by_dilation,
        witness=witness_case("conv1d", Axis(size=7, pad=(-1, 0), kernel=2, dilation=2)),
    ),
    Mutant(
        held_out=True,
        kind="pools",
        make=ceil_windows_of_the_other_axis,
        witness=witness_case(
            "max_pool2d",
            Axis(size=4, pad=(0, 1), kernel=2, stride=2),
            Axis(size=4, kernel=2, stride=2),
            pad=Pad(value=float("-inf")),
            ceil_mode=True,
        ),
    ),
    Mutant(
        held_out=True,
        kind="pools",
        make=counted_padding_lost_in_channels_last,
        witness=witness_case("avg_pool1d", BARE, data_layout="NWC", fills=("negative",)),
    ),
    Mutant(
        held_out=True,
        kind="bounded",
        make=stride_and_dilation_swapped_in_window_check,
        witness=witness_case("max_pool1d", Axis(pad=(1, 1), kernel=2, dilation=2), producers=(Step(kind="relu"),)),
    ),
    Mutant(
        held_out=True,
        kind="slice",
        make=slice_of_grouped_convolutions,
        witness=witness_case(
            "conv1d", BARE, pad=Pad(channel=(0, 2)), channels=6, filters=2, groups=2, constant_weight=True
        ),
        right=SLICE,
    ),
)
"""The mutants of this module."""
