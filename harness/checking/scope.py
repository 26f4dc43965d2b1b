"""What a pass declares that it does not fold: its attribute ``out_of_scope``.

    out_of_scope = ("negative padding", "layout")                       kinds of its refusals
    out_of_scope = {"integers": "dtype in int8,uint8,int32"}            the same, with the cases that may be refused so

A missed fold is excused if the pass refuses it by a declared reason. Invariant: a reason with a filter excuses only the
cases of that filter, so that the wrong name of a reason excuses nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.case.filters import CaseFilter
from foldproof.core.errors import UsageError
from foldproof.ir.base import Outcome

_EXPLAINS = ("fold_and_explain", "explain", "reasons")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a pass declares.

    Args:
        declared: kind of refusal -> the filter of the cases that it may refuse so; None means any case.
        explains: whether the pass gives reasons. If it does not, the filters alone say which cases it may refuse.
    """

    declared: Mapping[str, CaseFilter | None] = field(default_factory=dict)
    explains: bool = False

    def declined(self, case: AnyCase, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        """Return the declared kinds by which the pass may leave the pads of a case."""
        refused = {outcome.kind for outcome in outcomes if not outcome.folded}
        return tuple(
            kind
            for kind, case_filter in self.declared.items()
            if (kind in refused if self.explains else case_filter is not None)
            and (case_filter is None or case_filter.matches(case))
        )


NO_SCOPE = Scope()
"""Of a pass that declares nothing."""


def scope_of(pass_: Any) -> Scope:
    """Return what a pass declares, by its attribute ``out_of_scope``.

    Raises:
        UsageError: if the attribute is of another form.
    """
    explains = any(callable(getattr(pass_, name, None)) for name in _EXPLAINS)
    declared = getattr(pass_, "out_of_scope", ())
    if isinstance(declared, Mapping):
        return Scope(declared={_kind(kind): _parse(kind, text) for kind, text in declared.items()}, explains=explains)
    if isinstance(declared, str) or not isinstance(declared, Sequence):
        raise UsageError(
            f"out_of_scope of the pass is {declared!r}; expected kinds of refusals, or a mapping from kind to filter"
        )
    if declared and not explains:
        raise UsageError(
            "out_of_scope of the pass names kinds of refusals, but the pass gives no reasons; "
            "add a method reasons(module), or map each kind to a filter on cases"
        )
    return Scope(declared={_kind(kind): None for kind in declared}, explains=explains)


def _kind(kind: Any) -> str:
    if not isinstance(kind, str):
        raise UsageError(f"out_of_scope of the pass has {kind!r}; expected the kind of a refusal, a string")
    return kind


def _parse(kind: str, text: Any) -> CaseFilter | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise UsageError(f"out_of_scope of the pass maps {kind!r} to {text!r}; expected a filter on cases, or None")
    try:
        return CaseFilter.parse(text)
    except ValueError as error:
        raise UsageError(f"out_of_scope of the pass, {kind!r}: {error}") from None
