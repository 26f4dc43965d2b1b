"""Triage of a distinct failure: it is saved when it is found, then shrunk, rerun in fresh processes, and reproduced."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from foldproof.campaign.causes import Cause
from foldproof.campaign.failing import Place
from foldproof.campaign.settings import Settings
from foldproof.campaign.shrinker import ShrinkResult, shrink_with
from foldproof.campaign.summary import RERUNS, DistinctFailure
from foldproof.case.any_case import AnyCase
from foldproof.case.any_case import from_json as case_from_json
from foldproof.checking.failures import Failure, failure
from foldproof.core.errors import FileError
from foldproof.corpus.entry import Entry, save_entry
from foldproof.repro.reproducer import Reproducer, write_reproducer
from foldproof.workers.pool import WorkerPool


def shrink_failure(
    pool: WorkerPool,
    found: DistinctFailure,
    *,
    start: Failure | None = None,
    others: Sequence[Cause] = (),
    seconds: float,
    in_scope: Callable[[AnyCase], bool] = lambda case: True,
    progress: Callable[[int, float], None] = lambda tried, left: None,
) -> None:
    """Shrink a failure.

    Args:
        pool: the workers.
        found: the failure.
        start: a failing variant of its case to begin with; None is the case itself.
        others: causes that the shrunk case must not have.
        seconds: time limit, in seconds.
        in_scope: whether the campaign may draw a case. The shrunk case is one that it may draw.
        progress: is called with the number of cases that were tried, and the seconds that are left.
    """
    start = start or found.failure
    excluded = [cause for cause in others if not cause.may_explain(start.case)]
    found.shrunk = shrink_with(
        start,
        pool,
        seconds=seconds,
        accept=lambda case: in_scope(case) and not any(cause.may_explain(case) for cause in excluded),
        progress=progress,
    )


def confirm_failure(settings: Settings, pool: WorkerPool, found: DistinctFailure) -> None:
    """Save the shrunk case in place of the first one, and run it and its script in fresh processes."""
    found.reproduced = _count_reproduced(settings, found.smallest)
    first = found.path
    save_failure(settings, found)
    if first is not None and first != found.path:
        first.unlink(missing_ok=True)  # another campaign, or this one before it was killed, may have removed it
    if found.path is not None:
        found.reproducer = _write_reproducer(pool, found.path, found.smallest)


def _count_reproduced(settings: Settings, failure: Failure) -> int:
    """Return how many of ``RERUNS`` runs, each in a fresh process, show the failure again."""
    with WorkerPool(settings.config, settings.workers, fresh=True) as fresh:
        results = fresh.check_each([failure.case] * RERUNS)
    return sum(isinstance(result, Failure) and result.fingerprint == failure.fingerprint for result in results)


def _write_reproducer(pool: WorkerPool, path: Path, failure: Failure) -> Reproducer:
    text, problem = pool.script(failure.case, failure)
    if not text:
        return Reproducer(problem=problem)
    try:
        return write_reproducer(path, text, failure)
    except FileError as error:  # the case is saved; its report must not be lost
        return Reproducer(problem=str(error))


def save_failure(settings: Settings, found: DistinctFailure) -> None:
    """Save the smallest case of a failure, if the campaign has a corpus."""
    if settings.corpus is None:
        return
    failure = found.smallest
    record: dict[str, Any] = {
        "failure": failure.fingerprint,
        "detail": failure.detail,
        "fold": settings.config.fold or "foldproof:FoldExplicitPadding",
        "target": settings.config.target,
        "seed": settings.seed,
    }
    if found.shrunk is not None:
        record |= {"minimal": found.shrunk.minimal, "reproduced": f"{found.reproduced}/{RERUNS}"}
    if found.cause is not None:
        record["cause"] = list(found.cause)
    found.path = save_entry(settings.corpus, Entry(case=failure.case, found=record))


def restore_shrunk(record: dict[str, Any] | None, found: DistinctFailure) -> bool:
    """Take the shrunk case of a failure from its line in the journal, if there is one; return whether there is."""
    if record is None or not (record["path"] is None or Path(record["path"]).exists()):
        return False
    smallest = failure(record["kind"], case_from_json(record["case"]), record["symptom"], record["detail"])
    found.shrunk = ShrinkResult(failure=smallest, tried=0, seconds=0.0, minimal=record["minimal"])
    found.reproduced = int(record["reproduced"].split("/")[0])
    found.path = Path(record["path"]) if record["path"] else None
    found.reproducer = Reproducer.from_dict(record) if "script" in record and found.path else None
    found.cause = tuple(record["cause"]) if record.get("cause") is not None else None
    found.explained = [Place(*place) for place in record.get("explained", ())]
    return True
