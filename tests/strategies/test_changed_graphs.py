"""Structures of graphs that change a drawn case: what is not valid is left out."""

from foldproof import Axis, Case, Step
from foldproof.strategies.graphs import changed_case

ALONG = Case(op="conv1d", axes=(Axis(size=2, kernel=2),), steps=(Step(kind="add", operand=(1.0, 2.0), axis="W"),))


def test_a_change_that_no_case_allows_is_left_out():
    assert changed_case(ALONG, axes=(Axis(size=3, kernel=2),)) is ALONG
    assert changed_case(ALONG, seed=4).seed == 4
