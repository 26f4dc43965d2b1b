"""Draw the cases of a shard: the same seed gives the same cases, whatever comes of them.

Law: nothing here depends on a verdict. Hypothesis only generates; execution, budgets and shrinking happen elsewhere.
"Same" holds for equal versions of foldproof, Hypothesis and Python.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.strategies import SearchStrategy

import strategies
from harness.case import Case
from harness.loading import UsageError, load_attribute

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


_SEED_STEP = 1_000_003
"""Prime, so that the shards of neighbouring campaign seeds do not meet."""


def shard_seed(seed: int, shard: int) -> int:
    """The seed of a shard of a campaign."""
    return seed * _SEED_STEP + shard


SHARD_EXAMPLES = 500
FIRST_SHARD_EXAMPLES = 60
"""Shards double from the first one, so that workers have something to do soon."""


class Plan:
    """Which shards a budget of ``examples`` needs (None: without end), and how many cases each may have.

    Law: that depends on how many cases the shards before it have, and on nothing else. A shard that is not ``counted``
    yet is expected to have as many as it may, which nearly all have; where one has fewer, the last ones grow.
    """

    def __init__(self, examples: int | None, counted: Mapping[int, int] | None = None) -> None:
        self._left, self._counted, self.first = examples, dict(counted or {}), 0
        self._settle()

    def count(self, shard: int, cases: int) -> None:
        """A shard was drawn, and has so many cases; none of them ends the plan."""
        self._counted[shard] = cases
        self._settle()

    def _settle(self) -> None:
        """``first`` is the first shard that is not counted; those before it are off the budget, and forgotten."""
        while self._counted.get(self.first):
            count = self._counted.pop(self.first)
            self._left = None if self._left is None else self._left - count
            self.first += 1

    def ahead(self) -> Iterator[tuple[int, int]]:
        """(shard, most cases) of the shards that are not counted. To be asked again when a shard has fewer cases."""
        left, shard = self._left, self.first
        while left is None or left > 0:
            most, count = _most(shard, left), self._counted.get(shard)
            if count == 0:
                return
            if count is None:
                yield shard, most
            left = None if left is None else left - (most if count is None else count)
            shard += 1

    def is_final(self, shard: int, most: int) -> bool:
        """Whether a shard of the plan keeps that size, whatever the shards have that are not counted."""
        return shard == self.first or most == _most(shard, None)


def _most(shard: int, left: int | None) -> int:
    full = min(SHARD_EXAMPLES, FIRST_SHARD_EXAMPLES << min(shard, 10))
    return full if left is None else min(full, left)


def shards(
    strategy: SearchStrategy[Case], examples: int | None, seed: int, *, done: Mapping[int, int] | None = None
) -> Iterator[tuple[int, list[Case]]]:
    """Shard after shard, each with its distinct cases, until a budget is used up (None: without end).

    Shards that are ``done`` are left out; the budget counts how many cases they had.
    """
    plan = Plan(examples, done)
    while (following := next(plan.ahead(), None)) is not None:
        shard, most = following
        cases = draw(strategy, most, shard_seed(seed, shard))
        plan.count(shard, len(cases))
        if cases:
            yield shard, cases


def strategy_of(names: tuple[str, ...], spec: str | None) -> SearchStrategy[Case]:
    """``strategies.cases(*names)``, or the user's ``MODULE:ATTR``: a strategy or a function of op names. UsageError."""
    make: Any = strategies.cases if spec is None else load_attribute(spec, "strategy")
    if isinstance(make, SearchStrategy):
        return make
    if not callable(make):
        raise UsageError(f"strategy {spec!r} is a {type(make).__name__}, neither a strategy nor a function of op names")
    try:
        made = make(*names)
    except Exception as error:  # the user's function can raise anything
        if spec is None:
            raise UsageError(str(error)) from error
        raise UsageError(f"strategy {spec!r}: calling it raised {type(error).__name__}: {error}") from error
    if not isinstance(made, SearchStrategy):
        raise UsageError(f"strategy {spec!r} returned {type(made).__name__}, not a strategy")
    return made


RUN_EXAMPLES = 10
"""Cases of one run of Hypothesis. Behind the tenth it mutates what it drew, and five cases in six keep their aim: 950
draws in one run saw 57 of 90 aims, in runs of 10 it was 87, in about the same time."""


class Drawing:
    """``busy`` while Hypothesis draws: an exception from a signal handler would meet it in the middle of its books."""

    busy = False


def draw(strategy: SearchStrategy[Case], examples: int, seed: int) -> list[Case]:
    """Up to ``examples`` distinct cases, in the order drawn; fewer where a strategy has hardly more.

    Raises UsageError for a strategy that raises, or draws something else than cases.
    """
    drawn: dict[Case, None] = {}

    def keep(case: Case) -> None:
        if not isinstance(case, Case):
            raise UsageError(f"the strategy drew {case!r}, which is no Case")
        drawn[case] = None

    Drawing.busy = True
    try:
        for run in range(2 * -(-examples // RUN_EXAMPLES)):
            if len(drawn) >= examples:
                break
            _without_verdict(keep, strategy, min(RUN_EXAMPLES, examples), seed * _MOST_RUNS + run)
    except UsageError:
        raise
    except Exception as error:  # the user's strategy can raise anything
        raise UsageError(f"the strategy raised {type(error).__name__}: {error}") from error
    finally:
        Drawing.busy = False
    return list(drawn)[:examples]


_MOST_RUNS = 10_007
"""Prime, and more than the runs of a shard: each has a seed of its own."""


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
    )
    hypothesis.seed(seed)(settings(hypothesis.given(strategy)(keep)))()
