"""What a campaign draws: cases, graphs, or both; always within its ops and its filter."""

import pytest

from foldproof.case import Case
from foldproof.case.graph import Graph
from foldproof.core.errors import UsageError
from foldproof.generation.case_source import CaseSource
from foldproof.generation.draw import STRATEGIES, draw, strategy_of


def kinds(spec, count=30):
    return {type(each) for each in draw(strategy_of((), spec), count, 1)}


def test_each_strategy_draws_its_kinds():
    assert kinds("cases") == {Case}
    assert kinds("graphs") == {Graph}
    assert kinds("both") == {Case, Graph}


def test_every_strategy_draws_the_given_ops_only():
    for name in STRATEGIES:
        drawn = draw(strategy_of(("conv1d", "max_pool1d"), name), 25, 2)
        assert {case.op for each in drawn for case in each.cases} <= {"conv1d", "max_pool1d"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_unknown_op_is_refused_by_every_strategy(name):
    with pytest.raises(UsageError, match="unknown op 'conv4d'"):
        strategy_of(("conv4d",), name)


def test_every_site_satisfies_the_filter():
    source = CaseSource(strategy="graphs", only_cases="dtype == float32 and family in max_pool,avg_pool")
    assert all("pool" in name for name in source.drawn_ops)
    drawn = draw(strategy_of(source.drawn_ops, source.strategy), 15, 3, source.case_filter)
    assert drawn
    assert any(len(graph.sites) > 1 for graph in drawn)
    assert {case.dtype for graph in drawn for case in graph.cases} == {"float32"}
    assert all(source.in_scope(graph) for graph in drawn)
    assert not source.in_scope(Graph.from_json(replaced(drawn[0])))


def replaced(graph):
    """The JSON of a graph with one more site, of another dtype."""
    value = graph.to_json()
    other = {"op": "max_pool1d", "axes": [{}], "dtype": "int8", "fills": list(graph.fills)}
    return value | {"sites": [*value["sites"][:3], {"case": other}], "functions": [], "joins": []}


def test_the_same_seed_draws_the_same_graphs():
    assert draw(strategy_of((), "both"), 20, 5) == draw(strategy_of((), "both"), 20, 5)
