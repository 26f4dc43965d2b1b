"""foldproof.oracle.pools: maxima and averages, by hand."""

import numpy as np
import pytest
from tests.support.relax import reference

from foldproof.case import Axis, Case

NAN = float("nan")
INF = float("inf")
HIGHEST = float(np.finfo(np.float32).max)


def pool(op, values, kernel, dtype="float32", **fields):
    axis = Axis(size=len(values), kernel=kernel, **fields.pop("axis", {}))
    case = Case(op=op, axes=(axis,), dtype=dtype, **fields)
    return reference(case, {"x": np.array(values).astype(np.dtype(dtype)).reshape(1, 1, -1)})


@pytest.mark.parametrize(
    ("dtype", "neutral"),
    [("float32", -HIGHEST), ("float16", -65504), ("bfloat16", -INF), ("int8", -128), ("uint8", 0)],
)
def test_max_pool_pads_with_the_lowest_value(dtype, neutral):
    result = pool("max_pool1d", [1], 2, dtype, axis={"padding": (2, 2)})
    assert result.value.ravel().tolist() == [neutral, 1, 1, neutral]


def test_max_pool_of_minus_infinity_is_the_lowest_finite_value():
    assert pool("max_pool1d", [-INF, -INF], 2).value.item() == -HIGHEST


def test_among_zeros_max_pool_takes_the_last():
    value = pool("max_pool1d", [-0.0, 0.0, -0.0, -0.0], 2).value.ravel()
    assert np.signbit(value).tolist() == [False, True, True]


def test_max_pool_of_a_window_with_nan_is_undefined():
    assert pool("max_pool1d", [1, NAN, 2, 3], 2).defined.ravel().tolist() == [False, False, True]
    assert pool("max_pool1d", [1, NAN], 1).defined.all()


def averages(values, kernel, **fields):
    return pool("avg_pool1d", values, kernel, **fields).value.ravel().tolist()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [6, 9]),
        ({"axis": {"padding": (1, 1)}}, [4.5, 6, 9, 10.5]),
        ({"axis": {"padding": (1, 1)}, "count_include_pad": True}, [3, 6, 9, 7]),
        ({"axis": {"stride": 2}, "ceil_mode": True}, [6, 10.5]),  # the overhang is not an element
        ({"axis": {"stride": 2}, "ceil_mode": True, "count_include_pad": True}, [6, 10.5]),
        ({"axis": {"stride": 2, "padding": (0, 1)}, "ceil_mode": True, "count_include_pad": True}, [6, 7]),
        ({"axis": {"stride": 3, "padding": (0, 1)}, "ceil_mode": True}, [6, 12]),
        ({"axis": {"stride": 3, "padding": (0, 1)}, "ceil_mode": True, "count_include_pad": True}, [6, 6]),
        ({"axis": {"dilation": 2, "padding": (3, 1)}}, [6, 6, 9, 6]),
    ],
)
def test_what_an_average_divides_by(fields, expected):
    assert averages([3, 6, 9, 12], 3, **fields) == expected


def test_a_window_of_padding_alone_has_average_zero():
    assert averages([4], 2, axis={"padding": (2, 2)}) == [0, 4, 4, 0]


def test_an_exact_sum_has_a_correctly_rounded_average():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        result = pool("avg_pool1d", [1, 0, 1], 3, dtype)
        assert result.value.item() == np.array(2 / 3).astype(np.dtype(dtype))
        assert result.bound.item() == 0
    assert pool("avg_pool1d", [2**24, 1], 2).bound.item() > 0


def test_integer_averages_truncate_and_sum_in_the_narrow_dtype_unless_tvm_pads():
    assert averages([-3, -4, 6], 2, dtype="int32") == [-3, 1]
    assert averages([100, 100], 2, dtype="int8") == [-28]
    assert averages([100, 100], 2, dtype="int8", axis={"padding": (0, 1)}) == [100, 100]
    assert averages([100, 100], 2, dtype="int8", axis={"stride": 2}, ceil_mode=True) == [100]
