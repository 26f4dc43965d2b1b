"""The shards of a budget: their plan is the same whether a run waits for every shard or not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldproof.campaign.digest import Digest
from foldproof.case import Axis, Case
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.generation.shards import Plan

CASE = Case(op="max_pool1d", axes=(Axis(size=4),))


def test_shards_double_up_to_500_cases_and_the_last_one_takes_what_is_left():
    assert list(Plan(1000).pending()) == [(0, 60), (1, 120), (2, 240), (3, 480), (4, 100)]
    assert list(Plan(2000).pending())[4:] == [(4, 500), (5, 500), (6, 100)]


def test_the_last_shards_grow_where_one_has_fewer_cases():
    plan = Plan(200)
    assert list(plan.pending()) == [(0, 60), (1, 120), (2, 20)]
    plan.count(0, 50)
    assert list(plan.pending()) == [(1, 120), (2, 30)]


def test_shards_that_are_done_are_left_out_and_a_shard_without_cases_ends_the_plan():
    plan = Plan(None, {0: 60, 2: 240})
    pending = plan.pending()
    assert [next(pending), next(pending)] == [(1, 120), (3, 480)]
    plan.count(1, 0)
    assert list(plan.pending()) == []


def cases_of(shard, most, shortage):
    return max(0, most - shortage.get(shard, 0))


def one_after_another(examples, shortage):
    plan, sizes = Plan(examples), {}
    while (following := next(plan.pending(), None)) is not None:
        shard, most = following
        sizes[shard] = most
        plan.count(shard, cases_of(shard, most, shortage))
    return sizes


@given(st.integers(1, 99), st.dictionaries(st.integers(0, 9), st.integers(1, 59)), st.integers(0, 99))
def test_shards_that_are_final_in_any_order_have_the_sizes_of_those_in_order(tens, shortage, seed):
    """Like a cluster: all planned shards are submitted, and final ones are counted in a random order."""
    expected, plan, sizes, order = one_after_another(40 * tens, shortage), Plan(40 * tens), {}, random.Random(seed)
    while pending := list(plan.pending()):
        shard, most = order.choice([asked for asked in pending if plan.is_final(*asked)])
        sizes[shard] = most
        plan.count(shard, cases_of(shard, most, shortage))
    assert sizes == expected


def digest(*results):
    made = Digest()
    for result in results:
        made.add(CASE, result)
    return str(made)


@pytest.mark.parametrize(
    "other", [Verdict(folded=False), Verdict(folded=True, rules=("conv",)), failure("Miscompile", CASE, "values", "")]
)
def test_a_digest_distinguishes_outcomes_and_their_order(other):
    one = Verdict(folded=True)
    assert digest(one, other) == digest(one, other)
    assert len({digest(one, other), digest(other, one), digest(one, one), digest(one)}) == 4


def test_a_digest_leaves_out_what_a_dying_process_wrote():
    message = [failure("TargetCrashed", CASE, "SIGSEGV", detail) for detail in ("it wrote: a", "it wrote: b")]
    assert digest(message[0]) == digest(message[1])
