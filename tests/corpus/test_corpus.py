"""Corpus files: written atomically, never over another case; the bundled corpus has notes and expectations."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof.case import Axis, Case, Pad
from foldproof.checking.result import Verdict
from foldproof.corpus.entry import (
    CorpusError,
    Entry,
    case_files,
    dumps,
    file_name,
    load_entry,
    require_writable,
    save_entry,
)
from foldproof.oracle.legality import Legality

CASE = Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),), pad=Pad(value=float("nan")))
ENTRY = Entry(case=CASE, note="a note", expect={"refused": "value"}, found={"failure": "Miscompile/conv/values"})

CORPUS = sorted((Path(__file__).parents[1] / "data" / "corpus").glob("*.case.json"))


def test_an_entry_is_what_was_saved(tmp_path):
    path = save_entry(tmp_path, ENTRY)
    assert load_entry(path) == ENTRY
    assert path.name.startswith("conv1d-Miscompile-values-")
    assert path.name.endswith(".case.json")
    assert json.loads(path.read_text())["case"]["pad"] == {"value": "nan"}


def test_saving_leaves_no_other_file(tmp_path):
    path = save_entry(tmp_path, ENTRY)
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_case_is_saved_once_and_what_is_known_of_it_stays(tmp_path):
    path = save_entry(tmp_path, ENTRY)
    assert save_entry(tmp_path, replace(ENTRY, note="another note")) == path
    assert load_entry(path).note == "a note"


def test_another_case_of_the_same_name_is_never_overwritten(tmp_path):
    path = tmp_path / file_name(ENTRY)
    other = dumps(Entry(case=Case(op="conv1d", axes=(Axis(),))))
    path.write_text(other)
    with pytest.raises(CorpusError, match="holds another case; nothing was written"):
        save_entry(tmp_path, ENTRY)
    assert path.read_text() == other
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for attempt in (lambda: save_entry(tmp_path / "file", ENTRY), lambda: require_writable(tmp_path / "file")):
        with pytest.raises(CorpusError, match=r"corpus folder .*file: cannot be written"):
            attempt()


def test_paths_are_files_and_the_cases_in_folders(tmp_path):
    first = save_entry(tmp_path / "a", ENTRY)
    second = save_entry(tmp_path / "a" / "b", Entry(case=Case(op="conv1d", axes=(Axis(),))))
    (tmp_path / "a" / "other.json").write_text("{}")
    assert set(case_files([tmp_path / "a"])) == {first, second}
    assert list(case_files([first])) == [first]
    with pytest.raises(CorpusError, match="does not exist"):
        list(case_files([tmp_path / "missing"]))


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({}, None),
        ({"refused": "value"}, None),
        ({"folded": "conv"}, "expected folded 'conv', but got none"),
        ({"refused": "mode"}, "expected refused 'mode', but got 'value'"),
        ({"known_issue": "x"}, "expected known_issue 'x', but got none"),
        ({"refused": "value", "undefined": "NaN into max_pool"}, None),
    ],
)
def test_a_verdict_is_compared_with_what_is_expected(expect, problem):
    verdict = Verdict(
        folded=False, legality=Legality.ILLEGAL, reasons=(("value", "..."),), undefined=("NaN into max_pool",)
    )
    assert Entry(case=CASE, expect=expect).unexpected_outcome(verdict) == problem


def test_the_corpus_has_at_least_forty_cases_that_all_differ():
    entries = [load_entry(path) for path in CORPUS]
    assert len({entry.case for entry in entries}) == len(entries) >= 40


def test_every_case_of_the_corpus_has_a_note_and_an_expectation():
    for path in CORPUS:
        entry = load_entry(path)
        assert entry.note, path
        assert entry.expect, path
