"""``foldproof bench``: real compilations in every mode, ratios within a round, a summary that scripts can read."""

import json
import os
import subprocess
import sys

import pytest

from foldproof.bench import rounds as bench
from foldproof.bench.report import extra_fills, stages, summary
from foldproof.bench.rounds import Race, Round, cpu_seconds, time_stages

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
    assert {line["event"] for line in lines[:-1]} == {"round"}
    last = lines[-1]
    assert last["event"] == "summary"
    assert all(last[name] > 0 for name in (*RATIOS, *TIMES))
    assert last["ratio_two_workers"] is None
    assert last["ratio_single"] > 2  # how much exactly is for an idle machine to say


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
        (["--ops", "conv9d"], "unknown op 'conv9d'; expected one of conv1d"),
        (["--time", "0s"], "'0s' is no duration above 0"),
        (["--pass", "nowhere:Pass"], "nowhere"),
        (["--json", "missing/file"], "--json missing/file: cannot be written"),
    ],
)
def test_bad_input_is_one_line(args, message, tmp_path):
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("foldproof: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_stage_within_a_stage_counts_for_itself_alone(monkeypatch):
    now = [0.0]

    def inner():
        now[0] += 2.0

    def outer():
        now[0] += 1.0
        here.inner()

    here = sys.modules[__name__]
    monkeypatch.setattr(here, "inner", inner, raising=False)
    monkeypatch.setattr(here, "outer", outer, raising=False)
    monkeypatch.setattr(bench, "cpu_seconds", lambda: now[0])
    with time_stages((("outer", __name__, "outer"), ("inner", __name__, "inner"))) as spent:
        here.outer()
    assert spent == {"outer": 1.0, "inner": 2.0}


def test_cpu_time_counts_processes_that_ended():
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    assert cpu_seconds() - before > 0.05


def test_ratios_are_of_the_same_round_and_medians_over_rounds():
    def made(naive, single):
        seconds = {"naive": naive, "default": naive / 2, "single": single, "batched": single / 2}
        each = {name: {"run": took / 2} for name, took in seconds.items()}
        return Round(cases=10, drawing=0.0, seconds=seconds, stages=each, one_fill=1.0, four_fills=1.05)

    rounds = [made(4.0, 0.4), made(8.0, 0.4), made(90.0, 0.9)]
    plain = summary(rounds, [Race(cases=10, one=3.0, two=2.0)])
    assert plain["ratio_single"] == 20.0
    assert plain["ratio_batched"] == 40.0
    assert plain["ms_naive"] == 800.0
    assert plain["ratio_two_workers"] == 1.5
    assert extra_fills(rounds) == pytest.approx(0.05)
    spent = stages(rounds, "naive")
    assert spent["run"] == spent["other"] == pytest.approx(1e3 * 51 / 30)
