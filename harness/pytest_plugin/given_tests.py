"""The settings of Hypothesis tests that call ``foldproof.check``.

Hypothesis stops at the first failure of such a test: it neither shrinks nor explains, since following
``Case.simpler()`` is faster. Invariant: the settings of other tests stay as they are.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any

from hypothesis import Phase, is_hypothesis_test, settings
from hypothesis._settings import local_settings

PACKAGE = "foldproof"

MAX_CALLS = 3
"""How many functions deep ``calls_check`` looks."""


def calls_check(function: Any) -> bool:
    """Return whether a test function calls ``foldproof.check``, itself or through functions that it names.

    It reads the names in the code, and executes nothing.
    """
    function = getattr(function, "__func__", function)
    if is_hypothesis_test(function):
        function = function.hypothesis.inner_test
    return isinstance(function, FunctionType) and _reaches_check(function, MAX_CALLS)


def _reaches_check(function: FunctionType, depth: int) -> bool:
    names = set(_names(function.__code__))
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    module: Any = sys.modules.get("foldproof.checking.check")
    if module is not None and any(value is module.check for value in values):
        return True
    named = any(isinstance(value, ModuleType) and value.__name__.startswith(PACKAGE) for value in values)
    if "check" in names and (named or PACKAGE in names):
        return True
    functions = (each for each in values if isinstance(each, FunctionType) and not each.__module__.startswith(PACKAGE))
    return depth > 0 and any(_reaches_check(each, depth - 1) for each in functions)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names and attributes that the code and the functions in it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@contextmanager
def suitable_settings(function: Any) -> Iterator[None]:
    """Run a test that calls ``check`` with the settings that it needs.

    A test that is not a Hypothesis test itself may define one. That one takes the settings of the current profile.
    """
    function = getattr(function, "__func__", function)
    if not is_hypothesis_test(function):
        with local_settings(adapt(settings())):
            yield
        return
    own = function._hypothesis_internal_use_settings
    function._hypothesis_internal_use_settings = adapt(own)
    try:
        yield
    finally:
        function._hypothesis_internal_use_settings = own


def adapt(own: settings) -> settings:
    """Return settings without deadline, shrinking and explaining, where they have the defaults of Hypothesis.

    Other deadlines and phases are the user's choice, and stay.
    """
    usual = settings.get_profile("default")
    deadline = None if own.deadline == usual.deadline else own.deadline
    phases = set(own.phases)
    if phases == set(Phase):
        phases -= {Phase.shrink, Phase.explain}
    return settings(own, deadline=deadline, phases=phases)
