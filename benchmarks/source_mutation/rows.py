"""The file that score.py, suite.py and equivalent_mutants.py share: one JSON object per change, with its name, state
and lines.
"""

import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import click

BY_CASE, BY_TEST = KILLED = ("killed", "killed by a test")
"""States of a change that does not live."""

Row = dict[str, Any]


def read(file: Path, known: Container[str] | None = None) -> list[Row]:
    """The rows of a file. With ``known`` names of changes, a name that is none raises ClickException."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    missing = [row["name"] for row in rows if known is not None and row["name"] not in known]
    if missing:
        raise click.ClickException(f"{file} is of another source, which this one lacks: {min(missing)}")
    return rows


def write(file: Path, rows: Iterable[Row]) -> None:
    """One object per line."""
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
