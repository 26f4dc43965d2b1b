"""The commands on ONNX: a pass from ModelProto to ModelProto, and the subjects by name."""

import json

import pytest

PASSES = '''
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
    assert here("shrink", path, *chosen, "--shrink-time", "5s", cwd=folder).returncode in (0, 1)
    relax = here("replay", path, "--any-pass", cwd=folder)
    assert "the case is one of ONNX" in relax.stdout + relax.stderr


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
