"""Defects of pools: windows, divisors, what wins."""

import math
from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Pad, Step
from foldproof.checking.apply_pass import Fold
from foldproof.fold import Folded, Kind, Outcome, pool_rules, pooling
from foldproof.fold import bounds as bounds_module
from foldproof.fold import propagated as propagated
from foldproof.fold import propagation as steps
from foldproof.fold.bounds import Bounds
from foldproof.fold.facts import PadFacts, Site, Widths
from foldproof.fold.propagated import Propagated
from foldproof.fold.reader import op_name
from foldproof.mutants.mutant import BARE, Mutant, killer
from foldproof.mutants.operators import (
    believing,
    concluding,
    own_padding,
    pad_widths,
    patched,
    rebuilding,
    retyped,
    without,
)

LOWEST = Pad(value=-math.inf)


def wide_pad_asserted() -> Fold:
    """A pool's pad as wide as its window is met with an assertion instead of a refusal."""

    def narrow(site: Site, folded: Folded) -> Outcome:
        pairs = zip(pad_widths(site), site.consumer.kernel, strict=False)
        assert all(max(sides) < kernel for sides, kernel in pairs), "a pad is as wide as the window"
        return folded

    return concluding(narrow)


def count_include_pad_not_set() -> Fold:
    """The zeros that were counted are not counted any more."""
    return concluding(lambda site, folded: replace(folded, count_include_pad=None))


def count_include_pad_set_despite_own_padding() -> Fold:
    """The pool's own padding, which was not counted, is counted now."""
    return without(Kind.EXCLUDED_PADDING)


def own_begin_padding_tested_only() -> Fold:
    """Only the begin side of a pool's own padding is tested for zero."""
    return without(Kind.EXCLUDED_PADDING, where=lambda site, _: not any(before for before, _ in own_padding(site)))


def ceil_mode_ignored() -> Fold:
    """With ceil_mode a window that starts after the data is lost."""
    return without(Kind.CEIL_MODE)


def ceil_mode_checked_on_first_axis_only() -> Fold:
    """The number of windows is compared along H only."""
    return without(Kind.CEIL_MODE, where=lambda site, r: f"axis {site.consumer.spatial[0]}" not in r.detail)


def ceil_overhang_counted() -> Fold:
    """ceil_mode is turned into padding, which count_include_pad counts."""

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

    return rebuilding(widened)


def integer_sum_widened() -> Fold:
    """The first own padding of an integer avg_pool changes the width of its sum."""
    return without(Kind.DTYPE)


def ceil_divisor_ignored() -> Fold:
    """With ceil_mode the number of windows is compared, but not what the last one divides by."""
    return retyped(patched(pool_rules, refuse_other_divisor=lambda propagated: iter(())))


def window_in_border_folded() -> Fold:
    """A max_pool after a relu folds 0, although a window may hold nothing but the border."""
    return retyped(patched(pool_rules, every_window_holds_data=lambda propagated: True))


def minus_zero_folded() -> Fold:
    """A max_pool of data from 0.0 on folds -0.0, which is equal, but has other bits."""

    def never_wins(propagated: Propagated) -> bool:
        bounds = propagated.border.bounds
        return bounds is not None and max(propagated.values.flat) <= bounds.low

    return retyped(patched(pool_rules, never_wins=never_wins))


def other_pads_out_of_bounds() -> Fold:
    """What another pad adds before it is forgotten: relu, pad(-5), pad(0), max_pool (a defect of this pass, once)."""

    def unchanged(bounds: Bounds | None, pad: PadFacts, widths: tuple[Widths, ...]) -> Bounds | None:
        return bounds

    fold = patched(propagated, include_pad=unchanged)
    fold = patched(steps, fold=fold, include_pad=unchanged)
    return retyped(patched(bounds_module, fold=fold, include_pad=unchanged))


def ceil_extent_without_dilation() -> Fold:
    """With ceil_mode, windows are counted as if their dilation were 1."""

    def dense(site: Site) -> Site:
        consumer = site.consumer
        return replace(site, consumer=replace(consumer, dilation=(1,) * len(consumer.dilation)))

    return believing(dense)


def window_checked_on_first_axis_only() -> Fold:
    """Whether a window holds data is looked at along the first spatial axis alone."""

    def first(propagated: Propagated) -> bool:
        site, consumer = propagated.site, propagated.site.consumer
        widths = {x: sides if x == consumer.spatial[0] else (0, 0) for x, sides in propagated.widths.items()}
        rank = len(consumer.spatial)
        padding = tuple(own if i % rank == 0 else 0 for i, own in enumerate(consumer.padding))
        alone = replace(site, consumer=replace(consumer, padding=padding))
        return _holds(replace(propagated, site=alone, widths=widths))

    _holds = pooling.every_window_holds_data
    return retyped(patched(pool_rules, every_window_holds_data=first))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="pools", make=wide_pad_asserted, witness=killer("max_pool1d", BARE, pad=LOWEST)),
    Mutant(
        kind="pools",
        upstream="microsoft/onnxruntime#21556, llvm/llvm-project#132700",
        make=count_include_pad_not_set,
        witness=killer("avg_pool1d", BARE),
    ),
    Mutant(
        kind="pools",
        make=count_include_pad_set_despite_own_padding,
        witness=killer("avg_pool1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))),
    ),
    Mutant(
        kind="pools",
        make=own_begin_padding_tested_only,
        witness=killer("avg_pool1d", Axis(size=4, pad=(1, 0), kernel=2, padding=(0, 1))),
    ),
    Mutant(
        kind="pools",
        upstream="apache/tvm#18641",
        make=ceil_mode_ignored,
        witness=killer("max_pool1d", Axis(size=4, pad=(0, 1), kernel=2, stride=2), pad=LOWEST, ceil_mode=True),
    ),
    Mutant(
        kind="pools",
        make=ceil_mode_checked_on_first_axis_only,
        witness=killer(
            "avg_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(0, 1), kernel=2, stride=2), ceil_mode=True
        ),
    ),
    Mutant(
        kind="pools",
        upstream="apache/tvm#9835",
        make=ceil_overhang_counted,
        witness=killer("avg_pool1d", Axis(size=3, pad=(1, 0), kernel=3, stride=2), ceil_mode=True),
    ),
    Mutant(
        kind="pools", make=integer_sum_widened, witness=killer("avg_pool1d", BARE, dtype="int8", fills=("extremes",))
    ),
    Mutant(
        kind="pools",
        make=ceil_divisor_ignored,
        witness=killer("avg_pool1d", Axis(size=6, pad=(0, 2), kernel=3, stride=2, padding=(-1, -1)), ceil_mode=True),
    ),
    Mutant(
        kind="bounded",
        make=window_in_border_folded,
        witness=killer("max_pool1d", Axis(size=4, pad=(2, 0), kernel=2), producers=(Step(kind="relu"),)),
    ),
    Mutant(
        kind="bounded",
        make=minus_zero_folded,
        witness=killer(
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
        witness=killer(
            "max_pool1d",
            Axis(size=4, pad=(2, 0), kernel=2),
            producers=(Step(kind="relu"),),
            pad=Pad(value=-5.0),
            steps=(Step(kind="pad", value=0.0, widths=(("W", 1, 0),)),),
        ),
    ),
    Mutant(
        kind="pools",
        make=ceil_extent_without_dilation,
        witness=killer(
            "max_pool1d",
            Axis(size=4, pad=(0, 1), kernel=2, stride=2, dilation=2),
            pad=Pad(value=float("-inf")),
            ceil_mode=True,
        ),
    ),
    Mutant(
        kind="bounded",
        make=window_checked_on_first_axis_only,
        witness=killer(
            "max_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(2, 0), kernel=2), producers=(Step(kind="relu"),)
        ),
    ),
)
"""A row each."""
