"""foldproof.oracle.pads: modes, crops and the cast of the pad value, by hand."""

import numpy as np
import pytest
from tests.support.relax import evaluate_pad

from foldproof.case import Axis, Case, Pad

NAN = float("nan")
INF = float("inf")
HIGHEST = float(np.finfo(np.float32).max)


def pad_of(values, widths, dtype="float32", **pad):
    """``values`` after a pad of the axis of a 1d pool."""
    case = Case(op="max_pool1d", axes=(Axis(size=len(values), pad=widths),), dtype=dtype, pad=Pad(**pad))
    return evaluate_pad(case, {"x": np.array(values).astype(np.dtype(dtype)).reshape(1, 1, -1)}).ravel().tolist()


@pytest.mark.parametrize(
    ("mode", "widths", "expected"),
    [
        ("constant", (1, 2), [9, 1, 2, 3, 9, 9]),
        ("edge", (1, 0), [9, 1, 2, 3]),  # unknown to TVM, which takes it for constant
        ("constant", (-1, 2), [2, 3, 9, 9]),
        ("constant", (2, -2), [9, 9, 1]),
        ("constant", (-1, -1), [2]),
        ("constant", (-4, 3), [9, 9]),
        ("constant", (3, -4), [9, 9]),
        ("reflect", (2, 1), [3, 2, 1, 2, 3, 2]),
        ("replicate", (2, 1), [1, 1, 1, 2, 3, 3]),
        ("circular", (2, 1), [2, 3, 1, 2, 3, 1]),
    ],
)
def test_pad_modes_and_crops(mode, widths, expected):
    assert pad_of([1, 2, 3], widths, mode=mode, value=9.0) == expected


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int8", 0.99, 0),
        ("int8", -1.5, -1),
        ("float32", 1e-50, 0.0),
        ("float16", 1 + 2**-11 + 2**-40, 1 + 2**-10),  # rounded once: by way of float32 it would be 1.0
        ("bfloat16", 3.4e38, INF),
        ("float32", -INF, -INF),
    ],
)
def test_the_pad_value_is_cast_to_the_tensor(dtype, value, expected):
    assert pad_of([1], (1, 0), dtype, value=value)[0] == expected


def test_a_padded_weight_is_padded_in_its_own_layout():
    case = Case(
        op="conv1d",
        axes=(Axis(size=4, kernel=1, pad=(0, 1)),),
        pad=Pad(operand="weight", value=7.0, batch=(1, 0)),
        kernel_layout="WOI",
    )
    weight = evaluate_pad(case, {"x": np.zeros((1, 1, 4), np.float32), "w": np.full((1, 1, 1), 2, np.float32)})
    assert weight.tolist() == [[[7], [2]], [[7], [7]]]
