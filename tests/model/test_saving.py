"""The folded model as a Python file: executed, it binds an equal module, constants included."""

import subprocess
import sys

import numpy as np
from tests.support.model_files import SYMBOLIC, onnx_model

from foldproof.ir.relax.module import same
from foldproof.model import apply_fold, import_model
from foldproof.model.compare import compare_outputs
from foldproof.model.running import ModelProgram, make_inputs, parse_model_target
from foldproof.model.saving import module_source


def test_a_saved_model_is_imported_again_and_computes_the_same_bits(tmp_path):
    folded = apply_fold(import_model(onnx_model(tmp_path / "net.onnx"))).model
    (tmp_path / "folded.py").write_text(module_source(folded.module, 'a "title"'))
    again = import_model(tmp_path / "folded.py")
    target = parse_model_target("llvm")
    arrays = make_inputs(folded.inputs, {}, "random")
    one, other = (ModelProgram(each, target) for each in (folded, again))
    assert compare_outputs(one.run(one.load(arrays)), other.run(other.load(arrays)), "random").difference == ""


def test_a_saved_model_of_symbolic_lengths_is_equal(tmp_path):
    (tmp_path / "net.py").write_text(SYMBOLIC)
    folded = apply_fold(import_model(tmp_path / "net.py")).model
    (tmp_path / "folded.py").write_text(module_source(folded.module, "title"))
    assert same(import_model(tmp_path / "folded.py").module, folded.module)


def test_a_saved_model_needs_no_foldproof(tmp_path):
    folded = apply_fold(import_model(onnx_model(tmp_path / "net.onnx"))).model
    (tmp_path / "folded.py").write_text(module_source(folded.module, "title"))
    code = "import sys, folded; assert 'foldproof' not in sys.modules; print(type(folded.Model).__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "IRModule\n"), done.stderr


def test_constants_keep_their_bits(tmp_path):
    folded = apply_fold(import_model(onnx_model(tmp_path / "net.onnx"))).model
    (tmp_path / "folded.py").write_text(module_source(folded.module, "title"))
    want, got = (_constants(each.module) for each in (folded, import_model(tmp_path / "folded.py")))
    assert len(want) == len(got) > 0
    assert all(np.array_equal(a, b) for a, b in zip(want, got, strict=True))


def _constants(module):
    from tvm import ir, relax

    found = []
    relax.analysis.post_order_visit(
        module["main"], lambda each: found.append(each.value.numpy()) if isinstance(each, ir.GenericConst) else None
    )
    return found
