"""benchmarks/source_mutation/equivalent_mutants.py: the reasons why changes of the source survive."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "source_mutation" / "equivalent_mutants.py"

KILLED = {"name": "foldproof.fold.rules.x__a__mutmut_1", "state": "killed", "lines": ["- a", "+ b"]}
STRICT = {
    "name": "foldproof.fold.propagated.x_arrive__mutmut_42",
    "state": "no difference",
    "lines": ["- d = dict(zip(a, b, strict=True))", "+ d = dict(zip(a, b, strict=None))"],
}
UNKNOWN = {"name": "foldproof.fold.unknown.x_f__mutmut_1", "state": "no difference", "lines": ["- a", "+ b"]}


def reasons(path, *rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return subprocess.run([sys.executable, SCRIPT, path, "--list"], capture_output=True, text=True, timeout=60)


def test_each_surviving_change_has_the_first_reason_that_fits(tmp_path):
    message = reasons(tmp_path / "score.json", KILLED, STRICT)
    assert message.returncode == 0, message.stderr
    assert "| 1 | equivalent | `zip(..., strict=True)` guards lengths" in message.stdout
    assert "propagated.arrive: d = dict(zip(a, b, strict=True)) -> d = dict(zip(a, b, strict=None))" in message.stdout
    assert message.stdout.endswith("1 surviving: 1 equivalent, 0 not distinguished\n")


def test_a_change_without_a_reason_is_reported(tmp_path):
    message = reasons(tmp_path / "score.json", KILLED, UNKNOWN)
    assert message.returncode == 1
    assert "| 1 | not distinguished | no reason is known |" in message.stdout
