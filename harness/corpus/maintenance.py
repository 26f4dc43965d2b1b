"""Maintenance of a corpus: find problems of its files, find redundant files, rewrite old formats.

Invariant: nothing is removed or rewritten before all files are read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from foldproof.case.any_case import AnyCase
from foldproof.core.files import replace_file
from foldproof.corpus import entry as corpus
from foldproof.corpus.entry import CorpusError, Entry

Loaded = list[tuple[Path, Entry]]

_SAVED_NAME = re.compile(r"-[0-9a-f]{10}" + re.escape(corpus.SUFFIX))
"""The end of a name that ``save_entry`` gives; other names were given by a person."""


def find_problems(paths: list[Path]) -> Iterator[str]:
    """Yield the problems of the files, a line each."""
    holders: dict[AnyCase, Path] = {}
    for path in paths:
        try:
            entry = corpus.load_entry(path)
        except CorpusError as error:
            yield " ".join(str(error).split())
            continue
        right = corpus.file_name(entry)
        if _SAVED_NAME.search(path.name) and path.name != right:
            yield f"{path}: is named after another case or failure; expected the name {right}"
        if not _description(entry):
            yield f"{path}: has neither a note nor a failure; expected a note that tells what it guards"
        elif "\n" in _description(entry):
            yield f"{path}: has a note of several lines; expected one line"
        holder = holders.setdefault(entry.case, path)
        if holder != path:
            yield f"{path}: holds the same case as {holder}"


def _description(entry: Entry) -> str:
    return entry.note.strip() or str(entry.found.get("failure", ""))


# --- minimize -----------------------------------------------------------------------------------------


def find_redundant(entries: Loaded) -> dict[Path, Path]:
    """Return the files whose coverage other files contain, largest cases first.

    A file with a note is kept: a person had a reason. A file with a failure is redundant only if a file with the same
    coverage, which includes that failure, is kept.

    Args:
        entries: paths and their entries.

    Returns:
        Redundant file -> a kept file that covers some of it.
    """
    from foldproof.corpus.coverage import coverage_of

    kept = {path: coverage_of(entry) for path, entry in entries}
    found = {}
    for path, entry in sorted(entries, key=lambda item: (-len(item[1].case.dumps()), str(item[0]))):
        own = kept[path]
        others = {other: theirs for other, theirs in kept.items() if other != path}
        if entry.note or not own <= frozenset[object]().union(*others.values()):
            continue
        equal = [other for other, theirs in others.items() if theirs == own]
        if entry.found.get("failure") and not equal:
            continue
        found[path] = next(iter(equal), next(other for other, theirs in others.items() if own & theirs))
        del kept[path]
    return found


def remove(path: Path) -> None:
    """Remove a case file and its script. Raises CorpusError."""
    try:
        path.unlink()
        _script_of(path).unlink(missing_ok=True)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be removed: {error.strerror}") from error


def _script_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(corpus.SUFFIX) + corpus.SCRIPT_SUFFIX)


# --- migrate ------------------------------------------------------------------------------------------


def migrate(paths: list[Path]) -> dict[Path, Path]:
    """Rewrite files of older formats in the present one.

    Returns:
        Old path -> new path of each rewritten file; they differ if ``save_entry`` gave the name.

    Raises:
        CorpusError: if a file cannot be read; nothing is rewritten then.
    """
    changed = {path: entry for path in paths if (entry := _upgrade(path)) is not None}
    moved = {}
    for path, entry in changed.items():
        moved[path] = path.with_name(corpus.file_name(entry)) if _SAVED_NAME.search(path.name) else path
        replace_file(moved[path], corpus.dumps(entry))
        if moved[path] != path:
            if _script_of(path).exists():
                _script_of(path).replace(_script_of(moved[path]))
            path.unlink()
    return moved


def _upgrade(path: Path) -> Entry | None:
    """Return the entry of a file of an older format, None for the present format. Raises CorpusError."""
    content = corpus.read_json(path)
    entry = corpus.parse_entry(path, content)
    return None if corpus.is_present(content) else entry
