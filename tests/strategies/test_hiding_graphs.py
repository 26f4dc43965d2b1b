"""Which structures of graphs hide a pad from a pass, by the evidence of their sites."""

import pytest

from foldproof import strategies
from foldproof.checking.graph_evidence import evidence_of
from foldproof.generation.draw import draw
from foldproof.ir.relax.ir import RELAX
from foldproof.oracle.legality import Legality


def hidden(graph):
    evidence = evidence_of(graph, RELAX)
    return any(evidence.stays(index) is Legality.STRUCTURE for index in range(len(graph.sites)))


@pytest.mark.slow
def test_foldable_graphs_hide_no_pad_but_that_of_a_pad():
    graphs = draw(strategies.foldable_graphs("conv1d", "max_pool1d"), 60, 3)
    nested = [graph for graph in graphs if any(step.kind == "pad" for case in graph.cases for step in case.steps)]
    assert [graph for graph in graphs if hidden(graph) and graph not in nested] == []
    assert len(nested) < 20


@pytest.mark.slow
def test_unfoldable_graphs_hide_most_pads_that_are_legal_to_fold():
    assert sum(map(hidden, draw(strategies.unfoldable_graphs("conv1d", "max_pool1d"), 60, 3))) >= 36
