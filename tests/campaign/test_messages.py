"""The messages of campaigns that a user can get, as a snapshot: journals, resumed campaigns, clusters."""

import json
from concurrent.futures import Future

import pytest
from tests.support.snapshots import assert_snapshot, messages, scrub

from foldproof.campaign.campaign import CampaignError
from foldproof.campaign.distributed import dask_cluster
from foldproof.campaign.distributed.dask_cluster import Cluster
from foldproof.campaign.journal import JOURNAL, Journal, JournalError
from foldproof.campaign.prefetch import PendingDraw
from foldproof.core.errors import UsageError
from foldproof.core.versions import difference
from foldproof.generation.case_source import CaseSource
from foldproof.workers.processes import WorkerDied

VERSIONS = {"foldproof": "1", "hypothesis": "2", "python": "3", "apache-tvm": "4", "numpy": "5"}
START = {"seed": 5, "versions": VERSIONS}


def message(kind, function, *args):
    with pytest.raises(kind) as raised:
        function(*args)
    return " ".join(str(raised.value).split())


def journal_messages(folder):
    def resume(content):
        (folder / JOURNAL).write_text(content)
        return message(JournalError, Journal.resume, folder, VERSIONS)

    yield "--resume, no such folder", message(JournalError, Journal.resume, folder / "missing", VERSIONS)
    (folder / "file").write_text("")
    yield "--journal in a file", message(JournalError, Journal.create, folder / "file", START)
    yield "--resume, an empty journal", resume("")
    yield "--resume, another file", resume("no journal\n")
    yield "--resume, an unknown format", resume('{"event": "start", "format": 99}\n')
    other = {"event": "start", "format": 2, "versions": VERSIONS | {"hypothesis": "1"}}
    yield "--resume, another version", resume(json.dumps(other) + "\n")
    (folder / JOURNAL).unlink()
    with Journal.create(folder, START):
        yield "--resume, a journal in use", message(JournalError, Journal.resume, folder, VERSIONS)
    yield "--journal, a campaign is there", message(JournalError, Journal.create, folder, START)


class Client:
    status = "running"

    def __init__(self, threads):
        self.threads = threads

    def nthreads(self):
        return self.threads


def cluster(status="running", **threads):
    made = Cluster.__new__(Cluster)
    made.address, made._client, made._polled, made._last_worker = "tcp://host:8786", Client(threads), 0.0, 0.0
    made._client.status = status
    return made


def future(result=None, error=None):
    made = Future()
    if error is None:
        made.set_result(result)
    else:
        made.set_exception(error)
    return made


def cluster_messages(monkeypatch):
    cancelled = Future()
    cancelled.cancel()
    yield "a cancelled shard", message(CampaignError, cluster()._read, 7, cancelled)
    yield "a shard that raises", message(CampaignError, cluster()._read, 7, future(error=RuntimeError("a\nb")))
    answers = {
        "a worker of other versions": difference(VERSIONS, VERSIONS | {"hypothesis": "9"}),
        "a worker of other packages": difference(VERSIONS, VERSIONS | {"numpy": "9"}),
        "a worker without the pass": "reports: pass 'm:p': importing m raised ModuleNotFoundError: No module named 'm'",
    }
    for what, problem in answers.items():
        result = json.dumps({"problem": problem, "worker": "tcp://host:1"})
        yield what, message(CampaignError, cluster()._read, 7, future(result))
    yield "the scheduler is gone", str(cluster(status="closed")._poll())
    monkeypatch.setattr(dask_cluster.time, "monotonic", lambda: 1000.0)
    yield "all workers are gone", str(cluster()._poll())


class Pool:
    """Whose draws end as given."""

    def __init__(self, error):
        self.error = error

    def schedule(self, *args, seconds):
        return future(error=self.error)


def draw_messages():
    for what, error in (("a strategy that hangs", TimeoutError()), ("a strategy that ends its process", WorkerDied(3))):
        yield what, message(UsageError, PendingDraw(Pool(error), CaseSource(strategy="m:s"), 60, 0).cases)


def test_messages(tmp_path, monkeypatch):
    lines = dict(journal_messages(tmp_path)) | dict(draw_messages()) | dict(cluster_messages(monkeypatch))
    assert_snapshot("campaign-messages", scrub(messages(lines), {tmp_path: "DIR"}))
