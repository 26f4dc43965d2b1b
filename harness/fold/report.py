"""What became of one site, as a value and as a line to read."""

from collections.abc import Iterator
from dataclasses import dataclass

from tvm import relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Folded, Outcome, Refused
from foldproof.fold.reader import op_name

RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one site: a pad (its variable) and one of its consumers (its op, and its variable)."""

    function: str
    pad: str
    consumer: str
    result: str
    outcome: Outcome

    def __str__(self) -> str:
        arrow = f"{self.function}: {self.pad} -> {self.consumer}" + (f" {self.result}" if self.result else "")
        if isinstance(self.outcome, Refused):
            return f"{arrow}: refused ({self.outcome.kind}): {self.outcome.detail}"
        return f"{arrow}: folded ({', '.join(describe_fold(self.outcome))})"


def describe_fold(outcome: Folded) -> Iterator[str]:
    """Yield the parts of a report of a fold."""
    yield outcome.rule
    if outcome.padding is not None:
        yield f"padding={list(outcome.padding)}"
    if outcome.kept is not None:
        yield f"a pad of {[width for sides in outcome.kept for width in sides]} stays"
    if outcome.channels is not None:
        yield "the weight without its first {} and last {} input channels".format(*outcome.channels)


def report_site(bindings: Bindings, function: str, pad: relax.Var, use: relax.Var | None, outcome: Outcome) -> Report:
    """Return the report of a site.

    ``use`` is the variable of the consumer, None for the return, or for every consumer of a deleted pad."""
    operator = op_name(bindings.values.get(use)) if use is not None else ""
    consumer = operator.removeprefix("relax.").removeprefix("nn.") or name_place(bindings, use)
    return Report(
        function=function,
        pad=pad.name,
        consumer="any" if isinstance(outcome, Folded) and use is None else consumer,
        result=use.name if use is not None else "",
        outcome=outcome,
    )


def name_place(bindings: Bindings, user: relax.Var | None) -> str:
    """Return the name of a use that is not an operator: return, match_cast, tuple, ..."""
    if user is None:
        return RETURN
    value = bindings.values.get(user)
    return "match_cast" if value is None else type(value).__name__.lower()
