"""The counterexample of a Hypothesis test: it is saved, shrunk, saved in place of the first one, and described."""

import gc
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from hypothesis.errors import Flaky

from foldproof.campaign.shrinker import ShrinkResult, shrink_with
from foldproof.case.any_case import AnyCase
from foldproof.case.describe import describe
from foldproof.checking.check import check
from foldproof.checking.failures import CheckArguments, Failure
from foldproof.core.defaults import DEFAULT_CORPUS
from foldproof.core.errors import FileError
from foldproof.core.loading import BUNDLED, load_attribute, name_of_pass
from foldproof.corpus.entry import Entry, file_name, save_entry
from foldproof.workers.worker import Result

SHRINK_SECONDS = 10.0
"""Time limit of shrinking, in seconds."""

SAVE_NOTHING = "none"
"""Value of the ini option ``foldproof_save`` that saves no counterexample."""


def failures_of(error: BaseException) -> tuple[Failure, ...]:
    """Return the failures that Hypothesis raised as ``error``; none if it is something else, or is flaky."""
    if isinstance(error, Flaky) or not _came_through_hypothesis(error):
        return ()
    raised = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    failures = tuple(each for each in raised if isinstance(each, Failure))
    return failures if len(failures) == len(raised) else ()


def _came_through_hypothesis(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == "hypothesis.core":
            return True
        trace = trace.tb_next
    return False


def report(item: pytest.Item, failure: Failure, pass_names: Sequence[tuple[Any, str]]) -> str:
    """Shrink and save the counterexample of a test, and return its description.

    Args:
        item: the test.
        failure: how it failed.
        pass_names: passes that are loaded already, with their names as ``MODULE:ATTR``.
    """
    arguments = failure.checked_with
    name = "" if arguments is None else _name_of(arguments.fold, pass_names)
    saving = _Saving(item, name)
    saving.save(failure, {})
    if arguments is None:
        return _describe(failure, None, saving, name)
    shrunk = shrink_with(failure, _Checker(arguments), seconds=SHRINK_SECONDS)
    saving.save(shrunk.failure, {"minimal": shrunk.minimal})
    return _describe(shrunk.failure, shrunk, saving, name)


def release_modules() -> None:
    """Drop what the pass raised, and with it the functions that it was rewriting.

    TVM logs a warning when they are freed. Here it is captured with the output of the test. Hypothesis keeps failures
    of earlier runs of the test, too.
    """
    for failure in [each for each in gc.get_objects() if issubclass(type(each), Failure)]:
        failure.__cause__ = failure.__context__ = None
    gc.collect()


class _Checker:
    """Checks cases in this process, as the test did."""

    workers = 1

    def __init__(self, arguments: CheckArguments) -> None:
        self._arguments = arguments

    def check_each(self, cases: Sequence[AnyCase]) -> list[Result]:
        return [self._check(case) for case in cases]

    def _check(self, case: AnyCase) -> Result:
        given = self._arguments
        try:
            return check(case, given.fold, given.target, complete=given.complete, sample=0.0)
        except Failure as failure:
            return failure


def _name_of(fold: Any, pass_names: Sequence[tuple[Any, str]]) -> str:
    """Return the name of a pass as ``MODULE:ATTR``; empty if it has no such name."""
    for each, name in pass_names:
        if each is fold:
            return name
    made = fold if hasattr(fold, "__qualname__") else type(fold)
    name = f"{made.__module__}:{made.__name__}"
    if name == BUNDLED:
        return name_of_pass(None)
    try:
        return name if load_attribute(name, "pass") is made else ""
    except ValueError:
        return ""


# --- saved --------------------------------------------------------------------------------------------


class _Saving:
    """The file of a counterexample. A smaller case replaces the file that was written before."""

    def __init__(self, item: pytest.Item, pass_name: str) -> None:
        self._item, self._pass_name = item, pass_name
        self._written: Path | None = None
        self._folder, self.problem = _folder_of(item.config)
        self.path: Path | None = None

    def save(self, failure: Failure, record: dict[str, Any]) -> None:
        """Save the case of a failure. Without a folder, or if it cannot be written, ``path`` stays None."""
        if self._folder is None:
            return
        found: dict[str, Any] = {"failure": failure.fingerprint, "detail": failure.detail}
        found["fold"] = self._pass_name or f"a pass of {self._item.nodeid}"
        if failure.checked_with is not None:
            found["target"] = failure.checked_with.target.name
        entry = Entry(case=failure.case, found=found | {"test": self._item.nodeid} | record)
        there = (self._folder / file_name(entry)).exists()
        try:
            self.path = save_entry(self._folder, entry)
        except FileError as error:
            self._folder, self.problem = None, str(error)
            return
        if self._written not in (None, self.path):
            self._written.unlink(missing_ok=True)
        self._written = None if there else self.path  # a file that was there before is somebody's

    def shown(self) -> str:
        """Return the path as a user types it."""
        here = self._item.config.invocation_params.dir
        path = self.path or Path()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _folder_of(config: pytest.Config) -> tuple[Path | None, str]:
    """Return (the folder of counterexamples, or None; why it is None, in words)."""
    name: str = config.getini("foldproof_save")
    if name == SAVE_NOTHING:
        return None, f"the ini option foldproof_save is {SAVE_NOTHING}"
    folder = config.rootpath / (name or DEFAULT_CORPUS)
    if not name and any(folder.is_relative_to(each) for each in config.getini("foldproof_corpus")):
        return None, f"{DEFAULT_CORPUS} is a folder of tests (foldproof_corpus); name a folder with foldproof_save"
    return folder, ""


# --- described ----------------------------------------------------------------------------------------


def _describe(failure: Failure, shrunk: ShrinkResult | None, saving: _Saving, pass_name: str) -> str:
    lines = [f"{failure.fingerprint}: {failure.detail}", describe(failure.case), repr(failure.case)]
    if shrunk is not None:
        size = "1-minimal" if shrunk.minimal else "not minimal (the time for shrinking ended)"
        lines.append(f"{size} after {shrunk.tried} cases in {shrunk.seconds:.1f} s")
    if saving.path is None:
        lines.append(f"not saved: {saving.problem}")
    else:
        lines.append(f"replay: foldproof replay {quote(saving.shown())}{_options(failure, pass_name)}")
    return "\n".join(lines)


def _options(failure: Failure, pass_name: str) -> str:
    given = failure.checked_with
    if given is None or not pass_name:
        return " --pass MODULE:ATTR (the pass of this test, which has no name of that form)"
    bundled = pass_name == name_of_pass(None)
    return (
        ("" if bundled else f" --pass {quote(pass_name)}")
        + (f" --target {quote(given.target.name)}" if given.target.name != "llvm" else "")
        + (f" --pipeline {given.target.pipeline}" if given.target.pipeline != "fast" else "")
        + (" --complete" if given.complete and not bundled else "")
    )
