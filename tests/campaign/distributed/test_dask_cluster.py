"""Shards on a Dask cluster: real schedulers and workers, some of them killed, give the results of a local run."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from foldproof.campaign.campaign import run
from foldproof.campaign.distributed.remote import ShardResult, run_remotely
from foldproof.campaign.distributed.shard_process import run_task
from foldproof.campaign.distributed.shard_task import ShardTask
from foldproof.campaign.journal import JOURNAL
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.checking.config import CheckConfig
from foldproof.workers.pool import WorkerPool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

PASSES = """
import os, signal

def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])

def kills_the_machine(mod):
    "The worker process is a child of the shard's, which is one of the Dask worker's."
    shard = parent(os.getpid())
    if b"foldproof.campaign.distributed.shard_process" in open(f"/proc/{shard}/cmdline", "rb").read():
        os.kill(parent(shard), signal.SIGKILL)
    return mod
"""


def command(*args):
    return [sys.executable, "-m", "foldproof", "fuzz", *map(str, args)]


def fuzz(*args, cwd, **env):
    return subprocess.run(command(*args), cwd=cwd, capture_output=True, text=True, timeout=300, env=os.environ | env)


@contextmanager
def processes_end():
    """Kill the started processes, and fail if one of their children is left."""
    started = []
    try:
        yield started
    finally:
        family = [pid for process in started for pid in (process.pid, *descendants(process.pid))]
        for process in reversed(started):  # workers whose scheduler is gone take their time
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
        eventually(lambda: not any(map(alive, family)), "a process of the cluster is left")


class Cluster:
    """A scheduler and workers with a thread each; the first has a nanny, which starts it again when it dies."""

    def __init__(self, folder, started, workers=2, nannies=1, **env):
        self.folder, self._started, self._env = folder, started, env
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", file)
        eventually(file.exists, "no scheduler")
        self.address = json.loads(file.read_text())["address"]
        self.workers = [
            self._start("worker", self.address, "--nthreads", 1, "--nanny" if i < nannies else "--no-nanny")
            for i in range(workers)
        ]

    def _start(self, kind, *args):
        code = f"from distributed.cli.dask_{kind} import main; main()"
        with (self.folder / f"{kind}{len(self._started)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, args), "--no-dashboard"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | self._env,
            )
        self._started.append(process)
        return process

    def shards_under_way(self):
        """The processes of shards on all workers."""
        return [
            pid
            for worker in self.workers
            for pid in descendants(worker.pid)
            if "foldproof.campaign.distributed.shard_process" in words(pid)
        ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with processes_end() as started:
        yield Cluster(tmp_path_factory.mktemp("cluster"), started)


def descendants(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def words(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(condition, otherwise, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


# --- the same, case for case --------------------------------------------------------------------------

SMALL = ("--ops", "max_pool1d,conv1d", "--seed", 3, "--workers", 1)
LIKE = ("cases", "executed", "folded", "refused", "failed", "in_doubt", "sampled")
COUNTS = ("by_op", "reasons", "rules", "legality", "undefined", "known_issues", "fallbacks")


def shards(folder):
    """The lines of a journal's shards, without what depends on the clock and on the order of arrival."""
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    apart = ("seconds", "cases_per_second")
    return {
        line["shard"]: {name: value for name, value in line.items() if name not in apart}
        | {"failures": [{**failure, "path": None} for failure in line["failures"]]}
        for line in lines
        if line["event"] == "shard"
    }


def outcome(path):
    line = json.loads(path.read_text().splitlines()[-1])
    found = [(failure["fingerprint"], failure["count"]) for failure in line["failures"]]
    return {name: line[name] for name in (*LIKE, *COUNTS)}, found


def same(folder, one, other):
    assert shards(folder / one) == shards(folder / other)
    assert all(line["digest"] for line in shards(folder / one).values())
    assert outcome(folder / f"{one}.json") == outcome(folder / f"{other}.json")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["both", "graphs"])
def test_a_cluster_gives_what_a_local_run_gives(strategy, cluster, tmp_path):
    args = (*SMALL, "--strategy", strategy, "--examples", 70, "--no-save")
    for name, options in (("local", ()), ("far", ("--scheduler", cluster.address))):
        ended = fuzz(*args, *options, "--journal", name, "--json", f"{name}.json", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    assert sorted(shards(tmp_path / "far")) == [0, 1]
    same(tmp_path, "local", "far")


@pytest.mark.slow
def test_a_cluster_tests_a_subject_on_onnx_as_a_local_run_does(cluster, tmp_path):
    args = (*SMALL, "--examples", 70, "--no-save", "--pass", "onnxruntime/basic")
    for name, options in (("local", ()), ("far", ("--scheduler", cluster.address))):
        ended = fuzz(*args, *options, "--journal", name, "--json", f"{name}.json", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    same(tmp_path, "local", "far")


@pytest.mark.faults
def test_local_and_cluster_campaigns_resume_the_journals_of_each_other(cluster, tmp_path):
    whole = fuzz(*SMALL, "--examples", 150, "--journal", "whole", "--json", "whole.json", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for first, then, name in (((), ("--scheduler", cluster.address), "a"), (("--scheduler", cluster.address), (), "b")):
        begun = fuzz(*SMALL, *first, "--examples", 60, "--journal", name, cwd=tmp_path)
        assert begun.returncode == 0, begun.stderr
        args = ("--resume", name, *then, "--examples", 150, "--workers", 1, "--json", f"{name}.json")
        ended = fuzz(*args, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        same(tmp_path, "whole", name)


@pytest.mark.faults
@pytest.mark.parametrize("fold", [None, "foldproof.mutants:begin_end_swapped"])
def test_a_cluster_that_loses_a_worker_midway_gives_what_a_local_run_gives(fold, tmp_path):
    args = (*SMALL, "--examples", 300, "--shrink-time", "0.1s", "--no-save", *(("--pass", fold) if fold else ()))
    local = fuzz(*args, "--journal", "local", "--json", "local.json", cwd=tmp_path)
    with processes_end() as started:
        cluster = Cluster(tmp_path, started)
        lost = cluster.workers[1]  # it has no nanny, so it is gone for good
        args += ("--journal", "far", "--json", "far.json", "--scheduler", cluster.address)
        coordinator = subprocess.Popen(command(*args), cwd=tmp_path, stdout=subprocess.DEVNULL)
        started.append(coordinator)
        eventually(lambda: journaled(tmp_path / "far") and descendants(lost.pid), "no shard came to the worker")
        busy = descendants(lost.pid)
        assert any("foldproof.campaign.distributed.shard_process" in words(pid) for pid in busy)
        lost.kill()
        eventually(lambda: not any(map(alive, busy)), "the processes of a lost worker's shard are left", 10)
        assert coordinator.poll() is None
        assert coordinator.wait(300) == local.returncode == (1 if fold else 0)
    same(tmp_path, "local", "far")


def journaled(folder):
    """The number of shards that a journal has now."""
    path = folder / JOURNAL
    return path.read_text().count('"event": "shard"') if path.exists() else 0


class Backwards:
    """An executor that returns the last shard first."""

    def results(self, settings, plan, keep_going):
        found = []
        for shard, most in list(plan.pending()):
            plain = run_task(ShardTask.create(settings, shard, most).to_dict(), worker="here")
            found.append(ShardResult(**json.loads(json.dumps(plain))))
            plan.count(shard, found[-1].cases)
        yield from reversed(found)


class Recorder(Listener):
    def __init__(self):
        self.fingerprints = []

    def on_failure(self, found):
        self.fingerprints.append((found.failure.fingerprint, found.failure.case))


@pytest.mark.faults
@pytest.mark.parametrize("most", [1, 3])
def test_a_campaign_ends_with_the_same_failures_in_any_order_of_shards(most):
    config = CheckConfig(fold="foldproof.mutants:begin_end_swapped", complete=False)
    settings = Settings(
        ops=("max_pool1d", "conv1d"), config=config, seed=3, examples=100, max_failures=most, shrink_seconds=0.1
    )
    with WorkerPool(config, workers=1) as pool:
        pool.start()
        near, far = Recorder(), Recorder()
        expected = run(settings, pool, near)
        got = run(settings, pool, far, run_shards=run_remotely(Backwards()))
    assert len(near.fingerprints) >= most
    assert far.fingerprints == near.fingerprints
    for name in (*LIKE[1:], *COUNTS):
        assert getattr(got, name) == getattr(expected, name), name


# --- what cannot be used ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("tcp://127.0.0.1:1", marks=pytest.mark.slow),  # waits for a connection
        *("nonsense", "http://127.0.0.1:8786", "tls://127.0.0.1:1"),
    ],
)
def test_an_address_without_a_scheduler_is_refused_in_one_line_that_names_it(address, tmp_path, here):
    refused = here("fuzz", "--scheduler", address, "--examples", 5, cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert refused.stderr.startswith(f"foldproof: --scheduler {address}: cannot be reached: ")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_not_a_scheduler(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        refused = fuzz("--scheduler", address, "--examples", 5, cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert f"--scheduler {address}: cannot be reached: " in refused.stderr


@pytest.mark.slow
def test_a_cluster_without_workers_is_refused(tmp_path):
    with processes_end() as started:
        address = Cluster(tmp_path, started, workers=0).address
        refused = fuzz("--scheduler", address, "--examples", 5, cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert f"--scheduler {address}: has no workers" in refused.stderr


def test_without_the_extra_one_line_names_what_to_install(tmp_path):
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError(\"No module named 'distributed'\")")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    refused = fuzz("--scheduler", "tcp://127.0.0.1:1", cwd=tmp_path, PYTHONPATH=path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "pip install 'foldproof[dask]'" in refused.stderr
    local = fuzz("--ops", "max_pool1d", "--examples", 2, "--no-save", "--workers", 1, cwd=tmp_path, PYTHONPATH=path)
    assert local.returncode == 0, local.stderr


# --- faults -------------------------------------------------------------------------------------------

OTHER_VERSIONS = """
import foldproof.campaign.distributed.shard_task, foldproof.cli.main, foldproof.core.versions
ours = foldproof.core.versions.versions()
foldproof.campaign.distributed.shard_task.versions = lambda: ours | {NAME: "9"}
foldproof.cli.main.main()
"""


@pytest.mark.slow
def test_a_worker_of_other_versions_is_refused(cluster, tmp_path):
    code = OTHER_VERSIONS.replace("NAME", repr("hypothesis"))
    args = ["fuzz", *SMALL, "--examples", 20, "--scheduler", cluster.address, "--json", "log"]
    refused = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"foldproof: cluster {cluster.address}: worker tcp://")
    assert refused.stderr.strip().endswith("; expected 9, as it may draw other cases")
    assert json.loads((tmp_path / "log").read_text().splitlines()[-1])["problem"]


@pytest.mark.slow
def test_a_pass_that_the_workers_do_not_have_is_reported(cluster, tmp_path):
    (tmp_path / "mine.py").write_text("def nothing(mod):\n    return mod\n")
    refused = fuzz(*SMALL, "--examples", 20, "--pass", "mine:nothing", "--scheduler", cluster.address, cwd=tmp_path)
    assert refused.returncode == 2
    assert "reports: pass 'mine:nothing': importing mine raised ModuleNotFoundError" in refused.stderr


def test_ctrl_c_ends_the_shards_on_the_workers_too(cluster, tmp_path):
    args = (*SMALL, "--time", "300s", "--scheduler", cluster.address, "--json", "log", "--no-save")
    with subprocess.Popen(command(*args), cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: len(cluster.shards_under_way()) == 2, "no shards came to the workers")
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert json.loads((tmp_path / "log").read_text().splitlines()[-1])["interrupted"] is True
    eventually(lambda: not cluster.shards_under_way(), "shards that nobody waits for go on", 10)


@pytest.mark.faults
def test_a_budget_of_time_ends_a_campaign_with_the_shards_that_are_done(cluster, tmp_path):
    args = (*SMALL, "--time", "12s", "--scheduler", cluster.address, "--json", "log", "--journal", "kept")
    ended = fuzz(*args, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    line = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert 12 <= line["seconds"] < 16
    assert line["executed"] == sum(shard["cases"] for shard in shards(tmp_path / "kept").values()) > 0
    eventually(lambda: not cluster.shards_under_way(), "shards that nobody waits for go on", 10)


@pytest.mark.faults
def test_a_scheduler_that_dies_is_a_problem_and_finished_shards_are_kept(tmp_path):
    with processes_end() as started:
        cluster = Cluster(tmp_path, started)
        args = (*SMALL, "--examples", 2000, "--scheduler", cluster.address, "--json", "log", "--journal", "kept")
        coordinator = subprocess.Popen(
            command(*args), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        started.append(coordinator)
        eventually(lambda: journaled(tmp_path / "kept"), "no shard is done")
        cluster.scheduler.kill()
        message = coordinator.communicate(timeout=30)[1]
    assert coordinator.returncode == 2
    assert message.startswith(f"foldproof: cluster {cluster.address}: the ")
    assert message.count("\n") == 1
    line = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert line["problem"]
    assert line["executed"] == sum(shard["cases"] for shard in shards(tmp_path / "kept").values()) > 0
    resumed = fuzz("--resume", "kept", "--examples", line["executed"] + 5, "--workers", 1, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.faults
def test_a_shard_that_kills_its_workers_ends_the_campaign_with_a_problem(tmp_path):
    (tmp_path / "bad_passes.py").write_text(PASSES)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": path, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with processes_end() as started:
        cluster = Cluster(tmp_path, started, nannies=2, **env)
        bad = ("--pass", "bad_passes:kills_the_machine", "--examples", 20, "--scheduler", cluster.address)
        ended = fuzz(*SMALL, *bad, cwd=tmp_path, PYTHONPATH=path)
    assert ended.returncode == 2, ended.stdout
    assert f"cluster {cluster.address}: shard 0: KilledWorker: " in ended.stderr
