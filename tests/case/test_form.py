"""Forms and cases in a form: plain values that print, compare, convert to JSON and back, and shrink to the default."""

import pytest

from foldproof import Axis, Case, Step, describe
from foldproof.case.form import Form, describe_form
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.spelling import lowered_step, lowering_of, same_padding

PADDED = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0), kernel=2),), constant_weight=True)
QUANTIZED = Case(
    op="conv1d",
    axes=(Axis(size=4, pad=(1, 0), kernel=2),),
    dtype="uint8",
    steps=(Step(zero_point=(3,), zero_point_dtype="uint8"),),
    constant_weight=True,
)
ODD = Form(opset=11, storage="node", axes="negative", auto_pad="VALID", out_dtype="uint8", out_zero_point=5)


def test_a_case_in_a_form_converts_to_json_and_back():
    value = OnnxCase(case=PADDED, form=ODD)
    assert set(value.to_json()) == {"case", "form"}
    assert OnnxCase.from_json(value.to_json()) == value
    assert eval(repr(value)) == value


def test_a_case_without_a_form_has_the_default_one():
    assert OnnxCase.from_json({"case": PADDED.to_json()}) == OnnxCase(case=PADDED)


def test_it_has_the_attributes_of_its_case():
    value = OnnxCase(case=PADDED)
    assert (value.op, value.dtype, value.fills, value.seed) == ("conv1d", "float32", ("integers",), 0)
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = value.colour


def test_it_is_described_with_its_form():
    assert describe(OnnxCase(case=PADDED, form=ODD)).splitlines()[-1].split() == [
        *("ONNX", "opset", "11,", "storage", "node,", "axes", "negative,", "auto_pad", "VALID,"),
        *("out_zero_point", "5,", "out_dtype", "uint8"),
    ]
    assert describe_form(Form()) == "opset 18"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"opset": 9}, "opset must be from 10 to 25, not 9"),
        ({"storage": "drawer"}, "unknown storage 'drawer'; expected one of initializer, node, overridable"),
        ({"defaults": 1}, "defaults must be true or false, not 1"),
        ({"out_scale": 0.3}, r"out_scale must be one of \(1.0, 0.5, 2.0, 4.0\), not 0.3"),
        ({"out_dtype": "uint8", "out_zero_point": -1}, "out_zero_point of uint8 must be from 0 to 99, not -1"),
    ],
)
def test_an_impossible_form_is_refused_with_its_value(change, message):
    with pytest.raises(ValueError, match=message):
        Form(**change)


def test_a_form_shrinks_to_the_default():
    form = ODD
    while (following := next(form.simpler(), None)) is not None:
        assert following != form
        form = following
    assert form == Form()


def test_every_simpler_form_is_nearer_to_the_default():
    def distance(form):
        return sum(form.to_dict().get(name) is not None for name in form.to_dict())

    assert all(distance(each) <= distance(ODD) and each != ODD for each in ODD.simpler())


def test_a_case_in_a_form_shrinks_its_form_and_its_case():
    simpler = list(OnnxCase(case=PADDED, form=ODD).simpler())
    assert simpler[0] == OnnxCase(case=PADDED)
    assert any(each.form == ODD and each.case != PADDED for each in simpler)


# --- what a case can follow ----------------------------------------------------------------------------


def test_an_integer_convolution_takes_in_the_dequantize_before_it():
    assert lowered_step(QUANTIZED).step == QUANTIZED.steps[-1]
    assert lowering_of(QUANTIZED, Form(lowering="qlinear")) == "qlinear"
    assert lowering_of(PADDED, Form(lowering="qlinear")) == ""
    assert lowering_of(PADDED, Form(lowering="qdq")) == "qdq"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "upper"),
    [(5, 3, 1, (1, 1)), (5, 2, 1, (0, 1)), (5, 3, 2, (1, 1)), (6, 3, 2, (0, 1)), (4, 4, 1, (1, 2))],
)
def test_same_padding_keeps_one_window_per_stride(size, kernel, stride, upper):
    case = Case(op="max_pool1d", axes=(Axis(size=size, kernel=kernel, stride=stride),))
    assert same_padding(case, "SAME_UPPER") == (upper,)
    assert same_padding(case, "SAME_LOWER") == (upper[::-1],)


def test_same_padding_is_nothing_where_its_formula_is_negative():
    assert same_padding(Case(op="max_pool1d", axes=(Axis(size=4, kernel=1, stride=3),)), "SAME_UPPER") == ((0, 0),)
    assert same_padding(Case(op="max_pool1d", axes=(Axis(size=5, kernel=1, stride=3),)), "SAME_UPPER") is None
