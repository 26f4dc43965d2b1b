"""Features of a graph: what differs from one site in one dataflow block, by name, and graphs without one of them."""

from collections.abc import Iterator
from dataclasses import replace

from foldproof.case.adoption import OWN
from foldproof.case.graph import MAIN, Graph, Site


def features(graph: Graph) -> frozenset[str]:
    """Return the names of the features that a graph has."""
    return frozenset(_named(graph))


def without(graph: Graph, feature: str) -> tuple[Graph, ...]:
    """Return variants of a graph that lack one feature; none if it lacks the feature, or is not valid without it."""
    variants = _named(graph).get(feature, ())
    return tuple(dict.fromkeys(each for each in variants if feature not in features(each)))


def _named(graph: Graph) -> dict[str, list[Graph]]:
    found: dict[str, list[Graph]] = {}
    if len(graph.sites) > 1:
        found["several sites"] = [Graph(sites=(_alone(site),)) for site in graph.sites]
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
    for name, default in (("place", "block"), ("carrier", ""), ("data", OWN), ("written", ""), ("unread", False)):
        for value in dict.fromkeys(getattr(site, name) for site in graph.sites):
            if value != default:
                found[f"{name} {value!r}"] = list(_reset(graph, name, value, default))
    if any(site.weight_of >= 0 for site in graph.sites):
        found["shared weight"] = list(_changed(graph, sites=tuple(replace(s, weight_of=-1) for s in graph.sites)))
    return found


def _alone(site: Site) -> Site:
    return Site(case=site.case)


def _reset(graph: Graph, name: str, value: object, default: object) -> Iterator[Graph]:
    change: dict[str, object] = {name: default} | ({"of": 0} if name == "data" else {})
    sites = []
    for site in graph.sites:
        sites.append(replace(site, **change) if getattr(site, name) == value else site)  # type: ignore[arg-type]
    return _changed(graph, sites=tuple(sites))


def _changed(graph: Graph, **change: object) -> Iterator[Graph]:
    """Yield the changed graph, if it is valid."""
    try:
        yield replace(graph, **change)  # type: ignore[arg-type]
    except ValueError:
        return
