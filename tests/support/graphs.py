"""Graphs of every structure: one for each place, carrier, write, link, join, option and form of functions."""

from dataclasses import replace

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.adoption import PADDED, RESULT, SAME, adopt
from foldproof.case.graph import APART, CARRIERS, JOINS, PLACES, WRITES, Function, Graph, Join, Site

AXIS = Axis(size=4, pad=(1, 2), kernel=2)
CONV = Case(op="conv1d", axes=(AXIS,))
POOL = Case(op="max_pool1d", axes=(AXIS,), pad=Pad(value=-float("inf")))
RELU = Step(kind="relu")
WRITTEN = replace(CONV, producers=(RELU,))


def graph(*sites, **options):
    return Graph(sites=sites, **options)


def _structures():
    for place in PLACES:
        yield f"place {place}", graph(Site(case=CONV, place=place))
    for carrier in CARRIERS[1:]:
        case = replace(CONV, symbolic=("N",)) if carrier == "symbolic clip" else replace(CONV, steps=(RELU,))
        yield f"carrier {carrier}", graph(Site(case=case, carrier=carrier, place="behind"))
    for written in WRITES[1:]:
        yield f"written {written}", graph(Site(case=WRITTEN, written=written))
    for link in (SAME, PADDED, RESULT):
        yield f"link {link}", graph(Site(case=CONV), Site(case=adopt(POOL, CONV, link), data=link))
    for kind in JOINS:
        yield f"join {kind}", graph(Site(case=CONV), Site(case=CONV, weight_of=0), joins=(Join(kind=kind),))
    for private in (True, False):
        for composite in (True, False):
            function = Function(private=private, composite=composite)
            sites = (Site(case=CONV), Site(case=CONV, function=1))
            yield f"function {private} {composite}", graph(*sites, functions=(function,))
    sites = (Site(case=CONV, function=1), Site(case=POOL, function=2), Site(case=CONV, weight_of=0))
    yield "functions that call each other", graph(*sites, functions=(Function(), Function(caller=1)))
    sites = (Site(case=CONV, place="past call", function=1), Site(case=CONV))
    yield "function that is not pure", graph(*sites, functions=(Function(),))
    again = Site(case=adopt(replace(CONV, axes=(replace(AXIS, kernel=3),)), CONV, PADDED), data=PADDED)
    sites = (Site(case=CONV), Site(case=CONV, place="past call", function=1), again)
    yield "shared pad around a call that is not pure", graph(*sites, functions=(Function(),))
    yield "pad that three share", graph(Site(case=CONV), again, replace(again, of=1))
    sites = (Site(case=CONV), Site(case=adopt(POOL, CONV, PADDED), data=PADDED, function=1))
    yield "padded tensor as an argument", graph(*sites, functions=(Function(),))
    for place in APART:
        yield f"local data {place}", graph(Site(case=WRITTEN, place=place, local_data=True))
    yield "unread pad", graph(Site(case=CONV, unread=True))
    every = replace(CONV, extra_outputs=("returned", "read"), constant_weight=True)
    for option in ("equal_names", "nested_outputs", "bound_constants"):
        yield option, graph(Site(case=every), Site(case=POOL, place="branch"), **{option: True})
    expressions = replace(CONV, symbolic=("W",), axes=(replace(AXIS, stride=2, size=9),))
    yield (
        "lengths that are expressions",
        graph(Site(case=expressions), Site(case=adopt(POOL, expressions, RESULT), data=RESULT)),
    )
    kernel = replace(CONV, pad=Pad(form="call_tir"))
    sites = (Site(case=kernel), Site(case=kernel, function=1))
    yield "one kernel in two functions", graph(*sites, functions=(Function(private=False),))


STRUCTURES = dict(_structures())
"""Name -> graph."""
