"""The reference of a quantized result: values, bounds of rounded sums, ties."""

import numpy as np

from foldproof.case.form import Form
from foldproof.oracle.error_bounds import Reference, exact_reference
from foldproof.oracle.requantize import requantize

FORM = Form(lowering="qdq", out_scale=2.0, out_zero_point=3, out_dtype="int8")


def test_a_result_is_rounded_to_a_multiple_of_the_scale_and_saturates():
    result = requantize(exact_reference(np.array([4.0, 5.2, 1000.0, -1000.0], np.float32)), FORM)
    assert result.value.tolist() == [4.0, 6.0, 248.0, -262.0]
    assert result.bound.tolist() == [0.0, 0.0, 0.0, 0.0]


def test_a_tie_may_be_rounded_either_way():
    result = requantize(exact_reference(np.array([1.0, 3.0], np.float32)), FORM)
    assert result.bound.tolist() == [2.0, 2.0]


def test_a_bound_that_crosses_a_tie_becomes_one_quantum():
    near, far = Reference(np.array([2.9], np.float32), np.array([0.2]), np.array([True])), exact_reference(np.zeros(1))
    assert requantize(near, FORM).bound.tolist() == [2.0]
    assert requantize(far, FORM).bound.tolist() == [0.0]


def test_nan_is_left_open():
    result = requantize(exact_reference(np.array([np.nan, 2.0], np.float32)), FORM)
    assert result.defined.tolist() == [False, True]
    assert result.unspecified.tolist() == [True, False]
    assert result.reasons == ("NaN into a quantize",)
