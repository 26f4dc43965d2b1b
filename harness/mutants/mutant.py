"""Mutant: a pass with a deliberate defect, and the case that proves it.

Invariant: on ``witness`` the pass of ``make`` fails ``check(..., complete=True)``, and the pass of ``right`` passes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.adoption import adopt
from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph, Site
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
    the mutant, its docstring the defect. ``witness`` is a case or a graph that kills the mutant: the defect is one of
    structure if it is a graph. ``upstream`` is the issue of the project that had the defect, if it is known. ``right``
    makes the same pass without the defect. A ``held_out`` mutant was written last and is never used to tune strategies.
    ``looked_at`` is a mutant that was held out once, until strategies were changed because of what it showed.
    """

    kind: str
    make: MakePass
    witness: AnyCase
    upstream: str = ""
    right: MakePass = BUNDLED
    held_out: bool = False
    looked_at: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def text(self) -> str:
        """The defect, in a sentence."""
        return " ".join((self.make.__doc__ or "").split())

    @property
    def structural(self) -> bool:
        """Whether the defect is one of structure: graphs kill it, single cases can not."""
        return isinstance(self.witness, Graph)


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


def site_witness(case: Case, **fields: Any) -> Site:
    """Return a site of a witness."""
    return Site(**{"case": case, **fields})


def linked_witness(case: Case, source: Case, link: str, **fields: Any) -> Site:
    """Return a site whose data comes from the first site, the case ``source``."""
    return Site(**{"case": adopt(case, source, link), "data": link, "of": 0, **fields})


def graph_witness(*sites: Site | Case, **fields: Any) -> Graph:
    """Return a graph of sites and of cases, each of which stands alone."""
    return Graph(sites=tuple(Site(case=site) if isinstance(site, Case) else site for site in sites), **fields)


C = witness_case("conv1d", BARE)
"""A convolution whose pad folds."""

OTHER = witness_case("conv1d", Axis(size=4, pad=(2, 1), kernel=2))
"""The same with the sides of the pad swapped."""

POOL = witness_case("max_pool1d", BARE)
"""A pool whose pad stays, since its value is 0."""

SHIFTED = witness_case("conv1d", Axis(size=4, pad=(1, 2), kernel=2, padding=(1, 0)))
"""A convolution with own padding."""

STEP = witness_case("conv1d", BARE, steps=(Step(kind="negative"),))
"""A convolution with a step after the pad."""
