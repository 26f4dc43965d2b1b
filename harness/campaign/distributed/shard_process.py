"""The process that checks a shard for a Dask worker: a task on stdin, its result on stdout, both JSON.

    Dask worker: run_in_process(task) --stdin--> python -m ...shard_process: WorkerPool --> worker process: draw, TVM
                                      <-stdout--

It is a process of its own for two reasons. Worker processes of Dask are daemonic, so they may not start others through
multiprocessing, as a WorkerPool does. And a Dask task cannot be interrupted, but a process can be killed when nobody
waits for its shard any more. It ends with the thread that started it, and its worker process with it (Linux). TVM and
Hypothesis are never imported in the process of the Dask worker.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foldproof.campaign.distributed.shard_task import ShardTask
    from foldproof.case.any_case import AnyCase
    from foldproof.workers.pool import WorkerPool

TICK_SECONDS = 0.5
"""How often a Dask worker looks whether somebody still waits for the shard."""

MAX_MESSAGE = 1000
"""Characters of stderr that an error quotes."""


class ShardLostError(RuntimeError):
    """The process of a shard ended without a result, or was killed because nobody waits for one."""


# --- in a Dask worker ---------------------------------------------------------------------------------


def run_in_process(task: str) -> str:
    """Run the task of a shard, and return its result, both as JSON. Raises ShardLostError; Dask then retries."""
    worker, is_unwanted = _watch_task()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as errors:
        given.write(task.encode())
        given.seek(0)
        command = [sys.executable, "-m", "foldproof.campaign.distributed.shard_process", str(os.getpid()), worker]
        with subprocess.Popen(command, stdin=given, stdout=result, stderr=errors) as process:  # noqa: S603, ourselves
            try:
                _wait(process, is_unwanted)
            finally:
                process.kill()
        result.seek(0)
        errors.seek(0)
        if process.returncode:
            message = " ".join(errors.read().decode(errors="replace").split())[-MAX_MESSAGE:]
            raise ShardLostError(f"the process of the shard ended with exit code {process.returncode}: {message}")
        return result.read().decode()


def _wait(process: subprocess.Popen[bytes], is_unwanted: Callable[[], bool]) -> None:
    while True:
        try:
            process.wait(TICK_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if is_unwanted():
                raise ShardLostError("nobody waits for this shard any more") from None


def _watch_task() -> tuple[str, Callable[[], bool]]:
    """Return the address of the Dask worker, and a function: was this task cancelled, or is the worker about to end?"""
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_unwanted() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled" or worker.status not in (Status.running, Status.paused)

    return worker.address, is_unwanted


# --- in the process of the shard ----------------------------------------------------------------------


def run_task(record: dict[str, Any], worker: str) -> dict[str, Any]:
    """Check the shard of a ``ShardTask``.

    Args:
        record: the task, as JSON values.
        worker: the address of the Dask worker, to report problems with.

    Returns:
        The fields of a ``ShardResult``, or a ``problem``: why this machine cannot check the shard.
    """
    from foldproof.campaign.distributed.shard_task import ShardTask
    from foldproof.campaign.prefetch import PendingDraw
    from foldproof.core.errors import UsageError
    from foldproof.core.versions import difference, versions
    from foldproof.generation.shards import shard_seed
    from foldproof.workers.pool import WorkerPool

    other = difference(record["versions"], versions())
    if other:
        return {"problem": other, "worker": worker}
    task = ShardTask.from_dict(record)
    settings = task.settings
    try:
        with WorkerPool(settings.config, 1) as pool:
            pool.start()
            seed = shard_seed(settings.seed, task.shard)
            cases = PendingDraw(pool, settings.source, task.most, seed).cases()
            result = _check_cases(cases, pool, task)
    except UsageError as error:
        return {"problem": f"reports: {error}", "worker": worker}
    return {"shard": task.shard, "most": task.most, "cases": len(cases), **result}


def _check_cases(cases: "list[AnyCase]", pool: "WorkerPool", task: "ShardTask") -> dict[str, Any]:
    from foldproof.campaign.campaign import split_batches
    from foldproof.campaign.digest import Digest
    from foldproof.campaign.summary import Summary

    settings, fingerprints = task.settings, set[str]()
    parts, digest, whole = [Summary(seed=settings.seed)], Digest(), not cases
    for batch, job in [(batch, pool.submit(batch.cases)) for batch in split_batches(task.shard, cases)]:
        for case, result in zip(batch.cases, job.results(), strict=True):
            parts[-1].add(case, result, settings.known)
            digest.add(case, result)
        parts[-1].cases, whole = parts[-1].executed, batch.last
        if settings.max_failures is not None and not fingerprints.issuperset(parts[-1].failures):
            fingerprints.update(parts[-1].failures)
            if len(fingerprints) >= settings.max_failures:
                break  # the campaign ends here at the latest, whatever the shards before this one have
            parts.append(Summary(seed=settings.seed))
    return {"whole": whole, "digest": str(digest), "parts": [part.to_record() for part in parts if part.executed]}


def main() -> None:
    """Read a task from stdin, and write its result to stdout, which a user's strategy cannot print to."""
    from foldproof.workers.worker import end_with_parent

    end_with_parent(int(sys.argv[1]))
    with os.fdopen(os.dup(1), "w") as result:
        os.dup2(2, 1)
        json.dump(run_task(json.load(sys.stdin), worker=sys.argv[2]), result, allow_nan=False)


if __name__ == "__main__":
    main()
