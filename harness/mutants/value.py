"""Defects of the pad's value and mode."""

import math

from foldproof.case import Axis, Pad
from foldproof.checking.apply_pass import Fold
from foldproof.fold import Folded, Kind, Outcome, Refused, rule
from foldproof.fold.facts import Site
from foldproof.fold.values import FLOATS
from foldproof.mutants.mutant import BARE, Mutant, killer
from foldproof.mutants.operators import believing, concluding, patched, retyped, with_value, without


def value_ignored() -> Fold:
    """Any pad value is taken for the neutral one."""
    return without(Kind.VALUE)


def value_compared_before_cast() -> Fold:
    """The attribute is compared, not what the integer tensor makes of it: 0.99, which is 0 there, is not folded."""

    def uncast(site: Site) -> Site:
        value, integral = site.pad.value, "int" in site.pad.dtype and math.isfinite(site.pad.value)
        return with_value(site, math.copysign(math.ceil(abs(value)), value)) if integral else site

    return believing(uncast)


def value_truncated_on_floats() -> Fold:
    """The value is compared as an integer: 0.5 passes for 0 in a float tensor."""
    return believing(lambda site: with_value(site, float(int(site.pad.value))) if abs(site.pad.value) < 1 else site)


def max_pool_folds_zero() -> Fold:
    """A max_pool is taken to pad with 0."""
    return without(Kind.VALUE, where=lambda site, _: site.consumer.family == "max_pool" and site.pad.value == 0)


def neutral_value_of_another_dtype() -> Fold:
    """A max_pool is taken to pad every dtype with the lowest value of a narrower one."""

    def lowest(site: Site, _: Refused) -> bool:
        narrow = -128 if "int" in site.pad.dtype else -65504
        return site.consumer.family == "max_pool" and site.pad.value <= narrow

    return without(Kind.VALUE, where=lowest)


def mode_ignored() -> Fold:
    """Reflected borders are taken for constant ones."""
    return without(Kind.MODE)


def mode_checked_for_convolutions_only() -> Fold:
    """One branch of the pass forgets the mode."""
    return without(Kind.MODE, where=lambda site, _: site.consumer.family != "conv")


def lowest_finite_refused() -> Fold:
    """Of floats, a max_pool folds -inf alone, not the lowest finite value."""

    def strict(site: Site, folded: Folded) -> Outcome:
        finite = site.consumer.family == "max_pool" and site.pad.dtype in FLOATS and site.pad.value != float("-inf")
        return Refused(Kind.VALUE, "the pad value is not -inf") if finite and not site.steps else folded

    return concluding(strict)


def out_dtype_cast_ignored() -> Fold:
    """The pad value is compared with 0 before a convolution casts it to its out_dtype."""
    return retyped(patched(rule, _cast_as_summed=lambda value, site: value))


_LOWEST = Pad(value=-(2.0**128 - 2.0**104))

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="value",
        upstream="apache/tvm#12353",
        make=value_ignored,
        witness=killer("conv1d", BARE, pad=Pad(value=3.0)),
    ),
    Mutant(
        kind="value",
        make=value_compared_before_cast,
        witness=killer("conv1d", BARE, dtype="int8", out_dtype="int32", pad=Pad(value=0.99)),
    ),
    Mutant(kind="value", make=value_truncated_on_floats, witness=killer("conv1d", BARE, pad=Pad(value=0.5))),
    Mutant(
        kind="value",
        upstream="onnxsim#290, onnx/optimizer#318",
        make=max_pool_folds_zero,
        witness=killer("max_pool1d", BARE),
    ),
    Mutant(
        kind="value",
        upstream="apache/tvm#11597",
        make=neutral_value_of_another_dtype,
        witness=killer("max_pool1d", Axis(size=4, pad=(2, 2), kernel=2), dtype="int16", pad=Pad(value=-128.0)),
    ),
    Mutant(
        kind="mode",
        upstream="tenstorrent/tt-tvm#53, apache/tvm#19848",
        make=mode_ignored,
        witness=killer("conv1d", BARE, pad=Pad(mode="reflect")),
    ),
    Mutant(
        kind="mode",
        make=mode_checked_for_convolutions_only,
        witness=killer("avg_pool1d", BARE, pad=Pad(mode="replicate")),
    ),
    Mutant(kind="value", make=lowest_finite_refused, witness=killer("max_pool1d", BARE, pad=_LOWEST)),
    Mutant(
        kind="value",
        make=out_dtype_cast_ignored,
        witness=killer("conv1d", BARE, dtype="float64", out_dtype="float32", pad=Pad(value=1e-60)),
    ),
)
"""A row each."""
