"""The page "CI for your pass": its files are a whole project, which does what the page says."""

import re

import pytest
from tests.support.doc_blocks import DOCS, run

TEXT = (DOCS / "how-to" / "ci.md").read_text(encoding="utf-8")

FILES = {
    name: text
    for text, name in re.findall(r"^```\w+\n(# ([\w./-]+\.\w+)\n.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
}

RIGHT = "return is_zero and width[:4] == [0, 0, 0, 0] and min(width) >= 0"
WRONG = "return True"
"""A defect to plant: every pad is folded, whatever its values and widths."""

NIGHTLY = 'SEED=3 BUDGET="--strategy cases --examples 60 --shrink-time 20s" sh nightly.sh'
"""The pass of the tutorial knows one function of one block: graphs would find what it does wrong in others."""


@pytest.fixture
def project(tmp_path):
    """A fresh project with the files of the page."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def mend(project, before, after):
    path = project / "my_pass.py"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def does(project, command, code):
    done = run(command, project)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_page_has_the_files_that_its_table_names():
    table = re.findall(r"^\| `([\w./-]+\.\w+)` \|", TEXT, flags=re.MULTILINE)
    assert sorted(table) == sorted(name.rpartition("/")[2] for name in FILES)


def test_the_workflow_runs_the_commands_of_the_page():
    commands = re.findall(r"^ +- run: (.*)$", FILES[".github/workflows/my-pass.yml"], flags=re.MULTILINE)
    assert {"python -m pytest", "sh nightly.sh"} <= set(commands)
    assert "python -m pytest\n" in TEXT


@pytest.mark.slow
def test_a_defect_goes_from_found_to_known_and_when_it_is_mended_to_the_corpus(project):
    assert "pass my_pass:FoldPads, target llvm" in does(project, "python -m pytest -p no:cacheprovider", 0)

    mend(project, RIGHT, WRONG)
    assert "replay: foldproof replay found/" in does(project, NIGHTLY, 1)
    found = sorted((project / "found").glob("*.case.json"))
    assert found

    (project / "found").rename(project / "known")
    assert "no failure" in does(project, NIGHTLY, 0)

    (project / "known").rename(project / "corpus")
    printed = does(project, "python -m pytest -p no:cacheprovider corpus", 1)
    assert f"{len(found)} failed" in printed
    assert f"replay: foldproof replay {project / 'corpus' / found[0].name} --pass my_pass:FoldPads" in printed

    mend(project, WRONG, RIGHT)
    assert f"{len(found) + 1} passed" in does(project, "python -m pytest -p no:cacheprovider", 0)
    assert "no failure" in does(project, NIGHTLY, 0)


@pytest.mark.slow
def test_the_corpus_of_the_project_is_no_test_of_the_bundled_pass(project):
    mend(project, RIGHT, WRONG)
    does(project, NIGHTLY, 1)
    (project / "found").rename(project / "corpus")
    text = (project / "pytest.ini").read_text()
    (project / "pytest.ini").write_text(text.replace("foldproof_pass = my_pass:FoldPads\n", ""))
    printed = does(project, "python -m pytest -p no:cacheprovider corpus", 1)
    assert "was found with the pass my_pass:FoldPads, but the pass under test is foldproof:FoldExplicit" in printed


def test_the_script_is_executed_by_the_shell_without_bashisms(project):
    assert not re.search(r"\[\[|<<<|\bsource\b|\bfunction\b", FILES["nightly.sh"])
    done = run("sh -n nightly.sh", project)
    assert done.returncode == 0, done.stderr
