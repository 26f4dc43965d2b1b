"""Features of a graph: what differs from one site in one dataflow block, by name, and graphs without one of them.

The features of its sites are those of cases (``foldproof.campaign.features``). A graph is without one of them if no
site has it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from foldproof.case import Case
from foldproof.case.adoption import LINKS, OWN
from foldproof.case.graph import APART, CARRIERS, MAIN, PLACES, WRITES, Graph
from foldproof.case.shrinking.graphs import keep, with_cases


def features(graph: Graph) -> frozenset[str]:
    """Return the names of the structural features that a graph has."""
    return frozenset(_named(graph))


def without(graph: Graph, feature: str) -> tuple[Graph, ...]:
    """Return variants without one structural feature; none if the graph lacks it, or is not valid without it."""
    variants = _named(graph).get(feature, ())
    return tuple(dict.fromkeys(each for each in variants if feature not in features(each)))


def without_in_sites(graph: Graph, variants_of: Callable[[Case], tuple[Case, ...]]) -> tuple[Graph, ...]:
    """Return variants of a graph of which each site is one of the variants of its case, or has none."""
    variants = [variants_of(case) or (case,) for case in graph.cases]
    made: list[Graph] = []
    for number in range(max(map(len, variants))):
        made += with_cases(graph, [each[min(number, len(each) - 1)] for each in variants])
    return tuple(dict.fromkeys(made))


def _named(graph: Graph) -> dict[str, list[Graph]]:
    found: dict[str, list[Graph]] = {}
    if len(graph.sites) > 1:
        found["several sites"] = [each for index in range(len(graph.sites)) for each in keep(graph, (index,))]
    for name, text in (("equal_names", "equal names"), ("nested_outputs", "nested outputs")):
        if getattr(graph, name):
            found[text] = list(_changed(graph, **{name: False}))
    if graph.bound_constants:
        found["bound constants"] = list(_changed(graph, bound_constants=False))
    if graph.joins:
        found["joined results"] = list(_changed(graph, joins=()))
    if graph.functions:
        sites = tuple(replace(site, function=MAIN) for site in graph.sites)
        found["functions"] = list(_changed(graph, sites=sites, functions=()))
    for name, (group, choices) in _CHOICES.items():
        present = [value for value in choices[1:] if any(getattr(site, name) == value for site in graph.sites)]
        if present:
            found[group] = list(_replaced(graph, name, dict.fromkeys(present, choices[0])))
        for value in present:
            others = (other for other in choices if other != value)
            variants = (each for other in others for each in _replaced(graph, name, {value: other}))
            found[f"{value} among the {group}"] = list(variants)
    for name, text in (("unread", "unread pads"), ("local_data", "local data")):
        if any(getattr(site, name) for site in graph.sites):
            change: dict[str, Any] = {name: False}
            found[text] = list(_changed(graph, sites=tuple(replace(site, **change) for site in graph.sites)))
    if any(site.weight_of >= 0 for site in graph.sites):
        found["shared weight"] = list(_changed(graph, sites=tuple(replace(s, weight_of=-1) for s in graph.sites)))
    return found


_CHOICES = {
    "place": ("places", PLACES),
    "carrier": ("carriers", CARRIERS),
    "data": ("links", LINKS),
    "written": ("writes", WRITES),
}
"""Field of a site -> what its values are called, and the values, of which the first is the default."""


def _replaced(graph: Graph, name: str, values: Mapping[str, str]) -> Iterator[Graph]:
    """Yield the graph with other values of a field of its sites, if it is valid."""
    try:
        sites = []
        for site in graph.sites:
            value = values.get(getattr(site, name), getattr(site, name))
            change: dict[str, Any] = {name: value} | ({"of": 0} if name == "data" and value == OWN else {})
            if name == "place" and value not in APART:
                change["local_data"] = False
            sites.append(replace(site, **change))
        yield replace(graph, sites=tuple(sites))
    except ValueError:
        return


def _changed(graph: Graph, **change: object) -> Iterator[Graph]:
    """Yield the changed graph, if it is valid."""
    try:
        yield replace(graph, **change)  # type: ignore[arg-type]
    except ValueError:
        return
