"""The shrinking candidates of a graph: fewer sites first, then less structure, then simpler sites.

    sites       one site alone; all but one. What a dropped site gave to others becomes their own
    structure   no functions, joins and options; each site without its place, carrier, write and links
    cases       one site by ``Case.simpler()``, and every other site that has the same values with it

Invariant: every candidate is valid, and smaller in a well-founded order: the number of sites, then the structure, then
the cases in the order of the sites. A site that reads a changed one adopts its data, whatever that is: the first case
that changes is a simpler one. So shrinking terminates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from foldproof.case.adoption import LINKS, OWN, PADDED, RESULT, SAME, adopt
from foldproof.case.case import Case
from foldproof.case.graph import CARRIERS, JOINS, MAIN, PLACES, WRITES, Function, Graph, Join, Site
from foldproof.case.records import Record, alike
from foldproof.case.shrinking.values import earlier

Fields = dict[str, tuple[Any, Any]]
"""Field -> its value in a case, and in a simpler one."""


def simpler(graph: Graph) -> Iterator[Graph]:
    """Yield all valid candidates, largest change first, each once."""
    seen = {graph}
    for propose in (_fewer_sites, _simpler_structure, _simpler_cases):
        for candidate in propose(graph):
            if candidate not in seen:
                seen.add(candidate)
                yield candidate


def _attempt(graph: Graph, **change: Any) -> Iterator[Graph]:
    """Yield the changed graph, if it is valid."""
    try:
        yield replace(graph, **change)
    except ValueError:
        return


# --- fewer sites --------------------------------------------------------------------------------------


def _fewer_sites(graph: Graph) -> Iterator[Graph]:
    """Propose each site alone, without and with its structure, and all sites but one."""
    every = range(len(graph.sites))
    if len(every) == 1:
        return
    for index in every:
        yield Graph(sites=(Site(case=graph.cases[index]),))
        yield from keep(graph, (index,))
    if len(every) > 2:
        for index in reversed(every):
            yield from keep(graph, tuple(kept for kept in every if kept != index))


def keep(graph: Graph, kept: tuple[int, ...]) -> Iterator[Graph]:
    """Yield the graph with these sites only."""
    try:
        made = []
        for index in kept:
            data, of = _source_among(graph, index, kept)
            of = kept.index(of) if data != OWN else 0
            made.append(replace(graph.sites[index], data=data, of=of, weight_of=_weight_among(graph, index, kept)))
    except ValueError:
        return
    places = {old: new for new, old in enumerate(kept)}
    joins = tuple(
        replace(join, left=places[join.left], right=places[join.right])
        for join in graph.joins
        if join.left in places and join.right in places
    )
    functions, numbers = _renumber(graph.functions, [graph.callers(site.function) for site in made])
    sites = tuple(replace(site, function=numbers[site.function]) for site in made)
    yield from _attempt(graph, sites=sites, joins=joins, functions=functions)


def _source_among(graph: Graph, index: int, kept: Sequence[int]) -> tuple[str, int]:
    """Return the link of a site and what it names, if only some sites stay: the same tensor elsewhere, or none."""
    site, root = graph.sites[index], graph.roots[index]
    if site.data == OWN or site.of in kept:
        return site.data, site.of
    before = [each for each in kept if each < index]
    if site.data == PADDED:
        owner = graph.pad_owner(index)
        if (same := next((each for each in before if graph.pad_owner(each) == owner), None)) is not None:
            return PADDED, same
    if (same := next((each for each in before if graph.roots[each] == root), None)) is not None:
        return SAME, same
    source = graph.sites[root]
    return (RESULT, source.of) if source.data == RESULT and source.of in kept else (OWN, 0)


def _weight_among(graph: Graph, index: int, kept: Sequence[int]) -> int:
    """Return the first site that stays and has the weight of a site; -1 if that is the site itself."""
    owner = graph.weight_owner(index)
    first = next((new for new, old in enumerate(kept) if graph.weight_owner(old) == owner), -1)
    return -1 if kept[first] == index else first


def _renumber(functions: tuple[Function, ...], used: Sequence[tuple[int, ...]]) -> tuple[Any, dict[int, int]]:
    """Return the functions that contain a site, and their new numbers."""
    kept = sorted({function for path in used for function in path} - {MAIN})
    numbers = {MAIN: MAIN} | {old: new for new, old in enumerate(kept, 1)}
    made = tuple(replace(functions[old - 1], caller=numbers[functions[old - 1].caller]) for old in kept)
    return made, numbers


# --- structure ----------------------------------------------------------------------------------------


def _simpler_structure(graph: Graph) -> Iterator[Graph]:
    plain = tuple(Site(case=site.case) for site in graph.sites)
    yield Graph(sites=plain)
    yield from _simpler_functions(graph)
    yield from _attempt(graph, joins=()) if graph.joins else ()
    for number, join in enumerate(graph.joins):
        rest = (graph.joins[:number], graph.joins[number + 1 :])
        yield from _attempt(graph, joins=(*rest[0], *rest[1]))
        for simple in _simpler_joins(join):
            yield from _attempt(graph, joins=(*rest[0], simple, *rest[1]))
    for name in ("equal_names", "nested_outputs", "bound_constants"):
        if getattr(graph, name):
            yield from _attempt(graph, **{name: False})
    for index, site in enumerate(graph.sites):
        for candidate in _simpler_sites(graph, site):
            yield from _attempt(graph, sites=(*graph.sites[:index], candidate, *graph.sites[index + 1 :]))


def _simpler_joins(join: Join) -> Iterator[Join]:
    yield from (replace(join, kind=kind) for kind in earlier(JOINS, join.kind))
    if join.left > join.right:
        yield replace(join, left=join.right, right=join.left)


def _simpler_functions(graph: Graph) -> Iterator[Graph]:
    """Propose no function, each function within its caller, sites in the caller, and simpler functions."""
    if not graph.functions:
        return
    yield from _attempt(graph, sites=tuple(replace(site, function=MAIN) for site in graph.sites), functions=())
    for number, function in enumerate(graph.functions, 1):
        callers = [function.caller if site.function == number else site.function for site in graph.sites]
        yield from _with_functions(graph, callers, gone=number)
    for index, site in enumerate(graph.sites):
        if site.function != MAIN:
            callers = [each.function for each in graph.sites]
            callers[index] = graph.functions[site.function - 1].caller
            yield from _with_functions(graph, callers)
    for number, function in enumerate(graph.functions):
        changed = [replace(function, caller=caller) for caller in range(function.caller)]
        changed += [replace(function, composite=False)] if function.composite else []
        changed += [] if function.private else [replace(function, private=True)]
        for each in changed:
            yield from _attempt(graph, functions=(*graph.functions[:number], each, *graph.functions[number + 1 :]))


def _with_functions(graph: Graph, functions_of_sites: list[int], gone: int = -1) -> Iterator[Graph]:
    """Yield the graph whose sites stand in these functions. What a function that is gone called, its caller calls."""
    declared = graph.functions
    if gone > 0:
        caller = declared[gone - 1].caller
        declared = tuple(replace(each, caller=caller) if each.caller == gone else each for each in declared)
    paths = []
    for function in functions_of_sites:
        path = [function]
        while path[-1] != MAIN:
            path.append(declared[path[-1] - 1].caller)
        paths.append(tuple(path))
    functions, numbers = _renumber(declared, paths)
    pairs = zip(graph.sites, functions_of_sites, strict=True)
    sites = tuple(replace(site, function=numbers[function]) for site, function in pairs)
    yield from _attempt(graph, sites=sites, functions=functions)


def _simpler_sites(graph: Graph, site: Site) -> Iterator[Site]:
    """Yield the site with less structure. Its case stays."""
    changes: list[dict[str, Any]] = []
    if site.data != OWN:
        changes.append({"data": OWN, "of": 0})
        changes += [{"data": link} for link in earlier(LINKS, site.data) if link == SAME and site.data == PADDED]
        source = graph.sites[site.of]
        if source.data == site.data and site.data in (SAME, PADDED):
            changes.append({"of": source.of})
    if site.weight_of >= 0:
        changes.append({"weight_of": -1})
        changes += [{"weight_of": of} for of in range(site.weight_of)]
    for name, choices in (("place", PLACES), ("carrier", CARRIERS), ("written", WRITES)):
        changes += [{name: value} for value in earlier(choices, getattr(site, name))]
    changes += [{name: False} for name in ("unread", "local_data") if getattr(site, name)]
    if site.local_data:
        changes += [{"local_data": False, "place": place} for place in earlier(PLACES, site.place)]
    for change in changes:
        try:
            yield replace(site, **change)
        except ValueError:
            continue


# --- cases --------------------------------------------------------------------------------------------


def _simpler_cases(graph: Graph) -> Iterator[Graph]:
    """Propose simpler cases: a change in every site that has the same values, and in one site."""
    cases = graph.cases
    if len(cases) > 1:
        yield from _lower_ranks(graph)
    for index, case in enumerate(cases):
        for candidate in case.simpler():
            if len(cases) > 1:
                change = _Change.between(case, candidate)
                together = [candidate if i == index else change.apply(each) for i, each in enumerate(cases)]
                if any(new is not old for i, (new, old) in enumerate(zip(together, cases, strict=True)) if i != index):
                    yield from with_cases(graph, together)
            yield from with_cases(graph, [*cases[:index], candidate, *cases[index + 1 :]])


def _lower_ranks(graph: Graph) -> Iterator[Graph]:
    """Propose to leave out an axis of all sites."""
    lower = [[each for each in case.simpler() if each.spec.rank < case.spec.rank] for case in graph.cases]
    if all(lower):
        for number in range(max(map(len, lower))):
            yield from with_cases(graph, [each[min(number, len(each) - 1)] for each in lower])


@dataclass(frozen=True, slots=True)
class _Change:
    """The fields in which a simpler case differs from a case, those of its pad and of its axes.

    ``whole`` is both cases if one has fewer axes: then only an equal case changes in the same way.
    """

    case: Fields
    pad: Fields
    axes: tuple[Fields, ...]
    whole: tuple[Case, Case] | None = None

    @classmethod
    def between(cls, old: Case, new: Case) -> "_Change":
        if old.op != new.op:
            return cls({}, {}, (), (old, new))
        axes = tuple(_differences(a, b) for a, b in zip(old.axes, new.axes, strict=True))
        return cls(_differences(old, new, ("axes", "pad")), _differences(old.pad, new.pad), axes)

    def apply(self, case: Case) -> Case:
        """Return the case with the change; the case itself if it has other values, or cannot change so."""
        if self.whole is not None:
            return self.whole[1] if case == self.whole[0] else case
        pairs = [(case, self.case), (case.pad, self.pad)]
        if any(self.axes):
            if len(case.axes) != len(self.axes):
                return case
            pairs += zip(case.axes, self.axes, strict=True)
        if not all(_has(record, changed) for record, changed in pairs):
            return case
        try:
            change = _news(self.case)
            if self.pad:
                change["pad"] = replace(case.pad, **_news(self.pad))
            if any(self.axes):
                axes = zip(case.axes, self.axes, strict=True)
                change["axes"] = tuple(replace(axis, **_news(changed)) for axis, changed in axes)
            return replace(case, **change)
        except ValueError:
            return case


def _differences(old: Record, new: Record, left_out: tuple[str, ...] = ()) -> Fields:
    names = (field.name for field in fields(old) if field.name not in left_out)  # type: ignore[arg-type]
    values = ((name, getattr(old, name), getattr(new, name)) for name in names)
    return {name: (a, b) for name, a, b in values if not alike(a, b)}


def _has(record: Record, changed: Fields) -> bool:
    return all(alike(getattr(record, name), old) for name, (old, _) in changed.items())


def _news(changed: Fields) -> dict[str, Any]:
    return {name: new for name, (_, new) in changed.items()}


def with_cases(graph: Graph, cases: Sequence[Case]) -> Iterator[Graph]:
    """Yield the graph with these cases. A site that reads another one adopts its data."""
    sites: list[Site] = []
    try:
        for site, case in zip(graph.sites, cases, strict=True):
            adopted = case if site.data == OWN else _adopted(case, sites[site.of].case, site.data)
            sites.append(replace(site, case=adopted))
    except ValueError:
        return
    yield from _attempt(graph, sites=tuple(sites))


def _adopted(case: Case, source: Case, link: str) -> Case:
    """Return the case, or the first simpler one, that can read the data."""
    try:
        return adopt(case, source, link)
    except ValueError:
        pass
    for candidate in case.simpler():
        try:
            return adopt(candidate, source, link)
        except ValueError:
            continue
    raise ValueError(f"no simpler {case.op} can read the {link} data")
