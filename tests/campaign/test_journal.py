"""Journals: finished shards stay finished. Interrupted campaigns end with the numbers of an undisturbed one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from foldproof.campaign.journal import JOURNAL, RUNNING, Journal, JournalError
from foldproof.case import Axis, Case
from foldproof.corpus.entry import Entry, save_entry

VERSIONS = {"foldproof": "1", "hypothesis": "2", "python": "3"}
START = {"seed": 5, "versions": VERSIONS}
CASE = Case(op="max_pool1d", axes=(Axis(size=4),))


def command(*args):
    return [sys.executable, "-m", "foldproof", "fuzz", *map(str, args)]


def fuzz(*args, cwd):
    return subprocess.run(command(*args), cwd=cwd, capture_output=True, text=True, timeout=300)


def written(folder):
    with Journal.create(folder, START) as journal:
        journal.record_shard({"shard": 0, "cases": 7})
        journal.record_running(1, [CASE])
    return folder


# --- the file -----------------------------------------------------------------------------------------


def test_what_was_finished_is_there_again(tmp_path):
    with Journal.resume(written(tmp_path), VERSIONS) as journal:
        assert journal.start["seed"] == 5
        assert [(shard["shard"], shard["cases"]) for shard in journal.shards] == [(0, 7)]


def test_the_cases_under_way_are_on_disk_until_their_shard_is_done(tmp_path):
    written(tmp_path)
    [line] = (tmp_path / RUNNING).read_text().splitlines()
    assert Case.from_json(json.loads(line)["case"]) == CASE
    with Journal.resume(tmp_path, VERSIONS) as journal:
        journal.record_shard({"shard": 1, "cases": 1})
    assert (tmp_path / RUNNING).read_text() == ""


@pytest.mark.parametrize(
    "tail", [b'{"event": "shard", "sha', b'{"event": "shard"}', b"\0\0\0\0\n", b"[]\n", b"\xff\xfe\n"]
)
def test_a_torn_tail_is_dropped_and_written_over(tail, tmp_path):
    path = written(tmp_path) / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    with Journal.resume(tmp_path, VERSIONS) as journal:
        assert len(journal.shards) == 1
        journal.record_shard({"shard": 1, "cases": 2})
    assert path.read_bytes().startswith(whole)
    with Journal.resume(tmp_path, VERSIONS) as journal:
        assert [shard["shard"] for shard in journal.shards] == [0, 1]


@pytest.mark.parametrize("garbage", [b"", b"\0" * 40, random.Random(1).randbytes(200)], ids=["cut", "zeros", "random"])
def test_a_last_line_that_ends_anywhere_in_garbage_is_dropped(garbage, tmp_path):
    path = written(tmp_path) / JOURNAL
    whole = path.read_bytes()
    begin = whole[:-1].rindex(b"\n") + 1
    for end in range(begin, len(whole) - 1):
        path.write_bytes(whole[:end] + garbage)
        with Journal.resume(tmp_path, VERSIONS) as journal:
            assert journal.shards == []
            journal.record_shard({"shard": 0, "cases": 7})
        assert path.read_bytes() == whole


def test_a_journal_that_ended_within_its_first_line_is_created_again(tmp_path):
    whole = (written(tmp_path) / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole[:40])
    written(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == whole


def test_a_second_campaign_does_not_write_over_the_first(tmp_path):
    written(tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(JournalError, match="holds a campaign already; use --resume"):
        Journal.create(tmp_path, START)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_one_process_at_a_time_writes(tmp_path):
    with Journal.create(tmp_path, START):
        for again in (lambda: Journal.create(tmp_path, START), lambda: Journal.resume(tmp_path, VERSIONS)):
            with pytest.raises(JournalError, match="another campaign is writing to it"):
                again()


@pytest.mark.parametrize("name", ["foldproof", "hypothesis", "python"])
def test_other_versions_may_draw_other_cases_and_are_refused(name, tmp_path):
    with pytest.raises(JournalError, match=f"was written with {name} {VERSIONS[name]}, but this is {name} 9"):
        Journal.resume(written(tmp_path), VERSIONS | {name: "9"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a journal; expected journal.jsonl to begin with a start line"),
        (b"no journal\n", "is not a journal"),
        (b'{"event": "shard"}\n', "is not a journal"),
        (b'{"event": "start"}\n', "has the unknown format None; expected 1 or 2"),
        (b'{"event": "start", "format": 99}\n', "has the unknown format 99; expected 1 or 2"),
    ],
)
def test_what_is_not_a_journal_is_refused(content, message, tmp_path):
    (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(JournalError, match=message):
        Journal.resume(tmp_path, VERSIONS)
    assert (tmp_path / JOURNAL).read_bytes() == content


# --- campaigns ----------------------------------------------------------------------------------------

OPS = ("--ops", "max_pool1d,conv1d", "--seed", 3, "--examples", 150, "--workers", 1)
LIKE = ("cases", "executed", "folded", "refused", "failed", "by_op", "reasons", "rules", "legality")


def last_line(path):
    return json.loads(path.read_text().splitlines()[-1])


def outcome(path):
    line = last_line(path)
    found = sorted(
        (failure["fingerprint"], failure["count"], failure["case"].get("op", "graph")) for failure in line["failures"]
    )
    return {name: line[name] for name in LIKE}, found


def killed_and_resumed(tmp_path, kills, *options):
    """A campaign that is killed ``kills`` times at moments that a seed chooses, then resumed to its end."""
    moments = random.Random(kills)
    start = (*OPS, *options, "--journal", "kept")
    for attempt in range(kills):
        begun = attempt > 0 and (tmp_path / "kept" / JOURNAL).exists() and (tmp_path / "kept" / JOURNAL).stat().st_size
        args = ("--resume", "kept", "--workers", 1) if begun else start
        with subprocess.Popen(command(*args), cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.5, 6.0))
            process.send_signal(signal.SIGKILL)
    return fuzz("--resume", "kept", "--workers", 1, "--json", "resumed", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("fold", [None, "foldproof.mutants:own_padding_overwritten"])
def test_a_campaign_that_was_killed_ends_with_the_numbers_of_one_that_was_not(fold, tmp_path):
    options = ("--pass", fold, "--shrink-time", "5s") if fold else ()
    whole = fuzz(*OPS, *options, "--json", "whole", "--corpus", "other", cwd=tmp_path)
    resumed = killed_and_resumed(tmp_path, 4, *options)
    assert resumed.returncode == whole.returncode == (1 if fold else 0), resumed.stderr
    assert outcome(tmp_path / "resumed") == outcome(tmp_path / "whole")
    again = fuzz("--resume", "kept", "--json", "again", cwd=tmp_path)
    assert again.returncode == whole.returncode
    assert outcome(tmp_path / "again") == outcome(tmp_path / "whole")
    assert last_line(tmp_path / "again")["resumed"] == last_line(tmp_path / "whole")["executed"]


def test_a_journal_decides_what_the_campaign_is(tmp_path, here):
    small = ("--ops", "max_pool1d", "--examples", 12, "--workers", 1, "--no-save")
    assert here("fuzz", *small, "--seed", 4, "--journal", "kept", cwd=tmp_path).returncode == 0
    before = (tmp_path / "kept" / JOURNAL).read_bytes()
    given = {
        "--seed": (5, "--seed is 4 in the campaign, but 5 was given"),
        "--ops": ("conv1d", "--ops is max_pool1d in"),
    }
    for option, (value, message) in given.items():
        other = here("fuzz", "--resume", "kept", option, value, cwd=tmp_path)
        assert other.returncode == 2
        assert message in other.stderr
    twice = here("fuzz", "--resume", "kept", "--journal", "other", cwd=tmp_path)
    assert (twice.returncode, twice.stderr.count("\n")) == (2, 1)
    assert (tmp_path / "kept" / JOURNAL).read_bytes() == before
    more = here("fuzz", "--resume", "kept", "--examples", 20, "--json", "log", cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    assert last_line(tmp_path / "log")["executed"] > last_line(tmp_path / "log")["resumed"] > 0


@pytest.mark.slow
def test_known_failures_keep_a_campaign_green_and_are_reported_when_they_pass(tmp_path, here):
    wrong = ("--pass", "foldproof.mutants:begin_end_swapped")
    campaign = (*wrong, "--strategy", "cases", "--ops", "max_pool1d", "--seed", 1, "--examples", 60, "--workers", 1)
    assert here("fuzz", *campaign, "--corpus", "found", cwd=tmp_path).returncode == 1
    gone = save_entry(tmp_path / "found", Entry(case=CASE, found={"failure": "Miscompile/max_pool/values"}))
    green = here("fuzz", *campaign, "--known", "found", "--json", "log", "--corpus", "new", cwd=tmp_path)
    assert green.returncode == 0, green.stdout + green.stderr
    summary = last_line(tmp_path / "log")
    assert summary["failures"] == []
    assert sum(summary["known"].values()) > 0
    assert summary["known_no_longer_failing"] == [f"found/{gone.name}"]
    assert f"known failure found/{gone.name} no longer fails" in green.stdout
    assert not any((tmp_path / "new").iterdir())


def test_a_case_without_a_failure_is_no_known_failure(tmp_path, here):
    save_entry(tmp_path / "found", Entry(case=CASE))
    refused = here("fuzz", "--known", "found", "--examples", 5, cwd=tmp_path)
    assert refused.returncode == 2
    assert "records no failure" in refused.stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["starting", "checking"])
def test_a_signal_ends_a_campaign_with_its_summary(moment, end, tmp_path):
    args = command("--time", "600s", "--ops", "max_pool1d", "--workers", 2, "--json", "log", "--no-save")
    running = tmp_path / "kept" / RUNNING
    with subprocess.Popen([*args, "--journal", "kept"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("seed ")
        while moment == "checking" and not (running.exists() and running.stat().st_size):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(end)
        rest, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "no failure, interrupted" in rest
    summary = last_line(tmp_path / "log")
    assert summary["interrupted"] is True
    assert summary["executed"] == 0 or moment == "checking"


SIGNALLED = """
import os, sys
from signal import Signals

_, module, number, *sys.argv[1:] = sys.argv

class Signal:
    # sends a signal when the module is imported
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), Signals[number])

sys.meta_path.insert(0, Signal())
from foldproof.__main__ import run
run()
"""


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("module", "out", "err"),
    [
        ("click", "", "foldproof: interrupted\n"),
        ("foldproof.campaign.known", "0 cases in 0.0 s (0.0 cases/s), seed 1: no failure, interrupted\n", ""),
    ],
)
def test_a_signal_during_the_start_ends_a_campaign_in_order(module, out, err, end, tmp_path):
    args = ["fuzz", "--seed", "1", "--no-save", "--journal", "kept"]
    run = subprocess.run(
        [sys.executable, "-c", SIGNALLED, module, end, *args], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, out, err)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs to mount a small tmpfs")
def test_a_full_disk_ends_a_campaign_with_its_summary_and_it_is_resumed_later(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], check=True)
    try:
        args = (*OPS, "--journal", disk / "kept", "--json", tmp_path / "log", "--no-save")
        full = fuzz(*args, cwd=tmp_path)
        assert full.returncode == 2, full.stdout + full.stderr
        assert "cannot be written: No space left on device" in full.stderr
        assert last_line(tmp_path / "log")["problem"]
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        resumed = fuzz("--resume", disk / "kept", "--json", tmp_path / "resumed", "--no-save", cwd=tmp_path)
        assert resumed.returncode == 0, resumed.stderr
    finally:
        subprocess.run(["umount", disk], check=True)
    whole = fuzz(*OPS, "--json", "whole", "--no-save", cwd=tmp_path)
    assert whole.returncode == 0
    assert outcome(tmp_path / "resumed") == outcome(tmp_path / "whole")
