"""The pytest plugin in a project of its own."""

import re
import subprocess
import sys

import pytest
from tests.support.projects import run_apart
from tests.support.projects import run_here as run
from tests.support.snapshots import assert_message, scrub

pytest_plugins = ["pytester"]

GOOD = (
    '{"foldproof": 1, "expect": {"folded": "conv"}, "case": {"format": 1, "op": "conv1d", "axes": [{"pad": [1, 0]}]}}'
)

PASSES = """
def swaps_sides(mod):
    import planted_here
    return mod

def folds_nothing(mod):
    return mod
"""

WRONG = "foldproof.mutants:mode_ignored"
FOUND = (
    '{"foldproof": 2, "found": {"failure": "Miscompile/conv/values", "fold": "' + WRONG + '"}, '
    '"case": {"format": 1, "op": "conv1d", "axes": [{"size": 3, "pad": [0, 1]}], "pad": {"mode": "circular"}}}'
)

OWN_TEST = """
import foldproof
from foldproof import strategies
from hypothesis import given, settings

from passes import folds_nothing

@settings(max_examples=5, deadline=None, derandomize=True)
@given(strategies.cases("conv2d"))
def test_my_pass(case):
    foldproof.check(case, fold=folds_nothing)
"""


@pytest.fixture
def project(pytester):
    """A project with a corpus, a pass and no configuration of ours."""
    (pytester.path / "good.case.json").write_text(GOOD)
    pytester.makepyfile(passes=PASSES)
    return pytester


def line_of(lines, part, project):
    """The first line with a part, without its mark and what differs from run to run."""
    line = next(line for line in lines if part in line)
    return scrub(re.sub(r"^(E +|ERROR: )", "", line).strip(), {project.path: "DIR"})


def test_case_files_are_tests(project):
    result = run_apart(project, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*good.case.json::good PASSED*"])


@pytest.mark.slow
def test_case_files_run_under_xdist(project):
    (project.path / "second.case.json").write_text(GOOD.replace("[1, 0]", "[0, 1]"))
    run_apart(project, "-n", "2").assert_outcomes(passed=2)


def test_a_failing_case_shows_the_sentence_the_case_and_how_to_replay_it(project):
    (project.path / "wrong.case.json").write_text(GOOD.replace('"conv"', '"max_pool"', 1))
    result = run(project, "wrong.case.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "unexpected outcome: expected folded 'max_pool', but got 'conv'",
            "conv1d NCW/OIW float32, data (1, 1, 1), 1 filter",
            "replay: foldproof replay *wrong.case.json",
        ]
    )


def test_a_malformed_case_is_an_error(project):
    (project.path / "bad.case.json").write_text("{")
    result = run(project)
    result.assert_outcomes(errors=1)
    assert_message("plugin-messages", "a case file that is not JSON", line_of(result.outlines, "is not JSON", project))


def test_only_the_folders_of_the_ini_option_are_collected(project):
    project.makeini("[pytest]\nfoldproof_corpus = corpus")
    project.mkdir("corpus").joinpath("inner.case.json").write_text(GOOD)
    result = run(project, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*inner.case.json::inner PASSED*"])


def test_what_fuzz_saves_is_not_a_test_unless_the_user_says_so(project):
    project.mkdir("foldproof-corpus").joinpath("found.case.json").write_text(GOOD)
    result = run(project, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["good.case.json::good"])
    result.stdout.no_fnmatch_line("*found.case.json::*")
    result = run(project, "--collect-only")
    result.stdout.fnmatch_lines(["foldproof: cases in foldproof-corpus/ are not tests: 1; the ini option *"])
    run(project, "--collect-only", "-q", "foldproof-corpus").stdout.fnmatch_lines(["*/found.case.json::found"])
    project.makeini("[pytest]\nfoldproof_corpus = foldproof-corpus")
    run(project, "--collect-only", "-q").stdout.fnmatch_lines(["*/found.case.json::found"])


def test_another_pass_is_tested_with_an_option(project):
    run(project, "--fold-pass", "passes:folds_nothing").assert_outcomes(passed=1)
    result = run(project, "--fold-pass", "passes:swaps_sides")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["CompileError/conv/pass: the pass raised ModuleNotFoundError*", "*--pass passes:swaps_sides"]
    )


def test_graphs_are_tests_and_a_failing_one_is_shown_in_words(project):
    site = '{"case": {"op": "conv1d", "axes": [{"pad": [1, 0]}]}'
    (project.path / "good.case.json").write_text(
        f'{{"foldproof": 3, "case": {{"format": 2, "sites": [{site}}}, {site.replace("1, 0", "0, 2")}}}]}}}}'
    )
    run(project).assert_outcomes(passed=1)
    result = run(project, "--fold-pass", "foldproof.mutants:second_site_gets_the_first_padding")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "IllFormed/graph/module: the folded module is not well formed: *",
            "graph of 2 sites",
            "  main    x1 -> pad1 -> conv1d -> result1",
            "replay: foldproof replay *good.case.json*",
        ]
    )


def test_cases_of_onnx_are_tests_of_a_subject(project):
    case = '{"format": 2, "op": "conv1d", "axes": [{"pad": [1, 0]}]}'
    (project.path / "good.case.json").write_text(
        f'{{"foldproof": 2, "case": {{"case": {case}, "form": {{"opset": 11}}}}}}'
    )
    run(project, "--fold-pass", "onnxruntime/basic").assert_outcomes(passed=1)


def test_a_case_that_the_ir_of_the_pass_cannot_express_is_skipped(project):
    case = '{"format": 2, "op": "avg_pool1d", "axes": [{"pad": [1, 0]}], "dtype": "int32"}'
    (project.path / "good.case.json").write_text(f'{{"foldproof": 2, "case": {case}}}')
    run(project, "--fold-pass", "onnxruntime/basic").assert_outcomes(skipped=1)


def test_a_case_of_another_pass_is_an_error_that_names_both(project):
    (project.path / "found.case.json").write_text(FOUND)
    result = run(project)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*def setup*")
    line = line_of(result.outlines, "was found with", project)
    assert_message("plugin-messages", "a case of another pass", line)


@pytest.mark.parametrize(
    ("ini", "options", "outcomes"),
    [
        ("foldproof_pass = " + WRONG, (), {"failed": 1}),
        ("", ("--fold-pass", WRONG), {"failed": 1}),
        ("foldproof_pass = passes:swaps_sides", ("--fold-pass", WRONG), {"failed": 1}),
        ("foldproof_pass = passes:folds_nothing", (), {"errors": 1}),
        ("foldproof_pass = passes:folds_nothing\nfoldproof_other_pass = check", (), {"passed": 1}),
        ("foldproof_other_pass = check", (), {"passed": 1}),
    ],
    ids=[
        "ini",
        "option",
        "option before ini",
        "another pass",
        "another pass is checked",
        "the bundled pass is checked",
    ],
)
def test_a_case_is_checked_with_the_pass_under_test(ini, options, outcomes, project):
    project.makeini("[pytest]\n" + ini)
    (project.path / "found.case.json").write_text(FOUND)
    run(project, "found.case.json", *options).assert_outcomes(**outcomes)


def test_the_header_names_the_pass_and_the_target_under_test(project):
    run(project, "--collect-only").stdout.fnmatch_lines(
        ["foldproof: pass foldproof:FoldExplicitPadding (the bundled pass; *), target llvm, pipeline fast"]
    )
    project.makeini("[pytest]\nfoldproof_pass = passes:folds_nothing\nfoldproof_target = c")
    run(project, "--collect-only").stdout.fnmatch_lines(
        ["foldproof: pass passes:folds_nothing, target c, pipeline fast"]
    )
    run(project, "--collect-only", "--fold-target", "llvm").stdout.fnmatch_lines(["foldproof: *, target llvm, *"])


def test_what_to_do_with_cases_of_another_pass_must_be_known(project):
    project.makeini("[pytest]\nfoldproof_other_pass = skip")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = line_of(result.errlines, "foldproof_other_pass", project)
    assert_message("plugin-messages", "foldproof_other_pass = skip", line)


def test_a_pass_that_does_not_exist_is_a_usage_error(project):
    result = run(project, "--fold-pass", "passes:missing")
    assert result.ret != 0
    line = line_of(result.outlines, "passes has no attribute", project)
    assert_message("plugin-messages", "--fold-pass passes:missing", line)


def test_examples_must_be_a_number(project):
    result = run(project, "--fold-examples", "many")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = line_of(result.errlines, "--fold-examples", project)
    assert_message("plugin-messages", "--fold-examples many", line)


def test_a_target_that_is_unknown_is_a_usage_error(project):
    result = run(project, "--fold-target", "lvm")
    assert result.ret != 0
    line = line_of(result.outlines, "target 'lvm'", project)
    assert_message("plugin-messages", "--fold-target lvm", line)


def test_fixtures_give_the_options(project):
    project.makepyfile(
        """
        def test_options(fold_pass, fold_target, fold_examples, fold_seed):
            assert fold_pass.__name__ == "folds_nothing"
            assert fold_target.name == "llvm"
            assert fold_target.pipeline == "default"
            assert fold_examples == 7
            assert isinstance(fold_seed, int)
        """
    )
    args = ["--fold-pass", "passes:folds_nothing", "--fold-examples", "7", "-k", "options"]
    args += ["--fold-pipeline", "default"]
    run(project, *args).assert_outcomes(passed=1)


def test_a_test_of_an_own_pass_is_three_lines_and_reports_its_coverage(project):
    project.makepyfile(test_own=OWN_TEST)
    result = run(project, "test_own.py", "--hypothesis-show-statistics")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*refused*"])


def test_loading_the_plugin_imports_neither_tvm_nor_hypothesis():
    program = "import sys, foldproof.pytest_plugin; print(sorted({'tvm', 'hypothesis', 'numpy'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
