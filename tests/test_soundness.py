"""The properties: whatever is drawn, the pass under test is sound; the bundled one is complete too."""

import hypothesis
import pytest
from hypothesis import HealthCheck, given

import strategies
from harness import check, ops
from harness.fold import correcting


@pytest.mark.parametrize("op", ops.NAMES)
@pytest.mark.parametrize("strategy", [strategies.cases, strategies.foldable_cases, strategies.unfoldable_cases])
def test_the_pass_is_right_on_random_cases(op, strategy, fold_pass, fold_target, fold_examples, fold_seed):
    assert_right(strategy(op), fold_pass, fold_target, fold_examples, fold_seed)


@pytest.mark.parametrize("op", ["conv1d", "conv2d", "conv3d"])
def test_the_options_of_the_bundled_pass_are_right_on_random_cases(op, fold_target, fold_examples, fold_seed):
    assert_right(strategies.cases(op), correcting(), fold_target, fold_examples, fold_seed)


def assert_right(cases, fold, target, examples, seed):
    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def property_(case):
        check(case, fold, target)

    property_()
