"""The file that score.py, suite.py and equivalent_mutants.py share: a JSON object per change: name, state and lines."""

import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import click

BY_CASE, BY_TEST = KILLED = ("killed", "killed by a test")
"""The states of a killed change."""

Row = dict[str, Any]


def read(file: Path, known: Container[str] | None = None) -> list[Row]:
    """Return the rows of a file. Raises ClickException for a name that is not in ``known``, if that is given."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    missing = [row["name"] for row in rows if known is not None and row["name"] not in known]
    if missing:
        raise click.ClickException(f"{file} is of another version of the source: unknown change {min(missing)}")
    return rows


def write(file: Path, rows: Iterable[Row]) -> None:
    """Write one object per line."""
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
