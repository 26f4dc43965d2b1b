"""foldproof.checking.completeness: which pads a complete pass must not leave."""

from dataclasses import replace

import pytest
from tests.support.blame import FOLDABLE, catch_failure

from foldproof import Axis, Case, Pad, Step, check
from foldproof.oracle.legality import Legality

CAST = Step(kind="astype", out_dtype="int8")


def test_missed_folds_of_other_passes_fail_only_with_complete():
    assert not check(FOLDABLE, fold=lambda mod: mod).folded
    assert catch_failure(FOLDABLE, fold=lambda mod: mod, complete=True).kind == "MissedFold"


def test_a_pad_of_channels_alone_is_not_a_missed_fold():
    case = Case(op="conv1d", axes=(Axis(size=4),), pad=Pad(channel=(0, 1)))
    assert check(case, fold=lambda module: module, complete=True).legality is None


@pytest.mark.parametrize("steps", [(), (Step(kind="relu"),), (Step(kind="pad", widths=(("W", 1, 0),)),)])
@pytest.mark.parametrize("form", ["op", "call_tir"])
def test_an_identity_pad_that_is_left_is_a_missed_fold(steps, form):
    case = Case(op="conv1d", axes=(Axis(size=4),), pad=Pad(form=form, value=7.0), steps=steps)
    assert catch_failure(case, fold=lambda module: module, complete=True).kind == "MissedFold"


def test_a_chain_that_could_fold_is_a_missed_fold():
    steps = (Step(kind="multiply", operand=(128.0,)), Step(kind="round"), Step(kind="clip"), CAST)
    case = Case(op="conv2d", axes=(Axis(size=4, pad=(1, 1)), Axis()), pad=Pad(channel=(0, 1)), steps=steps)
    assert catch_failure(case, fold=lambda module: module, complete=True).kind == "MissedFold"
    unclipped = replace(case, steps=(*steps[:2], CAST))
    assert check(unclipped, fold=lambda module: module, complete=True).legality is Legality.UNSPECIFIED
