"""foldproof.campaign.grouping: several defects of one fingerprint are that number of distinct failures."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof import Axis, Case, Pad
from foldproof.campaign import failing, grouping
from foldproof.campaign.features import ASYMMETRIC
from foldproof.campaign.grouping import group_failures
from foldproof.campaign.journal import Journal
from foldproof.campaign.known import KnownFailure
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import Summary
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.cli.main import main
from foldproof.corpus.entry import Entry, save_entry

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
    assert (found.cause, found.count, found.unexplained) == (None, 4, 4)


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


# --- known failures -----------------------------------------------------------------------------------

FINGERPRINT = "Miscompile/max_pool/values"


def known(case, *hint):
    return KnownFailure(path=Path("known.case.json"), case=case, fingerprint=FINGERPRINT, hint=hint)


def judged(pool, *failures, cases=CASES, **settings):
    summary = Summary(seed=0)
    for case in cases:
        summary.add(case, pool.check(case), {FINGERPRINT} if failures else ())
    listener = Listener()
    group_failures(Settings(**settings), pool, listener, None, summary, failures)
    return summary


def test_a_known_failure_excuses_what_has_its_cause_and_the_rest_is_new():
    summary = judged(Pool(swapped, ignored), known(WRONG_VALUE))
    [found] = summary.failures.values()
    assert (found.cause, found.count, found.smallest_is_minimal) == ((ASYMMETRIC,), 3, True)
    assert (summary.known, summary.failed) == ({FINGERPRINT: 1}, 3)
    assert summary.by_op == {("max_pool1d", "known"): 1, ("max_pool1d", "failed"): 3, ("max_pool1d", "folded"): 3}


def test_all_failures_with_the_cause_of_a_known_one_are_known():
    for case in (WRONG_VALUE, BOTH):
        summary = judged(Pool(ignored), known(case))
        assert (summary.failures, summary.known, summary.failed) == ({}, {FINGERPRINT: 2}, 0)
        assert summary.known_not_examined == 0


def test_the_recorded_cause_of_a_known_case_decides_between_two():
    summary = judged(Pool(swapped, ignored), known(BOTH, ASYMMETRIC))
    assert [each.cause for each in summary.failures.values()] == [(VALUE,)]
    summary = judged(Pool(swapped, ignored), known(BOTH, VALUE))
    assert [each.cause for each in summary.failures.values()] == [(ASYMMETRIC,)]


def test_a_known_case_whose_cause_has_no_name_excuses_itself_and_what_shrinks_to_it():
    def odd_size(case):
        return case.axes[0].size == 5

    def find(case, start):
        return judged(Pool(odd_size, swapped), known(case), cases=[start])

    odd = replace(PLAIN, axes=(Axis(size=5, pad=(1, 1), kernel=2),))
    assert find(odd, odd).failures == {}
    assert len(find(odd, SKEWED).failures) == 1
    minimal = next(iter(judged(Pool(odd_size), cases=[odd]).failures.values())).smallest.case
    assert find(minimal, odd).failures == {}


def test_without_time_nothing_is_known_but_the_case_itself(monkeypatch):
    monkeypatch.setattr(grouping, "EXPLAIN_SECONDS", -1.0)
    summary = judged(Pool(ignored), known(WRONG_VALUE), shrink_seconds=-1.0)
    [found] = summary.failures.values()
    assert (found.count, summary.known, summary.failed) == (1, {FINGERPRINT: 1}, 1)


def test_known_failures_that_were_not_kept_are_counted_as_not_examined(monkeypatch):
    monkeypatch.setattr(failing, "MOST_KEPT", 2)
    summary = judged(Pool(ignored), known(WRONG_VALUE), cases=[WRONG_VALUE] * 5)
    assert (summary.failures, summary.known, summary.known_not_examined) == ({}, {FINGERPRINT: 5}, 3)


@pytest.mark.slow
def test_a_campaign_that_did_not_examine_all_failures_is_not_green(tmp_path, monkeypatch, capsys):
    pool = Case(op="max_pool1d", axes=(Axis(pad=(0, 1)),), pad=Pad(value=0.0))
    save_entry(tmp_path, Entry(case=pool, found={"failure": FINGERPRINT}))
    options = ["--ops", "max_pool1d", "--examples", "40", "--seed", "1", "--workers", "1", "--no-save"]
    command = ["foldproof", "fuzz", "--pass", "tests.support.several_defects:value_ignored", "--known", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*command, *options])
    for kept, code in ((500, 0), (1, 2)):
        monkeypatch.setattr(failing, "MOST_KEPT", kept)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    assert re.search(r"foldproof: \d+ failures with the fingerprint of a known one", capsys.readouterr().err)


@pytest.mark.slow
def test_a_new_defect_beside_a_known_one_ends_with_exit_code_1(tmp_path):
    pool = Case(op="max_pool1d", axes=(Axis(pad=(0, 1)),), pad=Pad(value=0.0))
    save_entry(tmp_path / "known", Entry(case=pool, found={"failure": FINGERPRINT}))
    mended = Case(op="max_pool1d", axes=(Axis(size=4),))
    gone = save_entry(tmp_path / "known", Entry(case=mended, found={"failure": FINGERPRINT}))
    options = ["--ops", "max_pool1d", "--examples", "40", "--seed", "1", "--workers", "2", "--json", tmp_path / "log"]
    options += ["--known", tmp_path / "known", "--no-save"]
    for name, code, causes in (("value_ignored", 0, []), ("value_ignored_and_swapped", 1, [ASYMMETRIC])):
        command = [sys.executable, "-m", "foldproof", "fuzz", "--pass", f"tests.support.several_defects:{name}"]
        run = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=400)
        assert run.returncode == code, run.stdout + run.stderr
        summary = json.loads((tmp_path / "log").read_text().splitlines()[-1])
        found = [each for each in summary["failures"] if each["fingerprint"] == FINGERPRINT]
        assert [each["cause"][:1] for each in found if each["minimal"]][:1] == [[each] for each in causes]
        assert summary["known"][FINGERPRINT] > 0
        assert summary["known_no_longer_failing"] == [str(gone)]
        assert f"known failure {gone} no longer fails" in run.stdout


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
