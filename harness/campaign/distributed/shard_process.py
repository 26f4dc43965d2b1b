"""A shard as an errand: plain values in, plain values out, judged in a process of its own.

    Dask worker: in_process(errand) --stdin--> python -m ...shard_process: Judge --> worker process: draw, TVM
                                    <-stdout--

Why a process of its own: worker processes of Dask are daemonic, and those may not start others through multiprocessing,
as a Judge does; and a task of Dask cannot be interrupted, but a process can be killed when nobody waits for its shard
any more. It ends with the thread that started it, and its worker process with it (Linux). TVM and Hypothesis never
enter the process of the Dask worker.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

TICK_SECONDS = 0.5
"""How often a Dask worker asks whether somebody waits for the shard."""

MOST_WORDS = 1000


class ShardLostError(RuntimeError):
    """The process of a shard ended without an answer, or was ended because nobody waits for one."""


# --- in a Dask worker ---------------------------------------------------------------------------------


def run_in_process(shard_task: str) -> str:
    """The answer to an errand, both in JSON. Raises ShardLostError; Dask then tries again."""
    worker, unwanted = _unwanted()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as words:
        given.write(shard_task.encode())
        given.seek(0)
        command = [sys.executable, "-m", "foldproof.campaign.distributed.shard_process", str(os.getpid()), worker]
        with subprocess.Popen(command, stdin=given, stdout=result, stderr=words) as process:  # noqa: S603, ourselves
            try:
                _wait(process, unwanted)
            finally:
                process.kill()
        result.seek(0)
        words.seek(0)
        if process.returncode:
            message = " ".join(words.read().decode(errors="replace").split())[-MOST_WORDS:]
            raise ShardLostError(f"the process of the shard ended with exit code {process.returncode}: {message}")
        return result.read().decode()


def _wait(process: subprocess.Popen[bytes], unwanted: Callable[[], bool]) -> None:
    while True:
        try:
            process.wait(TICK_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if unwanted():
                raise ShardLostError("nobody waits for this shard any more") from None


def _unwanted() -> tuple[str, Callable[[], bool]]:
    """The Dask worker; whether the task that runs in this thread was cancelled, or that worker is about to end."""
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def unwanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled" or worker.status not in (Status.running, Status.paused)

    return worker.address, unwanted


# --- in the process of the shard ----------------------------------------------------------------------


def run_task(shard_task: dict[str, Any], worker: str) -> dict[str, Any]:
    """The fields of an ``elsewhere.Answer``, or a ``complaint``: why this machine, ``worker``, cannot do it."""
    from foldproof.campaign.prefetch import PendingDraw
    from foldproof.checking.config import CheckConfig
    from foldproof.core.errors import UsageError
    from foldproof.core.versions import difference, versions
    from foldproof.generation.shards import shard_seed
    from foldproof.workers.pool import WorkerPool

    other = difference(shard_task["versions"], versions())
    if other:
        return {"problem": other, "worker": worker}
    try:
        with WorkerPool(CheckConfig(**shard_task["config"]), 1) as pool:
            pool.start()
            seed = shard_seed(shard_task["seed"], shard_task["shard"])
            cases = PendingDraw(
                pool, tuple(shard_task["ops"]), shard_task["strategy"], shard_task["most"], seed
            ).cases()
            result = _answer(cases, pool, shard_task)
    except UsageError as error:
        return {"problem": f"says: {error}", "worker": worker}
    return {"shard": shard_task["shard"], "most": shard_task["most"], "cases": len(cases), **result}


def _answer(cases: list[Any], pool: Any, shard_task: dict[str, Any]) -> dict[str, Any]:
    from foldproof.campaign.campaign import batched
    from foldproof.campaign.digest import Digest
    from foldproof.campaign.summary import Summary

    most_failures, kinds = shard_task["max_failures"], set[str]()
    parts, digest, whole = [Summary(seed=shard_task["seed"])], Digest(), not cases
    for batch, job in [(batch, pool.submit(batch.cases)) for batch in batched(shard_task["shard"], cases)]:
        for case, result in zip(batch.cases, job.results(), strict=True):
            parts[-1].add(case, result, shard_task["known"])
            digest.add(case, result)
        parts[-1].cases, whole = parts[-1].executed, batch.last
        if most_failures is not None and not kinds.issuperset(parts[-1].failures):
            kinds.update(parts[-1].failures)
            if len(kinds) >= most_failures:
                break  # whatever the shards before this one have, the campaign ends here at the latest
            parts.append(Summary(seed=shard_task["seed"]))
    return {"whole": whole, "digest": str(digest), "parts": [leg.to_dict() for leg in parts if leg.executed]}


def main() -> None:
    """One errand from stdin, its answer to stdout, where nothing of a user's strategy may be printed."""
    from foldproof.workers.worker import end_with_parent

    end_with_parent(int(sys.argv[1]))
    with os.fdopen(os.dup(1), "w") as result:
        os.dup2(2, 1)
        json.dump(run_task(json.load(sys.stdin), worker=sys.argv[2]), result, allow_nan=False)


if __name__ == "__main__":
    main()
