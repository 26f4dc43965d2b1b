"""Reproducers of graphs: they run where neither foldproof nor the pass can be imported."""

from dataclasses import replace

import pytest
from tests.repro.test_script import BUNDLED, TARGET, ends

from foldproof import check
from foldproof.case import Axis, Case, Step
from foldproof.case.adoption import PADDED
from foldproof.case.graph import Function, Graph, Join, Site
from foldproof.checking.failures import Failure
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import parse_target
from foldproof.repro.script import write_script

CONV = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),))
PLAIN = Graph(sites=(Site(case=CONV),))
IN_PARTS = Graph(
    sites=(Site(case=CONV), Site(case=CONV, function=1)), functions=(Function(private=False, composite=True),)
)


def written(graph, fold, *, complete=True, target=TARGET):
    try:
        result = check(graph, fold, target, complete=complete)
    except Failure as failure:
        result = failure
    return write_script(graph, fold, target, result, fold_name="a pass")


def without_attributes(module):
    from tvm import relax

    part = module["part1"].without_attr("Composite")
    changed = {var: (part if var.name_hint == "part1" else each) for var, each in module.functions.items()}
    assert isinstance(part, relax.Function)
    return type(module)(changed)


def test_graphs_that_pass_end_with_ok(tmp_path):
    relu = replace(CONV, producers=(Step(kind="relu"),))
    graphs = {
        "branches": Graph(sites=(Site(case=CONV, place="branches"),)),
        "impure call": Graph(sites=(Site(case=CONV, place="past call"),)),
        "packed": Graph(sites=(Site(case=CONV, carrier="packed"),)),
        "written": Graph(sites=(Site(case=relu, written="callee"),)),
        "nested": Graph(sites=(Site(case=CONV), Site(case=CONV)), nested_outputs=True, joins=(Join(),)),
        "functions": IN_PARTS,
        "symbolic": Graph(sites=(Site(case=replace(CONV, symbolic=("N",)), carrier="symbolic clip"),)),
    }
    for name, (code, last) in ends({name: written(each, BUNDLED) for name, each in graphs.items()}, tmp_path).items():
        assert (code, last[:4]) == (0, "ok: "), (name, last)


def test_failures_of_graphs_are_shown(tmp_path):
    nothing = written(Graph(sites=(Site(case=CONV), Site(case=CONV, data=PADDED))), lambda module: module)
    attributes = written(IN_PARTS, without_attributes, complete=False)
    found = ends({"missed": nothing, "attributes": attributes}, tmp_path)
    message = "After has a pad, Folded does without it, and their results have the same bits"
    assert found["missed"] == (1, f"FAILED: {message}")
    assert found["attributes"][0] == 1
    assert found["attributes"][1].startswith("FAILED: part1 of After has the attributes ")


def test_a_graph_is_compiled_without_a_plan_of_memory():
    assert "LEFT_OUT: Any = ['StaticPlanBlockMemory']" in written(PLAIN, BUNDLED)
    assert "LEFT_OUT: Any = []" in write_script(CONV, BUNDLED, TARGET, check(CONV), fold_name="a pass")


@pytest.mark.parametrize("pipeline", ["fast", "default"])
def test_the_header_draws_the_graph(pipeline):
    text = written(PLAIN, BUNDLED, target=parse_target("llvm", pipeline))
    assert "# graph of 1 site" in text
    assert f"# {PLAIN!r}" in text
    assert RELAX.supported(PLAIN) == ""
