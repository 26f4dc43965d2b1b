"""foldproof.campaign.failing: the first failing cases are kept, whatever the order in which they arrive."""

import json
import random

from foldproof import Axis, Case
from foldproof.campaign import failing
from foldproof.campaign.failing import FailingCase, FailingCases, Place
from foldproof.checking.failures import failure

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),))
WRONG = failure("Miscompile", CASE, "values", "out[0] = 1, but should be 2")
PLACES = [Place(shard, offset) for shard in range(4) for offset in range(5)]


def kept(places):
    cases = FailingCases()
    for place in places:
        cases.add(FailingCase(place=place, failure=WRONG))
    return cases


def test_the_first_cases_are_kept_in_any_order_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(failing, "MOST_KEPT", 7)
    for seed in range(5):
        cases = kept(random.Random(seed).sample(PLACES, len(PLACES)))
        assert [each.place for each in cases.kept] == PLACES[:7]
        assert cases.dropped == len(PLACES) - 7


def test_a_record_leaves_out_what_the_campaign_does_not_need_and_counts_it(monkeypatch):
    monkeypatch.setattr(failing, "MOST_KEPT", 7)
    whole = kept(PLACES)
    record = json.loads(json.dumps(kept(PLACES[5:10]).to_dict(whole)))
    assert ([each["index"] for each in record["cases"]], record["dropped"]) == ([0, 1], 3)
    again = FailingCases()
    again.absorb(record, 1, 0, known=False)
    assert [(each.place, each.failure.case, each.failure.detail) for each in again.kept] == [
        (place, CASE, WRONG.detail) for place in PLACES[5:7]
    ]
    assert again.dropped == 3
