"""foldproof.case.shrinking.graphs: fewer sites, less structure, simpler sites; always valid, always to an end."""

import json
import random
from dataclasses import replace

import pytest

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.adoption import PADDED, RESULT, SAME, adopt
from foldproof.case.graph import CARRIERS, PLACES, WRITES, Function, Graph, Join, Site
from foldproof.generation.draw import draw
from foldproof.strategies.graphs import graphs

CONV = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=2),), channels=2)
POOL = Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 1), kernel=2),), channels=2)
PAIR = Graph(sites=(Site(case=CONV), Site(case=POOL, data=PADDED)))


def _shrunk(graph, fails):
    """Return the graph that a greedy walk ends at."""
    while (smaller := next(filter(fails, graph.simpler()), None)) is not None:
        graph = smaller
    return graph


def _walk(graph, generator):
    """Return a chain of random candidates, to its end."""
    chain = [graph]
    while candidates := list(chain[-1].simpler()):
        chain.append(generator.choice(candidates))
    return chain


def _check(drawn):
    for graph in drawn:
        assert Graph.from_json(json.loads(graph.dumps())) == graph
        assert eval(repr(graph)) == graph
        candidates = list(graph.simpler())
        assert graph not in candidates
        assert len(set(candidates)) == len(candidates)


def test_candidates_differ_and_graphs_survive_json_and_repr():
    _check(draw(graphs(), 15, 1))


@pytest.mark.slow
def test_candidates_of_300_graphs_differ_and_graphs_survive_json_and_repr():
    _check(draw(graphs(), 300, 2))


@pytest.mark.slow
def test_random_walks_end_at_a_plain_site():
    generator = random.Random(0)
    for graph in draw(graphs(), 60, 3):
        end = _walk(graph, generator)[-1]
        assert end == Graph(sites=(Site(case=Case(op=end.cases[0].op, axes=(Axis(),))),))


def test_each_site_is_proposed_alone_first():
    plain = [Graph(sites=(Site(case=site.case),)) for site in PAIR.sites]
    assert [graph for graph in list(PAIR.simpler())[:4] if graph in plain] == plain


def test_a_site_whose_source_is_dropped_gets_data_of_its_own():
    chain = Graph(sites=(Site(case=CONV), Site(case=adopt(POOL, CONV, RESULT), data=RESULT)))
    kept = [graph for graph in chain.simpler() if len(graph.sites) == 1]
    assert [graph.cases[0].op for graph in kept] == ["conv1d", "max_pool1d"]
    assert kept[-1].cases[0] == chain.cases[1]


@pytest.mark.parametrize("link", [SAME, PADDED])
def test_sites_that_share_data_still_share_it_without_its_first_reader(link):
    sites = (Site(case=CONV), Site(case=POOL, data=link), Site(case=POOL, data=link))
    kept = [graph for graph in Graph(sites=sites).simpler() if graph.cases == (POOL, POOL)]
    assert (kept[0].sites[1].data, kept[0].sites[1].of) == (link, 0)


def test_sites_that_share_a_weight_still_share_it_without_its_owner():
    sites = (Site(case=CONV), Site(case=CONV, weight_of=0), Site(case=replace(CONV, seed=1), weight_of=1))
    kept = [graph for graph in Graph(sites=sites).simpler() if len(graph.sites) == 2 and graph.cases[1].seed == 1]
    assert [graph.sites[1].weight_of for graph in kept] == [0]


def test_functions_without_sites_are_dropped_and_the_others_renumbered():
    functions = (Function(private=False), Function(caller=1, composite=True))
    graph = Graph(sites=(Site(case=CONV, function=1), Site(case=POOL, function=2)), functions=functions)
    [kept] = [each for each in graph.simpler() if each.cases == (POOL,) and each.functions]
    assert kept.functions == functions
    graph = Graph(sites=(Site(case=CONV, function=1), Site(case=POOL, function=2)), functions=(Function(), Function()))
    [kept] = [each for each in graph.simpler() if each.cases == (POOL,) and each.functions]
    assert (len(kept.functions), kept.sites[0].function) == (1, 1)


def test_joins_of_dropped_sites_are_dropped():
    sites = tuple(Site(case=replace(CONV, seed=seed)) for seed in range(3))
    graph = Graph(sites=sites, joins=(Join(left=0, right=1), Join(left=1, right=2)))
    assert {each.joins for each in graph.simpler() if len(each.sites) == 2} == {(), (Join(),)}


def _with(**fields):
    return Graph(sites=(Site(case=CONV, **fields),))


RELU = Step(kind="relu")
WRITTEN = replace(CONV, producers=(RELU,))


@pytest.mark.parametrize(
    "graph",
    [
        *(_with(place=place) for place in PLACES[1:]),
        *(_with(carrier=carrier) for carrier in CARRIERS[1:] if carrier != "symbolic clip"),
        Graph(sites=(Site(case=replace(CONV, symbolic=("N",)), carrier="symbolic clip"),)),
        *(Graph(sites=(Site(case=WRITTEN, written=how),)) for how in WRITES[1:]),
        _with(unread=True),
        Graph(sites=(Site(case=WRITTEN, place="branch", local_data=True),)),
        Graph(sites=(Site(case=CONV, function=1),), functions=(Function(private=False, composite=True),)),
        Graph(sites=(Site(case=CONV),), equal_names=True, nested_outputs=True, bound_constants=True),
        PAIR,
        Graph(sites=(Site(case=CONV), Site(case=CONV, weight_of=0)), joins=(Join(kind="concat", left=1, right=0),)),
    ],
    ids=lambda graph: repr(graph).replace(repr(CONV), "CONV"),
)
def test_every_structure_reaches_its_default(graph):
    assert Graph(sites=tuple(Site(case=case) for case in graph.cases)) in graph.simpler()
    assert _shrunk(graph, lambda _: True) == Graph(sites=(Site(case=Case(op="conv1d", axes=(Axis(),))),))


@pytest.mark.parametrize("name", ["private", "composite", "caller"])
def test_functions_reach_their_defaults(name):
    functions = (Function(private=False, composite=True), Function(caller=1, private=False, composite=True))
    graph = Graph(sites=(Site(case=CONV, function=1), Site(case=CONV, function=2)), functions=functions)
    shrunk = _shrunk(graph, lambda each: [site.function for site in each.sites] == [1, 2])
    assert getattr(shrunk.functions[1], name) == getattr(Function(), name)


def test_a_reader_follows_its_source():
    chain = Graph(sites=(Site(case=CONV), Site(case=adopt(POOL, CONV, RESULT), data=RESULT)))
    shrunk = _shrunk(chain, lambda graph: len(graph.sites) == 2 and graph.sites[1].data == RESULT)
    assert [case.axes for case in shrunk.cases] == [(Axis(),), (Axis(),)]


def test_equal_sites_shrink_together():
    """A failure that needs two equal sites: no change of one of them alone fails."""
    case = replace(CONV, pad=Pad(value=3.0), steps=(RELU,), seed=7)
    graph = Graph(sites=(Site(case=case), Site(case=case)))
    shrunk = _shrunk(graph, lambda each: len(each.sites) == 2 and each.cases[0] == each.cases[1])
    assert shrunk.cases == (Case(op="conv1d", axes=(Axis(),)),) * 2


def test_fills_change_in_all_sites_at_once():
    case = replace(CONV, fills=("reals", "nans"))
    graph = Graph(sites=(Site(case=case), Site(case=replace(case, seed=1))))
    shrunk = _shrunk(graph, lambda each: len(each.sites) == 2)
    assert {each.fills for each in shrunk.cases} == {Case(op="conv1d", axes=(Axis(),)).fills}


def test_linked_sites_lose_an_axis_together():
    flat = Case(op="conv2d", axes=(Axis(size=4, pad=(1, 1)), Axis(size=3)))
    pool = Case(op="max_pool2d", axes=(Axis(size=4, pad=(1, 1), kernel=2), Axis(size=3)))
    graph = Graph(sites=(Site(case=flat), Site(case=pool, data=PADDED)))
    shrunk = _shrunk(graph, lambda each: len(each.sites) == 2 and each.sites[1].data == PADDED)
    assert [case.op for case in shrunk.cases] == ["conv1d", "max_pool1d"]
