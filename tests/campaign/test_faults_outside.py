"""Faults from outside: kills, disks, clocks, a second campaign. After each, a resumed campaign ends undisturbed.

``docs/explanation/faults.md`` has the table of all faults.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.faults import Place, assert_clean, assert_failures_on_disk, kill, outcome, summary, unharmed

from foldproof.campaign.journal import JOURNAL

CAMPAIGN = ("--ops", "max_pool1d", "--seed", 1, "--examples", 70, "--workers", 2)
WRONG = ("--pass", "tests.support.fault_passes:ThenDisturbed")
FILES = ("--corpus", "found", "--json", "log")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The summary of an undisturbed campaign."""
    place = Place(tmp_path_factory.mktemp("whole"))
    run = place.fuzz(*WRONG, *CAMPAIGN, *FILES)
    assert run.returncode == 1, run.stdout + run.stderr
    assert_clean(place)
    line = summary(place.folder / "log")
    assert_failures_on_disk(place, line)
    return line


# --- kills --------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_kills_at_random_moments_lose_nothing_and_count_nothing_twice():
    script = Path(__file__).parents[2] / "benchmarks" / "chaos.py"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script, "--kills", "5", "--seed", "1", "--examples", "70"]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "5 kills (" in run.stdout


@pytest.mark.faults
def test_a_killed_worker_is_reported_and_costs_no_case(whole, tmp_path):
    place = Place(tmp_path)
    process = place.start(*WRONG, *CAMPAIGN, *FILES, "--journal", "kept")
    killed = 0
    for _ in range(2):  # a task that is killed once more is given up
        time.sleep(4.0)
        killed += sum(map(kill, place.workers()[:1]))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, out + err
    assert killed
    assert set(err.splitlines()) <= {
        "foldproof: a worker was killed by SIGKILL, which a case does not send; its cases are checked again"
    }
    assert outcome(summary(tmp_path / "log")) == outcome(whole)
    unharmed(place, whole)


# --- disks --------------------------------------------------------------------------------------------

mounts = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs to mount a small tmpfs")


@pytest.fixture
def disk(tmp_path):
    """A folder that is a small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


DISTURBANCES = {
    "full": ("cat /dev/zero > disk/filler 2> /dev/null || true", "rm disk/filler", "No space left on device"),
    "read-only": ("mount -o remount,ro disk", "mount -o remount,rw disk", "Read-only file system"),
}


@mounts
@pytest.mark.faults
@pytest.mark.parametrize(("disturbance", "repair", "message"), DISTURBANCES.values(), ids=DISTURBANCES)
def test_a_corpus_that_cannot_be_written_any_more(disturbance, repair, message, whole, disk, tmp_path):
    place = Place(tmp_path, {"MARK_FILE": str(tmp_path / "mark"), "DISTURBANCE": f"cd {tmp_path}; {disturbance}"})
    run = place.fuzz(*WRONG, *CAMPAIGN, "--corpus", "disk/found", "--journal", "kept", "--json", "log")
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stderr == f"foldproof: corpus folder disk/found: cannot be written: {message}\n"
    line = summary(tmp_path / "log")
    assert message in line["problem"]
    assert line["failures"][0]["fingerprint"] in run.stdout
    assert_clean(place, corpus="disk/found")
    assert not list((disk / "found").iterdir())
    subprocess.run(repair, shell=True, cwd=tmp_path, check=True)
    unharmed(place, whole, corpus="disk/found")


@mounts
def test_a_report_that_cannot_be_written_is_one_line(disk, tmp_path):
    (disk / "filler").write_bytes(bytes(60 * 1024))
    (disk / "log").touch()
    subprocess.run(
        "cat /dev/zero > disk/filler || true", shell=True, cwd=tmp_path, stderr=subprocess.DEVNULL, check=True
    )
    run = Place(tmp_path).fuzz("--examples", 5, "--ops", "conv1d", "--no-save", "--json", "disk/log")
    assert (run.returncode, run.stderr) == (
        2,
        "foldproof: --json disk/log: cannot be written: No space left on device\n",
    )


# --- a second campaign, clocks, journals --------------------------------------------------------------


@pytest.mark.faults
def test_two_campaigns_on_one_corpus_write_each_failure_once(whole, tmp_path):
    place = Place(tmp_path)
    both = [
        place.start(*WRONG, *CAMPAIGN, "--corpus", "found", "--journal", name, "--json", f"log-{name}")
        for name in ("one", "two")
    ]
    for process, name in zip(both, ("one", "two"), strict=True):
        out, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (1, ""), out + err
        line = summary(tmp_path / f"log-{name}")
        assert outcome(line) == outcome(whole)
        assert_failures_on_disk(place, line)
    unharmed(place, whole, journal="one")
    unharmed(place, whole, journal="two")


JUMPING = """
import itertools, time
real, jumps = time.time, itertools.cycle([0.0, 7200.0, -7200.0, 86400.0, -4e8])
time.time = lambda: real() + next(jumps)
"""


@pytest.mark.faults
def test_a_clock_that_jumps_changes_nothing(whole, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    place = Place(tmp_path)
    run = place.fuzz(*WRONG, *CAMPAIGN, *FILES, "--journal", "kept")
    assert (run.returncode, run.stderr) == (1, ""), run.stdout + run.stderr
    line = summary(tmp_path / "log")
    assert outcome(line) == outcome(whole)
    assert [Path(f["path"]).name for f in line["failures"]] == [Path(f["path"]).name for f in whole["failures"]]
    unharmed(place, whole)
    short = place.fuzz("--time", "3s", "--ops", "conv1d", "--workers", 1, "--no-save", "--json", "log")
    assert short.returncode == 0, short.stdout + short.stderr
    assert 2.9 < summary(tmp_path / "log")["seconds"] < 30.0


@pytest.mark.faults
def test_a_journal_with_a_damaged_tail_is_resumed(whole, tmp_path):
    place, chance = Place(tmp_path), random.Random(0)
    assert place.fuzz(*WRONG, *CAMPAIGN, *FILES, "--journal", "kept").returncode == 1
    path = tmp_path / "kept" / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"event": "shard"' in line)
    cut = lines[last][: chance.randrange(len(lines[last]))]
    path.write_bytes(b"".join(lines[:last]) + cut + chance.randbytes(3000))
    unharmed(place, whole)
