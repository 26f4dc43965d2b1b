"""Conditions of chains to break, one each: the steps, the second pad, or what stands before the pad.

As in ``foldproof.strategies.violations``, what stays is such that the fold would otherwise be legal.
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, dtypes
from foldproof.strategies import values
from foldproof.strategies.builder import CaseBuilder
from foldproof.strategies.chains import (
    CLIP,
    add_rearrangement,
    fits,
    neutral_value,
    settle,
    step,
    ungroup,
    zero_keepers,
)
from foldproof.strategies.violations import mirror

INF, NAN = float("inf"), float("nan")


def end_off_neutral(builder: CaseBuilder) -> None:
    """The same chain, but it ends with a number beside the neutral one."""
    builder.steps = [*builder.steps[:3], builder.draw(st.sampled_from(_moving_steps(builder)))]
    settle(builder)


def _moving_steps(builder: CaseBuilder) -> list[Step]:
    """Steps that make another value of 0, and of the lowest one."""
    if builder.spec.family == "max_pool":
        unsigned = builder.operand_dtype.startswith("u")
        zero = [] if unsigned else [step("relu"), step("maximum", 0.0)]
        return [step("maximum", 3.0), *zero, Step(kind="clip", low=1.0, high=6.0)]
    return [step("add", 1.0), step("subtract", 3.0), step("maximum", 2.0), Step(kind="clip", low=1.0, high=6.0)]


def change_second_channel(builder: CaseBuilder) -> None:
    """An operand along the channels that leaves the border neutral in the first one only."""
    builder.channels = max(2, builder.channels // builder.groups) * builder.groups
    others = (1.0,) * (builder.channels - 1)
    if builder.spec.family == "max_pool":
        lowest = (
            float("-inf")
            if builder.dtype in dtypes.FLOATS
            else float(max(dtypes.int_range(builder.dtype)[0], -(2**53)))
        )
        builder.steps = [Step(kind="maximum", operand=(lowest, *others))]
    else:
        builder.steps = [Step(kind=builder.draw(st.sampled_from(["add", "subtract"])), operand=(0.0, *others))]
    settle(builder)


def vary_operand(builder: CaseBuilder) -> None:
    """A constant operand that follows a padded axis: there are no values for what the border was."""
    padded = [i for i, axis in enumerate(builder.axes) if any(axis.pad)]
    i = builder.draw(st.sampled_from(padded))
    length = builder.axes[i].size + sum(builder.axes[i].pad)
    kind = builder.draw(st.sampled_from(["multiply", "minimum"]))
    operand = tuple((1.0, 3.0)[j % 2] for j in range(length))
    builder.steps = [Step(kind=kind, operand=operand, axis=builder.spec.spatial[i] if length > 1 else "C")]
    settle(builder)


def make_operand_run_time(builder: CaseBuilder) -> None:
    """A step of the chain whose operand only the run knows: it may be NaN, or anything."""
    kinds = ["minimum"] if builder.spec.family == "max_pool" else ["multiply", "divide", "minimum", "add"]
    if builder.operand_dtype in dtypes.INTEGERS:
        kinds = [kind for kind in kinds if kind != "divide"]
    kind = builder.draw(st.sampled_from(kinds))
    operand = {"add": 0.0, "minimum": 6.0}.get(kind, 2.0)
    builder.steps = [*builder.steps[:3], Step(kind=kind, operand=(operand,), constant=False)]
    settle(builder)


def cast_unclipped(builder: CaseBuilder) -> None:
    """A cast to integers that may be out of range, whatever the border is: TVM leaves such data open."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    out_dtype = builder.draw(st.sampled_from(["int8", "int16", "int32"]))
    builder.steps = [step("round"), Step(kind="astype", out_dtype=out_dtype)]
    if builder.draw(st.booleans()):
        builder.steps.insert(0, Step(kind="clip", low=-1e4, high=1e4))
        builder.steps[-1] = Step(kind="astype", out_dtype="int8")
    settle(builder)


_NOT_FINITE: tuple[tuple[float, tuple[Step, ...]], ...] = (
    (INF, (step("subtract", INF),)),
    (NAN, (step("maximum", 0.0, swapped=True),)),
    (NAN, (step("add", 0.0),)),
    (NAN, (CLIP,)),
    (INF, (step("divide", INF),)),
    (-1.0, (step("sqrt"), step("multiply", 0.5))),
    (INF, (step("relu"),)),
    (NAN, (step("minimum", 0.0, swapped=True), step("multiply", 2.0))),
)


def use_not_finite(builder: CaseBuilder) -> None:
    """NaN or an infinity at some step, which is not what a hasty evaluation makes of it."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    value, steps = builder.draw(st.sampled_from(_NOT_FINITE))
    builder.pad = replace(builder.pad, value=value)
    builder.steps = list(steps)
    settle(builder)


def multiply_infinity_by_zero(builder: CaseBuilder) -> None:
    """Zeros along the channels, or known at run time only: TVM makes NaN of an infinity there, not 0."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    builder.channels = max(2, builder.channels // builder.groups) * builder.groups
    alone = builder.draw(st.booleans())
    operand = (0.0,) if alone else (0.0,) * builder.channels
    builder.pad = replace(builder.pad, value=builder.draw(st.sampled_from([INF, -INF, NAN])))
    builder.steps = [Step(kind="multiply", operand=operand, constant=not alone)]
    settle(builder)


def round_product(builder: CaseBuilder) -> None:
    """A border that is 0 only if its product is rounded before the sum: a target may contract the two."""
    builder.dtype = "float32"
    builder.pad = replace(builder.pad, value=3.0)
    builder.steps = [step("multiply", 0.1), step("subtract", 0.30000001192092896)]
    settle(builder)


def change_zero_points(builder: CaseBuilder) -> None:
    """quantize and dequantize whose zero points differ, in all channels or in one."""
    low, high = dtypes.int_range(builder.steps[-1].zero_point_dtype)
    points = list(builder.steps[-1].zero_point)
    which = range(len(points)) if builder.draw(st.booleans()) else [len(points) - 1]
    for i in which:
        points[i] += 1 if points[i] < high else -1
    assert low <= min(points)
    builder.steps[-1] = replace(builder.steps[-1], zero_point=tuple(points))


def quantize_into_integers(builder: CaseBuilder) -> None:
    """A quantize whose zero point is not 0, before a consumer of integers, which pads with 0."""
    builder.steps = [replace(builder.steps[0], zero_point=tuple(z or 3 for z in builder.steps[0].zero_point))]
    settle(builder)


# --- more pads ----------------------------------------------------------------------------------------


def change_nested_value(builder: CaseBuilder) -> None:
    """The second pad, or the first, has another value than what is neutral there."""
    pad = builder.steps[-1]
    others = [1.0, 3.0] if builder.spec.family != "max_pool" else [1.0, 6.0]
    builder.steps[-1] = replace(pad, value=builder.draw(st.sampled_from(others)))


def change_channel_value(builder: CaseBuilder) -> None:
    """A pad of the channels whose value is not neutral: at the corners it overwrites what the spatial pad made."""
    builder.steps[-1] = replace(builder.steps[-1], value=builder.draw(st.sampled_from([1.0, 2.0])))


def crop_then_pad(builder: CaseBuilder) -> None:
    """A crop that a second pad fills again with what is neutral: some data is gone."""
    letter, i = _one_axis(builder)
    axis = builder.axes[i]
    builder.axes[i] = replace(axis, pad=(-1, 0), size=axis.size + sum(axis.pad) + 1)
    builder.steps = [*builder.steps[:2], Step(kind="pad", value=_neutral_after(builder, 2), widths=((letter, 1, 0),))]
    settle(builder)


def crop_between_pads(builder: CaseBuilder) -> None:
    """A pad, a crop of more than that, and a pad again: the widths cancel, but data is gone."""
    letter, i = _one_axis(builder)
    builder.axes[i] = replace(builder.axes[i], pad=(1, 0), size=builder.axes[i].size + sum(builder.axes[i].pad) + 1)
    builder.steps = [
        *builder.steps[:2],
        Step(kind="pad", value=_neutral_after(builder, 2), widths=((letter, -2, 0),)),
        Step(kind="pad", value=_neutral_after(builder, 2), widths=((letter, 1, 0),)),
    ]
    settle(builder)


def _one_axis(builder: CaseBuilder) -> tuple[str, int]:
    i = builder.draw(st.integers(0, builder.spec.rank - 1))
    return builder.spec.spatial[i], i


def _neutral_after(builder: CaseBuilder, count: int) -> float:
    """What the consumer pads with, if only so many steps are kept."""
    return neutral_value(replace(builder, steps=builder.steps[:count]))


def add_any_steps(builder: CaseBuilder) -> None:
    """Steps that keep the border neutral or move it, and pads between them, as it comes."""
    for _ in range(builder.draw(st.integers(1, 3))):
        choices = ("keep", "keep", "move", "pad")
        what = builder.draw(st.sampled_from(choices))
        if what == "pad":
            widths = ((builder.spec.spatial[-1], *builder.draw(st.sampled_from([(1, 0), (0, 2), (0, 0), (-1, 1)]))),)
            value = builder.draw(st.sampled_from([neutral_value(builder), 1.0]))
            builder.steps.append(Step(kind="pad", value=value, widths=widths))
        elif what == "move":
            moving = [one for one in _moving_steps(builder) if fits(one, builder.operand_dtype)]
            builder.steps.append(builder.draw(st.sampled_from(moving)))
        else:
            builder.steps.append(builder.draw(zero_keepers(builder.operand_dtype)))
    if builder.draw(st.booleans()):
        add_rearrangement(builder)
    settle(builder)


# --- a producer bounded below -------------------------------------------------------------------------


def put_window_in_border(builder: CaseBuilder) -> None:
    """A window that lies wholly in the border, whose maximum is the pad value and not the lowest one."""
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    builder.axes[0] = Axis(
        size=max(2, builder.axes[0].size), pad=builder.draw(st.sampled_from([(2, 0), (0, 3)])), kernel=2
    )


def use_minus_zero(builder: CaseBuilder) -> None:
    """-0.0 where the data is bounded by 0.0: among equals the last one wins, and their signs differ."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    builder.pad = Pad(value=-0.0)
    builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=builder.draw(st.sampled_from([2, 3])))


def unbound_producer(builder: CaseBuilder) -> None:
    """A producer that is not bounded by 0: 0 wins over negative data."""
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    builder.producers = [builder.draw(st.sampled_from([step("round"), step("minimum", 0.0), step("maximum", -3.0)]))]
    builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=2)


# --- what a correction term folds ---------------------------------------------------------------------


def use_integer_value(builder: CaseBuilder) -> None:
    """Another value than 0 into a convolution of integers: it folds with a term that does not depend on the data.

    The weight is constant or not; the value the same in all channels or, after a step, one for each.
    """
    builder.dtype = builder.draw(st.sampled_from(["int8", "uint8", "int16", "int32"]))
    builder.weight_dtype = ""
    largest = -128.0 if builder.dtype == "int8" else 128.0
    builder.pad = replace(builder.pad, value=builder.draw(st.sampled_from([3.0, 1.0, 100.0, largest])))
    if builder.draw(st.sampled_from([False, False, True])):
        builder.channels = max(2, builder.channels // builder.groups) * builder.groups
        builder.steps = [Step(kind="minimum", operand=tuple(float(1 + i) for i in range(builder.channels)))]
    builder.constant_weight = builder.draw(st.booleans())
    builder.out_dtype = builder.draw(st.sampled_from(["int32", "int32", ""]))
    _restrict(builder)


def _restrict(builder: CaseBuilder) -> None:
    """An output dtype of integers that the table has for this input."""
    if builder.out_dtype not in values.OUT_DTYPES[builder.dtype]:
        builder.out_dtype = ""


def use_other_value_in_call_tir(builder: CaseBuilder) -> None:
    """Another value than the neutral one in the form of the ONNX frontend."""
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)), form="call_tir")


def pad_batch_with_other_value(builder: CaseBuilder) -> None:
    """Batch or channel widths beside the spatial ones, with a value that is not neutral: all of it stays."""
    ungroup(builder)
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    batch, channel = builder.draw(st.sampled_from([((0, 1), (0, 0)), ((0, 0), (0, 1))]))
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)), batch=batch, channel=channel)


def mirror_call_tir(builder: CaseBuilder) -> None:
    """A PrimFunc that mirrors, and whose border is no wider than the data allows."""
    mirror(builder, mode=builder.draw(st.sampled_from(["reflect", "circular"])))
    builder.pad = replace(builder.pad, form="call_tir")


def mirror_chain(builder: CaseBuilder) -> None:
    """A mirrored border through a chain that would map a constant one to what is neutral."""
    mirror(builder, mode=builder.draw(st.sampled_from(["reflect", "replicate", "circular"])))
