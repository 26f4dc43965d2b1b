"""Mutants: how pads and crops in other spellings are read."""

from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Case, Pad, Step
from foldproof.fold import bindings, spellings
from foldproof.fold.facts import PadFacts, Widths
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import Mutant, witness_case
from foldproof.mutants.operators import patch_pass, retype


def slice_end_counted_as_width() -> Pass:
    """The pass takes the end of a slice for its start."""

    def sides(length: Any, begin: Any, end: Any) -> Widths | None:
        found = _sides(length, begin, end)
        return found and (found[1], found[0])

    _sides = spellings._find_sides
    return retype(patch_pass(spellings, _find_sides=sides))


def first_piece_of_a_split() -> Pass:
    """The pass takes every piece of a split for one that starts at 0."""

    def piece(call: ir.Call, index: int) -> tuple[Widths, ...] | None:
        widths = _piece(call, index)
        return widths and tuple((0, before + after) for before, after in widths)

    _piece = spellings._read_piece
    return retype(patch_pass(spellings, _read_piece=piece))


def taken_from_the_start() -> Pass:
    """The pass reads how many neighbours a take returns, but not where they begin."""

    def taken(call: ir.Call, resolve: Any) -> tuple[Widths, ...] | None:
        widths = _taken(call, resolve)
        return widths and tuple((0, before + after) for before, after in widths)

    _taken = spellings._read_take
    return retype(patch_pass(spellings, _READERS={**spellings._READERS, spellings.TAKE: taken}))


def concat_border_swapped() -> Pass:
    """The pass takes the constants of a concat for the other end."""

    def border(*args: Any) -> tuple[PadFacts, Any] | None:
        found = _border(*args)
        if found is None:
            return None
        widths = tuple((after, before) for before, after in found[0].widths or ())
        return replace(found[0], widths=widths), found[1]

    _border = spellings.read_border
    return retype(patch_pass(bindings, read_border=border))


def concat_border_not_read() -> Pass:
    """The pass does not look at the value of the constants of a concat."""
    return retype(patch_pass(spellings, _find_number=lambda tensors: 0.0))


def _bordered(value: float) -> Case:
    border = Step(kind="pad", value=value, widths=(("W", 2, 0),), form="concat")
    return witness_case("conv1d", Axis(size=4, pad=(1, 0), kernel=2), steps=(border,))


def _cropped(form: str) -> Case:
    crop = Step(kind="pad", widths=(("W", -1, 0),), form=form)
    return witness_case("conv1d", Axis(size=4, pad=(1, 2), kernel=2), pad=Pad(value=0.0), steps=(crop,))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="spelling", make=slice_end_counted_as_width, witness=_cropped("strided_slice")),
    Mutant(kind="spelling", make=first_piece_of_a_split, witness=_cropped("split")),
    Mutant(kind="spelling", make=concat_border_swapped, witness=_bordered(0.0)),
    Mutant(kind="spelling", make=concat_border_not_read, witness=_bordered(3.0)),
    Mutant(kind="spelling", make=taken_from_the_start, witness=_cropped("take")),
)
"""The mutants of this module."""
