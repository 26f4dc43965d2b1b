"""Snapshots: texts that users read, kept as plain files and compared exactly, so that a change of wording is seen.

    assert_snapshot("cli-help", text)                      compares tests/data/snapshots/cli-help.txt
    assert_message("cli-messages", "fuzz --seed x", line)  compares one entry of a file of messages

To accept new texts, run the tests that fail with ``FOLDPROOF_UPDATE_SNAPSHOTS=1``, and review the difference in git.
Plain files need no plugin: a reviewer reads them as a user reads the message, and `git diff` shows the change.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "snapshots"

UPDATE = "FOLDPROOF_UPDATE_SNAPSHOTS"
"""The environment variable that makes ``assert_snapshot`` write what it would compare."""


def assert_snapshot(name: str, text: str) -> None:
    """Compare ``text`` with the snapshot ``name``; the failure shows the difference and how to accept it."""
    path = FOLDER / f"{name}.txt"
    text = text.rstrip("\n") + "\n"
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    recorded = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = unified_diff(recorded.splitlines(), text.splitlines(), "recorded", "now", lineterm="")
    accept = f"to accept the new text: {UPDATE}=1 python -m pytest <this test>, then review `git diff {FOLDER.name}`"
    assert text == recorded, "\n".join([f"snapshot {name} ({path.name}) differs:", *difference, accept])


def messages(lines: Mapping[str, str]) -> str:
    """The text of one-line messages: what the user did, and the line that is the answer to it."""
    return "\n".join(f"{done}\n    {line}" for done, line in lines.items())


def assert_message(name: str, done: str, line: str) -> None:
    """Compare a message with the entry ``done`` of a snapshot; other tests compare other entries."""
    if os.environ.get(UPDATE):
        FOLDER.mkdir(parents=True, exist_ok=True)
        with (FOLDER / f"{name}.txt").open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            recorded = _read_messages(name) | {done: line}
            file.truncate(0)
            file.write(messages(dict(sorted(recorded.items()))) + "\n")
        return
    recorded_line = _read_messages(name).get(done)
    accept = f"to accept it: {UPDATE}=1 python -m pytest <this test>, then review `git diff`"
    assert line == recorded_line, f"snapshot {name}, {done}:\n-{recorded_line}\n+{line}\n{accept}"


def assert_entries(name: str, entries: Iterable[str]) -> None:
    """Fail if a snapshot of messages has an entry that no test compares; with the variable set, remove it."""
    unused = {done: line for done, line in _read_messages(name).items() if done not in set(entries)}
    if os.environ.get(UPDATE) and unused:
        kept = {done: line for done, line in _read_messages(name).items() if done not in unused}
        (FOLDER / f"{name}.txt").write_text(messages(kept) + "\n", encoding="utf-8")
        return
    assert not unused, f"snapshot {name} has entries that no test compares ({UPDATE}=1 removes them): {list(unused)}"


def _read_messages(name: str) -> dict[str, str]:
    path = FOLDER / f"{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {done: line.removeprefix("    ") for done, line in zip(lines[::2], lines[1::2], strict=True)}


def scrub(text: str, places: Mapping[object, str]) -> str:
    """``text`` without what differs from run to run: each key (a path, an address, ...) becomes its placeholder."""
    for place, placeholder in sorted(places.items(), key=lambda item: -len(str(item[0]))):
        text = text.replace(str(place), placeholder)
    return text
