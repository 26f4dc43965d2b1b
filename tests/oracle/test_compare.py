"""foldproof.oracle.compare: what counts as a difference, and how it reads."""

import ml_dtypes
import numpy as np
import pytest

from foldproof.oracle.compare import bitwise, within
from foldproof.oracle.error_bounds import Reference

NAN = float("nan")
INF = float("inf")


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def expect(value: np.ndarray, bound: list[float], defined: list[bool] | None = None) -> Reference:
    return Reference(value, np.array(bound), np.array(defined or [True] * len(bound)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_equal_bits_are_equal(dtype):
    values = np.array([0.0, -0.0, 1.5, INF, -INF, NAN], dtype)
    assert bitwise(values, values.copy()) is None


def test_payload_and_sign_of_a_nan_do_not_matter():
    nans = np.array([0x7FC00000, 0xFFC00001], np.uint32).view(np.float32)
    assert bitwise(nans, f32(NAN, NAN)) is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("got", "want"), [(0.0, -0.0), (-0.0, 0.0), (NAN, 1.0), (INF, -INF), (1.0, 1.0078125)])
def test_any_other_bit_is_a_difference(dtype, got, want):
    difference = bitwise(np.array([got], dtype), np.array([want], dtype))
    assert difference is not None
    assert difference.symptom == "values"


def test_large_integers_are_not_compared_as_floats():
    difference = bitwise(np.array([2**62]), np.array([2**62 + 1]))
    assert difference is not None
    assert difference.text == f"out[0] = {2**62}, but should be {2**62 + 1} (1 of 1 elements differs)"


def test_the_text_names_the_first_differing_element_both_values_and_the_count():
    want = np.zeros((1, 2, 2, 2), np.float32)
    got = want.copy()
    got[0, 1, 0, 1] = got[0, 1, 1, 0] = -2.0
    difference = bitwise(want, got)
    assert difference is not None
    assert difference.text == "out[0,1,0,1] = 0.0, but should be -2.0 (2 of 8 elements differ)"


def test_neighbours_read_differently():
    difference = bitwise(f32(0.1), np.nextafter(f32(0.1), f32(1)))
    assert difference is not None
    assert difference.text == "out[0] = 0.1, but should be 0.10000001 (1 of 1 elements differs)"


def test_shape_comes_before_dtype_and_dtype_before_values():
    shape = bitwise(np.zeros((1, 2), np.int8), np.ones((2, 1), np.float32))
    dtype = bitwise(np.zeros((1, 2), np.int8), np.ones((1, 2), np.float32))
    assert shape is not None
    assert dtype is not None
    assert (shape.symptom, shape.text) == ("shape", "out has shape (1, 2), but should have (2, 1)")
    assert (dtype.symptom, dtype.text) == ("dtype", "out has dtype int8, but should have float32")


def test_an_exact_element_is_compared_by_bits():
    assert within(f32(1, 2), expect(f32(1, 2), [0, 0])) is None
    difference = within(f32(-0.0), expect(f32(0.0), [0]))
    assert difference is not None
    assert difference.text == "out[0] = -0.0, but should be 0.0 (1 of 1 elements differs)"


def test_a_bound_is_inclusive_and_holds_for_its_element_only():
    want = expect(f32(1, 1), [0.5, 0])
    assert within(f32(1.5, 1), want) is None
    beyond = within(f32(1.5 + 2**-20, 1), want)
    assert beyond is not None
    assert "but should be 1.0 within 0.5 (1 of 2" in beyond.text
    assert within(f32(1, 1.5), want) is not None


@pytest.mark.parametrize("got", [NAN, INF, -INF])
def test_nothing_but_a_number_is_within_a_bound(got):
    assert within(f32(got), expect(f32(1), [1e30])) is not None


def test_undefined_elements_are_skipped():
    assert within(f32(7, 1), expect(f32(1, 1), [0, 0], [False, True])) is None
    assert within(f32(1, 7), expect(f32(1, 1), [0, 0], [False, True])) is not None


def test_the_dtype_can_be_ignored_but_not_the_values():
    want = expect(np.array([-3, 4], np.int8), [0, 0])
    assert within(np.array([-3, 4]), want, any_dtype=True) is None
    wrong_dtype = within(np.array([-3, 4]), want)
    wrong_value = within(np.array([-3, 260]), want, any_dtype=True)  # 260 is 4 in int8
    assert wrong_dtype is not None
    assert wrong_dtype.symptom == "dtype"
    assert wrong_value is not None
    assert wrong_value.symptom == "values"


def test_a_scalar_is_named_without_an_index():
    difference = bitwise(np.array(1, np.int8), np.array(2, np.int8))
    assert difference is not None
    assert difference.text == "out = 1, but should be 2 (1 of 1 elements differs)"
