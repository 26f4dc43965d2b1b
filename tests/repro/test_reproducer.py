"""foldproof.repro.reproducer: a script is run before it is reported."""

from pathlib import Path

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import pytest

from foldproof import check, mutants
from foldproof.case import Axis, Case
from foldproof.checking.failures import Failure, failure
from foldproof.corpus import entry as corpus
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.targets import parse_target
from foldproof.repro.reproducer import Reproducer, write_reproducer
from foldproof.repro.script import write_script

TARGET = parse_target("llvm")
BUNDLED = FoldExplicitPadding()
CORPUS = Path(__file__).parents[1] / "data" / "corpus"

AXIS = Axis(size=4, pad=(1, 2), kernel=2)
PLAIN = Case(op="conv1d", axes=(AXIS,))


def result(case, fold, *, complete=False):
    try:
        return check(case, fold, complete=complete)
    except Failure as found:
        return found


def written(case, fold, message=None):
    """The script of a case, and of what came of it."""
    message = result(case, fold) if message is None else message
    return write_script(case, fold, TARGET, message, fold_name="a pass")


def witness(name):
    mutant = mutants.BY_NAME[name]
    return mutant.witness, mutant.make()


# --- run before it is reported ------------------------------------------------------------------------


def test_a_script_that_shows_the_failure_is_confirmed_and_one_that_does_not_is_not(tmp_path):
    case, fold = witness("value_ignored")
    found = result(case, fold)
    path = tmp_path / "x.case.json"
    shown = write_reproducer(path, "print('FAILED: After, out[0] = 1'); raise SystemExit(1)", found)
    assert shown == Reproducer(path=tmp_path / "x.repro.py")
    assert str(shown) == f"{tmp_path / 'x.repro.py'} (confirmed in a fresh process)"
    for text, problem in {
        "print('ok: the same')": "exit code 0, ok: the same",
        "raise ValueError('bad')": "exit code 1, ValueError: bad",
        "print('FAILED: compiling After'); raise SystemExit(1)": "exit code 1, FAILED: compiling After",
        "import os; os.kill(os.getpid(), 11)": "killed by SIGSEGV",
    }.items():
        assert write_reproducer(path, text, found).problem == problem
    assert sorted(tmp_path.iterdir()) == [tmp_path / "x.repro.py"]


@pytest.mark.parametrize("problem", ["", "killed by SIGSEGV"])
@pytest.mark.parametrize("path", [None, Path("a/x.repro.py")])
def test_a_record_of_a_script_is_read_back(path, problem):
    shown = Reproducer(path=path, problem=problem)
    assert Reproducer.from_dict(shown.to_dict()) == shown
    assert shown.to_dict()["script_confirmed"] is (path is not None and not problem)


def test_a_crash_is_confirmed_by_the_death_of_the_script(tmp_path):
    case = corpus.load_entry(CORPUS / "avg_pool1d-ceil-mode-divides-by-zero.case.json").case
    crashed = failure("TargetCrashed", case, "SIGFPE", "the process that compiled and ran the case died: SIGFPE")
    shown = write_reproducer(tmp_path / "x.case.json", written(case, BUNDLED, crashed), crashed)
    assert shown.confirmed, shown


def test_a_hang_is_confirmed_by_a_script_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr("foldproof.repro.reproducer.SCRIPT_SECONDS", 1.0)
    hung = failure("TargetTimeout", PLAIN, "timeout", "no answer")
    assert write_reproducer(tmp_path / "x.case.json", "import time; time.sleep(60)", hung).confirmed
    missed = failure("MissedFold", PLAIN, "pad left", "...")
    assert (
        write_reproducer(tmp_path / "x.case.json", "import time; time.sleep(60)", missed).problem
        == "did not end within 1 s"
    )
