"""Reproducers: scripts that show a failure where neither foldproof nor the pass can be imported."""

import base64
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import pytest
from tests.support.snapshots import assert_snapshot

from foldproof import check, mutants
from foldproof.case import Axis, Case, Pad, Step
from foldproof.checking.failures import Failure, failure
from foldproof.core.array_source import MOST_LISTED, array_source
from foldproof.corpus import entry as corpus
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.build import build
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.source import NotParsed, exact_source
from foldproof.ir.relax.targets import parse_target
from foldproof.repro.script import CannotReproduce, write_script

TARGET = parse_target("llvm")
BUNDLED = FoldExplicitPadding()
CORPUS = Path(__file__).parents[1] / "data" / "corpus"

AXIS = Axis(size=4, pad=(1, 2), kernel=2)
PLAIN = Case(op="conv1d", axes=(AXIS,))

DRIVER = """
import contextlib, io, runpy, sys
for path in sys.argv[1:]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print(end.code, out.getvalue().splitlines()[-1])
assert "foldproof" not in sys.modules
"""


def alone(folder, *arguments):
    """Run Python where importing foldproof raises, though it is installed."""
    for name in ("foldproof",):
        (folder / "block" / name).mkdir(parents=True, exist_ok=True)
        (folder / "block" / name / "__init__.py").write_text("raise ImportError('foldproof is not here')")
    env = os.environ | {"PYTHONPATH": str(folder / "block")}
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)], env=env, capture_output=True, text=True, timeout=300
    )


def result(case, fold, *, complete=False):
    try:
        return check(case, fold, complete=complete)
    except Failure as found:
        return found


def written(case, fold, message=None):
    """The script of a case, and of what came of it."""
    message = result(case, fold) if message is None else message
    return write_script(case, fold, TARGET, message, fold_name="a pass")


def ends(scripts, folder):
    """Name -> (exit code, last line) of each script, all run in one process."""
    paths = {name: folder / f"{name.replace(' ', '-')}.py" for name in scripts}
    for name, path in paths.items():
        path.write_text(scripts[name])
    (folder / "driver.py").write_text(DRIVER)
    run = alone(folder, folder / "driver.py", *paths.values())
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split(" ", 1) for line in run.stdout.splitlines()]
    return {name: (int(code), last) for name, (code, last) in zip(paths, lines, strict=True)}


# --- what fails ---------------------------------------------------------------------------------------


def witness(name):
    mutant = mutants.BY_NAME[name]
    return mutant.witness, mutant.make()


SHOWN = (
    "value_ignored",
    "first_zero_point_only",
    "ceil_mode_ignored",
    "stale_type",
    "shared_pad_removed",
    "input_mutated",
    "not_idempotent",
    "raises_on_groups",
)
"""Mutants of which each has another kind of failure, or of script."""


NOT_PRINTED = (
    "casts_lost",
    "casts_taken_for_aliases",
    "impure_calls_removed",
    "impure_calls_moved_into_a_block",
)
"""Mutants whose modules TVMScript of TVM 0.27 cannot say: lengths that nothing binds, and purity against the calls."""


@pytest.mark.slow
def test_every_mutant_has_a_script_that_shows_its_failure(tmp_path):
    scripts, refused = {}, []
    for name in mutants.BY_NAME:
        case, fold = witness(name)
        try:
            scripts[name] = written(case, fold, result(case, fold, complete=True))
        except CannotReproduce:
            refused.append(name)
    assert tuple(refused) == NOT_PRINTED
    for name, (code, last) in ends(scripts, tmp_path).items():
        assert (code, last[:8]) == (1, "FAILED: "), (name, last)


def test_defects_of_tvm_and_missed_folds_are_shown(tmp_path):
    case = corpus.load_entry(CORPUS / "conv2d-axes-out-of-order.case.json").case
    copied = corpus.load_entry(CORPUS / "max_pool1d-symbolic-copy.case.json").case
    used = replace(PLAIN, extra_outputs=("returned",))
    missed = result(used, lambda module: module, complete=True)
    blamed = failure("OracleDisagreement", PLAIN, "values", "as if")
    found = ends(
        {
            "finding": written(case, BUNDLED),
            "not compiled": written(copied, BUNDLED, failure("CompileError", copied, "unfolded", "TVM raised")),
            "missed": written(used, lambda module: module, missed),
            "agreed": written(PLAIN, BUNDLED, blamed),
        },
        tmp_path,
    )
    assert found["finding"][0] == 1
    assert found["finding"][1].startswith("FAILED: Before, out")
    assert found["not compiled"][0] == 1
    assert found["not compiled"][1].startswith("FAILED: compiling Before raised InternalError: Check failed: ")
    assert found["missed"] == (
        1,
        "FAILED: After has a pad, Folded does without it, and their results have the same bits",
    )
    assert found["agreed"] == (0, "ok: Before returns the values of the NumPy reference")


# --- what passes --------------------------------------------------------------------------------------

ARRAYS = ("integers", "negative", "extremes", "reals", "specials", "nans")

QUANTIZED = Step(scale=(0.5, 0.25), zero_point=(3, -2), axis="C")

PASSES = {
    "plain": PLAIN,
    "every fill": replace(PLAIN, fills=ARRAYS),
    "constant weight": replace(PLAIN, constant_weight=True, channels=2),
    "call_tir": replace(PLAIN, pad=Pad(form="call_tir")),
    "symbolic lengths": replace(PLAIN, symbolic=("N", "W"), batch=2),
    "bfloat16": replace(PLAIN, dtype="bfloat16", constant_weight=True, fills=("specials",)),
    "one value per channel": replace(PLAIN, dtype="int8", channels=2, steps=(QUANTIZED,), pad=Pad(value=3.0)),
    "known at run time only": replace(PLAIN, dtype="int8", steps=(Step(constant=False),)),
    "several outputs": replace(PLAIN, extra_outputs=("returned", "read")),
    "minus infinity": Case(op="max_pool1d", axes=(AXIS,), pad=Pad(value=-inf)),
    "NaN": replace(PLAIN, pad=Pad(value=nan), steps=(Step(kind="relu"),)),
    "open elements": Case(op="max_pool1d", axes=(AXIS,), pad=Pad(value=-inf), fills=("nans",)),
    "wide integers": Case(op="max_pool1d", axes=(AXIS,), dtype="int64", pad=Pad(value=-(2.0**63)), fills=("extremes",)),
    "large": replace(PLAIN, axes=(replace(AXIS, size=MOST_LISTED + 1),)),
}


def test_what_passes_ends_with_ok(tmp_path):
    found = ends({name: written(case, BUNDLED) for name, case in PASSES.items()}, tmp_path)
    for name, (code, last) in found.items():
        assert (code, last[:4]) == (0, "ok: "), (name, last)
    assert found["plain"][1] == "ok: Before and After return the same bits"


# --- the text -----------------------------------------------------------------------------------------


def test_the_header_names_the_failure_and_the_environment():
    text = written(*witness("mode_ignored"))
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert header[0].startswith("# Miscompile/conv/values: folded, conv1d NCW/OIW float32, fill 'negative': out[0,0,0]")
    assert "#   pad        reflect" in header
    for name in ("foldproof ", "apache-tvm ", "numpy ", "LLVM ", "Python ", "CPU "):
        assert any(name in line for line in header), name


def test_a_script_has_no_path_of_this_machine_and_imports_only_what_it_reads():
    text = written(PLAIN, BUNDLED)
    for path in (str(Path.cwd()), str(Path.home()), sys.prefix):
        assert path not in text
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not {"import ml_dtypes", "import zlib", "from typing import TypeVar", "from numpy import inf"} & set(imports)
    assert not any("foldproof" in line for line in imports)


def test_both_modules_can_be_read():
    text = written(*witness("mode_ignored"))
    assert "class Before:" in text
    assert 'R.nn.pad(x, pad_width=[0, 0, 0, 0, 1, 2], pad_value=0.0, pad_mode="reflect")' in text
    assert text.count("R.nn.conv1d(") == 2


def header(text):
    """The header up to the environment."""
    return text[: text.index("# Written with")]


def test_each_kind_of_result_is_shown_without_foldproof_and_without_the_pass(tmp_path):
    """The header, the exit code and the last line of each kind of script."""
    blamed = failure("OracleDisagreement", PLAIN, "values", "as if")
    crashed = failure("TargetCrashed", PLAIN, "SIGSEGV", "the process that compiled and ran the case died: SIGSEGV")
    refused = failure("CompileError", PLAIN, "unfolded", "TVM raised")
    missed = replace(PLAIN, extra_outputs=("returned",))
    known = Case(op="conv2d", axes=(AXIS, replace(AXIS, size=5)), data_layout="NCWH")
    scripts = {
        **{name: written(*witness(name)) for name in SHOWN},
        "missed": written(missed, lambda module: module, result(missed, lambda module: module, complete=True)),
        "oracle": written(PLAIN, BUNDLED, blamed),
        "oracle, folded": written(PLAIN, BUNDLED, replace_symptom(blamed, "folded values")),
        "crash": written(PLAIN, BUNDLED, crashed),
        "unfolded": written(PLAIN, lambda module: module, refused),
        "two results": written(PLAIN, BUNDLED, failure("NotDeterministic", PLAIN, "folded values", "as if")),
        "known issue": written(known, BUNDLED),
        "no failure": written(PLAIN, BUNDLED),
        "unchanged": written(PLAIN, lambda module: module),
    }
    last = ends(scripts, tmp_path)
    texts = [f"{name}\n{header(text)}...\n[{last[name][0]}] {last[name][1]}" for name, text in scripts.items()]
    assert_snapshot("repro-scripts", "\n\n".join(texts))


def replace_symptom(found, symptom):
    return failure(found.kind, found.case, symptom, found.detail)


def test_a_failure_of_foldproof_itself_has_no_script():
    disagreement = failure("PipelineDisagreement", PLAIN, "values", "...")
    with pytest.raises(CannotReproduce, match="a PipelineDisagreement is a failure of foldproof itself"):
        written(PLAIN, BUNDLED, disagreement)


@pytest.mark.slow
def test_every_module_of_the_corpus_comes_back_from_its_source():
    for path in corpus.case_files([CORPUS]):
        module = RELAX.build(corpus.load_entry(path).case)
        for name, each in (("Before", module), ("After", BUNDLED(module))):
            assert exact_source(each, name).name == name  # it raises NotExact otherwise


def test_a_module_that_cannot_be_parsed_does_not_come_back():
    case, fold = witness("shared_pad_removed")
    with pytest.raises(NotParsed, match="TVMScript of After cannot be parsed"):
        exact_source(fold(build(case)), "After")


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "bfloat16", "int8", "int64", "uint8", "uint32", "bool"]
)
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 3), (0, 2), (MOST_LISTED + 1,)])
def test_a_literal_has_the_bits_of_its_array(dtype, shape):
    bits = np.random.default_rng(0).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    array = (bits % 2 if dtype == "bool" else bits).view(dtype).reshape(shape)
    names = {"np": np, "inf": inf, "nan": nan, "base64": base64, "zlib": zlib}
    again = eval(array_source(array), names)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert bits_but_nan(again) == bits_but_nan(array)


def bits_but_nan(array):
    if array.dtype.kind in "biu":
        return array.tobytes()
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.where(np.isnan(array), np.array(nan, array.dtype), array).tobytes()


# --- the command line ---------------------------------------------------------------------------------


def foldproof(*args, cwd):
    command = [sys.executable, "-m", "foldproof", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def saved(tmp_path):
    """A case that ``foldproof.mutants:mode_ignored`` fails on."""
    return corpus.save_entry(tmp_path, corpus.Entry(case=mutants.BY_NAME["mode_ignored"].witness)).name


@pytest.mark.slow
def test_show_prints_the_script_or_writes_it(saved, tmp_path):
    printed = foldproof("show", saved, "--script", "--pass", "foldproof.mutants:mode_ignored", cwd=tmp_path)
    assert printed.returncode == 1, printed.stderr
    assert printed.stdout.startswith("# Miscompile/conv/values: ")
    assert "# pass foldproof.mutants:mode_ignored, target llvm" in printed.stdout
    wrote = foldproof("show", saved, "--script", "x.py", cwd=tmp_path)
    assert (wrote.returncode, wrote.stdout) == (0, ""), wrote.stderr
    assert (tmp_path / "x.py").read_text().startswith("# no failure\n")
    assert alone(tmp_path, tmp_path / "x.py").returncode == 0


@pytest.mark.slow
def test_show_reports_in_a_line_why_there_is_no_script(saved, tmp_path):
    (tmp_path / "deadly.py").write_text(
        "def dies(mod):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    run = foldproof("show", saved, "--script", "--pass", "deadly:dies", cwd=tmp_path)
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    reason = "the pass alone ends its process, so a script without the pass has nothing to show"
    assert line == f"foldproof: {saved}: cannot be written as a script: {reason}"


@pytest.mark.slow
def test_without_a_corpus_no_script_is_written(tmp_path):
    budget = ["--examples", 20, "--seed", 0, "--ops", "conv1d", "--workers", 1, "--first", "--shrink-time", "5s"]
    run = foldproof("fuzz", "--pass", "foldproof.mutants:widths_always_one", *budget, "--no-save", cwd=tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "reproducer" not in run.stdout
    assert list(tmp_path.iterdir()) == []
