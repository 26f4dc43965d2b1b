"""The pytest plugin: it collects corpus files as tests, and adds options and fixtures for tests of a pass.

    pytest --fold-pass mypkg:MyPass --fold-examples 200 -n auto

It is installed with foldproof (entry point ``pytest11``). Loading it imports neither TVM nor Hypothesis.
"""

import warnings
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from foldproof.core.errors import UsageError

SUFFIX = ".case.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the ini option of folders whose cases are collected."""
    group = parser.getgroup("foldproof")
    group.addoption("--fold-pass", metavar="MODULE:ATTR", help="pass to test (default: the bundled pass)")
    group.addoption("--fold-target", default="llvm", metavar="TARGET", help="TVM target (default: llvm)")
    group.addoption(
        "--fold-pipeline",
        choices=("fast", "default"),
        default="fast",
        help="how a case is compiled and run (default: fast)",
    )
    group.addoption(
        "--fold-examples", type=_positive, default=25, metavar="N", help="number of random cases per test (default: 25)"
    )
    group.addoption("--fold-seed", type=int, default=0, metavar="S", help="seed of the random cases (default: 0)")
    parser.addini("foldproof_corpus", "folders whose *.case.json files are tests (default: all folders)", "paths")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise pytest.UsageError(f"--fold-examples {text!r} is not a whole number from 1")
    return int(text)


# --- corpus files -------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "CaseFile | None":
    """Collect ``*.case.json`` files below the folders of the ini option ``foldproof_corpus``."""
    if not file_path.name.endswith(SUFFIX):
        return None
    folders = parent.config.getini("foldproof_corpus")
    if folders and not any(file_path.is_relative_to(folder) for folder in folders):
        return None
    return CaseFile.from_parent(parent, path=file_path)


class CaseFile(pytest.File):
    """A file with one case. A malformed file is a collection error."""

    def collect(self) -> Iterator["CaseItem"]:
        """Yield the test of the case."""
        from foldproof.corpus.entry import CorpusError, load_entry

        try:
            entry = load_entry(self.path)
        except CorpusError as error:
            raise self.CollectError(str(error)) from error
        yield CaseItem.from_parent(self, name=self.path.name.removesuffix(SUFFIX), entry=entry)


class CaseItem(pytest.Item):
    """The test of a saved case: ``check`` passes, and the bundled pass does what the entry expects."""

    def __init__(self, *, entry: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry

    def runtest(self) -> None:
        """Check the case. Raises its failure."""
        from foldproof.checking.check import check

        fold, target = _load(self.config)
        verdict = check(self.entry.case, fold, target)
        if fold is None:
            problem = self.entry.unexpected_outcome(verdict)
            assert problem is None, problem

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what failed, a description of the case, and the command that replays it."""
        from foldproof.case.describe import describe
        from foldproof.checking.failures import Failure

        if isinstance(excinfo.value, pytest.UsageError):
            return str(excinfo.value)
        if not isinstance(excinfo.value, Failure | AssertionError):
            return super().repr_failure(excinfo, style)
        detail = excinfo.value.detail if isinstance(excinfo.value, Failure) else str(excinfo.value)
        kind = excinfo.value.fingerprint if isinstance(excinfo.value, Failure) else "unexpected outcome"
        replay = f"foldproof replay {self.path}" + _replay_options(self.config)
        return "\n".join([f"{kind}: {detail}", describe(self.entry.case), f"replay: {replay}"])

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the path of the file, and the name of the case."""
        return self.path, None, self.name


def _replay_options(config: pytest.Config) -> str:
    spec, target = config.getoption("--fold-pass"), config.getoption("--fold-target")
    pipeline = config.getoption("--fold-pipeline")
    return (
        (f" --pass {quote(spec)}" if spec else "")
        + (f" --target {quote(target)}" if target != "llvm" else "")
        + (f" --pipeline {pipeline}" if pipeline != "fast" else "")
    )


# --- fixtures -----------------------------------------------------------------------------------------


_LOADED = pytest.StashKey[tuple[Any, Any]]()


def _load(config: pytest.Config) -> tuple[Any, Any]:
    """Return (the pass of --fold-pass, or None for the bundled pass; the target), loaded once per process."""
    if _LOADED not in config.stash:
        from foldproof.core.loading import BUNDLED_NAMES, load_pass
        from foldproof.ir.base import ir_of

        spec = config.getoption("--fold-pass")
        try:
            fold = load_pass(spec) if spec not in BUNDLED_NAMES else None
            target = ir_of(fold).parse_target(config.getoption("--fold-target"), config.getoption("--fold-pipeline"))
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        config.stash[_LOADED] = (fold, target)
        if target.notice:
            warnings.warn(pytest.PytestWarning(target.notice), stacklevel=2)
    return config.stash[_LOADED]


@pytest.fixture(scope="session")
def fold_pass(pytestconfig: pytest.Config) -> Any:
    """Return the pass of ``--fold-pass``; without it None, which is the bundled pass for ``check``."""
    return _load(pytestconfig)[0]


@pytest.fixture(scope="session")
def fold_target(pytestconfig: pytest.Config) -> Any:
    """Return the target of ``--fold-target`` with the pipeline of ``--fold-pipeline``, as ``check`` takes it."""
    return _load(pytestconfig)[1]


@pytest.fixture(scope="session")
def fold_examples(pytestconfig: pytest.Config) -> int:
    """Return ``--fold-examples``: the number of random cases per test."""
    return int(pytestconfig.getoption("--fold-examples"))


@pytest.fixture
def fold_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this test, from ``--fold-seed`` and its node id: the same in every worker of pytest-xdist."""
    text = f"{request.config.getoption('--fold-seed')}:{request.node.nodeid}"
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big")
