"""Which source a pass has, so that a resumed campaign notices that it changed. Nothing is imported for it.

    find_source("mypkg.passes:MyPass") -> {"digest": "...", "files": {"mypkg/passes.py": "..."}}
    find_source("installed:MyPass") -> {"digest": "...", "distribution": "installed 1.2"}

- of a module of the user: the Python files of its top-level package, or the module alone
- of an installed distribution: its name and version
- of foldproof: the bundled pass, and the room that MODULE is in
"""

import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from foldproof.core.loading import BUNDLED

SHOWN_FILES = 5
"""The most changed files that a message names."""

_PACKAGE = Path(__file__).parent.parent


def find_source(spec: str | None) -> dict[str, Any]:
    """Return the source of a pass as JSON values.

    Args:
        spec: ``MODULE:ATTR``; None is the bundled pass.

    Returns:
        ``digest``, and either ``files`` (path -> digest) or ``distribution`` (name and version). It is empty if MODULE
        cannot be found.
    """
    module = (spec or BUNDLED).partition(":")[0]
    top, *rest = module.split(".")
    if top == "foldproof":
        rooms = {_PACKAGE / "fold", *(_PACKAGE / room for room in rest[:1])}
        return _of_files(_PACKAGE, rooms)
    places = _find_places(top)
    if any(_is_installed(place) for place in places):
        names = packages_distributions().get(top, ())
        if names:
            distribution = ", ".join(sorted({f"{name} {version(name)}" for name in names}))
            return {"digest": _digest(distribution.encode()), "distribution": distribution}
    return _of_files(places[0].parent, places) if places else {}


def describe_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return what differs between two sources, in a phrase; empty if nothing does."""
    if old.get("digest") == new.get("digest"):
        return ""
    if "files" not in old or "files" not in new:
        return f"{_name(old)} became {_name(new)}"
    before, after = old["files"], new["files"]
    changes = [
        *(f"{path} changed" for path in sorted(before) if path in after and before[path] != after[path]),
        *(f"{path} is new" for path in sorted(after) if path not in before),
        *(f"{path} is gone" for path in sorted(before) if path not in after),
    ]
    more = len(changes) - SHOWN_FILES
    return ", ".join(changes[:SHOWN_FILES]) + (f" and {more} more" if more > 0 else "")


def _name(source: Mapping[str, Any]) -> str:
    return str(source.get("distribution", "source files" if "files" in source else "an unknown source"))


def _find_places(top: str) -> list[Path]:
    """Return the folders of a top-level package, or the file of a top-level module, without importing it."""
    added = "" not in sys.path
    if added:
        sys.path.insert(0, "")  # as ``load_attribute`` does
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    finally:
        if added:
            sys.path.remove("")
    if found is None:
        return []
    folders = found.submodule_search_locations
    files = [found.origin] if found.origin and found.has_location else []
    return [Path(place).resolve() for place in (files if folders is None else folders)]


def _is_installed(place: Path) -> bool:
    roots = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    return any(place.is_relative_to(root) for root in roots)


def _of_files(root: Path, places: Iterable[Path]) -> dict[str, Any]:
    files = {}
    for path in sorted({path for place in places for path in _python_files(place)}):
        name = path.relative_to(root) if path.is_relative_to(root) else path
        files[name.as_posix()] = _digest(path.read_bytes())
    return {"digest": _digest(repr(files).encode()), "files": files} if files else {}


def _python_files(place: Path) -> Iterable[Path]:
    return [path for path in place.rglob("*.py") if path.is_file()] if place.is_dir() else [place]


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]
