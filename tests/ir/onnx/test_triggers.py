"""A known defect excuses what it explains, and nothing else: a wrong fold of the same case is still blamed."""

import pytest

from foldproof import Axis, Case, Step, check, failures
from foldproof.case.onnx_case import OnnxCase
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


@pytest.mark.parametrize(("subject", "row"), TRIGGERED, ids=named)
def test_the_case_without_the_trigger_is_another_case(subject, row):
    changed = row.without(row.case)
    assert changed != row.case
    assert ONNX.supported(changed) == ""


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


@pytest.mark.parametrize(("subject", "row"), ROWS, ids=named)
def test_another_error_for_the_case_is_blamed(subject, row):
    with pytest.raises(failures.CompileError, match="another error"):
        check(row.case, SubjectPass(name=f"{subject}/wrong", apply=refuse))
