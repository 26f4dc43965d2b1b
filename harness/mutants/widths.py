"""Defects of the arithmetic: which width goes where, and what is added to it."""

from dataclasses import replace

from tvm import relax

from foldproof.case import Axis, Pad
from foldproof.checking.apply_pass import Fold
from foldproof.fold import Folded, Kind, Outcome, Refused
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import PadFacts, Site
from foldproof.fold.rules import decide
from foldproof.mutants.altered import BUNDLED
from foldproof.mutants.mutant import BARE, H, Mutant, W, killer
from foldproof.mutants.operators import (
    adding,
    concluding,
    deciding,
    each,
    flat,
    own_padding,
    pad_widths,
    total,
    without,
    without_pads,
)


def begin_end_swapped() -> Fold:
    """The widths of the two sides are swapped."""
    return adding(lambda own, widths: total(own, [(after, before) for before, after in widths]))


def axes_swapped() -> Fold:
    """The widths of H go to W."""
    return adding(lambda own, widths: total(own, widths[::-1]))


def nchw_indices_for_nhwc() -> Fold:
    """The widths are taken from the axes 2 and 3, whatever the layout."""
    return concluding(
        lambda site, folded: replace(folded, padding=flat(total(own_padding(site), list((site.pad.widths or ())[2:]))))
    )


def end_from_begin() -> Fold:
    """The width before it is added on both sides."""
    return adding(lambda own, widths: total(own, [(before, before) for before, _ in widths]))


def widths_always_one() -> Fold:
    """Every pad is taken for one of (1, 1)."""
    return adding(lambda own, widths: total(own, [(1, 1) for _ in widths]))


def own_padding_overwritten() -> Fold:
    """The consumer's own padding is lost."""
    return adding(lambda own, widths: widths)


def own_padding_end_from_begin() -> Fold:
    """The consumer's own padding is read as if it had one entry per axis."""
    return adding(lambda own, widths: total([(before, before) for before, _ in own], widths))


def stale_side_when_symmetric() -> Fold:
    """Where the sum comes out alike on both sides, only the first is written."""
    return adding(
        lambda own, widths: [
            (before, old) if before == after else (before, after)
            for (before, after), (_, old) in zip(total(own, widths), own, strict=True)
        ]
    )


def batch_channel_pad_dropped() -> Fold:
    """The widths of batch and channel are not looked at, and go with the others."""

    def narrow(site: Site) -> Site:
        layout = site.consumer.layout
        if site.pad.widths is None or len(layout) != len(site.pad.widths):
            return site
        sides = tuple((0, 0) if x in "NC" else s for x, s in zip(layout, site.pad.widths, strict=True))
        return replace(site, pad=replace(site.pad, widths=sides))

    def wrong(site: Site) -> Outcome:
        outcome = decide(site if site.pad.is_identity else narrow(site))
        if isinstance(outcome, Folded) and not site.pad.is_identity and outcome.padding is None:
            return replace(outcome, padding=site.consumer.padding)  # nothing is left to add
        return outcome

    return deciding(wrong)


def crop_summed() -> Fold:
    """A negative width is added to the own padding."""
    return without(Kind.CROP)


def only_begin_tested() -> Fold:
    """A pad is taken to do nothing if it has no width before it."""

    def vain(body: Bindings, var: relax.Var, pad: PadFacts) -> bool:
        return not any(before for before, _ in pad.widths or ())

    return lambda mod: BUNDLED(each(mod, lambda function: without_pads(function, vain)))


def asymmetric_refused() -> Fold:
    """Only pads that are alike on both sides are folded."""

    def cautious(site: Site, folded: Folded) -> Outcome:
        uneven = any(before != after for before, after in pad_widths(site))
        return Refused(Kind.OWN_PADDING, "the pad is not symmetric") if uneven else folded

    return concluding(cautious)


def depth_forgotten() -> Fold:
    """The widths of a third axis are lost."""
    return adding(lambda own, widths: total(own, [(0, 0), *widths[1:]] if len(widths) > 2 else widths))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="widths", upstream="tenstorrent/tt-tvm#42", make=begin_end_swapped, witness=killer("conv2d", H, W)),
    Mutant(kind="widths", make=axes_swapped, witness=killer("conv2d", H, replace(W, pad=(3, 0)))),
    Mutant(kind="widths", make=nchw_indices_for_nhwc, witness=killer("conv2d", H, W, data_layout="NHWC")),
    Mutant(
        kind="widths", upstream="openvinotoolkit/openvino#38265", make=end_from_begin, witness=killer("conv2d", H, W)
    ),
    Mutant(kind="widths", upstream="apache/tvm#11823", make=widths_always_one, witness=killer("conv2d", H, W)),
    Mutant(kind="widths", upstream="TVM CLML", make=own_padding_overwritten, witness=killer("conv2d", H, W)),
    Mutant(
        kind="widths",
        upstream="microsoft/onnxruntime#22001",
        make=own_padding_end_from_begin,
        witness=killer("conv2d", H, W),
    ),
    Mutant(
        kind="widths",
        make=stale_side_when_symmetric,
        witness=killer("conv1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))),
    ),
    Mutant(kind="widths", make=batch_channel_pad_dropped, witness=killer("avg_pool1d", BARE, pad=Pad(channel=(0, 1)))),
    Mutant(
        kind="widths",
        upstream="openxla/xla#48715, openvinotoolkit/openvino#17239",
        make=crop_summed,
        witness=killer("conv1d", Axis(size=6, pad=(-1, 1), kernel=2, padding=(2, 0))),
    ),
    Mutant(kind="widths", make=only_begin_tested, witness=killer("conv1d", Axis(size=4, pad=(0, 2), kernel=2))),
    Mutant(kind="widths", make=asymmetric_refused, witness=killer("conv1d", BARE)),
    Mutant(kind="widths", make=depth_forgotten, witness=killer("conv3d", H, W, BARE)),
)
"""A row each."""
