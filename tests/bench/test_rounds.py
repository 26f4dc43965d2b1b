"""foldproof.bench.rounds: CPU time of stages and of processes."""

import subprocess
import sys

from foldproof.bench import rounds as bench
from foldproof.bench.rounds import cpu_seconds, time_stages


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
