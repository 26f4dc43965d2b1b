"""The reference of a graph: that of its sites, one after the other, with what structure does to them."""

import numpy as np
import pytest
from tests.support.graphs import CONV, POOL, graph

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.adoption import PADDED, RESULT, SAME, adopt
from foldproof.case.graph import Function, Join, Site
from foldproof.ir.relax.semantics import SEMANTICS
from foldproof.oracle import graphs

PAIR = Case(op="max_pool1d", axes=(Axis(size=2, pad=(1, 0)),))
"""x -> (0, x0, x1)"""
OTHER = Case(op="max_pool1d", axes=(Axis(size=2, pad=(0, 1)),), pad=Pad(value=5.0))
"""x -> (x0, x1, 5)"""
X, Y = [3.0, -4.0], [7.0, 1.0]


def outputs(made, condition=None, **arrays):
    given = {name: np.array(value, np.float32).reshape(1, 1, -1) for name, value in arrays.items()}
    if condition is not None:
        given[graphs.CONDITION] = np.array(condition)
    return [reference.value.ravel().tolist() for reference in graphs.outputs(made, given, SEMANTICS)]


@pytest.mark.parametrize(
    ("place", "condition", "expected"),
    [
        ("block", None, [0, 3, -4]),
        ("behind", None, [0, 3, -4]),
        ("past call", None, [0, 3, -4]),
        ("local", None, [0, 3, -4]),
        ("branch", True, [0, 3, -4]),
        ("branch", False, [0, 0, 0]),
        ("inside", False, [0, 0, 0]),
        ("branches", True, [0, 3, -4]),
        ("branches", False, [0, 6, -8]),
        ("padded branch", True, [0, 3, -4]),
        ("padded branch", False, [1, 3, -4]),
    ],
)
def test_the_place_of_a_consumer_decides_what_a_condition_changes(place, condition, expected):
    assert outputs(graph(Site(case=PAIR, place=place)), condition, x0=X) == [expected]


@pytest.mark.parametrize(
    ("link", "expected"),
    [(SAME, [3, -4, 5]), (PADDED, [0, 3, -4]), (RESULT, [0, 3, -4, 5])],
)
def test_the_link_of_a_site_decides_its_data(link, expected):
    made = graph(Site(case=PAIR), Site(case=adopt(OTHER, PAIR, link), data=link))
    assert outputs(made, x0=X) == [[0, 3, -4], expected]


@pytest.mark.parametrize(
    ("kind", "expected"), [("add", [0, 10, -3]), ("maximum", [0, 7, 1]), ("concat", [0, 3, -4, 0, 7, 1])]
)
def test_a_join_is_one_more_output(kind, expected):
    made = graph(Site(case=PAIR), Site(case=PAIR), joins=(Join(kind=kind),))
    assert outputs(made, x0=X, x1=Y) == [[0, 3, -4], [0, 7, 1], expected]


@pytest.mark.parametrize("how", ["data", "callee"])
def test_data_that_is_overwritten_is_one_more_output_of_its_site(how):
    case = Case(op="max_pool1d", axes=PAIR.axes, producers=(Step(kind="negative"),))
    assert outputs(graph(Site(case=case, written=how)), x0=X) == [[0, -3, 4], [-6, 8]]


def test_a_symbolic_clip_ends_at_the_batch():
    case = Case(op="max_pool1d", axes=PAIR.axes, symbolic=("N",))
    assert outputs(graph(Site(case=case, carrier="symbolic clip")), x0=X) == [[0, 1, 0]]


def test_sites_share_a_weight_and_functions_change_nothing():
    sites = (Site(case=CONV), Site(case=CONV, weight_of=0, function=1))
    made = graph(*sites, functions=(Function(),))
    assert list(graphs.inputs(made, "integers", SEMANTICS)) == ["x0", "w0", "x1"]
    x = [1.0, 2.0, 3.0, 4.0]
    first, second = outputs(made, x0=x, w0=[1, 10], x1=x)
    assert first == second == [10, 21, 32, 43, 4, 0]


def test_a_constant_weight_is_no_parameter():
    made = graph(Site(case=CONV.__class__(op="conv1d", axes=CONV.axes, constant_weight=True)))
    arrays = graphs.inputs(made, "integers", SEMANTICS)
    assert set(arrays) - set(graphs.parameters(made, arrays)) == {"w0"}


def test_a_graph_with_a_condition_runs_with_both_values():
    assert list(graphs.runs(graph(Site(case=POOL, place="branch")))) == [("integers", True), ("integers", False)]
    assert list(graphs.runs(graph(Site(case=POOL)))) == [("integers", None)]


def test_what_is_computed_from_inexact_data_is_not_compared():
    rough = Case(op="conv1d", axes=CONV.axes, fills=("reals",))
    reader = adopt(Case(op="max_pool1d", axes=(Axis(size=4),), fills=("reals",)), rough, RESULT)
    made = graph(Site(case=rough), Site(case=reader, data=RESULT))
    first, second = graphs.outputs(made, graphs.inputs(made, "reals", SEMANTICS), SEMANTICS)
    assert first.bound.any()
    assert not second.defined.any()
    assert graphs.INEXACT in second.reasons
