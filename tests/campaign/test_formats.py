"""Journals of format 1, as foldproof wrote them, are resumed and reported with their numbers.

tests/data/formats/journal-1-*/journal.jsonl was written by the last foldproof of format 1, summary.json is the last
line of its --json; the campaigns were

    fuzz --ops max_pool1d,conv1d --seed 3 --examples 150 --workers 1 --no-save
    fuzz --pass harness.mutants:begin_end_swapped --ops max_pool1d --seed 1 --examples 100 --workers 1 --no-save
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from foldproof.campaign.formats import FORMAT
from foldproof.campaign.journal import JOURNAL, Journal
from foldproof.core.versions import versions

FORMATS = Path(__file__).parents[1] / "data" / "formats"
NUMBERS = ("cases", "executed", "folded", "refused", "failed", "in_doubt")
"""Not ``sampled``: which cases both pipelines run depends on the JSON text of a case, and so on its format."""

COUNTS = ("by_op", "reasons", "rules", "undefined", "fallbacks", "known")

LEGALITY = {
    "passes": {"illegal": 85, "unknown mode": 5, "legal where specified": 1, "unobservable": 1},
    "failures": {"illegal": 55, "unknown mode": 2, "legal for this shape only": 2},
}
"""What the recorded summaries count, in the names of format 2."""


def recorded(name, tmp_path, lines=None):
    """A copy of a recorded journal, cut after so many lines, with the versions of this process."""
    folder = tmp_path / "kept"
    folder.mkdir()
    start, *rest = (FORMATS / f"journal-1-{name}" / JOURNAL).read_text().splitlines(keepends=True)
    start = json.dumps(json.loads(start) | {"versions": versions()}) + "\n"
    (folder / JOURNAL).write_text("".join([start, *rest][:lines]))
    return folder


def resume(here, folder, *args):
    command = ["fuzz", "--resume", folder, "--no-save", "--workers", "1"]
    command += ["--shrink-time", "3s", "--json", folder / "log", *args]
    run = here(*command, cwd=folder)
    return run, json.loads((folder / "log").read_text().splitlines()[-1])


def assert_numbers_of(name, summary):
    undisturbed = json.loads((FORMATS / f"journal-1-{name}" / "summary.json").read_text())
    for count in (*NUMBERS, *COUNTS):
        assert summary[count] == undisturbed[count], count
    assert summary["known_issues"] == undisturbed["findings"]
    assert summary["legality"] == LEGALITY[name]
    counted: Counter[str] = Counter()  # one fingerprint can have several causes, each with a failure of its own
    for failure in summary["failures"]:
        counted[failure["fingerprint"]] += failure["count"]
    assert counted == {failure["fingerprint"]: failure["count"] for failure in undisturbed["failures"]}


def test_a_line_of_format_1_has_the_names_of_format_2(tmp_path):
    with Journal.resume(recorded("failures", tmp_path), versions()) as journal:
        assert journal.start["fold"] == "foldproof.mutants:begin_end_swapped"
        assert "pass" not in journal.start
        for shard in journal.shards:
            assert {"known_issues", "problem"} <= set(shard)
            assert not {"findings", "trouble"} & set(shard)
        for line in (*journal.shrunk.values(), *(each for shard in journal.shards for each in shard["failures"])):
            assert "script_problem" in line
            assert "script_complaint" not in line


def test_a_failure_of_format_1_that_was_not_reproducible_has_the_fingerprint_of_format_2(tmp_path):
    folder = recorded("failures", tmp_path)
    text = (folder / JOURNAL).read_text()
    (folder / JOURNAL).write_text(
        text.replace("Miscompile/max_pool/values", "Miscompile/max_pool/not alone").replace(
            '"symptom": "values"', '"symptom": "not alone"'
        )
    )
    with Journal.resume(folder, versions()) as journal:
        assert "Miscompile/max_pool/not reproducible in isolation" in journal.shrunk


def test_lines_after_a_format_line_have_its_format(tmp_path):
    folder = recorded("passes", tmp_path, lines=2)
    before = (folder / JOURNAL).read_text()
    for shard in (7, 8):
        with Journal.resume(folder, versions()) as journal:
            journal.record_shard({"shard": shard, "legality": {"vacuous": 1}})
    added = [json.loads(line) for line in (folder / JOURNAL).read_text().removeprefix(before).splitlines()]
    assert [line["event"] for line in added] == ["format", "shard", "shard"]
    assert added[0]["format"] == FORMAT
    with Journal.resume(folder, versions()) as journal:
        assert [shard["shard"] for shard in journal.shards] == [0, 7, 8]
        assert journal.shards[2]["legality"] == {"vacuous": 1}
        assert "legal where specified" in journal.shards[0]["legality"]


def test_a_finished_campaign_of_format_1_is_reported_again(tmp_path, here):
    run, summary = resume(here, recorded("failures", tmp_path))
    assert run.returncode == 1, run.stdout + run.stderr
    assert_numbers_of("failures", summary)
    assert all(failure["minimal"] for failure in summary["failures"])


CAMPAIGNS = {
    "passes": ["--ops", "max_pool1d,conv1d", "--seed", "3", "--examples", "150"],
    "failures": [
        *("--pass", "foldproof.mutants:begin_end_swapped", "--ops", "max_pool1d"),
        *("--seed", "1", "--examples", "100", "--no-shrink"),
    ],
}
"""The campaigns of the journals, for this version: its seeds draw other cases than those of format 1 did."""


def total(shards, name):
    values = [shard.get(name, 0) for shard in shards]
    return sum((Counter(value) for value in values if value), Counter()) if name in COUNTS else sum(values)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["passes", "failures"])
def test_a_campaign_of_format_1_that_was_interrupted_goes_on_with_the_shards_that_it_lacks(name, tmp_path, here):
    folder = recorded(name, tmp_path, lines=2)
    with Journal.resume(folder, versions()) as journal:
        [first] = journal.shards
    command = [sys.executable, "-m", "foldproof", "fuzz", *CAMPAIGNS[name], "--journal", "whole"]
    subprocess.run([*command, "--workers", "1", "--no-save"], cwd=tmp_path, capture_output=True, timeout=300)
    with Journal.resume(tmp_path / "whole", versions()) as journal:
        expected = [first, *(shard for shard in journal.shards if shard["shard"] != first["shard"])]
    assert len(expected) > 1
    run, summary = resume(here, folder)
    assert run.returncode == (1 if name == "failures" else 0), run.stdout + run.stderr
    assert 0 < summary["resumed"] < summary["executed"]
    for count in (*NUMBERS, *COUNTS):
        assert summary[count] == total(expected, count), count
    again, same = resume(here, folder)
    assert again.returncode == run.returncode
    assert {count: same[count] for count in NUMBERS} == {count: summary[count] for count in NUMBERS}
    assert same["resumed"] == same["executed"]
