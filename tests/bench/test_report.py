"""foldproof.bench.report: ratios within a round, medians over rounds, and the report as a snapshot."""

import pytest

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
