"""foldproof.strategies.scenarios: what scenarios fit."""

import pytest

from foldproof.case import ops
from foldproof.strategies import values
from foldproof.strategies.scenarios import FOLDABLE, SCENARIOS, UNFOLDABLE


def test_every_scenario_fits_some_op_and_every_op_has_both_kinds():
    assert all(any(scenario.fits(spec) for spec in ops.OPS) for scenario in SCENARIOS)
    for spec in ops.OPS:
        assert any(scenario.fits(spec) for scenario in FOLDABLE)
        assert any(scenario.fits(spec) for scenario in UNFOLDABLE)


@pytest.mark.parametrize("count", [101, 300, 303, 5_000])
def test_each_of_many_values_is_about_as_likely(count):
    """Two digits of a hundred reach 300 values within 3 %, three digits reach 30,000."""
    digits = 2 if count <= 300 else 3
    least, most = divmod(100**digits, count)[0], -(-(100**digits) // count)
    assert most / least <= 1.031
    assert values._to_number((3, 2, 1)) == 30_201
