"""Keeping a corpus: what is wrong with its files, which of them it could do without, old formats made new.

Law: nothing is removed or rewritten before all files are read and understood.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from foldproof.case import case
from foldproof.core.files import replace_file
from foldproof.corpus import entry as corpus
from foldproof.corpus.entry import CorpusError, Entry

Loaded = list[tuple[Path, Entry]]

_GIVEN_BY_SAVE = re.compile(r"-[0-9a-f]{10}" + re.escape(corpus.SUFFIX))
"""How the name ends that ``corpus.save`` gives; any other one was given by hand."""


def find_problems(paths: list[Path]) -> Iterator[str]:
    """What is wrong with the files, a line each."""
    holders: dict[case.Case, Path] = {}
    for path in paths:
        try:
            entry = corpus.load_entry(path)
        except CorpusError as error:
            yield " ".join(str(error).split())
            continue
        right = corpus.file_name(entry)
        if _GIVEN_BY_SAVE.search(path.name) and path.name != right:
            yield f"{path}: is named after another case or failure: what it holds is {right}"
        if not _description(entry):
            yield f"{path}: says in no line what it guards: it has neither a note nor a failure"
        elif "\n" in _description(entry):
            yield f"{path}: its note is longer than a line"
        holder = holders.setdefault(entry.case, path)
        if holder != path:
            yield f"{path}: holds the same case as {holder}"


def _description(entry: Entry) -> str:
    return entry.note.strip() or str(entry.found.get("failure", ""))


# --- minimize -----------------------------------------------------------------------------------------


def find_redundant(entries: Loaded) -> dict[Path, Path]:
    """Files whose coverage other files contain, each with one that stays and covers some of it; largest cases first.

    One with a note stays: a person had a reason. One with a failure goes only if a file with the same coverage, which
    includes that failure, stays.
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
    """Remove a case file, and the script beside it. Raises CorpusError."""
    try:
        path.unlink()
        _script(path).unlink(missing_ok=True)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be removed: {error.strerror}") from error


def _script(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(corpus.SUFFIX) + corpus.SCRIPT_SUFFIX)


# --- migrate ------------------------------------------------------------------------------------------


def migrate(paths: list[Path]) -> dict[Path, Path]:
    """Bring files of older formats to the present one: old path -> new path, which differs if ``save`` gave the name.

    Raises CorpusError, with nothing rewritten, if a file cannot be understood.
    """
    changed = {path: entry for path in paths if (entry := _migrated(path)) is not None}
    moved = {}
    for path, entry in changed.items():
        moved[path] = path.with_name(corpus.file_name(entry)) if _GIVEN_BY_SAVE.search(path.name) else path
        replace_file(moved[path], corpus.dumps(entry))
        if moved[path] != path:
            if _script(path).exists():
                _script(path).replace(_script(moved[path]))
            path.unlink()
    return moved


def _migrated(path: Path) -> Entry | None:
    """The entry in the present format; None if the file has it already. Raises CorpusError."""
    content = corpus.read_json(path)
    entry = corpus.parse_entry(path, content)
    return None if corpus.is_present(content) else entry
