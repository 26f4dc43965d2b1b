"""The defects in other projects: the page has a row for each script, and each script still shows its defect.

A script runs where its project is installed in the version of its row. Otherwise the test says so and is skipped.
"""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest
from tests.support.house import ROOT

from foldproof.ir.onnx.subjects.known_defects import KNOWN_DEFECTS

FOLDER = ROOT / "docs" / "findings"
PACKAGES = {
    "ONNX Runtime": "onnxruntime",
    "onnxoptimizer": "onnxoptimizer",
    "onnxscript": "onnxscript",
    "OnnxSlim": "onnxslim",
    "onnxsim": "onnxsim",
    "OpenVINO": "openvino",
    "TVM": "apache-tvm",
    "onnx": "onnx",
}
ROW = re.compile(r"^\| (\w+-\d+) \| ([\w ]+?) ([\d.]+)[^|]* \|.*\| (silent|loud) \|.*\(scripts/(\w+)\.py\) \|$", re.M)
ROWS = {row[4]: row for row in ROW.findall((FOLDER / "index.md").read_text())}
SCRIPTS = sorted(path.stem for path in (FOLDER / "scripts").glob("*.py"))


def test_the_page_has_a_row_for_each_script():
    assert sorted(ROWS) == SCRIPTS
    ids = [row[0] for row in ROWS.values()]
    assert len(set(ids)) == len(ids)


def test_the_page_counts_its_rows():
    text = (FOLDER / "index.md").read_text()
    silent = sum(row[3] == "silent" for row in ROWS.values())
    pads = len(re.findall(r"^\| \w+-\d+ \|.*\| in its (?:pad folding|handling of pads) \|", text, re.M))
    assert f"It found {len(ROWS)} defects:\n{silent} of them are silent, and {pads} are in what" in text
    assert f"[{len(ROWS)} defects in other projects]" in (ROOT / "README.md").read_text()


def test_each_known_defect_has_a_script_or_is_left_open():
    page = (FOLDER / "index.md").read_text()
    left_open = {"openvino-inexact-quotient", "openvino-inexact-scale", "tvm-no-operator"}
    names = {row.name for rows in KNOWN_DEFECTS.values() for row in rows} - left_open
    assert [name for name in sorted(names) if not re.search(rf"\| (`[\w-]+`, )?`{name}`(, `[\w-]+`)? \|", page)] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_is_of(name):
    identifier, project, *_ = ROWS[name]
    text = (FOLDER / "scripts" / f"{name}.py").read_text()
    assert text.startswith(f'"""{identifier}: ')
    assert project in PACKAGES
    imported = set(re.findall(r"^(?:import|from) (\w+)", text.split('"""')[2], re.M)) - {
        "os",
        "sys",
        "importlib",
        "numpy",
        "onnx",
    }
    assert imported <= {PACKAGES[project].removeprefix("apache-")}, "it needs onnx, numpy and the project only"


DEVELOPED_WITH = ("apache-tvm", "onnx", "onnxruntime")
"""Packages of the extra ``dev``: the page has to keep up with them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_shows_its_defect(name, tmp_path):
    _, project, recorded, *_ = ROWS[name]
    package = PACKAGES[project]
    try:
        installed = version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    if not installed.startswith(recorded):
        assert package not in DEVELOPED_WITH, f"the page is of {package} {recorded}; {installed} is installed"
        pytest.skip(f"recorded with {package} {recorded}; {installed} is installed")
    command = [sys.executable, "-W", "ignore", str(FOLDER / "scripts" / f"{name}.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "got:" in done.stdout
