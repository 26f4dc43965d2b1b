"""The JSON formats of a case, and the migrations from older ones.

    format 1    {"op": ..., "front": [...], "uses": [...], ...}
    format 2    {"op": ..., "producers": [...], "extra_outputs": [...], ...}

Invariant: every format that was ever written can be read.
"""

from collections.abc import Callable
from typing import Any

FORMAT = 2
"""The format that is written."""

Fields = dict[str, Any]

_RENAMED_IN_2 = {"front": "producers", "uses": "extra_outputs"}


def _to_2(case: Fields) -> Fields:
    return {_RENAMED_IN_2.get(name, name): content for name, content in case.items()}


MIGRATIONS: dict[int, Callable[[Fields], Fields]] = {1: _to_2}
"""Format -> function from the fields of a case in that format to those in the next one."""


def upgrade(case: Fields) -> Fields:
    """Return the fields of a case of any format in the current one, without ``format``.

    Raises:
        ValueError: if the format is unknown; the message names it and the known ones.
    """
    version = case.get("format")
    if type(version) is not int or version not in (*MIGRATIONS, FORMAT):
        known = ", ".join(map(str, (*sorted(MIGRATIONS), FORMAT)))
        raise ValueError(f"format {version!r} is unknown: this foldproof reads {known}")
    fields = {name: content for name, content in case.items() if name != "format"}
    for older in range(version, FORMAT):
        fields = MIGRATIONS[older](fields)
    return fields


def to_first_format(case: Fields) -> Fields:
    """Return a case in format 1, in which whatever depends on the text of a case is computed.

    So a new format moves no case into the sample of both pipelines, or out of it.
    """
    old = {new: old for old, new in _RENAMED_IN_2.items()}
    return {old.get(name, name): 1 if name == "format" else content for name, content in case.items()}
