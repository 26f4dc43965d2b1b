"""``from foldproof import ...``: the list of public names, their types, their docstrings, and what they do."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import foldproof
from foldproof import Axis, Case, Failure, load_case, reproduce_script, save_case, shrink
from foldproof.core.errors import UsageError

NAMES = {
    "Axis",
    "Case",
    "Failure",
    "FoldExplicitPadding",
    "Form",
    "Function",
    "Graph",
    "Join",
    "OnnxCase",
    "Pad",
    "Site",
    "Step",
    "Verdict",
    "__version__",
    "check",
    "describe",
    "failures",
    "fold",
    "load_case",
    "model",
    "reproduce_script",
    "save_case",
    "shrink",
    "strategies",
}

USER = """
from pathlib import Path

from foldproof import Axis, Case, Failure, FoldExplicitPadding, Pad, Step, Verdict, __version__, check, describe
from foldproof import Form, Function, Graph, Join, OnnxCase, Site, failures, fold, load_case
from foldproof import model, reproduce_script, save_case, shrink, strategies

version: str = __version__
case: Case = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),), pad=Pad(value=0.0), steps=(Step(kind="relu"),))
text: str = describe(case)
path: Path = save_case("corpus", case, note="a note")
again: Case | Graph | OnnxCase = load_case(path)
spelled: OnnxCase = OnnxCase(case=case, form=Form())
graph: Graph = Graph(sites=(Site(case=case), Site(case=case)), functions=(), joins=(Join(kind="add"),))
part: Function = Function()
try:
    verdict: Verdict = check(case, fold=FoldExplicitPadding(), target="llvm")
except failures.Miscompile as error:
    failure: Failure = error
    smaller: Case | Graph | OnnxCase = shrink(failure, "mypkg:MyPass", seconds=5.0, workers=2).case
    script: str = reproduce_script(failure)
print(strategies.cases("conv1d"), fold.FoldExplicitPadding, model.import_model)
""" + "".join(f"reveal_type({name})\n" for name in sorted(NAMES))


def test_the_public_names_are_exactly_these_and_can_be_imported():
    assert set(foldproof.__all__) == NAMES == set(dir(foldproof))
    assert all(getattr(foldproof, name) is not None for name in NAMES)
    with pytest.raises(AttributeError, match="has no attribute 'shrinks'; expected one of Axis, Case"):
        foldproof.shrinks  # noqa: B018


@pytest.mark.slow
def test_the_public_names_are_typed(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent", "user.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(foldproof.__file__).parents[1]), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert "error" not in run.stdout + run.stderr, run.stdout + run.stderr
    assert run.stdout.count("Revealed type") == len(NAMES)
    assert 'type is "Any"' not in run.stdout, run.stdout


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_public_name_has_a_docstring_and_functions_have_google_sections(name):
    value = getattr(foldproof, name)
    doc = inspect.getdoc(value)
    assert doc
    if inspect.isfunction(value):
        sections = {"Args:", "Returns:"} | ({"Raises:"} if name != "describe" else set())
        assert sections <= set(doc.splitlines()), doc
        assert set(inspect.signature(value).parameters) == set(inspect.get_annotations(value)) - {"return"}
        for parameter in inspect.signature(value).parameters:
            assert f"    {parameter}: " in doc, parameter


# --- what they do -------------------------------------------------------------------------------------

CASE = Case(op="max_pool1d", axes=(Axis(size=5, pad=(2, 1), kernel=2),))


def raises(mod):
    raise RuntimeError("boom")


def test_a_saved_case_is_loaded_again(tmp_path):
    path = save_case(str(tmp_path / "corpus"), CASE, note="a note")
    assert path.name.endswith(".case.json")
    assert load_case(path) == load_case(str(path)) == CASE
    assert '"note": "a note"' in path.read_text()
    with pytest.raises(UsageError, match="cannot be read"):
        load_case(tmp_path / "absent.case.json")


def test_a_case_or_a_failure_shrinks_in_this_process_with_a_pass_object():
    shrunk = shrink(CASE, raises)
    assert shrunk.minimal
    assert shrunk.failure.fingerprint == "CompileError/max_pool/pass"
    assert shrunk.case == Case(op="max_pool1d", axes=(Axis(),))
    assert shrink(shrunk.failure, raises).case == shrunk.case


@pytest.mark.slow
def test_a_case_shrinks_in_workers_with_the_name_of_a_pass(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("import os\ndef dies(mod):\n    os._exit(7)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    shrunk = shrink(Case(op="max_pool1d", axes=(Axis(size=2),)), "mine:dies", workers=2)
    assert isinstance(shrunk.failure, Failure)
    assert shrunk.failure.fingerprint == "TargetCrashed/max_pool/exit code 7"
    assert shrunk.minimal


def test_what_cannot_be_shrunk_is_a_usage_error():
    with pytest.raises(UsageError, match="the case does not fail, so there is nothing to shrink"):
        shrink(CASE, lambda mod: mod)
    with pytest.raises(UsageError, match="workers is 2, but a pass given as an object needs 1"):
        shrink(CASE, raises, workers=2)


def test_a_script_reproduces_a_case_or_a_failure():
    script = reproduce_script(CASE)
    assert "# pass foldproof.fold:FoldExplicitPadding, target llvm" in script
    failure = shrink(CASE, raises).failure
    assert "boom" in reproduce_script(failure, raises)
    assert f"# pass {__name__}:raises" in reproduce_script(failure, raises)
