"""foldproof.checking.scope: what a pass declares that it does not fold, and what that excuses."""

import math
from dataclasses import replace

import pytest
from tests.support.blame import FOLDABLE, catch_failure

from foldproof import Graph, Pad, Site, check
from foldproof.core.errors import UsageError


class FoldsNothing:
    """A pass that folds nothing, declares ``out_of_scope``, and gives ``reasons`` if it is given some."""

    def __init__(self, out_of_scope, *reasons):
        self.out_of_scope = out_of_scope
        if reasons:
            self.reasons = lambda module: reasons

    def __call__(self, module):
        return module


DECLINED = [
    (("rare",), "rare"),
    (["rare"], "rare"),
    (("rare",), ("rare", "conv1d is rare")),
    ({"rare": None}, "rare"),
    ({"rare": "op == conv1d"}, "rare"),
    ({"common": "op == conv2d", "rare": "op == conv1d"}, "rare"),
]

MISSED = [
    ((), "rare"),
    (("common",), "rare"),
    ({"rare": "op == conv2d"}, "rare"),
    ({"common": "op == conv1d"}, "rare"),
    ({"common": "op == conv1d"}, 7),
]


@pytest.mark.parametrize(("declared", "reason"), DECLINED)
def test_a_fold_that_the_pass_declines_by_a_declared_reason_is_not_missed(declared, reason):
    verdict = check(FOLDABLE, fold=FoldsNothing(declared, reason), complete=True)
    assert (verdict.folded, verdict.declined) == (False, ("rare",))


@pytest.mark.parametrize(("declared", "reason"), MISSED)
def test_another_reason_or_a_case_outside_its_filter_is_a_missed_fold(declared, reason):
    assert catch_failure(FOLDABLE, fold=FoldsNothing(declared, reason), complete=True).kind == "MissedFold"


def test_a_pass_without_reasons_declares_by_filters_alone():
    fold = FoldsNothing({"rare": "op == conv1d and dtype == float32"})
    assert check(FOLDABLE, fold=fold, complete=True).declined == ("rare",)
    assert catch_failure(replace(FOLDABLE, dtype="float64"), fold=fold, complete=True).kind == "MissedFold"


def test_the_scope_excuses_no_wrong_fold():
    from foldproof import mutants

    class Wrong:
        out_of_scope = {"anything": "rank >= 1"}

        def __call__(self, module):
            return mutants.begin_end_swapped()(module)

    assert catch_failure(FOLDABLE, fold=Wrong(), complete=True).kind == "Miscompile"


def test_the_reasons_of_a_pass_are_those_of_the_verdict():
    fold = FoldsNothing((), "rare", ("layout", "NHWC is for tomorrow"), 7)
    assert check(FOLDABLE, fold=fold).reasons == (("rare", "rare"), ("layout", "NHWC is for tomorrow"))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("rare", "out_of_scope of the pass is 'rare'; expected kinds of refusals, or a mapping"),
        (7, "out_of_scope of the pass is 7; expected"),
        (("rare",), "but the pass gives no reasons; add a method"),
        ({"rare": 7}, "maps 'rare' to 7; expected a filter"),
        ({7: None}, "out_of_scope of the pass has 7; expected the kind"),
        ({"rare": "dtyp == int8"}, "out_of_scope of the pass, 'rare': unknown field 'dtyp'"),
    ],
)
def test_a_scope_of_another_form_is_refused(declared, message):
    with pytest.raises(UsageError) as raised:
        check(FOLDABLE, fold=FoldsNothing(declared), complete=True)
    assert message in str(raised.value)


# --- graphs -------------------------------------------------------------------------------------------

MAX_POOL = replace(FOLDABLE, op="max_pool1d", pad=Pad(value=-math.inf))
BOTH = Graph(sites=(Site(case=FOLDABLE), Site(case=MAX_POOL)))


def test_a_graph_is_declined_if_every_missed_site_is():
    both = FoldsNothing({"conv": "family == conv", "pool": "family == max_pool"}, "conv", "pool")
    assert set(check(BOTH, both, complete=True).declined) == {"conv", "pool"}
    one = FoldsNothing({"pool": "family == max_pool"}, "conv", "pool")
    assert catch_failure(BOTH, fold=one, complete=True).fingerprint == "MissedFold/graph/pad left"


def test_an_identity_pad_that_nothing_reads_is_of_its_site():
    bare = replace(FOLDABLE, axes=tuple(replace(axis, pad=(0, 0)) for axis in FOLDABLE.axes))
    unread = Graph(sites=(Site(case=bare, unread=True),))
    assert check(unread, FoldsNothing({"conv": "family == conv"}, "conv"), complete=True).declined == ("conv",)
