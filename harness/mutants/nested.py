"""Mutants: pads of pads, and pads of which a part stays."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Pad, Step
from foldproof.fold import Folded, Kind, Outcome, Refused, moves, pad_pairs
from foldproof.fold import propagation as steps
from foldproof.fold.facts import Padded, PadFacts, Site
from foldproof.fold.propagation import Border
from foldproof.fold.values import cast
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, Mutant, witness_case
from foldproof.mutants.operators import change_outcome, patch_pass, retype

# --- pads of pads -------------------------------------------------------------------------------------


def _forgive(forgives: Callable[[Refused, PadFacts, PadFacts], bool]) -> Pass:
    """Merge two pads although these refusals forbid it."""

    def refusals(inner: PadFacts, outer: PadFacts) -> Iterator[Refused]:
        return (refused for refused in _refusals(inner, outer) if not forgives(refused, inner, outer))

    _refusals = pad_pairs.Nested.refusals
    return retype(patch_pass(pad_pairs.Nested, refusals=staticmethod(refusals)))


def nested_values_not_compared() -> Pass:
    """The pass merges two pads with different values."""
    return _forgive(lambda refused, inner, outer: refused.kind == Kind.VALUE)


def nested_signs_of_zero_not_compared() -> Pass:
    """The pass merges pads of 0.0 and -0.0."""

    def equal(refused: Refused, inner: PadFacts, outer: PadFacts) -> bool:
        return refused.kind == Kind.VALUE and cast(inner.value, inner.dtype) == cast(outer.value, outer.dtype)

    return _forgive(equal)


def nested_crop_summed() -> Pass:
    """The pass adds the widths of a crop and of the pad after it, which restores cropped data."""
    return _forgive(lambda refused, inner, outer: refused.kind == Kind.CROP)


def nested_corner_ignored() -> Pass:
    """The pass forgets what a pad of another axis puts over the border."""

    def padded(border: Border, step: Padded) -> Border | Refused:
        after = _padded(border, step)
        return after if isinstance(after, Refused) else replace(after, values=border.values)

    _padded = steps._pass_pad
    return retype(patch_pass(steps, _pass_pad=padded))


def nested_value_of_the_outer() -> Pass:
    """Two merged pads have the value of the outer one, even if that one only crops."""

    def merge(inner: PadFacts, outer: PadFacts) -> PadFacts:
        return replace(_merged(inner, outer), value=outer.value)

    _merged = pad_pairs.Nested.merge
    return retype(patch_pass(pad_pairs.Nested, merge=staticmethod(merge)))


def cancelled_at_the_other_end() -> Pass:
    """A crop after other ops shortens the other end of the pad."""

    def pads(inner: Padded, between: tuple[Any, ...], outer: PadFacts) -> tuple[PadFacts, PadFacts] | None:
        found = _pads(inner, between, outer)
        if found is None or inner.pad.widths is None or found[0].widths is None:
            return None
        both = zip(inner.pad.widths, found[0].widths, strict=True)
        widths = tuple((old[0] - old[1] + new[1], old[1] - old[0] + new[0]) for old, new in both)
        return replace(found[0], widths=widths), found[1]

    _pads = pad_pairs.Cancelled.cancel
    return retype(patch_pass(pad_pairs.Cancelled, cancel=staticmethod(pads)))


def varying_operand_cancelled() -> Pass:
    """The pass cancels a pad and a crop although an operand between them varies along the axis."""
    return patch_pass(pad_pairs, list_other_operands=lambda step: ())


# --- pads that go in part -----------------------------------------------------------------------------


def rebuilt_pad_value_lost() -> Pass:
    """Every pad that the pass writes has the value 0."""

    def pad_call(source: Any, pad: PadFacts, like: ir.Call, ty: Any) -> ir.Call:
        return _pad_call(source, replace(pad, value=0.0), like, ty)

    _pad_call = moves.build_pad
    return patch_pass(moves, build_pad=pad_call)


def partial_batch_lost() -> Pass:
    """The widths of the batch are lost in the smaller pad."""

    def lost(site: Site, folded: Folded) -> Outcome:
        at = site.consumer.layout.index("N")
        if folded.kept is None or at >= len(folded.kept):
            return folded
        kept = tuple((0, 0) if axis == at else sides for axis, sides in enumerate(folded.kept))
        return replace(folded, kept=kept if any(map(any, kept)) else None)

    return change_outcome(lost)


def partial_refused() -> Pass:
    """The pass refuses a pad of batch or channels beside the spatial axes."""

    def whole(site: Site, folded: Folded) -> Outcome:
        return folded if folded.kept is None else Refused(Kind.CHANNEL, "the pad changes the channels")

    return change_outcome(whole)


# --- the table ----------------------------------------------------------------------------------------


def _again(value: float, *sides: int, letter: str = "W") -> tuple[Step, ...]:
    return (Step(kind="pad", value=value, widths=((letter, sides[0], sides[1]),)),)


RELU = Step(kind="relu")
ALONG = Step(kind="add", operand=(1.0, 2.0, 3.0), axis="W")

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="nested", make=nested_values_not_compared, witness=witness_case("conv1d", BARE, steps=_again(3.0, 1, 0))
    ),
    Mutant(
        kind="nested",
        make=nested_signs_of_zero_not_compared,
        witness=witness_case("max_pool1d", Axis(size=3, pad=(1, 0)), pad=Pad(value=0.0), steps=_again(-0.0, 1, 0)),
    ),
    Mutant(
        kind="nested",
        make=nested_crop_summed,
        witness=witness_case("conv1d", Axis(size=6, pad=(-1, 0), kernel=2), steps=_again(0.0, 1, 0)),
    ),
    Mutant(
        kind="nested",
        make=nested_corner_ignored,
        witness=witness_case("conv1d", BARE, steps=_again(3.0, 0, 1, letter="C")),
    ),
    Mutant(
        kind="partial",
        make=rebuilt_pad_value_lost,
        witness=witness_case("max_pool1d", BARE, pad=Pad(value=float("-inf"), channel=(0, 1))),
    ),
    Mutant(kind="partial", make=partial_batch_lost, witness=witness_case("conv1d", BARE, pad=Pad(batch=(0, 1)))),
    Mutant(kind="partial", make=partial_refused, witness=witness_case("conv1d", BARE, pad=Pad(channel=(0, 1)))),
    Mutant(
        kind="nested",
        make=cancelled_at_the_other_end,
        witness=witness_case(
            "conv1d", Axis(size=4, pad=(2, 1), kernel=2), pad=Pad(value=3.0), steps=(RELU, *_again(0.0, -1, 0))
        ),
    ),
    Mutant(
        kind="nested",
        make=varying_operand_cancelled,
        witness=witness_case("conv1d", Axis(size=2, pad=(1, 0)), steps=(ALONG, *_again(0.0, -1, 0))),
    ),
    Mutant(
        kind="nested",
        make=nested_value_of_the_outer,
        witness=witness_case("conv1d", BARE, steps=(Step(kind="pad", value=3.0, widths=(("W", -1, 0),)),)),
    ),
)
"""The mutants of this module."""
