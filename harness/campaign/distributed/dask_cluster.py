"""A Dask cluster that checks shards: each is one task of the cluster's concurrent.futures executor.

Dask reruns the shards of lost machines. A failure that stays is reported in a sentence (CampaignError), never dropped:
a shard that loses one worker after another (``distributed.scheduler.allowed-failures``), a worker of other versions, a
lost scheduler. ``distributed`` is an extra: it is imported when a Cluster is created, and in Dask workers.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self

from foldproof.campaign.campaign import CampaignError
from foldproof.campaign.distributed.remote import ShardResult
from foldproof.campaign.distributed.shard_process import run_in_process
from foldproof.campaign.distributed.shard_task import ShardTask
from foldproof.campaign.settings import Settings
from foldproof.core.errors import UsageError
from foldproof.generation.shards import Plan

CONNECT_SECONDS = 5.0
"""Time limit of reaching a scheduler, and of finding a worker there."""

TICK_SECONDS = 0.5
"""How long to wait for a result before the coordinator looks whether it has to stop."""

POLL_SECONDS = 5.0
"""How often the coordinator counts the workers."""

NO_WORKERS_SECONDS = 120.0
"""How long a campaign waits for a cluster that has lost all its workers."""

RETRIES = 2
"""How often a shard is retried whose process ended, as one does that the system kills for its memory."""


class Cluster:
    """A connection to a cluster. Use as a context manager.

    Raises:
        UsageError: if the address is not that of a Dask scheduler, or the cluster has no workers.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = _connect(address)
        self._executor = self._client.get_executor(pure=False, retries=RETRIES)
        self._futures: SimpleQueue[tuple[int, int, Future[str]]] = SimpleQueue()
        self._submitted: dict[int, tuple[int, Future[str]]] = {}
        self._arrived: dict[int, ShardResult] = {}
        self._threads = 0
        self._polled = 0.0
        self._last_worker = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=CONNECT_SECONDS)

    def results(
        self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]
    ) -> Generator[ShardResult, None, None]:
        """See ``ShardExecutor``. Twice as many shards are submitted as the cluster has threads."""
        try:
            yield from self._results(settings, plan, keep_going)
        finally:
            if self._client.status == "running":
                with suppress(OSError):  # the scheduler may go at any time
                    self._executor.shutdown(wait=False)  # nobody waits for the rest

    def _results(self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]) -> Iterator[ShardResult]:
        pending, problem = plan.pending(), None
        while problem is None:
            going = keep_going()
            problem = self._poll()
            if going and problem is None:
                self._submit(settings, pending)
            problem = self._collect(TICK_SECONDS if going and self._submitted else 0.0) or problem
            for result in self._pop_final(plan):
                plan.count(result.shard, result.cases)
                if result.cases < result.most:
                    pending = plan.pending()  # the last shards may become larger than they were submitted
                if result.cases:
                    yield result
            if problem is None and not (going and self._submitted):
                return
        raise problem

    def _submit(self, settings: Settings, pending: Iterator[tuple[int, int]]) -> None:
        while len(self._submitted) < 2 * self._threads + 2:
            following = next(pending, None)
            if following is None:
                return
            shard, most = following
            if shard in self._submitted:
                before, future = self._submitted[shard]
                if before == most:
                    continue
                future.cancel()
                self._arrived.pop(shard, None)
            task = json.dumps(ShardTask.create(settings, shard, most).to_dict())
            future = self._executor.submit(run_in_process, task)
            self._submitted[shard] = most, future
            future.add_done_callback(partial(self._enqueue, shard, most))

    def _enqueue(self, shard: int, most: int, future: "Future[str]") -> None:
        """Runs in a thread of the client. ``concurrent.futures.wait`` would visit every future for each result."""
        self._futures.put((shard, most, future))

    def _collect(self, seconds: float) -> CampaignError | None:
        """Take the results that have arrived, after waiting for the first; return the problem of one that failed."""
        problem = None
        while True:
            try:
                shard, most, future = self._futures.get(timeout=seconds) if seconds else self._futures.get_nowait()
            except Empty:
                return problem
            seconds = 0.0
            if self._submitted.get(shard) != (most, future):
                continue  # it was submitted again since
            try:
                self._arrived[shard] = self._read(shard, future)
            except CampaignError as error:
                problem = error

    def _read(self, shard: int, future: "Future[str]") -> ShardResult:
        try:
            plain = json.loads(future.result())
        except CancelledError:
            raise CampaignError(
                f"cluster {self.address}: the scheduler is gone, or it cancelled shard {shard}"
            ) from None
        except Exception as error:  # anything that Dask or the machines raise
            message = " ".join(str(error).split())[:500]
            raise CampaignError(f"cluster {self.address}: shard {shard}: {type(error).__name__}: {message}") from error
        if "problem" in plain:
            raise CampaignError(f"cluster {self.address}: worker {plain['worker']} {plain['problem']}")
        return ShardResult(**plain)

    def _pop_final(self, plan: Plan) -> Iterator[ShardResult]:
        """Take the results whose shards keep their size. The plan counts each before the next is taken."""
        while final := [shard for shard, result in self._arrived.items() if plan.is_final(shard, result.most)]:
            del self._submitted[final[0]]
            yield self._arrived.pop(final[0])

    def _poll(self) -> CampaignError | None:
        """Count the workers, at most every ``POLL_SECONDS``; return the problem if the cluster cannot be used."""
        now = time.monotonic()
        if self._client.status == "running" and self._polled and now - self._polled < POLL_SECONDS:
            return None
        try:
            self._threads = sum(self._client.nthreads().values()) if self._client.status == "running" else 0
        except OSError:
            self._threads = 0
        if self._client.status != "running":
            return CampaignError(f"cluster {self.address}: the connection to the scheduler was lost")
        self._polled, self._last_worker = now, now if self._threads else self._last_worker
        if now - self._last_worker > NO_WORKERS_SECONDS:
            return CampaignError(f"cluster {self.address}: had no worker for {NO_WORKERS_SECONDS:.0f} s")
        return None


# --- the connection -----------------------------------------------------------------------------------


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--scheduler needs the package distributed; run pip install 'foldproof[dask]'") from error

    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.startswith("distributed"):  # we report it in one line of our own
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        asyncio.run(_require_scheduler(address))  # a Client without a scheduler takes 10 s more, and logs
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # a wrong address, no answer, or another service
        message = " ".join(str(error).split())[:200]
        raise UsageError(f"--scheduler {address}: cannot be reached: {message or type(error).__name__}") from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        client.close()
        raise UsageError(f"--scheduler {address}: has no workers; start one with `dask worker {address}`") from error
    return client


async def _require_scheduler(address: str) -> None:
    from distributed.core import rpc

    async with rpc(address, timeout=CONNECT_SECONDS) as scheduler:
        identity = await asyncio.wait_for(scheduler.identity(), 2 * CONNECT_SECONDS)
    if identity["type"] != "Scheduler":
        raise ValueError(f"this is a Dask {identity['type']}, not a Scheduler")
