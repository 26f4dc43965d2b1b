"""foldproof.mutants.baselines: what other methods of testing draw and see."""

import pytest
from tests.support.mutants import passes

from foldproof import Axis, Case, Pad
from foldproof.ir.relax.targets import parse_target
from foldproof.mutants import BY_NAME
from foldproof.mutants.baselines import BASELINES, BY_BASELINE, find_kills

LLVM = parse_target("llvm")


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_a_baseline_draws_the_same_cases_again(baseline):
    drawn = baseline.draw(50, 1)
    assert drawn == baseline.draw(50, 1)
    assert 0 < len(drawn) <= 50


def test_the_fixed_matrix_has_one_case_per_combination():
    """3 own paddings x 3 pads x 3 ranks x 2 layouts, for convolutions and both pools."""
    assert len(BY_BASELINE["relay-matrix"].draw(1000, 0)) == 3 * 3 * 3 * 2 * 3


def test_a_baseline_sees_only_values():
    case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), pad=Pad(value=3.0))
    names = ("value_ignored", "not_idempotent", "input_mutated", "asymmetric_refused")
    [found] = find_kills(BY_BASELINE["uniform"], [case], passes(*names), LLVM, 0)
    assert set(found) == {"value_ignored"}


def test_a_baseline_misses_differences_within_its_tolerance():
    """A border of -0.0 before a max_pool of zeros: equal as numbers."""
    mutant = BY_NAME["nested_signs_of_zero_not_compared"]
    [found] = find_kills(BY_BASELINE["uniform"], [mutant.witness], passes(mutant.name), LLVM, 0)
    assert found == {}
