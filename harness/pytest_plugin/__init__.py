"""The pytest plugin: it collects corpus files as tests, and adds options and fixtures for tests of a pass.

    pytest --fold-pass mypkg:MyPass --fold-examples 200 -n auto

The header names the pass and the target under test. The ini options foldproof_pass and foldproof_target set them for a
project. It is installed with foldproof (entry point ``pytest11``). Loading it imports neither TVM nor Hypothesis.
"""

import sys
import warnings
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from foldproof.core.defaults import DEFAULT_CORPUS
from foldproof.core.errors import UsageError
from foldproof.core.loading import BUNDLED_NAMES, name_of_pass

SUFFIX = ".case.json"

OTHER_PASS = ("error", "check")
"""What ini option ``foldproof_other_pass`` has done with a case that was found with another pass; the default first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line options and the ini options."""
    group = parser.getgroup("foldproof")
    group.addoption(
        "--fold-pass", metavar="MODULE:ATTR", help="pass to test (default: ini foldproof_pass, or the bundled pass)"
    )
    group.addoption("--fold-target", metavar="TARGET", help="TVM target (default: ini foldproof_target, or llvm)")
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
    parser.addini(
        "foldproof_corpus",
        "folders whose *.case.json files are tests (default: all folders but foldproof-corpus)",
        "paths",
    )
    parser.addini(
        "foldproof_save",
        "folder for counterexamples of Hypothesis tests, or none (default: foldproof-corpus)",
        "string",
        "",
    )
    parser.addini("foldproof_pass", "pass to test, as MODULE:ATTR (default: the bundled pass)", "string", "")
    parser.addini("foldproof_target", "TVM target (default: llvm)", "string", "llvm")
    parser.addini(
        "foldproof_other_pass",
        "what to do with a case that was found with another pass: error, or check (default: error)",
        "string",
        OTHER_PASS[0],
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise pytest.UsageError(f"--fold-examples {text!r} is not a whole number from 1")
    return int(text)


# --- what is tested -----------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an unknown value of an ini option."""
    if (value := config.getini("foldproof_other_pass")) not in OTHER_PASS:
        raise pytest.UsageError(f"foldproof_other_pass {value!r} is unknown; expected one of {', '.join(OTHER_PASS)}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return the lines of pytest's header: what is tested, and which saved cases are not tests."""
    spec, target = _pass_under_test(config), _target_under_test(config)
    bundled = "" if spec else " (the bundled pass; --fold-pass or foldproof_pass names another)"
    lines = [f"foldproof: pass {name_of_pass(spec)}{bundled}, target {target}, pipeline {_pipeline(config)}"]
    saved = len(list((config.rootpath / DEFAULT_CORPUS).rglob("*" + SUFFIX)))
    if saved and not config.getini("foldproof_corpus"):
        lines.append(
            f"foldproof: cases in {DEFAULT_CORPUS}/ are not tests: {saved}; the ini option foldproof_corpus adds them"
        )
    return lines


def _pass_under_test(config: pytest.Config) -> str | None:
    """Return the pass of the command line or else of the ini file; None for the bundled pass."""
    spec: str = config.getoption("--fold-pass") or config.getini("foldproof_pass")
    return None if spec in ("", *BUNDLED_NAMES) else spec


def _target_under_test(config: pytest.Config) -> str:
    return str(config.getoption("--fold-target") or config.getini("foldproof_target"))


def _pipeline(config: pytest.Config) -> str:
    return str(config.getoption("--fold-pipeline"))


# --- corpus files -------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "CaseFile | None":
    """Collect ``*.case.json`` files below the folders of the ini option ``foldproof_corpus``.

    Without that option they are collected everywhere, but not in the folder into which ``foldproof fuzz`` and this
    plugin save what fails: that is a test only if the user says so.
    """
    if not file_path.name.endswith(SUFFIX):
        return None
    config = parent.config
    folders = config.getini("foldproof_corpus")
    if folders and not any(file_path.is_relative_to(folder) for folder in folders):
        return None
    if (
        not folders
        and file_path.is_relative_to(config.rootpath / DEFAULT_CORPUS)
        and not _is_argument(config, file_path)
    ):
        return None
    return CaseFile.from_parent(parent, path=file_path)


def _is_argument(config: pytest.Config, path: Path) -> bool:
    """Whether an argument of the command line names the folder of what fails, or something in it."""
    named = [(config.invocation_params.dir / str(each).split("::")[0]).resolve() for each in config.args]
    return any(path.is_relative_to(each) and each.is_relative_to(config.rootpath / DEFAULT_CORPUS) for each in named)


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

    def setup(self) -> None:
        """Refuse a case that was found with another pass: it would pass, and say nothing about that pass."""
        other = self.entry.other_pass(_pass_under_test(self.config))
        if other and self.config.getini("foldproof_other_pass") == "error":
            pytest.fail(f"{self.path}: {other}; {_HOW_TO_CHOOSE}", pytrace=False)

    def runtest(self) -> None:
        """Check the case. Raises its failure; skips the test of a case that the IR of the pass cannot express."""
        from foldproof.checking.check import check

        fold, target = _load(self.config)
        verdict = check(self.entry.case, fold, target)
        if verdict.unsupported:
            pytest.skip(f"not executed: {verdict.unsupported}")
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


_HOW_TO_CHOOSE = (
    "choose the pass with --fold-pass or the ini option foldproof_pass, or set foldproof_other_pass = check to check "
    "such cases with any pass"
)


def _replay_options(config: pytest.Config) -> str:
    spec, target, pipeline = _pass_under_test(config), _target_under_test(config), _pipeline(config)
    return (
        (f" --pass {quote(spec)}" if spec else "")
        + (f" --target {quote(target)}" if target != "llvm" else "")
        + (f" --pipeline {pipeline}" if pipeline != "fast" else "")
    )


# --- Hypothesis tests -------------------------------------------------------------------------------


_COUNTEREXAMPLES = pytest.StashKey[str]()

NOISE = "BlockBuilder destroyed with remaining blocks!"
"""What TVM logs whenever a pass raises while it rewrites a function. The failure contains the exception itself."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Give a Hypothesis test that calls ``check`` the settings that it needs; shrink and save its counterexample."""
    if not isinstance(item, pytest.Function) or "hypothesis" not in sys.modules:
        return (yield)
    from foldproof.pytest_plugin.given_tests import calls_check, suitable_settings

    try:
        with suitable_settings(item.obj) if calls_check(item.obj) else nullcontext():
            return (yield)
    except Exception as error:
        if "foldproof.checking.check" in sys.modules:
            _report_counterexamples(item, error)
        raise


def _report_counterexamples(item: pytest.Item, error: Exception) -> None:
    from foldproof.pytest_plugin.counterexample import failures_of, release_modules, report

    spec = _pass_under_test(item.config)
    names = [(_load(item.config)[0], spec)] if spec and _LOADED in item.config.stash else []
    failures = failures_of(error)
    if not failures:
        return
    item.stash[_COUNTEREXAMPLES] = "\n\n".join(report(item, failure, names) for failure in failures)
    if _replaces_traceback(item.config) and not item.config.getoption("usepdb"):
        release_modules()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show counterexamples in place of the traceback, or after it if the user asked for a style of tracebacks."""
    result = yield
    text = item.stash.get(_COUNTEREXAMPLES, None)
    if text is None:
        return result
    result.sections = [(name, kept) for name, content in result.sections if (kept := _without_noise(content))]
    if result.when == "call":
        if _replaces_traceback(item.config):
            result.longrepr = text
        else:
            result.sections.append(("foldproof", text))
    return result


def _replaces_traceback(config: pytest.Config) -> bool:
    return bool(config.getoption("tbstyle") == "auto")


def _without_noise(content: str) -> str:
    return "".join(line for line in content.splitlines(keepends=True) if NOISE not in line)


# --- fixtures -----------------------------------------------------------------------------------------


_LOADED = pytest.StashKey[tuple[Any, Any]]()


def _load(config: pytest.Config) -> tuple[Any, Any]:
    """Return (the pass under test, None if it is the bundled pass; the target), loaded once per process."""
    if _LOADED not in config.stash:
        from foldproof.core.loading import load_pass
        from foldproof.ir.base import ir_of

        spec = _pass_under_test(config)
        try:
            fold = load_pass(spec) if spec else None
            target = ir_of(fold).parse_target(_target_under_test(config), _pipeline(config))
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        config.stash[_LOADED] = (fold, target)
        if target.notice:
            warnings.warn(pytest.PytestWarning(target.notice), stacklevel=2)
    return config.stash[_LOADED]


@pytest.fixture(scope="session")
def fold_pass(pytestconfig: pytest.Config) -> Any:
    """Return the pass under test; None is the bundled pass, as ``check`` takes it."""
    return _load(pytestconfig)[0]


@pytest.fixture(scope="session")
def fold_target(pytestconfig: pytest.Config) -> Any:
    """Return the target under test with the pipeline of ``--fold-pipeline``, as ``check`` takes it."""
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
