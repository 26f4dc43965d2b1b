"""Each script in ``tests/data/defects`` shows one defect of TVM, and that it is gone without one pass."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SCRIPTS = sorted((ROOT / "tests" / "data" / "defects").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_defect_is_still_there_and_needs_its_pass(script):
    shown, without = (
        subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
        for options in ([], ["without"])
    )
    dies = "dies by SIGSEGV" in script.read_text(encoding="utf-8")
    died = dies and shown.returncode == -signal.SIGSEGV
    assert died or (shown.returncode == 1 and "expected" in shown.stdout), shown
    assert without.returncode == 0, without.stdout + without.stderr


def test_the_page_lists_every_script():
    page = (ROOT / "docs" / "results" / "defects-found.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"`(\w+\.py)` \|$", page, flags=re.MULTILINE)) == [script.name for script in SCRIPTS]
