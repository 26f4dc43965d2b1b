"""The structure of graphs in which the data of a pad is overwritten."""

import pytest

from foldproof.case import ops
from foldproof.generation.draw import draw
from foldproof.strategies import unfoldable_graphs


@pytest.mark.slow
def test_every_op_can_be_drawn_with_data_that_is_overwritten():
    graphs = draw(unfoldable_graphs(), 600, 1)
    written = [site for graph in graphs for site in graph.sites if site.written]
    assert {site.written for site in written} == {"data", "callee"}
    assert {site.case.op for site in written} == set(ops.NAMES)
