"""Ten mutants that were written last, and were held out until four of them survived.

Nothing was ever tuned to their code. But the kinds of those four have scenarios since: dilated windows, constants on
the left, ties, the bounds of a clip. So their kill rate says less now than that of ``held_out_second``.
"""

from dataclasses import replace
from math import floor
from typing import Any

import numpy as np
from tvm import ir

from foldproof.case import Axis, Pad, Step
from foldproof.fold import Folded, Outcome, correction, pool_rules, pooling, values
from foldproof.fold.facts import Binary, Clip, Site
from foldproof.fold.propagated import Propagated
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, CORRECT, Mutant, witness_case
from foldproof.mutants.operators import (
    change_attributes,
    change_outcome,
    misread_site,
    patch_pass,
    rebuild_call,
    retype,
    with_steps,
)
from foldproof.mutants.patched_pass import CORRECTING

# --- widths and geometry ------------------------------------------------------------------------------


def crop_clamped_at_zero() -> Pass:
    """The pass replaces negative padding by 0."""
    return change_outcome(
        lambda _, folded: replace(folded, padding=tuple(max(width, 0) for width in folded.padding or ()))
    )


def transposed_scaled_by_dilation() -> Pass:
    """The pass scales the widths of a transposed convolution by its dilation."""

    def scaled(site: Site, folded: Folded) -> Outcome:
        consumer = site.consumer
        if consumer.family != "conv_transpose" or folded.padding is None:
            return folded
        sides = zip(consumer.padding, folded.padding, consumer.strides * 2, consumer.dilation * 2, strict=True)
        return replace(folded, padding=tuple(own - (own - new) // stride * by for own, new, stride, by in sides))

    return change_outcome(scaled)


def kept_widths_swapped() -> Pass:
    """The pass swaps the sides of the widths that stay in a smaller pad."""

    def swapped(_: Site, folded: Folded) -> Outcome:
        kept = folded.kept
        return folded if kept is None else replace(folded, kept=tuple((after, before) for before, after in kept))

    return change_outcome(swapped)


def dilation_lost() -> Pass:
    """The folded consumer has dilation 1."""
    return change_attributes(lambda call: {"dilation": [1] * len(call.attrs.dilation)})


def window_check_without_dilation() -> Pass:
    """The pass ignores the dilation when it checks whether a window holds data."""

    def dense(propagated: Propagated) -> bool:
        consumer = propagated.site.consumer
        alone = replace(consumer, dilation=(1,) * len(consumer.dilation))
        return _holds(replace(propagated, site=replace(propagated.site, consumer=alone)))

    _holds = pooling.every_window_holds_data
    return retype(patch_pass(pool_rules, every_window_holds_data=dense))


# --- steps --------------------------------------------------------------------------------------------


def minimum_evaluated_as_maximum() -> Pass:
    """The pass evaluates a minimum as a maximum."""
    return misread_site(
        lambda site: with_steps(site, lambda step: replace(step, op="maximum") if step.op == "minimum" else step)
    )


def operands_swapped() -> Pass:
    """The pass swaps the operands of a binary step: x / c for c / x."""
    return misread_site(
        lambda site: with_steps(site, lambda step: replace(step, swapped=False) if isinstance(step, Binary) else step)
    )


def rounds_half_up() -> Pass:
    """The pass rounds a half up instead of to even."""

    def half_up(value: float, dtype: str) -> float:
        return float(floor(value + 0.5))

    return retype(patch_pass(values, UNARY={**values.UNARY, "round": half_up}))


def bounded_by_the_upper_bound() -> Pass:
    """The pass takes the upper bound of a clip for the lower bound."""

    def lie(site: Site) -> Site:
        producers = (replace(step, low=step.high) if isinstance(step, Clip) else step for step in site.producers)
        return replace(site, producers=tuple(producers))

    return misread_site(lie)


# --- corrections --------------------------------------------------------------------------------------


def correction_dilation_forgotten() -> Pass:
    """The correction ignores the dilation."""

    def slide(kernel: np.ndarray[Any, Any], mask: np.ndarray[Any, Any], call: ir.Call) -> np.ndarray[Any, Any]:
        dense = _slide(kernel, mask, rebuild_call(call, call.args, dilation=[1] * len(call.attrs.dilation)))
        counts = _slide(kernel, mask, call).shape[1:]
        return dense[(slice(None), *(slice(count) for count in counts))]

    _slide = correction._slide
    return patch_pass(correction, fold=CORRECTING, _slide=slide)


# --- the table ----------------------------------------------------------------------------------------

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        looked_at=True,
        kind="widths",
        make=crop_clamped_at_zero,
        witness=witness_case("conv1d", Axis(size=4, pad=(-1, 0), kernel=2)),
    ),
    Mutant(
        looked_at=True,
        kind="transposed",
        make=transposed_scaled_by_dilation,
        witness=witness_case("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0))),
    ),
    Mutant(
        looked_at=True,
        kind="partial",
        make=kept_widths_swapped,
        witness=witness_case("conv1d", BARE, pad=Pad(channel=(0, 1))),
    ),
    Mutant(
        looked_at=True,
        kind="graph",
        make=dilation_lost,
        witness=witness_case("conv1d", Axis(size=5, pad=(1, 1), kernel=2, dilation=2)),
    ),
    Mutant(
        looked_at=True,
        kind="bounded",
        make=window_check_without_dilation,
        witness=witness_case("max_pool1d", Axis(pad=(1, 1), kernel=2, dilation=2), producers=(Step(kind="relu"),)),
    ),
    Mutant(
        looked_at=True,
        kind="chain",
        make=minimum_evaluated_as_maximum,
        witness=witness_case("conv1d", BARE, pad=Pad(value=3.0), steps=(Step(kind="minimum", operand=(0.0,)),)),
    ),
    Mutant(
        looked_at=True,
        kind="chain",
        make=operands_swapped,
        witness=witness_case("conv1d", BARE, steps=(Step(kind="divide", operand=(2.0,), swapped=True),)),
    ),
    Mutant(
        looked_at=True,
        kind="chain",
        make=rounds_half_up,
        witness=witness_case("conv1d", BARE, pad=Pad(value=0.5), steps=(Step(kind="round"),)),
    ),
    Mutant(
        looked_at=True,
        kind="bounded",
        make=bounded_by_the_upper_bound,
        witness=witness_case(
            "max_pool1d",
            Axis(size=4, pad=(1, 1), kernel=2),
            dtype="int32",
            pad=Pad(value=2.0),
            producers=(Step(kind="clip", low=-3.0, high=6.0),),
        ),
    ),
    Mutant(
        looked_at=True,
        kind="correction",
        make=correction_dilation_forgotten,
        witness=witness_case(
            "conv1d",
            Axis(size=5, pad=(1, 1), kernel=2, dilation=2),
            dtype="int8",
            out_dtype="int32",
            pad=Pad(value=3.0),
            constant_weight=True,
        ),
        right=CORRECT,
    ),
)
"""The mutants of this module."""
