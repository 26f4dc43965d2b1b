"""foldproof.report.show: what ``foldproof show`` prints about a case, as snapshots."""

import io

import pytest
from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof import mutants
from foldproof.case import Axis, Case, Pad
from foldproof.case.adoption import PADDED as LINK
from foldproof.case.graph import Function, Graph, Site
from foldproof.corpus.entry import Entry
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.targets import parse_target
from foldproof.report.show import show

PADDED = Axis(size=4, pad=(1, 2), kernel=2)
PLAIN = Entry(case=Case(op="conv1d", axes=(PADDED,)), note="the smallest convolution", expect={"folded": "conv"})
REFUSED = Entry(case=Case(op="conv1d", axes=(PADDED,), pad=Pad(mode="reflect")), expect={"refused": "mode"})
POOL = Case(op="max_pool1d", axes=(PADDED,), pad=Pad(value=0.0))
IN_DOUBT = Entry(case=Case(op="avg_pool1d", axes=(PADDED,), dtype="int32"))
GRAPH = Entry(
    case=Graph(
        sites=(Site(case=PLAIN.case, place="past call"), Site(case=POOL, data=LINK, function=1)),
        functions=(Function(composite=True),),
    ),
    note="two readers of one pad",
)


def raise_error(module):
    raise RuntimeError("boom")


def shown(entry, fold):
    file = io.StringIO()
    passed = show(Console(file=file, width=100, highlight=False), entry, fold, parse_target("llvm"), complete=True)
    return passed, "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("name", "entry", "fold", "passes"),
    [
        ("report-show-folded", PLAIN, FoldExplicitPadding(), True),
        ("report-show-refused", REFUSED, FoldExplicitPadding(), True),
        ("report-show-in-doubt", IN_DOUBT, FoldExplicitPadding(), True),
        ("report-show-failed", REFUSED, mutants.mode_ignored(), False),
        ("report-show-graph", GRAPH, FoldExplicitPadding(), True),
        ("report-show-raised", PLAIN, raise_error, False),
    ],
)
def test_a_case_is_shown_before_and_after_the_pass_with_its_result(name, entry, fold, passes):
    passed, text = shown(entry, fold)
    assert passed is passes
    assert_snapshot(name, text)
