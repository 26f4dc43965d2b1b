"""Boundaries: the smallest cases on either side of one condition, for conditions that random sizes seldom meet.

    legal draft --one axis, one step or one value that sits on the boundary--> Draft

Each was added because a defect of that kind outlived the aims of the other modules (``foldproof mutants``).
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, ops
from foldproof.strategies.builder import Draft, dequantized, legal
from foldproof.strategies.chains import Steps, fits, neutral, settle, step
from foldproof.strategies.moves import permute


def _bare(draw: st.DrawFn, spec: ops.Op, *, dtype: str | None = None) -> Draft:
    """A legal draft whose axes are short, and padded by no attribute."""
    return legal(draw, spec, dtype=dtype, axes=[draw(_SHORT) for _ in range(spec.rank)])


_SHORT = st.builds(
    Axis,
    size=st.integers(2, 4),
    pad=st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 1)]),
    kernel=st.integers(1, 2),
)


# --- average pools: what is counted -------------------------------------------------------------------


def one_side_excluded(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Own padding on one side of an axis, which the divisor leaves out; the explicit zeros on the other are counted."""
    axes = [draw(_SHORT) for _ in range(spec.rank)]
    own, pad = draw(st.sampled_from([((0, 1), (1, 0)), ((0, 1), (1, 0)), ((1, 0), (0, 1))]))
    axes[draw(st.integers(0, spec.rank - 1))] = Axis(size=draw(st.integers(2, 4)), pad=pad, kernel=2, padding=own)
    draft = legal(draw, spec, axes=axes)
    draft.axes, draft.count_include_pad = axes, False
    return draft


def overhanging(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """ceil_mode with a last window that overhangs: what it divides by, and whether padding makes another one."""
    pad, kernel, stride = draw(st.sampled_from([((1, 0), 3, 2), ((0, 1), 3, 2), ((1, 1), 2, 2), ((0, 2), 3, 3)]))
    size = draw(st.integers(2, 6))
    size += (size + sum(pad) - kernel) % stride == 0
    return _with_ceil(draw, spec, Axis(size=size, pad=pad, kernel=kernel, stride=stride))


def overhanging_crop(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The same, where own padding takes away some of the pad, and a fold would keep the number of windows.

    What the last window divides by changes only if padding was not counted.
    """
    draft = _with_ceil(draw, spec, draw(st.sampled_from(_OVERHANGING_CROPS)))
    draft.count_include_pad = draw(st.sampled_from([False, False, False, True]))
    return draft


def _windows_alike(axis: Axis, extent: int) -> bool:
    """Whether windows that span ``extent`` elements are as many if the pad becomes padding."""
    own, pad = axis.padding, axis.pad
    merged = (own[0] + pad[0], own[1] + pad[1])
    apart = ops.window_count(axis.size + sum(pad), extent, axis.stride, own, ceil_mode=True)
    return apart == ops.window_count(axis.size, extent, axis.stride, merged, ceil_mode=True)


def _overhangs_alike(axis: Axis) -> bool:
    """Whether the last window overhangs, and there are as many windows if the pad becomes padding."""
    exact = (axis.size + sum(axis.padding) + sum(axis.pad) - axis.kernel) % axis.stride == 0
    return _windows_alike(axis, axis.kernel) and not exact


_OVERHANGING_CROPS = [
    Axis(size=size, pad=pad, kernel=3, stride=2, padding=own)
    for size in range(3, 8)
    for pad in ((0, 2), (1, 2), (0, 1), (2, 2))
    for own in ((-1, -1), (0, -1))
    if size + sum(pad) + sum(own) >= 3 and _overhangs_alike(Axis(size=size, pad=pad, kernel=3, stride=2, padding=own))
]


def dilated_ceil(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """ceil_mode and dilation: a window spans more than its kernel says, and that decides."""
    return _with_ceil(draw, spec, draw(st.sampled_from(_DILATED)))


_DILATED = [
    axis
    for size in range(4, 8)
    for pad in ((0, 1), (0, 2), (1, 1), (1, 2))
    for stride in (2, 3)
    for dilation in (2, 3)
    if size + sum(pad) > dilation
    and _windows_alike(axis := Axis(size=size, pad=pad, kernel=2, stride=stride, dilation=dilation), 1 + dilation)
    != _windows_alike(axis, axis.kernel)
]


def _with_ceil(draw: st.DrawFn, spec: ops.Op, axis: Axis) -> Draft:
    axes = [Axis(size=draw(st.integers(1, 3))) for _ in range(spec.rank)]
    axes[draw(st.integers(0, spec.rank - 1))] = axis
    draft = legal(draw, spec, axes=axes)
    draft.axes, draft.ceil_mode = axes, True
    return draft


# --- max pools of bounded data ------------------------------------------------------------------------


SIGNED = tuple(dtype for dtype in ops.DTYPES if dtype != "uint8")


def _one(draw: st.DrawFn, spec: ops.Op, padded: Axis) -> tuple[int, list[Axis]]:
    """Axes of which one is padded, and its place: more often the last one than another."""
    i = draw(st.sampled_from([spec.rank - 1, *range(spec.rank)]))
    axes = [Axis(size=3, kernel=2) for _ in range(spec.rank)]
    axes[i] = padded
    return i, axes


def window_of_border(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A window that holds nothing but the border, along one axis, be it the first or not."""
    pad = draw(st.sampled_from([(2, 0), (0, 2), (2, 1)]))
    _, axes = _one(draw, spec, Axis(size=draw(st.integers(2, 3)), pad=pad, kernel=2))
    draft = legal(draw, spec, dtype=draw(st.sampled_from(SIGNED)), axes=axes)
    draft.front, draft.pad = [step("relu")], Pad()
    return draft


def last_zero(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """-0.0 behind data of zeros: of equal values the last one wins, and it has another sign."""
    pads = st.sampled_from([(0, 1), (1, 1)])
    axes = [Axis(size=draw(st.integers(2, 3)), pad=draw(pads), kernel=2) for _ in range(spec.rank)]
    draft = legal(draw, spec, dtype=draw(st.sampled_from(ops.FLOATS)), axes=axes)
    draft.front, draft.pad = [step("relu")], Pad(value=-0.0)
    draft.channels, draft.batch = 3, 2
    return draft


def other_pad_in_front(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """relu, a pad of another value, a pad of 0: what the first one adds is data, and lies below the border."""
    before = draw(st.booleans())
    i, axes = _one(draw, spec, Axis(size=3, pad=(2, 0) if before else (0, 2), kernel=2))
    draft = legal(draw, spec, dtype=draw(st.sampled_from(SIGNED)), axes=axes)
    draft.front, draft.pad = [step("relu")], Pad(value=draw(st.sampled_from([-5.0, -1.0])))
    draft.steps = [Step(kind="pad", widths=((spec.spatial[i], *((1, 0) if before else (0, 1))),))]
    return draft


def lowest_finite(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The lowest finite value, which a max_pool starts from, and no infinity."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(ops.FLOATS)))
    starts_at = "float32" if draft.dtype == "bfloat16" else draft.dtype
    draft.pad = Pad(value=-ops.HIGHEST[starts_at])
    return draft


def lowest_beside(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The lowest value, along batch and channels too: what stays in a smaller pad has a value that is not 0."""
    draft = _bare(draw, spec)
    batch, channel = draw(st.sampled_from([((0, 1), (0, 0)), ((1, 0), (0, 1)), ((0, 1), (1, 0))]))
    draft.pad = replace(draft.pad, batch=batch, channel=channel)
    return draft


def signs_of_zero(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A pad of 0.0 and one of -0.0: equal, and not the same."""
    pads = st.sampled_from([(1, 1), (1, 0), (2, 0)])
    axes = [Axis(size=draw(st.integers(1, 3)), pad=draw(pads)) for _ in range(spec.rank)]
    draft = legal(draw, spec, dtype=draw(st.sampled_from(ops.FLOATS)), axes=axes)
    inner, outer = draw(st.sampled_from([(0.0, -0.0), (-0.0, 0.0)]))
    draft.pad = Pad(value=inner)
    draft.steps = [Step(kind="pad", value=outer, widths=((draw(st.sampled_from(spec.spatial)), 1, 0),))]
    return draft


# --- one step -----------------------------------------------------------------------------------------

_ONE_STEP: tuple[tuple[float, Steps], ...] = (
    (0.0, (Step(kind="clip", low=1.0, high=6.0),)),
    (0.0, (Step(kind="clip", low=-6.0, high=-1.0),)),
    (-3.0, (Step(kind="clip", low=0.0, high=6.0),)),
    (3.0, (Step(kind="clip", low=-2.0, high=0.0),)),
    (3.0, (step("minimum", 0.0),)),
    (3.0, (step("relu"),)),
    (0.0, (step("maximum", 2.0),)),
    (0.0, (step("subtract", 1.0),)),
    (0.5, (step("round"),)),
    (1.5, (step("round"), step("subtract", 2.0))),
)
_TINY = (("float32", 2.0**-30), ("float16", 2.0**-14))
"""(dtype, a value that is lost in it beside 1, but not in float64)"""

_RUN_TIME = (step("add", 3.0), step("subtract", 1.0), step("maximum", 2.0), step("minimum", -2.0))


def one_step(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """One step, or two, on either side of what maps the pad value to 0."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "float32", "float64", "float16", "int32"])))
    possible = [(v, made) for v, made in _ONE_STEP if all(fits(one, draft.dtype) for one in made)]
    value, made = draw(st.sampled_from([(v, m) for v, m in possible if draft.dtype in ops.FLOATS or v == int(v)]))
    draft.pad = Pad(value=value)
    draft.steps = list(made)
    settle(draft)
    return draft


def vanishing(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A value that a convolution makes 0 when it casts its operand to out_dtype, and one that stays."""
    draft = _bare(draw, spec, dtype="float64")
    draft.out_dtype, draft.pad = "float32", Pad(value=draw(st.sampled_from([1e-60, -1e-60, 2.0**-150, 2.0**-149])))
    return draft


def below_zero(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A negative value, of which relu makes 0."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "int32", "float64", "int8"])))
    draft.pad = Pad(value=draw(st.sampled_from([-3.0, -1.0, -128.0])))
    draft.steps = [step("relu")]
    settle(draft)
    return draft


def rounded_away(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A value that is 0 behind the steps because each of them rounds."""
    dtype, tiny = draw(st.sampled_from(_TINY))
    draft = _bare(draw, spec, dtype=dtype)
    draft.pad = Pad(value=draw(st.sampled_from([tiny, -tiny])))
    first, second = draw(st.sampled_from([("add", "subtract"), ("subtract", "add")]))
    number = draw(st.sampled_from([1.0, 3.0]))
    draft.steps = [step(first, number), step(second, number)]
    settle(draft)
    return draft


def run_time_step(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """An operand that only the run knows, and that does not leave 0 at 0."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "float64", "int32"])))
    draft.steps = [replace(draw(st.sampled_from(_RUN_TIME)), constant=False)]
    settle(draft)
    return draft


def one_of_channels(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """An operand that moves the border in one channel, be it the first, the last or one between."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "int32", "float64"])))
    draft.channels = max(3, draft.channels // draft.groups) * draft.groups
    which = draw(st.integers(0, draft.channels - 1))
    operand = tuple(float(i == which) for i in range(draft.channels))
    draft.steps = [Step(kind=draw(st.sampled_from(["add", "subtract", "maximum"])), operand=operand)]
    settle(draft)
    return draft


def along_padded(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """An operand that follows a padded axis, and that keeps 0 at 0 all the same."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "int32"])))
    i = draw(st.integers(0, spec.rank - 1))
    axis = draft.axes[i]
    operand = tuple(float(1 + j) for j in range(axis.size + sum(axis.pad)))
    draft.steps = [Step(kind="multiply", operand=operand, axis=spec.spatial[i])]
    settle(draft)
    return draft


# --- moved axes ---------------------------------------------------------------------------------------


def channels_moved(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A dequantize for each channel, whose axis is another one behind the permute that follows."""
    draft = dequantized(draw, spec)
    draft.channels = max(2, draft.channels // draft.groups) * draft.groups
    [one] = draft.steps
    scale = tuple((1.0, 0.5)[i % 2] for i in range(draft.channels))
    points = (one.zero_point[0],) * draft.channels
    behind = draft.data_layout or spec.data_layout
    sources = [source for source in ("NC" + spec.spatial, "N" + spec.spatial + "C") if source != behind]
    moved = Step(kind="permute_dims", source=draw(st.sampled_from(sources)))
    draft.steps = [replace(one, scale=scale, zero_point=points), moved]
    return draft


def axis_inserted(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A spatial axis of one element, not the first of all, that is inserted behind the pad."""
    draft = _bare(draw, spec)
    i = draw(st.integers(1, spec.rank - 1))
    draft.axes[i] = Axis()
    behind = draft.data_layout or spec.data_layout
    kind = draw(st.sampled_from(["expand_dims", "reshape"]))
    draft.steps = [Step(kind=kind, source=behind.replace(spec.spatial[i], ""))]
    return draft


# --- nested pads and corrections ----------------------------------------------------------------------


def corners(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A pad of another axis, with another value, over the border that a spatial pad made."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "int32"])))
    draft.groups = draft.filters = 1
    value = draw(st.sampled_from([3.0, -2.0]))
    draft.steps = [Step(kind="pad", value=value, widths=(("C", *draw(st.sampled_from([(0, 1), (1, 0)]))),))]
    settle(draft)
    return draft


def nested_crop(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A pad, and one that crops, with a value that adds nothing: as wide, or wider by one."""
    draft = _bare(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    draft.axes[i] = Axis(size=4, pad=draw(st.sampled_from([(1, 2), (2, 1)])), kernel=2)
    widths = draw(st.sampled_from([(-1, 0), (0, -1), (-2, 0), (-3, 0), (0, -3), (-3, 1)]))
    value = draw(st.sampled_from([3.0, draft.pad.value]))
    draft.steps = [Step(kind="pad", value=value, widths=((spec.spatial[i], *widths),))]
    settle(draft)
    return draft


def cropped_again(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A pad of any value, and behind some step one that crops what it added; at an end without a pad it adds one.

    Not to be cancelled where an operand of the step varies along the axis.
    """
    draft = _bare(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    before, after = draw(st.sampled_from([(1, 0), (0, 2), (2, 1)]))
    draft.axes = [replace(axis, pad=(0, 0), padding=(0, 0)) for axis in draft.axes]
    draft.axes[i] = Axis(size=4, pad=(before, after), kernel=2)
    draft.pad = replace(draft.pad, value=draw(st.sampled_from([draft.pad.value, 0.0, 3.0])))
    along = Step(kind="add", operand=tuple(map(float, range(4 + before + after))), axis=spec.spatial[i])
    draft.steps = list(draw(st.sampled_from([(along,), (along,), (step("relu"),), (along,), ()])))
    fewer = draw(st.sampled_from([0, 0, 1]))
    widths = (-before + fewer if before > 1 else -before or fewer, -after)
    draft.steps.append(Step(kind="pad", value=neutral(draft), widths=((spec.spatial[i], *widths),)))
    settle(draft)
    if draw(st.booleans()):
        permute(draft)
    return draft


def corrected(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Integers of another value: strides, dilation, groups, own padding, a value for each channel."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["int8", "int8", "int16", "uint8"])))
    draft.weight_dtype = ""
    draft.axes = [
        replace(axis, size=axis.size + 3, kernel=2, stride=draw(_STRIDES), dilation=draw(st.integers(1, 2)))
        for axis in draft.axes
    ]
    i = draw(st.integers(0, spec.rank - 1))
    draft.axes[i] = replace(draft.axes[i], padding=draw(st.sampled_from([(1, 0), (0, 2), (1, 1), (0, 0)])))
    draft.pad = Pad(value=draw(st.sampled_from([3.0, 100.0, 1.0])))
    draft.groups = draw(st.sampled_from([2, 2, 1]))
    draft.channels, draft.filters = 2 * draft.groups, 2 * draft.groups
    if draft.groups > 1 or draw(st.booleans()):  # with one value for all channels, any group's border is every group's
        draft.steps = [Step(kind="minimum", operand=tuple(float(1 + j) for j in range(draft.channels)))]
    draft.constant_weight = draw(st.booleans())
    draft.out_dtype = "int32"
    return draft


_STRIDES = st.sampled_from([2, 3, 1])


def floats_of_another_value(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A correction of floats would round: several channels, and real numbers as inputs."""
    draft = _bare(draw, spec, dtype=draw(st.sampled_from(["float32", "float64"])))
    draft.pad = Pad(value=draw(st.sampled_from([3.0, -1.5])))
    draft.groups, draft.channels, draft.filters = 1, 4, 2
    draft.out_dtype = ""
    draft.fills = ("reals",)
    return draft


def channel_of_zeros(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Channels of zeros on one side, which may go with their weights: the other side's are others."""
    draft = _bare(draw, spec)
    draft.groups, draft.channels, draft.filters = 1, 2, 2
    draft.pad = Pad(channel=draw(st.sampled_from([(1, 0), (0, 1), (2, 1)])))
    draft.constant_weight = True
    return draft


def unknown_lengths(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Nothing but a pad, and lengths that the types leave open."""
    draft = _bare(draw, spec)
    letters = tuple("N" if spec.transposed else "N" + spec.spatial)
    draft.symbolic = draw(st.sampled_from([letters, ("N",), letters[-1:]]))
    return draft
