"""foldproof.checking.comparison: who is blamed for a difference, and what excuses one."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.blame import FOLDABLE, catch_failure, change_pad_value
from tests.support.relax import legal_folds

from foldproof import Axis, Case, Pad, Step, check, mutants
from foldproof.checking import evidence as evidence_module
from foldproof.checking import execution
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.build import MAIN, build

CAST = Step(kind="astype", out_dtype="int8")


def test_the_pass_is_blamed_for_a_wrong_fold():
    caught = catch_failure(FOLDABLE, fold=mutants.begin_end_swapped())
    assert caught.fingerprint == "Miscompile/conv/values"
    assert "out[0,0," in caught.detail
    assert "should be" in caught.detail


def test_tvm_is_blamed_where_the_unfolded_function_differs_from_the_reference(monkeypatch):
    right = evidence_module.outputs

    def wrong(case, arrays, semantics):
        result, *others = right(case, arrays, semantics)
        return (replace(result, value=result.value + np.float32(1)), *others)

    monkeypatch.setattr(evidence_module, "outputs", wrong)
    assert catch_failure(FOLDABLE).fingerprint == "OracleDisagreement/conv/values"


def test_tvm_is_blamed_where_it_executes_the_right_fold_wrongly(monkeypatch):
    run = execution.run_function

    def wrong(case, program, name, arrays):
        outputs = run(case, program, name, arrays)
        return tuple(output + (name == "folded") for output in outputs)

    monkeypatch.setattr(execution, "run_function", wrong)
    [right] = legal_folds(FOLDABLE)
    assert ir.same(build(right, with_pad=False)[MAIN], FoldExplicitPadding()(build(FOLDABLE))[MAIN])
    assert catch_failure(FOLDABLE).fingerprint == "OracleDisagreement/conv/folded values"


def test_one_bit_of_a_real_valued_result_is_a_difference(monkeypatch):
    run = execution.run_function

    def one_bit_off(case, program, name, arrays):
        outputs = run(case, program, name, arrays)
        return tuple(np.nextafter(o, np.float32(99)) for o in outputs) if name == "folded" else outputs

    case = replace(FOLDABLE, fills=("reals",))
    assert check(case).folded
    monkeypatch.setattr(execution, "run_function", one_bit_off)
    assert catch_failure(case).fingerprint == "OracleDisagreement/conv/folded values"


def test_undefined_values_are_named_and_not_compared(monkeypatch):
    case = Case(
        op="max_pool1d", axes=(Axis(size=3, pad=(1, 1), kernel=2),), pad=Pad(value=float("-inf")), fills=("nans",)
    )
    verdict = check(case)
    assert verdict.undefined == ("NaN into max_pool",)
    assert verdict.in_doubt


def test_a_known_issue_excuses_a_legal_fold_only():
    case = Case(op="conv2d", axes=(Axis(size=3, pad=(1, 1)), Axis(size=4, pad=(1, 1))), data_layout="NCWH", seed=1)
    case = replace(case, axes=tuple(replace(axis, stride=i + 1) for i, axis in enumerate(case.axes)))
    assert check(case).known_issues == ("conv-axes-out-of-order",)
    assert catch_failure(case, fold=change_pad_value).kind == "Miscompile"


OUT_OF_ORDER = Case(
    op="conv2d",
    axes=(Axis(size=3, pad=(1, 1)), Axis(size=4, pad=(1, 1), stride=2)),
    data_layout="NCWH",
    steps=(Step(kind="relu"),),
    seed=1,
)
"""A legal fold that TVM executes with another shape."""


@pytest.mark.parametrize("extra", [(), ("read",), ("returned",), ("step",), ("read", "step", "returned")], ids=str)
def test_a_known_issue_excuses_a_legal_fold_whatever_else_reads_the_pad(extra):
    case = replace(OUT_OF_ORDER, extra_outputs=extra)
    verdict = check(case)
    assert (verdict.folded, verdict.known_issues) == (True, ("conv-axes-out-of-order",))
    caught = catch_failure(case, fold=change_pad_value)
    assert caught.kind == "Miscompile"
    assert "the known issue conv-axes-out-of-order of TVM, which may be behind it" in caught.detail


def test_a_known_issue_excuses_the_result_of_a_legal_fold_and_no_other_output(monkeypatch):
    run = execution.run_function

    def wrong(case, program, name, arrays):
        first, *others = run(case, program, name, arrays)
        return (first, *(output + (name == "folded") for output in others))

    monkeypatch.setattr(execution, "run_function", wrong)
    caught = catch_failure(replace(OUT_OF_ORDER, extra_outputs=("returned",)))
    assert caught.kind in ("Miscompile", "WrongType")


def test_a_known_issue_excuses_no_other_output_of_the_unfolded_function(monkeypatch):
    run = execution.run_function

    def wrong(case, program, name, arrays):
        first, *others = run(case, program, name, arrays)
        return (first, *(output + np.float32(1) for output in others))

    monkeypatch.setattr(execution, "run_function", wrong)
    assert catch_failure(replace(OUT_OF_ORDER, extra_outputs=("returned",))).kind == "OracleDisagreement"


def test_nan_into_max_pool_excuses_only_the_elements_that_read_it():
    case = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 1), kernel=2),), pad=Pad(value=-1.0), fills=("nans",))
    assert check(case).undefined == ("NaN into max_pool",)
    assert catch_failure(replace(case, extra_outputs=("returned",)), fold=change_pad_value).kind == "Miscompile"


def test_a_sum_without_an_error_bound_is_in_doubt_but_still_compared_with_the_fold():
    case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1)),), out_dtype="int8", fills=("extremes",))
    assert check(case).undefined == ("float to integer cast out of range",)
    case = Case(op="avg_pool1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),), pad=Pad(value=3e38), fills=("extremes",))
    assert check(case).undefined == ("sum that may overflow or has no error bound",)
    assert catch_failure(case, fold=change_pad_value).kind == "Miscompile"


def test_elements_that_a_cast_leaves_unspecified_are_named_and_only_they_are_excused():
    case = Case(
        op="max_pool1d", axes=(Axis(size=4, pad=(1, 1)),), steps=(CAST,), fills=("extremes",), extra_outputs=("step",)
    )
    assert check(case, complete=False).undefined == ("float to integer cast out of range",)
    assert catch_failure(case, fold=change_pad_value).kind == "Miscompile"


def test_a_fold_may_change_elements_that_a_cast_leaves_unspecified(monkeypatch):
    """TVM answers 127 or 44 for int8(300.0), by the place of the element in a vector."""
    run = execution.run_function

    def elsewhere(case, program, name, arrays):
        outputs = run(case, program, name, arrays)
        unspecified = np.abs(arrays["x"]) >= 128
        return tuple(np.where(unspecified, np.int8(44), out) for out in outputs) if name == "folded" else outputs

    case = Case(op="max_pool1d", axes=(Axis(size=4),), steps=(CAST,), fills=("extremes",))
    monkeypatch.setattr(execution, "run_function", elsewhere)
    assert check(case).undefined == ("float to integer cast out of range",)
