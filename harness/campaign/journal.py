"""The journal of a campaign: finished shards stay finished, even after a crash or a full disk.

    DIR/journal.jsonl    start line, a line per finished shard (in any order), per shrunk failure, and where the pass
                         changed; appended, fsynced
    DIR/running.jsonl    the cases that are being checked; not fsynced: it survives the process, not a power cut

Invariants: A shard is recorded atomically, so no case is counted twice; an unfinished shard is checked again. A torn
last line (kill -9, a full disk) is dropped. One process at a time writes.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self

from foldproof.campaign.failing import failure_name
from foldproof.campaign.formats import FORMAT, FORMATS, upgrade
from foldproof.case.any_case import AnyCase
from foldproof.core.errors import UsageError
from foldproof.core.versions import SAME_CASES

JOURNAL, RUNNING = "journal.jsonl", "running.jsonl"

PASS_SOURCE = "pass_source"  # noqa: S105, not a password
"""The name of the source of the pass in a line."""


class JournalError(UsageError):
    """A journal that does not exist, has other versions, is in use, or cannot be written; the message says which."""


@dataclass(kw_only=True)
class Journal:
    """An open journal.

    Attributes:
        folder: where it is.
        start: the start line: the settings of the campaign, and the versions that it runs with.
        shards: the lines of finished shards.
        shrunk: the lines of shrunk failures, by name.
        sources: each source that the pass had (``foldproof.core.pass_source``), the last one last; empty if the
            journal is older than that.
    """

    folder: Path
    start: dict[str, Any]
    shards: list[dict[str, Any]] = field(default_factory=list)
    shrunk: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    _file: FileIO
    _format: int = FORMAT
    """The format of the last line of the file."""

    @classmethod
    def create(cls, folder: Path, start: dict[str, Any]) -> Self:
        """Create a journal. Raises JournalError if the folder holds one already, or cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / JOURNAL).open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"journal {folder}: cannot be written: {error.strerror}") from error
        _lock(file, folder)
        if b"\n" in (folder / JOURNAL).read_bytes():
            file.close()
            raise JournalError(f"journal {folder}: holds a campaign already; use --resume {folder} to continue it")
        file.truncate(0)  # a campaign that ended within its first line
        journal = cls(folder=folder, start={"event": "start", "format": FORMAT, **start}, _file=file)
        journal._write(journal.start)
        return journal

    @classmethod
    def resume(cls, folder: Path, versions: dict[str, str]) -> Self:
        """Open the journal in a folder, and drop a torn last line.

        Args:
            folder: where it is.
            versions: those of this process, see ``foldproof.core.versions``.

        Raises:
            JournalError: if it cannot be opened, is not a journal, or its versions may draw other cases.
        """
        path = folder / JOURNAL
        try:
            file = path.open("r+b", buffering=0)
        except OSError as error:
            raise JournalError(f"journal {folder}: cannot be opened: {error.strerror}") from error
        _lock(file, folder)
        try:
            recorded, whole = _read(path)
            _require_same_cases(folder, recorded, versions)
        except JournalError:
            file.close()
            raise
        file.seek(whole)
        file.truncate()
        start, *lines = upgrade(recorded)
        last = next(line["format"] for line in reversed(recorded) if "format" in line)
        journal = cls(folder=folder, start=start, _file=file, _format=last)
        if start.get(PASS_SOURCE):
            journal.sources.append(start[PASS_SOURCE])
        for line in lines:
            if line["event"] == "shard":
                journal.shards.append(line)
            elif line["event"] == "shrunk":
                number = line.get("number", 1)
                journal.shrunk[failure_name(line["fingerprint"], number)] = line
            elif line["event"] == "pass":
                journal.sources.append(line[PASS_SOURCE])
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def record_shard(self, shard: dict[str, Any]) -> None:
        """Record a finished shard. Raises JournalError if it cannot be written."""
        self._write({"event": "shard", **shard})
        self._write_running("w", ())

    def record_shrunk(self, found: dict[str, Any]) -> None:
        """Record a failure that was shrunk, saved and rerun. Raises JournalError if it cannot be written."""
        self._write({"event": "shrunk", **found})

    def record_pass(self, source: dict[str, Any]) -> None:
        """Record that the shards after this line are of another source of the pass. Raises JournalError."""
        self._write({"event": "pass", PASS_SOURCE: source})

    def record_running(self, shard: int, cases: Iterable[AnyCase]) -> None:
        """Record cases that are about to be checked. Raises JournalError if they cannot be written."""
        self._write_running("a", ({"shard": shard, "case": case.to_json()} for case in cases))

    def _write(self, line: dict[str, Any]) -> None:
        if self._format != FORMAT:
            self._format = FORMAT
            self._write({"event": "format", "format": FORMAT})
        try:
            rest = json.dumps(line, allow_nan=False).encode() + b"\n"
            while rest:  # a disk that fills up takes only a part
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"journal {self.folder}: cannot be written: {error.strerror}") from error

    def _write_running(self, mode: str, lines: Iterable[dict[str, Any]]) -> None:
        try:
            with (self.folder / RUNNING).open(mode, encoding="utf-8") as file:
                for line in lines:
                    print(json.dumps(line, allow_nan=False), file=file)
        except OSError as error:
            raise JournalError(f"journal {self.folder}: cannot be written: {error.strerror}") from error


def _lock(file: FileIO, folder: Path) -> None:
    """Lock the file until this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JournalError(f"journal {folder}: another campaign is writing to it") from error


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines and their number of bytes. The rest is a torn line, or zeros of a lost page."""
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


def _require_same_cases(folder: Path, lines: list[dict[str, Any]], versions: dict[str, str]) -> None:
    if not lines or lines[0]["event"] != "start":
        raise JournalError(f"journal {folder}: is not a journal; expected {JOURNAL} to begin with a start line")
    for version in [lines[0].get("format"), *(line["format"] for line in lines[1:] if "format" in line)]:
        if version not in FORMATS:
            read = " or ".join(map(str, FORMATS))
            raise JournalError(f"journal {folder}: has the unknown format {version!r}; expected {read}")
    recorded = lines[0]["versions"]
    for name in SAME_CASES:
        if recorded[name] != versions[name]:
            raise JournalError(
                f"journal {folder}: was written with {name} {recorded[name]}, but this is {name} {versions[name]}, "
                f"which may draw other cases; install {name} {recorded[name]} to resume it"
            )
