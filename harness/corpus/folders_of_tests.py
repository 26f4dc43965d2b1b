"""The folders whose cases are tests of a project: the ini option ``foldproof_corpus`` of its pytest configuration."""

import configparser
import tomllib
from pathlib import Path
from typing import Any

OPTION = "foldproof_corpus"

_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pytest.toml", ("pytest",)),
    (".pytest.toml", ("pytest",)),
    ("pytest.ini", ("pytest",)),
    (".pytest.ini", ("pytest",)),
    ("pyproject.toml", ("tool", "pytest")),
    ("tox.ini", ("pytest",)),
    ("setup.cfg", ("tool:pytest",)),
)
"""Where pytest looks for its configuration, in its order: file and table (docs.pytest.org, "Configuration")."""


def folders_of_tests(start: Path) -> tuple[Path, ...]:
    """Return the folders that pytest replays where it runs in ``start``; none if its configuration names none.

    Args:
        start: a folder. The configuration is in the nearest of it and its parents that has one.
    """
    for folder in (start, *start.parents):
        for name, table in _FILES:
            if (found := _read(folder / name, table)) is not None:
                given = found.get(OPTION, ())
                names = given.split() if isinstance(given, str) else given
                return tuple((folder / str(each)).resolve() for each in names)
    return ()


def _read(path: Path, table: tuple[str, ...]) -> dict[str, Any] | None:
    """Return a table of a configuration file; None if there is none, or if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            found: Any = tomllib.loads(text)
            for key in table:
                found = found.get(key, {})
            return dict(found.get("ini_options", found)) or None
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        return dict(parser[table[0]]) if parser.has_section(table[0]) else None
    except (OSError, UnicodeDecodeError, configparser.Error, tomllib.TOMLDecodeError):
        return None  # pytest reports it; here it names no folder
