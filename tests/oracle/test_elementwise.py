"""foldproof.oracle.elementwise: what each step means, by hand and as TVM executes it."""

import math

import numpy as np
import pytest
from tests.support.relax import apply, evaluate_steps, inputs, reference

from foldproof.case import Axis, Case, Step, dtypes
from foldproof.case.step import ELEMENTWISE, TAKES
from foldproof.checking.check import check
from foldproof.oracle.elementwise import OUT_OF_RANGE, OVERFLOW, exact_tensor

INF, NAN = math.inf, math.nan


def through(kind, values, dtype="float32", **fields):
    """Return the tensor after one step that reads these values."""
    step = Step(kind=kind, **fields)
    case = Case(op="max_pool1d", axes=(Axis(size=len(values)),), dtype=dtype, steps=(step,))
    with np.errstate(all="ignore"):
        data = np.array(values).astype(np.dtype(dtype)).reshape(1, 1, -1)
    parameters = {k: v for k, v in inputs(case, "integers").items() if k != "x"}
    return evaluate_steps(case, {"x": data, **parameters})[-1]


def operand(*values):
    return {"operand": tuple(map(float, values)), "axis": "W" if len(values) > 1 else "C"}


# --- by hand ------------------------------------------------------------------------------------------

FLOATS = [
    ("relu", [-1.5, -0.0, 2.5, NAN], {}, [0.0, 0.0, 2.5, 0.0]),  # max(x, 0) is x only if x > 0
    ("negative", [0.0, 1.0, NAN], {}, [-0.0, -1.0, NAN]),
    ("round", [0.5, 1.5, 2.5, -0.5, NAN], {}, [0.0, 2.0, 2.0, -0.0, NAN]),  # half to even
    ("floor", [-0.5, 1.5], {}, [-1.0, 1.0]),
    ("ceil", [-0.5, 1.5], {}, [-0.0, 2.0]),
    ("trunc", [-1.5, 1.5], {}, [-1.0, 1.0]),
    ("abs", [-0.0, -3.0, -INF], {}, [0.0, 3.0, INF]),
    ("sign", [-0.0, -3.0, INF, NAN], {}, [0.0, -1.0, 1.0, 0.0]),
    ("sqrt", [4.0, -0.0, -1.0], {}, [2.0, -0.0, NAN]),
    ("square", [-3.0, -0.0, 1e30], {}, [9.0, 0.0, INF]),
    ("hardswish", [-4.0, -1.5, 0.0, 3.0, 9.0], {}, [-0.0, -0.375, 0.0, 3.0, 9.0]),
    ("hardshrink", [-0.75, -0.5, -0.0, 0.5, INF, NAN], {}, [-0.75, 0.0, 0.0, 0.0, INF, 0.0]),
    ("softsign", [-3.0, -0.0, 1.0, INF], {}, [-0.75, -0.0, 0.5, NAN]),
    ("leakyrelu", [-8.0, 8.0, -0.0], {"alpha": 0.25}, [-2.0, 8.0, -0.0]),
    ("leakyrelu", [-8.0, -INF], {"alpha": 0.0}, [0.0, 0.0]),  # x * 0.0 is the constant
    ("clip", [NAN, 7.0, -1.0, 3.0], {"low": 0.0, "high": 6.0}, [6.0, 6.0, 0.0, 3.0]),
    ("add", [-0.0, 1.0], operand(0), [-0.0, 1.0]),  # dropped
    ("add", [-0.0, 1.0], operand(0, 0), [0.0, 1.0]),
    ("subtract", [-0.0, 1.0], operand(1), [-1.0, 0.0]),
    ("subtract", [0.0, 1.0], {"swapped": True, **operand(0)}, [0.0, -1.0]),
    ("multiply", [-1.0, INF, NAN], operand(0), [0.0, 0.0, 0.0]),  # the constant, NaN or not
    ("multiply", [-1.0, INF], operand(0, 0), [-0.0, NAN]),
    ("multiply", [-1.0, INF], {"constant": False, **operand(0)}, [-0.0, NAN]),
    ("divide", [1.0, -6.0], operand(4), [0.25, -1.5]),
    ("divide", [0.0, -2.0], {"swapped": True, **operand(1)}, [INF, -0.5]),
    ("divide", [0.0, -2.0], {"swapped": True, **operand(0)}, [0.0, 0.0]),  # the constant again
    ("maximum", [NAN, -0.0, 1.0], operand(0), [0.0, 0.0, 1.0]),
    ("maximum", [NAN, -0.0, 1.0], {"swapped": True, **operand(0)}, [NAN, -0.0, 1.0]),
    ("minimum", [NAN, 0.0, 1.0], operand(-0.0), [-0.0, -0.0, -0.0]),
    (
        "quantize",
        [0.25, 0.75, NAN, -1e9],
        {"scale": (0.5,), "zero_point": (3,), "out_dtype": "int8"},
        [3, 5, 127, -128],
    ),
    ("quantize", [-1.0, 300.0], {"zero_point": (0,), "out_dtype": "uint8"}, [0, 255]),
    ("astype", [-1.9, 1.9, -0.5], {"out_dtype": "int8"}, [-1, 1, 0]),
    ("astype", [65520.0, 1e-9], {"out_dtype": "float16"}, [INF, 0.0]),
]

INTEGERS = [
    ("relu", [-3, 3], "int8", {}, [0, 3]),
    ("negative", [-128, 5], "int8", {}, [-128, -5]),
    ("abs", [-128, -5], "int8", {}, [-128, 5]),
    ("square", [16, -3], "uint8", {}, [0, 9]),
    ("round", [7, -7], "int16", {}, [7, -7]),
    ("clip", [-9, 9], "int8", {"low": -2.0, "high": 3.0}, [-2, 3]),
    ("add", [127, 0], "int8", operand(1), [-128, 1]),
    ("subtract", [0, 5], "uint8", operand(1), [255, 4]),
    ("multiply", [100, -1], "int8", operand(3), [44, -3]),
    ("divide", [7, -7, 8], "int8", operand(2), [3, -3, 4]),
    ("divide", [7, -7], "int8", operand(-2), [-3, 3]),
    ("maximum", [-9, 9], "int32", operand(0), [0, 9]),
    ("astype", [300, -1], "int32", {"out_dtype": "uint8"}, [44, 255]),
    ("astype", [-1], "int8", {"out_dtype": "float16"}, [-1.0]),
]


def same(value, expected):
    got = [float(x) for x in value.ravel()]
    return [(str(x), math.copysign(1, x)) for x in got if not math.isnan(x)] == [
        (str(float(x)), math.copysign(1, x)) for x in expected if not math.isnan(x)
    ] and [math.isnan(x) for x in got] == [math.isnan(x) for x in expected]


@pytest.mark.parametrize(("kind", "values", "fields", "expected"), FLOATS)
def test_what_a_step_makes_of_floats(kind, values, fields, expected):
    tensor = through(kind, values, **fields)
    assert same(tensor.value, expected), tensor.value
    assert not tensor.unknown.any()


@pytest.mark.parametrize(("kind", "values", "dtype", "fields", "expected"), INTEGERS)
def test_what_a_step_makes_of_integers(kind, values, dtype, fields, expected):
    tensor = through(kind, values, dtype, **fields)
    assert tensor.value.ravel().tolist() == expected
    assert not tensor.unknown.any()


def test_narrow_floats_round_after_each_operation():
    product = through("multiply", [3.0], "float16", operand=(0.1,)).value.item()
    assert product == np.float16(np.float16(3) * np.float16(0.1))
    assert through("divide", [1.0], "bfloat16", operand=(3.0,)).value.item() == 0.333984375  # 171 / 512


@pytest.mark.parametrize(
    ("kind", "values", "dtype", "fields", "unspecified", "reason"),
    [
        (
            "astype",
            [127.9, 128.0, -129.0, NAN, -128.9],
            "float32",
            {"out_dtype": "int8"},
            [0, 1, 1, 1, 0],
            OUT_OF_RANGE,
        ),
        ("astype", [-0.9, -1.0, INF], "float32", {"out_dtype": "uint8"}, [0, 1, 1], OUT_OF_RANGE),
        ("add", [2**31 - 1, 5], "int32", operand(1), [1, 0], OVERFLOW),
        ("multiply", [-(2**62), 5], "int64", operand(3), [1, 0], OVERFLOW),
        ("abs", [-(2**31), -5], "int32", {}, [1, 0], OVERFLOW),
        ("square", [2**16, 5], "int32", {}, [1, 0], OVERFLOW),
    ],
)
def test_values_that_llvm_leaves_unspecified_are_marked(kind, values, dtype, fields, unspecified, reason):
    tensor = through(kind, values, dtype, **fields)
    assert tensor.unspecified.ravel().tolist() == tensor.unknown.ravel().tolist() == [bool(x) for x in unspecified]
    assert tensor.reasons == (reason,)


def test_a_rounding_of_arithmetic_in_bfloat16_is_unknown():
    """TVM executed: leakyrelu(leakyrelu(-9)) with alpha 0.1 is -0.0898, unrounded in between, and not -0.0903."""
    tensor = through("leakyrelu", [-9.0, 3.0, NAN], "bfloat16", alpha=0.1)
    assert tensor.unknown.ravel().tolist() == [True, False, False]
    assert not through("multiply", [1.5, 3.0], "bfloat16", operand=(2.0,)).unknown.any()


def test_a_rounding_to_bfloat16_is_unknown_but_not_unspecified():
    tensor = through("astype", [257.0, 256.0, NAN], out_dtype="bfloat16")
    assert tensor.unknown.ravel().tolist() == [True, False, False]
    assert not tensor.unspecified.any()


def test_unspecified_elements_stay_unspecified_through_further_steps():
    tensor = through("astype", [300.0, 1.0], out_dtype="int8")
    after = apply(Step(kind="clip", low=0.0, high=1.0), tensor, {})
    assert after.unspecified.ravel().tolist() == [True, False]
    assert exact_tensor(np.ones(2)).reasons == ()


# --- dequantize, by hand ------------------------------------------------------------------------------


def dequantize(values, dtype, **step):
    """Return the values after a step, through a pool of one element."""
    case = Case(op="max_pool1d", axes=(Axis(size=len(values)),), dtype=dtype, steps=(Step(**step),))
    return reference(case, {"x": np.array(values, dtype).reshape(1, 1, -1)}).value.ravel().tolist()


def test_dequantize_subtracts_in_int32_and_multiplies_in_float32():
    assert dequantize([-128, 127], "int8", scale=(0.5,), zero_point=(-3,)) == [-62.5, 65.0]
    assert dequantize([0, 255], "uint8", zero_point=(200,), zero_point_dtype="uint8") == [-200, 55]
    assert dequantize([-(2**31)], "int32", zero_point=(2**31 - 1,), zero_point_dtype="int32") == [1]
    assert dequantize([3], "int8", scale=(0.1,)) == [float(np.float32(3) * np.float32(0.1))]


def test_dequantize_to_float16_saturates():
    assert dequantize([-128, 127], "int8", scale=(1e30,), out_dtype="float16") == [-65504, 65504]


def test_dequantize_goes_along_its_axis():
    assert dequantize([5, 6, 7], "int8", scale=(1.0, 2.0, 3.0), zero_point=(1, 2, 3), axis="W") == [4, 8, 12]


def test_a_constant_scale_of_zero_loses_the_sign():
    assert np.signbit(dequantize([-1], "int8", scale=(0.0,))).tolist() == [False]


def test_scale_and_zero_point_may_come_as_parameters():
    step = Step(scale=(0.5,), zero_point=(1,), constant=False)
    case = Case(op="max_pool1d", axes=(Axis(),), dtype="int8", steps=(step,))
    arrays = {"x": np.array([[[5]]], np.int8), "scale0": np.array(2, np.float32), "zero_point0": np.array(3, np.int8)}
    assert reference(case, arrays).value.item() == 4


# --- as TVM executes them -----------------------------------------------------------------------------

VARIANTS = {
    "dequantize": [{"scale": (0.1,), "zero_point": (-3,)}, {"scale": (0.0,), "out_dtype": "float16"}],
    "quantize": [{"scale": (0.1,), "zero_point": (3,), "out_dtype": x} for x in dtypes.REQUANTIZED_DTYPES],
    "astype": [{"out_dtype": dtype} for dtype in dtypes.DTYPES],
    "leakyrelu": [{"alpha": 0.1}, {"alpha": 0.0}],
    "clip": [{"low": 1.0, "high": 6.0}],
    **{
        kind: [
            {"operand": (value,), "swapped": swapped, "constant": constant}
            for value, constant in ((0.0, True), (3.0, True), (0.0, False))
            for swapped in (False, True)
        ]
        for kind in ("add", "subtract", "multiply", "divide", "maximum", "minimum")
    },
}


def cases_of(kind):
    """Yield a case for each dtype and variant of a kind, on hard values. The step's result is an extra output."""
    for dtype in TAKES[kind]:
        for fields in VARIANTS.get(kind, [{}]):
            fills = ("nans", "extremes") if dtype in dtypes.FLOATS else ("extremes", "integers")
            try:
                steps = (Step(kind=kind, **fields),)
                yield Case(
                    op="max_pool1d",
                    axes=(Axis(size=48),),
                    dtype=dtype,
                    steps=steps,
                    extra_outputs=("step",),
                    fills=fills,
                )
            except ValueError:  # integer division by 0 or by the data
                continue


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_tvm_executes_each_kind_as_the_reference_has_it(kind):
    cases = list(cases_of(kind))
    assert {case.dtype for case in cases} == set(TAKES[kind])
    for case in cases:
        check(case, fold=lambda module: module)
