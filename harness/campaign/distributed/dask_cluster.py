"""An existing Dask cluster that judges shards: each is one task, through the cluster's concurrent.futures executor.

Dask runs the shards of lost machines again. What goes wrong for good is said in a sentence (Trouble), never dropped:
a shard that loses one worker after another (``distributed.scheduler.allowed-failures``), a worker of other versions, a
scheduler that is gone. ``distributed`` is an extra: it is imported when a Cluster is made, and in Dask workers.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self

from foldproof.campaign.campaign import CampaignError
from foldproof.campaign.distributed.remote import ShardResult
from foldproof.campaign.distributed.shard_process import run_in_process
from foldproof.campaign.settings import Settings
from foldproof.core.errors import UsageError
from foldproof.core.versions import versions
from foldproof.generation.shards import Plan

CONNECT_SECONDS = 5.0
"""Time limit of reaching a scheduler, and of finding a worker there."""

TICK_SECONDS = 0.5
LOOK_SECONDS = 5.0
"""How often the coordinator looks whether it has to stop, and how many workers there are."""

ALONE_SECONDS = 120.0
"""Patience with a cluster that has lost all its workers."""

RETRIES = 2
"""How often a shard is tried again whose own process ended, as one does that the system kills for its memory."""


class Cluster:
    """A connection. Use as a context manager. Raises UsageError for a cluster that is none, or has no workers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = _client(address)
        self._executor = self._client.get_executor(pure=False, retries=RETRIES)
        self._futures: SimpleQueue[tuple[int, int, Future[str]]] = SimpleQueue()
        self._asked: dict[int, tuple[int, Future[str]]] = {}
        self._arrived: dict[int, ShardResult] = {}
        self._threads = 0
        self._looked = 0.0
        self._seen = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=CONNECT_SECONDS)

    def results(
        self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]
    ) -> Generator[ShardResult, None, None]:
        """See ``elsewhere.Machines``. Twice as many shards are under way as the cluster has threads."""
        try:
            yield from self._answers(settings, plan, keep_going)
        finally:
            if self._client.status == "running":
                with suppress(OSError):  # the scheduler may go at any time
                    self._executor.shutdown(wait=False)  # for what is still under way nobody waits any more

    def _answers(self, settings: Settings, plan: Plan, keep_going: Callable[[], bool]) -> Iterator[ShardResult]:
        ahead, problem = plan.ahead(), None
        while problem is None:
            going = keep_going()
            problem = self._look()
            if going and problem is None:
                self._ask(settings, ahead)
            problem = self._collect(TICK_SECONDS if going and self._asked else 0.0) or problem
            for result in self._final(plan):
                plan.count(result.shard, result.cases)
                if result.cases < result.most:
                    ahead = plan.ahead()  # the last shards may be larger than they were asked for
                if result.cases:
                    yield result
            if problem is None and not (going and self._asked):
                return
        raise problem

    def _ask(self, settings: Settings, ahead: Iterator[tuple[int, int]]) -> None:
        while len(self._asked) < 2 * self._threads + 2:
            following = next(ahead, None)
            if following is None:
                return
            shard, most = following
            if shard in self._asked:
                before, future = self._asked[shard]
                if before == most:
                    continue
                future.cancel()
                self._arrived.pop(shard, None)
            future = self._executor.submit(run_in_process, shard_task(settings, shard, most))
            self._asked[shard] = most, future
            future.add_done_callback(partial(self._done, shard, most))

    def _done(self, shard: int, most: int, future: "Future[str]") -> None:
        """In a thread of the client: ``wait`` would go through all that is under way for each that is done."""
        self._futures.put((shard, most, future))

    def _collect(self, seconds: float) -> CampaignError | None:
        """Take what is there, after waiting for the first; the trouble with one that brought none."""
        problem = None
        while True:
            try:
                shard, most, future = self._futures.get(timeout=seconds) if seconds else self._futures.get_nowait()
            except Empty:
                return problem
            seconds = 0.0
            if self._asked.get(shard) != (most, future):
                continue  # it was asked again since
            try:
                self._arrived[shard] = self._read(shard, future)
            except CampaignError as error:
                problem = error

    def _read(self, shard: int, future: "Future[str]") -> ShardResult:
        try:
            plain = json.loads(future.result())
        except CancelledError:
            raise CampaignError(
                f"cluster {self.address}: the scheduler is gone, or has cancelled shard {shard}"
            ) from None
        except Exception as error:  # whatever the machines or Dask raise
            message = " ".join(str(error).split())[:500]
            raise CampaignError(f"cluster {self.address}: shard {shard}: {type(error).__name__}: {message}") from error
        if "problem" in plain:
            raise CampaignError(f"cluster {self.address}: worker {plain['worker']} {plain['problem']}")
        return ShardResult(**plain)

    def _final(self, plan: Plan) -> Iterator[ShardResult]:
        """Take the answers whose shards keep their size. Between two, the plan counts the first."""
        while final := [shard for shard, result in self._arrived.items() if plan.is_final(shard, result.most)]:
            del self._asked[final[0]]
            yield self._arrived.pop(final[0])

    def _look(self) -> CampaignError | None:
        """Once in a while: is the scheduler there, and how many workers has it?"""
        now = time.monotonic()
        if self._client.status == "running" and self._looked and now - self._looked < LOOK_SECONDS:
            return None
        try:
            self._threads = sum(self._client.nthreads().values()) if self._client.status == "running" else 0
        except OSError:
            self._threads = 0
        if self._client.status != "running":
            return CampaignError(f"cluster {self.address}: the connection to the scheduler is lost")
        self._looked, self._seen = now, now if self._threads else self._seen
        if now - self._seen > ALONE_SECONDS:
            return CampaignError(f"cluster {self.address}: has had no worker for {ALONE_SECONDS:.0f} s")
        return None


def shard_task(settings: Settings, shard: int, most: int) -> str:
    """All that a machine needs to know of a shard."""
    return json.dumps(
        {
            "versions": versions(),
            "ops": settings.ops,
            "strategy": settings.strategy,
            "config": asdict(settings.config),
            "seed": settings.seed,
            "known": settings.known,
            "max_failures": settings.max_failures,
            "shard": shard,
            "most": most,
        }
    )


# --- reaching it --------------------------------------------------------------------------------------


def _client(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--scheduler needs the package distributed: pip install 'foldproof[dask]'") from error

    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.startswith("distributed"):  # what it would say is said in a line of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        asyncio.run(_identified(address))  # a Client that has not reached its scheduler takes 10 s more, and complains
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # a wrong address, no answer, or one that is none of Dask's
        message = " ".join(str(error).split())[:200]
        raise UsageError(f"--scheduler {address}: cannot be reached: {message or type(error).__name__}") from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        client.close()
        raise UsageError(f"--scheduler {address}: has no workers; start some: dask worker {address}") from error
    return client


async def _identified(address: str) -> None:
    from distributed.core import rpc

    async with rpc(address, timeout=CONNECT_SECONDS) as scheduler:
        identity = await asyncio.wait_for(scheduler.identity(), 2 * CONNECT_SECONDS)
    if identity["type"] != "Scheduler":
        raise ValueError(f"this is a {identity['type']}, no Scheduler")
