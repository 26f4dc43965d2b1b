"""check: who is blamed, what is counted, and that a silent harness would be noticed."""

from dataclasses import replace

import pytest
from tests.support.blame import FOLDABLE

import foldproof
from foldproof import Axis, Case, Pad, Step, check
from foldproof.case import ops
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.targets import TargetError, parse_target
from foldproof.oracle.legality import Legality


def test_check_is_a_function_however_it_is_imported():
    import foldproof.checking.check as module

    assert foldproof.check(FOLDABLE) == module.check(FOLDABLE) == check(FOLDABLE)


def test_the_verdict_of_a_folded_case_has_its_rules():
    verdict = check(FOLDABLE)
    assert verdict.folded
    assert verdict.rules == ("conv",)
    assert not verdict.in_doubt


def test_the_verdict_of_a_refused_case_has_its_reasons_and_its_legality():
    verdict = check(replace(FOLDABLE, pad=Pad(value=3.0)))
    assert not verdict.folded
    assert verdict.reasons == (("value", "conv1d pads with 0, but the pad value is 3.0"),)
    assert verdict.legality is Legality.ILLEGAL


def test_a_pass_without_explain_has_an_outcome_but_no_reasons():
    fold = FoldExplicitPadding()
    verdict = check(FOLDABLE, fold=lambda mod: fold(mod))
    assert verdict.folded
    assert verdict.rules == ()


def test_an_unknown_target_is_refused():
    with pytest.raises(TargetError, match="target 'lvm' is unknown to TVM"):
        check(FOLDABLE, target="lvm")


def test_another_opt_level_is_a_target():
    assert check(FOLDABLE, target='{"kind": "llvm", "opt-level": 3}').folded


# --- chains -------------------------------------------------------------------------------------------

CAST = Step(kind="astype", out_dtype="int8")


def test_a_constant_weight_is_the_same_for_every_fill():
    case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=2),), constant_weight=True, fills=ops.FILLS)
    assert check(case, fold=lambda module: module).undefined


def test_a_copy_of_a_padded_symbolic_length_has_a_known_issue():
    steps = (Step(kind="permute_dims", source="WNC"),)
    fields = {"steps": steps, "batch": 2, "channels": 2}
    case = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 1)),), symbolic=("W",), **fields)
    default = parse_target(pipeline="default")
    assert check(case, target=default, complete=False).known_issues == ("symbolic-copy",)
    assert not check(replace(case, symbolic=()), target=default, complete=False).known_issues
    assert not check(replace(case, steps=()), target=default, complete=False).known_issues
    # The fast pipeline does without the pass that raises, so that a sample has nothing to be compared with.
    for sample in (0.0, 1.0):
        verdict = check(case, complete=False, sample=sample)
        assert not verdict.known_issues
        assert not verdict.sampled
