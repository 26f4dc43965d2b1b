"""foldproof.strategies.builder: cases stay cheap."""

from foldproof import strategies
from foldproof.case import Axis, Case, Pad
from foldproof.generation.draw import draw
from foldproof.strategies.builder import MOST_MACS, reduce_cost


def test_cases_are_small():
    costs = sorted(case.macs for case in draw(strategies.cases(), 300, 2))
    assert costs[int(len(costs) * 0.98)] <= 2 * MOST_MACS
    assert costs[-1] <= 10 * MOST_MACS


def test_a_case_that_costs_too_much_keeps_a_window_of_the_padded_kernel():
    axis = Axis(size=24, pad=(3, 4), kernel=4, dilation=2)
    costly = Case(op="conv3d", axes=(axis, axis, axis), pad=Pad(operand="weight"), channels=2, filters=4)
    assert costly.macs > MOST_MACS
    assert reduce_cost(costly).axes[0] == Axis(size=21, pad=(3, 4), kernel=4, dilation=2)
