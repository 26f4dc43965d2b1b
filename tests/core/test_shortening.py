"""Long texts are shortened where they are equal, not where they differ."""

import pytest

from foldproof.core.shortening import MAX_PAIR_CHARS, shorten_middle, shorten_pair

TENSORS = [f'R.Tensor((1, {n}, 4), dtype="float32")' for n in range(12)]


def tuple_of(tensors):
    return f"R.Tuple({', '.join(tensors)})"


@pytest.mark.parametrize("position", [0, 5, 11])
def test_the_differing_part_of_two_long_types_is_kept(position):
    other = list(TENSORS)
    other[position] = f'R.Tensor((1, {position}, 5), dtype="int8")'
    got, want = shorten_pair(tuple_of(other), tuple_of(TENSORS))
    assert '5), dtype="int8")' in got
    assert '4), dtype="float32")' in want
    assert "..." in got
    assert max(len(got), len(want)) <= MAX_PAIR_CHARS


def test_short_types_and_what_is_as_long_as_allowed_are_kept():
    assert shorten_pair(TENSORS[0], TENSORS[1]) == (TENSORS[0], TENSORS[1])
    assert shorten_middle("a" * 10, 10) == "a" * 10
    assert shorten_middle("0123456789", 9) == "012...789"


def test_texts_that_differ_everywhere_are_cut_in_the_middle():
    got, want = shorten_pair("a" * 500, "b" * 500)
    assert got == "a" * 76 + "..." + "a" * 75
    assert len(want) <= MAX_PAIR_CHARS


def test_a_text_within_the_other_keeps_what_was_added():
    got, want = shorten_pair(tuple_of([*TENSORS, "R.Object"]), tuple_of(TENSORS))
    assert "R.Object" in got
    assert "R.Object" not in want


def test_lines_are_joined():
    assert shorten_pair("a\n  b", "a") == ("a b", "a")
