"""foldproof.oracle.convolutions: sums that do not round, that round, that overflow and that wrap, by hand."""

import math

import numpy as np
import pytest
from tests.support.relax import reference

from foldproof.case import Axis, Case

NAN = float("nan")
INF = float("inf")
HIGHEST = float(np.finfo(np.float32).max)


def dot(x, w, dtype="float32", **fields):
    """One window: the products of x and w, summed."""
    case = Case(op="conv1d", axes=(Axis(size=len(x), kernel=len(w)),), dtype=dtype, **fields)
    data, weight = (np.array(v).astype(np.dtype(dtype)).reshape(1, 1, -1) for v in (x, w))
    result = reference(case, {"x": data, "w": weight})
    return result.value.item(), result.bound.item(), result.defined.item()


@pytest.mark.parametrize(
    ("x", "w", "dtype", "expected"),
    [
        ([1, 2, 3], [4, 5, 6], "float32", 32),
        ([2.0**100, 2.0**100], [1, -1], "float32", 0),  # the unit is what counts, not the size
        ([255, 0.0], [1, 1], "bfloat16", 255),
        ([-0.0, -0.0], [1, 1], "float32", 0),
    ],
)
def test_a_sum_within_the_precision_is_exact(x, w, dtype, expected):
    value, bound, defined = dot(x, w, dtype)
    assert (value, bound, defined) == (expected, 0, True)
    assert math.copysign(1, value) == math.copysign(1, expected)


@pytest.mark.parametrize(
    ("x", "w", "dtype"),
    [
        ([2**24, 1], [1, 1], "float32"),
        ([256, 1], [1, 1], "bfloat16"),
        ([2048, 1], [1, 1], "float16"),
        ([0.1, 0.3], [0.7, 0.9], "float32"),
        ([2.0**-100, 2.0**-100], [2.0**-100, 2.0**-100], "float32"),  # the products underflow
    ],
)
def test_a_sum_that_may_round_has_its_proven_bound(x, w, dtype):
    _, bound, defined = dot(x, w, dtype)
    precision, least = {"float32": (24, 2.0**-149), "float16": (11, 2.0**-24), "bfloat16": (8, 2.0**-133)}[dtype]
    u = 2.0**-precision
    stored = [np.array(v).astype(np.dtype(dtype)).astype(np.float64) for v in (x, w)]
    magnitude = float(np.abs(stored[0] * stored[1]).sum())
    assert defined
    assert bound == pytest.approx(2 * (2 * u / (1 - 2 * u)) * magnitude + 2 * least, rel=1e-12)


@pytest.mark.parametrize(
    ("x", "w", "dtype"),
    [
        ([HIGHEST, HIGHEST, -HIGHEST], [1, 1, 1], "float32"),
        ([HIGHEST, 1], [2, 1], "float32"),
        ([60000, 60000, -60000], [1, 1, 1], "float16"),
        ([1e308, 1e308, -1e308], [1, 1, 1], "float64"),
        ([INF, HIGHEST, HIGHEST], [1, -1, -1], "float32"),  # -inf first makes NaN, +inf first does not
        ([1.0078125] * 300, [1] * 300, "bfloat16"),  # n * u >= 1
    ],
)
def test_a_sum_that_may_overflow_or_has_no_bound_is_undefined(x, w, dtype):
    assert dot(x, w, dtype)[1:] == (0, False)


@pytest.mark.parametrize(
    ("x", "w", "expected"),
    [
        ([INF, 1, 0.1], [1, 1, 0.3], INF),
        ([INF, 1], [-1, 1], -INF),
        ([INF, 1], [0, 1], NAN),
        ([INF, -INF, HIGHEST, HIGHEST], [1, 1, 1, 1], NAN),
        ([NAN, HIGHEST, HIGHEST], [1, 1, 1], NAN),
        ([1, 2], [1, NAN], NAN),
    ],
)
def test_infinities_and_nan_decide_a_sum(x, w, expected):
    value, bound, defined = dot(x, w)
    assert value == expected or (math.isnan(value) and math.isnan(expected))
    assert (bound, defined) == (0, True)


def test_own_padding_multiplies_an_infinite_weight_with_zero():
    case = Case(op="conv1d", axes=(Axis(size=1, kernel=2, padding=(1, 0)),))
    weight = np.array([[[INF, 2.0]]], np.float32)
    assert math.isnan(reference(case, {"x": np.ones((1, 1, 1), np.float32), "w": weight}).value.item())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_integer_sums_wrap_and_are_exact(dtype):
    x, w = [100, 100, 101], [100, 2, 103]
    bits = int(dtype.lstrip("uint"))
    total = 100 * 100 + 200 + 101 * 103
    wrapped = total % 2**bits
    expected = wrapped - 2**bits if dtype.startswith("i") and wrapped >= 2 ** (bits - 1) else wrapped
    assert dot(x, w, dtype) == (expected, 0, True)


def test_int64_wraps():
    assert dot([2**62, 2**62], [1, 1], "int64") == (-(2**63), 0, True)


def test_both_operands_are_cast_to_the_result_before_they_are_multiplied():
    assert dot([300, 2], [1, 1], "int32", out_dtype="int8") == (46, 0, True)
    assert dot([2**24 + 1], [1], "int32", out_dtype="float32") == (2**24, 0, True)
    assert dot([1.9, -1.9], [2.9, 1], out_dtype="int32") == (1, 0, True)


@pytest.mark.parametrize("value", [128.0, -129.0, INF, NAN])
def test_a_float_that_does_not_fit_the_integer_result_is_undefined(value):
    assert dot([value, 1], [0, 1], out_dtype="int8")[2] is False
    assert dot([127.9, -128.9], [1, 1], out_dtype="int8") == (-1, 0, True)


def test_a_cast_to_bfloat16_that_rounds_may_be_skipped_by_tvm():
    assert dot([1.0], [257.0], "float16", out_dtype="bfloat16") == (256, pytest.approx(2 * 3 / 253 * 256), True)
    assert dot([3.4e38], [1e-9], out_dtype="bfloat16")[2] is False  # infinite if rounded
    assert dot([1.0], [256.0], "float16", out_dtype="bfloat16") == (256, 0, True)
