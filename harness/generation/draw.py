"""Draw the cases of a shard: the same seed gives the same cases, whatever comes of them.

Law: nothing here depends on a verdict. Hypothesis only generates; execution, budgets and shrinking happen elsewhere.
"Same" holds for equal versions of foldproof, Hypothesis and Python.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, CONSTANTS_CACHE, HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from foldproof import strategies
from foldproof.case import Case
from foldproof.core.errors import UsageError
from foldproof.core.loading import load_attribute
from foldproof.generation.shards import Plan, shard_seed

_NOWHERE = "/dev/null/hypothesis"
_STORAGE = "HYPOTHESIS_STORAGE_DIRECTORY"


def leave_no_files() -> None:
    """From now on Hypothesis writes nothing in this process, unless HYPOTHESIS_STORAGE_DIRECTORY says where.

    It would keep the literals of the modules that it meets in ``.hypothesis`` of the working directory, where a command
    line has no business. They are found again in half a second. Its database of examples cannot be used from then on:
    for processes that run a command, and no tests.
    """
    if _STORAGE not in os.environ:
        set_hypothesis_home_dir(_NOWHERE)


def strategy_of(names: tuple[str, ...], spec: str | None) -> SearchStrategy[Case]:
    """``strategies.cases(*names)``, or the user's ``MODULE:ATTR``: a strategy or a function of op names. UsageError."""
    make: Any = strategies.cases if spec is None else load_attribute(spec, "strategy")
    if isinstance(make, SearchStrategy):
        return make
    if not callable(make):
        raise UsageError(f"strategy {spec!r} is a {type(make).__name__}, neither a strategy nor a function of op names")
    try:
        made = make(*names)
    except (Exception, SystemExit) as error:  # the user's function can raise anything
        if spec is None:
            raise UsageError(str(error)) from error
        raise UsageError(f"strategy {spec!r}: calling it raised {type(error).__name__}: {error}") from error
    if not isinstance(made, SearchStrategy):
        raise UsageError(f"strategy {spec!r} returned {type(made).__name__}, not a strategy")
    return made


class Provider(HypothesisProvider):
    """How Hypothesis draws a number or a text, but for the literals that it finds in the source of loaded modules.

    They would make the cases of a seed depend on what is imported. A backend of our own (as Hypothesis calls it, see
    "alternative backends" in its documentation) also makes every draw afresh: Hypothesis alone mutates what it drew
    from the tenth case on, and most cases then keep their aim.
    """

    _local_constants = Constants()


_BACKEND = "foldproof"
AVAILABLE_PROVIDERS[_BACKEND] = Provider

_MOST_RUNS = 3
"""Of Hypothesis, for a shard: a strategy with hardly more than so many cases draws some of them often."""


def draw(strategy: SearchStrategy[Case], examples: int, seed: int) -> list[Case]:
    """Up to ``examples`` distinct cases, in the order drawn; fewer where a strategy has hardly more.

    Raises UsageError for a strategy that raises, or draws something else than cases.
    """
    drawn: dict[Case, None] = {}

    def keep(case: Case) -> None:
        if not isinstance(case, Case):
            raise UsageError(f"the strategy drew {case!r}, which is no Case")
        drawn[case] = None

    CONSTANTS_CACHE.cache.clear()  # what Hypothesis's own provider keeps there is of the literals of loaded modules
    try:
        for run in range(_MOST_RUNS):
            if len(drawn) < examples:
                _without_verdict(keep, strategy, examples, seed * _MOST_RUNS + run)
    except (UsageError, MemoryError):  # of memory: a limit of the process, or the strategy's doing, who can tell
        raise
    except (Exception, SystemExit) as error:  # the user's strategy can raise anything
        raise UsageError(f"the strategy raised {type(error).__name__}: {error}") from error
    finally:
        CONSTANTS_CACHE.cache.clear()
    return list(drawn)[:examples]


def shards(strategy: SearchStrategy[Case], examples: int, seed: int) -> Iterator[tuple[int, list[Case]]]:
    """Shard after shard, each with its distinct cases, drawn in this process."""
    plan = Plan(examples)
    while (following := next(plan.pending(), None)) is not None:
        shard, most = following
        cases = draw(strategy, most, shard_seed(seed, shard))
        plan.count(shard, len(cases))
        if cases:
            yield shard, cases


def _without_verdict(keep: Callable[[Case], None], strategy: SearchStrategy[Case], examples: int, seed: int) -> None:
    settings = hypothesis.settings(
        max_examples=examples,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        stateful_step_count=1,
        suppress_health_check=tuple(HealthCheck),
        verbosity=Verbosity.quiet,
        backend=_BACKEND,
    )
    hypothesis.seed(seed)(settings(hypothesis.given(strategy)(keep)))()
