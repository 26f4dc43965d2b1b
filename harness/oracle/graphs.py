"""Oracles of a graph, composed of those of its sites.

    inputs      of every site that has data of its own
    outputs     site after site: the reference of one is the data of the next
    legality    of each site alone, since a fold that is legal for every input is legal in every graph

Invariant: the reference of a site whose data is not exactly known is not compared. Its outputs are then masked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case
from foldproof.case.adoption import OWN, PADDED, RESULT
from foldproof.case.graph import Graph, Join, Site
from foldproof.case.parameters import constants
from foldproof.oracle.error_bounds import Reference, exact_reference, from_tensor
from foldproof.oracle.fills import inputs as case_inputs
from foldproof.oracle.reference import evaluate_producers, evaluate_steps, result_of
from foldproof.oracle.reference import outputs as case_outputs
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

CONDITION = "condition"
"""The name of the parameter that says which branch runs."""

OPEN, ROUGH = "open", "rough"

INEXACT = "data that is itself inexact or unspecified"
"""Why an output of a later site is not compared with the reference."""


def parameter_name(name: str, index: int) -> str:
    """Return the name of a parameter of a site: x becomes x0, scale1 becomes scale1_0."""
    return f"{name}_{index}" if name[-1].isdigit() else f"{name}{index}"


def inputs(graph: Graph, fill: str, semantics: Semantics) -> Arrays:
    """Return all tensors that the results of a graph depend on, by the names of ``parameter_name``.

    A site whose data or weight is that of another one has none of its own. The condition is not among them.
    """
    arrays: Arrays = {}
    for index, site in enumerate(graph.sites):
        for name, array in case_inputs(site.case, fill, semantics).items():
            borrowed = site.data != OWN if name == "x" else name == "w" and graph.weight_owner(index) != index
            inherited = name.startswith("producer_") and site.data == PADDED
            if not borrowed and not inherited:
                arrays[parameter_name(name, index)] = array
    return arrays


def parameters(graph: Graph, arrays: Arrays) -> Arrays:
    """Return the arrays that the entry function takes, in the order of its parameters."""
    constant = {
        parameter_name("w", index)
        for index, site in enumerate(graph.sites)
        if site.case.spec.weighted and site.case.constant_weight
    }
    return {name: array for name, array in arrays.items() if name not in constant}


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """The outputs of one site: its result, its extra outputs, and what overwrote its data."""

    result: Reference
    others: tuple[Reference, ...]
    arrays: Arrays
    doubt: str


def outputs(graph: Graph, arrays: Arrays, semantics: Semantics) -> tuple[Reference, ...]:
    """Return everything that the entry function returns, flat.

    Args:
        graph: the graph.
        arrays: its tensors by name, as ``inputs`` returns them, and ``CONDITION`` if it has one.
        semantics: the choices of the IR.

    Returns:
        For each site its result, its extra outputs and the data that was overwritten; then a tensor for each join.
    """
    done: list[_Evaluated] = []
    for index in range(len(graph.sites)):
        done.append(_evaluate(graph, index, done, arrays, semantics))
    joined = (_join(join, done[join.left], done[join.right]) for join in graph.joins)
    return (*(each for site in done for each in (site.result, *site.others)), *joined)


def _evaluate(graph: Graph, index: int, done: list[_Evaluated], arrays: Arrays, semantics: Semantics) -> _Evaluated:
    site = graph.sites[index]
    own, doubt = _arrays_of(graph, index, done, arrays)
    condition = bool(arrays[CONDITION]) if CONDITION in arrays else True
    with np.errstate(all="ignore"):
        evaluated = _with_bound_constants(site, own) if graph.bound_constants else site
        result, *others = _outputs_of(evaluated, own, semantics, condition=condition)
        if site.written:
            others.append(_overwritten(site.case, own, semantics))
    if doubt:
        result, others = _mask(result, doubt), [_mask(each, doubt) for each in others]
    return _Evaluated(result, tuple(others), own, doubt)


def _arrays_of(graph: Graph, index: int, done: list[_Evaluated], arrays: Arrays) -> tuple[Arrays, str]:
    """Return the tensors of the case of a site, by their names there, and how far its data is not known."""
    site = graph.sites[index]
    own: Arrays = {}
    doubt = ""
    if site.data == OWN:
        own["x"] = arrays[parameter_name("x", index)]
    elif site.data == RESULT:
        source = done[site.of].result
        own["x"], doubt = source.value, _doubt_in(source)
    else:
        own["x"], doubt = done[site.of].arrays["x"], done[site.of].doubt
    if site.case.spec.weighted:
        own["w"] = arrays[parameter_name("w", graph.weight_owner(index))]
    for place in (*site.case.producer_places, *site.case.step_places):
        if not place.step.constant:
            inherited = place.group == "producers" and site.data == PADDED
            for name in place.step.parameters:
                local = place.parameter(name)
                own[local] = done[site.of].arrays[local] if inherited else arrays[parameter_name(local, index)]
    return own, doubt


def _with_bound_constants(site: Site, own: Arrays) -> Site:
    """Return the site with parameters for its constants: no compiler simplifies what it reads from a variable."""
    case = site.case
    for place in (*case.producer_places, *case.step_places):
        if place.step.constant:
            own.update({place.parameter(name): array for name, array in constants(place).items()})
    producers, steps = (
        tuple(replace(step, constant=False) if step.parameters else step for step in group)
        for group in (case.producers, case.steps)
    )
    return replace(site, case=replace(case, producers=producers, steps=steps))


def _doubt_in(reference: Reference) -> str:
    """Return how far a result is not known: ``OPEN`` if anything may come of it later, ``ROUGH`` if it is rounded.

    An element that is not defined may be NaN or not, and a later maximum of it is then unspecified.
    """
    if not reference.defined.all() or (reference.unspecified is not None and reference.unspecified.any()):
        return OPEN
    return ROUGH if reference.bound.any() else ""


def _mask(reference: Reference, doubt: str) -> Reference:
    """Return a reference of which no element is compared; if the data is open, also not between the functions."""
    everywhere = np.ones(reference.value.shape, np.bool_)
    unspecified = everywhere if doubt == OPEN else reference.unspecified
    return replace(reference, defined=~everywhere, unspecified=unspecified, reasons=(*reference.reasons, INEXACT))


def _outputs_of(site: Site, own: Arrays, semantics: Semantics, *, condition: bool) -> tuple[Reference, ...]:
    case = site.case
    if site.place == "padded branch" and not condition:
        case = replace(case, pad=replace(case.pad, value=1.0))
    if site.carrier == "symbolic clip":
        tensors = evaluate_steps(case, own, semantics)
        high = np.asarray(own["x"].shape[case.input_layout.index("N")], tensors[-1].value.dtype)
        clipped = tensors[-1].map_parts(lambda part: part if part.dtype == np.bool_ else np.clip(part, 0, high))
        results = [result_of(case, clipped, own, semantics), *case_outputs(case, own, semantics)[1:]]
    else:
        results = list(case_outputs(case, own, semantics))
    if site.place in ("branch", "inside") and not condition:
        results[0] = exact_reference(np.zeros_like(results[0].value))
    elif site.place == "branches" and not condition:
        results[0] = _combine("add", results[0], results[0])
    return tuple(results)


def _overwritten(case: Case, own: Arrays, semantics: Semantics) -> Reference:
    """Return what the in-place call leaves of the data before the pad: twice its value."""
    data = from_tensor(evaluate_producers(case, own, semantics))
    return _combine("add", data, data)


def _combine(kind: str, left: Reference, right: Reference) -> Reference:
    """Return the sum or maximum of two references. It is compared where both are exactly known."""
    with np.errstate(all="ignore"):
        value = np.add(left.value, right.value) if kind == "add" else np.maximum(left.value, right.value)
    defined = left.defined & right.defined & (left.bound == 0) & (right.bound == 0)
    if value.dtype.kind not in "iub":
        defined &= np.isfinite(value.astype(np.float64))  # of two infinities or NaN the target chooses
        if kind == "maximum":
            defined &= value != 0  # 0.0 or -0.0
    unspecified = [each.unspecified for each in (left, right) if each.unspecified is not None]
    where = np.logical_or.reduce(unspecified) if unspecified else None
    reasons = tuple(dict.fromkeys((*left.reasons, *right.reasons)))
    return Reference(value.astype(left.value.dtype), np.zeros(value.shape), defined, where, reasons)


def _join(join: Join, left: _Evaluated, right: _Evaluated) -> Reference:
    a, b = left.result, right.result
    if join.kind != "concat":
        return _combine(join.kind, a, b)
    parts = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("value", "bound", "defined")}
    where = None
    if a.unspecified is not None or b.unspecified is not None:
        where = np.concatenate(
            [np.zeros(x.value.shape, np.bool_) if x.unspecified is None else x.unspecified for x in (a, b)]
        )
    return Reference(**parts, unspecified=where, reasons=tuple(dict.fromkeys((*a.reasons, *b.reasons))))


def runs(graph: Graph) -> Iterator[tuple[str, bool | None]]:
    """Yield (fill, condition) of all runs: each fill, with both values of the condition if there is one."""
    for fill in graph.fills:
        yield from ((fill, value) for value in ((True, False) if graph.has_condition else (None,)))
