"""``foldproof.fold`` with every change that mutmut can make, one of which is switched on at a time.

    source --mutmut--> each function and its changed copies --import hook--> modules --switched--> one of many passes

Call ``install`` before anything imports ``foldproof.fold``. mutmut writes the copies. This module decides which copy
runs and records which functions a pass reached, in one process, so that a case goes through thousands of passes.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import ndiff
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import mutmut.mutation.trampoline
from mutmut.mutation.file_mutation import mutate_file_contents

PACKAGE = "foldproof.fold"
BY_TVM = "class FoldExplicitPadding:"
"""TVM wraps this class, so that its methods cannot be switched."""


@dataclass(frozen=True, slots=True)
class Change:
    """A function with one change. ``function`` names the unchanged one, ``lines`` is the diff."""

    name: str
    function: str
    lines: tuple[str, ...]


CHANGES: dict[str, Change] = {}
REACHED: set[str] = set()
"""Functions called since this was emptied, by the names of ``Change.function``."""

_on: str | None = None


@contextmanager
def switched(name: str) -> Iterator[None]:
    """Switch on the change of this name."""
    global _on
    _on = name
    try:
        yield
    finally:
        _on = None


def install() -> None:
    """Import ``foldproof.fold`` with all changes from now on; ``CHANGES`` fills."""
    if PACKAGE in sys.modules:
        raise RuntimeError(f"{PACKAGE} is imported already, unchanged")
    mutmut.mutation.trampoline.wrap_in_trampoline = _switch
    sys.meta_path.insert(0, _Finder())


def _switch(copies: dict[str, Any], is_classmethod: bool = False) -> Callable[[Any], Any]:
    """Replace mutmut's decorator of each changed function. ``copies`` are filled afterwards."""

    def decorated(function: Any) -> Any:
        name = ""

        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            nonlocal name
            name = name or f"{function.__module__}.{copies['_mutmut_orig'].__name__.removesuffix('_orig')}"
            REACHED.add(name)
            copy = copies["_mutmut_orig"]
            if _on is not None and _on.startswith(name):
                copy = copies.get(_on.rpartition(".")[2], copy)
            if is_classmethod:
                return getattr(args[0], copy.__name__)(*args[1:], **options)
            return copy(*args, **options)

        return call

    return decorated


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of the package, and executes their changed source."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if not name.startswith(f"{PACKAGE}."):
            return None
        file = Path(next(iter(path))) / f"{name.rpartition('.')[2]}.py"
        return importlib.util.spec_from_file_location(name, file, loader=self)

    def create_module(self, spec: Any) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        file = str(module.__file__)
        source = Path(file).read_text().replace(BY_TVM, f"{BY_TVM}  # pragma: no mutate block")
        changed = mutate_file_contents(file, source)
        lines = changed.code.splitlines()
        spans = changed.line_span_by_function_name
        for mutant in changed.mutant_names:
            function = mutant.rpartition("_")[0]
            before, after = (_source(lines, spans[copy], copy) for copy in (f"{function}_orig", mutant))
            name = f"{module.__name__}.{mutant}"
            CHANGES[name] = Change(name, f"{module.__name__}.{function}", _diff(before, after))
        exec(compile(changed.code, file, "exec"), module.__dict__)  # noqa: S102, this is what a loader does


def _source(lines: list[str], span: Any, name: str) -> list[str]:
    """Return the lines of a copy, with one name for all copies. Spans count from 1, their end included."""
    return [line.replace(name, "f") for line in lines[span.start - 1 : span.end]]


def _diff(before: list[str], after: list[str]) -> tuple[str, ...]:
    return tuple(line for line in ndiff(before, after) if line[0] in "-+")
