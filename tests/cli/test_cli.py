"""The command line in real processes: exit codes, output, and one line for bad input."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.snapshots import assert_entries, assert_message

from foldproof.case import Case
from foldproof.case.filters import CaseFilter

TRIVIAL = '{"foldproof": 1, "case": {"format": 1, "op": "conv1d", "axes": [{"pad": [1, 0]}]}}'

PASSES = """
import tvm

@tvm.transform.module_pass(opt_level=0, name="Raises")
def raises(mod, ctx):
    raise RuntimeError("boom")

@tvm.transform.module_pass(opt_level=0, name="Nothing")
def changes_nothing(mod, ctx):
    return mod

def returns_none(mod):
    return None if "nn.pad" in mod.script() else mod

def returns_tensor(mod):
    return tvm.runtime.empty((1,), "float32")

def takes_two(mod, options):
    return mod

class TakesArguments:
    def __init__(self, level):
        pass
    def __call__(self, mod):
        return mod

class TakesTwo:
    def __call__(self, mod, options):
        return mod

class NotCallable:
    pass

not_callable = NotCallable()

def function_of_a_module(mod):
    return mod

def factory():
    return changes_nothing

def factory_of_nothing():
    return 3

def factory_that_raises():
    raise ValueError("no such option")

NUMBER = 7

def raising(*names):
    import hypothesis.strategies as st
    return st.integers().map(lambda n: 1 // 0)

def numbers(*names):
    import hypothesis.strategies as st
    return st.just(0)

def no_strategy(*names):
    return 3

def needs_names(first, second):
    return 3

def ends_its_process(*names):
    import os
    os._exit(3)

def exits(mod):
    raise SystemExit(0)

def interrupts(mod):
    raise KeyboardInterrupt

def dies(mod):
    import os, signal
    os.kill(os.getpid(), signal.SIGSEGV)

def chatters(mod):
    print("garbage on stdout", flush=True)
    return mod
"""


@pytest.fixture
def folder(tmp_path):
    """A working directory with passes to test and a case to replay."""
    (tmp_path / "passes.py").write_text(PASSES)
    (tmp_path / "trivial.case.json").write_text(TRIVIAL)
    return tmp_path


def foldproof(*args, cwd, **env):
    command = [sys.executable, "-m", "foldproof", *map(str, args)]
    return subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=300)


def refused(run):
    """The one line on stderr of a run that ended with exit code 2."""
    assert run.returncode == 2, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    [line] = run.stderr.splitlines()
    assert line.startswith("foldproof: ")
    return line


# --- bad input ----------------------------------------------------------------------------------------

MESSAGES = "cli-messages"

DRAWS_FOR_LONG = "fuzz --examples 1 --no-save --ops conv1d --only-cases 'groups == 77'"

BAD = [
    "fuzz --ops conv2d,conv9d",
    "fuzz --ops ''",
    "fuzz --examples 0",
    "fuzz --time soon",
    "fuzz --time 0.001s --no-save",
    "fuzz --seed -1",
    "fuzz --workers 0",
    "fuzz --sample 200%",
    "fuzz --memory 1",
    "fuzz --max-failures 0",
    "fuzz --shrink-time -1",
    "fuzz --pipeline quick",
    "fuzz --exmaples 5",
    "fuz",
    "fuzz --examples 1 --target lvm",
    "fuzz --examples 1 --target cuda",
    "fuzz --pass passes",
    "fuzz --pass nowhere:x",
    "fuzz --pass passes:nothing",
    "fuzz --pass passes:NUMBER",
    "fuzz --pass passes:factory_of_nothing",
    "fuzz --pass passes:factory_that_raises",
    "fuzz --pass passes:returns_tensor",
    "fuzz --pass passes:takes_two",
    "fuzz --pass passes:TakesArguments",
    "fuzz --pass passes:TakesTwo",
    "fuzz --pass passes:NotCallable",
    "fuzz --pass passes:not_callable",
    "fuzz --pass exits:P",
    "fuzz --only-cases dtype",
    "fuzz --only-cases 'dtyp == int8'",
    "fuzz --only-cases 'op in conv1d,conv9d'",
    "fuzz --only-cases 'family == conv' --ops max_pool1d",
    DRAWS_FOR_LONG,
    "fuzz --strategy passes:NUMBER",
    "fuzz --strategy passes:raising",
    "fuzz --strategy passes:numbers",
    "fuzz --strategy passes:no_strategy",
    "fuzz --strategy passes:needs_names",
    "fuzz --strategy passes:ends_its_process",
    "fuzz --examples 1 --json nowhere/log",
    "fuzz --examples 1 --corpus passes.py/x",
    "fuzz --examples 1 --known trivial.case.json",
    "fuzz --examples 1 --known missing",
    "fuzz --journal one --resume other",
    "fuzz --resume missing",
    "fuzz --resume empty",
    "fuzz --journal passes.py",
    "replay",
    "replay missing.case.json",
    "replay empty",
    "replay trivial.case.json --complete=yes",
    "show",
    "show missing.case.json",
    "show --script trivial.case.json",
    "shrink missing.case.json",
    "shrink trivial.case.json --corpus passes.py/x",
    "corpus check",
    "corpus minimize empty",
    "corpus prune",
    "bench --ops conv9d",
    "mutants --only conv9d",
    "mutants --seeds 0",
]


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=[pytest.mark.slow] if line == DRAWS_FOR_LONG else []) for line in BAD]
)
def test_bad_input_is_refused_in_one_line(line, folder, here):
    (folder / "empty").mkdir()
    (folder / "exits.py").write_text("raise SystemExit(0)")
    message = refused(here(*shlex.split(line), cwd=folder))
    message = re.sub(r" \(?Did you mean.*", "", message)  # depends on the version of click
    if "conv9d" in line and "mutants" in line:
        message = message.partition("; expected one of ")[0] + "; expected one of ..."
    assert_message(MESSAGES, f"$ foldproof {line}", message)


MALFORMED = {
    "not JSON": "{",
    "an array": "[]",
    "another version": '{"foldproof": 99, "case": {}}',
    "another case format": '{"foldproof": 1, "case": {"format": 9}}',
    "no op": '{"foldproof": 1, "case": {"format": 1, "axes": []}}',
    "an unknown field": '{"foldproof": 1, "case": {"format": 1, "op": "conv1d", "axes": [{"sise": 3}]}}',
    "an impossible case": '{"foldproof": 1, "case": {"format": 1, "op": "conv1d", "axes": [{"kernel": 3}]}}',
    "too deep": "[" * 100_000,
    "found is not an object": '{"foldproof": 1, "found": [], "case": {}}',
    "an unknown expectation": '{"foldproof": 1, "expect": {"colour": "red"}, "case": {}}',
    "an expectation that is not a string": '{"foldproof": 1, "expect": {"folded": 1}, "case": {}}',
}


@pytest.mark.parametrize("what", MALFORMED)
@pytest.mark.parametrize("command", ["replay", "show"])
def test_a_malformed_file_is_refused_in_one_line_that_names_it(command, what, folder, here):
    (folder / "bad.case.json").write_text(MALFORMED[what])
    line = refused(here(command, "bad.case.json", cwd=folder))
    assert line.startswith("foldproof: bad.case.json: ")
    assert_message(MESSAGES, f"{what} in bad.case.json", line)


def test_every_message_is_compared():
    assert_entries(
        MESSAGES,
        [
            *(f"$ foldproof {line}" for line in BAD),
            *(f"{what} in bad.case.json" for what in MALFORMED),
            "saved elsewhere",
        ],
    )


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a folder that even root cannot write")
def test_an_unwritable_corpus_folder_is_refused_before_anything_runs(folder, here):
    line = refused(here("fuzz", "--examples", 1, "--corpus", "/proc/found", cwd=folder))
    assert line.startswith("foldproof: corpus folder /proc/found: cannot be written: ")


# --- fuzz ---------------------------------------------------------------------------------------------


def test_fuzz_without_a_defect_prints_its_seed_first_and_ends_with_a_summary(folder):
    options = ["--ops", "conv1d", "--strategy", "cases", "--json", "log"]
    run = foldproof("fuzz", "--examples", 20, "--seed", 3, *options, cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("seed 3, ")
    assert "seed 3: no failure" in run.stdout.splitlines()[-1]
    start, summary = map(json.loads, (folder / "log").read_text().splitlines())
    assert start["event"] == "start"
    assert start["seed"] == 3
    assert summary["event"] == "summary"
    assert summary["cases"] == summary["executed"] == summary["folded"] + summary["refused"] > 0
    assert summary["failures"] == []
    assert summary["seconds"] > 0
    assert summary["cases_per_second"] > 0
    assert {key.split()[0] for key in summary["by_op"]} == {"conv1d"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_summary(folder):
    def numbers(workers, log):
        foldproof("fuzz", "--examples", 30, "--seed", 4, "--workers", workers, "--json", log, cwd=folder)
        summary = json.loads((folder / log).read_text().splitlines()[-1])
        return {key: value for key, value in summary.items() if "second" not in key}

    assert numbers(1, "one") == numbers(2, "two")


@pytest.mark.slow
def test_a_sample_of_the_cases_is_run_by_both_pipelines_and_counted(folder, here):
    budget = ["--examples", 8, "--seed", 0, "--ops", "conv1d", "--no-save", "--workers", 1, "--json", "log"]
    run = here("fuzz", "--sample", "100%", *budget, cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    start, summary = map(json.loads, (folder / "log").read_text().splitlines())
    assert (start["pipeline"], start["sample"]) == ("fast", 1.0)
    assert summary["sampled"] == summary["executed"] > 0
    assert summary["fallbacks"] == {}
    assert f"run by both pipelines {summary['sampled']} cases: the same bits" in " ".join(run.stdout.split())


def test_where_the_fast_pipeline_cannot_run_the_default_one_is_used_with_a_notice(folder, here):
    run = here("replay", "trivial.case.json", "--target", "c", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == "foldproof: the fast pipeline is for llvm, not for c: using the default one\n"


@pytest.mark.slow
def test_the_replay_line_names_the_pipeline_if_it_is_not_the_usual_one(folder, here):
    budget = ["--examples", 10, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--first", "--pipeline", "default"]
    run = here("fuzz", "--pass", "passes:raises", *budget, cwd=folder)
    assert "--pass passes:raises --pipeline default" in run.stdout


@pytest.mark.slow
def test_a_time_budget_ends_the_campaign(folder):
    run = foldproof("fuzz", "--time", "4s", "--ops", "conv1d", "--no-save", "--json", "log", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    summary = json.loads((folder / "log").read_text().splitlines()[-1])
    assert summary["executed"] > 0
    assert not (folder / "foldproof-corpus").exists()


@pytest.mark.parametrize("kind", ["changes_nothing", "function_of_a_module", "factory", "chatters"])
def test_a_pass_a_factory_and_a_function_are_accepted(kind, folder, here):
    budget = ["--examples", 6, "--seed", 0, "--ops", "conv1d", "--no-save", "--workers", 1]
    run = here("fuzz", "--pass", f"passes:{kind}", *budget, cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "garbage" not in run.stdout


@pytest.mark.slow
def test_a_pass_that_folds_nothing_is_sound_but_not_complete(folder, here):
    budget = ["--examples", 40, "--seed", 0, "--ops", "conv1d", "--workers", 1]
    run = here("fuzz", "--pass", "passes:changes_nothing", *budget, "--complete", cwd=folder)
    assert run.returncode == 1
    assert "MissedFold/conv/pad left" in run.stdout
    assert "--pass passes:changes_nothing --complete" in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "the pass raised RuntimeError: boom"),
        ("returns_none", "the pass returned NoneType"),
        ("exits", "the pass raised SystemExit: 0"),
    ],
)
def test_a_pass_that_raises_or_returns_no_module_is_a_defect_with_a_case(name, message, folder, here):
    budget = ["--examples", 10, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--first"]
    run = here("fuzz", "--pass", f"passes:{name}", *budget, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert "CompileError/conv/pass" in run.stdout
    assert message in run.stdout
    [path] = (folder / "foldproof-corpus").glob("*.case.json")
    assert f"foldproof replay foldproof-corpus/{path.name} --pass passes:{name}" in run.stdout


def test_failures_are_not_saved_into_a_folder_of_tests_unless_asked(folder, here):
    (folder / "pytest.ini").write_text("[pytest]\nfoldproof_corpus = foldproof-corpus\n")
    budget = ["--pass", "passes:raises", "--examples", 1, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--no-shrink"]
    run = here("fuzz", *budget, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    assert_message(MESSAGES, "saved elsewhere", run.stderr.strip())
    assert [path.parent.name for path in folder.rglob("conv1d-*.case.json")] == ["foldproof-found"]
    run = here("fuzz", *budget, "--corpus", "foldproof-corpus", cwd=folder)
    assert (run.returncode, run.stderr) == (1, "")
    assert len(list((folder / "foldproof-corpus").glob("conv1d-*.case.json"))) == 1


def test_a_filter_holds_for_what_is_drawn_shrunk_and_explained(folder, here):
    """Outside the filter, too, every case fails."""
    only = "op == conv2d and max_kernel >= 2 and dtype in float64,int8"
    budget = ["--pass", "passes:raises", "--examples", 12, "--seed", 0, "--workers", 1, "--strategy", "cases"]
    run = here("fuzz", *budget, "--only-cases", only, "--json", "log", "--no-save", cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    start, summary = lines[0], lines[-1]
    assert (start["only_cases"], summary["executed"], summary["failed"]) == (only, 12, 12)
    [found] = summary["failures"]
    smallest = Case.from_json(found["case"])
    assert found["minimal"]
    assert CaseFilter.parse(only).matches(smallest)
    assert (smallest.op, max(axis.kernel for axis in smallest.axes)) == ("conv2d", 2)
    assert set(summary["by_op"]) == {"conv2d failed"}


@pytest.mark.parametrize("option", [("--no-shrink",), ("--shrink-time", 0)])
def test_without_shrinking_a_failure_is_saved_as_it_was_found(option, folder, here):
    budget = ["--examples", 10, "--seed", 0, "--ops", "conv1d", "--strategy", "cases", "--workers", 1, "--json", "log"]
    run = here("fuzz", "--pass", "passes:raises", *budget, *option, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    summary = json.loads((folder / "log").read_text().splitlines()[-1])
    [found] = summary["failures"]
    assert (found["minimal"], found["count"], found["reproduced"]) == (False, summary["failed"], "0/3")
    assert Path(folder / found["path"]).exists()
    assert "not shrunk" in run.stdout
    assert "confirm" not in summary["phase_seconds"]
    assert re.search(r"^time: start [\d.]+ s, draw and check [\d.]+ s", run.stdout, flags=re.MULTILINE)


def test_a_pass_that_interrupts_is_reported_and_not_taken_for_the_user(folder, here):
    budget = ["--examples", 10, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--first", "--no-save"]
    run = here("fuzz", "--pass", "passes:interrupts", *budget, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "HarnessError/conv/KeyboardInterrupt" in run.stdout


def test_a_campaign_that_saves_nothing_leaves_nothing(tmp_path):
    run = foldproof("fuzz", "--examples", 5, "--seed", 0, "--ops", "conv1d", "--no-save", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_bundled_pass_is_held_to_completeness_however_it_is_named(folder, here):
    budget = ["--examples", 5, "--seed", 0, "--ops", "conv1d", "--no-save", "--json", "log"]
    here("fuzz", "--pass", "foldproof:FoldExplicitPadding", *budget, cwd=folder)
    assert json.loads((folder / "log").read_text().splitlines()[0])["complete"] is True


@pytest.mark.slow
def test_a_pass_that_kills_its_process_is_a_defect_of_its_case(folder):
    budget = ["--examples", 10, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--first", "--shrink-time", "5s"]
    run = foldproof("fuzz", "--pass", "passes:dies", *budget, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "TargetCrashed/conv/SIGSEGV" in run.stdout


# --- replay, show, shrink -----------------------------------------------------------------------------


def test_replay_of_a_good_case_prints_ok(folder):
    run = foldproof("replay", "trivial.case.json", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout == "ok      trivial.case.json: folded\n"


def test_replay_reports_an_expectation_that_is_not_met(folder, here):
    text = TRIVIAL.replace('"case"', '"expect": {"refused": "value"}, "case"', 1)
    (folder / "other.case.json").write_text(text)
    run = here("replay", ".", cwd=folder)
    assert run.returncode == 1
    assert "FAILED  other.case.json: expected refused 'value', but got none" in run.stdout
    assert "2 cases, 1 failed" in run.stdout


def test_show_prints_both_modules_the_reason_and_the_verdict(folder):
    run = foldproof("show", "trivial.case.json", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "R.nn.pad(x" in run.stdout
    assert "padding=[1, 0]" in run.stdout
    assert "folded (conv, padding=[1, 0])" in run.stdout
    assert "folding the pad into the padding is legal; the pass made that fold" in run.stdout


def test_shrink_needs_no_seed(folder, here):
    case = (
        '{"foldproof": 1, "case": {"format": 1, "op": "conv2d", "axes": [{"size": 4, "pad": [2, 1], "kernel": 2}, {}]}}'
    )
    (folder / "large.case.json").write_text(case)
    run = here("shrink", "large.case.json", "--pass", "passes:raises", "--workers", 1, cwd=folder)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Case(op='conv1d', axes=(Axis(),))" in run.stdout
    assert "1-minimal" in run.stdout


def test_shrink_of_a_good_case_reports_that_it_does_not_fail(folder):
    run = foldproof("shrink", "trivial.case.json", "--workers", 1, cwd=folder)
    assert run.returncode == 0
    assert "does not fail" in run.stdout


def test_help_imports_neither_tvm_nor_hypothesis():
    program = """
import sys
from foldproof.cli.main import main
try:
    main()
finally:
    print(sorted({"tvm", "hypothesis", "numpy"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert "fuzz" in run.stdout
