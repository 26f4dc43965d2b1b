"""Mutants: the value and the mode of the pad."""

import math

from foldproof.case import Axis, Pad
from foldproof.fold import Folded, Kind, Outcome, Refused, rule
from foldproof.fold.facts import Site
from foldproof.fold.values import FLOATS
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, Mutant, witness_case
from foldproof.mutants.operators import (
    change_outcome,
    drop_preconditions,
    misread_site,
    patch_pass,
    retype,
    with_constant_mode,
    with_value,
)


def value_ignored() -> Pass:
    """The pass folds any pad value."""
    return drop_preconditions(Kind.VALUE)


def value_compared_before_cast() -> Pass:
    """The pass compares the attribute before the cast to the integer tensor: it refuses 0.99, which is 0 there."""

    def uncast(site: Site) -> Site:
        value, integral = site.pad.value, "int" in site.pad.dtype and math.isfinite(site.pad.value)
        return with_value(site, math.copysign(math.ceil(abs(value)), value)) if integral else site

    return misread_site(uncast)


def value_truncated_on_floats() -> Pass:
    """The pass compares the value as an integer: it folds 0.5 in a float tensor."""
    return misread_site(lambda site: with_value(site, float(int(site.pad.value))) if abs(site.pad.value) < 1 else site)


def max_pool_folds_zero() -> Pass:
    """The pass takes 0 for the neutral value of a max_pool."""
    return drop_preconditions(
        Kind.VALUE, where=lambda site, _: site.consumer.family == "max_pool" and site.pad.value == 0
    )


def neutral_value_of_another_dtype() -> Pass:
    """The pass takes the lowest value of a narrower dtype for that of every dtype."""

    def lowest(site: Site, _: Refused) -> bool:
        narrow = -128 if "int" in site.pad.dtype else -65504
        return site.consumer.family == "max_pool" and site.pad.value <= narrow

    return drop_preconditions(Kind.VALUE, where=lowest)


def mode_ignored() -> Pass:
    """The pass folds mirrored borders like constant ones."""
    return misread_site(with_constant_mode)


def mode_checked_for_convolutions_only() -> Pass:
    """The pass checks the mode for convolutions only."""
    return misread_site(lambda site: site if site.consumer.family == "conv" else with_constant_mode(site))


def lowest_finite_refused() -> Pass:
    """The pass refuses the lowest finite value before a max_pool of floats; it folds only -inf."""

    def strict(site: Site, folded: Folded) -> Outcome:
        finite = site.consumer.family == "max_pool" and site.pad.dtype in FLOATS and site.pad.value != float("-inf")
        return Refused(Kind.VALUE, "the pad value is not -inf") if finite and not site.steps else folded

    return change_outcome(strict)


def out_dtype_cast_ignored() -> Pass:
    """The pass compares the pad value with 0 before a convolution casts it to out_dtype."""
    return retype(patch_pass(rule, _cast_as_summed=lambda value, site: value))


_LOWEST = Pad(value=-(2.0**128 - 2.0**104))

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="value",
        upstream="apache/tvm#12353",
        make=value_ignored,
        witness=witness_case("conv1d", BARE, pad=Pad(value=3.0)),
    ),
    Mutant(
        kind="value",
        make=value_compared_before_cast,
        witness=witness_case("conv1d", BARE, dtype="int8", out_dtype="int32", pad=Pad(value=0.99)),
    ),
    Mutant(kind="value", make=value_truncated_on_floats, witness=witness_case("conv1d", BARE, pad=Pad(value=0.5))),
    Mutant(
        kind="value",
        upstream="onnxsim#290, onnx/optimizer#318",
        make=max_pool_folds_zero,
        witness=witness_case("max_pool1d", BARE),
    ),
    Mutant(
        kind="value",
        upstream="apache/tvm#11597",
        make=neutral_value_of_another_dtype,
        witness=witness_case("max_pool1d", Axis(size=4, pad=(2, 2), kernel=2), dtype="int16", pad=Pad(value=-128.0)),
    ),
    Mutant(
        kind="mode",
        upstream="tenstorrent/tt-tvm#53, apache/tvm#19848",
        make=mode_ignored,
        witness=witness_case("conv1d", BARE, pad=Pad(mode="reflect")),
    ),
    Mutant(
        kind="mode",
        make=mode_checked_for_convolutions_only,
        witness=witness_case("avg_pool1d", BARE, pad=Pad(mode="replicate")),
    ),
    Mutant(kind="value", make=lowest_finite_refused, witness=witness_case("max_pool1d", BARE, pad=_LOWEST)),
    Mutant(
        kind="value",
        make=out_dtype_cast_ignored,
        witness=witness_case("conv1d", BARE, dtype="float64", out_dtype="float32", pad=Pad(value=1e-60)),
    ),
)
"""The mutants of this module."""
