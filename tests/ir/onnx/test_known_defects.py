"""Known defects of subjects: each minimal case shows its defect, which excuses that failure and no other one."""

from dataclasses import replace

import pytest
from tests.support.house import ROOT

from foldproof import check, failures
from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.batch import check_batch
from foldproof.core.loading import load_pass
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.subjects.known_defects import KNOWN_DEFECTS

BY_NAME = sorted({defect.name: defect for defects in KNOWN_DEFECTS.values() for defect in defects}.items())


@pytest.mark.parametrize("defect", KNOWN_DEFECTS["onnxruntime"], ids=lambda defect: defect.name)
def test_the_case_of_a_defect_of_onnxruntime_shows_it(defect):
    """Those of the other tools need their packages: benchmarks/onnx_defects.py."""
    subject = replace(load_pass("onnxruntime"), known_defects=())
    with pytest.raises(failures.Failure) as raised:
        check(defect.case, subject)
    assert defect.excuses(raised.value)
    assert check(defect.case, load_pass("onnxruntime")).known_issues == (defect.name,)


@pytest.mark.parametrize(("name", "defect"), BY_NAME)
def test_a_defect_has_a_valid_case_that_matches(name, defect):
    assert defect.matches(defect.case)
    assert ONNX.supported(defect.case) == ""
    assert ONNX.verify(ONNX.build(defect.case)) == ""
    assert OnnxCase.from_json(defect.case.to_json()) == defect.case
    assert defect.version


@pytest.mark.parametrize(("name", "defect"), BY_NAME)
def test_a_defect_excuses_no_failure_of_another_kind(name, defect):
    other = failures.failure("InputMutated", defect.case, "module", defect.message)
    assert not defect.excuses(other)


def test_every_defect_is_in_the_documentation():
    page = (ROOT / "docs" / "findings" / "index.md").read_text()
    assert [name for name, _ in BY_NAME if f"`{name}`" not in page] == []


def test_a_known_defect_is_excused_in_a_batch_too():
    subject = load_pass("onnxruntime")
    cases = [defect.case for defect in KNOWN_DEFECTS["onnxruntime"]]
    results = check_batch(cases, subject, ONNX.parse_target("cpu"), complete=False, sample=0.0)
    assert [result.known_issues for result in results] == [(defect.name,) for defect in KNOWN_DEFECTS["onnxruntime"]]
