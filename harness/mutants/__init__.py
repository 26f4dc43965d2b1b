"""Defective passes (mutants), and how fast the harness kills them: ``foldproof mutants``.

    foldproof fuzz --pass foldproof.mutants:begin_end_swapped --complete

Each mutant is an attribute of this module: a function that makes the pass. Nothing that users import imports this room.
"""

from typing import Any

from foldproof.mutants import (
    call_tir,
    chains,
    correction,
    graph,
    held_out,
    held_out_second,
    mirrored,
    nested,
    pools,
    quantization,
    restricted,
    spellings,
    structure_functions,
    structure_held_out,
    structure_held_out_second,
    structure_held_out_third,
    structure_memo,
    structure_scopes,
    transposed,
    value,
    widths,
)
from foldproof.mutants.mutant import Mutant

_KINDS = (
    value,
    quantization,
    widths,
    pools,
    mirrored,
    transposed,
    chains,
    call_tir,
    nested,
    spellings,
    correction,
    restricted,
    graph,
    structure_memo,
    structure_scopes,
    structure_functions,
    held_out,
    held_out_second,
    structure_held_out,
    structure_held_out_second,
    structure_held_out_third,
)

MUTANTS: tuple[Mutant, ...] = tuple(mutant for kind in _KINDS for mutant in kind.MUTANTS)
"""All mutants; those that were once held out, and the held-out ones, come last."""

REPRESENTATIVES = (
    "value_ignored",
    "zero_instead_of_zero_point",
    "first_zero_point_only",
    "max_pool_folds_zero",
    "mode_ignored",
    "begin_end_swapped",
    "nchw_indices_for_nhwc",
    "own_padding_overwritten",
    "batch_channel_pad_dropped",
    "crop_summed",
    "count_include_pad_not_set",
    "ceil_mode_ignored",
    "shared_pad_removed",
    "stale_type",
)
"""One mutant per kind of defect that comparable passes had, by name. Tests run them through the command line too."""

BY_NAME: dict[str, Mutant] = {mutant.name: mutant for mutant in MUTANTS}


def __getattr__(name: str) -> Any:
    if name not in BY_NAME:
        raise AttributeError(f"module 'foldproof.mutants' has no attribute {name!r}")
    return BY_NAME[name].make
