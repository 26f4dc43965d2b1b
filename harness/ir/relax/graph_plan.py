"""The plan of a graph: what each function takes and returns, and where the parts of its sites stand. No IR yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from foldproof.case.adoption import RESULT
from foldproof.case.graph import CONDITIONAL, Graph
from foldproof.case.parameters import constants
from foldproof.oracle.graphs import CONDITION

Key = tuple[Any, ...]
"""Names a value of the graph: ("x", 0), ("padded", 1), ("result", 2), ("scale0", 1), ("condition",)."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Where the parts of a site stand: its pad, and its consumer."""

    pad: int
    consumer: int


def output_keys(graph: Graph, index: int) -> list[Key]:
    """Return the keys of what a site returns: its result, its extra outputs, and what overwrote its data."""
    site = graph.sites[index]
    extra: list[Key] = [(name, index) for name in site.case.extra_outputs]
    written: list[Key] = [("written", index)] if site.written else []
    return [("result", index), *extra, *written]


def data_key(graph: Graph, index: int) -> Key:
    """Return the key of the tensor that a site reads before its producers."""
    root = graph.sites[graph.roots[index]]
    return ("result", root.of) if root.data == RESULT else ("x", graph.roots[index])


def needed(graph: Graph, function: int) -> list[Key]:
    """Return the keys of what a function takes: in the order of the sites, the condition last."""
    inside = graph.inside(function)
    keys: dict[Key, None] = {}
    for index in inside:
        site, owner = graph.sites[index], graph.pad_owner(index)
        if owner in inside:
            key = data_key(graph, owner)
            if key[0] == "x" or key[1] not in inside:
                keys[key] = None
        else:
            keys["padded", owner] = None
        weight = graph.weight_owner(index)
        if site.case.spec.weighted and not site.case.constant_weight:
            keys["w", weight] = None
        producers = site.case.producer_places if owner == index else ()
        for place in (*producers, *site.case.step_places):
            if not place.step.constant:
                keys.update(dict.fromkeys((place.parameter(name), index) for name in constants(place)))
    if any(graph.sites[index].place in CONDITIONAL for index in inside):
        keys[CONDITION,] = None
    return list(keys)


def is_impure(graph: Graph, function: int) -> bool:
    """Whether a function calls one that is not pure."""
    return any(graph.sites[index].place == "past call" for index in graph.inside(function))


def items_of(graph: Graph, function: int) -> Iterator[tuple[str, int]]:
    """Yield ("site", index) and ("call", function) in the order in which a function has them."""
    called = set()
    for index in graph.inside(function):
        path = graph.callers(graph.sites[index].function)
        if path[0] == function:
            yield "site", index
            continue
        child = path[path.index(function) - 1]
        if child not in called:
            called.add(child)
            yield "call", child


def segments_of(graph: Graph, function: int) -> dict[int, Segments]:
    """Return where the parts of the sites of a function stand. A call is at the segment of the pads behind it."""
    segments, now = {}, 0
    for kind, index in items_of(graph, function):
        if kind == "call":
            now += 2 if is_impure(graph, index) else 0
            continue
        place = graph.sites[index].place
        if place == "block":
            segments[index] = Segments(now, now)
            continue
        plain = place in ("behind", "branch", "branches", "inside", "local")
        segments[index] = Segments(now, now + (1 if plain else 2))
        now += 2
    return segments
