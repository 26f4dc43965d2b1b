"""Every structure of a graph is built, is well formed, and computes what the reference says."""

import pytest
from tests.support.graphs import CONV, STRUCTURES
from tvm import relax

from foldproof.case.graph import Graph, Site
from foldproof.checking.batch import check_batch
from foldproof.checking.failures import Failure
from foldproof.checking.graph_evidence import evidence_of
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import parse_target

GRAPHS = tuple(STRUCTURES.values())


def outcomes(pipeline, fold, graphs):
    """The results of the graphs, compiled together."""
    return check_batch(graphs, fold, parse_target("llvm", pipeline), complete=False, sample=0.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_each_structure_is_well_formed_and_has_the_parameters_of_the_oracle(name):
    module = RELAX.build(STRUCTURES[name])
    assert RELAX.verify(module) == ""
    evidence = evidence_of(STRUCTURES[name], RELAX)
    for run in evidence.inputs:
        assert len(module["main"].params) == len(evidence.arguments(run))


def test_each_structure_computes_the_reference_on_the_fast_pipeline():
    for name, result in zip(STRUCTURES, outcomes("fast", lambda module: module, GRAPHS), strict=True):
        assert not isinstance(result, Failure), (name, result)
        assert not result.in_doubt or name == "join maximum", (name, result)  # the sign of a zero is open there


@pytest.mark.slow
def test_each_structure_computes_the_reference_on_the_default_pipeline():
    for name, result in zip(STRUCTURES, outcomes("default", lambda module: module, GRAPHS), strict=True):
        assert not isinstance(result, Failure), (name, result)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["fast", "default"])
def test_the_bundled_pass_is_right_in_each_structure(pipeline):
    for name, result in zip(STRUCTURES, outcomes(pipeline, FoldExplicitPadding(), GRAPHS), strict=True):
        assert not isinstance(result, Failure), (name, result)


@pytest.mark.parametrize(("place", "is_local"), [("block", True), ("behind", False)])
def test_a_padded_tensor_is_local_to_its_block_unless_something_outside_reads_it(place, is_local):
    module = RELAX.build(Graph(sites=(Site(case=CONV, place=place),)))
    padded = module["main"].body.blocks[0].bindings[0].var
    assert isinstance(padded, relax.DataflowVar) is is_local


def test_equal_names_are_the_names_of_all_variables():
    module = RELAX.build(Graph(sites=(Site(case=CONV), Site(case=CONV)), equal_names=True))
    names = {var.name for block in module["main"].body.blocks for var in (b.var for b in block.bindings)}
    assert names == {"lv"}


def test_equal_graphs_are_equal_modules_and_others_differ():
    modules = [RELAX.build(graph) for graph in GRAPHS]
    assert all(RELAX.same(module, RELAX.build(graph)) for graph, module in zip(GRAPHS[:5], modules, strict=False))
    assert not any(RELAX.same(a, b) for i, a in enumerate(modules) for b in modules[:i])
