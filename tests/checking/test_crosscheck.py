"""What one pipeline alone says is never believed: every failure, and a sample of the rest, goes through both."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from foldproof import Axis, Case, Failure, check, mutants
from foldproof.checking.batch import check_batch
from foldproof.checking.crosscheck import confirm, is_sampled
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import parse_target
from foldproof.ir.relax.targets.default import VmProgram
from foldproof.ir.relax.targets.fast import pipeline as fast
from foldproof.oracle import legality as legalities

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),))
REALS = replace(CASE, fills=("reals",))
FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")
MODULE = sys.modules["foldproof.checking.check"]


def blamed(case, **options):
    with pytest.raises(Failure) as caught:
        check(case, **options)
    return caught.value


@pytest.fixture
def one_bit_off(monkeypatch):
    """The fast pipeline is off by one bit in both functions, which is within the error bound of real values."""
    run = fast.FastProgram.run

    def off(*args):
        return tuple(np.where(o == 0, o, np.nextafter(o, np.float32(99))) for o in run(*args))

    monkeypatch.setattr(fast.FastProgram, "run", off)


@pytest.fixture
def compilations(monkeypatch):
    """The pipelines that ``check`` compiles with, in order."""
    seen = []
    compile_batch = RELAX.compile

    def noted(batch, target):
        seen.append(target.pipeline)
        return compile_batch(batch, target)

    monkeypatch.setattr(RELAX, "compile", noted)
    return seen


# --- the sample ---------------------------------------------------------------------------------------


def test_the_sample_has_the_share_that_was_asked_for_and_depends_on_the_case_alone():
    cases = [replace(CASE, seed=seed) for seed in range(4000)]
    for share in (0.0, 0.02, 0.5, 1.0):
        chosen = [is_sampled(case, share) for case in cases]
        assert sum(chosen) == pytest.approx(share * len(cases), abs=0.01 * len(cases))
        assert chosen == [is_sampled(Case.from_json(case.to_json()), share) for case in cases]


def test_only_cases_of_the_sample_are_run_by_both_pipelines(compilations):
    assert check(CASE, sample=0.0) == check(CASE, target=DEFAULT, sample=1.0)
    assert compilations == ["fast", "default"]
    assert check(CASE, sample=1.0).sampled
    assert compilations == ["fast", "default", "fast", "default"]


def test_a_single_bit_between_the_pipelines_is_a_failure_of_its_own_kind(one_bit_off):
    assert not check(REALS, sample=0.0).sampled
    found = blamed(REALS, sample=1.0)
    assert found.fingerprint == "PipelineDisagreement/conv/unfolded values"
    assert "the fast pipeline's unfolded function" in found.detail


def test_a_difference_in_the_folded_function_alone_is_noticed_too(monkeypatch):
    run = VmProgram.run
    monkeypatch.setattr(
        VmProgram, "run", lambda p, name, arrays: tuple(o + (name == "folded") for o in run(p, name, arrays))
    )
    assert blamed(CASE, sample=1.0).fingerprint == "PipelineDisagreement/conv/folded values"


@pytest.mark.parametrize("stage", ["compile", "run"])
def test_a_case_that_only_the_default_pipeline_cannot_do_is_a_disagreement(stage, monkeypatch):
    def raises(*_args, **_options):
        raise RuntimeError("boom")

    if stage == "compile":
        monkeypatch.setattr("foldproof.ir.relax.targets.compile_default", raises)
    else:
        monkeypatch.setattr(VmProgram, "run", raises)
    found = blamed(CASE, sample=1.0)
    assert found.fingerprint == "PipelineDisagreement/conv/CompileError in the default one only"
    assert "boom" in found.detail


def test_elements_that_tvm_leaves_open_are_no_disagreement(monkeypatch):
    run = VmProgram.run

    def other_casts(program, name, arrays):
        return tuple(np.where(np.abs(o) == 127, np.int8(44), o) for o in run(program, name, arrays))

    monkeypatch.setattr(VmProgram, "run", other_casts)
    case = replace(CASE, out_dtype="int8", fills=("extremes",))
    verdict = check(case, sample=1.0)
    assert verdict.undefined == ("float to integer cast out of range",)
    assert verdict.sampled


# --- failures -----------------------------------------------------------------------------------------


def test_a_failure_is_confirmed_by_the_default_pipeline(compilations):
    found = blamed(CASE, fold=mutants.begin_end_swapped(), sample=0.0)
    assert found.fingerprint == "Miscompile/conv/values"
    assert compilations == ["fast", "default"]


def test_a_failure_of_the_fast_pipeline_alone_is_a_disagreement(monkeypatch):
    run = fast.FastProgram.run
    monkeypatch.setattr(fast.FastProgram, "run", lambda *args: tuple(o + 1 for o in run(*args)))
    found = blamed(CASE, sample=0.0)
    assert found.fingerprint == "PipelineDisagreement/conv/OracleDisagreement in the fast one only"
    assert "but the default pipeline passes" in found.detail


def test_another_failure_in_the_default_pipeline_is_a_disagreement():
    ours, other = failure("Miscompile", CASE, "values", "x"), failure("TargetCrashed", CASE, "SIGFPE", "y")
    assert confirm(ours, failure("Miscompile", CASE, "values", "z")) is ours
    assert "TargetCrashed/conv/SIGFPE" in confirm(ours, other).detail
    assert confirm(ours, None).kind == confirm(ours, other).kind == "PipelineDisagreement"


def test_a_failure_before_anything_is_compiled_needs_no_pipeline(compilations):
    def raises(_mod):
        raise RuntimeError("boom")

    assert blamed(CASE, fold=raises).fingerprint == "CompileError/conv/pass"
    assert compilations == []


# --- batches ------------------------------------------------------------------------------------------


def alone(case, fold):
    try:
        return check(case, fold, FAST, complete=True, sample=0.0)
    except Failure as found:
        return found.fingerprint


def together(cases, fold):
    results = check_batch(cases, fold, FAST, complete=True, sample=0.0)
    return [result.fingerprint if isinstance(result, Failure) else result for result in results]


@pytest.mark.parametrize(
    ("fold", "fails"),
    [(FoldExplicitPadding(), False), (mutants.begin_end_swapped(), True), (lambda mod: mod, True)],
    ids=["right", "wrong", "incomplete"],
)
def test_a_batch_gives_the_answers_of_its_cases_alone(fold, fails):
    cases = draw(strategy_of((), None), 40, seed=8)
    answers = together(cases, fold)
    assert answers == [alone(case, fold) for case in cases]
    assert any(isinstance(answer, str) for answer in answers) == fails


def test_a_case_that_does_not_compile_leaves_the_others_of_its_batch_alone(monkeypatch):
    kernels = fast.compile_kernels

    def refuses_many(functions, target):
        if len(functions) > 2:
            raise RuntimeError("too many kernels")
        return kernels(functions, target)

    cases = [replace(CASE, seed=0), replace(CASE, axes=(Axis(size=5, pad=(1, 0)),)), replace(CASE, fills=("reals",))]
    wanted = [alone(case, lambda mod: mod) for case in cases]
    monkeypatch.setattr(fast, "compile_kernels", refuses_many)
    assert together(cases, lambda mod: mod) == wanted


def test_a_failure_that_only_a_batch_shows_is_not_lost(monkeypatch):
    conclude = MODULE.conclude

    def wrong_in_batches(prepared, target, *, program=None, sample=0.0):
        if program is not None:
            raise failure("Miscompile", prepared.case, "values", "out[0] = 1, but should be 2")
        return conclude(prepared, target, sample=sample)

    monkeypatch.setattr("foldproof.checking.batch.conclude", wrong_in_batches)
    [first, second] = together([CASE, REALS], FoldExplicitPadding())
    assert first == second == "PipelineDisagreement/conv/Miscompile in a batch only"


def test_an_error_of_the_harness_is_one_of_its_case(monkeypatch):
    legality = legalities.legality

    def raises(case, semantics):
        if case == REALS:
            raise ZeroDivisionError("harness")
        return legality(case, semantics)

    monkeypatch.setattr(legalities, "legality", raises)
    first, second = check_batch([REALS, CASE], lambda mod: mod, FAST, complete=False, sample=0.0)
    assert first.fingerprint == "HarnessError/conv/ZeroDivisionError"
    assert isinstance(second, Verdict)
