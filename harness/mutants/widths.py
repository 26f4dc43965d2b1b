"""Mutants: the arithmetic of widths."""

from dataclasses import replace

from tvm import relax

from foldproof.case import Axis, Pad
from foldproof.fold import Folded, Kind, Outcome, Refused
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import PadFacts, Site
from foldproof.fold.rules import decide
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, H, Mutant, W, witness_case
from foldproof.mutants.operators import (
    add_sides,
    change_functions,
    change_outcome,
    change_sum,
    drop_preconditions,
    flatten,
    own_padding,
    pad_widths,
    remove_pads,
    replace_decision,
)
from foldproof.mutants.patched_pass import BUNDLED


def begin_end_swapped() -> Pass:
    """The pass swaps the widths of the two sides."""
    return change_sum(lambda own, widths: add_sides(own, [(after, before) for before, after in widths]))


def axes_swapped() -> Pass:
    """The pass adds the widths of H to W."""
    return change_sum(lambda own, widths: add_sides(own, widths[::-1]))


def nchw_indices_for_nhwc() -> Pass:
    """The pass reads the widths of axes 2 and 3, whatever the layout is."""
    return change_outcome(
        lambda site, folded: replace(
            folded, padding=flatten(add_sides(own_padding(site), list((site.pad.widths or ())[2:])))
        )
    )


def end_from_begin() -> Pass:
    """The pass adds the width before the data on both sides."""
    return change_sum(lambda own, widths: add_sides(own, [(before, before) for before, _ in widths]))


def widths_always_one() -> Pass:
    """The pass reads every pad as (1, 1)."""
    return change_sum(lambda own, widths: add_sides(own, [(1, 1) for _ in widths]))


def own_padding_overwritten() -> Pass:
    """The consumer's own padding is lost."""
    return change_sum(lambda own, widths: widths)


def own_padding_end_from_begin() -> Pass:
    """The pass reads own padding as one entry per axis."""
    return change_sum(lambda own, widths: add_sides([(before, before) for before, _ in own], widths))


def stale_side_when_symmetric() -> Pass:
    """If the sum is equal on both sides, the pass writes only the first side."""
    return change_sum(
        lambda own, widths: [
            (before, old) if before == after else (before, after)
            for (before, after), (_, old) in zip(add_sides(own, widths), own, strict=True)
        ]
    )


def batch_channel_pad_dropped() -> Pass:
    """The pass ignores the widths of batch and channels, and removes them."""

    def narrow(site: Site) -> Site:
        layout = site.consumer.layout
        if site.pad.widths is None or len(layout) != len(site.pad.widths):
            return site
        sides = tuple((0, 0) if x in "NC" else s for x, s in zip(layout, site.pad.widths, strict=True))
        return replace(site, pad=replace(site.pad, widths=sides))

    def wrong(site: Site) -> Outcome:
        outcome = decide(site if site.pad.is_identity else narrow(site))
        if isinstance(outcome, Folded) and not site.pad.is_identity and outcome.padding is None:
            return replace(outcome, padding=site.consumer.padding)  # nothing remains to add
        return outcome

    return replace_decision(wrong)


def crop_summed() -> Pass:
    """The pass adds a negative width to own padding."""
    return drop_preconditions(Kind.CROP)


def only_begin_tested() -> Pass:
    """The pass removes a pad that has no width before the data."""

    def vain(body: Bindings, var: relax.Var, pad: PadFacts) -> bool:
        return not any(before for before, _ in pad.widths or ())

    return lambda mod: BUNDLED(change_functions(mod, lambda function: remove_pads(function, vain)))


def asymmetric_refused() -> Pass:
    """The pass refuses pads with different sides."""

    def cautious(site: Site, folded: Folded) -> Outcome:
        uneven = any(before != after for before, after in pad_widths(site))
        return Refused(Kind.OWN_PADDING, "the pad is not symmetric") if uneven else folded

    return change_outcome(cautious)


def depth_forgotten() -> Pass:
    """The widths of a third axis are lost."""
    return change_sum(lambda own, widths: add_sides(own, [(0, 0), *widths[1:]] if len(widths) > 2 else widths))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="widths", upstream="tenstorrent/tt-tvm#42", make=begin_end_swapped, witness=witness_case("conv2d", H, W)
    ),
    Mutant(kind="widths", make=axes_swapped, witness=witness_case("conv2d", H, replace(W, pad=(3, 0)))),
    Mutant(kind="widths", make=nchw_indices_for_nhwc, witness=witness_case("conv2d", H, W, data_layout="NHWC")),
    Mutant(
        kind="widths",
        upstream="openvinotoolkit/openvino#38265",
        make=end_from_begin,
        witness=witness_case("conv2d", H, W),
    ),
    Mutant(kind="widths", upstream="apache/tvm#11823", make=widths_always_one, witness=witness_case("conv2d", H, W)),
    Mutant(kind="widths", upstream="TVM CLML", make=own_padding_overwritten, witness=witness_case("conv2d", H, W)),
    Mutant(
        kind="widths",
        upstream="microsoft/onnxruntime#22001",
        make=own_padding_end_from_begin,
        witness=witness_case("conv2d", H, W),
    ),
    Mutant(
        kind="widths",
        make=stale_side_when_symmetric,
        witness=witness_case("conv1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))),
    ),
    Mutant(
        kind="widths", make=batch_channel_pad_dropped, witness=witness_case("avg_pool1d", BARE, pad=Pad(channel=(0, 1)))
    ),
    Mutant(
        kind="widths",
        upstream="openxla/xla#48715, openvinotoolkit/openvino#17239",
        make=crop_summed,
        witness=witness_case("conv1d", Axis(size=6, pad=(-1, 1), kernel=2, padding=(2, 0))),
    ),
    Mutant(kind="widths", make=only_begin_tested, witness=witness_case("conv1d", Axis(size=4, pad=(0, 2), kernel=2))),
    Mutant(kind="widths", make=asymmetric_refused, witness=witness_case("conv1d", BARE)),
    Mutant(kind="widths", make=depth_forgotten, witness=witness_case("conv3d", H, W, BARE)),
)
"""The mutants of this module."""
