"""The explicit pads of a module, in both forms: ``nn.pad``, and a ``call_tir`` of a PrimFunc that is a pad.

This is the one place of the room that reads pads and their readers from the IR by the readers of ``foldproof.fold``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import PadFacts
from foldproof.fold.pad_kernels import PadKernels
from foldproof.fold.paths import Path, find_uses
from foldproof.fold.reader import shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PadRow:
    """A pad: its function and variable, its widths (None if not constant), mode and value, and what it pads.

    ``shape`` are the lengths of its input, as text; empty if they are unknown.
    """

    function: str
    name: str
    widths: tuple[tuple[int, int], ...] | None
    mode: str
    value: float
    shape: str
    dtype: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what a report names the pad by."""
        return self.function, self.name

    @property
    def widths_text(self) -> str:
        """Return ``1,2 on axis 2; 0,1 on axis 3``: the axes that are padded."""
        if self.widths is None:
            return "not constant"
        padded = [f"{a},{b} on axis {i}" for i, (a, b) in enumerate(self.widths) if (a, b) != (0, 0)]
        return "; ".join(padded) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pad with one reader at the end of the ops that it may pass: the objects of the IR, to be cut out."""

    function: str
    bindings: Bindings
    facts: PadFacts
    path: Path
    user: relax.Var | None
    operand: int


def list_pads(module: tvm.IRModule) -> tuple[PadRow, ...]:
    """Return the pads of all Relax functions, in the order of their bindings."""
    return tuple(_describe(name, bindings, var) for name, bindings in _functions(module) for var in bindings.pads)


def list_pad_calls(module: tvm.IRModule) -> list[Any]:
    """Return the calls of the pads, in the order of ``list_pads``."""
    return [bindings.values[var] for _, bindings in _functions(module) for var in bindings.pads]


def find_places(module: tvm.IRModule) -> Iterator[Place]:
    """Yield every pad with each of its readers."""
    for name, bindings in _functions(module):
        for var in bindings.pads:
            facts = bindings.pad(var)
            assert facts is not None
            for path, (user, operand) in find_uses(bindings, Path(pad=var, steps=())):
                yield Place(function=name, bindings=bindings, facts=facts, path=path, user=user, operand=operand)


def _functions(module: tvm.IRModule) -> Iterator[tuple[str, Bindings]]:
    kernels = PadKernels(module)
    for global_var, function in module.functions_items():
        if isinstance(function, relax.Function):
            yield str(global_var.name_hint), Bindings(function, kernels, kernels.elementwise)


def _describe(function: str, bindings: Bindings, var: relax.Var) -> PadRow:
    facts = bindings.pad(var)
    assert facts is not None
    lengths: list[Any] | None = shape_of(bindings.source(var))
    return PadRow(
        function=function,
        name=str(var.name),
        widths=facts.widths,
        mode=facts.mode,
        value=facts.value,
        shape="" if lengths is None else ",".join(str(getattr(length, "value", length)) for length in lengths),
        dtype=facts.dtype,
    )
