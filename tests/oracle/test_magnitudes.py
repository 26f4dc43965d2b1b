"""foldproof.oracle.magnitudes: the fills `integers` and `negative` sum exactly."""

import pytest
from tests.support.relax import inputs, reference

from foldproof.case import Axis, Case, Pad, Step

AXIS = Axis(size=5, kernel=2, pad=(1, 1))
QUANTIZED = Step(scale=(0.5, 2.0), zero_point=(3, 5), zero_point_dtype="uint8", constant=False)


def conv(dtype: str, **fields) -> Case:
    return Case(**{"op": "conv2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, "filters": 2, **fields})


def pool(dtype: str, **fields) -> Case:
    return Case(**{"op": "max_pool2d", "axes": (AXIS, AXIS), "dtype": dtype, "channels": 2, **fields})


EXACT = {
    "float32": conv("float32"),
    "float16": conv("float16", channels=6),
    "bfloat16": conv("bfloat16"),
    "bfloat16 with a large pad value": conv("bfloat16", pad=Pad(value=-7.0)),
    "bfloat16 with a fractional pad value": conv("bfloat16", pad=Pad(value=0.5), channels=1),
    "bfloat16 with a large pad value in the weight": conv("bfloat16", pad=Pad(value=5.0, operand="weight"), channels=1),
    "bfloat16, more terms than its integers": conv("bfloat16", channels=100),
    "grouped transposed bfloat16": conv("bfloat16", op="conv2d_transpose", channels=4, groups=2),
    "int8 into float16": conv("int8", out_dtype="float16"),
    "int8 that wraps": conv("int8", channels=8),
    "dequantized per channel": conv("uint8", steps=(QUANTIZED,)),
    "dequantized to float16": conv("int8", steps=(Step(scale=(0.75,), zero_point=(-9,), out_dtype="float16"),)),
    "average of bfloat16": pool("bfloat16", op="avg_pool2d"),
    "average of float16": pool("float16", op="avg_pool2d"),
}


@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
def test_integers_sum_exactly(case):
    result = reference(case, inputs(case, "integers"))
    assert result.defined.all()
    assert not result.bound.any()


@pytest.mark.parametrize("name", [name for name in EXACT if "more terms" not in name])
def test_negatives_sum_exactly_unless_a_weight_would_have_to_be_zero(name):
    result = reference(EXACT[name], inputs(EXACT[name], "negative"))
    assert result.defined.all()
    assert not result.bound.any()
