"""check() of ONNX: passes on models are judged as passes on Relax are, and no TVM is needed."""

import subprocess
import sys
from dataclasses import replace

import onnx
import pytest

from foldproof import Axis, Case, Pad, check, failures
from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.opinions import REFUSED_BY_ONE, RUN_DIFFERENTLY
from foldproof.core.errors import UsageError
from foldproof.core.loading import load_pass
from foldproof.ir import subjects
from foldproof.ir.onnx.ir import ONNX

PADDED = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),), pad=Pad(value=1.0)))


def on_onnx(function):
    function.foldproof_ir = ONNX
    return function


def without_pad(model):
    """Fold the pad whatever its value is."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    pad = next((node for node in changed.graph.node if node.op_type == "Pad"), None)
    if pad is None:
        return model
    [conv] = [node for node in changed.graph.node if node.op_type == "Conv"]
    conv.input[0] = pad.input[0]
    for attribute in conv.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [1, 1]
    changed.graph.node.remove(pad)
    return changed


def test_a_wrong_fold_is_a_miscompile():
    with pytest.raises(failures.Miscompile, match="should be"):
        check(PADDED, on_onnx(without_pad))


def test_a_right_fold_passes():
    zero = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),)))
    verdict = check(zero, on_onnx(without_pad))
    assert verdict.folded
    assert not verdict.in_doubt


def test_a_model_that_the_checker_rejects_is_ill_formed():
    def rename(model):
        changed = ONNX.clone(model)
        changed.graph.node[-1].op_type = "Convolution"
        return changed

    with pytest.raises(failures.IllFormed, match="Convolution"):
        check(PADDED, on_onnx(rename))


def test_a_renamed_output_is_a_wrong_type():
    def rename(model):
        changed = ONNX.clone(model)
        changed.graph.node[-1].output[0] = changed.graph.output[0].name = "other"
        return changed

    with pytest.raises(failures.WrongType, match="other"):
        check(PADDED, on_onnx(rename))


def test_a_changed_input_is_reported():
    def change(model):
        model.producer_name = "me"
        return model

    with pytest.raises(failures.InputMutated):
        check(PADDED, on_onnx(change))


def test_the_sign_of_a_zero_is_left_open():
    pooled = OnnxCase(case=Case(op="max_pool1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),), fills=("negative",)))

    def negate_zero(model):
        changed = ONNX.clone(model)
        for tensor in changed.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                tensor.CopyFrom(onnx.numpy_helper.from_array(-abs(onnx.numpy_helper.to_array(tensor)), tensor.name))
        return changed

    assert not check(pooled, on_onnx(negate_zero)).in_doubt


# --- subjects ------------------------------------------------------------------------------------------


def test_onnxruntime_is_a_subject():
    verdict = check(PADDED, load_pass("onnxruntime"))
    assert not verdict.in_doubt


def test_a_known_defect_excuses_its_failure_only():
    from foldproof.ir.base import KnownDefect
    from foldproof.ir.onnx.subjects.subject_pass import SubjectPass

    defect = KnownDefect(name="d", text="", kinds=("Miscompile",), matches=lambda case: case.pad.value == 1.0)
    subject = SubjectPass(name="s", apply=without_pad, known_defects=(defect,))
    assert check(PADDED, subject).known_issues == ("d",)
    other = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),), pad=Pad(value=2.0)))
    with pytest.raises(failures.Miscompile):
        check(other, subject)


def test_a_missing_tool_names_the_extra():
    missing = subjects.Subject(
        name="nothing", ir="onnx", applied="", factory="a:b", packages=("no-such-package",), extra="onnx-tools"
    )
    with pytest.raises(UsageError, match=r"needs no-such-package.*pip install 'foldproof\[onnx-tools\]'"):
        missing.load()


def test_onnx_needs_no_tvm():
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tvm", "tvm_ffi"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
from foldproof import Axis, Case, check
from foldproof.case.onnx_case import OnnxCase
from foldproof.core.loading import load_pass
from foldproof.generation.draw import draw
from foldproof.strategies.onnx_cases import onnx_cases
for case in draw(onnx_cases("max_pool1d"), 5, 1):
    check(case, load_pass("onnxruntime/basic"))
print("checked without TVM")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "checked without TVM"


def test_importing_foldproof_imports_no_onnx():
    program = "import sys, foldproof, foldproof.ir.subjects; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False"


# --- two opinions --------------------------------------------------------------------------------------

WIDE = Case(op="avg_pool1d", axes=(Axis(size=4, pad=(2, 2), kernel=2),), count_include_pad=True)
"""A pad that is as wide as the kernel: ONNX Runtime refuses the folded pool, and the specification does not."""


def fold_into_pool(model):
    changed = ONNX.clone(model)
    pad = next((node for node in changed.graph.node if node.op_type == "Pad"), None)
    if pad is None:
        return model
    pool = changed.graph.node[-1]
    pool.input[0] = pad.input[0]
    for attribute in pool.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [2, 2]
    changed.graph.node.remove(pad)
    return changed


def test_a_right_model_that_one_runtime_refuses_is_in_doubt():
    verdict = check(OnnxCase(case=WIDE), on_onnx(fold_into_pool))
    assert verdict.known_issues == (REFUSED_BY_ONE,)


def test_a_wrong_model_that_one_runtime_refuses_is_a_miscompile():
    other = OnnxCase(case=replace(WIDE, pad=Pad(value=1.0)))
    with pytest.raises(failures.Miscompile, match="a second implementation computes other values"):
        check(other, on_onnx(fold_into_pool))


def test_a_kernel_of_the_baseline_that_is_wrong_is_not_blamed_on_the_pass(monkeypatch):
    """The session that runs the folded model is made to lie; the reference evaluator of onnx is not."""
    from foldproof.ir.onnx import runtimes

    zero = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),)))
    honest = runtimes.session_function

    def lie(session):
        function = honest(session)
        inputs = session.get_modelmeta().graph_name
        return lambda arrays: tuple(out + (inputs == "folded") for out in function(arrays))

    def fold(model):
        folded = without_pad(model)
        folded.graph.name = "folded"
        return folded

    monkeypatch.setattr(runtimes, "session_function", lie)
    assert check(zero, on_onnx(fold)).known_issues == (RUN_DIFFERENTLY,)
