"""Steps whose operands decide: gates, constants on the left, ties of rounding. Also crops at one end.

short legal CaseBuilder --steps that map the pad value to 0, or beside it--> CaseBuilder
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, dtypes, ops
from foldproof.strategies.boundaries import draw_short_pad
from foldproof.strategies.builder import CaseBuilder
from foldproof.strategies.chains import Steps, add_keepers, add_permute, fits, neutral_value, settle, step

Chains = tuple[tuple[float, Steps], ...]
"""(pad value, steps)"""

_GATES: Chains = (
    (0.0, (step("hardswish"),)),
    (0.0, (step("softsign"),)),
    (0.0, (step("relu"), step("hardswish"))),
    (-3.0, (step("hardswish"),)),
    (-4.0, (step("hardswish"),)),
    (3.0, (step("hardswish"), step("subtract", 3.0))),
    (1.5, (step("hardswish"), step("subtract", 1.125))),
    (1.5, (step("hardswish"), step("subtract", 1.5))),
    (0.5, (step("hardshrink"),)),
    (-0.75, (step("hardshrink"),)),
    (0.75, (step("hardshrink"), step("subtract", 0.75))),
    (1.0, (step("softsign"), step("subtract", 0.5))),
    (1.0, (step("softsign"), step("subtract", 1.0))),
    (-1.0, (step("softsign"), step("add", 0.5))),
    (3.0, (step("softsign"), step("add", -0.75))),
)

_LEFT: Chains = (
    (7.0, (step("subtract", 7.0, swapped=True),)),
    (5.0, (step("subtract", 3.0, swapped=True), step("add", 2.0))),
    (5.0, (step("subtract", 3.0, swapped=True), step("subtract", 2.0))),
    (0.0, (step("subtract", 2.0, swapped=True), step("relu"))),
    (3.0, (step("subtract", 2.0, swapped=True), step("relu"))),
    (2.0, (step("divide", 4.0, swapped=True), step("subtract", 2.0))),
    (4.0, (step("divide", 2.0, swapped=True), step("subtract", 2.0))),
    (float("inf"), (step("divide", 3.0, swapped=True),)),
    (0.0, (step("divide", 2.0, swapped=True),)),
    (0.0, (step("divide", 2.0, swapped=True), step("minimum", 0.0))),
    (2.0, (step("divide", 0.0, swapped=True),)),
)

_TIES: Chains = (
    (0.5, (step("round"),)),
    (-0.5, (step("round"),)),
    (1.5, (step("round"), step("subtract", 2.0))),
    (2.5, (step("round"), step("subtract", 2.0))),
    (2.5, (step("round"), step("subtract", 3.0))),
    (-1.5, (step("round"), step("add", 1.0))),
    (-1.5, (step("round"), step("add", 2.0))),
    (1.0, (step("divide", 2.0), step("round"))),
    (-1.0, (step("divide", 2.0), step("round"))),
    (5.0, (step("divide", 2.0), step("round"), step("subtract", 2.0))),
    (-1.0, (step("divide", 2.0), step("floor"), step("add", 1.0))),
    (1.0, (step("divide", 2.0),)),
    (-3.0, (step("divide", 2.0), step("add", 1.0))),
    (-3.0, (step("divide", 2.0), step("add", 2.0))),
)


def gates(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ``x * f(x)`` of a pad value that it maps to 0, or to another value than ``x`` or ``f(x)``."""
    builder = _chain(draw, spec, _GATES, ["float32", "float32", "float64", "float16"])
    if len(builder.steps) == 1:
        add_keepers(builder, draw(st.sampled_from([0, 0, 1])))
    if draw(st.sampled_from([False, False, True])):
        add_permute(builder)
    return builder


def constants_on_the_left(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ``c - x`` and ``c / x``, with one constant or one per channel."""
    return _spread(_chain(draw, spec, _LEFT, ["float32", "float32", "float64", "int32", "int8"]))


def ties(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw values halfway between two integers, which are rounded, and quotients of integers, which are truncated."""
    return _chain(draw, spec, _TIES, ["float32", "float64", "float16", "int32"])


def _chain(draw: st.DrawFn, spec: ops.Op, chains: Chains, choices: list[str]) -> CaseBuilder:
    """Draw a short pad with one of the chains that fit its dtype."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(choices)))
    whole = builder.dtype in dtypes.INTEGERS
    value, steps = draw(
        st.sampled_from(
            [
                (value, steps)
                for value, steps in chains
                if all(fits(one, builder.dtype) for one in steps) and not (whole and value not in range(-128, 128))
            ]
        )
    )
    builder.pad, builder.steps = Pad(value=value), list(steps)
    settle(builder)
    return builder


def _spread(builder: CaseBuilder) -> CaseBuilder:
    """Sometimes repeat the constant of the first step for every channel."""
    if builder.channels > 1 and builder.draw(st.sampled_from([False, False, True])):
        first = builder.steps[0]
        builder.steps[0] = replace(first, operand=first.operand * builder.channels)
    return builder


# --- crops at one end ---------------------------------------------------------------------------------


def pieces(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad and a crop that tells its ends apart: most often the second or third piece of a split.

    The pieces have equal lengths where that is possible.
    """
    builder = draw_short_pad(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    builder.axes = [replace(axis, pad=(0, 0), padding=(0, 0)) for axis in builder.axes]
    pad, crop = draw(st.sampled_from(_PIECES))
    builder.axes[i] = Axis(size=4, pad=pad, kernel=2)
    builder.pad = replace(builder.pad, value=draw(st.sampled_from([neutral_value(builder), builder.pad.value, 3.0])))
    builder.steps = [Step(kind="pad", widths=((spec.spatial[i], *crop),), form=draw(_FORMS))]
    builder.symbolic = tuple(letter for letter in builder.symbolic if letter != spec.spatial[i])
    settle(builder)
    return builder


_FORMS = st.sampled_from(["split", "split", "strided_slice", "take"])
_PIECES = (
    ((1, 1), (-1, -2)),
    ((2, 2), (-4, 0)),
    ((2, 2), (-2, -4)),
    ((1, 1), (-2, -2)),
    ((1, 2), (-1, 0)),
    ((2, 0), (-1, 0)),
    ((2, 1), (-2, -1)),
    ((0, 2), (-1, -2)),
)
"""(widths of the pad of 4 elements, widths of the crop)"""
