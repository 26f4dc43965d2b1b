"""Every kind of step is known to every table that CONTRIBUTING.md names: a step that is forgotten there fails here."""

import pytest
import tvm

from foldproof.case.step import COMPOSED, ELEMENTWISE, STEP_KINDS
from foldproof.fold import values
from foldproof.ir.relax import build, residual_pads
from foldproof.oracle import elementwise, preimage
from foldproof.strategies import chains, scenarios

NEVER_IN_CHAINS = {"pad", "permute_dims", "expand_dims", "squeeze", "reshape", "quantize", "dequantize", "astype"}
"""Kinds that scenarios of their own draw (``variants``, ``builder``, ``chains``), not the tables of steps."""


def op_name(kind):
    return f"relax.nn.{kind}" if kind in ("relu", "leakyrelu") else f"relax.{kind}"


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_an_elementwise_kind_has_a_meaning_an_inverse_a_call_and_is_seen_through(kind):
    assert kind in elementwise._KINDS
    assert kind in preimage._BACKWARDS
    assert kind in build._CALLS
    assert kind in COMPOSED or op_name(kind) in residual_pads.ELEMENTWISE


@pytest.mark.parametrize("kind", sorted(set(STEP_KINDS) - NEVER_IN_CHAINS))
def test_a_kind_is_in_a_table_of_the_strategies(kind):
    tables = [value for name, value in vars(chains).items() if name.startswith("_") and name.isupper()]
    assert f"'{kind}'" in str(tables)


@pytest.mark.parametrize("name", sorted({*values.UNARY, *values.BINARY}))
def test_a_row_of_the_pass_is_an_operator_of_tvm(name):
    """``relax.op.nn.relu6``, for one, is a function that returns a clip: a row for it would be dead."""
    assert tvm.ir.Op.get(f"relax.{name}") is not None


def test_the_scenarios_are_all_reachable():
    assert all(scenario.weight > 0 for scenario in scenarios.SCENARIOS)
