"""JSON Lines: the file of ``--json``."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from foldproof.core.errors import UsageError

SCHEMA_VERSION = 2
"""The version of ``fuzz.schema.json``, which describes the lines of ``fuzz --json``."""


class JsonLines:
    """A file of one JSON object per line, flushed after each. Without a file it writes nothing."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with suppress(OSError):  # reported already: each line is flushed
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append a line. Raises UsageError if it cannot be written, for example on a full disk."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(record, allow_nan=False) + "\n")  # one write: a signal cannot tear a line
            self._file.flush()
        except OSError as error:
            raise UsageError(f"--json {self._file.name}: cannot be written: {error.strerror}") from error


def open_json_lines(path: Path | None) -> JsonLines:
    """Create the file of ``--json``, if one is given. Raises UsageError."""
    try:
        return JsonLines(path.open("w", encoding="utf-8") if path else None)
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {error.strerror}") from error
