"""Magnitudes of integer inputs for which the consumer's sums are exact.

    2**precision > sum |data * weight|, in units of the lowest bit of all terms   =>   no partial sum rounds

Invariant: with magnitudes from ``largest_magnitudes``, no partial sum leaves the integers that the accumulation dtype
represents, if any magnitude can achieve that. The reference decides it for each element anyway.
"""

import math
from fractions import Fraction

import numpy as np

from foldproof.case import MIRRORED_MODES, Case, dtypes
from foldproof.oracle.borders import border_images
from foldproof.oracle.pads import pad_scalar
from foldproof.oracle.preimage import preimage
from foldproof.oracle.semantics import Semantics

LARGEST = 9
"""No magnitude of the integer fills is larger, so that a counterexample is easy to read."""


def largest_magnitudes(case: Case, semantics: Semantics) -> tuple[int, int]:
    """Return the largest magnitudes of data and weight, in units that the consumer reads; both from 1 to ``LARGEST``.

    The pad value takes part in a sum like any element of the padded operand. The preimage limits the data further where
    the steps enlarge it.
    """
    if case.result_dtype in dtypes.INTEGERS or case.spec.family == "max_pool":
        return LARGEST, LARGEST  # integer sums wrap, and a maximum rounds nothing
    budget = sum_budget(case, semantics) // count_terms(case)
    border = math.ceil(border_magnitude(case, semantics))
    if not case.spec.weighted:
        return preimage(case, semantics).most_units(max(1, min(LARGEST, budget))), 1
    data = max(1, min(LARGEST, math.isqrt(budget)))
    if case.pads_weight:
        data = max(1, min(data, budget // max(border, 1)))
        return preimage(case, semantics).most_units(data), max(1, min(LARGEST, budget // data))
    return preimage(case, semantics).most_units(data), max(1, min(LARGEST, budget // max(data, border)))


def sum_budget(case: Case, semantics: Semantics) -> int:
    """Return the largest sum of |data * weight|, both counted in ones, for which no partial sum rounds."""
    lowest_bits = border_magnitude(case, semantics).denominator * _scale_spread(case)
    return int((2 ** dtypes.PRECISION[case.result_dtype] - 1) // lowest_bits)


def count_terms(case: Case) -> int:
    """Return the number of terms of one sum of the consumer."""
    if not case.spec.weighted:
        return math.prod(axis.kernel for axis in case.axes)
    dims = case.weight_dims
    inputs_of_group = dims["I"] // case.groups if case.spec.transposed else dims["I"]
    return inputs_of_group * math.prod(dims[letter] for letter in case.spec.spatial)


def border_magnitude(case: Case, semantics: Semantics) -> Fraction:
    """Return |pad value| as it enters a sum; 0 where it is not finite, since no magnitude makes such a sum exact."""
    if case.pad.mode in MIRRORED_MODES:
        return Fraction(0)
    if case.pads_weight or not case.steps:
        values = [float(pad_scalar(case.pad.value, case.pad_dtype))]
    elif _is_dequantized(case):  # in units of the scale
        values = [float(int(case.pad.value) - zero) for zero in case.steps[0].zero_point]
    else:
        values = border_images(case, semantics)
    return max((abs(Fraction(value)) for value in values if math.isfinite(value)), default=Fraction(0))


def _is_dequantized(case: Case) -> bool:
    """Whether the only step is a dequantize, whose scale is a factor of the whole sum."""
    return not case.producers and len(case.steps) == 1 and case.steps[0].kind == "dequantize"


def _scale_spread(case: Case) -> int:
    """Return the largest scale in units of the lowest bit of all scales: 1 for a power of two."""
    if not _is_dequantized(case):
        return 1
    scales = [abs(float(np.float32(scale))) for step in case.steps for scale in step.scale]
    finite = [scale.as_integer_ratio() for scale in scales if scale and math.isfinite(scale)]
    if not finite:
        return 1
    common = math.lcm(*(denominator for _, denominator in finite))
    numerators = [numerator * (common // denominator) for numerator, denominator in finite]
    common = math.gcd(*numerators)
    return max(numerators) // (common & -common)
