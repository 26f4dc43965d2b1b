"""foldproof.strategies.scenarios: what scenarios fit."""

from foldproof.case import ops
from foldproof.strategies.scenarios import FOLDABLE, SCENARIOS, UNFOLDABLE


def test_every_scenario_fits_some_op_and_every_op_has_both_kinds():
    assert all(any(scenario.fits(spec) for spec in ops.OPS) for scenario in SCENARIOS)
    for spec in ops.OPS:
        assert any(scenario.fits(spec) for scenario in FOLDABLE)
        assert any(scenario.fits(spec) for scenario in UNFOLDABLE)
