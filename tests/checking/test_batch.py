"""foldproof.checking.batch: the results are those of each case alone."""

import sys
from dataclasses import replace

import pytest

from foldproof import Axis, Case, Failure, check, mutants
from foldproof.checking.batch import check_batch
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.targets import parse_target
from foldproof.ir.relax.targets.fast import pipeline as fast
from foldproof.oracle import legality as legality_oracle

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),))
REALS = replace(CASE, fills=("reals",))
FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")
MODULE = sys.modules["foldproof.checking.check"]


def check_alone(case, fold):
    try:
        return check(case, fold, FAST, complete=True, sample=0.0)
    except Failure as caught:
        return caught.fingerprint


def check_together(cases, fold):
    results = check_batch(cases, fold, FAST, complete=True, sample=0.0)
    return [result.fingerprint if isinstance(result, Failure) else result for result in results]


@pytest.mark.parametrize(
    ("fold", "fails"),
    [(FoldExplicitPadding(), False), (mutants.begin_end_swapped(), True), (lambda mod: mod, True)],
    ids=["right", "wrong", "incomplete"],
)
def test_a_batch_has_the_results_of_its_cases_alone(fold, fails):
    cases = draw(strategy_of((), "cases"), 20, seed=8)
    results = check_together(cases, fold)
    assert results == [check_alone(case, fold) for case in cases]
    assert any(isinstance(result, str) for result in results) == fails


def test_a_case_that_does_not_compile_does_not_change_the_results_of_its_batch(monkeypatch):
    kernels = fast.compile_kernels

    def refuses_many(functions, target):
        if len(functions) > 2:
            raise RuntimeError("too many kernels")
        return kernels(functions, target)

    cases = [replace(CASE, seed=0), replace(CASE, axes=(Axis(size=5, pad=(1, 0)),)), replace(CASE, fills=("reals",))]
    expected = [check_alone(case, lambda mod: mod) for case in cases]
    monkeypatch.setattr(fast, "compile_kernels", refuses_many)
    assert check_together(cases, lambda mod: mod) == expected


def test_a_failure_that_only_a_batch_shows_is_a_pipeline_disagreement(monkeypatch):
    conclude = MODULE.conclude

    def wrong_in_batches(prepared, target, *, program=None, sample=0.0):
        if program is not None:
            raise failure("Miscompile", prepared.case, "values", "out[0] = 1, but should be 2")
        return conclude(prepared, target, sample=sample)

    monkeypatch.setattr("foldproof.checking.batch.conclude", wrong_in_batches)
    [first, second] = check_together([CASE, REALS], FoldExplicitPadding())
    assert first == second == "PipelineDisagreement/conv/Miscompile in a batch only"


def test_an_error_of_the_harness_is_a_failure_of_its_case_only(monkeypatch):
    legality = legality_oracle.legality

    def raises(case, semantics):
        if case == REALS:
            raise ZeroDivisionError("harness")
        return legality(case, semantics)

    monkeypatch.setattr(legality_oracle, "legality", raises)
    first, second = check_batch([REALS, CASE], lambda mod: mod, FAST, complete=False, sample=0.0)
    assert first.fingerprint == "HarnessError/conv/ZeroDivisionError"
    assert isinstance(second, Verdict)
