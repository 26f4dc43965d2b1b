"""Load what the user names: a pass or a strategy, as ``MODULE:ATTR``."""

import inspect
import re
import sys
from importlib import import_module
from typing import Any

from foldproof.core.errors import UsageError

BUNDLED = "foldproof.fold:FoldExplicitPadding"
BUNDLED_NAMES = (None, BUNDLED, "foldproof:FoldExplicitPadding")
"""The names of the bundled pass on the command line; None is the default."""


def name_of_pass(spec: str | None) -> str:
    """Return the name of a pass for messages and records; the bundled pass has a short one."""
    return "foldproof:FoldExplicitPadding" if spec in BUNDLED_NAMES else str(spec)


def present_name(spec: str) -> str:
    """Return the present name of a pass, from a file that may be as old as the package ``harness``."""
    return re.sub(r"^harness(?=:FoldExplicitPadding$|\.fold:|\.mutants:)", "foldproof", spec)


def load_attribute(spec: str, what: str) -> Any:
    """Import the attribute that ``MODULE:ATTR`` names.

    Args:
        spec: MODULE is found as Python finds it, also in the current directory; ATTR may have dots.
        what: the word for it in messages: "pass" or "strategy".

    Returns:
        The attribute.

    Raises:
        UsageError: if it cannot be imported; one line that names ``spec``.
    """
    module_name, colon, attribute = spec.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError(f"{what} {spec!r} is not of the form MODULE:ATTR, such as mypkg.passes:MyPass")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        value: Any = import_module(module_name)
    except (Exception, SystemExit) as error:  # any module can raise anything while it is imported
        message = str(error).strip().splitlines()
        raise UsageError(
            f"{what} {spec!r}: importing {module_name} raised {type(error).__name__}: {message[0] if message else ''}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            public = [name for name in vars(value) if not name.startswith("_")] if hasattr(value, "__dict__") else []
            raise UsageError(
                f"{what} {spec!r}: {module_name} has no attribute {attribute!r}; "
                f"expected one of {', '.join(public[:20]) or 'none: it has no public name'}"
            )
        value = getattr(value, part)
    return value


def load_pass(spec: str | None) -> Any:
    """Load a pass.

    Args:
        spec: ``MODULE:ATTR`` of a ``tvm.transform.Pass``, of a factory without arguments that returns one, or of a
            function from IRModule to IRModule; the name of a subject (``foldproof.ir.subjects``); None is the bundled
            pass.

    Returns:
        A callable from IRModule to IRModule.

    Raises:
        UsageError: if it cannot be loaded; one line that names ``spec``.
    """
    if spec is None:
        # Modules are built well formed (tests/ir/relax/test_build.py); checking that takes longer than the pass.
        return load_attribute(BUNDLED, "pass")(check_input=False)
    # By name: the table of subjects is in a room above this one.
    subject: Any = import_module("foldproof.ir.subjects").load_subject(spec)
    if subject is not None:
        return subject
    value = load_attribute(spec, "pass")
    if not callable(value):
        raise UsageError(
            f"pass {spec!r} is of type {type(value).__name__}; expected a Pass, a factory of one, or a function "
            "from IRModule to IRModule"
        )
    if _takes_no_arguments(value):
        _require_arguments(value, (), f"pass {spec!r}: the factory", "a factory without arguments")
        try:
            made = value()
        except (Exception, SystemExit) as error:  # the user's factory can raise anything
            raise UsageError(f"pass {spec!r}: the factory raised {type(error).__name__}: {error}") from error
        if not callable(made):
            raise UsageError(f"pass {spec!r}: the factory returned {type(made).__name__}; expected a Pass")
        value = made
    _require_arguments(value, (None,), f"pass {spec!r}", "one, the module")
    return value


def _require_arguments(function: Any, arguments: tuple[Any, ...], what: str, expected: str) -> None:
    """Raise UsageError if a function cannot be called with these arguments, by its signature."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin without a signature
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise UsageError(f"{what} takes the arguments {signature}; expected {expected}") from error


def _takes_no_arguments(value: Any) -> bool:
    """Return whether it is a factory: a Pass, or a function from IRModule to IRModule, takes the module."""
    if inspect.isclass(value):
        return True
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a builtin without a signature
        return False
    return not any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
