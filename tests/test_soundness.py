"""The properties: whatever is drawn, the pass under test is sound; the bundled one is complete too."""

import hypothesis
import pytest
from hypothesis import HealthCheck, given

import strategies
from harness import check, ops


@pytest.mark.parametrize("op", ops.NAMES)
@pytest.mark.parametrize("strategy", [strategies.cases, strategies.foldable_cases, strategies.unfoldable_cases])
def test_the_pass_is_right_on_random_cases(op, strategy, fold_pass, fold_target, fold_examples, fold_seed):
    @hypothesis.seed(fold_seed)
    @hypothesis.settings(max_examples=fold_examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy(op))
    def property_(case):
        check(case, fold_pass, fold_target)

    property_()
