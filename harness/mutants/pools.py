"""Mutants: windows, divisors and maxima of pools."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Pad, Step
from foldproof.fold import Consumer, Folded, Kind, Outcome, pool_rules, pooling
from foldproof.fold import bounds as bounds_module
from foldproof.fold import propagated as propagated
from foldproof.fold import propagation as steps
from foldproof.fold.bounds import Bounds
from foldproof.fold.facts import PadFacts, Quantization, Site, Widths
from foldproof.fold.facts import Step as FoldStep
from foldproof.fold.lengths import list_lengths
from foldproof.fold.propagated import Propagated
from foldproof.fold.reader import op_name
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, Mutant, witness_case
from foldproof.mutants.operators import (
    change_attributes,
    change_outcome,
    drop_preconditions,
    misread_site,
    own_padding,
    pad_widths,
    patch_pass,
    retype,
)

LOWEST = Pad(value=-math.inf)


def wide_pad_asserted() -> Pass:
    """The pass asserts that the pad of a pool is narrower than its window."""

    def narrow(site: Site, folded: Folded) -> Outcome:
        pairs = zip(pad_widths(site), site.consumer.kernel, strict=False)
        assert all(max(sides) < kernel for sides, kernel in pairs), "a pad is as wide as the window"
        return folded

    return change_outcome(narrow)


def count_include_pad_not_set() -> Pass:
    """The divisor no longer counts the explicit zeros."""
    return change_outcome(lambda site, folded: replace(folded, count_include_pad=None))


def count_include_pad_set_despite_own_padding() -> Pass:
    """The divisor counts own padding that it excluded before."""
    return drop_preconditions(Kind.EXCLUDED_PADDING)


def own_begin_padding_tested_only() -> Pass:
    """The pass reads only the begin side of a pool's own padding."""
    return drop_preconditions(
        Kind.EXCLUDED_PADDING, where=lambda site, _: not any(before for before, _ in own_padding(site))
    )


def ceil_mode_ignored() -> Pass:
    """With ceil_mode, a window that starts after the data is lost."""
    return drop_preconditions(Kind.CEIL_MODE)


def ceil_mode_checked_on_first_axis_only() -> Pass:
    """The pass compares the number of windows along the first axis only."""
    return drop_preconditions(Kind.CEIL_MODE, where=lambda site, r: f"axis {site.consumer.spatial[0]}" not in r.detail)


def ceil_overhang_counted() -> Pass:
    """The pass turns ceil_mode into padding, which count_include_pad counts."""

    def widened(call: ir.Call) -> dict[str, Any]:
        attrs = call.attrs
        if not op_name(call).startswith("relax.nn.avg_pool") or not attrs.ceil_mode:
            return {}
        befores, afters = [], []
        axes = [i for i, letter in enumerate(str(attrs.layout)) if letter in "DHW"]
        for i, at in enumerate(sorted(axes, key=str(attrs.layout).__getitem__)):
            size, windows = (int(ty.shape.values[at]) for ty in (call.args[0].ty, call.ty))
            extent = (int(attrs.pool_size[i]) - 1) * int(attrs.dilation[i]) + 1
            before, after = int(attrs.padding[i]), int(attrs.padding[i + len(axes)])
            befores.append(before)
            afters.append(max(after, (windows - 1) * int(attrs.strides[i]) + extent - size - before))
        return {"ceil_mode": False, "padding": befores + afters}

    return change_attributes(widened)


def integer_sum_widened() -> Pass:
    """The first own padding of an integer avg_pool changes the width of its sum."""
    return drop_preconditions(Kind.DTYPE)


def ceil_divisor_ignored() -> Pass:
    """With ceil_mode, the pass compares the number of windows, but not the divisor of the last one."""
    return retype(patch_pass(pool_rules, refuse_other_divisor=lambda propagated: iter(())))


def window_in_border_folded() -> Pass:
    """The pass folds 0 into a max_pool after a relu, although a window may hold only the border."""
    return retype(patch_pass(pool_rules, every_window_holds_data=lambda propagated: True))


def minus_zero_folded() -> Pass:
    """The pass folds -0.0 into a max_pool of data >= 0.0: equal, but with other bits."""

    def never_wins(propagated: Propagated) -> bool:
        bounds = propagated.border.bounds
        return bounds is not None and max(propagated.values.flat) <= bounds.low

    return retype(patch_pass(pool_rules, never_wins=never_wins))


def other_pads_out_of_bounds() -> Pass:
    """The pass forgets the border of an earlier pad: relu, pad(-5), pad(0), max_pool. It had this defect once."""

    def unchanged(bounds: Bounds | None, pad: PadFacts, widths: tuple[Widths, ...]) -> Bounds | None:
        return bounds

    fold = patch_pass(propagated, include_pad=unchanged)
    fold = patch_pass(steps, fold=fold, include_pad=unchanged)
    return retype(patch_pass(bounds_module, fold=fold, include_pad=unchanged))


def ceil_extent_without_dilation() -> Pass:
    """With ceil_mode, the pass ignores the dilation when it counts windows."""

    def dense(site: Site) -> Site:
        consumer = site.consumer
        return replace(site, consumer=replace(consumer, dilation=(1,) * len(consumer.dilation)))

    return misread_site(dense)


def window_checked_on_first_axis_only() -> Pass:
    """The pass checks along the first spatial axis only whether a window holds data."""

    def first(propagated: Propagated) -> bool:
        site, consumer = propagated.site, propagated.site.consumer
        widths = {x: sides if x == consumer.spatial[0] else (0, 0) for x, sides in propagated.widths.items()}
        rank = len(consumer.spatial)
        padding = tuple(own if i % rank == 0 else 0 for i, own in enumerate(consumer.padding))
        alone = replace(site, consumer=replace(consumer, padding=padding))
        return _holds(replace(propagated, site=alone, widths=widths))

    _holds = pooling.every_window_holds_data
    return retype(patch_pass(pool_rules, every_window_holds_data=first))


def open_length_taken_for_long() -> Pass:
    """The pass looks at long lengths only where one is symbolic: dilated taps miss the data of a short one."""

    def longer(consumer: Consumer, i: int, widths: Widths) -> Sequence[int] | None:
        lengths = _lengths(consumer, i, widths)
        return lengths if lengths is None or consumer.sizes[i] is not None else lengths[len(lengths) // 2 :]

    _lengths = list_lengths
    return retype(patch_pass(pooling, list_lengths=longer))


def open_length_never_decided() -> Pass:
    """The pass takes any window over a symbolic length for one that may hold the border alone. It did so once."""

    def none(consumer: Consumer, i: int, widths: Widths) -> Sequence[int] | None:
        return None if consumer.sizes[i] is None else _lengths(consumer, i, widths)

    _lengths = list_lengths
    return retype(patch_pass(pooling, list_lengths=none))


_QUANTIZED = Axis(size=4, pad=(1, 1), kernel=2)


def dequantized_data_not_below_zero() -> Pass:
    """The pass takes the result of every dequantize for at least 0."""

    def bound(found: Bounds | None, dtype: str, step: FoldStep) -> Bounds | None:
        return Bounds(low=0, high=math.inf, plus_zero=True) if step.op == "dequantize" else _bound(found, dtype, step)

    _bound = bounds_module._bound_converted
    return retype(patch_pass(bounds_module, _bound_converted=bound))


def negative_scale_not_turned() -> Pass:
    """The pass does not turn bounds round where a scale is negative."""

    def bound(found: Bounds | None, dtype: str, step: FoldStep) -> Bounds | None:
        if isinstance(step, Quantization) and step.scale.flat:
            step = replace(step, scale=replace(step.scale, flat=tuple(map(abs, step.scale.flat))))
        return _bound(found, dtype, step)

    _bound = bounds_module._bound_converted
    return retype(patch_pass(bounds_module, _bound_converted=bound))


def negative_factor_not_turned() -> Pass:
    """The pass does not turn bounds round where a factor is negative."""

    def bound(bounds: Bounds, dtype: str, function: Any, least: float, most: float) -> Bounds | None:
        least, most = sorted((abs(least), abs(most)))
        return _bound(bounds, dtype, function, least, most)

    _bound = bounds_module._bound_product
    return retype(patch_pass(bounds_module, _bound_product=bound))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="pools", make=wide_pad_asserted, witness=witness_case("max_pool1d", BARE, pad=LOWEST)),
    Mutant(
        kind="pools",
        upstream="microsoft/onnxruntime#21556, llvm/llvm-project#132700",
        make=count_include_pad_not_set,
        witness=witness_case("avg_pool1d", BARE),
    ),
    Mutant(
        kind="pools",
        make=count_include_pad_set_despite_own_padding,
        witness=witness_case("avg_pool1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))),
    ),
    Mutant(
        kind="pools",
        make=own_begin_padding_tested_only,
        witness=witness_case("avg_pool1d", Axis(size=4, pad=(1, 0), kernel=2, padding=(0, 1))),
    ),
    Mutant(
        kind="pools",
        upstream="apache/tvm#18641",
        make=ceil_mode_ignored,
        witness=witness_case("max_pool1d", Axis(size=4, pad=(0, 1), kernel=2, stride=2), pad=LOWEST, ceil_mode=True),
    ),
    Mutant(
        kind="pools",
        make=ceil_mode_checked_on_first_axis_only,
        witness=witness_case(
            "avg_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(0, 1), kernel=2, stride=2), ceil_mode=True
        ),
    ),
    Mutant(
        kind="pools",
        upstream="apache/tvm#9835",
        make=ceil_overhang_counted,
        witness=witness_case("avg_pool1d", Axis(size=3, pad=(1, 0), kernel=3, stride=2), ceil_mode=True),
    ),
    Mutant(
        kind="pools",
        make=integer_sum_widened,
        witness=witness_case("avg_pool1d", BARE, dtype="int8", fills=("extremes",)),
    ),
    Mutant(
        kind="pools",
        make=ceil_divisor_ignored,
        witness=witness_case(
            "avg_pool1d", Axis(size=6, pad=(0, 2), kernel=3, stride=2, padding=(-1, -1)), ceil_mode=True
        ),
    ),
    Mutant(
        kind="bounded",
        make=window_in_border_folded,
        witness=witness_case("max_pool1d", Axis(size=4, pad=(2, 0), kernel=2), producers=(Step(kind="relu"),)),
    ),
    Mutant(
        kind="bounded",
        make=minus_zero_folded,
        witness=witness_case(
            "max_pool1d",
            Axis(size=6, pad=(0, 1), kernel=3),
            producers=(Step(kind="relu"),),
            pad=Pad(value=-0.0),
            fills=("integers",),
            seed=46,
        ),
    ),
    Mutant(
        kind="bounded",
        make=other_pads_out_of_bounds,
        witness=witness_case(
            "max_pool1d",
            Axis(size=4, pad=(2, 0), kernel=2),
            producers=(Step(kind="relu"),),
            pad=Pad(value=-5.0),
            steps=(Step(kind="pad", value=0.0, widths=(("W", 1, 0),)),),
        ),
    ),
    Mutant(
        kind="bounded",
        make=dequantized_data_not_below_zero,
        witness=witness_case("max_pool1d", _QUANTIZED, dtype="int8", producers=(Step(kind="dequantize"),)),
    ),
    Mutant(
        kind="bounded",
        make=negative_scale_not_turned,
        witness=witness_case(
            "max_pool1d",
            _QUANTIZED,
            producers=(Step(kind="relu"), Step(kind="quantize", scale=(-0.5,), zero_point=(3,), out_dtype="int8")),
            pad=Pad(value=3.0),
            fills=("integers",),
        ),
    ),
    Mutant(
        kind="bounded",
        make=negative_factor_not_turned,
        witness=witness_case(
            "max_pool1d",
            _QUANTIZED,
            producers=(Step(kind="relu"), Step(kind="multiply", operand=(-1.0,))),
            pad=Pad(value=-1.0),
            channels=3,
            batch=2,
            fills=("integers",),
        ),
    ),
    Mutant(
        kind="pools",
        make=ceil_extent_without_dilation,
        witness=witness_case(
            "max_pool1d",
            Axis(size=4, pad=(0, 1), kernel=2, stride=2, dilation=2),
            pad=Pad(value=float("-inf")),
            ceil_mode=True,
        ),
    ),
    Mutant(
        kind="bounded",
        make=window_checked_on_first_axis_only,
        witness=witness_case(
            "max_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(2, 0), kernel=2), producers=(Step(kind="relu"),)
        ),
    ),
    Mutant(
        kind="bounded",
        make=open_length_taken_for_long,
        witness=witness_case(
            "max_pool1d", Axis(pad=(1, 1), kernel=2, dilation=2), producers=(Step(kind="relu"),), symbolic=("W",)
        ),
    ),
    Mutant(
        kind="bounded",
        make=open_length_never_decided,
        witness=witness_case(
            "max_pool1d", Axis(size=6, pad=(1, 1), kernel=3), producers=(Step(kind="relu"),), symbolic=("W",)
        ),
    ),
)
"""The mutants of this module."""
