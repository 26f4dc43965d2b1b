"""What became of one site, as a value and as a line to read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tvm import relax, tirx

from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Folded, Outcome, Refused, Widths
from foldproof.fold.reader import op_name, shape_of

RETURN = "return"

Lengths = tuple[int | str, ...]
"""The lengths of a tensor; a symbolic one is text, such as "n" or "n + 3"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one site: a pad and one of its readers.

    Args:
        function: The name of the Relax function.
        pad: The name of the pad's variable.
        consumer: The op that reads the pad, without "relax."; "any" for every reader of a pad that is deleted.
        result: The name of the variable that the consumer is bound to; empty for "return" and "any".
        outcome: ``Folded`` or ``Refused``.
        mode: The mode of the pad; "unknown" if the pad is not understood.
        value: The value of the pad, as its attribute has it. It has no meaning in modes other than "constant".
        widths: (before, after) for each axis; None if a width is not a constant.
        input_shape: The lengths of the tensor that is padded; None if they are unknown.
        shape: The lengths of the tensor with its border; None if they are unknown.
    """

    function: str
    pad: str
    consumer: str
    result: str
    outcome: Outcome
    mode: str = "constant"
    value: float = 0.0
    widths: tuple[Widths, ...] | None = None
    input_shape: Lengths | None = None
    shape: Lengths | None = None

    def __str__(self) -> str:
        arrow = f"{self.site}: "
        if isinstance(self.outcome, Refused):
            return f"{arrow}refused ({self.outcome.kind}): {self.outcome.detail}"
        return f"{arrow}folded ({', '.join(describe_fold(self.outcome))})"

    @property
    def site(self) -> str:
        """Return a phrase that names the pad and its reader."""
        reader = self.consumer + (f" {self.result}" if self.result else "")
        return f"{self.function}: {self.pad} [{self.described_pad}] -> {reader}"

    @property
    def described_pad(self) -> str:
        """Return a phrase with mode, lengths, widths and value of the pad."""
        flat = None if self.widths is None else tuple(width for sides in self.widths for width in sides)
        lengths = f"{_show(self.input_shape)} to {_show(self.shape)}"
        value = "" if self.mode in _WITHOUT_VALUE else f" with {self.value!r}"
        return f"{self.mode} pad of {lengths} by {'unknown widths' if flat is None else flat}{value}"


UNKNOWN = "unknown"
"""The mode of a pad that is not understood."""

_WITHOUT_VALUE = ("reflect", "replicate", "circular", "mirror", UNKNOWN)
"""Modes that copy elements; "mirror" is the name of an old kernel."""


def _show(lengths: Lengths | None) -> str:
    if lengths is None:
        return "unknown shape"
    return f"({', '.join(map(str, lengths))}{',' if len(lengths) == 1 else ''})"


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
    reader = "any" if isinstance(outcome, Folded) and use is None else consumer
    result = use.name if use is not None else ""
    if not bindings.explain:  # nobody reads it, and lengths take their time
        return Report(function=function, pad=pad.name, consumer=reader, result=result, outcome=outcome)
    facts = bindings.pad(pad)
    return Report(
        function=function,
        pad=pad.name,
        consumer=reader,
        result=result,
        outcome=outcome,
        mode=UNKNOWN if facts is None else facts.mode,
        value=0.0 if facts is None else facts.value,
        widths=None if facts is None else facts.widths,
        input_shape=None if facts is None else _list_lengths(bindings.source(pad)),
        shape=_list_lengths(pad),
    )


def _list_lengths(tensor: Any) -> Lengths | None:
    lengths = shape_of(tensor)
    return None if lengths is None else tuple(map(_read_length, lengths))


def _read_length(length: Any) -> int | str:
    return int(length) if isinstance(length, int | tirx.IntImm) else _TYPED.sub(r"\1", str(length))


_TYPED = re.compile(r"T\.int\d+\((-?\d+)\)")
"""A constant as TVMScript shows it in an expression."""


def name_place(bindings: Bindings, user: relax.Var | None) -> str:
    """Return the name of a use that is not an operator: return, match_cast, tuple, ..."""
    if user is None:
        return RETURN
    value = bindings.values.get(user)
    return "match_cast" if value is None else type(value).__name__.lower()
