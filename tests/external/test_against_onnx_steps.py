"""The elementwise steps of the NumPy reference against ONNX Runtime, one at a time, bit by bit.

Inputs are all 256 values of 8-bit integers, extremes and their neighbours of wider ones, and floats: halves to round,
fractions, and values that overflow in float16. Signs of zeros are not compared here, and NaN and infinities are not
inputs, since TVM treats them in its own way (rows in ``test_against_onnxruntime``, and ``test_elementwise``).
"""

from dataclasses import replace

import numpy as np
import pytest
from tests.support import onnx_graphs
from tests.support.relax import evaluate_steps

import foldproof.oracle.elementwise
from foldproof.case import Axis, Case, Step, dtypes
from foldproof.case.step import BINARY, ELEMENTWISE, TAKES

HALVES = [*(quarter / 4 for quarter in range(-40, 41)), 127.5, -128.5, 255.5, 2049.0]
FRACTIONS = [0.1, -0.1, 1 / 3, 1e-3, 3e-5, -1e-7, 255.49, 60000.0, -65504.0]
WHOLE = [-1000001, -300, -129, -128, -7, -3, -2, -1, 0, 1, 2, 3, 7, 127, 128, 255, 256, 65504, 2**24 + 1]


def inputs(dtype):
    """Return the inputs of a step."""
    if dtype in dtypes.FLOATS:
        return np.array(HALVES + FRACTIONS).astype(dtype)
    low, high = dtypes.int_range(dtype)
    within = (
        range(low, high + 1) if high < 256 else [low, low + 1, *(n for n in WHOLE if low < n < high), high - 1, high]
    )
    return np.array(within, dtype)


def steps(kind, dtype):
    """Return steps of a kind, with several operands, sides, scales or dtypes."""
    if kind in BINARY:
        operands = (2.5, -0.3, 3.0) if dtype in dtypes.FLOATS else (3.0, 5.0)
        sides = (False,) if kind == "divide" and dtype in dtypes.INTEGERS else (False, True)
        return [Step(kind=kind, operand=(operand,), swapped=swapped) for operand in operands for swapped in sides]
    if kind == "clip":
        return [Step(kind=kind, low=0.0 if dtype.startswith("u") else -3.0, high=6.0)]
    if kind == "leakyrelu":
        return [Step(kind=kind, alpha=alpha) for alpha in (0.25, 0.1)]
    if kind == "astype":
        return [Step(kind=kind, out_dtype=to) for to in dtypes.DTYPES if to not in (dtype, "bfloat16")]
    if kind == "quantize":
        results = (("int8", -5), ("uint8", 7))
        return [
            Step(kind=kind, scale=(scale,), zero_point=(zero,), zero_point_dtype=to, out_dtype=to)
            for scale in (0.1, 0.5, 3.0)
            for to, zero in results
        ]
    if kind == "dequantize":
        return [
            Step(kind=kind, scale=(scale,), zero_point=(3,), zero_point_dtype=dtype, out_dtype=to)
            for scale in (0.1, 0.5, 1e4)
            for to in dtypes.DEQUANTIZED_DTYPES
        ]
    return [Step(kind=kind)]


def case_of(step, dtype):
    """Return a case with this step only, on all inputs."""
    return Case(op="max_pool1d", axes=(Axis(size=len(inputs(dtype))),), dtype=dtype, steps=(step,))


def unsupported_reasons(kind, dtype):
    """Return why ONNX Runtime cannot execute steps of a kind. A single float16 step rounds once, so that is allowed."""
    reasons = {onnx_graphs.unsupported_step(case_of(step, dtype).step_places[0]) for step in steps(kind, dtype)}
    return reasons - {None, onnx_graphs.FLOAT16_STEP}


PAIRS = [(kind, dtype) for kind in ELEMENTWISE for dtype in TAKES[kind] if dtype not in ("bfloat16", "int16")]
"""Without bfloat16 and int16: ONNX Runtime cannot pad them or compute with them."""

UNCHECKED = {
    ("relu", "uint8"),
    ("relu", "int64"),
    ("leakyrelu", "float64"),
    *(("trunc", dtype) for dtype in dtypes.DTYPES),
    *((kind, dtype) for kind in ("hardswish", "softsign") for dtype in dtypes.FLOATS),  # ONNX multiplies by 1/6
    *((kind, dtype) for kind in ("round", "floor", "ceil") for dtype in dtypes.INTEGERS),
}


def find_differences(step, dtype):
    """Return (input, ONNX Runtime, reference) where they differ and the reference is not unknown."""
    case, x = case_of(step, dtype), inputs(dtype).reshape(1, 1, -1)
    tensor, got = evaluate_steps(case, {"x": x})[-1], onnx_graphs.execute_steps(case, {"x": x})
    assert got.dtype == tensor.value.dtype
    same = (got == tensor.value) | (np.isnan(got.astype(np.float64)) & np.isnan(tensor.value.astype(np.float64)))
    wrong = ~(same | tensor.unknown)
    return list(zip(x[wrong].tolist(), got[wrong].tolist(), tensor.value[wrong].tolist(), strict=True))


@pytest.mark.parametrize(("kind", "dtype"), [pair for pair in PAIRS if pair not in UNCHECKED])
def test_a_step_agrees_with_onnx_runtime(kind, dtype):
    for step in steps(kind, dtype):
        if (kind, dtype, step.alpha) != ("leakyrelu", "float16", 0.1):
            assert find_differences(step, dtype) == [], step


def test_unchecked_steps_are_unsupported():
    assert {pair for pair in PAIRS if unsupported_reasons(*pair)} == UNCHECKED & set(PAIRS)


def test_alpha_has_the_precision_of_the_data_in_tvm_and_of_float32_in_onnx():
    """The step that is left out above: 0.1 is 0.09998 in float16."""
    wrong = find_differences(Step(kind="leakyrelu", alpha=0.1), "float16")
    assert (-9.75, float(np.float16(-9.75 * 0.1)), float(np.float16(-9.75 * float(np.float16(0.1))))) in wrong


WRONG = {
    "round": lambda step, tensor, *_: replace(tensor, value=np.floor(tensor.value + np.float32(0.5))),
    "floor": lambda step, tensor, *_: replace(tensor, value=np.trunc(tensor.value)),
    "minimum": lambda step, tensor, parameters, *_: replace(
        tensor, value=np.maximum(tensor.value, parameters["operand"])
    ),
    "divide": lambda step, tensor, parameters, *_: replace(tensor, value=tensor.value * (1 / parameters["operand"])),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_step_differs(monkeypatch, kind):
    monkeypatch.setitem(foldproof.oracle.elementwise._KINDS, kind, WRONG[kind])
    assert any(find_differences(step, "float32") for step in steps(kind, "float32") if not step.swapped)
