"""Violations of one condition each, in chains: in the steps, in a second pad, or in what is before the pad.

As in ``foldproof.strategies.violations``, the fold would be legal otherwise.
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
    """Replace the end of the chain with a step that moves the border off the neutral value."""
    builder.steps = [*builder.steps[:3], builder.draw(st.sampled_from(_moving_steps(builder)))]
    settle(builder)


def _moving_steps(builder: CaseBuilder) -> list[Step]:
    """Return steps that change 0, and the lowest value."""
    if builder.spec.family == "max_pool":
        unsigned = builder.operand_dtype.startswith("u")
        zero = [] if unsigned else [step("relu"), step("maximum", 0.0)]
        return [step("maximum", 3.0), *zero, Step(kind="clip", low=1.0, high=6.0)]
    return [step("add", 1.0), step("subtract", 3.0), step("maximum", 2.0), Step(kind="clip", low=1.0, high=6.0)]


def change_second_channel(builder: CaseBuilder) -> None:
    """Add an operand that keeps the border neutral in the first channel only."""
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
    """Add a constant operand that varies along a padded axis. It has no elements for the border of the folded case."""
    padded = [i for i, axis in enumerate(builder.axes) if any(axis.pad)]
    i = builder.draw(st.sampled_from(padded))
    length = builder.axes[i].size + sum(builder.axes[i].pad)
    kind = builder.draw(st.sampled_from(["multiply", "minimum"]))
    operand = tuple((1.0, 3.0)[j % 2] for j in range(length))
    builder.steps = [Step(kind=kind, operand=operand, axis=builder.spec.spatial[i] if length > 1 else "C")]
    settle(builder)


def make_operand_run_time(builder: CaseBuilder) -> None:
    """Add a step whose operand is known only at run time. It may be NaN."""
    kinds = ["minimum"] if builder.spec.family == "max_pool" else ["multiply", "divide", "minimum", "add"]
    if builder.operand_dtype in dtypes.INTEGERS:
        kinds = [kind for kind in kinds if kind != "divide"]
    kind = builder.draw(st.sampled_from(kinds))
    operand = {"add": 0.0, "minimum": 6.0}.get(kind, 2.0)
    builder.steps = [*builder.steps[:3], Step(kind=kind, operand=(operand,), constant=False)]
    settle(builder)


def cast_unclipped(builder: CaseBuilder) -> None:
    """Add a cast to integers that may be out of range. TVM leaves such data unspecified."""
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
    """Use NaN or an infinity at some step, where a careless evaluation is wrong."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    value, steps = builder.draw(st.sampled_from(_NOT_FINITE))
    builder.pad = replace(builder.pad, value=value)
    builder.steps = list(steps)
    settle(builder)


def multiply_infinity_by_zero(builder: CaseBuilder) -> None:
    """Multiply an infinity by zeros, along the channels or at run time. The result is NaN, not 0."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    builder.channels = max(2, builder.channels // builder.groups) * builder.groups
    alone = builder.draw(st.booleans())
    operand = (0.0,) if alone else (0.0,) * builder.channels
    builder.pad = replace(builder.pad, value=builder.draw(st.sampled_from([INF, -INF, NAN])))
    builder.steps = [Step(kind="multiply", operand=operand, constant=not alone)]
    settle(builder)


def round_product(builder: CaseBuilder) -> None:
    """Use a border that is 0 only if the product is rounded before the sum. A target may fuse the two."""
    builder.dtype = "float32"
    builder.pad = replace(builder.pad, value=3.0)
    builder.steps = [step("multiply", 0.1), step("subtract", 0.30000001192092896)]
    settle(builder)


def change_zero_points(builder: CaseBuilder) -> None:
    """Make the zero points of quantize and dequantize differ, in all channels or in the last one."""
    low, high = dtypes.int_range(builder.steps[-1].zero_point_dtype)
    points = list(builder.steps[-1].zero_point)
    which = range(len(points)) if builder.draw(st.booleans()) else [len(points) - 1]
    for i in which:
        points[i] += 1 if points[i] < high else -1
    assert low <= min(points)
    builder.steps[-1] = replace(builder.steps[-1], zero_point=tuple(points))


def quantize_into_integers(builder: CaseBuilder) -> None:
    """Quantize with a zero point that is not 0 before a consumer of integers, which pads with 0."""
    builder.steps = [replace(builder.steps[0], zero_point=tuple(z or 3 for z in builder.steps[0].zero_point))]
    settle(builder)


# --- more pads ----------------------------------------------------------------------------------------


def change_nested_value(builder: CaseBuilder) -> None:
    """Give the second pad a value that is not neutral there."""
    pad = builder.steps[-1]
    others = [1.0, 3.0] if builder.spec.family != "max_pool" else [1.0, 6.0]
    builder.steps[-1] = replace(pad, value=builder.draw(st.sampled_from(others)))


def change_channel_value(builder: CaseBuilder) -> None:
    """Give a pad of the channels a value that is not neutral. It covers the spatial border at the corners."""
    builder.steps[-1] = replace(builder.steps[-1], value=builder.draw(st.sampled_from([1.0, 2.0])))


def crop_then_pad(builder: CaseBuilder) -> None:
    """Crop, then pad with the neutral value: data is lost."""
    letter, i = _one_axis(builder)
    axis = builder.axes[i]
    builder.axes[i] = replace(axis, pad=(-1, 0), size=axis.size + sum(axis.pad) + 1)
    builder.steps = [*builder.steps[:2], Step(kind="pad", value=_neutral_after(builder, 2), widths=((letter, 1, 0),))]
    settle(builder)


def crop_between_pads(builder: CaseBuilder) -> None:
    """Pad, crop more than that, and pad again: the widths cancel, but data is lost."""
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
    """Return the neutral value after only ``count`` steps."""
    return neutral_value(replace(builder, steps=builder.steps[:count]))


def add_any_steps(builder: CaseBuilder) -> None:
    """Add steps that keep the border neutral, steps that move it, and pads, in any order."""
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
    """Make a window lie wholly in the border. Its maximum is then the pad value, not the lowest value."""
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    builder.axes[0] = Axis(
        size=max(2, builder.axes[0].size), pad=builder.draw(st.sampled_from([(2, 0), (0, 3)])), kernel=2
    )


def put_window_of_open_length_in_border(builder: CaseBuilder) -> None:
    """Make a window lie in the border for this length, and for no other near it: an open length may be this one.

    The pad after the data is a window of its own where the stride divides the length, or dilated taps miss an element.
    """
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    kernel = builder.draw(st.integers(2, 3))
    whole = Axis(size=2 * kernel, pad=(0, kernel), kernel=kernel, stride=kernel)
    builder.axes[-1] = builder.draw(st.sampled_from([whole, Axis(pad=(1, 1), kernel=2, dilation=2)]))


def use_minus_zero(builder: CaseBuilder) -> None:
    """Pad with -0.0 where 0.0 bounds the data: max_pool returns the last of equal values, and the signs differ."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    builder.pad = Pad(value=-0.0)
    builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=builder.draw(st.sampled_from([2, 3])))


def unbound_producer(builder: CaseBuilder) -> None:
    """Use a producer that does not bound the data by 0, so that 0 wins over negative data."""
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    builder.producers = [builder.draw(st.sampled_from([step("round"), step("minimum", 0.0), step("maximum", -3.0)]))]
    builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=2)


# --- what a correction term folds ---------------------------------------------------------------------


def use_integer_value(builder: CaseBuilder) -> None:
    """Pad a convolution of integers with another value than 0. It folds with a correction independent of the data.

    The weight is constant or not. The value is the same in all channels or, after a step, one per channel.
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
    """Reset an output dtype that the table does not list for this input."""
    if builder.out_dtype not in values.OUT_DTYPES[builder.dtype]:
        builder.out_dtype = ""


def use_other_value_in_call_tir(builder: CaseBuilder) -> None:
    """Use a value that is not neutral in the form of the ONNX frontend."""
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)), form="call_tir")


def pad_batch_with_other_value(builder: CaseBuilder) -> None:
    """Pad batch or channels too, with a value that is not neutral. The whole pad stays."""
    ungroup(builder)
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    batch, channel = builder.draw(st.sampled_from([((0, 1), (0, 0)), ((0, 0), (0, 1))]))
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)), batch=batch, channel=channel)


def mirror_or_change_value(builder: CaseBuilder) -> None:
    """Use a value that is not neutral, or a mode that mirrors. Nothing is between pad and consumer."""
    if builder.draw(st.booleans()):
        mirror(builder, mode=builder.draw(st.sampled_from(["reflect", "circular"])))
        return
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)))


def mirror_call_tir(builder: CaseBuilder) -> None:
    """Use a PrimFunc that mirrors, with a border no wider than the data allows."""
    mirror(builder, mode=builder.draw(st.sampled_from(["reflect", "circular"])))
    builder.pad = replace(builder.pad, form="call_tir")


def mirror_chain(builder: CaseBuilder) -> None:
    """Mirror the border before a chain that would map a constant border to the neutral value."""
    mirror(builder, mode=builder.draw(st.sampled_from(["reflect", "replicate", "circular"])))
