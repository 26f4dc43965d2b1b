"""Data with bounds before a max_pool: turned by a negative number, met by the border, read by dilated windows.

    legal CaseBuilder --bounds before the pad, or steps that turn the order--> CaseBuilder

Each draws cases on both sides: a border that never wins, and one that may.
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, dtypes, ops
from foldproof.strategies.builder import CaseBuilder, legal_pad
from foldproof.strategies.chains import Steps, fits, step

_REACHING = st.sampled_from(
    [
        Axis(size=4, pad=(1, 1), kernel=2),
        Axis(size=3, pad=(0, 1), kernel=2),
        Axis(size=5, pad=(1, 0), kernel=3, stride=2),
        Axis(size=4, pad=(2, 1), kernel=3),
    ]
)

_DILATED = st.sampled_from(
    [
        Axis(size=1, pad=(1, 1), kernel=2, dilation=2),
        Axis(size=2, pad=(1, 1), kernel=2, dilation=2),
        Axis(size=2, pad=(1, 1), kernel=2, dilation=3),
        Axis(size=3, pad=(1, 0), kernel=2, dilation=2),
        Axis(size=4, pad=(2, 0), kernel=2, dilation=2),
        Axis(size=4, pad=(0, 2), kernel=2, dilation=2, stride=2),
        Axis(size=2, pad=(2, 2), kernel=3, dilation=2),
        Axis(size=4, pad=(3, 0), kernel=2, dilation=3),
    ]
)


def _reach(draw: st.DrawFn, spec: ops.Op, axis: Axis, dtype: str) -> CaseBuilder:
    """Draw a pad of one axis, the last one most often."""
    axes = [Axis(size=3, kernel=2) for _ in range(spec.rank)]
    axes[draw(st.sampled_from([spec.rank - 1, *range(spec.rank)]))] = axis
    return legal_pad(draw, spec, dtype=dtype, axes=axes)


def dilated_windows(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw relu, pad with 0, and a max_pool whose dilated windows straddle the data, or always hold some."""
    builder = _reach(draw, spec, draw(_DILATED), draw(st.sampled_from(["float32", "int8", "int32", "float64"])))
    builder.producers, builder.pad = [step("relu")], Pad()
    return builder


# --- two bounds ---------------------------------------------------------------------------------------


def between_bounds(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw data from ``low`` to ``high``, and a border at one of the bounds, between them, or outside."""
    dtype = draw(st.sampled_from(["float32", "int32", "int8", "float64", "float16"]))
    builder = _reach(draw, spec, draw(_REACHING), dtype)
    low, high = draw(st.sampled_from([(-3.0, 6.0), (1.0, 5.0), (-6.0, -2.0)]))
    forms: tuple[Steps, ...] = (
        (Step(kind="clip", low=low, high=high),),
        (Step(kind="clip", low=low, high=high),),
        (Step(kind="clip", low=low, high=high),),
        (step("maximum", low), step("minimum", high)),
        (step("minimum", high), step("maximum", low)),
    )
    builder.producers = list(draw(st.sampled_from(forms)))
    builder.pad = Pad(value=draw(st.sampled_from([high, low, high - 1, low - 1, high + 1])))
    return builder


# --- a negative number turns the order ------------------------------------------------------------------

_AT_MOST_0: tuple[Steps, ...] = (
    (step("minimum", 0.0),),
    (Step(kind="clip", low=-6.0, high=0.0),),
)
_AT_LEAST_0: tuple[Steps, ...] = ((step("relu"),), (Step(kind="clip", low=0.0, high=6.0),))
_BOUNDS = st.sampled_from(_AT_LEAST_0 + _AT_LEAST_0 + _AT_MOST_0)
_TURNS = (
    step("multiply", -1.0),
    step("negative"),
    step("multiply", -0.5, swapped=True),
    step("divide", -2.0),
    step("subtract", 0.0, swapped=True),
)


def turned_bounds(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a bound before the pad that a negative scale turns, and a border there, or beside it."""
    if draw(st.sampled_from([False, False, True])):
        return _turn_integers(draw, spec)
    builder = _reach(draw, spec, draw(_REACHING), "float32")
    zero_point = draw(st.sampled_from([3, 0]))
    scale = draw(st.sampled_from([-0.5, -0.25]))
    turn = Step(kind="quantize", scale=(scale,), zero_point=(zero_point,), out_dtype="int8")
    builder.producers = [*draw(_BOUNDS), turn]
    builder.pad = Pad(value=float(zero_point + draw(st.sampled_from([0, 0, -1]))))
    return builder


def turned_by_factor(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a bound before the pad that a negative factor turns, and a border there, or beside it."""
    dtype = draw(st.sampled_from(["float32", "int32", "float64"]))
    builder = _reach(draw, spec, draw(_REACHING), dtype)
    builder.producers = [*draw(_BOUNDS), draw(st.sampled_from([one for one in _TURNS if fits(one, dtype)]))]
    builder.pad = Pad(value=draw(st.sampled_from([0.0, -1.0, 1.0])))
    return builder


def _turn_integers(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a dequantize of a negative scale, before the pad or after it: the highest integer becomes the lowest."""
    dtype = draw(st.sampled_from(["int8", "uint8"]))
    builder = _reach(draw, spec, draw(_REACHING), dtype)
    ends = dtypes.int_range(dtype)
    back = Step(
        scale=(draw(st.sampled_from([-0.5, -0.25])),),
        zero_point=(draw(st.sampled_from(ends)),),
        zero_point_dtype="int32",
    )
    if draw(st.booleans()):
        builder.producers, builder.pad = [back], Pad(value=draw(st.sampled_from([-0.5, 0.0, 0.5])))
    else:
        builder.steps, builder.pad = [back], Pad(value=float(draw(st.sampled_from(ends))))
    return builder


_TURNED: tuple[tuple[str, float, Steps], ...] = (
    ("float32", float("inf"), (step("multiply", -0.5),)),
    ("float64", float("inf"), (step("negative"),)),
    ("float32", float("inf"), (step("divide", -2.0),)),
    ("float16", float("inf"), (step("subtract", 3.0, swapped=True),)),
    ("float32", float("inf"), (step("multiply", -2.0), step("minimum", 6.0))),
    ("float32", float("-inf"), (step("multiply", -1.0), step("negative"))),
    ("uint8", 255.0, (step("subtract", 255.0, swapped=True),)),
    ("int8", 127.0, (step("subtract", -1.0, swapped=True),)),
)
"""(dtype, the highest value or the lowest, steps that make it the lowest)"""


def turned_border(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a border that steps turn to the lowest value, or from the lowest to the highest."""
    dtype, value, steps = draw(st.sampled_from(_TURNED))
    builder = _reach(draw, spec, draw(st.one_of(_REACHING, _DILATED)), dtype)
    lowest = float("-inf") if dtype in dtypes.FLOATS else float(dtypes.int_range(dtype)[0])
    other = lowest if value != lowest else -lowest
    builder.pad = replace(builder.pad, value=draw(st.sampled_from([value, value, other])))
    builder.steps = list(steps)
    return builder
