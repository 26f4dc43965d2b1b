"""Where the cases of a campaign come from. Plain values, which are sent to workers."""

from dataclasses import dataclass
from functools import cache

from foldproof.case import Axis, Case, ops
from foldproof.case.any_case import AnyCase
from foldproof.case.filters import CaseFilter
from foldproof.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSource:
    """What cases are drawn from.

    Args:
        ops: the ops to draw; empty means all.
        strategy: the Hypothesis strategy, as its name or ``MODULE:ATTR``; None is the default one.
        only_cases: a filter that all cases satisfy, as text (``foldproof.case.filters``); empty means all cases.
        fold: the pass under test, as ``MODULE:ATTR`` or by name, whose IR has the bundled strategy; None is the bundled
            pass.
    """

    ops: tuple[str, ...] = ()
    strategy: str | None = None
    only_cases: str = ""
    fold: str | None = None

    @property
    def case_filter(self) -> CaseFilter | None:
        """The filter; None if there is none."""
        return _parse(self.only_cases) if self.only_cases else None

    def in_scope(self, case: AnyCase) -> bool:
        """Whether a case satisfies the filter."""
        return self.case_filter is None or self.case_filter.matches(case)

    @property
    def drawn_ops(self) -> tuple[str, ...]:
        """The ops that a case of the filter can have; empty means all.

        Raises:
            UsageError: if none can.
        """
        conditions = self.case_filter.conditions if self.case_filter else ()
        of_op = [condition for condition in conditions if condition.field in ("op", "family", "rank")]
        if not of_op:
            return self.ops
        trivial = {name: Case(op=name, axes=(Axis(),) * ops.BY_NAME[name].rank) for name in self.ops or ops.NAMES}
        chosen = tuple(name for name, case in trivial.items() if all(each.matches(case) for each in of_op))
        if not chosen:
            raise UsageError(f"--only-cases {self.only_cases!r}: none of the ops {', '.join(trivial)} satisfies it")
        return chosen


_parse = cache(CaseFilter.parse)
