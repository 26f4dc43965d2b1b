"""Formats of a journal, and how a line of an older one becomes a line of the present one.

    format 1    start: "pass"; counters: "findings"; "trouble", "script_complaint"; the package was called ``harness``
    format 2    start: the fields of ``campaign.settings``; counters: "known_issues"; "problem", "script_problem"

A line ``{"event": "format", "format": 2}`` says that the lines after it have that format: a resumed journal is appended
to, not rewritten. Invariant: every format that was ever written is read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from foldproof.core.loading import present_name

FORMAT = 2
"""The format that is written."""

Line = dict[str, Any]

_NAMES_IN_2 = {
    "pass": "fold",
    "findings": "known_issues",
    "trouble": "problem",
    "script_complaint": "script_problem",
}

_LEGALITY_IN_2 = {
    "vacuous": "unobservable",
    "legal by geometry": "legal for this shape only",
    "legal without contraction": "legal without fused multiply-add",
    "legal where defined": "legal where specified",
}

_SYMPTOMS_IN_2 = {"not alone": "not reproducible in isolation"}


def _to_2(line: Line) -> Line:
    line = _rename(line, _NAMES_IN_2)
    if isinstance(line.get("fold"), str):
        line["fold"] = present_name(line["fold"])
    if "legality" in line:
        line["legality"] = _rename(line["legality"], _LEGALITY_IN_2)
    if "failures" in line:
        line["failures"] = [_to_2(failure) for failure in line["failures"]]
    if line.get("symptom") in _SYMPTOMS_IN_2:
        symptom = _SYMPTOMS_IN_2[line["symptom"]]
        line["fingerprint"] = line["fingerprint"].removesuffix(line["symptom"]) + symptom
        line["symptom"] = symptom
    return line


def _rename(content: Line, names: dict[str, str]) -> Line:
    return {names.get(name, name): value for name, value in content.items()}


MIGRATIONS: dict[int, Callable[[Line], Line]] = {1: _to_2}
"""Format -> a function from a line of it to the line of the next format."""

FORMATS = (*MIGRATIONS, FORMAT)
"""The formats that are read."""


def upgrade(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a journal in the present format. The first one, or a format line, says the format of the next.

    Invariant: each format that a line says is one of ``FORMATS``.
    """
    version = FORMAT
    for line in lines:
        version = line.get("format", version)
        for older in range(version, FORMAT):
            line = MIGRATIONS[older](line)
        yield line
