"""Versions that must be equal for two processes to get the same results from the same seed."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

SAME_CASES = ("foldproof", "hypothesis", "python")
"""Packages whose versions must be equal for a seed to draw the same cases."""

SAME_VERDICTS = ("apache-tvm", "numpy")
"""Packages whose versions must be equal for a case to get the same result."""


def versions() -> dict[str, str]:
    """Return the versions of this process, for journals, ``--json`` and other machines."""
    packages = {name: version(name) for name in ("foldproof", "hypothesis", *SAME_VERDICTS)}
    return packages | {"python": platform.python_version()}


def difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Return why ``ours`` may give other results than ``theirs``; empty if they may not."""
    for names, what in ((SAME_CASES, "draw other cases"), (SAME_VERDICTS, "get other results")):
        for name in names:
            if theirs[name] != ours[name]:
                return f"has {name} {ours[name]}; expected {theirs[name]}, as it may {what}"
    return ""
