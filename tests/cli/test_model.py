"""``foldproof model`` in real processes: the report, the files, exit codes, and one line for bad input."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.model_files import SCRIPT, onnx_model

PASSES = """
import os

from foldproof.mutants import begin_end_swapped as swapped


def raises(mod):
    raise ValueError("boom")


def nothing(mod):
    return mod


def dies(mod):
    os._exit(7)


def ends_the_process():
    os._exit(7)


def breaks_the_compiler(mod):
    from foldproof import FoldExplicitPadding
    return _with_unknown_call(FoldExplicitPadding()(mod))


def _with_unknown_call(mod):
    import tvm
    from tvm import relax
    out = mod.clone()
    function = mod["main"]
    call = relax.op.call_pure_packed("no.such.function", function.body.body, ty_args=[function.ret_ty])
    var = relax.Var("after", function.ret_ty)
    blocks = [*function.body.blocks, relax.BindingBlock([relax.VarBinding(var, call)])]
    body = relax.SeqExpr(blocks, var)
    out["main"] = relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs)
    return out
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "given.py").write_text(PASSES)
    (tmp_path / "net.py").write_text(SCRIPT)
    return tmp_path


def start(folder, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "foldproof", "model", *map(str, args)],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(here, folder, *args):
    done = here("model", *args, cwd=folder)
    return done.returncode, done.stdout, done.stderr


# --- the report ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_is_reported_compared_measured_and_saved(folder, here):
    onnx_model(folder / "net.onnx")
    code, out, err = run(here, folder, "net.onnx", "--save", "folded.py", "--cases", "cases", "--html", "report.html")
    assert (code, err) == (0, "")
    assert "net.onnx: onnx, inputs x=1,3,16,16 float32" in out
    assert "folded   conv" in out
    assert "left     channel" in out
    assert '1 of the sites that are left would fold with channels="slice"' in out
    assert "pipeline fused, negative inputs: the same bits" in out
    assert "pipeline default: the fold" in out
    assert "2 pads before the pass, 1 after it; the same bits with and without the pass, on 4 inputs" in out
    assert "net.onnx" in (folder / "report.html").read_text()
    assert len(list((folder / "cases").glob("*.case.json"))) == 2
    again = run(here, folder, "folded.py", "--no-run")
    assert again[0] == 0
    assert "1 pads before the pass, 1 after it; the pass changes nothing" in again[1]


def test_sites_are_listed_without_running(folder, here):
    code, out, err = run(here, folder, "net.py", "--no-run")
    assert (code, err) == (0, "")
    assert "1,2 on axis 2; 1,2 on axis 3" in out
    assert "1 pads before the pass, 0 after it; not compared" in out


@pytest.mark.slow
def test_a_wrong_pass_exits_1_with_the_site_and_who_is_at_fault(folder, here):
    code, out, _ = run(here, folder, "net.py", "--pass", "given:swapped")
    assert code == 1
    assert "main:padded: at fault: the pass" in out
    assert out.rstrip().endswith("the folded model computes other bits")


@pytest.mark.slow
def test_a_pass_that_changes_nothing_is_not_compared(folder, here):
    code, out, _ = run(here, folder, "net.py", "--pass", "given:nothing")
    assert code == 0
    assert "not measured: the pass changes nothing" in out


# --- what goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("raises", "problem: the pass on the model raised net.py: the pass raised ValueError: boom"),
        ("dies", "problem: the pass on the model ended the process: exit code 7"),
    ],
)
def test_a_pass_that_raises_or_ends_its_process_exits_1(folder, name, problem, here):
    code, out, _ = run(here, folder, "net.py", "--no-run", "--pass", f"given:{name}")
    assert code == 1
    assert problem in out


@pytest.mark.slow
def test_a_folded_model_that_does_not_run_blames_the_pass(folder, here):
    code, out, _ = run(here, folder, "net.py", "--pass", "given:breaks_the_compiler")
    assert code == 1
    assert "the folded model through the pipeline default raised" in out
    assert "also without the pass" not in out


WRONG = {
    ("absent.onnx",): "absent.onnx: does not exist",
    ("net.py", "--shape", "x"): "Invalid value for '--shape': 'x' is not a shape, such as x=1,3,224,224",
    ("net.py", "--shape", "y=1"): "unknown input 'y'; expected one of x, w",
    ("net.py", "--pass", "absent:Pass"): "importing absent raised ModuleNotFoundError",
    ("given:ends_the_process",): "given:ends_the_process: importing the model ended the process: exit code 7",
    ("net.py", "--target", "absent"): "target 'absent' is unknown to TVM",
}


SLOW = [args for args in WRONG if args[0].startswith("given") or args[1:2] in (("--pass",), ("--target",))]


@pytest.mark.parametrize("args", [pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in WRONG])
def test_bad_input_exits_2_with_one_line(folder, args, here):
    code, out, err = run(here, folder, *args)
    assert (code, out) == (2, "")
    assert err.startswith("foldproof: ")
    assert err.count("\n") == 1
    assert WRONG[args] in err


@pytest.mark.slow
def test_ctrl_c_ends_with_what_is_known(folder):
    (folder / "given.py").write_text(
        PASSES
        + "\n\ndef slow(mod):\n    import pathlib, time\n    pathlib.Path('started').touch()\n    time.sleep(60)\n"
    )
    process = start(folder, "net.py", "--pass", "given:slow")
    end = time.monotonic() + 60
    while not (folder / "started").exists() and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "net.py: relax, inputs x=1,2,8,8 float32; w=3,2,3,3 float32" in out
    assert out.rstrip().endswith("interrupted: this is what is known")
