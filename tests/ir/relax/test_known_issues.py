"""A known issue of TVM excuses what it may change, and no more. A wrong fold of its case or beside it is blamed."""

from dataclasses import replace
from pathlib import Path

import pytest
import tvm
from tests.support.blame import catch_failure, change_pad_value
from tvm import relax

from foldproof import Axis, check
from foldproof.corpus.entry import load_case
from foldproof.ir.relax.known_issues import KNOWN_ISSUES

CORPUS = Path(__file__).parents[2] / "data" / "corpus"

CASES = {
    "avg_pool-divides-by-nothing": "avg_pool1d-ceil-mode-divides-by-zero",
    "conv-axes-out-of-order": "conv2d-axes-out-of-order",
    "integer-avg_pool-dtype": "avg_pool1d-int32-sum",
    "symbolic-copy": "max_pool1d-symbolic-copy",
}

BESIDE = {
    "avg_pool-divides-by-nothing": {"axes": (Axis(size=3, pad=(1, 0), stride=2, padding=(0, -1)),)},
    "conv-axes-out-of-order": {"data_layout": "NCHW"},
    "integer-avg_pool-dtype": {"dtype": "float32"},
    "symbolic-copy": {"symbolic": ()},
}
"""The smallest change of each case that does not show the issue any more."""


def case_of(name):
    return load_case(CORPUS / f"{CASES[name]}.case.json")


def drop_result(mod):
    """Return a module whose function returns its first parameter: another type."""
    main = mod["main"]
    block = relax.BlockBuilder()
    with block.function("main", main.params):
        block.emit_func_output(main.params[0])
    return tvm.IRModule({"main": block.get()["main"]})


def test_each_known_issue_has_a_case_and_says_what_it_changes():
    assert {issue.name for issue in KNOWN_ISSUES} == set(CASES) == set(BESIDE)
    for issue in KNOWN_ISSUES:
        assert issue.matches(case_of(issue.name))
        assert not issue.matches(replace(case_of(issue.name), **BESIDE[issue.name]))
        assert issue.changes


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_value_is_blamed_in_each_case_that_is_executed(issue):
    case = case_of(issue.name)
    if not issue.runs:
        assert check(case, fold=change_pad_value).known_issues == (issue.name,)
        return
    assert catch_failure(case, fold=change_pad_value).fingerprint == f"Miscompile/{case.spec.family}/values"


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_type_is_blamed_in_each_case(issue):
    assert catch_failure(case_of(issue.name), fold=drop_result).kind == "WrongType"


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_value_is_blamed_beside_each_case(issue):
    case = replace(case_of(issue.name), **BESIDE[issue.name])
    assert catch_failure(case, fold=change_pad_value).fingerprint == f"Miscompile/{case.spec.family}/values"
