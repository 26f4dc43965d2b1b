"""Mutants: pads that copy elements, before a max_pool whose windows may hold these elements."""

from collections.abc import Iterator
from typing import Any

from foldproof.case import Axis, Pad
from foldproof.fold import Kind, Refused, copy_kernels, mirroring, pool_rules
from foldproof.fold.facts import Widths
from foldproof.fold.propagated import Propagated
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import Mutant, witness_case
from foldproof.mutants.operators import patch_pass, retype


def copies_not_looked_for() -> Pass:
    """The pass folds a mirrored pad into a max_pool whatever its windows hold."""
    return retype(patch_pass(pool_rules, refuse_lost_copies=lambda propagated: iter(())))


def copies_asked_of_first_axis() -> Pass:
    """The pass looks for the copied elements along the first axis only."""

    def refusals(propagated: Propagated) -> Iterator[Refused]:
        first = propagated.site.consumer.spatial[0]
        return (refused for refused in _refusals(propagated) if f"axis {first}" in refused.detail)

    _refusals = mirroring.refuse_lost_copies
    return retype(patch_pass(pool_rules, refuse_lost_copies=refusals))


def copies_of_reflect_at_the_edge() -> Pass:
    """The pass takes every mode for "replicate", which copies the element at the edge."""

    def source(mode: str, place: int, size: int) -> int:
        return _source("replicate", place, size)

    _source = mirroring.find_source
    return retype(patch_pass(mirroring, find_source=source))


def order_of_copies_ignored() -> Pass:
    """The pass folds copies in another order, so that another one of 0.0 and -0.0 wins."""
    return retype(patch_pass(mirroring, _is_in_order=lambda window: True))


def replicated_at_the_other_end() -> Pass:
    """The pass swaps the widths of a kernel that replicates over a symbolic length."""

    def swapped(index: Any, axis: Any, size: Any, extent: Any) -> Widths | None:
        widths = _prove(index, axis, size, extent)
        return widths and (widths[1], widths[0])

    _prove = copy_kernels._prove_replicated
    return retype(patch_pass(copy_kernels, _prove_replicated=swapped))


def mirrored_refused() -> Pass:
    """The pass refuses every mode other than "constant"."""

    def refusals(propagated: Propagated) -> Iterator[Refused]:
        yield Refused(Kind.MODE, "the mode is not constant")

    return patch_pass(pool_rules, refuse_lost_copies=refusals)


# --- the table ----------------------------------------------------------------------------------------

_HELD = Axis(size=4, pad=(1, 1), kernel=3)
_MISSED = Axis(size=4, pad=(1, 1), kernel=1)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="mirrored",
        make=copies_not_looked_for,
        witness=witness_case("max_pool1d", _MISSED, pad=Pad(mode="replicate")),
    ),
    Mutant(
        kind="mirrored",
        make=copies_asked_of_first_axis,
        witness=witness_case("max_pool2d", _HELD, _MISSED, pad=Pad(mode="replicate")),
    ),
    Mutant(
        kind="mirrored",
        make=copies_of_reflect_at_the_edge,
        witness=witness_case("max_pool1d", Axis(size=4, pad=(1, 1), kernel=2), pad=Pad(mode="reflect"), dtype="int8"),
    ),
    Mutant(
        kind="mirrored",
        make=order_of_copies_ignored,
        witness=witness_case(
            "max_pool1d",
            Axis(size=3, pad=(0, 1), kernel=3),
            pad=Pad(mode="reflect"),
            batch=2,
            channels=8,
            fills=("specials",),
            seed=1,
        ),
    ),
    Mutant(
        kind="mirrored",
        make=replicated_at_the_other_end,
        witness=witness_case(
            "max_pool1d",
            Axis(size=4, pad=(0, 1), kernel=2),
            pad=Pad(mode="replicate", form="call_tir"),
            symbolic=("W",),
            channels=3,
        ),
    ),
    Mutant(
        kind="mirrored",
        make=mirrored_refused,
        witness=witness_case("max_pool2d", _HELD, _HELD, pad=Pad(mode="replicate")),
    ),
)
"""The mutants of this module."""
