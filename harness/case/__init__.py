"""A case: one test as plain values, with its validation, description and simpler cases. It knows no compiler."""

from foldproof.case.case import EXTRA_OUTPUTS, Case, Dims, Place
from foldproof.case.formats import FORMAT
from foldproof.case.pad import MIRRORED_MODES, MODES, Axis, Pad, Widths
from foldproof.case.step import Step

__all__ = [
    "EXTRA_OUTPUTS",
    "FORMAT",
    "MIRRORED_MODES",
    "MODES",
    "Axis",
    "Case",
    "Dims",
    "Pad",
    "Place",
    "Step",
    "Widths",
]
