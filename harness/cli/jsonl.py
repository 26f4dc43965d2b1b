"""The file of ``--json``."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from foldproof.core.errors import UsageError


class JsonLines:
    """One JSON object a line, flushed, or nothing where no file was asked for."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with suppress(OSError):  # said already: each line is flushed
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append a line. Raises UsageError, on a full disk for one."""
        if self._file is None:
            return
        try:
            print(json.dumps(record, allow_nan=False), file=self._file, flush=True)
        except OSError as error:
            raise UsageError(f"--json {self._file.name}: cannot be written: {error.strerror}") from error


def json_lines(path: Path | None) -> JsonLines:
    """The file of ``--json``, if there is one. Raises UsageError."""
    try:
        return JsonLines(path.open("w", encoding="utf-8") if path else None)
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {error.strerror}") from error
