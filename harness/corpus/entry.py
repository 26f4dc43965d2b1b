"""The corpus: one case a file, JSON, versioned, named by what it is. Written atomically, never over another case.

    {"foldproof": 2, "note": ..., "expect": {...}, "found": {...}, "case": {...}}

``expect`` says what the bundled pass does with the case (``Entry.expect``); ``found`` is what a campaign knew of it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from foldproof.case import FORMAT, Case
from foldproof.checking.result import Verdict
from foldproof.core.errors import FileError
from foldproof.core.files import create_file, unnamed_file
from foldproof.core.loading import present_name

SUFFIX = ".case.json"
SCRIPT_SUFFIX = ".repro.py"
"""Of the script beside a case, which reproduces its failure (``repro``)."""
VERSION = 2

EXPECTATIONS = ("folded", "refused", "known_issue", "undefined")
"""Keys of ``expect``: a rule, the kind of a refusal, the names of what could not be compared."""


class CorpusError(FileError):
    """A file that is no corpus case, or a folder that takes none; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A case with what is known about it. ``expect`` is empty, or holds some of ``EXPECTATIONS``."""

    case: Case
    note: str = ""
    expect: dict[str, str] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    def unexpected_outcome(self, verdict: Verdict) -> str | None:
        """How a verdict on the bundled pass differs from what is expected, in words; None if it does not."""
        seen = {
            "folded": verdict.rules if verdict.folded or "identity" in verdict.rules else (),
            "refused": tuple(kind for kind, _ in verdict.reasons),
            "known_issue": verdict.known_issues,
            "undefined": verdict.undefined,
        }
        for what, name in self.expect.items():
            if name not in seen[what]:
                return f"expected {what} {name!r}, but saw {', '.join(map(repr, seen[what])) or 'none'}"
        return None


def load_entry(path: Path) -> Entry:
    """The entry in a file. Raises CorpusError that names the file and what is wrong with it."""
    return parse_entry(path, read_json(path))


def read_json(path: Path) -> Any:
    """What a file holds, as JSON. Raises CorpusError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise CorpusError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise CorpusError(f"{path}: is not JSON: {error}") from error


def parse_entry(path: Path, content: Any) -> Entry:
    """The entry that the JSON in a file stands for, of any format. Raises CorpusError."""
    try:
        return _entry(content)
    except RecursionError as error:
        raise CorpusError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise CorpusError(f"{path}: {error}") from error


def _entry(content: Any) -> Entry:
    if not isinstance(content, dict) or "foldproof" not in content:
        raise ValueError('is no foldproof case: it has no "foldproof" version')
    if content["foldproof"] not in (*MIGRATIONS, VERSION):
        read = ", ".join(map(str, (*MIGRATIONS, VERSION)))
        raise ValueError(f"has version {content['foldproof']!r}, this foldproof reads {read}")
    for older in range(content["foldproof"], VERSION):
        content = MIGRATIONS[older](content)
    expect = content.get("expect", {})
    if not isinstance(expect, dict) or not set(expect) <= set(EXPECTATIONS):
        raise ValueError(f"expect {expect!r} has other keys than {', '.join(EXPECTATIONS)}")
    if not all(isinstance(value, str) for value in expect.values()):
        raise ValueError(f"expect {expect!r} has values that are no strings")
    found = content.get("found", {})
    if not isinstance(found, dict):
        raise ValueError(f"found {found!r} is no JSON object")
    case = Case.from_json(content.get("case"))
    return Entry(case=case, note=str(content.get("note", "")), expect=expect, found=found)


def _to_2(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 says ``finding`` for ``known_issue``, and names passes of the package ``harness``."""
    content = dict(content)
    if isinstance(expect := content.get("expect"), dict):
        content["expect"] = {"known_issue" if what == "finding" else what: name for what, name in expect.items()}
    if isinstance(found := content.get("found"), dict) and isinstance(found.get("fold"), str):
        content["found"] = found | {"fold": present_name(found["fold"])}
    return content


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2}
"""Version of a file -> a function from its content to that of the next version."""


def is_present(content: Any) -> bool:
    """Whether a file has the present version, and its case the present format."""
    case = content.get("case") if isinstance(content, dict) else None
    return isinstance(case, dict) and content.get("foldproof") == VERSION and case.get("format") == FORMAT


def dumps(entry: Entry) -> str:
    """The text of a file; a line per field of the case, so that differences read well."""
    content: dict[str, Any] = {"foldproof": VERSION}
    for name in ("note", "expect", "found"):
        if getattr(entry, name):
            content[name] = getattr(entry, name)
    content["case"] = entry.case.to_json()
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def file_name(entry: Entry) -> str:
    """A file name: op, failure if one was found, and a digest of the case."""
    digest = sha256(entry.case.dumps().encode()).hexdigest()[:10]
    failure = str(entry.found.get("failure", "case")).split("/")
    return "-".join([entry.case.op, failure[0], *failure[2:], digest]).replace(" ", "_") + SUFFIX


def save_entry(folder: Path, entry: Entry) -> Path:
    """Write an entry into a folder; the path that holds its case now.

    A file with the same case is left as it is. Raises CorpusError if the folder cannot be written.
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
                continue  # another campaign has just put a smaller case in its place
            if there.case != entry.case:
                raise CorpusError(f"{path}: holds another case of the same name; nothing was written")
            break
    except OSError as error:
        raise CorpusError(f"corpus folder {folder}: cannot be written: {error.strerror}") from error
    return path


def require_writable(folder: Path) -> None:
    """Raise CorpusError unless cases can be saved into ``folder``; makes it if needed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unnamed_file(folder).close()
    except OSError as error:
        raise CorpusError(f"corpus folder {folder}: cannot be written: {error.strerror}") from error


def case_files(given: Iterable[Path]) -> Iterator[Path]:
    """Case files: those given, and those in given folders, sorted. Raises CorpusError for a missing path."""
    for path in given:
        if path.is_dir():
            inside = sorted(path.rglob("*" + SUFFIX))
            if not inside:
                raise CorpusError(f"{path}: holds no *{SUFFIX} file")
            yield from inside
        elif path.exists():
            yield path
        else:
            raise CorpusError(f"{path}: does not exist")
