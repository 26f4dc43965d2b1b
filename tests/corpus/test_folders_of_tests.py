"""foldproof.corpus.folders_of_tests: which folders pytest replays, by its configuration."""

import subprocess
import sys

import pytest

from foldproof.corpus.folders_of_tests import folders_of_tests

FILES = {
    "pytest.ini": "[pytest]\nfoldproof_corpus = one two/three",
    ".pytest.ini": "[pytest]\nfoldproof_corpus =\n    one\n    two/three",
    "pyproject.toml": '[tool.pytest.ini_options]\nfoldproof_corpus = ["one", "two/three"]',
    "tox.ini": "[tox]\n[pytest]\nfoldproof_corpus = one two/three",
    "setup.cfg": "[metadata]\nname = %x\n[tool:pytest]\nfoldproof_corpus = one two/three",
    "pytest.toml": '[pytest]\nfoldproof_corpus = ["one", "two/three"]',
}


@pytest.mark.parametrize("name", FILES)
def test_the_folders_of_each_kind_of_configuration_are_found_from_a_folder_below(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    (tmp_path / "below").mkdir()
    assert folders_of_tests(tmp_path / "below") == (tmp_path / "one", tmp_path / "two" / "three")


SHOWS = """
def pytest_report_header(config):
    return "folders " + " ".join(map(str, config.getini("foldproof_corpus")))
"""


def test_pytest_reads_the_same_folders(tmp_path):
    """From pytest itself, for the newest of its files."""
    (tmp_path / "pytest.toml").write_text(FILES["pytest.toml"])
    (tmp_path / "conftest.py").write_text(SHOWS)
    command = [sys.executable, "-m", "pytest", "--collect-only"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert f"folders {tmp_path / 'one'} {tmp_path / 'two' / 'three'}" in run.stdout


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pytest.ini": "[pytest]"},
        {"pytest.ini": "[pytest]\n", "pyproject.toml": FILES["pyproject.toml"]},
        {"pytest.ini": "no section"},
        {"pyproject.toml": "[tool.pytest"},
        {"pyproject.toml": "[tool.ruff]"},
    ],
    ids=str,
)
def test_without_the_option_or_without_a_readable_file_there_are_none(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert folders_of_tests(tmp_path) == ()
