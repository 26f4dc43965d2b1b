"""Defects planted into a right pass on ONNX: every one is killed, and the right pass is not."""

import pytest
from tests.support.onnx_fold import DEFECT_NAMES, FoldPads

from foldproof.checking.check import check
from foldproof.checking.failures import Failure
from foldproof.generation.draw import draw
from foldproof.ir.onnx.ir import ONNX
from foldproof.strategies.onnx_cases import onnx_cases

MOST = 1000
"""Cases of a seed within which each defect is killed."""

SEEDS = (1, 2, 3, 4, 5)


def find_failure(case, fold):
    """Return the failure of a pass on a case; None if there is none."""
    try:
        check(case, fold)
    except Failure as failure:
        return failure
    return None


def run_defects(cases, names=DEFECT_NAMES):
    """Return the number of the case that kills each defect. A defect is checked where it changes the result."""
    killed, folds, right = {}, 0, FoldPads()
    for number, case in enumerate(cases, start=1):
        if ONNX.supported(case):
            continue
        model = ONNX.build(case)
        expected = right(model)
        if not ONNX.same(model, expected):
            folds += 1
        failure = find_failure(case, right)
        assert failure is None, failure
        for name in names:
            changes = name not in killed and _differs(FoldPads(name), model, expected)
            if changes and find_failure(case, FoldPads(name)):
                killed[name] = number
    return killed, folds


def _differs(fold, model, expected):
    try:
        return not ONNX.same(fold(model), expected)
    except Exception:
        return True


def test_there_are_at_least_25_defects():
    assert len(set(DEFECT_NAMES)) == len(DEFECT_NAMES) >= 25


def test_the_right_pass_folds_and_most_defects_are_killed_soon():
    killed, folds = run_defects(draw(onnx_cases("conv1d", "max_pool1d", "avg_pool1d"), 120, 1))
    assert folds >= 5
    assert len(killed) > len(DEFECT_NAMES) // 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_every_defect_is_killed_within_1000_cases(seed):
    killed, _ = run_defects(draw(onnx_cases(), MOST, seed))
    assert sorted(set(DEFECT_NAMES) - set(killed)) == []
