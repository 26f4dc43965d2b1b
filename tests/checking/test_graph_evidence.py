"""Which pads of a graph a complete pass may leave, and which it has to fold."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import tvm
from tests.support.graphs import CONV, POOL, RELU, STRUCTURES, WRITTEN, graph
from tvm import relax

from foldproof import FoldExplicitPadding, check
from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.adoption import PADDED, RESULT, adopt
from foldproof.case.graph import APART, Function, Graph, Site
from foldproof.checking.failures import Failure, MissedFold, StructureChanged
from foldproof.checking.graph_evidence import evidence_of
from foldproof.corpus.entry import load_entry
from foldproof.ir.base import ResidualPads, find_raised_issue
from foldproof.ir.relax.ir import RELAX
from foldproof.oracle.graphs import INEXACT
from foldproof.oracle.legality import Legality

MIRRORED = replace(CONV, pad=Pad(mode="reflect"))


def stays(made, index=0):
    return evidence_of(made, RELAX).stays(index)


def judged(made, *consumers):
    left = ResidualPads(foldable=len(consumers), identity=0, consumers=consumers)
    return evidence_of(made, RELAX).judge(left)


@pytest.mark.parametrize("place", ["block", "behind", "next block", "branch", "branches", "inside", "local"])
def test_a_legal_pad_may_not_stay_in_a_place_that_a_pass_sees_through(place):
    assert stays(graph(Site(case=CONV, place=place))) is None


@pytest.mark.parametrize("place", ["past call", "padded branch"])
def test_a_pad_may_stay_in_a_place_that_a_pass_need_not_see_through(place):
    assert stays(graph(Site(case=CONV, place=place))) is Legality.STRUCTURE


def test_a_pad_that_is_not_legal_stays_in_every_place():
    assert stays(graph(Site(case=CONV), Site(case=MIRRORED, place="behind")), 1) is Legality.ILLEGAL


@pytest.mark.parametrize("carrier", ["tuple", "packed", "dps", "match_symbols"])
def test_a_pass_need_not_see_through_a_carrier(carrier):
    assert stays(graph(Site(case=CONV, carrier=carrier))) is Legality.STRUCTURE


def test_a_pass_may_be_cautious_everywhere_where_anything_is_overwritten():
    made = graph(Site(case=WRITTEN, written="data"), Site(case=CONV))
    assert stays(made, 1) is Legality.STRUCTURE


def test_a_pad_in_another_function_than_its_consumer_may_stay():
    made = graph(
        Site(case=CONV), Site(case=adopt(POOL, CONV, PADDED), data=PADDED, function=1), functions=(Function(),)
    )
    assert stays(made, 0) is None
    assert stays(made, 1) is not None


def test_a_pass_that_leaves_more_pads_than_may_stay_missed_a_fold():
    made = graph(Site(case=CONV), Site(case=MIRRORED))
    assert judged(made, "conv1d") is Legality.ILLEGAL
    assert judged(made, "conv1d", "conv1d") is Legality.LEGAL
    assert judged(made) is None


def test_pads_are_counted_for_each_op():
    made = graph(Site(case=MIRRORED), Site(case=POOL))
    assert judged(made, "max_pool1d") is Legality.LEGAL
    assert judged(made, "conv1d") is Legality.ILLEGAL


def test_a_consumer_in_both_branches_counts_twice():
    made = graph(Site(case=MIRRORED, place="branches"))
    assert judged(made, "conv1d", "conv1d") is Legality.ILLEGAL
    assert judged(made, "conv1d", "conv1d", "conv1d") is Legality.LEGAL


MAY_STAY = {
    *(
        "place past call",
        "place padded branch",
        "function that is not pure",
        "shared pad around a call that is not pure",
    ),
    *("carrier match_symbols", "carrier tuple", "carrier packed", "carrier dps", "carrier symbolic clip"),
    *(f"local data {place}" for place in APART),
    *("written data", "written callee"),
}
"""By the table of docs/explanation/graphs.md."""


@pytest.mark.slow
@pytest.mark.parametrize("name", STRUCTURES)
def test_a_complete_pass_that_does_nothing_misses_exactly_what_may_not_stay(name):
    made = STRUCTURES[name]
    if name in MAY_STAY:
        assert not check(made, lambda module: module, complete=True).folded
    else:
        with pytest.raises(MissedFold):
            check(made, lambda module: module, complete=True)


def test_a_pass_may_copy_a_step_for_each_reader_but_not_more():
    returned = replace(CONV, steps=(RELU,), extra_outputs=("step",))
    try:
        assert check(graph(Site(case=returned)), FoldExplicitPadding(), complete=True).folded
    except Failure as failure:
        pytest.fail(str(failure))


def test_a_local_function_does_not_know_what_its_argument_holds():
    bounded = replace(CONV, producers=(Step(kind="clip", low=-1.0, high=0.0),))
    assert stays(Graph(sites=(Site(case=bounded, place="local"),))) is Legality.STRUCTURE
    assert stays(Graph(sites=(Site(case=CONV, place="local"),))) is None


def test_a_site_that_the_compiler_cannot_compile_is_a_known_issue_of_the_graph():
    copied = load_entry(Path(__file__).parents[1] / "data/corpus/max_pool1d-symbolic-copy.case.json").case
    plain = replace(CONV, fills=copied.fills)
    both = Graph(sites=(Site(case=plain), Site(case=copied)))
    issue = find_raised_issue(RELAX, both, "RewriteDataflowReshape: Check failed")
    assert issue is not None
    assert issue.name == "symbolic-copy"


def test_what_a_later_site_makes_of_data_that_is_not_defined_is_not_compared():
    """The transposed convolution makes NaN of the infinities, and a maximum of NaN depends on the order."""
    bordered = replace(
        POOL, pad=Pad(value=-math.inf), axes=(Axis(size=4, pad=(2, 2)),), channels=2, fills=("negative",)
    )
    spread = Case(op="conv1d_transpose", axes=(Axis(kernel=2, stride=2),), filters=2)
    spread = adopt(replace(spread, fills=("negative",)), bordered, RESULT)
    last = adopt(replace(bordered, axes=(Axis(pad=(2, 1), kernel=3),)), spread, RESULT)
    chain = Graph(sites=(Site(case=bordered), Site(case=spread, data=RESULT), Site(case=last, data=RESULT, of=1)))
    assert INEXACT in check(chain, complete=True).undefined


def test_a_step_that_is_several_calls_may_be_copied_with_all_of_them():
    shown = replace(CONV, pad=Pad(value=0.5), steps=(Step(kind="hardshrink"),), extra_outputs=("step",))
    assert check(Graph(sites=(Site(case=shown), Site(case=shown))), complete=True).folded


def test_no_compiler_simplifies_a_product_with_a_constant_that_is_bound_to_a_variable():
    spread = Case(op="conv1d_transpose", axes=(Axis(pad=(1, 0)),), pad=Pad(value=math.inf))
    zero = replace(spread, steps=(Step(kind="multiply", operand=(0.0,)),))
    assert check(Graph(sites=(Site(case=zero),), bound_constants=True))
    assert check(Graph(sites=(Site(case=zero),)))


def test_the_pad_of_a_site_is_that_of_the_first_site_that_shares_it():
    third = STRUCTURES["pad that three share"]
    assert [third.pad_owner(index) for index in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("complete", [True, False])
def test_only_a_complete_pass_is_asked_to_leave_functions_as_they_are(complete):
    def rebuild(module):
        return tvm.IRModule({var: copy_of(function) for var, function in module.functions.items()})

    made = STRUCTURES["function True False"]
    if complete:
        with pytest.raises(StructureChanged, match="is another object"):
            check(made, rebuild, complete=True)
    else:
        assert check(made, rebuild, complete=False)


def copy_of(function):
    return relax.Function(
        function.params, function.body, function.ret_ty, function.is_pure, function.attrs, function.span
    )
