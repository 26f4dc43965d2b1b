"""Draw the cases of a shard: the same seed draws the same cases.

Invariant: nothing here depends on results. Hypothesis only generates; execution, budgets and shrinking are elsewhere.
"Same" holds for equal versions of foldproof, Hypothesis and Python.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, reject
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, CONSTANTS_CACHE, HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from foldproof import strategies
from foldproof.case.any_case import AnyCase
from foldproof.case.filters import CaseFilter
from foldproof.core.errors import UsageError
from foldproof.core.loading import load_attribute
from foldproof.generation.shards import Plan, shard_seed

STRATEGIES = {"cases": strategies.cases, "graphs": strategies.graphs, "both": strategies.cases_and_graphs}
"""The bundled strategies, by the name that ``--strategy`` takes."""

DEFAULT = "both"
"""The strategy that is drawn from where none is named."""

_NOWHERE = "/dev/null/hypothesis"
_STORAGE = "HYPOTHESIS_STORAGE_DIRECTORY"


def leave_no_files() -> None:
    """Stop Hypothesis from writing files in this process, unless HYPOTHESIS_STORAGE_DIRECTORY is set.

    Hypothesis would cache literals of modules in ``.hypothesis`` of the working directory, which a command should leave
    clean. Finding them again takes half a second. Its example database is disabled as well, so call this only in
    processes that run a command, not in tests.
    """
    if _STORAGE not in os.environ:
        set_hypothesis_home_dir(_NOWHERE)


def strategy_of(names: tuple[str, ...], spec: str | None) -> SearchStrategy[AnyCase]:
    """Return the strategy of cases.

    Args:
        names: the ops to draw; empty means all.
        spec: a name in ``STRATEGIES``; or ``MODULE:ATTR`` of a strategy, or of a function of op names that returns
            one; None is ``DEFAULT``.

    Returns:
        The strategy.

    Raises:
        UsageError: if it cannot be loaded, or is not a strategy.
    """
    bundled: Any = STRATEGIES.get(spec or DEFAULT)
    make: Any = bundled or load_attribute(str(spec), "strategy")
    if isinstance(make, SearchStrategy):
        return make
    if not callable(make):
        raise UsageError(
            f"strategy {spec!r} is of type {type(make).__name__}; expected a strategy, or a function of op names"
        )
    try:
        made = make(*names)
    except (Exception, SystemExit) as error:  # the user's function can raise anything
        if bundled is not None:
            raise UsageError(str(error)) from error
        raise UsageError(f"strategy {spec!r}: calling it raised {type(error).__name__}: {error}") from error
    if not isinstance(made, SearchStrategy):
        raise UsageError(f"strategy {spec!r} returned {type(made).__name__}; expected a strategy")
    return made


class Provider(HypothesisProvider):
    """A backend of Hypothesis that does not draw the literals in the source of loaded modules.

    With them the cases of a seed would depend on what is imported. A backend of our own (see "alternative backends" in
    the documentation of Hypothesis) also makes every draw independent: from the tenth case on Hypothesis alone mutates
    earlier draws, and most cases then keep their scenario.
    """

    _local_constants = Constants()


_BACKEND = "foldproof"
AVAILABLE_PROVIDERS[_BACKEND] = Provider

_MAX_RUNS = 3
"""Runs of Hypothesis per shard: a strategy with few distinct cases draws some of them repeatedly."""


def draw(
    strategy: SearchStrategy[AnyCase], examples: int, seed: int, case_filter: CaseFilter | None = None
) -> list[AnyCase]:
    """Draw distinct cases.

    Args:
        strategy: the strategy of the cases.
        examples: how many cases to draw; fewer are drawn if the strategy has hardly more.
        seed: the seed of the shard.
        case_filter: what all cases satisfy; None keeps all. Fewer cases are drawn if few satisfy it.

    Returns:
        The cases, in the order drawn.

    Raises:
        UsageError: if the strategy raises, or draws something else than cases.
    """
    drawn: dict[AnyCase, None] = {}

    def keep(case: AnyCase) -> None:
        if not isinstance(case, AnyCase):
            raise UsageError(f"the strategy drew {case!r}, which is not a Case or Graph")
        if case_filter is not None and not case_filter.matches(case):
            reject()
        drawn[case] = None

    CONSTANTS_CACHE.cache.clear()  # Hypothesis's own provider caches literals of loaded modules there
    try:
        for run in range(_MAX_RUNS):
            if len(drawn) < examples:
                with suppress(*(() if case_filter is None else (Unsatisfiable,))):
                    _generate(keep, strategy, examples, seed * _MAX_RUNS + run)
    except (UsageError, MemoryError):  # MemoryError: from the limit of the process or from the strategy
        raise
    except (Exception, SystemExit) as error:  # the user's strategy can raise anything
        raise UsageError(f"the strategy raised {type(error).__name__}: {error}") from error
    finally:
        CONSTANTS_CACHE.cache.clear()
    return list(drawn)[:examples]


def shards(strategy: SearchStrategy[AnyCase], examples: int, seed: int) -> Iterator[tuple[int, list[AnyCase]]]:
    """Yield shard after shard with its distinct cases, drawn in this process."""
    plan = Plan(examples)
    while (following := next(plan.pending(), None)) is not None:
        shard, most = following
        cases = draw(strategy, most, shard_seed(seed, shard))
        plan.count(shard, len(cases))
        if cases:
            yield shard, cases


def _generate(keep: Callable[[AnyCase], None], strategy: SearchStrategy[AnyCase], examples: int, seed: int) -> None:
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
