"""Mutants: transposed convolutions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Pad
from foldproof.fold import Folded, Kind, Outcome, Refused
from foldproof.fold.facts import Site
from foldproof.fold.rules import decide
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import Mutant, witness_case
from foldproof.mutants.operators import (
    change_attributes,
    change_outcome,
    drop_preconditions,
    flatten,
    own_padding,
    pad_widths,
    replace_decision,
)


def transposed_crop_not_scaled() -> Pass:
    """The pass subtracts the pad of a transposed convolution without the stride."""
    return _change_transposed(lambda own, width: own - width)


def transposed_padding_added() -> Pass:
    """The pass adds the pad of a transposed convolution to its padding."""
    return _change_transposed(lambda own, width: own + width)


def output_padding_lost() -> Pass:
    """The new transposed convolution has no output_padding."""

    def lost(call: ir.Call) -> dict[str, Any]:
        return {"output_padding": [0 for _ in call.attrs.strides]} if hasattr(call.attrs, "output_padding") else {}

    return change_attributes(lost)


def transposed_growth_clamped() -> Pass:
    """The pass replaces negative padding of a transposed convolution, which grows its result, by 0."""

    def clamped(site: Site, folded: Folded) -> Outcome:
        if site.consumer.family != "conv_transpose" or folded.padding is None:
            return folded
        return replace(folded, padding=tuple(max(0, width) for width in folded.padding))

    return change_outcome(clamped)


def transposed_value_ignored() -> Pass:
    """The pass folds any pad value before a transposed convolution."""
    kinds = (Kind.VALUE, Kind.QUANTIZATION)
    return drop_preconditions(*kinds, where=lambda site, _: site.consumer.family == "conv_transpose")


def _change_transposed(wrong: Callable[[int, int], int]) -> Pass:
    def fold(site: Site) -> Outcome:
        folded = decide(site)
        if site.consumer.family != "conv_transpose" or isinstance(folded, Refused) or site.pad.is_identity:
            return folded
        padding = tuple(map(wrong, flatten(own_padding(site)), flatten(pad_widths(site))))
        return replace(folded, padding=padding) if min(padding) >= 0 else folded

    return replace_decision(fold)


def transposed_first_stride_only() -> Pass:
    """The pass scales the widths of every axis by the first stride."""

    def scaled(site: Site, folded: Folded) -> Outcome:
        consumer = site.consumer
        if consumer.family != "conv_transpose" or folded.padding is None:
            return folded
        pairs = zip(consumer.padding, folded.padding, consumer.strides * 2, strict=True)
        return replace(folded, padding=tuple(own + (new - own) // by * consumer.strides[0] for own, new, by in pairs))

    return change_outcome(scaled)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="transposed",
        upstream="OpenVINO",
        make=transposed_crop_not_scaled,
        witness=witness_case("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0))),
    ),
    Mutant(
        kind="transposed",
        make=transposed_padding_added,
        witness=witness_case("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=4, padding=(1, 0))),
    ),
    Mutant(
        kind="transposed",
        make=output_padding_lost,
        witness=witness_case(
            "conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0), output_padding=1)
        ),
    ),
    Mutant(
        kind="transposed",
        make=transposed_growth_clamped,
        witness=witness_case("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2)),
    ),
    Mutant(
        kind="transposed",
        make=transposed_value_ignored,
        witness=witness_case(
            "conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, padding=(1, 0)), pad=Pad(value=3.0)
        ),
    ),
    Mutant(
        kind="transposed",
        make=transposed_first_stride_only,
        witness=witness_case(
            "conv2d_transpose",
            Axis(size=4, pad=(1, 0), kernel=3, padding=(1, 0)),
            Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0)),
        ),
    ),
)
"""The mutants of this module."""
