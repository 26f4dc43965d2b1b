"""Corpus files: one case or graph per file, as versioned JSON, written atomically and never over another case.

    {"foldproof": 2, "note": ..., "expect": {...}, "found": {...}, "case": {...}}

The version of a file with a graph is 3, so that a foldproof that knows no graphs says that it cannot read it.
``expect`` is what the bundled pass should do with the case (``Entry.expect``); ``found`` is what a campaign recorded.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from foldproof.case import FORMAT
from foldproof.case.any_case import AnyCase
from foldproof.case.any_case import from_json as case_from_json
from foldproof.case.graph import Graph
from foldproof.checking.result import Verdict
from foldproof.core.errors import FileError
from foldproof.core.files import create_file, unnamed_file
from foldproof.core.loading import BUNDLED_NAMES, name_of_pass, present_name

SUFFIX = ".case.json"
SCRIPT_SUFFIX = ".repro.py"
"""Of the script beside a case, which reproduces its failure (``repro``)."""
VERSION, GRAPH_VERSION = 2, 3
"""The versions of a file with a case, and with a graph."""

EXPECTATIONS = ("folded", "refused", "known_issue", "undefined")
"""Keys of ``expect``: a rule, the kind of a refusal, a known issue, a behaviour that TVM leaves undefined."""


class CorpusError(FileError):
    """A file that is not a corpus case, or a folder that cannot be written; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A case with what is known about it.

    Attributes:
        case: the case.
        note: one line that tells what the case guards.
        expect: what the bundled pass should do with it: some of ``EXPECTATIONS``, and a name for each.
        found: what a campaign recorded: failure, detail, fold, target, seed, ...
    """

    case: AnyCase
    note: str = ""
    expect: dict[str, str] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    def unexpected_outcome(self, verdict: Verdict) -> str | None:
        """Return how a verdict on the bundled pass differs from ``expect``, in words; None if it does not."""
        seen = {
            "folded": verdict.rules if verdict.folded or "identity" in verdict.rules else (),
            "refused": tuple(kind for kind, _ in verdict.reasons),
            "known_issue": verdict.known_issues,
            "undefined": verdict.undefined,
        }
        for what, name in self.expect.items():
            if name not in seen[what]:
                return f"expected {what} {name!r}, but got {', '.join(map(repr, seen[what])) or 'none'}"
        return None

    def other_pass(self, spec: str | None) -> str | None:
        """Return which pass the case was found with and which one is under test, in words; None if they are the same.

        A case that was found with the bundled pass, or without a record of its pass, is a test of every pass.

        Args:
            spec: the name of the pass under test, as ``load_pass`` takes it.
        """
        found = self.found.get("fold")
        if not isinstance(found, str) or found in (*BUNDLED_NAMES, spec):
            return None
        return f"was found with the pass {found}, but the pass under test is {name_of_pass(spec)}"


def load_entry(path: Path) -> Entry:
    """Return the entry in a file. Raises CorpusError, which names the file and what is wrong with it."""
    return parse_entry(path, read_json(path))


def read_json(path: Path) -> Any:
    """Return the JSON in a file. Raises CorpusError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise CorpusError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise CorpusError(f"{path}: is not JSON: {error}") from error


def parse_entry(path: Path, content: Any) -> Entry:
    """Return the entry of the JSON in a file, of any format. Raises CorpusError."""
    try:
        return _parse(content)
    except RecursionError as error:
        raise CorpusError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise CorpusError(f"{path}: {error}") from error


def _parse(content: Any) -> Entry:
    if not isinstance(content, dict) or "foldproof" not in content:
        raise ValueError('is not a foldproof case: the key "foldproof" is missing')
    if content["foldproof"] not in (*MIGRATIONS, VERSION, GRAPH_VERSION):
        read = ", ".join(map(str, (*MIGRATIONS, VERSION, GRAPH_VERSION)))
        raise ValueError(f"unknown version {content['foldproof']!r}; expected one of {read}")
    for older in range(content["foldproof"], VERSION):
        content = MIGRATIONS[older](content)
    expect = content.get("expect", {})
    if not isinstance(expect, dict) or not set(expect) <= set(EXPECTATIONS):
        raise ValueError(f"expect is {expect!r}; expected an object with keys out of {', '.join(EXPECTATIONS)}")
    if not all(isinstance(value, str) for value in expect.values()):
        raise ValueError(f"expect is {expect!r}; expected strings as values")
    found = content.get("found", {})
    if not isinstance(found, dict):
        raise ValueError(f"found is {found!r}; expected a JSON object")
    case = case_from_json(content.get("case"))
    return Entry(case=case, note=str(content.get("note", "")), expect=expect, found=found)


def _to_2(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 has ``finding`` for ``known_issue``, and passes of the package ``harness``."""
    content = dict(content)
    if isinstance(expect := content.get("expect"), dict):
        content["expect"] = {"known_issue" if what == "finding" else what: name for what, name in expect.items()}
    if isinstance(found := content.get("found"), dict) and isinstance(found.get("fold"), str):
        content["found"] = found | {"fold": present_name(found["fold"])}
    return content


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2}
"""Version of a file -> a function from its content to the content of the next version."""


def is_present(content: Any) -> bool:
    """Return whether a file has the present version, and its case the present format."""
    case = content.get("case") if isinstance(content, dict) else None
    if not isinstance(case, dict):
        return False
    present = GRAPH_VERSION if "sites" in case else VERSION
    return content.get("foldproof") == present and case.get("format") == FORMAT


def dumps(entry: Entry) -> str:
    """Return the text of a file: one line per field of the case, so that differences are readable."""
    content: dict[str, Any] = {"foldproof": GRAPH_VERSION if isinstance(entry.case, Graph) else VERSION}
    for name in ("note", "expect", "found"):
        if getattr(entry, name):
            content[name] = getattr(entry, name)
    content["case"] = entry.case.to_json()
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def file_name(entry: Entry) -> str:
    """Return a file name: op, failure if there is one, and a digest of the case."""
    digest = sha256(entry.case.dumps().encode()).hexdigest()[:10]
    failure = str(entry.found.get("failure", "case")).split("/")
    return "-".join([entry.case.op, failure[0], *failure[2:], digest]).replace(" ", "_") + SUFFIX


def load_case(path: str | Path) -> AnyCase:
    """Return the case in a corpus file, of any format that foldproof ever wrote.

    Args:
        path: a ``*.case.json`` file, for example from ``foldproof fuzz`` or ``save_case``.

    Returns:
        The case, without the note and the other records of the file.

    Raises:
        CorpusError: if the file cannot be read, or is not a corpus file; a ValueError that names it.
    """
    return load_entry(Path(path)).case


def save_case(folder: str | Path, case: AnyCase, note: str = "") -> Path:
    """Save a case as a corpus file, which ``foldproof replay`` and the pytest plugin run.

    The file is written atomically. A file that holds the same case already is not changed.

    Args:
        folder: the folder, which is created if needed.
        case: the case.
        note: one line that tells what the case guards.

    Returns:
        The path of the file: the op and a digest of the case.

    Raises:
        CorpusError: if the folder cannot be written; a ValueError that names it.
    """
    return save_entry(Path(folder), Entry(case=case, note=note))


def save_entry(folder: Path, entry: Entry) -> Path:
    """Write an entry into a folder, which is created if needed, and return its path.

    A file with the same case is not changed. Raises CorpusError if the folder cannot be written.
    """
    path = folder / file_name(entry)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while not create_file(path, dumps(entry)):
            try:
                there = load_entry(path)
            except CorpusError:
                if path.exists():
                    raise
                continue  # another campaign has just replaced it by a smaller case
            if there.case != entry.case:
                raise CorpusError(f"{path}: holds another case; nothing was written")
            break
    except OSError as error:
        raise CorpusError(f"corpus folder {folder}: cannot be written: {error.strerror}") from error
    return path


def require_writable(folder: Path) -> None:
    """Create ``folder`` if needed. Raises CorpusError if cases cannot be saved into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unnamed_file(folder).close()
    except OSError as error:
        raise CorpusError(f"corpus folder {folder}: cannot be written: {error.strerror}") from error


def case_files(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the given files, and the case files in the given folders, sorted. Raises CorpusError for a missing path."""
    for path in given:
        if path.is_dir():
            inside = sorted(path.rglob("*" + SUFFIX))
            if not inside:
                raise CorpusError(f"{path}: is a folder without *{SUFFIX} files")
            yield from inside
        elif path.exists():
            yield path
        else:
            raise CorpusError(f"{path}: does not exist")
