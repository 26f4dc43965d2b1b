"""foldproof.campaign.features: each feature has a case that has it, and variants that lack it."""

import math
from dataclasses import replace

import pytest

from foldproof import Axis, Case, Pad, Step, strategies
from foldproof.campaign.features import ASYMMETRIC, BEGIN, END, NOT_COUNTED, features, plain_case, without
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.generation.draw import draw

CONV = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1)),))
MAX = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 1)),), pad=Pad(value=-math.inf))
AVG = Case(op="avg_pool1d", axes=(Axis(size=4, pad=(1, 1)),))
CONV2 = Case(op="conv2d", axes=(Axis(size=4, pad=(1, 1)), Axis(size=4, pad=(1, 1))))

CASES = {
    ASYMMETRIC: replace(CONV, axes=(Axis(size=4, pad=(1, 2)),)),
    "negative widths": replace(CONV, axes=(Axis(size=4, pad=(-1, -1)),)),
    "axes with different pads": replace(CONV2, axes=(CONV2.axes[0], Axis(size=4, pad=(2, 2)))),
    "padded batch": replace(CONV, pad=Pad(batch=(1, 1))),
    "padded channel": replace(CONV, pad=Pad(channel=(1, 1))),
    "mode": replace(CONV, pad=Pad(mode="reflect")),
    "form of the pad": replace(CONV, pad=Pad(form="call_tir")),
    "padded weight": replace(CONV, pad=Pad(operand="weight")),
    "value that is not neutral": replace(MAX, pad=Pad(value=0.0)),
    "negative value": replace(CONV, pad=Pad(value=-3.0)),
    "value that is not finite": replace(CONV, pad=Pad(value=math.inf)),
    "steps": replace(CONV, steps=(Step(kind="relu"),)),
    "relu among the steps": replace(CONV, steps=(Step(kind="relu"),)),
    "form of a step": replace(CONV, steps=(Step(kind="pad", widths=(("W", -1, 0),), form="strided_slice"),)),
    "a stride before the pad": replace(CONV, input_stride=2),
    "steps before the pad": replace(CONV, producers=(Step(kind="abs"),)),
    "layout": replace(CONV, data_layout="NWC"),
    "an integer dtype": replace(MAX, dtype="int8", pad=Pad(value=-128.0)),
    "a float dtype other than float32": replace(CONV, dtype="float16"),
    "ceil_mode": replace(MAX, ceil_mode=True),
    "count_include_pad": replace(AVG, count_include_pad=True),
    NOT_COUNTED: AVG,
    "groups": replace(CONV, groups=2, channels=2, filters=2),
    "stride": replace(CONV, axes=(Axis(size=4, pad=(1, 1), stride=2),)),
    "dilation": replace(CONV, axes=(Axis(size=4, pad=(1, 1), dilation=2),)),
    "own padding": replace(CONV, axes=(Axis(size=4, pad=(1, 1), padding=(1, 1)),)),
    "several axes": CONV2,
    "symbolic lengths": replace(CONV, symbolic=("N",)),
    "extra output 'returned'": replace(CONV, extra_outputs=("returned",)),
}


def test_a_simple_case_has_no_feature_but_the_sides_of_its_pad():
    assert features(CONV) == features(MAX) == {BEGIN, END}


@pytest.mark.parametrize("name", CASES)
def test_a_feature_can_be_removed(name):
    case = CASES[name]
    assert name in features(case)
    variants = without(case, name)
    assert variants
    assert all(name not in features(variant) for variant in variants)


@pytest.mark.parametrize(("side", "pad", "moved"), [(BEGIN, (1, 2), (0, 2)), (END, (0, 2), (2, 0))])
def test_a_side_is_removed_by_moving_the_pad_to_the_other_one(side, pad, moved):
    [variant] = without(replace(CONV, axes=(Axis(size=4, pad=pad),)), side)
    assert variant.axes[0].pad == moved


def test_the_zero_point_is_the_neutral_value_of_quantized_data():
    step = Step(zero_point=(3,))
    quantized = replace(CONV, dtype="int8", steps=(step,), pad=Pad(value=3.0))
    assert "value that is not neutral" not in features(quantized)
    assert "value that is not neutral" in features(replace(quantized, pad=Pad(value=0.0)))


def test_what_a_case_lacks_cannot_be_removed():
    assert without(CONV, "mode") == ()


@pytest.mark.slow
def test_every_feature_of_every_case_can_be_removed_or_has_no_valid_variant():
    cases = draw(strategies.cases(), 300, seed=12)
    cases += [each for each in draw(strategies.cases(), 500, seed=13) if any(s.form != "op" for s in each.steps)][:40]
    assert any(step.form != "op" for case in cases for step in case.steps)
    removed = total = 0
    for case in cases:
        for feature in features(case):
            variants = without(case, feature)
            assert all(feature not in features(variant) for variant in variants)
            removed, total = removed + bool(variants), total + 1
    assert removed > 0.9 * total


def test_a_case_in_a_form_has_the_features_of_both():
    both = OnnxCase(case=CONV, form=Form(opset=11, storage="node"))
    assert features(both) == features(CONV) | {"ONNX form: opset", "ONNX form: storage"}
    assert without(both, "ONNX form: storage") == (OnnxCase(case=CONV, form=Form(opset=11)),)
    assert all(each.form == both.form for each in without(both, BEGIN))
    assert isinstance(plain_case(both), OnnxCase)
