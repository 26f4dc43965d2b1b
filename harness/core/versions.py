"""Versions that say whether two processes do the same with the same seed."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

SAME_CASES = ("foldproof", "hypothesis", "python")
"""Versions that have to be equal for a seed to give the same cases."""

SAME_VERDICTS = ("apache-tvm", "numpy")
"""Versions that have to be equal for a case to get the same verdict."""


def versions() -> dict[str, str]:
    """Of this process, for journals, ``--json`` and other machines."""
    packages = {name: version(name) for name in ("foldproof", "hypothesis", *SAME_VERDICTS)}
    return packages | {"python": platform.python_version()}


def difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Why a machine with ``ours`` would not do the same as one with ``theirs``; empty if it would."""
    for names, what in ((SAME_CASES, "draw other cases"), (SAME_VERDICTS, "judge them otherwise")):
        for name in names:
            if theirs[name] != ours[name]:
                return f"has {name} {ours[name]}, not {theirs[name]}: it may {what}"
    return ""
