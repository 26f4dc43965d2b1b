"""Find what the user names: a pass or a strategy as ``MODULE:ATTR``."""

import importlib
import inspect
import re
import sys
from typing import Any

from foldproof.core.errors import UsageError

BUNDLED = "foldproof.fold:FoldExplicitPadding"
BUNDLED_NAMES = (None, BUNDLED, "foldproof:FoldExplicitPadding")
"""How the bundled pass can be named on a command line; None is not at all."""


def present_name(spec: str) -> str:
    """The name of a pass as files say it that were written when the package was called ``harness``."""
    return re.sub(r"^harness(?=:FoldExplicitPadding$|\.fold:|\.mutants:)", "foldproof", spec)


def load_attribute(spec: str, what: str) -> Any:
    """The attribute that ``MODULE:ATTR`` names; MODULE is found as Python finds it, the current directory included."""
    module_name, colon, attribute = spec.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError(f"{what} {spec!r} is not of the form MODULE:ATTR")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        value: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # any module can raise anything while it is imported
        message = str(error).strip().splitlines()
        raise UsageError(
            f"{what} {spec!r}: importing {module_name} raised {type(error).__name__}: {message[0] if message else ''}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            public = [name for name in vars(value) if not name.startswith("_")] if hasattr(value, "__dict__") else []
            raise UsageError(
                f"{what} {spec!r}: {module_name} has no {attribute}; it has {', '.join(public[:20]) or 'nothing'}"
            )
        value = getattr(value, part)
    return value


def load_fold(spec: str | None) -> Any:
    """A pass: a ``tvm.transform.Pass``, a factory without arguments that returns one, or a function of a module.

    None is the bundled pass. Raises UsageError.
    """
    if (
        spec is None
    ):  # what it is given is built well formed (tests/ir/relax/test_build.py); asking takes longer than the pass
        return load_attribute(BUNDLED, "pass")(check_input=False)
    value = load_attribute(spec, "pass")
    if not callable(value):
        raise UsageError(
            f"pass {spec!r} is a {type(value).__name__}: no Pass, no factory of one, no function of a module"
        )
    if _takes_no_arguments(value):
        try:
            made = value()
        except (Exception, SystemExit) as error:  # the user's factory can raise anything
            raise UsageError(f"pass {spec!r}: making it raised {type(error).__name__}: {error}") from error
        if not callable(made):
            raise UsageError(f"pass {spec!r}: the factory returned {type(made).__name__}, not a Pass")
        return made
    return value


def _takes_no_arguments(value: Any) -> bool:
    """Whether it is a factory: a Pass, like a function of a module, is called with the module."""
    if inspect.isclass(value):
        return True
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a builtin without a signature
        return False
    return not any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
