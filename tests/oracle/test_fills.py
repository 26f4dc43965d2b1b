"""foldproof.oracle.fills: the values of each fill."""

import math

import numpy as np
import pytest
from tests.support.relax import inputs

from foldproof.case import Axis, Case, Step, dtypes, ops
from foldproof.oracle.fills import FILLS, parameters

AXIS = Axis(size=5, kernel=2, pad=(1, 1))
QUANTIZED = Step(scale=(0.5, 2.0), zero_point=(3, 5), zero_point_dtype="uint8", constant=False)


def conv(dtype: str, **fields) -> Case:
    return Case(**{"op": "conv2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, "filters": 2, **fields})


def pool(dtype: str, **fields) -> Case:
    return Case(**{"op": "max_pool2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, **fields})


def test_the_table_has_every_fill_and_no_other():
    assert tuple(FILLS) == ops.FILLS


def test_a_seed_makes_these_arrays_on_every_machine():
    case = Case(op="conv1d", axes=(Axis(size=4, kernel=2),), seed=3)
    arrays = inputs(case, "integers")
    assert arrays["x"].tolist() == [[[-7.0, 5.0, 7.0, 8.0]]]
    assert arrays["w"].tolist() == [[[0.0, -6.0]]]


@pytest.mark.parametrize("fill", ops.FILLS)
def test_equal_cases_get_equal_arrays_and_other_seeds_get_others(fill):
    first, again, other = (inputs(conv("float32", seed=seed), fill) for seed in (1, 1, 2))
    for name in ("x", "w"):
        assert first[name].tobytes() == again[name].tobytes() != other[name].tobytes()


@pytest.mark.parametrize("fill", ops.FILLS)
@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_arrays_have_the_shape_and_dtype_of_their_parameters(dtype, fill):
    layouts = {"data_layout": "CHNW", "kernel_layout": "HOWI", "channels": 3, "filters": 4}
    arrays = inputs(conv(dtype, weight_dtype="int8", out_dtype="int32", **layouts), fill)
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "x": ((3, 5, 1, 5), dtype),
        "w": ((2, 4, 2, 3), "int8"),
    }
    assert all(array.flags.c_contiguous for array in arrays.values())


def test_a_pool_has_no_weight():
    assert list(inputs(pool("float32"), "reals")) == ["x"]


def test_unknown_scales_and_zero_points_are_parameters():
    arrays = inputs(conv("uint8", steps=(QUANTIZED,)), "integers")
    assert list(arrays) == ["x", "w", "scale0", "zero_point0"]
    assert (arrays["scale0"].tolist(), arrays["scale0"].dtype) == ([0.5, 2.0], np.float32)
    assert (arrays["zero_point0"].tolist(), arrays["zero_point0"].dtype) == ([3, 5], np.uint8)


def test_one_scale_is_a_scalar_and_constants_are_not_parameters():
    scalar = Step(scale=(0.5,), zero_point=(-3,), constant=False)
    arrays = inputs(conv("int8", steps=(scalar,)), "integers")
    assert (arrays["scale0"].shape, arrays["zero_point0"].shape) == ((), ())
    assert list(inputs(conv("int8", steps=(Step(),)), "integers")) == ["x", "w"]


@pytest.mark.parametrize("fill", ops.FILLS)
@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_a_single_element_is_never_zero(dtype, fill):
    for seed in range(20):
        arrays = inputs(Case(op="conv1d", axes=(Axis(),), dtype=dtype, seed=seed), fill)
        assert arrays["x"].any()
        assert arrays["w"].any()


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_integers_are_small_and_mostly_non_zero(dtype):
    array = inputs(pool(dtype, channels=20), "integers")["x"].astype(np.float64)
    assert (array == np.trunc(array)).all()
    assert abs(array).max() <= 9
    assert 0.75 < np.count_nonzero(array) / array.size < 1
    assert (array < 0).any() != dtype.startswith("u")


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_negative_data_shows_a_border_and_its_weights_hide_none(dtype):
    arrays = inputs(conv(dtype), "negative")
    data = arrays["x"].astype(np.float64)
    assert ((data >= 1) & (data <= 3)).all() if dtype.startswith("u") else (data <= -1).all()
    assert arrays["w"].all()


@pytest.mark.parametrize(
    ("dtype", "zero_point", "lowest", "highest"),
    [("int8", -3, -12, -4), ("int8", -127, -128, -128), ("uint8", 4, 0, 3), ("uint8", 0, 1, 9), ("int32", 0, -9, -1)],
)
def test_negative_quantized_data_lies_below_the_zero_point_where_there_is_room(dtype, zero_point, lowest, highest):
    step = Step(zero_point=(zero_point,), zero_point_dtype=dtype)
    data = inputs(conv(dtype, steps=(step,)), "negative")["x"]
    assert lowest <= data.min()
    assert data.max() <= highest


def test_zero_points_belong_to_the_padded_axis():
    axis = Axis(size=2, pad=(1, 0))
    step = Step(zero_point=(100, 50, -50), axis="W")
    case = Case(op="max_pool1d", axes=(axis,), dtype="int8", steps=(step,))
    assert (abs(inputs(case, "negative")["x"].astype(int) - [50, -50]) <= 9).all()


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_extremes_hold_both_ends_and_small_values(dtype):
    array = inputs(pool(dtype, channels=20), "extremes")["x"]
    low, high = dtypes.int_range(dtype) if dtype in dtypes.INTEGERS else (-dtypes.HIGHEST[dtype], dtypes.HIGHEST[dtype])
    values = [value.item() for value in array.ravel()]
    assert min(values) == low
    assert max(values) == high
    assert 2 in values
    assert all(math.isfinite(value) for value in values)


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_reals_are_moderate_and_of_either_sign(dtype):
    array = inputs(pool(dtype, channels=20), "reals")["x"].astype(np.float64)
    assert abs(array).min() >= 0.25
    assert abs(array).max() <= 4
    assert (array < 0).any()
    assert (array > 0).any()


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_specials_hold_infinities_zeros_of_both_signs_and_subnormals_but_no_nan(dtype):
    array = inputs(pool(dtype, channels=40), "specials")["x"].astype(np.float64)
    normal = {"float16": 2.0**-14, "float64": 2.0**-1022}.get(dtype, 2.0**-126)
    zeros = np.signbit(array[array == 0])
    assert np.isposinf(array).any()
    assert np.isneginf(array).any()
    assert not np.isnan(array).any()
    assert zeros.any()
    assert not zeros.all()
    assert ((array != 0) & (abs(array) < normal)).any()


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_nans_hold_nan_in_data_and_weight(dtype):
    arrays = inputs(conv(dtype), "nans")
    assert np.isnan(arrays["x"].astype(np.float64)).any()
    assert np.isnan(arrays["w"].astype(np.float64)).any()


def test_a_constant_weight_is_that_of_the_first_fill_and_not_a_parameter():
    case = conv("float32", constant_weight=True, fills=("reals", "negative"))
    plain = conv("float32")
    assert inputs(case, "negative")["w"].tobytes() == inputs(plain, "reals")["w"].tobytes()
    assert list(parameters(case, inputs(case, "negative"))) == ["x"]
    assert list(parameters(plain, inputs(plain, "negative"))) == ["x", "w"]


def test_run_time_operands_have_the_shape_that_broadcasts():
    steps = (
        Step(kind="multiply", operand=(2.0, 4.0), constant=False),
        Step(kind="add", operand=(1.0,), constant=False),
    )
    arrays = inputs(pool("float16", steps=steps, channels=2), "integers")
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "x": ((1, 2, 5, 5), "float16"),
        "operand0": ((2, 1, 1), "float16"),
        "operand1": ((), "float16"),
    }
