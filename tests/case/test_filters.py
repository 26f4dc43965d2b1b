"""foldproof.case.filters: filters on cases, as text."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof import Axis, Case, Pad, Step
from foldproof.case.filters import FIELDS, CaseFilter
from foldproof.case.ops import BY_NAME, NAMES

CASE = Case(
    op="conv2d",
    axes=(Axis(size=4, pad=(1, 2), kernel=2), Axis(size=5, stride=2, kernel=3)),
    pad=Pad(value=-1.5, form="call_tir", channel=(0, 1)),
    dtype="float16",
    data_layout="NHWC",
    steps=(Step(kind="relu"), Step(kind="astype", out_dtype="float32")),
    extra_outputs=("read",),
)

MATCHING = [
    "op == conv2d",
    "op in conv1d,conv2d",
    "op in conv1d, conv2d",
    "op in ('conv1d', 'conv2d')",
    "op != conv1d",
    "op not in conv1d,conv3d",
    "family == conv",
    "rank == 2",
    "dtype in float32,float16",
    "operand_dtype == float32",
    "data_layout == NHWC",
    "form == call_tir",
    "mode == constant",
    "value < 0",
    "value == -1.5",
    "value in -1.5,0",
    "min_pad >= 0",
    "max_pad == 2",
    "asymmetric == true",
    "pads_channels == true",
    "pads_batch == false",
    "max_kernel <= 3",
    "max_stride > 1",
    "steps in relu,clip",
    "steps not in clip",
    "steps != clip",
    "step_count == 2",
    "producers not in relu",
    "extra_outputs == read",
    "op == conv2d and dtype == float16 and min_pad>=0",
]

NOT_MATCHING = [
    "op == conv1d",
    "op not in conv2d,conv3d",
    "dtype in float32",
    "value >= 0",
    "max_stride <= 1",
    "steps not in relu",
    "steps == clip",
    "producers in relu",
    "op == conv2d and dtype == float32",
    "dtype == float32 and op == conv2d",
]

REFUSED = {
    "": "'' is not a condition on cases; expected FIELD in A,B, or FIELD == A",
    "dtype": "'dtype' is not a condition on cases",
    "dtype is float32": "'dtype is float32' is not a condition",
    "dtype = float32": "'dtype = float32' is not a condition",
    "dtype == float32 and": "'' is not a condition",
    "dtyp == float32": "unknown field 'dtyp' of a case; expected one of op, family,",
    "dtype in": "'dtype in' compares dtype with nothing",
    "dtype == float32,float16": "compares with several values; expected dtype in float32,float16",
    "dtype == floaty": "unknown dtype 'floaty'; expected one of float32, float16,",
    "dtype < float32": "dtype is not a number; expected in, not in, == or !=",
    "min_pad >= few": "min_pad is a number, and 'few' is not",
    "ceil_mode == 1": "unknown ceil_mode '1'; expected one of true, false",
    "op in conv2d,conv9d": "unknown op 'conv9d'; expected one of conv1d,",
}


@pytest.mark.parametrize("text", MATCHING)
def test_a_filter_matches_a_case_that_satisfies_it(text):
    assert CaseFilter.parse(text).matches(CASE)


@pytest.mark.parametrize("text", NOT_MATCHING)
def test_a_filter_does_not_match_a_case_that_breaks_one_condition(text):
    assert not CaseFilter.parse(text).matches(CASE)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_a_filter_is_refused_with_the_part_that_is_wrong(text):
    with pytest.raises(ValueError, match=re.escape(REFUSED[text])):
        CaseFilter.parse(text)


def test_each_field_reads_every_op_and_is_documented():
    for name in NAMES:
        case = Case(op=name, axes=(Axis(),) * BY_NAME[name].rank)
        for field in FIELDS.values():
            value = field.read(case)
            assert isinstance(value, int | float) if field.is_number else value <= set(field.words) or not field.words
    page = Path(__file__).parents[2] / "docs" / "how-to" / "scope.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    documented = {row.split("`")[1]: row.split("|")[2].strip() for row in rows if row.count("|") == 3}
    assert {name: documented.get(name) for name in FIELDS} == {name: field.text for name, field in FIELDS.items()}


def test_widths_of_later_pads_count():
    case = replace(CASE, steps=(Step(kind="pad", widths=(("W", -1, 0),)),))
    assert not CaseFilter.parse("min_pad >= 0").matches(case)
