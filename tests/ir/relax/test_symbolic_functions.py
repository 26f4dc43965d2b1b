"""Functions of a graph whose parameters have lengths that are expressions."""

from dataclasses import replace

import pytest
from tvm import relax

from foldproof import Axis, Case, check
from foldproof.case.adoption import PADDED, RESULT, adopt
from foldproof.case.graph import Function, Graph, Site
from foldproof.ir.relax.build_graph import build_graph

STRIDED = Case(op="conv1d", axes=(Axis(size=5, pad=(1, 1), kernel=2),), symbolic=("W",), input_stride=2)


@pytest.mark.parametrize("link", [PADDED, RESULT])
def test_a_function_that_takes_an_expression_of_lengths_is_well_formed(link):
    other = adopt(replace(STRIDED, input_stride=1), STRIDED, link)
    graph = Graph(sites=(Site(case=STRIDED), Site(case=other, data=link, function=1)), functions=(Function(),))
    relax.analysis.well_formed(build_graph(graph))
    assert not check(graph, target="llvm").in_doubt
