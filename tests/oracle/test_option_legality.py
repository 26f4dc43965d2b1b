"""foldproof.oracle.option_legality: what an option allows, and that a pass which does less misses a fold."""

import pytest
from tests.support.relax import is_correctable, is_sliceable

from foldproof.case import Axis, Case, Pad, Step
from foldproof.checking.check import check
from foldproof.checking.failures import MissedFold
from foldproof.checking.prepare import options_of
from foldproof.fold import FoldExplicitPadding, conv_rules
from foldproof.generation.draw import draw, strategy_of
from foldproof.oracle.option_legality import NO_OPTIONS

BOTH = FoldExplicitPadding(nonzero="correct", channels="slice")
NINE = Pad(value=9.0)


def conv(**fields):
    axes = fields.pop("axes", (Axis(size=3, pad=(1, 0), kernel=2),))
    return Case(op="conv1d", axes=axes, **({"dtype": "int8", "out_dtype": "int32"} | fields))


CORRECTABLE = {
    "integers": (conv(pad=NINE), True),
    "a weight that is known": (conv(pad=NINE, constant_weight=True), True),
    "an unknown batch": (conv(pad=NINE, symbolic=("N",)), True),
    "an unknown length": (conv(pad=NINE, symbolic=("W",)), False),
    "floats, which round": (conv(pad=NINE, dtype="float32", out_dtype=""), False),
    "another value for each channel": (
        conv(pad=NINE, channels=2, steps=(Step(kind="add", operand=(1.0, 2.0), axis="C"),)),
        True,
    ),
    "another value for each place": (
        conv(pad=NINE, steps=(Step(kind="add", operand=(1.0, 2.0, 3.0, 4.0), axis="W"),)),
        False,
    ),
    "a value of the run": (conv(pad=NINE, steps=(Step(kind="add", operand=(1.0,), constant=False),)), False),
    "a mirror of what is 0": (conv(pad=Pad(mode="replicate"), steps=(Step(kind="multiply", operand=(0.0,)),)), False),
    "a mirror of what is 127": (
        conv(pad=Pad(mode="replicate"), steps=(Step(kind="maximum", operand=(127.0,)),)),
        False,
    ),
    "a mirror": (conv(pad=Pad(mode="reflect"), axes=(Axis(size=3, pad=(1, 0), kernel=2),)), False),
    "an unknown mode": (conv(pad=Pad(mode="symmetric")), False),
    "a value that wraps": (conv(pad=Pad(value=-128.0), steps=(Step(kind="negative"),)), False),
    "a crop that is padded again": (conv(pad=NINE, axes=(Axis(size=5, pad=(-1, 1), kernel=2, padding=(1, 0)),)), False),
    "a pool": (Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), dtype="int8", pad=NINE), False),
}

SLICEABLE = {
    "zeros": (conv(pad=Pad(channel=(1, 2))), True),
    "zeros of a value that becomes one": (
        conv(pad=Pad(value=3.0, channel=(0, 1)), steps=(Step(kind="subtract", operand=(3.0,)),)),
        True,
    ),
    "channels alone": (conv(pad=Pad(channel=(1, 0)), axes=(Axis(size=3),)), True),
    "floats that are known": (conv(pad=Pad(channel=(1, 0)), dtype="float32", out_dtype="", constant_weight=True), True),
    "floats that may be infinite": (conv(pad=Pad(channel=(1, 0)), dtype="float32", out_dtype=""), False),
    "floats that are infinite": (
        conv(pad=Pad(channel=(1, 0)), dtype="float32", out_dtype="", constant_weight=True, fills=("specials",)),
        False,
    ),
    "another value": (conv(pad=Pad(value=3.0, channel=(1, 0))), False),
    "groups": (conv(pad=Pad(channel=(1, 1)), channels=2, filters=2, groups=2), False),
    "channels that are cropped": (conv(pad=Pad(channel=(-1, 0)), channels=2), False),
    "no channels": (conv(), False),
    "a mirror of what is 0": (
        conv(pad=Pad(mode="replicate", channel=(1, 0)), steps=(Step(kind="multiply", operand=(0.0,)),)),
        False,
    ),
}


@pytest.mark.parametrize(("case", "expected"), CORRECTABLE.values(), ids=CORRECTABLE)
def test_which_borders_a_term_can_correct(case, expected):
    assert is_correctable(case) is expected


@pytest.mark.parametrize(("case", "expected"), SLICEABLE.values(), ids=SLICEABLE)
def test_which_channels_can_be_sliced(case, expected):
    assert is_sliceable(case) is expected


@pytest.mark.parametrize(("case", "_"), [*CORRECTABLE.values(), *SLICEABLE.values()], ids=[*CORRECTABLE, *SLICEABLE])
def test_the_bundled_pass_uses_its_options(case, _):
    check(case, BOTH)


def test_only_options_of_a_complete_pass_count():
    assert options_of(FoldExplicitPadding()) == NO_OPTIONS
    assert options_of(BOTH) != NO_OPTIONS
    assert options_of(FoldExplicitPadding(nonzero="correct", allow_negative=False)) == NO_OPTIONS
    assert options_of(lambda module: module) == NO_OPTIONS


def test_a_pass_that_corrects_less_than_its_option_allows_misses_a_fold(monkeypatch):
    monkeypatch.setattr(conv_rules, "_can_correct", lambda propagated, options: False)
    case = CORRECTABLE["integers"][0]
    check(case)
    with pytest.raises(MissedFold, match="a term that does not depend on the data can correct the border") as caught:
        check(case, BOTH)
    assert caught.value.symptom == "option unused"


def test_a_pass_that_slices_less_than_its_option_allows_misses_a_fold(monkeypatch):
    monkeypatch.setattr(conv_rules.IntoConv, "letters", conv_rules.Rule.letters)
    with pytest.raises(MissedFold, match="the channels that the pad adds do not change the result"):
        check(SLICEABLE["zeros"][0], BOTH)


@pytest.mark.parametrize("op", ["conv1d", "conv2d", "conv3d"])
def test_the_bundled_pass_uses_its_options_on_random_cases(op):
    drawn = draw(strategy_of((op,), "cases"), 60, 11)
    allowed = [case for case in drawn if is_correctable(case) or is_sliceable(case)]
    assert allowed
    for case in allowed:
        check(case, BOTH, sample=0.0)
