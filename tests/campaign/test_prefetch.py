"""Prefetch: a seed draws the same cases in every process, and a strategy can only harm the worker that draws."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest

from foldproof import strategies
from foldproof.campaign.prefetch import PendingDraw, prefetch_shards
from foldproof.checking.config import CheckConfig
from foldproof.core.errors import UsageError
from foldproof.generation.case_source import CaseSource
from foldproof.generation.draw import draw, shards
from foldproof.workers.pool import WorkerPool

STRATEGIES = """
import os
import sys
import time
import hypothesis.strategies as st
from foldproof.case import Axis, Case

SIZES = st.integers(1, 10**9).map(lambda size: Case(op="max_pool1d", axes=(Axis(size=size % 900 + 1),)))
FEW = st.sampled_from([Case(op="max_pool1d", axes=(Axis(size=size),)) for size in range(1, 31)])
DRAWN = []

def dies(*names):
    return SIZES.map(lambda case: os._exit(3))

def dies_once(*names):
    def each(case):
        if not os.path.exists("mark"):
            open("mark", "w").close()
            os.abort()
        return case
    return SIZES.map(each)

def leaves(*names):
    return SIZES.map(lambda case: sys.exit(0))

def hoards(*names):
    return SIZES.map(lambda case: bytearray(1 << 45))

def hangs(*names):
    return SIZES.map(lambda case: time.sleep(100))

def gives_up(*names):
    def each(case):
        DRAWN.append(case)
        return 1 // (len(DRAWN) < 200) and case
    return SIZES.map(each)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("prefetch")
    (made / "mine.py").write_text(STRATEGIES)
    return made


@pytest.fixture
def pool(folder, monkeypatch, warm_workers):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    with WorkerPool(CheckConfig(), 2) as made:
        yield made


def test_workers_draw_the_cases_of_a_seed_and_leave_out_what_is_done(pool):
    here = list(shards(strategies.cases("conv1d"), 250, 3))
    assert [shard for shard, _ in here] == [0, 1, 2]
    assert list(prefetch_shards(pool, CaseSource(ops=("conv1d",), strategy="cases"), 250, 3)) == here
    assert list(prefetch_shards(pool, CaseSource(ops=("conv1d",), strategy="cases"), 250, 3, done={1: 120})) == [
        here[0],
        here[2],
    ]


def test_a_strategy_of_few_cases_gives_all_of_them_once(pool):
    cases = PendingDraw(pool, CaseSource(strategy="mine:FEW"), 60, 1).cases()
    assert len(cases) == len(set(cases)) == 30
    prefetched = list(prefetch_shards(pool, CaseSource(strategy="mine:FEW"), 100, 1))
    sizes = [len(cases) for _, cases in prefetched]
    assert sum(sizes) == 100  # shards that have fewer cases than they may are made up for
    assert len(sizes) > 3
    assert max(sizes) == 30


def test_a_worker_that_an_earlier_case_broke_is_not_the_strategys_fault(pool, folder):
    assert len(PendingDraw(pool, CaseSource(strategy="mine:dies_once"), 20, 1).cases()) == 20
    assert (folder / "mark").exists()


def test_what_a_strategy_does_to_its_process_is_reported_in_one_line(pool, monkeypatch):
    with pytest.raises(UsageError, match="the strategy ended the process that drew from it \\(exit code 3\\)"):
        PendingDraw(pool, CaseSource(strategy="mine:dies"), 20, 1).cases()
    with pytest.raises(UsageError, match="the strategy raised SystemExit: 0"):
        PendingDraw(pool, CaseSource(strategy="mine:leaves"), 20, 1).cases()
    with pytest.raises(UsageError, match="the strategy ended the process that drew from it \\(out of memory\\)"):
        PendingDraw(pool, CaseSource(strategy="mine:hoards"), 20, 1).cases()
    monkeypatch.setattr("foldproof.campaign.prefetch.DRAW_SECONDS", 3.0)
    with pytest.raises(UsageError, match="the strategy took more than 3 s to draw 20 cases"):
        PendingDraw(pool, CaseSource(strategy="mine:hangs"), 20, 1).cases()


def test_what_was_drawn_before_a_strategy_raised_is_checked_and_counted(folder):
    command = [sys.executable, "-m", "foldproof", "fuzz", "--strategy", "mine:gives_up", "--examples", "500"]
    command += ["--workers", "1", "--json", "lines", "--no-save"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 2, ended.stdout
    assert ended.stderr.splitlines() == [
        "foldproof: the strategy raised ZeroDivisionError: integer division or modulo by zero"
    ]
    assert json.loads((folder / "lines").read_text().splitlines()[-1])["executed"] >= 60


def test_the_source_of_loaded_modules_changes_no_case_of_a_user(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    program = """
import sys
if sys.argv[1:]: import full
import mine
from foldproof.generation.draw import draw
print([case.axes[0].size for case in draw(mine.SIZES, 200, 5)])
"""
    (folder / "full.py").write_text("".join(f"N{n} = {n * 1001}\n" for n in range(500)))
    runs = [
        subprocess.run([sys.executable, "-c", program, *with_it], cwd=folder, capture_output=True, check=True).stdout
        for with_it in ([], ["full"])
    ]
    assert runs[0] == runs[1]


def test_a_run_of_hypothesis_draws_afresh_to_its_end():
    """Hypothesis alone mutates earlier draws from the tenth case on, and most cases keep their op."""
    cases = draw(strategies.cases(), 60, 1)
    same = sum(one.op == other.op for one, other in pairwise(cases))
    assert same < 20
