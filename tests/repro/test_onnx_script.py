"""Scripts of failures on ONNX run without foldproof, and show the failure."""

import subprocess
import sys
from dataclasses import replace

import onnx
import pytest

from foldproof import Axis, Case, Pad, Step, check, failures
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.core.loading import load_pass
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.specification import SENTENCES
from foldproof.repro.issue_text import write_issue
from foldproof.repro.onnx_script import write_script
from foldproof.repro.reproducer import CannotReproduce

PADDED = OnnxCase(
    case=Case(
        op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=3),), pad=Pad(value=1.0), constant_weight=True, filters=2
    ),
    form=Form(storage="node", value_info=True),
)
PER_CHANNEL = OnnxCase(
    case=Case(
        op="conv1d",
        axes=(Axis(size=4, pad=(1, 1), kernel=2),),
        dtype="uint8",
        channels=2,
        steps=(Step(scale=(2.0, 2.0), zero_point=(3, 4), zero_point_dtype="uint8"),),
        constant_weight=True,
    ),
    form=Form(lowering="qdq", out_dtype="uint8"),
)


def on_onnx(change):
    def fold(model):
        changed = ONNX.clone(model)
        change(changed)
        return changed

    fold.foldproof_ir, fold.idempotent = ONNX, False
    return fold


def rename_pad(model):
    [pad] = [node for node in model.graph.node if node.op_type == "Pad"]
    pad.op_type = "Padding"


def run(script, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(script)
    return subprocess.run([sys.executable, "-P", str(path)], capture_output=True, text=True, timeout=100)


def fail(case, fold):
    with pytest.raises(failures.Failure) as raised:
        check(case, fold)
    return raised.value


def clear_weight(model):
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    weight.raw_data = bytes(len(weight.raw_data))


def test_the_script_of_a_miscompile_has_both_models(tmp_path):
    fold = on_onnx(clear_weight)
    failed = fail(PADDED, fold)
    script = write_script(PADDED, fold, None, failed, fold_name="mine:fold")
    assert failed.kind == "Miscompile"
    assert "foldproof." not in script.split("import sys", 1)[1]
    done = run(script, tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("FAILED: After, out")
    assert "ONNX Runtime without optimisations, inputs 'integers': as expected" in done.stdout
    assert "onnx.reference, inputs 'integers': as expected" in done.stdout


def test_the_script_of_an_ill_formed_model_runs_the_checker(tmp_path):
    fold = on_onnx(rename_pad)
    script = write_script(PADDED, fold, None, fail(PADDED, fold), fold_name="mine:fold")
    done = run(script, tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("FAILED: well_formed(After) raised")


def test_the_script_of_a_subject_applies_it(tmp_path):
    subject = replace(load_pass("onnxruntime"), known_defects=())
    failed = fail(PER_CHANNEL, subject)
    script = write_script(PER_CHANNEL, subject, None, failed, fold_name="onnxruntime")
    assert "after_model" not in script
    done = run(script, tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith(("FAILED: running After", "FAILED: compiling After"))


def test_the_script_of_a_case_that_passes_is_ok(tmp_path):
    subject = load_pass("onnxruntime")
    script = write_script(PADDED, subject, None, check(PADDED, subject), fold_name="onnxruntime")
    done = run(script, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ok: After returns the expected values")


def test_the_script_of_two_results_runs_the_tool_twice(tmp_path):
    failed = failures.failure("NotDeterministic", PADDED, "folded values", "two results")
    done = run(write_script(PADDED, load_pass("onnxruntime"), None, failed, fold_name="onnxruntime"), tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ok: After returns the same values twice")


def test_what_no_script_can_show_has_a_reason():
    failed = failures.failure("NotIdempotent", PADDED, "module", "it changed again")
    with pytest.raises(CannotReproduce, match="NotIdempotent"):
        write_script(PADDED, on_onnx(clear_weight), None, failed, fold_name="mine:fold")


def test_an_issue_has_the_script_and_what_the_specification_says():
    subject = replace(load_pass("onnxruntime"), known_defects=())
    failed = fail(PER_CHANNEL, subject)
    script = write_script(PER_CHANNEL, subject, None, failed, fold_name="onnxruntime")
    text = write_issue(
        failed, script, subject="onnxruntime", sentences=ONNX.quote_specification(PER_CHANNEL), tools=["onnx 1.0"]
    )
    assert text.startswith("# onnxruntime: an error for a Pad before conv1d\n")
    assert "- DequantizeLinear: The dequantization formula is `y = (x - x_zero_point) * x_scale`." in text
    assert f"```python\n{script.rstrip()}\n```" in text
    assert "- onnx 1.0" in text


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_the_sentences_are_those_of_the_operators(name):
    """What stands in brackets is ours."""
    operator = SENTENCES[name].split(":", 1)[0].split(",")[0].split("-")[0]
    sentence = SENTENCES[name].split(": ", 1)[1].split(" (It ")[0].split(" (A ")[0]
    schema = onnx.defs.get_schema(operator, 22)
    attributes = [each.description for each in schema.attributes.values()]
    text = " ".join(" ".join([schema.doc, *attributes, *(each.description for each in schema.inputs)]).split())
    assert " ".join(sentence.rstrip(".").split()) in text
