"""Support of fault tests: a working directory for a campaign, and what must be true of it after every fault."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

MARK = "FOLDPROOF_FAULT_TEST"
"""Environment variable that marks all processes that a campaign started, whatever their parent is now."""

LIKE = ("cases", "executed", "folded", "refused", "failed", "by_op", "reasons", "rules", "legality")
"""Numbers of a summary that do not depend on time."""


def coordinator(limit=None):
    """The command ``foldproof``, with a time limit of cases that tests can wait for."""
    if limit is None:
        return [sys.executable, "-m", "foldproof"]
    code = f"import foldproof.workers.pool as pool; pool.CASE_SECONDS = {limit}"
    code += "; from foldproof.cli.main import main; main()"
    return [sys.executable, "-c", code]


@dataclass
class Place:
    """A working directory with its own folder for temporary files."""

    folder: Path
    env: dict = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self):
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.shared = shared()

    def environment(self):
        path = os.pathsep.join([str(self.folder), *sys.path])
        ours = {MARK: self.mark, "TMPDIR": str(self.folder / "tmp"), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return os.environ | ours | self.env

    def start(self, *args, limit=None, command="fuzz"):
        """A running ``foldproof fuzz``, or another command."""
        return subprocess.Popen(
            [*coordinator(limit), command, *map(str, args)],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fuzz(self, *args, limit=None, command="fuzz"):
        """A ``foldproof fuzz``, or another command, that has ended."""
        process = self.start(*args, limit=limit, command=command)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def processes(self):
        """(pid, command line) of all that a campaign here started, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
            except OSError:  # it has ended
                continue
        return [(pid, line) for pid, line in found if line]

    def workers(self):
        return [pid for pid, line in self.processes() if "spawn_main" in line]

    def orphans(self, seconds=5.0):
        """What still runs after the coordinator ended, and after ``seconds`` at most."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def leftovers(self, corpus="found"):
        """Files that should not be left: temporary ones, and those of the corpus that are neither case nor script."""
        temporary = [str(path) for path in (self.folder / "tmp").rglob("*")]
        kept = self.folder / corpus
        odd = [str(path) for path in kept.rglob("*") if not path.name.endswith((".case.json", ".repro.py"))]
        return temporary + odd + sorted(shared() - self.shared)


def shared():
    """The files in shared folders of the machine whose names look like ours."""
    folders = [Path("/dev/shm"), Path("/tmp")]
    names = ("foldproof", "fp_")
    return {
        str(path) for folder in folders if folder.exists() for path in folder.iterdir() if path.name.startswith(names)
    }


def summary(path):
    return json.loads(path.read_text().splitlines()[-1])


def outcome(line):
    """The numbers of a summary, and its failures with how often each was seen."""
    found = sorted((failure["fingerprint"], failure["count"]) for failure in line["failures"])
    return {name: line[name] for name in LIKE}, found


def assert_clean(place, *, corpus="found"):
    """No process is left, and no file."""
    assert place.orphans() == []
    assert place.leftovers(corpus) == []


def assert_failures_on_disk(place, line, *, corpus="found"):
    """Each failure has one case in the corpus, whole, and nothing else is there."""
    cases = sorted(path for path in (place.folder / corpus).glob("*.case.json"))
    assert cases == sorted(place.folder / failure["path"] for failure in line["failures"])
    for failure in line["failures"]:
        content = json.loads((place.folder / failure["path"]).read_text())
        assert content["case"] == failure["case"]
        assert content["found"]["failure"] == failure["fingerprint"]


def unharmed(place, whole, *, journal="kept", corpus="found", limit=None, save=True):
    """After a fault: nothing is left over, the next start works, and it ends with the numbers of an undisturbed run."""
    assert_clean(place, corpus=corpus)
    files = ("--corpus", corpus) if save else ("--no-save",)
    resumed = place.fuzz("--resume", journal, *files, "--json", "resumed", limit=limit)
    assert resumed.returncode == (1 if whole["failures"] else 0), resumed.stdout + resumed.stderr
    line = summary(place.folder / "resumed")
    assert outcome(line) == outcome(whole)
    assert not line["problem"]
    if save:
        assert_failures_on_disk(place, line, corpus=corpus)
    assert_clean(place, corpus=corpus)


def kill(pid):
    """Kill a process; return whether it existed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
