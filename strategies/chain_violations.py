"""Conditions of chains to break, one each: the steps, the second pad, or what stands in front of the pad.

As in ``foldproof.strategies.violations``, what stays is such that the fold would otherwise be legal.
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, ops
from foldproof.strategies import values
from foldproof.strategies.builder import Draft
from foldproof.strategies.chains import CLIP, fits, neutral, settle, step, ungroup, zero_keepers
from foldproof.strategies.moves import move
from foldproof.strategies.violations import mirrored

INF, NAN = float("inf"), float("nan")


def not_mapped(draft: Draft) -> None:
    """The same chain, but it ends with a number beside the neutral one."""
    draft.steps = [*draft.steps[:3], draft.draw(st.sampled_from(_moving(draft)))]
    settle(draft)


def _moving(draft: Draft) -> list[Step]:
    """Steps that make another value of 0, and of the lowest one."""
    if draft.spec.family == "max_pool":
        unsigned = draft.operand_dtype.startswith("u")
        zero = [] if unsigned else [step("relu"), step("maximum", 0.0)]
        return [step("maximum", 3.0), *zero, Step(kind="clip", low=1.0, high=6.0)]
    return [step("add", 1.0), step("subtract", 3.0), step("maximum", 2.0), Step(kind="clip", low=1.0, high=6.0)]


def second_channel(draft: Draft) -> None:
    """An operand along the channels that leaves the border neutral in the first one only."""
    draft.channels = max(2, draft.channels // draft.groups) * draft.groups
    others = (1.0,) * (draft.channels - 1)
    if draft.spec.family == "max_pool":
        lowest = float("-inf") if draft.dtype in ops.FLOATS else float(max(ops.int_range(draft.dtype)[0], -(2**53)))
        draft.steps = [Step(kind="maximum", operand=(lowest, *others))]
    else:
        draft.steps = [Step(kind=draft.draw(st.sampled_from(["add", "subtract"])), operand=(0.0, *others))]
    settle(draft)


def varying_operand(draft: Draft) -> None:
    """A constant operand that follows a padded axis: there are no values for what the border was."""
    padded = [i for i, axis in enumerate(draft.axes) if any(axis.pad)]
    i = draft.draw(st.sampled_from(padded))
    length = draft.axes[i].size + sum(draft.axes[i].pad)
    kind = draft.draw(st.sampled_from(["multiply", "minimum"]))
    operand = tuple((1.0, 3.0)[j % 2] for j in range(length))
    draft.steps = [Step(kind=kind, operand=operand, axis=draft.spec.spatial[i] if length > 1 else "C")]
    settle(draft)


def run_time_operand(draft: Draft) -> None:
    """A step of the chain whose operand only the run knows: it may be NaN, or anything."""
    kinds = ["minimum"] if draft.spec.family == "max_pool" else ["multiply", "divide", "minimum", "add"]
    if draft.operand_dtype in ops.INTEGERS:
        kinds = [kind for kind in kinds if kind != "divide"]
    kind = draft.draw(st.sampled_from(kinds))
    operand = {"add": 0.0, "minimum": 6.0}.get(kind, 2.0)
    draft.steps = [*draft.steps[:3], Step(kind=kind, operand=(operand,), constant=False)]
    settle(draft)


def unclipped_cast(draft: Draft) -> None:
    """A cast to integers that may be out of range, whatever the border is: TVM leaves such data open."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    out_dtype = draft.draw(st.sampled_from(["int8", "int16", "int32"]))
    draft.steps = [step("round"), Step(kind="astype", out_dtype=out_dtype)]
    if draft.draw(st.booleans()):
        draft.steps.insert(0, Step(kind="clip", low=-1e4, high=1e4))
        draft.steps[-1] = Step(kind="astype", out_dtype="int8")
    settle(draft)


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


def not_finite(draft: Draft) -> None:
    """NaN or an infinity at some step, which is not what a hasty evaluation makes of it."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    value, steps = draft.draw(st.sampled_from(_NOT_FINITE))
    draft.pad = replace(draft.pad, value=value)
    draft.steps = list(steps)
    settle(draft)


def zero_times_infinity(draft: Draft) -> None:
    """Zeros along the channels, or known at run time only: TVM makes NaN of an infinity there, not 0."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    draft.channels = max(2, draft.channels // draft.groups) * draft.groups
    alone = draft.draw(st.booleans())
    operand = (0.0,) if alone else (0.0,) * draft.channels
    draft.pad = replace(draft.pad, value=draft.draw(st.sampled_from([INF, -INF, NAN])))
    draft.steps = [Step(kind="multiply", operand=operand, constant=not alone)]
    settle(draft)


def rounded_product(draft: Draft) -> None:
    """A border that is 0 only if its product is rounded before the sum: a target may contract the two."""
    draft.dtype = "float32"
    draft.pad = replace(draft.pad, value=3.0)
    draft.steps = [step("multiply", 0.1), step("subtract", 0.30000001192092896)]
    settle(draft)


def other_zero_points(draft: Draft) -> None:
    """quantize and dequantize whose zero points differ, in all channels or in one."""
    low, high = ops.int_range(draft.steps[-1].zero_point_dtype)
    points = list(draft.steps[-1].zero_point)
    which = range(len(points)) if draft.draw(st.booleans()) else [len(points) - 1]
    for i in which:
        points[i] += 1 if points[i] < high else -1
    assert low <= min(points)
    draft.steps[-1] = replace(draft.steps[-1], zero_point=tuple(points))


def into_integers(draft: Draft) -> None:
    """A quantize whose zero point is not 0, in front of a consumer of integers, which pads with 0."""
    draft.steps = [replace(draft.steps[0], zero_point=tuple(z or 3 for z in draft.steps[0].zero_point))]
    settle(draft)


# --- more pads ----------------------------------------------------------------------------------------


def other_nested_value(draft: Draft) -> None:
    """The second pad, or the first, has another value than what is neutral there."""
    pad = draft.steps[-1]
    others = [1.0, 3.0] if draft.spec.family != "max_pool" else [1.0, 6.0]
    draft.steps[-1] = replace(pad, value=draft.draw(st.sampled_from(others)))


def other_channel_value(draft: Draft) -> None:
    """A pad of the channels whose value is not neutral: at the corners it overwrites what the spatial pad made."""
    draft.steps[-1] = replace(draft.steps[-1], value=draft.draw(st.sampled_from([1.0, 2.0])))


def cropped_then_padded(draft: Draft) -> None:
    """A crop that a second pad fills again with what is neutral: some data is gone."""
    letter, i = _one_axis(draft)
    axis = draft.axes[i]
    draft.axes[i] = replace(axis, pad=(-1, 0), size=axis.size + sum(axis.pad) + 1)
    draft.steps = [*draft.steps[:2], Step(kind="pad", value=_neutral_behind(draft, 2), widths=((letter, 1, 0),))]
    settle(draft)


def crop_between(draft: Draft) -> None:
    """A pad, a crop of more than that, and a pad again: the widths cancel, but data is gone."""
    letter, i = _one_axis(draft)
    draft.axes[i] = replace(draft.axes[i], pad=(1, 0), size=draft.axes[i].size + sum(draft.axes[i].pad) + 1)
    draft.steps = [
        *draft.steps[:2],
        Step(kind="pad", value=_neutral_behind(draft, 2), widths=((letter, -2, 0),)),
        Step(kind="pad", value=_neutral_behind(draft, 2), widths=((letter, 1, 0),)),
    ]
    settle(draft)


def _one_axis(draft: Draft) -> tuple[str, int]:
    i = draft.draw(st.integers(0, draft.spec.rank - 1))
    return draft.spec.spatial[i], i


def _neutral_behind(draft: Draft, count: int) -> float:
    """What the consumer pads with, if only so many steps are kept."""
    return neutral(replace(draft, steps=draft.steps[:count]))


def any_steps(draft: Draft) -> None:
    """Steps that keep the border neutral or move it, and pads between them, as it comes."""
    for _ in range(draft.draw(st.integers(1, 3))):
        choices = ("keep", "keep", "move", "pad")
        what = draft.draw(st.sampled_from(choices))
        if what == "pad":
            widths = ((draft.spec.spatial[-1], *draft.draw(st.sampled_from([(1, 0), (0, 2), (0, 0), (-1, 1)]))),)
            value = draft.draw(st.sampled_from([neutral(draft), 1.0]))
            draft.steps.append(Step(kind="pad", value=value, widths=widths))
        elif what == "move":
            moving = [one for one in _moving(draft) if fits(one, draft.operand_dtype)]
            draft.steps.append(draft.draw(st.sampled_from(moving)))
        else:
            draft.steps.append(draft.draw(zero_keepers(draft.operand_dtype)))
    if draft.draw(st.booleans()):
        move(draft)
    settle(draft)


# --- a producer bounded below -------------------------------------------------------------------------


def window_in_border(draft: Draft) -> None:
    """A window that lies wholly in the border, whose maximum is the pad value and not the lowest one."""
    draft.dtype = draft.draw(st.sampled_from(tuple(dtype for dtype in ops.DTYPES if dtype != "uint8")))
    draft.axes[0] = Axis(size=max(2, draft.axes[0].size), pad=draft.draw(st.sampled_from([(2, 0), (0, 3)])), kernel=2)


def minus_zero(draft: Draft) -> None:
    """-0.0 where the data is bounded by 0.0: among equals the last one wins, and their signs differ."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    draft.pad = Pad(value=-0.0)
    draft.axes[0] = Axis(size=max(3, draft.axes[0].size), pad=(1, 1), kernel=draft.draw(st.sampled_from([2, 3])))


def unbounded(draft: Draft) -> None:
    """A producer that is not bounded by 0: 0 wins over negative data."""
    draft.dtype = draft.draw(st.sampled_from(tuple(dtype for dtype in ops.DTYPES if dtype != "uint8")))
    draft.front = [draft.draw(st.sampled_from([step("round"), step("minimum", 0.0), step("maximum", -3.0)]))]
    draft.axes[0] = Axis(size=max(3, draft.axes[0].size), pad=(1, 1), kernel=2)


# --- what a correction term folds ---------------------------------------------------------------------


def integer_value(draft: Draft) -> None:
    """Another value than 0 into a convolution of integers: it folds with a term that does not depend on the data.

    The weight is constant or not; the value the same in all channels or, behind a step, one for each.
    """
    draft.dtype = draft.draw(st.sampled_from(["int8", "uint8", "int16", "int32"]))
    draft.weight_dtype = ""
    largest = -128.0 if draft.dtype == "int8" else 128.0
    draft.pad = replace(draft.pad, value=draft.draw(st.sampled_from([3.0, 1.0, 100.0, largest])))
    if draft.draw(st.sampled_from([False, False, True])):
        draft.channels = max(2, draft.channels // draft.groups) * draft.groups
        draft.steps = [Step(kind="minimum", operand=tuple(float(1 + i) for i in range(draft.channels)))]
    draft.constant_weight = draft.draw(st.booleans())
    draft.out_dtype = draft.draw(st.sampled_from(["int32", "int32", ""]))
    _restrict(draft)


def _restrict(draft: Draft) -> None:
    """An output dtype of integers that the table has for this input."""
    if draft.out_dtype not in values.OUT_DTYPES[draft.dtype]:
        draft.out_dtype = ""


def other_value_as_call_tir(draft: Draft) -> None:
    """Another value than the neutral one in the form of the ONNX frontend."""
    wrong = values.above_lowest if draft.spec.family == "max_pool" else values.nonzeros
    draft.pad = replace(draft.pad, value=draft.draw(wrong(draft.dtype)), form="call_tir")


def batch_of_other_value(draft: Draft) -> None:
    """Batch or channel widths beside the spatial ones, with a value that is not neutral: all of it stays."""
    ungroup(draft)
    wrong = values.above_lowest if draft.spec.family == "max_pool" else values.nonzeros
    batch, channel = draft.draw(st.sampled_from([((0, 1), (0, 0)), ((0, 0), (0, 1))]))
    draft.pad = replace(draft.pad, value=draft.draw(wrong(draft.dtype)), batch=batch, channel=channel)


def mirrored_call_tir(draft: Draft) -> None:
    """A PrimFunc that mirrors, and whose border is no wider than the data allows."""
    mirrored(draft, mode=draft.draw(st.sampled_from(["reflect", "circular"])))
    draft.pad = replace(draft.pad, form="call_tir")


def mirrored_chain(draft: Draft) -> None:
    """A mirrored border through a chain that would map a constant one to what is neutral."""
    mirrored(draft, mode=draft.draw(st.sampled_from(["reflect", "replicate", "circular"])))
