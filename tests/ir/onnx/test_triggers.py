"""A known defect excuses what it explains, and nothing else: a wrong fold of the same case is still blamed."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from foldproof import Axis, Case, Step, check, failures
from foldproof.case.onnx_case import OnnxCase
from foldproof.ir.base import KnownDefect
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.runtimes import Compiled, open_session, session_function, unoptimized
from foldproof.ir.onnx.subjects.known_defects import KNOWN_DEFECTS
from foldproof.ir.onnx.subjects.subject_pass import SubjectPass
from foldproof.ir.onnx.subjects.triggers import WITHOUT

ROWS = [(subject, row) for subject, rows in KNOWN_DEFECTS.items() for row in rows]
TRIGGERED = [(subject, row) for subject, row in ROWS if row.without is not None]


def named(value):
    return value if isinstance(value, str) else value.name


def increase(model):
    """Return a tool whose results are all wrong, whatever the case is."""
    run = session_function(open_session(model, unoptimized()))
    return Compiled(run=lambda arrays: tuple(result + result.dtype.type(16) for result in run(arrays)), model=model)


def refuse(model):
    raise RuntimeError("another error")


def test_each_change_is_of_a_row():
    assert set(WITHOUT) <= {row.name for _, row in ROWS}


@pytest.mark.parametrize(("subject", "row"), [pair for pair in ROWS if pair[1].without is None], ids=named)
def test_a_row_without_a_change_has_a_message(subject, row):
    assert row.message


MATCH_WITHOUT_TRIGGER = {
    *("ort-quantized-average-per-channel", "ort-quantized-conv-per-channel", "onnxscript-zero-point-of-ConvInteger"),
    *("openvino-padding-of-ConvTranspose", "openvino-int64-in-int32"),
}
"""Rows whose trigger is one of several things that ``matches`` asks for the op alone."""


@pytest.mark.parametrize(("subject", "row"), TRIGGERED, ids=named)
def test_the_case_without_the_trigger_is_another_case_that_does_not_match(subject, row):
    changed = row.without(row.case)
    assert changed != row.case
    assert ONNX.supported(changed) == ""
    assert row.matches(changed) == (row.name in MATCH_WITHOUT_TRIGGER)


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_a_change_leaves_other_steps_as_they_are(name):
    step = Step(kind="relu")
    case = OnnxCase(case=Case(op="conv1d", axes=(Axis(),), producers=(step,), steps=(step,)))
    changed = WITHOUT[name](case)
    assert changed is None or (changed.case.steps, changed.case.producers) == ((step,), (step,))


@pytest.mark.parametrize(("subject", "row"), TRIGGERED, ids=named)
def test_another_wrong_result_of_the_case_is_blamed(subject, row):
    tool = SubjectPass(name=f"{subject}/wrong", apply=increase)
    assert row in tool.known_defects
    with pytest.raises(failures.Miscompile):
        check(row.case, tool)


def swap_widths(model):
    """Fold a pad of zeros into a max_pool, its begin and end swapped: two defects at once."""
    folded = ONNX.clone(model)
    [pad] = [node for node in folded.graph.node if node.op_type == "Pad"]
    [pool] = [node for node in folded.graph.node if node.op_type == "MaxPool"]
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in folded.graph.initializer}
    if len(pad.input) > 2 and pad.input[2] and arrays[pad.input[2]] != 0:
        return folded
    *_, begin, _, _, end = map(int, arrays[pad.input[1]])
    pool.input[0] = pad.input[0]
    kept = [attribute for attribute in pool.attribute if attribute.name != "pads"]
    del pool.attribute[:]
    pool.attribute.extend([*kept, helper.make_attribute("pads", [end, begin])])
    folded.graph.node.remove(pad)
    return folded


def test_a_defect_that_the_variant_does_not_fold_is_blamed_beside_a_known_one():
    """The variant without zeros is not folded at all, so it says nothing of the widths."""
    absolute = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 0), kernel=2),), producers=(Step(kind="abs"),))
    tool = SubjectPass(name="onnxoptimizer", apply=swap_widths)
    assert any(row.name == "onnxoptimizer-zero-into-max_pool" for row in tool.known_defects)
    with pytest.raises(failures.Miscompile):
        check(OnnxCase(case=absolute), tool)


def reverse_scales(model):
    """Give each channel the scale of another one."""
    changed = ONNX.clone(model)
    for tensor in changed.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim == 1 and array.size == 2:
            tensor.CopyFrom(numpy_helper.from_array(array[::-1].copy(), tensor.name))
    return changed


def test_a_row_of_inexact_scales_excuses_no_mix_up_of_channels():
    step = Step(scale=(0.1, 25.6), zero_point=(0, 0))
    case = Case(op="avg_pool1d", axes=(Axis(),), dtype="int8", channels=2, steps=(step,))
    with pytest.raises(failures.Miscompile):
        check(OnnxCase(case=case), SubjectPass(name="openvino", apply=reverse_scales))


def never(case):
    return OnnxCase(case=Case(op="avg_pool1d", axes=(Axis(),), dtype="int32"))


def without_kernel(case):
    """Return a case that ONNX Runtime has no kernel for."""
    return OnnxCase(case=Case(op="avg_pool1d", axes=(Axis(),), dtype="float64"))


def increase_maxima(model):
    """Return a tool whose results are wrong for a MaxPool only."""
    return increase(model) if any(node.op_type == "MaxPool" for node in model.graph.node) else model


@pytest.mark.parametrize("without", [never, without_kernel])
def test_a_variant_that_is_not_executed_does_not_pass(without):
    case = OnnxCase(case=Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0), kernel=2),)))
    defect = KnownDefect(name="d", text="", kinds=("Miscompile",), matches=lambda case: True, without=without)
    tool = SubjectPass(name="mine", apply=increase_maxima, known_defects=(defect,))
    with pytest.raises(failures.Miscompile):
        check(case, tool)


def misdeclare(*ops):
    """Return a tool that declares another length of the result, in models that have one of the ops."""

    def apply(model):
        changed = ONNX.clone(model)
        if {node.op_type for node in changed.graph.node} & set(ops):
            changed.graph.output[0].type.tensor_type.shape.dim[0].dim_value += 1
        return changed

    return apply


def test_a_failure_of_the_module_alone_is_excused_by_a_variant_that_nothing_executes():
    case = OnnxCase(case=Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0), kernel=2),)))
    without = {"kinds": ("IllFormed",), "matches": lambda case: True, "without": without_kernel}
    defect = KnownDefect(name="d", text="", **without)
    tool = SubjectPass(name="mine", apply=misdeclare("MaxPool"), known_defects=(defect,))
    assert check(case, tool).known_issues == ("d",)
    both = SubjectPass(name="mine", apply=misdeclare("MaxPool", "AveragePool"), known_defects=(defect,))
    with pytest.raises(failures.IllFormed):
        check(case, both)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("openvino-dynamic-conv3d", Case(op="conv3d", axes=(Axis(),) * 3, symbolic=("N",))),
        ("openvino-padding-of-ConvTranspose", Case(op="conv1d_transpose", axes=(Axis(size=3, padding=(1, 1)),))),
    ],
)
def test_a_row_matches_no_more_than_its_text_says(name, case):
    [row] = [row for row in KNOWN_DEFECTS["openvino"] if row.name == name]
    assert not row.matches(OnnxCase(case=case))


@pytest.mark.parametrize(("subject", "row"), ROWS, ids=named)
def test_another_error_for_the_case_is_blamed(subject, row):
    with pytest.raises(failures.CompileError, match="another error"):
        check(row.case, SubjectPass(name=f"{subject}/wrong", apply=refuse))
