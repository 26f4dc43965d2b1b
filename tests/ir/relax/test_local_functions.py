"""foldproof.ir.relax.build_graph: a local function gets the data as it is before the pad."""

import pytest

from foldproof import Axis, Case, Step, check
from foldproof.case.graph import Graph, Site

BARE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), fills=("negative",))


@pytest.mark.parametrize(
    "fields", [{"input_stride": 2}, {"producers": (Step(kind="negative"),)}], ids=["strided", "produced"]
)
def test_what_stands_before_the_pad_stands_before_the_call(fields):
    case = Case(**{name: getattr(BARE, name) for name in ("op", "axes", "fills")}, **fields)
    assert check(Graph(sites=(Site(case=case, place="local"),))).folded
