"""Questions about models: signatures that fit, the first output alone, and the pads that are left."""

import onnx
import pytest

from foldproof import Axis, Case, Pad
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.model import Signature

PADDED = Case(op="max_pool1d", axes=(Axis(size=5, pad=(1, 1), kernel=3),), pad=Pad(value=float("-inf")))


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        ((("y", 1, (1, 2)),), True),
        ((("y", 1, (1, None)),), True),
        ((("y", 1, ("n", 2)),), True),
        ((("y", 1, None),), True),
        ((("y", 1, (1, 3)),), False),
        ((("y", 1, (1, 2, 1)),), False),
        ((("y", 7, (1, 2)),), False),
        ((("z", 1, (1, 2)),), False),
        ((), False),
    ],
)
def test_signatures_fit_if_no_name_dtype_or_length_contradicts(other, fits):
    assert Signature((), (("y", 1, (1, 2)),)).fits(Signature((), other)) is fits


def test_a_signature_is_readable():
    assert str(ONNX.return_type(ONNX.build(PADDED))) == "(x: float[1, 1, 5]) -> (maxpool3: float[1, 1, 5])"


def test_what_may_be_overridden_is_no_input():
    model = ONNX.build(OnnxCase(case=PADDED, form=Form(storage="overridable")))
    assert len(model.graph.input) == 3
    assert [name for name, *_ in ONNX.return_type(model).inputs] == ["x"]


def test_the_first_output_needs_no_other_nodes():
    both = Case(op="max_pool1d", axes=PADDED.axes, pad=PADDED.pad, extra_outputs=("read",))
    model = ONNX.first_output(ONNX.build(both))
    assert [node.op_type for node in model.graph.node] == ["Pad", "MaxPool"]
    assert len(model.graph.output) == 1
    assert ONNX.verify(model) == ""


@pytest.mark.parametrize(
    ("case", "foldable", "identity"),
    [
        (PADDED, 1, 0),
        (Case(op="max_pool1d", axes=(Axis(size=5, kernel=3),)), 1, 1),
        (Case(op="max_pool1d", axes=(Axis(size=5, kernel=3),), pad=Pad(batch=(1, 0))), 0, 0),
        (Case(op="conv1d", axes=(Axis(size=5, pad=(1, 0)),), pad=Pad(operand="weight")), 1, 0),
    ],
)
@pytest.mark.parametrize("form", [Form(), Form(opset=10), Form(axes="negative", storage="node", identities=True)])
def test_residual_pads_are_counted(case, foldable, identity, form):
    pads = ONNX.residual_pads(ONNX.build(OnnxCase(case=case, form=form)))
    if case.pad.batch == (1, 0) and form.axes == "negative":
        return  # an axis counted from the end may be the batch of a vector
    assert (pads.foldable, pads.identity) == (foldable, identity)


def test_a_model_prints_as_text_that_onnx_reads():
    text = ONNX.to_source(ONNX.build(PADDED))
    assert "MaxPool" in text
    assert ONNX.verify(onnx.parser.parse_model(text)) == ""


def test_a_model_with_pads_and_auto_pad_is_invalid():
    same = Case(op="max_pool1d", axes=(Axis(size=5, kernel=3, padding=(1, 1)),))
    model = ONNX.build(OnnxCase(case=same, form=Form(auto_pad="SAME_UPPER")))
    assert ONNX.verify(model) == ""
    model.graph.node[-1].attribute.append(onnx.helper.make_attribute("pads", [1, 1]))
    assert ONNX.verify(model) == (
        "MaxPool has pads [1, 1] and auto_pad SAME_UPPER; pads cannot be used simultaneously with auto_pad"
    )


def test_an_invalid_model_has_a_reason():
    model = ONNX.build(PADDED)
    model.graph.node[-1].op_type = "MaxPuddle"
    assert "MaxPuddle" in ONNX.verify(model)
