"""What onnx.reference computes wrongly has no vote."""

import numpy as np
import pytest

from foldproof import Axis, Case
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.ir.onnx.ir import ONNX

DATA = {"x": np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)}


def pool(*axes, auto_pad=""):
    return ONNX.build(OnnxCase(case=Case(op="max_pool2d", axes=axes), form=Form(auto_pad=auto_pad)))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_padded_max_pool_has_no_second_implementation(stride):
    model = pool(Axis(size=3, kernel=2, padding=(1, 1), stride=stride), Axis(size=4, kernel=2, stride=stride))
    assert ONNX.second_opinion(model, DATA) is None


def test_a_max_pool_without_padding_has_one():
    assert ONNX.second_opinion(pool(Axis(size=3, kernel=2), Axis(size=4, kernel=2)), DATA) is not None


def test_a_max_pool_with_auto_pad_has_none():
    axes = (Axis(size=3, kernel=3, padding=(1, 1)), Axis(size=4, kernel=3, padding=(1, 1)))
    assert ONNX.second_opinion(pool(*axes, auto_pad="SAME_UPPER"), DATA) is None
