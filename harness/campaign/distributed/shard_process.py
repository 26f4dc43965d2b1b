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


def in_process(errand: str) -> str:
    """The answer to an errand, both in JSON. Raises ShardLostError; Dask then tries again."""
    worker, unwanted = _unwanted()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as words:
        given.write(errand.encode())
        given.seek(0)
        command = [sys.executable, "-m", "foldproof.campaign.distributed.shard_process", str(os.getpid()), worker]
        with subprocess.Popen(command, stdin=given, stdout=answer, stderr=words) as process:  # noqa: S603, ourselves
            try:
                _wait(process, unwanted)
            finally:
                process.kill()
        answer.seek(0)
        words.seek(0)
        if process.returncode:
            said = " ".join(words.read().decode(errors="replace").split())[-MOST_WORDS:]
            raise ShardLostError(f"the process of the shard ended with exit code {process.returncode}: {said}")
        return answer.read().decode()


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


def judged(errand: dict[str, Any], worker: str) -> dict[str, Any]:
    """The fields of an ``elsewhere.Answer``, or a ``complaint``: why this machine, ``worker``, cannot do it."""
    from foldproof.campaign.prefetch import Drawing
    from foldproof.checking.config import Question
    from foldproof.core.loading import UsageError
    from foldproof.core.versions import difference, versions
    from foldproof.generation.shards import shard_seed
    from foldproof.workers.pool import Judge

    other = difference(errand["versions"], versions())
    if other:
        return {"complaint": other, "worker": worker}
    try:
        with Judge(Question(**errand["question"]), 1) as judge:
            judge.start()
            seed = shard_seed(errand["seed"], errand["shard"])
            cases = Drawing(judge, tuple(errand["ops"]), errand["strategy"], errand["most"], seed).cases()
            answer = _answer(cases, judge, errand)
    except UsageError as error:
        return {"complaint": f"says: {error}", "worker": worker}
    return {"shard": errand["shard"], "most": errand["most"], "cases": len(cases), **answer}


def _answer(cases: list[Any], judge: Any, errand: dict[str, Any]) -> dict[str, Any]:
    from foldproof.campaign.campaign import batched
    from foldproof.campaign.digest import Digest
    from foldproof.campaign.summary import Summary

    most_failures, kinds = errand["max_failures"], set[str]()
    legs, digest, whole = [Summary(seed=errand["seed"])], Digest(), not cases
    for batch, job in [(batch, judge.submit(batch.cases)) for batch in batched(errand["shard"], cases)]:
        for case, result in zip(batch.cases, job.results(), strict=True):
            legs[-1].add(case, result, errand["known"])
            digest.add(case, result)
        legs[-1].cases, whole = legs[-1].executed, batch.last
        if most_failures is not None and not kinds.issuperset(legs[-1].failures):
            kinds.update(legs[-1].failures)
            if len(kinds) >= most_failures:
                break  # whatever the shards before this one have, the campaign ends here at the latest
            legs.append(Summary(seed=errand["seed"]))
    return {"whole": whole, "digest": str(digest), "legs": [leg.to_plain() for leg in legs if leg.executed]}


def main() -> None:
    """One errand from stdin, its answer to stdout, where nothing of a user's strategy may be printed."""
    from foldproof.workers.worker import end_with_parent

    end_with_parent(int(sys.argv[1]))
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        json.dump(judged(json.load(sys.stdin), worker=sys.argv[2]), answer, allow_nan=False)


if __name__ == "__main__":
    main()
