"""The journal of a campaign: what is done stays done, whatever ends the process.

    DIR/journal.jsonl    start line, a line per finished shard (in any order) and per shrunk failure; appended, fsync'ed
    DIR/running.jsonl    the cases that are under way; not fsync'ed: it survives the process, not a power cut

Laws. A shard is in the journal whole or not at all, so nothing is counted twice: an unfinished one runs again. A last
line that was torn (kill -9, a full disk) is dropped. One process at a time writes.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self

from foldproof.case import Case
from foldproof.core.errors import UsageError
from foldproof.core.versions import SAME_CASES

JOURNAL, RUNNING = "journal.jsonl", "running.jsonl"
FORMAT = 1


class JournalError(UsageError):
    """No such journal, one of other versions, one in use, or one that cannot be written; the message says which."""


@dataclass(kw_only=True)
class Journal:
    """An open journal. ``start`` says what the campaign does; ``shards`` and ``shrunk`` what is done already."""

    folder: Path
    start: dict[str, Any]
    shards: list[dict[str, Any]] = field(default_factory=list)
    shrunk: dict[str, dict[str, Any]] = field(default_factory=dict)
    _file: FileIO

    @classmethod
    def create(cls, folder: Path, start: dict[str, Any]) -> Self:
        """A new one. Raises JournalError if the folder holds one already, or cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / JOURNAL).open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"journal {folder}: cannot be written: {error.strerror}") from error
        _lock(file, folder)
        if b"\n" in (folder / JOURNAL).read_bytes():
            file.close()
            raise JournalError(f"journal {folder}: holds a campaign already; --resume {folder} goes on with it")
        file.truncate(0)  # of a campaign that ended in its first line
        journal = cls(folder=folder, start={"event": "start", "format": FORMAT, **start}, _file=file)
        journal._write(journal.start)
        return journal

    @classmethod
    def resume(cls, folder: Path, versions: dict[str, str]) -> Self:
        """The one in a folder, its torn last line dropped. Raises JournalError, also for other versions."""
        path = folder / JOURNAL
        try:
            file = path.open("r+b", buffering=0)
        except OSError as error:
            raise JournalError(f"journal {folder}: cannot be opened: {error.strerror}") from error
        _lock(file, folder)
        try:
            lines, whole = _read(path)
            start = _start(folder, lines, versions)
        except JournalError:
            file.close()
            raise
        file.seek(whole)
        file.truncate()
        journal = cls(folder=folder, start=start, _file=file)
        for line in lines[1:]:
            if line["event"] == "shard":
                journal.shards.append(line)
            elif line["event"] == "shrunk":
                journal.shrunk[line["fingerprint"]] = line
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def finished(self, shard: dict[str, Any]) -> None:
        """A shard is done. Raises JournalError if that cannot be written down."""
        self._write({"event": "shard", **shard})
        self._running("w", ())

    def shrank(self, found: dict[str, Any]) -> None:
        """A failure was shrunk, saved and rerun. Raises JournalError if that cannot be written down."""
        self._write({"event": "shrunk", **found})

    def runs(self, shard: int, cases: Iterable[Case]) -> None:
        """Cases that are about to be judged."""
        self._running("a", ({"shard": shard, "case": case.to_json()} for case in cases))

    def _write(self, line: dict[str, Any]) -> None:
        try:
            rest = json.dumps(line, allow_nan=False).encode() + b"\n"
            while rest:  # a disk that fills up takes a part
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"journal {self.folder}: cannot be written: {error.strerror}") from error

    def _running(self, mode: str, lines: Iterable[dict[str, Any]]) -> None:
        try:
            with (self.folder / RUNNING).open(mode, encoding="utf-8") as file:
                for line in lines:
                    print(json.dumps(line, allow_nan=False), file=file)
        except OSError as error:
            raise JournalError(f"journal {self.folder}: cannot be written: {error.strerror}") from error


def _lock(file: FileIO, folder: Path) -> None:
    """The lock ends with the process, whatever ends that."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JournalError(f"journal {folder}: another campaign is writing it") from error


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines, and how many bytes they are: what follows the last good one is torn, or zeros of a lost page."""
    lines: list[dict[str, Any]] = []
    whole = 0
    for raw in path.read_bytes().splitlines(keepends=True):
        try:
            line = json.loads(raw) if raw.endswith(b"\n") else None
        except ValueError:
            line = None
        if not isinstance(line, dict) or "event" not in line:
            return lines, whole
        lines.append(line)
        whole += len(raw)
    return lines, whole


def _start(folder: Path, lines: list[dict[str, Any]], versions: dict[str, str]) -> dict[str, Any]:
    if not lines or lines[0]["event"] != "start" or lines[0].get("format") != FORMAT:
        raise JournalError(f"journal {folder}: does not begin with the start of a campaign of format {FORMAT}")
    recorded = lines[0]["versions"]
    for name in SAME_CASES:
        if recorded[name] != versions[name]:
            raise JournalError(
                f"journal {folder}: was written with {name} {recorded[name]}, this is {versions[name]}, "
                "which may draw other cases"
            )
    return lines[0]
