"""foldproof.campaign.grouping: several defects of one fingerprint are that number of distinct failures."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof import Axis, Case, Pad
from foldproof.campaign import grouping
from foldproof.campaign.features import ASYMMETRIC
from foldproof.campaign.grouping import group_failures
from foldproof.campaign.journal import Journal
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict

ROOT = Path(__file__).parents[2]
VALUE, MODE = "value that is not neutral", "mode"

PLAIN = Case(op="max_pool1d", axes=(Axis(size=6, pad=(1, 1), kernel=2),), pad=Pad(value=-math.inf), seed=7)
SKEWED = replace(PLAIN, axes=(Axis(size=6, pad=(0, 2), kernel=2),))
WRONG_VALUE = replace(PLAIN, pad=Pad(value=3.0))
BOTH = replace(SKEWED, pad=Pad(value=0.0))
MIRRORED = replace(PLAIN, pad=Pad(mode="reflect"))
CASES = (PLAIN, BOTH, WRONG_VALUE, PLAIN, SKEWED, replace(SKEWED, seed=3), MIRRORED)


def swapped(case):
    return any(begin != end for begin, end in [case.axes[0].pad])


def ignored(case):
    return case.pad.mode == "constant" and case.pad.value != -math.inf


def mirrored(case):
    return case.pad.mode == "reflect"


class Job:
    def __init__(self, cases, pool):
        self.cases, self._pool = cases, pool

    def results(self):
        return self._pool.check_each(self.cases)


class Pool:
    """Workers of a pass with three defects."""

    workers = 2

    def __init__(self, *defects):
        self._defects, self.checked = defects, 0

    def submit(self, cases):
        return Job(cases, self)

    def check_each(self, cases):
        self.checked += len(cases)
        return [self.check(case) for case in cases]

    def check(self, case):
        wrong = any(defect(case) for defect in self._defects)
        return failure("Miscompile", case, "values", "wrong") if wrong else Verdict(folded=True)


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch):
    monkeypatch.setattr(grouping, "confirm_failure", lambda settings, pool, found: None)


def counted(pool, cases=CASES):
    summary = Summary(seed=0)
    for case in cases:
        summary.add(case, pool.check(case))
    return summary


def grouped(pool, *, cases=CASES, journal=None, **settings):
    summary = counted(pool, cases)
    group_failures(Settings(**settings), pool, Listener(), journal, summary)
    return summary


def outcome(summary):
    return [(each.cause, each.count, each.first_met, each.smallest.case) for each in summary.failures.values()]


def test_three_defects_are_three_failures_each_with_its_own_minimal_case():
    summary = grouped(Pool(swapped, ignored, mirrored))
    found = list(summary.failures.values())
    assert [(each.cause, each.count, each.first_met) for each in found] == [
        ((VALUE,), 2, 2),
        ((ASYMMETRIC,), 2, 5),
        ((MODE,), 1, 7),
    ]
    assert all(each.smallest_is_minimal for each in found)
    assert len({each.smallest.case for each in found}) == 3
    assert sum(each.count for each in found) == summary.failed
    assert list(summary.failures) == [
        "Miscompile/max_pool/values",
        "Miscompile/max_pool/values, cause 2",
        "Miscompile/max_pool/values, cause 3",
    ]


def test_one_defect_is_one_failure_that_explains_all_its_cases():
    [found] = grouped(Pool(ignored)).failures.values()
    assert (found.cause, found.count, len(found.explained), found.unexplained) == ((VALUE,), 2, 2, 0)


def test_without_time_every_case_is_counted_as_not_explained():
    [found] = grouped(Pool(swapped, ignored), shrink_seconds=-1.0).failures.values()
    assert (found.cause, found.count, found.unexplained) == (None, 4, 3)


def test_a_journal_brings_the_causes_back(tmp_path):
    first, second, start = Pool(swapped, ignored), Pool(swapped, ignored), {"versions": dict.fromkeys(VERSIONS, "1")}
    with Journal.create(tmp_path, start) as journal:
        whole = grouped(first, journal=journal)
    with Journal.resume(tmp_path, start["versions"]) as journal:
        again = grouped(second, journal=journal)
    assert outcome(again) == outcome(whole)
    assert second.checked == 0


@pytest.mark.parametrize("kept", [1, 2])
def test_a_campaign_that_was_killed_while_it_shrank_ends_with_the_same_failures(kept, tmp_path):
    pool, start = Pool(swapped, ignored, mirrored), {"versions": dict.fromkeys(VERSIONS, "1")}
    with Journal.create(tmp_path, start) as journal:
        whole = grouped(pool, journal=journal)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[: 1 + kept]))
    with Journal.resume(tmp_path, start["versions"]) as journal:
        assert outcome(grouped(pool, journal=journal)) == outcome(whole)


VERSIONS = ("foldproof", "hypothesis", "python")


def test_records_of_shards_carry_their_failing_cases():
    pool = Pool(swapped, ignored, mirrored)
    whole = grouped(pool)
    summary = Summary(seed=0)
    for shard, cases in ((1, CASES[4:]), (0, CASES[:4])):
        part = counted(pool, cases)
        summary.absorb(json.loads(json.dumps(part.to_record())), shard=shard)
    group_failures(Settings(), pool, Listener(), None, summary)
    assert outcome(summary) == outcome(whole)


@pytest.mark.slow
def test_a_campaign_reports_three_planted_defects_of_one_family(tmp_path):
    command = [sys.executable, "-m", "foldproof", "fuzz", "--pass", "tests.support.several_defects:three_defects"]
    command += ["--ops", "max_pool1d", "--examples", "60", "--seed", "1", "--workers", "2", "--json", tmp_path / "log"]
    run = subprocess.run(
        [*command, "--corpus", tmp_path / "found"], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert run.returncode == 1, run.stdout + run.stderr
    summary = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    found = [each for each in summary["failures"] if each["fingerprint"] == "Miscompile/max_pool/values"]
    causes = [tuple(each["cause"]) for each in found]
    assert {(VALUE,), (ASYMMETRIC,), (MODE,)} <= set(causes)
    assert len(set(causes)) == len(causes)
    assert all(each["minimal"] and each["explains"] >= 1 and each["first_met"] >= 1 for each in found)
    assert len({json.dumps(each["case"]) for each in found}) == len(found)
    assert len({each["path"] for each in found}) == len(found)
    assert sum(each["count"] for each in summary["failures"]) == summary["failed"]
