"""Whether the border of a case has the same value on every target.

A fold that is right on one target only is not one that a pass has to make.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from foldproof.case import Case, Place, dtypes
from foldproof.case.parameters import Parameters
from foldproof.case.step import ELEMENTWISE
from foldproof.oracle.borders import trace_borders
from foldproof.oracle.fills import inputs
from foldproof.oracle.reference import evaluate_steps
from foldproof.oracle.semantics import Semantics


def is_target_dependent(case: Case, semantics: Semantics) -> bool:
    """Whether the border may have another value on another target, so that no pass has to fold it."""
    return (
        needs_no_fma(case, semantics)
        or leaves_unspecified(case, semantics)
        or computes_with_nan(case, semantics)
        or wraps_border(case, semantics)
    )


_EXTREME_INTEGERS = (0, 1)
_EXTREME_FLOATS = (0.0, 0.5, 1e3, -1e3, math.inf, -math.inf, math.nan)


def needs_no_fma(case: Case, semantics: Semantics) -> bool:
    """Whether the border is a rounded product to which the next step adds: a fused multiply-add rounds once only."""
    if not semantics.contracts_products:
        return False
    computing = [place for place in case.step_places if place.step.kind in ELEMENTWISE]
    following = {place.index: after for place, after in pairwise(computing)}
    for place, parameters, before, result in trace_borders(case, semantics):
        after = following.get(place.index)
        if after is None or after.step.kind not in ("add", "subtract") or after.dtype not in dtypes.FLOATS:
            continue
        if any(_rounds_product(place, parameters, i, before[i], result[i]) for i in range(len(before))):
            return True
    return False


def _rounds_product(place: Place, parameters: Parameters, i: int, before: Any, result: Any) -> bool:
    """Whether element ``i`` of the result of a step is a product, or a quotient, that was rounded."""
    if not (math.isfinite(before) and math.isfinite(result)):
        return False
    step, x = place.step, Fraction(float(before))
    factors = {name: float(values[i % len(values)]) for name, values in parameters.items()}
    if not all(map(math.isfinite, factors.values())):
        return False
    if step.kind == "multiply":
        exact = x * Fraction(factors["operand"])
    elif step.kind == "divide":
        dividend, divisor = (Fraction(factors["operand"]), x) if step.swapped else (x, Fraction(factors["operand"]))
        exact = dividend / divisor if divisor else Fraction(float(result))
    elif step.kind == "square":
        exact = x * x
    elif step.kind == "leakyrelu" and x < 0:
        exact = x * Fraction(float(np.array(step.alpha).astype(before.dtype)))
    elif step.kind == "dequantize":
        exact = (x - Fraction(factors["zero_point"])) * Fraction(factors["scale"])
    else:
        return False
    return exact != Fraction(float(result))


def computes_with_nan(case: Case, semantics: Semantics) -> bool:
    """Whether an elementwise step reads NaN from the border, and targets may compute with NaN differently."""
    if semantics.computes_nan_portably:
        return False
    return any(math.isnan(value) for _, _, before, _ in trace_borders(case, semantics) for value in before)


_EXACT: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "negative": lambda x, _: -x,
    "abs": lambda x, _: abs(x),
    "square": lambda x, _: x * x,
}


def wraps_border(case: Case, semantics: Semantics) -> bool:
    """Whether an integer result of the border does not fit its dtype, and targets may wrap it differently."""
    if semantics.wraps_portably:
        return False
    for place, parameters, before, after in trace_borders(case, semantics):
        compute = _EXACT.get(place.step.kind)
        if compute is None or place.dtype not in dtypes.INTEGERS:
            continue
        operands = parameters.get("operand", np.zeros(1, np.int64))
        for i, (x, result) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
            pair = x, int(operands[i % len(operands)])
            if compute(*(reversed(pair) if place.step.swapped else pair)) != result:
                return True
    return False


def leaves_unspecified(case: Case, semantics: Semantics) -> bool:
    """Whether the steps after the pad return something unspecified for some value of the data."""
    if case.dtype in dtypes.INTEGERS:
        values: tuple[Any, ...] = (*_EXTREME_INTEGERS, *dtypes.int_range(case.dtype))
    else:
        values = (*_EXTREME_FLOATS, dtypes.HIGHEST[case.dtype], -dtypes.HIGHEST[case.dtype])
    arrays = inputs(case, case.fills[0], semantics)
    for value in values:
        x = np.full(arrays["x"].shape, value).astype(arrays["x"].dtype)
        tensors = evaluate_steps(case, arrays | {"x": x}, semantics)
        if tensors[-1].unspecified.any() and not tensors[0].unspecified.any():
            return True
    return False
