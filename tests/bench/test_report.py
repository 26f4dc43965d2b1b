"""foldproof.bench.report: ratios within a round, medians over rounds, and the report as a snapshot."""

import io

import pytest
from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof.bench import report
from foldproof.bench.graphs import Cost, GraphRound
from foldproof.bench.report import extra_fills, stages, summary
from foldproof.bench.rounds import Race, Round


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


def test_the_report(monkeypatch):
    monkeypatch.setattr(report, "peak_megabytes", lambda: (512.4, 734.6))

    def made(naive):
        seconds = {"naive": naive, "default": naive / 2, "single": naive / 20, "batched": naive / 40}
        each = {name: {"build": took / 4, "run": took / 2} for name, took in seconds.items()}
        return Round(cases=10, drawing=0.01, seconds=seconds, stages=each, one_fill=1.0, four_fills=1.05)

    rounds = [made(4.0), made(8.0), made(9.0)]
    races = [Race(cases=400, one=30.0, two=20.0), Race(cases=400, one=32.0, two=20.0)]
    file = io.StringIO()
    cases, three = Cost(count=16, sites=16, seconds=0.32), Cost(count=16, sites=48, seconds=0.48)
    graphs = [GraphRound(cases=cases, graphs=Cost(count=16, sites=30, seconds=0.4), three=three)]
    assert summary(rounds, races, graphs)["cases_of_a_graph"] == 1.5
    assert report.record(graphs[0])["ratio"] == 1.5
    report.print_bench(Console(file=file, width=120, highlight=False), rounds, races, graphs)
    report.print_bench(Console(file=file, width=120, highlight=False), rounds, [])
    assert_snapshot("bench-report", "\n".join(line.rstrip() for line in file.getvalue().splitlines()))
