"""The snapshots themselves: a difference is a failure that says how to accept it, and no file is left unused."""

from pathlib import Path

import pytest
from tests.support import snapshots
from tests.support.snapshots import FOLDER, UPDATE, assert_entries, assert_message, assert_snapshot, messages, scrub

TESTS = Path(__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "FOLDER", tmp_path)
    monkeypatch.delenv(UPDATE, raising=False)
    return tmp_path


def test_an_equal_text_passes_and_a_different_one_shows_the_difference_and_what_accepts_it(folder):
    (folder / "one.txt").write_text("a\nb\n")
    assert_snapshot("one", "a\nb")
    with pytest.raises(AssertionError, match=r"(?s)\n-b\n\+c\n.*FOLDPROOF_UPDATE_SNAPSHOTS=1"):
        assert_snapshot("one", "a\nc\n")


def test_a_missing_snapshot_is_a_failure(folder):
    with pytest.raises(AssertionError, match=r"\+a"):
        assert_snapshot("absent", "a")


def test_the_environment_variable_writes_the_text(folder, monkeypatch):
    monkeypatch.setenv(UPDATE, "1")
    assert_snapshot("one", "a")
    assert (folder / "one.txt").read_text() == "a\n"


def test_a_message_is_one_entry_of_a_file(folder, monkeypatch):
    (folder / "room.txt").write_text("do this\n    a line\nleft over\n    nobody writes this\n")
    assert_message("room", "do this", "a line")
    for done, line in (("do this", "another line"), ("do that", "a line")):
        with pytest.raises(AssertionError, match="FOLDPROOF_UPDATE_SNAPSHOTS=1"):
            assert_message("room", done, line)
    with pytest.raises(AssertionError, match=r"\['left over'\]"):
        assert_entries("room", ["do this"])
    monkeypatch.setenv(UPDATE, "1")
    assert_message("room", "do that", "a new line")
    assert_entries("room", ["do this", "do that"])
    assert (folder / "room.txt").read_text() == "do that\n    a new line\ndo this\n    a line\n"


def test_messages_are_scrubbed_of_longer_places_first():
    assert scrub(messages({"do": "in /tmp/a/b and /tmp/a"}), {"/tmp/a": "DIR", "/tmp/a/b": "FILE"}) == (
        "do\n    in FILE and DIR"
    )


def test_every_snapshot_is_compared_by_a_test():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    unused = [path.name for path in FOLDER.glob("*.txt") if f'"{path.stem}"' not in sources]
    assert unused == []
