"""The meaning of a case in a form: the reference of the case, with a result that the form may quantize.

    quantized = clip(round(result / scale) + zero_point)        result' = (quantized - zero_point) * scale

Invariant: ``scale`` is a power of two, so that the division and the product are exact, and only ``round`` errs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, dtypes
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.spelling import quantizes_result
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.reference import Arrays, outputs
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

NAN_QUANTIZED = "NaN into a quantize"


def spelled_outputs(case: Case | OnnxCase, arrays: Arrays, semantics: Semantics) -> tuple[Reference, ...]:
    """Return everything that the function of a case returns, as ``oracle.reference.outputs`` does, in its form."""
    if not isinstance(case, OnnxCase):
        return outputs(case, arrays, semantics)
    first, *others = outputs(case.case, arrays, semantics)
    if quantizes_result(case.case, case.form):
        first = requantize(first, case.form)
    return (first, *others)


def requantize(result: Reference, form: Form) -> Reference:
    """Return a result after QuantizeLinear and DequantizeLinear.

    Where a right answer may be off by a bound, the quantized value may be any between those of both ends. Of a tie it
    may be either neighbour: QuantizeLinear rounds to even before it adds the zero point, but QLinearConv names neither.
    """
    value = result.value.astype(np.float64)
    lost = np.isnan(value)
    value = np.where(lost, 0.0, value)
    middle = _round_trip(value, form)
    ends = [np.abs(_round_trip(value + side * result.bound, form) - middle) for side in (-1, 1)]
    scaled = value / form.out_scale
    with np.errstate(invalid="ignore"):  # inf - inf: no tie
        ties = np.abs(scaled - np.trunc(scaled)) == 0.5
    unspecified = lost if result.unspecified is None else result.unspecified | lost
    return Reference(
        value=middle.astype(result.value.dtype),
        bound=np.maximum(np.maximum(*ends), np.where(ties, form.out_scale, 0.0)),
        defined=result.defined & ~lost,
        unspecified=unspecified if unspecified.any() else None,
        reasons=(*result.reasons, NAN_QUANTIZED) if lost.any() else result.reasons,
    )


def _round_trip(value: Array, form: Form) -> Array:
    low, high = dtypes.int_range(form.out_dtype)
    quantized = np.clip(np.rint(value / form.out_scale) + form.out_zero_point, low, high)
    return np.asarray((quantized - form.out_zero_point) * form.out_scale)
