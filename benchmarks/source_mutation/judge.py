"""The harness as the judge of a pass whose source was changed: does any of the drawn cases fail?

Only a case for which the changed pass makes another module is compiled and run; what it makes alike, it does alike.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness import ir, ops
from harness.build import build
from harness.case import Case
from harness.check import check
from harness.draws import draw, shard_seed, strategy_of
from harness.failures import Failure
from harness.fold import FoldExplicitPadding

CASES = int(os.environ.get("FOLDPROOF_MUTATION_CASES", "400"))
PARTS = 10
SEED = 2026
SECONDS = 10
"""Of CPU time for the pass on one case of a few ops: a pass that takes longer loops."""

PASSES = {
    "default": lambda: FoldExplicitPadding(check_input=False),
    "by option": lambda: FoldExplicitPadding(check_input=False, nonzero="correct", channels="slice"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A case as the unchanged pass treats it."""

    case: Case
    unfolded: Any
    folded: dict[str, Any]


@cache
def known() -> tuple[Known, ...]:
    """Made once, before anything is changed: mutmut forks its children from the process that did."""
    cases = draw(strategy_of(ops.NAMES, None), CASES, shard_seed(SEED, 0))
    passes = {name: make() for name, make in PASSES.items()}
    return tuple(
        Known(case, module, {name: fold(module) for name, fold in passes.items()})
        for case, module in ((case, build(case)) for case in cases)
    )


def differing(part: int) -> Iterator[tuple[Known, str]]:
    """Cases of a part for which the pass makes another module than it should, or raises."""
    passes = {name: make() for name, make in PASSES.items()}
    for case in known()[part::PARTS]:
        for name, fold in passes.items():
            if not _alike(fold, case, name):
                yield case, name


def _alike(fold: Any, known: Known, name: str) -> bool:
    signal.signal(signal.SIGVTALRM, _loops)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        return bool(ir.same(fold(known.unfolded), known.folded[name]))
    except Exception:  # noqa: BLE001, whatever the changed pass raises, the harness will say so of the case
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _loops(*_: object) -> None:
    raise TimeoutError("the pass does not end")


def noticed(case: Case, name: str) -> Failure | None:
    """What the harness says of a case."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 3 * SECONDS)
    try:
        check(case, PASSES[name](), complete=True, sample=0.0)
    except Failure as found:
        return found
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return None
