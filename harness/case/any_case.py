"""What the harness draws, checks, shrinks, saves and replays: a case, a case in an ONNX form, or a graph of cases."""

from dataclasses import replace

from foldproof.case.case import Case
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase

AnyCase = Case | Graph | OnnxCase


def from_json(value: object) -> AnyCase:
    """Return the case, case in a form, or graph that ``to_json`` wrote, in any format.

    Raises:
        ValueError: if it is another value; the message names what is wrong.
    """
    if isinstance(value, dict) and "form" in value:
        return OnnxCase.from_json(value)
    kind = Graph if isinstance(value, dict) and "sites" in value else Case
    return kind.from_json(value)


def without_kernels(case: AnyCase) -> AnyCase:
    """Return the case with each pad and step as an op, in place of a kernel that is lowered already."""
    if isinstance(case, OnnxCase):
        return case
    if isinstance(case, Graph):
        return replace(case, sites=tuple(replace(site, case=_with_ops(site.case)) for site in case.sites))
    return _with_ops(case)


def _with_ops(case: Case) -> Case:
    producers, steps = (
        tuple(replace(step, form="op") if step.form == "call_tir" else step for step in steps)
        for steps in (case.producers, case.steps)
    )
    return replace(case, pad=replace(case.pad, form="op"), producers=producers, steps=steps)
