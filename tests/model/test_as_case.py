"""A site becomes a case of the same geometry on small tensors, which the pass folds by the same rule."""

from functools import partial

import numpy as np
import pytest
from tests.support.foldings import chain, constant, emitted, pad_last_axis
from tests.support.model_files import SYMBOLIC, onnx_model
from tvm import relax

from foldproof.fold import Folded, FoldExplicitPadding
from foldproof.ir.relax.build import build
from foldproof.model import import_model
from foldproof.model.as_case import NotExpressible, as_case
from foldproof.model.pads import find_places

op = relax.op
LONG = [((1, 8, 30), "float32")]


def only_case(module):
    [place] = find_places(module)
    return as_case(place)


def rule_of(module):
    outcome = FoldExplicitPadding().explain(module)[-1].outcome
    return outcome.rule if isinstance(outcome, Folded) else str(outcome.kind)


def dequantize(x):
    return op.dequantize(x, constant(0.5), constant(3, dtype="int8"), out_dtype="float32")


def conv2d(shape, weight, **attributes):
    pads = (0, 0, 0, 0, 1, 2, 0, 1)
    return emitted(
        [(shape, "float32")],
        partial(op.nn.pad, pad_width=pads),
        lambda x: op.nn.conv2d(x, relax.const(np.ones(weight, "float32")), **attributes),
    )


SITES = {
    "relu": chain(op.nn.relu),
    "clip and leakyrelu": chain(lambda x: op.clip(x, -1, 6), lambda x: op.nn.leakyrelu(x, 0.5)),
    "multiply by a scalar": chain(lambda x: op.multiply(constant(2.0), x)),
    "multiply by channel": chain(lambda x: op.multiply(x, constant(2.0, 3.0, 4.0, shape=(1, 3, 1)))),
    "dequantize": chain(dequantize, dtype="int8", value=3.0),
    "cast": chain(lambda x: op.astype(x, "float32"), dtype="int8"),
    "a refused value": chain(value=2.0),
    "channels": chain(pad=(0, 0, 1, 0, 0, 0), weight=(4, 4, 3)),
    "depthwise of stride 2": conv2d((1, 32, 57, 40), (32, 1, 3, 5), strides=2, groups=32),
    "groups": conv2d((1, 12, 20, 20), (6, 4, 3, 3), groups=3, dilation=2),
    "average": emitted(
        [((1, 8, 30), "float32")], pad_last_axis(1, 1), lambda x: op.nn.avg_pool1d(x, 3, 2, ceil_mode=True)
    ),
    "max after relu": emitted(
        [((1, 8, 30), "float32")], op.nn.relu, pad_last_axis(1, 1), lambda x: op.nn.max_pool1d(x, 3, 2)
    ),
    "max": emitted(LONG, pad_last_axis(1, 1), lambda x: op.nn.max_pool1d(x, 3, 2)),
    "mirrored": emitted(
        [((1, 8, 30), "float32")], pad_last_axis(1, 1, mode="reflect"), lambda x: op.nn.avg_pool1d(x, 3, 2)
    ),
    "transposed": emitted(
        [((1, 8, 30), "float32"), ((8, 6, 3), "float32")],
        pad_last_axis(1, 1),
        lambda x: op.nn.conv1d_transpose(x, relax.const(np.ones((8, 6, 3), "float32")), strides=2),
    ),
}


@pytest.mark.parametrize("name", SITES)
def test_a_case_has_the_outcome_of_its_site_on_small_tensors(name):
    case = only_case(SITES[name])
    assert rule_of(build(case)) == rule_of(SITES[name])
    assert max(axis.size for axis in case.axes) <= 12
    assert max(case.channels, case.filters) <= 4


def test_lengths_keep_their_remainder_by_the_stride():
    case = only_case(SITES["depthwise of stride 2"])
    assert [axis.size % 2 for axis in case.axes] == [57 % 2, 40 % 2]
    assert [(axis.pad, axis.kernel, axis.stride) for axis in case.axes] == [((1, 2), 3, 2), ((0, 1), 5, 2)]
    assert (case.groups, case.channels, case.filters, case.constant_weight) == (2, 2, 2, True)


def test_the_form_of_a_pad_is_kept(tmp_path):
    places = find_places(import_model(onnx_model(tmp_path / "net.onnx")).module)
    assert [as_case(place).pad.form for place in places] == ["call_tir", "call_tir"]


def test_symbolic_lengths_stay_symbolic(tmp_path):
    (tmp_path / "net.py").write_text(SYMBOLIC)
    [place] = find_places(import_model(tmp_path / "net.py").module)
    case = as_case(place)
    assert case.symbolic == ("N", "H", "W")
    assert rule_of(build(case)) == "conv"


REFUSED = {
    "sum is not a convolution or pool": emitted([((1, 3, 8), "float32")], pad_last_axis(1, 1), op.sum),
    "a case has no step add of this form": chain(lambda x: op.add(x, x)),
    "return is not a convolution or pool": emitted([((1, 3, 8), "float32")], pad_last_axis(1, 1)),
    "a case has no step tanh": chain(op.tanh),
    "an op between pad and consumer changes the number of axes": emitted(
        [((3, 8), "float32")],
        partial(op.nn.pad, pad_width=(0, 0, 1, 1)),
        lambda x: op.expand_dims(x, 0),
        lambda x: op.nn.max_pool1d(x, 3),
    ),
    "the operand of multiply varies along other axes than the channels": chain(
        lambda x: op.multiply(x, constant(*range(11), shape=(1, 1, 11)))
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_site_that_a_case_cannot_express_has_a_reason(reason):
    for place in find_places(REFUSED[reason]):
        with pytest.raises(NotExpressible) as raised:
            as_case(place)
        assert str(raised.value) == reason
