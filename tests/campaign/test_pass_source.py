"""A resumed campaign notices that its pass changed."""

import json
import sys

import pytest

from foldproof.campaign.journal import JOURNAL
from foldproof.core.pass_source import describe_change, find_source


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "trialpkg").mkdir()
    (tmp_path / "trialpkg" / "__init__.py").write_text("raise RuntimeError('finding the source imports nothing')\n")
    (tmp_path / "trialpkg" / "rules.py").write_text("LEVEL = 1\n")
    (tmp_path / "trialmod.py").write_text("def fold(mod):\n    return mod\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_source_of_a_package_is_all_of_its_python_files(project):
    source = find_source("trialpkg.rules:fold")
    assert list(source["files"]) == ["trialpkg/__init__.py", "trialpkg/rules.py"]
    assert find_source("trialpkg:fold") == source
    assert "" not in sys.path[1:]


def test_a_change_names_the_files(project):
    before = find_source("trialpkg:fold")
    (project / "trialpkg" / "rules.py").write_text("LEVEL = 2\n")
    (project / "trialpkg" / "more.py").write_text("")
    after = find_source("trialpkg:fold")
    assert describe_change(before, after) == "trialpkg/rules.py changed, trialpkg/more.py is new"
    assert describe_change(after, before) == "trialpkg/rules.py changed, trialpkg/more.py is gone"
    assert describe_change(after, after) == ""
    many = {"digest": "x", "files": {f"trialpkg/{n}.py": "0" for n in range(9)}}
    assert describe_change({"digest": "y", "files": {}}, many).endswith("trialpkg/4.py is new and 4 more")


def test_a_module_alone_is_its_file(project):
    assert list(find_source("trialmod:fold")["files"]) == ["trialmod.py"]


def test_an_installed_distribution_is_its_name_and_version():
    source = find_source("numpy.random:nothing")
    assert source["distribution"].startswith("numpy ")
    assert "files" not in source
    other = {"digest": "0", "distribution": "numpy 1.0"}
    assert describe_change(other, source) == f"numpy 1.0 became {source['distribution']}"


def test_the_bundled_pass_is_the_room_fold():
    source = find_source(None)
    assert all(path.startswith("fold/") for path in source["files"])
    assert find_source("foldproof:FoldExplicitPadding") == find_source("foldproof.fold:FoldExplicitPadding") == source
    assert set(find_source("foldproof.mutants:wrong")["files"]) > set(source["files"])


def test_what_is_not_there_has_no_source():
    assert find_source("nowhere.at.all:fold") == {}


@pytest.mark.slow
def test_a_campaign_whose_pass_changed_is_resumed_with_anyway_only(project, here):
    begin = ("--pass", "trialmod:fold", "--ops", "conv1d", "--examples", 6, "--seed", 1, "--workers", 1, "--no-save")
    again = ("--resume", "night", "--workers", 1, "--no-save")
    first = here("fuzz", *begin, "--journal", "night", "--json", "first", cwd=project)
    assert first.returncode == 0, first.stdout + first.stderr
    recorded = json.loads((project / "first").read_text().splitlines()[0])["pass_source"]
    assert list(recorded["files"]) == ["trialmod.py"]
    journal = project / "night" / JOURNAL
    assert json.loads(journal.read_text().splitlines()[0])["pass_source"] == recorded

    (project / "trialmod.py").write_text("def fold(mod):\n    return mod.clone()\n")
    before = journal.read_bytes()
    refused = here("fuzz", *again, cwd=project)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("foldproof: --resume night: the pass is not the one of the campaign: trialmod.py changed; ")
    assert journal.read_bytes() == before

    mixed = here("fuzz", *again, "--anyway", "--json", "mixed", cwd=project)
    words = "the pass changed during the campaign, so its counts are of several passes: trialmod.py changed"
    assert mixed.returncode == 0, mixed.stdout + mixed.stderr
    assert words in mixed.stdout
    assert json.loads((project / "mixed").read_text().splitlines()[0])["pass_changed"] == words
    later = here("fuzz", *again, cwd=project)
    assert later.returncode == 0, later.stdout + later.stderr
    assert words in later.stdout


def test_a_journal_without_a_digest_is_resumed_with_a_notice(project, here):
    begin = ("--ops", "conv1d", "--examples", 3, "--seed", 1, "--workers", 1, "--no-save")
    assert here("fuzz", *begin, "--journal", "night", cwd=project).returncode == 0
    start, *rest = (project / "night" / JOURNAL).read_text().splitlines()
    start = json.loads(start)
    del start["pass_source"]
    (project / "night" / JOURNAL).write_text("\n".join([json.dumps(start), *rest, ""]))
    resumed = here("fuzz", "--resume", "night", "--workers", 1, "--no-save", cwd=project)
    assert resumed.returncode == 0
    assert "the journal has no digest of the pass" in resumed.stderr


def test_anyway_needs_resume(project, here):
    refused = here("fuzz", "--anyway", cwd=project)
    assert (refused.returncode, refused.stderr) == (
        2,
        "foldproof: --anyway continues a campaign whose pass changed; add --resume DIR\n",
    )
