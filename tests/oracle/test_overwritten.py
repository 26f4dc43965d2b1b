"""foldproof.oracle.graphs: what an in-place call leaves of the data before a pad."""

import pytest

from foldproof import Axis, Case, Step, check
from foldproof.case.graph import Graph, Site

WIDE_WINDOW = Case(op="conv1d", axes=(Axis(size=2, pad=(1, 2), kernel=4),), producers=(Step(kind="relu"),))
STEPS = Case(
    op="conv1d",
    axes=(Axis(size=3, pad=(1, 1), kernel=2),),
    producers=(Step(kind="abs"),),
    steps=(Step(kind="relu"),),
    extra_outputs=("step",),
)


@pytest.mark.parametrize("case", [WIDE_WINDOW, STEPS], ids=["window wider than the data", "step returned"])
@pytest.mark.parametrize("written", ["data", "callee"])
def test_overwritten_data_is_twice_the_data(case, written):
    assert not check(Graph(sites=(Site(case=case, written=written),))).in_doubt
