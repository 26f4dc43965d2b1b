"""The commands on ONNX: a pass from ModelProto to ModelProto, and the subjects by name."""

import json

import pytest

PASSES = '''
import os

import onnx

def drop_pads(model):
    """Read the data without its pad: wrong wherever a window sees the border."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for node in changed.graph.node:
        if node.op_type == "Pad":
            shown = [value for value in changed.graph.value_info if value.name == node.output[0]]
            for value in shown:
                changed.graph.value_info.remove(value)
            source = node.input[0]
            node.CopyFrom(onnx.helper.make_node("Identity", [source], list(node.output), node.name))
    return changed

drop_pads.foldproof_ir = "onnx"

def other_ir(model):
    return model

other_ir.foldproof_ir = "graphs"

def crash(model):
    os.abort()

crash.foldproof_ir = "onnx"
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "onnx_passes.py").write_text(PASSES)
    return tmp_path


@pytest.mark.slow
def test_fuzz_show_replay_and_shrink_a_pass_on_models(here, folder):
    chosen = ("--pass", "onnx_passes:drop_pads")
    done = here(
        *("fuzz", *chosen, "--ops", "max_pool1d", "--examples", "30", "--seed", "1", "--workers", "1"),
        *("--shrink-time", "20s", "--json", "out.jsonl", "--first"),
        cwd=folder,
    )
    assert done.returncode == 1, done.stderr
    summary = json.loads((folder / "out.jsonl").read_text().splitlines()[-1])
    [found, *_] = summary["failures"]
    assert set(found["case"]) == {"case", "form"}
    path = next((folder / "foldproof-corpus").glob("*.case.json"))
    assert here("replay", path, *chosen, cwd=folder).returncode == 1
    shown = here("show", path, *chosen, cwd=folder)
    assert shown.returncode == 1
    assert "MaxPool" in shown.stdout
    assert "ONNX" in shown.stdout
    assert here("corpus", "check", path, cwd=folder).stdout.endswith("1 files, 0 problems\n")
    assert here("corpus", "stats", path, cwd=folder).returncode == 0
    assert here("shrink", path, *chosen, "--shrink-time", "5s", cwd=folder).returncode == 1
    relax = here("replay", path, "--any-pass", cwd=folder)
    assert "the case is one of ONNX" in relax.stdout + relax.stderr


@pytest.mark.slow
def test_a_crash_is_a_failure_and_a_journal_is_resumed(here, folder):
    chosen = ("--pass", "onnx_passes:crash", "--ops", "conv1d", "--workers", "1", "--no-shrink", "--no-save")
    done = here("fuzz", *chosen, "--examples", "2", "--seed", "1", "--journal", "j", cwd=folder)
    assert done.returncode == 1
    assert "TargetCrashed/conv/SIGABRT" in done.stdout
    again = here("fuzz", "--resume", "j", "--examples", "2", "--no-shrink", "--no-save", cwd=folder)
    assert again.returncode == 1
    assert "TargetCrashed/conv/SIGABRT" in again.stdout


@pytest.mark.slow
def test_an_issue_text_is_written_for_a_case_that_fails(here, folder):
    from foldproof import Axis, Case, save_case
    from foldproof.case.onnx_case import OnnxCase

    padded = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1)),)))
    path = save_case(folder / "cases", padded)
    done = here("show", path, "--pass", "onnx_passes:drop_pads", "--report-markdown", "issue.md", cwd=folder)
    assert done.returncode == 1, done.stderr
    text = (folder / "issue.md").read_text()
    assert text.startswith("# onnx_passes:drop_pads: a model that the checker rejects for a Pad before conv1d")
    assert "```python" in text


def test_an_unknown_ir_of_a_pass_is_a_usage_error(here, folder):
    done = here("fuzz", "--pass", "onnx_passes:other_ir", "--examples", "1", "--no-save", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "foldproof: unknown foldproof_ir 'graphs' of the pass; expected one of relax, onnx"
    )


def test_fuzz_a_subject_by_name(here, folder):
    chosen = ("--pass", "onnxruntime/basic", "--ops", "conv1d_transpose")
    done = here("fuzz", *chosen, "--examples", "12", "--seed", "1", "--workers", "1", "--no-save", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 cases" in done.stdout
    assert "target llvm" not in done.stdout


def test_a_case_that_onnx_cannot_express_is_not_ok(here, folder):
    case = '{"format": 2, "op": "avg_pool1d", "axes": [{"pad": [1, 0]}], "dtype": "int32"}'
    for name in ("one", "two"):
        (folder / f"{name}.case.json").write_text(f'{{"foldproof": 2, "case": {case}}}')
    done = here("replay", "one.case.json", "two.case.json", "--pass", "onnxruntime/basic", cwd=folder)
    assert "skipped one.case.json: not executed: ONNX has no AveragePool of int32" in done.stdout
    assert done.stdout.endswith("2 cases, 0 failed, 2 not executed\n")


def test_passes_lists_subjects_with_versions(here, folder):
    done = here("passes", "--open", cwd=folder)
    assert done.returncode == 0
    assert "onnxruntime/basic" in done.stdout
    assert "session at ORT_ENABLE_ALL" in done.stdout
    assert "open: " in done.stdout


def test_a_missing_tool_is_one_line_with_the_extra(here, folder, monkeypatch):
    from foldproof.ir import subjects

    monkeypatch.setattr(subjects, "_version", lambda name: "" if name == "onnxslim" else "1.0")
    done = here("fuzz", "--pass", "onnxslim", "--examples", "1", "--no-save", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "foldproof: pass 'onnxslim' needs onnxslim, which is not installed; pip install 'foldproof[onnx-tools]'"
    )
