"""ONNX models of symbolic batch, height and width fold as those of numbers do, and compute the same bits."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
import tvm
from tests.support.onnx_models import MODELS, build
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

from foldproof.fold import Folded, FoldExplicitPadding

FOLDED = {
    "mobilenet": 5,
    "resnet": 5,
    "efficientnet": 5,
    "unet": 6,
    "quantized": 3,
    "googlenet": 10,
    "generator": 4,
}
"""The pads that fold."""

LEFT = {"generator": 2}
"""The pads that stay, whatever the lengths are: mirrored, of channels."""

SYMBOLIC = ("N", "H", "W")
SIZES = ((1, 3, 64, 64), (2, 3, 57, 70), (1, 3, 48, 35))


@cache
def module(name, shape):
    return from_onnx(build(name, *shape))


def count(name, shape):
    """How many reports there are: of folds, and of refusals."""
    reports = FoldExplicitPadding().explain(module(name, shape))
    return Counter(isinstance(report.outcome, Folded) for report in reports)


@pytest.mark.parametrize("name", MODELS)
def test_as_many_pads_fold_as_with_numbers(name):
    numbers, symbolic = count(name, (1, 64, 64)), count(name, SYMBOLIC)
    assert numbers[True] == FOLDED[name]
    assert symbolic == numbers
    assert numbers[False] >= LEFT.get(name, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_folded_model_computes_the_same_bits_in_three_sizes(name):
    before = module(name, SYMBOLIC)
    after = FoldExplicitPadding()(before)
    assert not after.same_as(before)
    machines = [relax.VirtualMachine(tvm.compile(each, "llvm"), tvm.cpu()) for each in (before, after)]
    for shape in SIZES:
        x = np.random.default_rng(shape[2]).integers(-5, 6, shape).astype("float32")
        unfolded, folded = (machine["main"](tvm.runtime.tensor(x)).numpy() for machine in machines)
        assert unfolded.shape == folded.shape
        assert unfolded.tobytes() == folded.tobytes()
        assert len(np.unique(unfolded)) > 1
