"""Snapshots: texts that users read, kept as plain files and compared exactly, so that a change of wording is seen.

    assert_snapshot("cli-help", text)        tests/data/snapshots/cli-help.txt

To accept new texts, run the tests that fail with ``FOLDPROOF_UPDATE_SNAPSHOTS=1``, and review the difference in git.
Plain files need no plugin: a reviewer reads them as a user reads the message, and `git diff` shows the change.
"""

import os
from collections.abc import Mapping
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
    """A snapshot of one-line messages: what the user did, and the line that answers it."""
    return "\n".join(f"{done}\n    {line}" for done, line in lines.items())


def scrub(text: str, places: Mapping[object, str]) -> str:
    """``text`` without what differs from run to run: each key (a path, an address, ...) becomes its placeholder."""
    for place, placeholder in sorted(places.items(), key=lambda item: -len(str(item[0]))):
        text = text.replace(str(place), placeholder)
    return text
