"""foldproof.checking.crosscheck: every failure, and a sample of the passing cases, goes through both pipelines."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.blame import catch_failure

from foldproof import Axis, Case, check, mutants
from foldproof.checking.crosscheck import confirm, is_sampled
from foldproof.checking.failures import failure
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import parse_target
from foldproof.ir.relax.targets.default import VmProgram
from foldproof.ir.relax.targets.fast import pipeline as fast

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),))
REALS = replace(CASE, fills=("reals",))
FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")


@pytest.fixture
def one_bit_off(monkeypatch):
    """Make the fast pipeline err by one bit in both functions, which is within the error bound of real values."""
    run = fast.FastProgram.run

    def err(*args):
        return tuple(np.where(o == 0, o, np.nextafter(o, np.float32(99))) for o in run(*args))

    monkeypatch.setattr(fast.FastProgram, "run", err)


@pytest.fixture
def compilations(monkeypatch):
    """Record the pipelines that ``check`` compiles with, in order."""
    pipelines = []
    compile_batch = RELAX.compile

    def record(batch, target):
        pipelines.append(target.pipeline)
        return compile_batch(batch, target)

    monkeypatch.setattr(RELAX, "compile", record)
    return pipelines


# --- the sample ---------------------------------------------------------------------------------------


def test_the_sample_has_the_requested_share_and_depends_on_the_case_alone():
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
    caught = catch_failure(REALS, sample=1.0)
    assert caught.fingerprint == "PipelineDisagreement/conv/unfolded values"
    assert "the fast pipeline's unfolded function" in caught.detail


def test_a_difference_in_the_folded_function_alone_is_a_failure_too(monkeypatch):
    run = VmProgram.run
    monkeypatch.setattr(
        VmProgram, "run", lambda p, name, arrays: tuple(o + (name == "folded") for o in run(p, name, arrays))
    )
    assert catch_failure(CASE, sample=1.0).fingerprint == "PipelineDisagreement/conv/folded values"


@pytest.mark.parametrize("stage", ["compile", "run"])
def test_a_case_that_only_the_default_pipeline_cannot_execute_is_a_disagreement(stage, monkeypatch):
    def raises(*_args, **_options):
        raise RuntimeError("boom")

    if stage == "compile":
        monkeypatch.setattr("foldproof.ir.relax.targets.compile_default", raises)
    else:
        monkeypatch.setattr(VmProgram, "run", raises)
    caught = catch_failure(CASE, sample=1.0)
    assert caught.fingerprint == "PipelineDisagreement/conv/CompileError in the default one only"
    assert "boom" in caught.detail


def test_elements_that_are_unspecified_are_not_a_disagreement(monkeypatch):
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
    caught = catch_failure(CASE, fold=mutants.begin_end_swapped(), sample=0.0)
    assert caught.fingerprint == "Miscompile/conv/values"
    assert compilations == ["fast", "default"]


def test_a_failure_of_the_fast_pipeline_alone_is_a_disagreement(monkeypatch):
    run = fast.FastProgram.run
    monkeypatch.setattr(fast.FastProgram, "run", lambda *args: tuple(o + 1 for o in run(*args)))
    caught = catch_failure(CASE, sample=0.0)
    assert caught.fingerprint == "PipelineDisagreement/conv/OracleDisagreement in the fast one only"
    assert "but the default pipeline passes" in caught.detail


def test_another_failure_in_the_default_pipeline_is_a_disagreement():
    ours, other = failure("Miscompile", CASE, "values", "x"), failure("TargetCrashed", CASE, "SIGFPE", "y")
    assert confirm(ours, failure("Miscompile", CASE, "values", "z")) is ours
    assert "TargetCrashed/conv/SIGFPE" in confirm(ours, other).detail
    assert confirm(ours, None).kind == confirm(ours, other).kind == "PipelineDisagreement"


def test_a_failure_before_anything_is_compiled_needs_no_pipeline(compilations):
    def raises(_mod):
        raise RuntimeError("boom")

    assert catch_failure(CASE, fold=raises).fingerprint == "CompileError/conv/pass"
    assert compilations == []
