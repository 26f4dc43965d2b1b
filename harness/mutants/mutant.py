"""Mutant: a pass with a deliberate defect, and the case that proves it.

Invariant: on ``witness`` the pass of ``make`` fails ``check(..., complete=True)``, and the pass of ``right`` passes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from foldproof.case import Axis, Case, Pad, Step
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.base import Pass

MakePass = Callable[[], Pass]
"""A function that makes a pass."""

BUNDLED: MakePass = cast(MakePass, FoldExplicitPadding)
CORRECT: MakePass = partial(cast(Callable[..., Pass], FoldExplicitPadding), nonzero="correct")
SLICE: MakePass = partial(cast(Callable[..., Pass], FoldExplicitPadding), channels="slice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defective pass.

    ``kind`` is the rule, or the part of the pass, that has the defect. ``make`` makes the pass: its name is the name of
    the mutant, its docstring the defect. ``witness`` is a case that kills the mutant. ``upstream`` is the issue of the
    project that had the defect, if it is known. ``right`` makes the same pass without the defect. A
    ``held_out`` mutant was written last and is never used to tune strategies.
    """

    kind: str
    make: MakePass
    witness: Case
    upstream: str = ""
    right: MakePass = BUNDLED
    held_out: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def text(self) -> str:
        """The defect, in a sentence."""
        return " ".join((self.make.__doc__ or "").split())


# --- cases that prove it ------------------------------------------------------------------------------

H = Axis(size=4, pad=(1, 2), kernel=2, padding=(0, 1))
W = Axis(size=5, pad=(0, 1), kernel=3, padding=(2, 0))
BARE = Axis(size=4, pad=(1, 2), kernel=2)


def witness_case(op: str, *axes: Axis, **fields: Any) -> Case:
    """Return a case with negative data, unless ``fields`` say otherwise."""
    return Case(**{"op": op, "axes": axes, "fills": ("negative",), **fields})


def quantized_witness(*, value: float, dtype: str = "int8", channels: int = 1, **step: Any) -> Case:
    """Return a conv1d after a dequantize."""
    steps = (Step(**{"zero_point_dtype": dtype, **step}),)
    return witness_case("conv1d", BARE, dtype=dtype, pad=Pad(value=value), steps=steps, channels=channels)
