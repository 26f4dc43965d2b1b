"""Models of cases: the checker accepts them, ONNX Runtime computes the reference, and the form is what it says."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from foldproof import Axis, Case, Pad, Step, check
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.step import ELEMENTWISE
from foldproof.generation.draw import draw
from foldproof.ir.onnx.ir import ONNX
from foldproof.strategies import cases
from foldproof.strategies.onnx_cases import ONNX_SCENARIOS, adapt, onnx_cases, onnx_scenario_cases

CONV = Case(
    op="conv2d", axes=(Axis(size=4, pad=(1, 0), kernel=2), Axis(size=5, pad=(0, 2), kernel=2)), constant_weight=True
)
POOL = Case(op="max_pool1d", axes=(Axis(size=5, pad=(1, 1), kernel=3),), pad=Pad(value=float("-inf")))
QUANTIZED = Case(
    op="conv1d",
    axes=(Axis(size=4, pad=(1, 0), kernel=2),),
    dtype="uint8",
    pad=Pad(value=3.0),
    steps=(Step(zero_point=(3,), zero_point_dtype="uint8", scale=(0.5,)),),
    constant_weight=True,
    filters=2,
)


def keep(model):
    return model


keep.foldproof_ir = ONNX


def nodes_of(case, **form):
    model = ONNX.build(OnnxCase(case=case, form=Form(**form)))
    assert ONNX.verify(model) == ""
    return {node.op_type: node for node in model.graph.node}, model


def attributes_of(node):
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def test_a_pad_of_opset_10_has_attributes():
    nodes, _ = nodes_of(CONV, opset=10)
    attributes = attributes_of(nodes["Pad"])
    assert attributes["pads"] == [0, 0, 1, 0, 0, 0, 0, 2]
    assert attributes["value"] == 0.0
    assert list(nodes["Pad"].input) == ["x"]


@pytest.mark.parametrize(("axes", "shown"), [("some", [2, 3]), ("negative", [-2, -1]), ("shuffled", [3, 2])])
def test_a_pad_of_opset_18_names_axes(axes, shown):
    nodes, model = nodes_of(CONV, axes=axes)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert constants[nodes["Pad"].input[3]].tolist() == shown


def test_a_pad_before_opset_18_names_no_axes():
    nodes, _ = nodes_of(CONV, opset=13, axes="some")
    assert len(nodes["Pad"].input) == 3


def test_a_value_of_zero_may_be_left_out():
    assert len(nodes_of(CONV, pad_value=False)[0]["Pad"].input) == 2
    assert len(nodes_of(POOL, pad_value=False)[0]["Pad"].input) == 3


def test_a_mode_that_an_opset_lacks_needs_a_newer_one():
    wrapped = Case(op="max_pool1d", axes=(Axis(size=5, pad=(1, 1), kernel=3),), pad=Pad(mode="circular"))
    _, model = nodes_of(wrapped, opset=11)
    assert model.opset_import[0].version == 19


def test_defaults_may_be_left_out():
    assert set(attributes_of(nodes_of(CONV, defaults=False, kernel_shape=False)[0]["Conv"])) == set()
    written = {"dilations", "group", "kernel_shape", "pads", "strides"}
    assert set(attributes_of(nodes_of(CONV)[0]["Conv"])) == written


def test_auto_pad_is_written_only_where_it_means_the_padding():
    same = Case(op="max_pool1d", axes=(Axis(size=5, pad=(1, 1), kernel=3, padding=(1, 1)),))
    assert attributes_of(nodes_of(same, auto_pad="SAME_UPPER")[0]["MaxPool"])["auto_pad"] == b"SAME_UPPER"
    assert "auto_pad" not in attributes_of(nodes_of(POOL, auto_pad="SAME_UPPER")[0]["MaxPool"])
    assert attributes_of(nodes_of(POOL, auto_pad="VALID")[0]["MaxPool"])["auto_pad"] == b"VALID"


def test_constants_stand_where_the_form_says():
    assert {each.name for each in nodes_of(CONV)[1].graph.initializer} >= {"w"}
    assert "Constant" in nodes_of(CONV, storage="node")[0]
    model = nodes_of(CONV, weight="overridable")[1]
    assert "w" in {each.name for each in model.graph.input} & {each.name for each in model.graph.initializer}


def test_scalars_are_of_rank_0():
    nodes, model = nodes_of(QUANTIZED)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert [constants[name].shape for name in nodes["DequantizeLinear"].input[1:]] == [(), ()]


@pytest.mark.parametrize("lowering", ["", "qdq", "conv_integer", "qlinear"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_quantized_case_means_the_same_in_each_lowering(lowering, per_channel):
    form = Form(lowering=lowering, weight_zero_point=3, weight_per_channel=per_channel, out_dtype="uint8")
    nodes, _ = nodes_of(QUANTIZED, **form.to_dict())
    consumer = {"": "Conv", "qdq": "Conv", "conv_integer": "ConvInteger", "qlinear": "QLinearConv"}[lowering]
    assert consumer in nodes
    assert not check(OnnxCase(case=QUANTIZED, form=form), keep).in_doubt


def test_a_zero_point_of_another_dtype_is_written_as_arithmetic():
    step = Step(zero_point=(300,), zero_point_dtype="int32")
    case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),), dtype="uint8", steps=(step,))
    nodes, _ = nodes_of(case)
    assert "DequantizeLinear" not in nodes
    assert "Sub" in nodes
    assert not check(case, keep).in_doubt


@pytest.mark.parametrize("kind", [kind for kind in ELEMENTWISE if kind not in ("dequantize", "quantize")])
def test_every_elementwise_step_is_written_and_means_the_reference(kind):
    case = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 0), kernel=2),), steps=(Step(kind=kind),))
    assert ONNX.supported(case) == ""
    assert not check(case, keep).in_doubt


def test_what_onnx_cannot_say_has_a_reason():
    assert ONNX.supported(Case(op="avg_pool1d", axes=(Axis(),), dtype="int32")) == "ONNX has no AveragePool of int32"
    negative = Case(op="conv1d", axes=(Axis(size=4, padding=(-1, 0)),))
    assert ONNX.supported(negative) == "ONNX has no negative padding"


def test_a_model_is_built_anew_each_time():
    first = ONNX.build(CONV)
    first.graph.node[0].op_type = "Changed"
    assert ONNX.build(CONV).graph.node[0].op_type == "Pad"


def test_at_least_95_of_100_adapted_cases_convert():
    drawn = draw(cases(), 300, 1)
    assert sum(not ONNX.supported(adapt(case)) for case in drawn) >= 285


@pytest.mark.parametrize("scenario", ONNX_SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_case_of_a_scenario_of_onnx_converts_and_is_valid(scenario):
    for case in draw(onnx_scenario_cases(scenario), 25, 1):
        assert ONNX.supported(case) == ""
        assert ONNX.verify(ONNX.build(case)) == ""


def test_every_model_is_valid_and_means_the_reference():
    doubts = 0
    for case in draw(onnx_cases(), 120, 5):
        assert ONNX.supported(case) == ""
        assert ONNX.verify(ONNX.build(case)) == ""
        doubts += check(case, keep).in_doubt
    assert doubts <= 40


def test_the_model_has_the_values_of_the_weight():
    model = ONNX.build(OnnxCase(case=CONV, form=Form(weight="node")))
    [weight] = [node for node in model.graph.node if node.output[0] == "w"]
    array = numpy_helper.to_array(weight.attribute[0].t)
    assert array.shape == (1, 1, 2, 2)
    assert np.isfinite(array).all()
