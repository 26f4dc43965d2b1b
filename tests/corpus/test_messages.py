"""The messages of corpora that a user can get, as a snapshot."""

import pytest
from tests.support.snapshots import assert_snapshot, messages, scrub

from foldproof.case import Axis, Case
from foldproof.checking.result import Verdict
from foldproof.core.files import replace_file
from foldproof.corpus.entry import Entry, case_files, dumps, file_name, load_case, save_case
from foldproof.corpus.maintenance import find_problems, remove

CASE = Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),))
OTHER = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 0)),))
FAILED = Entry(case=CASE, found={"failure": "Miscompile/conv/values"})


def message(function, *args):
    with pytest.raises(ValueError) as raised:  # noqa: PT011, what users see is the message
        function(*args)
    return str(raised.value)


def file_messages(folder):
    yield "load_case, no such file", message(load_case, folder / "missing.case.json")
    (folder / "file").write_text("")
    yield "save_case into a file", message(save_case, folder / "file", CASE)
    path = folder / file_name(Entry(case=CASE))
    path.write_text(dumps(Entry(case=OTHER)))
    yield "save_case, another case has the name", message(save_case, folder, CASE)
    (folder / "empty").mkdir()
    yield "a folder without cases", message(lambda: list(case_files([folder / "empty"])))
    yield "no such path", message(lambda: list(case_files([folder / "missing"])))
    yield "remove, no such file", message(remove, folder / "missing.case.json")
    yield "replace a file in a missing folder", message(replace_file, folder / "missing" / "file", "")


def problem_messages(folder):
    paths = [folder / name for name in ("conv1d-WrongType-values-0000000000.case.json", "same.case.json")]
    for path in paths:
        path.write_text(dumps(FAILED))
    contents = {"silent": Entry(case=OTHER), "long": Entry(case=OTHER, note="two\nlines")}
    for name, entry in contents.items():
        paths.append(folder / f"{name}.case.json")
        paths[-1].write_text(dumps(entry))
    for i, line in enumerate(find_problems(paths)):
        yield f"corpus check, problem {i}", line


def outcome_messages():
    verdict = Verdict(folded=False, reasons=(("value", "7 is not 0"),))
    for expect in ({"folded": "conv"}, {"refused": "mode"}):
        yield f"replay, expect {expect}", Entry(case=CASE, expect=expect).unexpected_outcome(verdict)


def test_messages(tmp_path):
    for name in ("files", "problems"):
        (tmp_path / name).mkdir()
    lines = dict(file_messages(tmp_path / "files")) | dict(problem_messages(tmp_path / "problems"))
    lines |= dict(outcome_messages())
    assert_snapshot("corpus-messages", scrub(messages(lines), {tmp_path: "DIR"}))
