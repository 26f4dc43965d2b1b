"""Passes that forget one thing about structure are found on drawn graphs, and shrunk to one or two sites."""

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.support.structural_passes import DroppingSharedPads, FirstFunctionOnly, Folder, IgnoringScopes, MemoByName

from foldproof import check, strategies
from foldproof.campaign.shrinker import shrink
from foldproof.checking.failures import Failure, IllFormed
from foldproof.corpus.entry import load_case, save_case
from foldproof.generation.draw import draw
from foldproof.strategies.graphs import graphs

GRAPHS = 300


def first_failure(fold, *, complete, drawn):
    for graph in drawn:
        try:
            check(graph, fold, complete=complete, sample=0.0)
        except Failure as failure:
            return failure
    return None


@pytest.mark.slow
@pytest.mark.parametrize("make", [IgnoringScopes, FirstFunctionOnly, MemoByName, DroppingSharedPads])
def test_each_mistake_is_found_within_300_graphs_shrunk_and_replayed(make, tmp_path):
    fold, complete = make(), make is FirstFunctionOnly
    failure = first_failure(fold, complete=complete, drawn=draw(graphs(), GRAPHS, seed=1))
    assert failure is not None
    shrunk = shrink(failure, fold, seconds=600)
    assert shrunk.minimal
    assert len(shrunk.case.sites) <= 2
    again = first_failure(fold, complete=complete, drawn=[load_case(save_case(tmp_path, shrunk.case))])
    assert again is not None
    assert again.fingerprint == failure.fingerprint


@pytest.mark.slow
def test_the_same_pass_without_a_mistake_does_not_fail():
    verdicts = [check(graph, Folder(), complete=False, sample=0.0) for graph in draw(graphs(), 60, seed=1)]
    assert sum(verdict.folded for verdict in verdicts) >= 5


@pytest.mark.slow
def test_variables_that_are_read_outside_their_block_are_found_under_plain_given():
    """A pass whose modules are ill formed where a consumer reads the data of a pad in another scope."""

    @seed(1)
    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )
    @given(strategies.graphs())
    def property_of_my_pass(graph):
        try:
            check(graph, IgnoringScopes(), sample=0.0)
        except IllFormed:
            raise
        except Failure:
            pass  # the same mistake across a write in place

    with pytest.raises(IllFormed, match="not well formed"):
        property_of_my_pass()
