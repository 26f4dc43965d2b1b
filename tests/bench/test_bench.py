"""``foldproof bench``: real compilations in every mode, ratios within a round, a summary that scripts can read."""

import json
import os
import subprocess
import sys

import pytest

RATIOS = ("ratio_default", "ratio_single", "ratio_batched")
TIMES = ("ms_naive", "ms_default", "ms_single", "ms_batched")


def run(*args, cwd):
    command = [sys.executable, "-m", "foldproof", "bench", *args]
    return subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_it_prints_tables_and_writes_rounds_and_a_summary(tmp_path):
    done = run("--time", "1s", "--no-workers", "--ops", "max_pool1d,conv1d", "--json", "bench.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for mode in ("naive", "default", "single", "batched"):
        assert f"\n{mode} " in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "bench.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines[:-1]} == {"round", "graphs"}
    last = lines[-1]
    assert last["event"] == "summary"
    assert all(last[name] > 0 for name in (*RATIOS, *TIMES))
    assert last["ratio_two_workers"] is None
    assert last["ratio_single"] > 2  # the exact ratio needs an idle machine


@pytest.mark.slow
def test_two_workers_race_one(tmp_path):
    done = run("--time", "2s", "--ops", "max_pool1d", "--json", "bench.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "bench.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines][-2:] == ["race", "summary"]
    assert lines[-1]["ratio_two_workers"] > 0
    assert lines[-1]["peak_worker_mb"] > 100


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--ops", "conv9d"], "op 'conv9d'"),
        (["--time", "0s"], "'0s'"),
        (["--pass", "nowhere:Pass"], "nowhere"),
        (["--json", "missing/file"], "--json missing/file"),
    ],
)
def test_bad_input_is_one_line(args, message, tmp_path):
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("foldproof: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
