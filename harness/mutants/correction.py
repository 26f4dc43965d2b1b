"""Mutants: the options of the pass, which correct borders that are not 0 and slice channels of zeros."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import ir

from foldproof.case import Axis, Case, Pad, Step
from foldproof.fold import correction, replacement
from foldproof.fold.facts import Values
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, CORRECT, SLICE, Mutant, witness_case
from foldproof.mutants.operators import patch_pass, rebuild_call
from foldproof.mutants.patched_pass import CORRECTING, SLICING, options

Array = np.ndarray[Any, np.dtype[Any]]


# --- corrections --------------------------------------------------------------------------------------


def _change_border(wrong: Callable[[ir.Call, Values], Values]) -> Pass:
    """Compute the correction of another border."""

    def term(call: ir.Call, border: Values, padding: tuple[int, ...], weight: Any) -> Any:
        return _term(call, wrong(call, border), padding, weight)

    _term = correction.build_term
    return patch_pass(correction, fold=CORRECTING, build_term=term)


def correction_of_first_channel() -> Pass:
    """The correction uses the value of the first channel for all channels."""
    return _change_border(lambda call, border: Values((1,) * len(border.shape), border.flat[:1]))


def correction_groups_forgotten() -> Pass:
    """The correction uses the values of the first group for all groups."""

    def first(call: ir.Call, border: Values) -> Values:
        groups = int(call.attrs.groups)
        return border if border.uniform else Values(border.shape, border.flat[: len(border.flat) // groups] * groups)

    return _change_border(first)


def correction_of_own_padding() -> Pass:
    """The correction also counts the zeros of own padding as border."""

    def with_own_padding(mask: Array, call: ir.Call) -> Array:
        padded: Array = _with_own_padding(mask - 1, call) + 1
        return padded

    _with_own_padding = correction._apply_own_padding
    return patch_pass(correction, fold=CORRECTING, _apply_own_padding=with_own_padding)


def correction_strides_forgotten() -> Pass:
    """The correction ignores the strides."""

    def slide(kernel: Array, mask: Array, call: ir.Call) -> Array:
        strides = [int(stride) for stride in call.attrs.strides]
        dense = _slide(kernel, mask, rebuild_call(call, call.args, strides=[1] * len(strides)))
        counts = _slide(kernel, mask, call).shape[1:]
        return dense[(slice(None), *(slice(count) for count in counts))]

    _slide = correction._slide
    return patch_pass(correction, fold=CORRECTING, _slide=slide)


def corrected_floats() -> Pass:
    """The pass corrects floats without the option for it, which rounds."""
    return options(nonzero="correct-inexact")


def correction_corners_counted_twice() -> Pass:
    """The correction adds the borders of the axes, and so counts corners more than once."""

    def mask(lengths: list[int], sides: list[tuple[int, int]]) -> np.ndarray[Any, Any]:
        found = np.zeros(lengths, np.int64)
        for axis in range(len(lengths)):
            found += _mask(lengths, [both if i == axis else (0, 0) for i, both in enumerate(sides)])
        return found

    _mask = correction._build_mask
    return patch_pass(correction, fold=CORRECTING, _build_mask=mask)


# --- slices -------------------------------------------------------------------------------------------


def slice_of_the_wrong_side() -> Pass:
    """The pass slices the weight at the wrong end of the channels."""

    def sliced(call: ir.Call, weight: Any, channels: tuple[int, int]) -> ir.Call:
        return _sliced(call, weight, channels[::-1])

    _sliced = replacement.slice_weight
    return patch_pass(replacement, fold=SLICING, slice_weight=sliced)


# --- the table ----------------------------------------------------------------------------------------


def _integers(*axes: Axis, **fields: Any) -> Case:
    given = {"dtype": "int8", "out_dtype": "int32", "pad": Pad(value=3.0), "constant_weight": True, **fields}
    return witness_case(f"conv{len(axes)}d", *axes, **given)


_BY_CHANNEL = (Step(kind="minimum", operand=(1.0, 2.0)),)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="correction",
        make=correction_of_first_channel,
        witness=_integers(BARE, channels=2, steps=_BY_CHANNEL),
        right=CORRECT,
    ),
    Mutant(
        kind="correction",
        make=correction_groups_forgotten,
        witness=_integers(BARE, channels=2, filters=2, groups=2, steps=_BY_CHANNEL),
        right=CORRECT,
    ),
    Mutant(
        kind="correction",
        make=correction_of_own_padding,
        witness=_integers(Axis(size=4, pad=(1, 2), kernel=2, padding=(2, 0))),
        right=CORRECT,
    ),
    Mutant(
        kind="correction",
        make=correction_strides_forgotten,
        witness=_integers(Axis(size=6, pad=(1, 2), kernel=2, stride=2)),
        right=CORRECT,
    ),
    Mutant(
        kind="correction",
        make=corrected_floats,
        witness=witness_case(
            "conv1d", Axis(size=6, pad=(0, 1), kernel=2), pad=Pad(value=3.0), channels=3, fills=("reals",), seed=43
        ),
        right=CORRECT,
    ),
    Mutant(
        kind="slice",
        make=slice_of_the_wrong_side,
        witness=witness_case("conv1d", BARE, pad=Pad(channel=(1, 0)), channels=2, constant_weight=True),
        right=SLICE,
    ),
    Mutant(
        kind="correction",
        make=correction_corners_counted_twice,
        witness=witness_case(
            "conv2d", BARE, BARE, dtype="int8", out_dtype="int32", pad=Pad(value=3.0), constant_weight=True
        ),
        right=CORRECT,
    ),
)
"""The mutants of this module."""
