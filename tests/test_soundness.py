"""The properties: whatever is drawn, the pass under test is sound; the bundled one is complete too."""

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import strategies
from harness import Axis, Case, Pad, Step, check, ops
from harness.fold import correcting, values


@pytest.mark.parametrize("op", ops.NAMES)
@pytest.mark.parametrize("strategy", [strategies.cases, strategies.foldable_cases, strategies.unfoldable_cases])
def test_the_pass_is_right_on_random_cases(op, strategy, fold_pass, fold_target, fold_examples, fold_seed):
    assert_right(strategy(op), fold_pass, fold_target, fold_examples, fold_seed)


@pytest.mark.parametrize("op", ["conv1d", "conv2d", "conv3d"])
def test_the_options_of_the_bundled_pass_are_right_on_random_cases(op, fold_target, fold_examples, fold_seed):
    assert_right(strategies.cases(op), correcting(), fold_target, fold_examples, fold_seed)


SHORT = ("int8", "uint8", "int16")
KINDS = ("add", "subtract", "multiply", "negative", "abs", "square")


@st.composite
def wrapping(draw):
    """Steps on short integers that may wrap; the last one makes of the border what the consumer pads with, or not."""
    op, dtype = draw(st.sampled_from(["conv1d", "max_pool1d"])), draw(st.sampled_from(SHORT))
    low, high = ops.int_range(dtype)
    numbers = st.sampled_from([0, 1, 2, 3, 16, 64, 100, 127, low, high, high - 1])
    border = pad = draw(numbers)
    steps = []
    for kind in draw(st.lists(st.sampled_from(KINDS[: 3 if dtype == "uint8" else None]), min_size=1, max_size=3)):
        if kind in values.UNARY:
            steps.append(Step(kind=kind))
            border = values.UNARY[kind](border, dtype)
        else:
            steps.append(Step(kind=kind, operand=(float(draw(numbers)),)))
            border = values.BINARY[kind](border, int(steps[-1].operand[0]), dtype)
    goal = (low if op == "max_pool1d" else 0) + draw(st.sampled_from([0, 0, 0, 1]))
    steps.append(Step(kind="add", operand=(float(values.BINARY["subtract"](goal, border, dtype)),)))
    axis = Axis(size=4, pad=draw(st.sampled_from([(1, 2), (0, 1)])), kernel=2)
    out_dtype = "int32" if op == "conv1d" else ""
    fills = ("integers", "extremes")
    return Case(
        op=op, axes=(axis,), dtype=dtype, pad=Pad(value=pad), steps=tuple(steps), out_dtype=out_dtype, fills=fills
    )


def test_short_integers_wrap_alike_in_the_border_and_in_the_data(fold_target, fold_seed):
    folded = []

    @hypothesis.seed(fold_seed)
    @hypothesis.settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(wrapping())
    def property_(case):
        folded.append(check(case, target=fold_target).folded)

    property_()
    assert 0.4 < sum(folded) / len(folded) < 1.0


def assert_right(cases, fold, target, examples, seed):
    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def property_(case):
        check(case, fold, target)

    property_()
