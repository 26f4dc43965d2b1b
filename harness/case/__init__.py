"""A case: one test as plain values, its validation, its words, and the next simpler cases. It knows no compiler."""

from foldproof.case.case import FORMAT, USES, Case, Dims, Place
from foldproof.case.pad import MIRRORED_MODES, MODES, Axis, Pad, Widths
from foldproof.case.step import Step

__all__ = ["FORMAT", "MIRRORED_MODES", "MODES", "USES", "Axis", "Case", "Dims", "Pad", "Place", "Step", "Widths"]
