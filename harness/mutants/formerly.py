"""Ten defects that were held out at first. Some lived, and aims were written for them: they are held out no more."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.case import Axis, Pad, Step
from harness.check import Fold
from harness.fold import Folded, Kind, Outcome, Refused, correction, pooling, primfunc, rules
from harness.fold import fold as pass_module
from harness.fold.arrival import Arrival
from harness.fold.body import Body
from harness.fold.facts import PadFacts, Site
from harness.fold.values import FLOATS
from harness.mutants.defect import BARE, CORRECT, Defect, killer
from harness.mutants.spoil import believing, concluding, patched, retyped
from harness.mutants.spoilt import CORRECTING

# --- values and pools ---------------------------------------------------------------------------------


def lowest_finite_refused() -> Fold:
    """Of floats, a max_pool folds -inf alone, not the lowest finite value."""

    def strict(site: Site, folded: Folded) -> Outcome:
        finite = site.consumer.family == "max_pool" and site.pad.dtype in FLOATS and site.pad.value != float("-inf")
        return Refused(Kind.VALUE, "the pad value is not -inf") if finite and not site.steps else folded

    return concluding(strict)


def out_dtype_cast_ignored() -> Fold:
    """The pad value is compared with 0 before a convolution casts it to its out_dtype."""
    return retyped(patched(rules, _as_summed=lambda value, site: value))


def ceil_extent_without_dilation() -> Fold:
    """With ceil_mode, windows are counted as if their dilation were 1."""

    def dense(site: Site) -> Site:
        consumer = site.consumer
        return replace(site, consumer=replace(consumer, dilation=(1,) * len(consumer.dilation)))

    return believing(dense)


def window_checked_on_first_axis_only() -> Fold:
    """Whether a window holds data is looked at along the first spatial axis alone."""

    def first(arrival: Arrival) -> bool:
        site, consumer = arrival.site, arrival.site.consumer
        widths = {x: sides if x == consumer.spatial[0] else (0, 0) for x, sides in arrival.widths.items()}
        rank = len(consumer.spatial)
        padding = tuple(own if i % rank == 0 else 0 for i, own in enumerate(consumer.padding))
        alone = replace(site, consumer=replace(consumer, padding=padding))
        return _holds(replace(arrival, site=alone, widths=widths))

    _holds = pooling.every_window_holds_data
    return retyped(patched(rules, every_window_holds_data=first))


def transposed_first_stride_only() -> Fold:
    """The widths of every axis of a transposed convolution are scaled by the first stride."""

    def scaled(site: Site, folded: Folded) -> Outcome:
        consumer = site.consumer
        if consumer.family != "conv_transpose" or folded.padding is None:
            return folded
        pairs = zip(consumer.padding, folded.padding, consumer.strides * 2, strict=True)
        return replace(folded, padding=tuple(own + (new - own) // by * consumer.strides[0] for own, new, by in pairs))

    return concluding(scaled)


# --- graph --------------------------------------------------------------------------------------------


def idle_mirror_kept() -> Fold:
    """Of pads whose widths are all 0, only constant ones are deleted."""

    def constant(body: Any, var: Any) -> PadFacts | None:
        facts = _pad(body, var)
        return (
            replace(facts, mode="idle", widths=None)
            if facts and facts.is_identity and facts.mode != "constant"
            else facts
        )

    _pad = Body.pad
    return patched(Body, pad=constant)


def partial_refused() -> Fold:
    """A pad of batch or channels beside the spatial axes stays whole."""

    def whole(site: Site, folded: Folded) -> Outcome:
        return folded if folded.kept is None else Refused(Kind.CHANNEL, "the pad changes the channels")

    return concluding(whole)


def nested_value_of_the_outer() -> Fold:
    """A pad of a pad gets the value of the outer one, even if that one only crops."""

    def merged(inner: PadFacts, outer: PadFacts) -> PadFacts:
        return replace(_merged(inner, outer), value=outer.value)

    _merged = rules.Nested.merged
    return retyped(patched(rules.Nested, merged=staticmethod(merged)))


def prim_mirror_taken_for_constant() -> Fold:
    """A PrimFunc that mirrors is read as one that pads with 0, half of the difference on either side."""

    def constant(function: Any) -> PadFacts | None:
        facts = _read(function)
        if facts is None or facts.mode == "constant" or facts.widths is not None:
            return facts
        source, target = (function.params[i].ty.shape for i in (0, -1))
        more = [int(b) - int(a) for a, b in zip(source, target, strict=True)]
        return replace(facts, mode="constant", widths=tuple((n // 2, n - n // 2) for n in more))

    _read = primfunc.read_prim_pad
    return retyped(patched(pass_module, read_prim_pad=constant))


def correction_corners_counted_twice() -> Fold:
    """The correction sums the borders of the axes, so that the corners count more than once."""

    def mask(lengths: list[int], sides: list[tuple[int, int]]) -> np.ndarray[Any, Any]:
        found = np.zeros(lengths, np.int64)
        for axis in range(len(lengths)):
            found += _mask(lengths, [both if i == axis else (0, 0) for i, both in enumerate(sides)])
        return found

    _mask = correction._mask
    return patched(correction, fold=CORRECTING, _mask=mask)


# --- the table ----------------------------------------------------------------------------------------

_LOWEST = Pad(value=-(2.0**128 - 2.0**104))

DEFECTS: tuple[Defect, ...] = (
    Defect(kind="value", make=lowest_finite_refused, killed_by=killer("max_pool1d", BARE, pad=_LOWEST)),
    Defect(
        kind="value",
        make=out_dtype_cast_ignored,
        killed_by=killer("conv1d", BARE, dtype="float64", out_dtype="float32", pad=Pad(value=1e-60)),
    ),
    Defect(
        kind="pools",
        make=ceil_extent_without_dilation,
        killed_by=killer(
            "max_pool1d",
            Axis(size=4, pad=(0, 1), kernel=2, stride=2, dilation=2),
            pad=Pad(value=float("-inf")),
            ceil_mode=True,
        ),
    ),
    Defect(
        kind="bounded",
        make=window_checked_on_first_axis_only,
        killed_by=killer(
            "max_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(2, 0), kernel=2), front=(Step(kind="relu"),)
        ),
    ),
    Defect(
        kind="transposed",
        make=transposed_first_stride_only,
        killed_by=killer(
            "conv2d_transpose",
            Axis(size=4, pad=(1, 0), kernel=3, padding=(1, 0)),
            Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0)),
        ),
    ),
    Defect(
        kind="graph",
        make=idle_mirror_kept,
        killed_by=killer("conv1d", Axis(size=4, kernel=2), pad=Pad(mode="reflect")),
    ),
    Defect(kind="partial", make=partial_refused, killed_by=killer("conv1d", BARE, pad=Pad(channel=(0, 1)))),
    Defect(
        kind="nested",
        make=nested_value_of_the_outer,
        killed_by=killer("conv1d", BARE, steps=(Step(kind="pad", value=3.0, widths=(("W", -1, 0),)),)),
    ),
    Defect(
        kind="call_tir",
        make=prim_mirror_taken_for_constant,
        killed_by=killer("conv1d", BARE, pad=Pad(mode="reflect", form="call_tir")),
    ),
    Defect(
        kind="correction",
        make=correction_corners_counted_twice,
        killed_by=killer(
            "conv2d", BARE, BARE, dtype="int8", out_dtype="int32", pad=Pad(value=3.0), constant_weight=True
        ),
        right=CORRECT,
    ),
)
"""A row each."""
