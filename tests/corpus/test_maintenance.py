"""``foldproof corpus``: problems of files, redundant files, and the migration of old formats."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from foldproof.case import Axis, Case, Pad, Step
from foldproof.cli.commands.corpus import corpus as command
from foldproof.core import files
from foldproof.core.errors import FileError, UsageError
from foldproof.corpus import entry as corpus
from foldproof.corpus.coverage import coverage_of, layout_class, outcomes
from foldproof.corpus.entry import CorpusError, Entry, dumps, file_name, load_entry, save_entry
from foldproof.corpus.maintenance import find_problems, find_redundant, migrate
from foldproof.fold import FoldExplicitPadding

CASE = Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),))
LARGER = replace(CASE, axes=(Axis(size=5, pad=(1, 0), kernel=2),))
OTHER = replace(CASE, pad=Pad(value=1.0))
FOUND = {"failure": "Miscompile/conv/values"}

FORMATS = Path(__file__).parents[1] / "data" / "formats"
CORPUS = Path(__file__).parents[1] / "data" / "corpus"


def run(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


# --- check --------------------------------------------------------------------------------------------


def test_the_corpus_of_this_repository_has_no_problem():
    done = run("check", CORPUS)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].endswith(" files, 0 problems")


def test_a_saved_case_and_one_with_a_name_of_its_own_have_no_problem(tmp_path):
    found = save_entry(tmp_path, Entry(case=CASE, found=FOUND))
    given = tmp_path / "conv1d-by-hand.case.json"
    given.write_text(dumps(Entry(case=OTHER, note="what it guards")))
    assert list(find_problems([found, given])) == []


def test_each_problem_is_one_line_that_names_its_file(tmp_path):
    right = save_entry(tmp_path, Entry(case=CASE, found=FOUND))
    wrong = right.rename(tmp_path / right.name.replace("Miscompile", "WrongType"))
    same = tmp_path / "same.case.json"
    same.write_text(dumps(Entry(case=CASE, note="the same case")))
    silent = tmp_path / "silent.case.json"
    silent.write_text(dumps(Entry(case=OTHER)))
    long = tmp_path / "long.case.json"
    long.write_text(dumps(Entry(case=LARGER, note="two\nlines")))
    broken = tmp_path / "broken.case.json"
    broken.write_text("{")
    assert list(find_problems([wrong, same, silent, long, broken])) == [
        f"{wrong}: is named after another case or failure; expected the name {right.name}",
        f"{same}: holds the same case as {wrong}",
        f"{silent}: has neither a note nor a failure; expected a note that tells what it guards",
        f"{long}: has a note of several lines; expected one line",
        f"{broken}: is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ]
    done = run("check", tmp_path)
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "5 files, 5 problems"


# --- stats --------------------------------------------------------------------------------------------


def test_stats_count_ops_rules_refusals_dtypes_and_layouts(tmp_path):
    for case in (CASE, LARGER, OTHER, replace(CASE, data_layout="NWC", dtype="int8")):
        save_entry(tmp_path, Entry(case=case))
    done = run("stats", tmp_path)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()]
    assert ["op", "conv1d", "4"] in rows
    assert ["folded", "conv", "3"] in rows
    assert ["refused", "value", "1"] in rows
    assert ["dtype", "float32", "3"] in rows
    assert ["int8", "1"] in rows
    assert ["layout", "channels", "first", "3"] in rows
    assert rows[-1] == ["all", "4"]


def folds_nothing(module):
    return module


def explains():
    return FoldExplicitPadding()


def raises(module):
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (f"{__name__}:explains", [["folded", "conv", "1"], ["refused", "mode", "1"], ["value", "1"]]),
        (
            "foldproof.mutants:mode_ignored",
            [["folded", "no", "rule", "given", "2"], ["refused", "no", "reason", "given", "1"]],
        ),
        (f"{__name__}:folds_nothing", [["refused", "no", "reason", "given", "3"]]),
        (f"{__name__}:raises", [["failed", "CompileError/conv/pass", "3"]]),
    ],
    ids=["explains", "does not explain", "folds nothing", "raises"],
)
def test_stats_count_the_outcomes_of_the_named_pass(name, rows, tmp_path):
    circular = replace(CASE, pad=Pad(mode="circular"))
    for case, expect in ((CASE, "folded"), (OTHER, "refused"), (circular, "refused")):
        save_entry(tmp_path, Entry(case=case, expect={expect: "as the bundled pass does"}))
    done = run("stats", "--pass", name, tmp_path)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == f"outcomes of the pass {name}"
    counted = [line.split() for line in done.output.splitlines()]
    starts, ends = (i for i, row in enumerate(counted) if row[:2] in (["op", "conv1d"], ["dtype", "float32"]))
    assert counted[starts + 1 : ends] == rows


def test_a_pass_that_cannot_be_loaded_is_a_usage_error(tmp_path):
    save_entry(tmp_path, Entry(case=CASE))
    with pytest.raises(UsageError, match="has no attribute 'missing'"):
        raise run("stats", "--pass", f"{__name__}:missing", tmp_path).exception


def test_a_case_covers_its_sites_and_what_is_expected_of_it():
    entry = Entry(case=replace(OTHER, steps=(Step(kind="relu"),)), expect={"undefined": "x"}, found=FOUND)
    assert outcomes(entry) == ("refused value", "undefined x")
    assert {c.outcome for c in coverage_of(entry)} == {"refused value", "undefined x"}
    [some, _] = coverage_of(entry)
    assert (some.family, some.steps, some.form, some.failure) == ("conv", ((), ("relu",)), "op", FOUND["failure"])


@pytest.mark.parametrize(
    ("case", "layout"),
    [
        (CASE, "channels first"),
        (replace(CASE, data_layout="NWC"), "channels last"),
        (replace(CASE, data_layout="CNW"), "other"),
        (replace(CASE, steps=(Step(kind="permute_dims", source="NWC"),)), "other"),
    ],
)
def test_a_layout_has_a_class(case, layout):
    assert layout_class(case) == layout


# --- minimize -----------------------------------------------------------------------------------------


def entries(*given):
    return [(Path(f"{i}.case.json"), entry) for i, entry in enumerate(given)]


def test_of_two_cases_that_cover_the_same_the_larger_one_is_redundant():
    assert find_redundant(entries(Entry(case=CASE), Entry(case=LARGER))) == {Path("1.case.json"): Path("0.case.json")}
    assert find_redundant(entries(Entry(case=CASE), Entry(case=OTHER))) == {}


def test_a_case_that_several_others_cover_together_is_redundant():
    both = {"undefined": "x"}
    whole = Entry(case=LARGER, expect=both)
    left = find_redundant(entries(whole, Entry(case=CASE), Entry(case=replace(CASE, seed=1), expect=both)))
    assert Path("0.case.json") in left


def test_a_case_with_a_note_stays():
    assert find_redundant(entries(Entry(case=CASE), Entry(case=LARGER, note="a reason"))) == {
        Path("0.case.json"): Path("1.case.json")
    }
    assert find_redundant(entries(Entry(case=CASE, note="a"), Entry(case=LARGER, note="b"))) == {}


def test_a_failure_is_redundant_only_if_one_with_the_same_coverage_is_kept():
    same = entries(Entry(case=CASE, found=FOUND), Entry(case=LARGER, found=FOUND))
    assert list(find_redundant(same)) == [Path("1.case.json")]
    other = entries(Entry(case=CASE, found={"failure": "WrongType/conv/shape"}), Entry(case=LARGER, found=FOUND))
    assert find_redundant(other) == {}
    plain = entries(Entry(case=CASE), Entry(case=LARGER, found=FOUND))
    assert find_redundant(plain) == {}


def test_minimize_removes_only_with_its_option_and_removes_the_script_too(tmp_path):
    kept = save_entry(tmp_path, Entry(case=CASE, found=FOUND))
    gone = save_entry(tmp_path, Entry(case=LARGER, found=FOUND))
    beside = gone.with_name(gone.name.replace(".case.json", ".repro.py"))
    beside.write_text("")
    done = run("minimize", tmp_path)
    assert (done.exit_code, done.output) == (0, f"redundant {gone}: covered by {kept}\n2 files, 1 redundant\n")
    assert gone.exists()
    done = run("minimize", tmp_path, "--remove")
    assert (done.exit_code, done.output) == (0, f"removed {gone}: covered by {kept}\n2 files, 1 removed\n")
    assert list(tmp_path.iterdir()) == [kept]


# --- migrate ------------------------------------------------------------------------------------------


OLDER = '{"foldproof": 1, "note": "old", "case": {"format": 1, "op": "conv1d", "axes": [{}], "uses": ["returned"]}}'


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("case-1", Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), extra_outputs=("returned",))),
        (
            "case-1-producers",
            Case(
                op="max_pool1d",
                axes=(Axis(size=6, pad=(1, 1), kernel=3, stride=2),),
                producers=(Step(kind="relu"),),
            ),
        ),
    ],
)
def test_files_of_every_format_are_read(name, case):
    entry = load_entry(FORMATS / f"{name}.json")
    assert replace(entry.case, fills=case.fills) == case
    assert entry.note


def test_names_of_passes_in_old_files_are_those_of_the_present_package():
    for old, new in (
        ("harness:FoldExplicitPadding", "foldproof:FoldExplicitPadding"),
        ("harness.mutants:begin_end_swapped", "foldproof.mutants:begin_end_swapped"),
        ("harness.mine:Pass", "harness.mine:Pass"),
    ):
        content = json.loads(OLDER) | {"found": {"fold": old, "failure": "x"}, "expect": {"finding": "y"}}
        entry = corpus.parse_entry(Path("old.case.json"), content)
        assert entry.found == {"fold": new, "failure": "x"}
        assert entry.expect == {"known_issue": "y"}


def test_an_older_format_is_rewritten_and_other_files_are_not_changed(tmp_path):
    old, new = tmp_path / "old.case.json", tmp_path / "new.case.json"
    old.write_text(OLDER)
    new.write_text(dumps(Entry(case=CASE)).replace("\n", "\n\n"))
    before = (new.read_text(), new.stat().st_mtime_ns, new.stat().st_ino)
    done = run("migrate", tmp_path)
    assert (done.exit_code, done.output) == (0, f"migrated {old}\n2 files, 1 migrated\n")
    assert load_entry(old) == Entry(case=Case(op="conv1d", axes=(Axis(),), extra_outputs=("returned",)), note="old")
    assert (new.read_text(), new.stat().st_mtime_ns, new.stat().st_ino) == before
    assert sorted(tmp_path.iterdir()) == [new, old]
    assert migrate([old, new]) == {}


def test_a_name_that_save_gave_follows_the_case_and_its_script_too(tmp_path):
    old = tmp_path / "conv1d-case-0123456789.case.json"
    old.write_text(OLDER)
    (tmp_path / "conv1d-case-0123456789.repro.py").write_text("")
    [(_, new)] = migrate([old]).items()
    assert new.name == file_name(load_entry(new))
    assert sorted(tmp_path.iterdir()) == [new, new.with_name(new.name.replace(".case.json", ".repro.py"))]


def test_nothing_is_rewritten_if_a_file_cannot_be_understood(tmp_path):
    old, newer = tmp_path / "a.case.json", tmp_path / "b.case.json"
    old.write_text(OLDER)
    newer.write_text('{"foldproof": 1, "case": {"format": 7, "op": "conv1d", "axes": [{}]}}')
    with pytest.raises(CorpusError, match=r"b\.case\.json: format 7 is unknown: this foldproof reads 1, 2"):
        migrate([old, newer])
    assert old.read_text() == OLDER


def test_a_file_that_cannot_be_rewritten_keeps_what_it_held(tmp_path, monkeypatch):
    old = tmp_path / "old.case.json"
    old.write_text(OLDER)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(FileError, match=r"old\.case\.json: cannot be written: No space left on device"):
        migrate([old])
    assert old.read_text() == OLDER
    assert list(tmp_path.iterdir()) == [old]


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["check", "stats", "minimize", "migrate"])
def test_bad_input_is_an_error_of_the_user_that_names_it(which, tmp_path):
    done = run(which, tmp_path / "missing")
    assert isinstance(done.exception, CorpusError)
    assert str(done.exception) == f"{tmp_path / 'missing'}: does not exist"
    done = run(which, tmp_path)
    assert str(done.exception) == f"{tmp_path}: is a folder without *.case.json files"
