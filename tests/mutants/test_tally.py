"""foldproof.mutants.tally: kills, cases until the first, and rates with their intervals."""

import math

import pytest

from foldproof import Axis, Case, strategies
from foldproof.checking.failures import failure
from foldproof.generation.draw import shards
from foldproof.mutants.tally import Tally, wilson_interval


def test_the_interval_of_a_rate_is_wilsons():
    """By hand from the formula with z = 1.96."""
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_a_mutant_is_killed_if_every_seed_kills_it():
    found = failure("Miscompile", Case(op="conv1d", axes=(Axis(),)), "values", "")
    tally = Tally(name="any", seeds=[0, 1, 2])
    assert [tally.add(0, 4, found), tally.add(0, 9, found), tally.add(1, 6, found), tally.add(2, 1, None)] == [
        True,
        False,
        True,
        False,
    ]
    assert not tally.killed
    assert (tally.median, tally.worst, tally.kills, tally.cases) == (6, math.inf, 3, 4)
    tally.add(2, 8, found)
    assert tally.killed
    assert (tally.median, tally.worst, tally.symptom) == (6, 8, "Miscompile values")
    assert tally.to_dict()["worst_cases"] == 8


def test_a_budget_is_used_to_its_last_case():
    assert sum(len(cases) for _, cases in shards(strategies.cases("conv1d"), 75, 0)) == 75
