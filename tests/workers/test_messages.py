"""The messages of workers that a user can get, as a snapshot: unusable passes, and the details of lost workers."""

import pytest
from tests.support.snapshots import assert_snapshot, messages

from foldproof.case import Axis, Case
from foldproof.checking.config import CheckConfig
from foldproof.core.errors import UsageError
from foldproof.workers.pool import Job, WorkerPool
from foldproof.workers.processes import WorkerDied

CASES = [Case(op="conv1d", axes=(Axis(size=size),)) for size in (3, 4)]
CONFIG = CheckConfig(fold="m:p", pipeline="default")


class Future:
    def __init__(self, outcome):
        self.outcome = outcome

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Pool(WorkerPool):
    """Whose tasks end as given; nothing is executed."""

    def __init__(self, *outcomes):
        self.config, self.outcomes = CONFIG, list(outcomes)

    def schedule(self, *args, **kwargs):
        return Future(self.outcomes.pop(0))

    def submit(self, cases, *, pipeline=None):
        return Job(self, cases, self.schedule(), "default")

    def read_stderr(self):
        return "Check failed: stride is two"


def lines():
    for what, error in (("hangs", TimeoutError()), ("ends the process", WorkerDied(3)), ("crashes", WorkerDied(-11))):
        with pytest.raises(UsageError) as raised:
            Pool(error).start()
        yield f"importing a pass {what}", str(raised.value)
    for what, error in (("crashes", WorkerDied(-11)), ("has no memory", WorkerDied(77)), ("hangs", TimeoutError())):
        [result] = Pool(error).submit(CASES[:1]).results()
        yield f"a case {what}", f"{result.fingerprint}: {result.detail}"
    for what, error in (("crashes", WorkerDied(-11)), ("hangs", TimeoutError())):
        [result, _] = Pool(error, ["passed"], ["passed"]).submit(CASES).results()
        yield f"a batch {what}, its cases do not", f"{result.fingerprint}: {result.detail}"
    for what, error in (("hangs", TimeoutError()), ("ends the process", WorkerDied(3))):
        yield f"a script of a pass that {what}", Pool(error).script(CASES[0], None)[1]


def test_messages():
    assert_snapshot("workers-messages", messages(dict(lines())))
