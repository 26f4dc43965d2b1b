"""The pytest plugin and Hypothesis tests that call ``check``: settings, and the report of a counterexample."""

import subprocess
import sys

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.support.projects import run_apart
from tests.support.projects import run_here as run

import foldproof
from foldproof import Failure, check, shrink, strategies
from foldproof.corpus.entry import load_entry
from foldproof.pytest_plugin.given_tests import adapt, calls_check

pytest_plugins = ["pytester"]

RAISES = """
from tvm.relax.expr_functor import PyExprMutator, mutator

@mutator
class Folder(PyExprMutator):
    def visit_call_(self, call):
        if call.op.name == "relax.nn.conv1d":
            raise RuntimeError("conv1d is left for tomorrow")
        return super().visit_call_(call)

def raises(mod):
    return Folder(mod).visit_expr(mod["main"])

class Slow:
    def __call__(self, mod):
        import time

        time.sleep(0.25)
        return mod

def made(n):
    return lambda mod: raises(mod)
"""

TEST = """
import foldproof
from foldproof import strategies
from hypothesis import given, settings, Phase
from hypothesis import strategies as st

from passes import Slow, made, raises

@given(strategies.cases("conv1d"))
def test_fails(case):
    foldproof.check(case, fold=raises)

@given(strategies.cases("conv1d"))
def test_has_no_name(case):
    foldproof.check(case, fold=made(1))

def test_has_one_inside(fold_target):
    @settings(max_examples=5, database=None)
    @given(strategies.cases("conv1d"))
    def inner(case):
        foldproof.check(case, fold=raises, target=fold_target)

    inner()

@settings(max_examples=2, database=None)
@given(strategies.cases("conv1d"))
def test_is_slow(case):
    foldproof.check(case, fold=Slow())

@settings(max_examples=2, database=None)
@given(st.integers())
def test_is_no_business_of_foldproof(n):
    assert settings().phases == tuple(Phase)
    assert test_is_slow._hypothesis_internal_use_settings.phases == tuple(Phase)
"""


@pytest.fixture
def project(pytester):
    """A project with wrong passes and their tests."""
    pytester.makepyfile(passes=RAISES, test_own=TEST)
    return pytester


def saved(project, folder="foldproof-corpus"):
    return sorted((project.path / folder).glob("*.case.json"))


# --- report -------------------------------------------------------------------------------------------


def test_a_counterexample_is_described_in_a_few_lines_saved_and_replayed(project):
    result = run_apart(project, "-k", "test_fails")
    result.assert_outcomes(failed=1, deselected=4)
    [path] = saved(project)
    result.stdout.fnmatch_lines(
        [
            "CompileError/conv/pass: the pass raised RuntimeError: conv1d is left for tomorrow",
            "conv1d NCW/OIW float32, data (1, 1, 1), 1 filter",
            "  W          size 1, kernel 1",
            "Case(op='conv1d', axes=(Axis(),))",
            "1-minimal after *",
            f"replay: foldproof replay foldproof-corpus/{path.name} --pass passes:raises",
        ]
    )
    assert len(result.outlines) < 40
    result.stdout.no_fnmatch_line("*BlockBuilder*")
    result.stderr.no_fnmatch_line("*BlockBuilder*")
    result.stdout.no_fnmatch_line("*Explanation*")
    result.stdout.no_fnmatch_line("*Traceback*")
    found = load_entry(path).found
    assert (found["fold"], found["target"], found["minimal"]) == ("passes:raises", "llvm", True)
    assert found["test"] == "test_own.py::test_fails"
    # In CI, pytest prints the whole text again in its summary.
    [line] = {line for line in result.outlines if line.startswith("replay: foldproof ")}
    command = [sys.executable, "-m", *line.removeprefix("replay: ").split()]
    assert subprocess.run(command, cwd=project.path, capture_output=True, timeout=200).returncode == 1


def test_a_test_inside_a_test_is_reported_likewise(project):
    result = run(project, "-k", "test_has_one_inside")
    result.assert_outcomes(failed=1, deselected=4)
    result.stdout.fnmatch_lines(["1-minimal after *", "replay: foldproof replay *--pass passes:raises"])
    result.stdout.no_fnmatch_line("*BlockBuilder*")
    result.stderr.no_fnmatch_line("*BlockBuilder*")
    assert len(saved(project)) == 1


@pytest.mark.slow
def test_a_traceback_is_shown_to_whom_asks_for_one(project):
    result = run(project, "-k", "test_fails", "--tb=short")
    result.stdout.fnmatch_lines(["*foldproof.check(case, fold=raises)", "*- foldproof -*", "1-minimal after *"])


def test_a_pass_without_a_name_is_not_taken_for_the_bundled_one(project):
    result = run(project, "-k", "test_has_no_name")
    result.stdout.fnmatch_lines(["replay: foldproof replay * --pass MODULE:ATTR (the pass of this test, *"])
    [path] = saved(project)
    assert load_entry(path).other_pass(None)


@pytest.mark.parametrize(
    ("ini", "folder", "line"),
    [
        ("foldproof_save = found/here", "found/here", "replay: foldproof replay found/here/*"),
        pytest.param(
            "foldproof_save = none", None, "not saved: the ini option foldproof_save is none", marks=pytest.mark.slow
        ),
        ("foldproof_corpus = foldproof-corpus", None, "not saved: foldproof-corpus is a folder of tests *"),
        pytest.param(
            "foldproof_corpus = cases\nfoldproof_save = cases",
            "cases",
            "replay: foldproof replay cases/*",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["named", "none", "the folder is replayed", "the replayed folder is named"],
)
def test_a_counterexample_is_saved_where_the_user_says(ini, folder, line, project):
    project.makeini("[pytest]\n" + ini)
    run(project, "-k", "test_fails").stdout.fnmatch_lines([line])
    assert [str(path.parent.relative_to(project.path)) for path in project.path.rglob("*.case.json")] == (
        [folder] if folder else []
    )


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_slow_pass_meets_no_deadline_and_other_tests_keep_their_settings(project):
    run_apart(project, "-k", "test_is_slow or business").assert_outcomes(passed=2, deselected=3)


def test_the_defaults_of_hypothesis_are_replaced_and_what_a_user_chose_stays():
    usual = settings(settings.get_profile("default"), max_examples=7)
    adapted = adapt(usual)
    assert (adapted.deadline, adapted.max_examples) == (None, 7)
    assert set(adapted.phases) == set(Phase) - {Phase.shrink, Phase.explain}
    chosen = settings(usual, deadline=4000, phases=[Phase.generate, Phase.shrink])
    assert (adapt(chosen).deadline, adapt(chosen).phases) == (chosen.deadline, chosen.phases)


def helper(case):
    foldproof.check(case)


@given(strategies.cases())
def in_module(case):
    foldproof.check(case)


@given(strategies.cases())
def by_name(case):
    check(case)


@given(strategies.cases())
def through_helper(case):
    helper(case)


def nested():
    @given(strategies.cases())
    def inner(case):
        check(case)

    inner()


def imports_itself():
    from foldproof import check as own

    own(None)


@given(st.integers())
def of_something_else(n):
    assert shrink is not Failure


def of_other_names(thing):
    thing.verify(thing)


def test_a_test_that_calls_check_is_recognised():
    assert all(map(calls_check, [in_module, by_name, through_helper, nested, imports_itself]))
    assert not any(map(calls_check, [of_something_else, of_other_names, print, int]))
