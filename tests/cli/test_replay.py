"""``foldproof replay`` and ``show``: a case belongs to the pass that it was found with."""

import pytest
from tests.cli.test_cli import refused

from foldproof.case import Axis, Case, Pad
from foldproof.corpus.entry import Entry, save_entry

WRONG = "foldproof.mutants:mode_ignored"
FOUND = Entry(
    case=Case(op="conv1d", axes=(Axis(size=3, pad=(0, 1)),), pad=Pad(mode="circular")),
    found={"failure": "Miscompile/conv/values", "fold": WRONG},
)


@pytest.fixture
def folder(tmp_path):
    """A folder with a case that was found with a pass of one's own."""
    save_entry(tmp_path / "corpus", FOUND)
    return tmp_path


def test_a_case_of_another_pass_is_refused_in_one_line_that_names_both(folder, here):
    line = refused(here("replay", "corpus", cwd=folder))
    assert line == (
        f"foldproof: corpus/{next((folder / 'corpus').iterdir()).name}: was found with the pass {WRONG}, but the pass "
        "under test is foldproof:FoldExplicitPadding; name a pass with --pass, or give --any-pass"
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--pass", WRONG], 1), (["--pass", "foldproof:FoldExplicitPadding"], 0), (["--any-pass"], 0)],
    ids=["its pass", "the bundled pass", "any pass"],
)
def test_a_case_is_checked_with_the_pass_that_the_user_chose(options, code, folder, here):
    run = here("replay", "corpus", *options, cwd=folder)
    assert run.returncode == code, run.stdout + run.stderr


def test_show_says_that_a_case_was_found_with_another_pass(folder, here):
    [path] = (folder / "corpus").iterdir()
    bundled, own = (here("show", path, *options, cwd=folder) for options in ([], ["--pass", WRONG]))
    assert (bundled.returncode, own.returncode) == (0, 1)
    assert f"was found with the pass {WRONG}, but the pass under test is foldproof:FoldExplicit" in bundled.stderr
    assert own.stderr == ""


@pytest.mark.parametrize("found", [{}, {"fold": "foldproof:FoldExplicitPadding"}], ids=["no record", "bundled"])
def test_a_case_of_the_bundled_pass_or_of_no_pass_needs_no_option(found, tmp_path, here):
    save_entry(tmp_path / "corpus", Entry(case=FOUND.case, found=found))
    assert here("replay", "corpus", cwd=tmp_path).returncode == 0
