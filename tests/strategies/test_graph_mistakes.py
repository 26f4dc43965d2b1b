"""foldproof.strategies.graphs: structures for the mistakes of careless passes."""

import pytest

from foldproof import strategies
from foldproof.case.adoption import PADDED, SAME
from foldproof.generation.draw import draw


def padded_weight_read_by_others(graph):
    return any(site.weight_of >= 0 and graph.cases[site.weight_of].pads_weight for site in graph.sites)


def equal_but_for_own_padding(graph):
    linked = ((site.case, graph.cases[site.of]) for site in graph.sites if site.data == PADDED)
    return any(a.axes[0].padding == b.axes[0].padding[::-1] != b.axes[0].padding for a, b in linked)


def equal_pads_of_other_value(graph):
    linked = ((site.case, graph.cases[site.of]) for site in graph.sites if site.data == SAME)
    return any(a.pad_widths == b.pad_widths and a.pad.value != b.pad.value for a, b in linked)


def pad_returned_in_a_nested_tuple(graph):
    return graph.nested_outputs and any("returned" in case.extra_outputs for case in graph.cases)


def cast_beside_another_site(graph):
    return len(graph.sites) > 1 and any(site.carrier == "match_symbols" for site in graph.sites)


def local_data_of_a_pad_that_is_read_behind(graph):
    readers = [site for site in graph.sites if site.data == PADDED and site.place != "block"]
    return any(graph.cases[site.of].producers for site in readers)


MISTAKES = (
    padded_weight_read_by_others,
    equal_but_for_own_padding,
    equal_pads_of_other_value,
    pad_returned_in_a_nested_tuple,
    cast_beside_another_site,
    local_data_of_a_pad_that_is_read_behind,
)


@pytest.fixture(scope="module")
def drawn():
    return draw(strategies.graphs("conv1d", "max_pool1d", "avg_pool1d"), 600, 1)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_graph_for_each_mistake_is_drawn(mistake, drawn):
    assert sum(map(mistake, drawn)) >= 1
