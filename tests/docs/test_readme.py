"""The README: short, its commands print what it shows, and the test that it shows is a whole one."""

import re

import pytest
from tests.support.doc_blocks import ROOT, block_of_file, run

from foldproof.mutants import MUTANTS

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")

MOST_CHARACTERS = 6000


def test_it_is_short():
    assert len(TEXT) <= MOST_CHARACTERS


@pytest.mark.slow
def test_the_test_of_ones_own_pass_is_a_whole_one(tmp_path):
    """The page tutorials/test-your-pass.md has one that finds its pass to be wrong."""
    (tmp_path / "my_pass.py").write_text("from foldproof import FoldExplicitPadding as MyPass\n")
    (tmp_path / "test_my_pass.py").write_text(block_of_file(README, "test_my_pass.py").text)
    result = run("python -m pytest -q -p no:cacheprovider test_my_pass.py", tmp_path)
    assert result.returncode == 0, result.stdout


def test_the_defects_of_tvm_are_as_many_as_the_page_of_them_has():
    page = (ROOT / "docs" / "results" / "defects-found.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| `[\w.-]+\.case\.json`", page, flags=re.MULTILINE)
    assert f"| {len(rows)}, each with a saved case |" in TEXT


def test_the_number_of_wrong_passes_is_right():
    page = (ROOT / "docs" / "results" / "detection-power.md").read_text(encoding="utf-8")
    structural = sum(mutant.kind.startswith("structure") for mutant in MUTANTS)
    assert f"is one of {len(MUTANTS)} wrong passes" in TEXT
    assert f"has {len(MUTANTS)} passes that are wrong" in page
    quickstart = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    assert f"contains {len(MUTANTS)} passes that are wrong" in quickstart
    assert f"{structural} wrong passes have a defect of structure" in page
