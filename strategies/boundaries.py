"""Boundaries: the smallest cases on both sides of a condition that random sizes seldom meet.

    legal CaseBuilder --one axis, one step or one value on the boundary--> CaseBuilder

Each boundary was added because a mutant survived the other scenarios (``foldproof mutants``).
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, dtypes, ops
from foldproof.case.step import CROPS
from foldproof.strategies.builder import CaseBuilder, dequantized_pad, legal_pad
from foldproof.strategies.chains import Steps, add_permute, fits, neutral_value, settle, step, ungroup


def draw_short_pad(draw: st.DrawFn, spec: ops.Op, *, dtype: str | None = None) -> CaseBuilder:
    """Draw a legal pad with short axes and no own padding."""
    return legal_pad(draw, spec, dtype=dtype, axes=[draw(_SHORT) for _ in range(spec.rank)])


_SHORT = st.builds(
    Axis,
    size=st.integers(2, 4),
    pad=st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 1)]),
    kernel=st.integers(1, 2),
)


# --- average pools: what is counted -------------------------------------------------------------------


def one_excluded_side(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw own padding on one side, which the divisor excludes. The explicit zeros of the other side count."""
    axes = [draw(_SHORT) for _ in range(spec.rank)]
    own, pad = draw(st.sampled_from([((0, 1), (1, 0)), ((0, 1), (1, 0)), ((1, 0), (0, 1))]))
    axes[draw(st.integers(0, spec.rank - 1))] = Axis(size=draw(st.integers(2, 4)), pad=pad, kernel=2, padding=own)
    builder = legal_pad(draw, spec, axes=axes)
    builder.axes, builder.count_include_pad = axes, False
    return builder


def overhang(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ceil_mode with a last window that overhangs: its divisor decides, or whether padding adds a window."""
    pad, kernel, stride = draw(st.sampled_from([((1, 0), 3, 2), ((0, 1), 3, 2), ((1, 1), 2, 2), ((0, 2), 3, 3)]))
    size = draw(st.integers(2, 6))
    size += (size + sum(pad) - kernel) % stride == 0
    return _with_ceil(draw, spec, Axis(size=size, pad=pad, kernel=kernel, stride=stride))


def overhang_after_crop(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an overhanging last window after own padding that crops a part of the pad.

    A fold keeps the number of windows. The divisor of the last window changes only if padding was not counted.
    """
    builder = _with_ceil(draw, spec, draw(st.sampled_from(_OVERHANGING_CROPS)))
    builder.count_include_pad = draw(st.sampled_from([False, False, False, True]))
    return builder


def _windows_alike(axis: Axis, extent: int) -> bool:
    """Return whether a fold keeps the number of windows that span ``extent`` elements."""
    own, pad = axis.padding, axis.pad
    merged = (own[0] + pad[0], own[1] + pad[1])
    apart = ops.window_count(axis.size + sum(pad), extent, axis.stride, own, ceil_mode=True)
    return apart == ops.window_count(axis.size, extent, axis.stride, merged, ceil_mode=True)


def _overhangs_alike(axis: Axis) -> bool:
    """Return whether the last window overhangs and a fold keeps the number of windows."""
    exact = (axis.size + sum(axis.padding) + sum(axis.pad) - axis.kernel) % axis.stride == 0
    return _windows_alike(axis, axis.kernel) and not exact


_OVERHANGING_CROPS = [
    Axis(size=size, pad=pad, kernel=3, stride=2, padding=own)
    for size in range(3, 8)
    for pad in ((0, 2), (1, 2), (0, 1), (2, 2))
    for own in ((-1, -1), (0, -1))
    if size + sum(pad) + sum(own) >= 3 and _overhangs_alike(Axis(size=size, pad=pad, kernel=3, stride=2, padding=own))
]


def ceil_mode_and_dilation(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ceil_mode with dilation, where the dilated extent of the window decides."""
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


def _with_ceil(draw: st.DrawFn, spec: ops.Op, axis: Axis) -> CaseBuilder:
    axes = [Axis(size=draw(st.integers(1, 3))) for _ in range(spec.rank)]
    axes[draw(st.integers(0, spec.rank - 1))] = axis
    builder = legal_pad(draw, spec, axes=axes)
    builder.axes, builder.ceil_mode = axes, True
    return builder


# --- max pools of copied elements ------------------------------------------------------------------------


def copies_in_windows(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a mirrored pad before windows that hold the elements whose copies they read, or that just miss them."""
    mode = draw(st.sampled_from(["replicate", "replicate", "reflect", "circular"]))
    axes = [draw(_COPIES) for _ in range(spec.rank)]
    if mode == "circular":  # copies come from the other end, so that each window holds all
        axes = [Axis(size=3, pad=axis.pad, kernel=3 + max(axis.pad), stride=axis.stride) for axis in axes]
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.DTYPES)), axes=axes)
    builder.axes, builder.pad = axes, Pad(mode=mode)
    builder.producers = draw(st.sampled_from([[], [], [step("relu")], [step("trunc")]]))  # trunc makes zeros
    if builder.dtype in dtypes.FLOATS:
        builder.channels, builder.batch = 3, 2
    if draw(st.sampled_from([False, False, True])) and mode == "replicate":
        builder.symbolic = tuple(spec.spatial)
    return builder


def replicated_by_kernel(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a kernel that replicates the ends of symbolic lengths, with other widths before than after."""
    sides = st.sampled_from([(0, 1), (1, 0), (2, 1), (0, 2)])
    axes = [Axis(size=4, pad=draw(sides), kernel=draw(st.sampled_from([2, 3]))) for _ in range(spec.rank)]
    builder = legal_pad(draw, spec, axes=axes)
    builder.axes, builder.pad = axes, Pad(mode="replicate", form="call_tir")
    builder.symbolic = draw(st.sampled_from([tuple(spec.spatial), (spec.spatial[-1],)]))
    builder.input_stride = draw(st.sampled_from([1, 1, 2]))
    return builder


def reflected_in_windows(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a reflected pad before windows that hold the elements, or only those at the edge.

    Floats become zeros of both signs, which show the order of the copies. Integers have one zero.
    """
    dtype = draw(st.sampled_from(["int8", "int32", "float32", "float32", "float64"]))
    floats = dtype in dtypes.FLOATS
    kernel = 3 if floats else draw(st.sampled_from([2, 2, 3]))
    padded = Axis(size=draw(st.integers(2, 4)), pad=draw(st.sampled_from([(0, 1), (1, 1), (1, 0)])), kernel=kernel)
    i, axes = _one(draw, spec, padded)
    axes = [axis if j == i else Axis(size=2) for j, axis in enumerate(axes)]
    builder = legal_pad(draw, spec, dtype=dtype, axes=axes)
    builder.axes, builder.pad = axes, Pad(mode="reflect")
    if floats:
        signs = tuple((0.0, -0.0)[at % 2] for at in range(padded.size))
        builder.producers = [Step(kind="multiply", operand=signs, axis=spec.spatial[i])]
    return builder


_COPIES = st.builds(
    Axis,
    size=st.integers(3, 6),
    pad=st.sampled_from([(1, 0), (0, 1), (1, 1), (1, 1), (2, 1)]),
    kernel=st.sampled_from([3, 3, 2, 4, 5]),
    stride=st.sampled_from([1, 1, 2, 3]),
    dilation=st.sampled_from([1, 1, 1, 2]),
    padding=st.sampled_from([(0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (-1, 0)]),
)


# --- max pools of bounded data ------------------------------------------------------------------------


SIGNED = tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")


def _one(draw: st.DrawFn, spec: ops.Op, padded: Axis) -> tuple[int, list[Axis]]:
    """Return axes of which one is padded, and its index: the last one most often."""
    i = draw(st.sampled_from([spec.rank - 1, *range(spec.rank)]))
    axes = [Axis(size=3, kernel=2) for _ in range(spec.rank)]
    axes[i] = padded
    return i, axes


def window_of_border_alone(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an axis, the first or another, with a window that holds only the border."""
    pad = draw(st.sampled_from([(2, 0), (0, 2), (2, 1)]))
    _, axes = _one(draw, spec, Axis(size=draw(st.integers(2, 3)), pad=pad, kernel=2))
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(SIGNED)), axes=axes)
    builder.producers, builder.pad = [step("relu")], Pad()
    return builder


def last_zero(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a border of -0.0 after data of zeros: max_pool returns the last of equal values, and the sign differs."""
    pads = st.sampled_from([(0, 1), (1, 1)])
    axes = [Axis(size=draw(st.integers(2, 3)), pad=draw(pads), kernel=2) for _ in range(spec.rank)]
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.FLOATS)), axes=axes)
    builder.producers, builder.pad = [step("relu")], Pad(value=-0.0)
    builder.channels, builder.batch = 3, 2
    return builder


def other_pad_before(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw relu, a pad of another value and a pad of 0. The first border is data that lies below the second."""
    before = draw(st.booleans())
    i, axes = _one(draw, spec, Axis(size=3, pad=(2, 0) if before else (0, 2), kernel=2))
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(SIGNED)), axes=axes)
    builder.producers, builder.pad = [step("relu")], Pad(value=draw(st.sampled_from([-5.0, -1.0])))
    builder.steps = [Step(kind="pad", widths=((spec.spatial[i], *((1, 0) if before else (0, 1))),))]
    return builder


def lowest_finite_value(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw the lowest finite value. A max_pool starts from it, but it is not an infinity."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.FLOATS)))
    starts_at = "float32" if builder.dtype == "bfloat16" else builder.dtype
    builder.pad = Pad(value=-dtypes.HIGHEST[starts_at])
    return builder


def lowest_value_beside(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw the lowest value along batch and channels too. The smaller pad that stays has a value that is not 0."""
    builder = draw_short_pad(draw, spec)
    batch, channel = draw(st.sampled_from([((0, 1), (0, 0)), ((1, 0), (0, 1)), ((0, 1), (1, 0))]))
    builder.pad = replace(builder.pad, batch=batch, channel=channel)
    return builder


def signs_of_zero(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad of 0.0 and one of -0.0: equal values with other bits."""
    pads = st.sampled_from([(1, 1), (1, 0), (2, 0)])
    axes = [Axis(size=draw(st.integers(1, 3)), pad=draw(pads)) for _ in range(spec.rank)]
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.FLOATS)), axes=axes)
    inner, outer = draw(st.sampled_from([(0.0, -0.0), (-0.0, 0.0)]))
    builder.pad = Pad(value=inner)
    builder.steps = [Step(kind="pad", value=outer, widths=((draw(st.sampled_from(spec.spatial)), 1, 0),))]
    return builder


# --- one step -----------------------------------------------------------------------------------------

_ONE_STEP: tuple[tuple[float, Steps], ...] = (
    (0.0, (Step(kind="clip", low=1.0, high=6.0),)),
    (0.0, (Step(kind="clip", low=-6.0, high=-1.0),)),
    (-3.0, (Step(kind="clip", low=0.0, high=6.0),)),
    (3.0, (Step(kind="clip", low=-2.0, high=0.0),)),
    (3.0, (step("minimum", 0.0),)),
    (3.0, (Step(kind="minimum", operand=(0.0,), form="call_tir"),)),
    (0.0, (Step(kind="maximum", operand=(2.0,), form="call_tir"),)),
    (3.0, (step("relu"),)),
    (0.0, (step("maximum", 2.0),)),
    (0.0, (step("subtract", 1.0),)),
    (0.5, (step("round"),)),
    (1.5, (step("round"), step("subtract", 2.0))),
)
_TINY = (("float32", 2.0**-30), ("float16", 2.0**-14))
"""(dtype, a value that is lost beside 1 in that dtype, but not in float64)"""

_RUN_TIME = (step("add", 3.0), step("subtract", 1.0), step("maximum", 2.0), step("minimum", -2.0))


def one_step(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw one step or two, on both sides of a chain that maps the pad value to 0."""
    builder = draw_short_pad(
        draw, spec, dtype=draw(st.sampled_from(["float32", "float32", "float64", "float16", "int32"]))
    )
    possible = [(v, made) for v, made in _ONE_STEP if all(fits(one, builder.dtype) for one in made)]
    value, made = draw(st.sampled_from([(v, m) for v, m in possible if builder.dtype in dtypes.FLOATS or v == int(v)]))
    builder.pad = Pad(value=value)
    builder.steps = list(made)
    settle(builder)
    return builder


def value_lost_in_cast(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a value that becomes 0 when a convolution casts it to out_dtype, or one that does not."""
    builder = draw_short_pad(draw, spec, dtype="float64")
    builder.out_dtype, builder.pad = "float32", Pad(value=draw(st.sampled_from([1e-60, -1e-60, 2.0**-150, 2.0**-149])))
    return builder


def value_below_zero(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a negative value that relu maps to 0."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "int32", "float64", "int8"])))
    builder.pad = Pad(value=draw(st.sampled_from([-3.0, -1.0, -128.0])))
    builder.steps = [step("relu")]
    settle(builder)
    return builder


def value_lost_in_rounding(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a value that is 0 after the steps because each step rounds."""
    dtype, tiny = draw(st.sampled_from(_TINY))
    builder = draw_short_pad(draw, spec, dtype=dtype)
    builder.pad = Pad(value=draw(st.sampled_from([tiny, -tiny])))
    first, second = draw(st.sampled_from([("add", "subtract"), ("subtract", "add")]))
    number = draw(st.sampled_from([1.0, 3.0]))
    builder.steps = [step(first, number), step(second, number)]
    settle(builder)
    return builder


def run_time_step(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an operand known only at run time that does not map 0 to 0."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "float64", "int32"])))
    builder.steps = [replace(draw(st.sampled_from(_RUN_TIME)), constant=False)]
    settle(builder)
    return builder


def operand_of_one_channel(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an operand that moves the border in exactly one channel: the first, the last or one between."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "int32", "float64"])))
    builder.channels = max(3, builder.channels // builder.groups) * builder.groups
    which = draw(st.integers(0, builder.channels - 1))
    operand = tuple(float(i == which) for i in range(builder.channels))
    builder.steps = [Step(kind=draw(st.sampled_from(["add", "subtract", "maximum"])), operand=operand)]
    settle(builder)
    return builder


def operand_along_padded_axis(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an operand that varies along a padded axis and still maps 0 to 0."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "int32"])))
    i = draw(st.integers(0, spec.rank - 1))
    axis = builder.axes[i]
    operand = tuple(float(1 + j) for j in range(axis.size + sum(axis.pad)))
    builder.steps = [Step(kind="multiply", operand=operand, axis=spec.spatial[i])]
    settle(builder)
    return builder


# --- moved axes ---------------------------------------------------------------------------------------


def moved_channel_axis(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a per-channel dequantize before a permute, so that its axis is another one afterwards."""
    builder = dequantized_pad(draw, spec)
    builder.channels = max(2, builder.channels // builder.groups) * builder.groups
    [one] = builder.steps
    scale = tuple((1.0, 0.5)[i % 2] for i in range(builder.channels))
    points = (one.zero_point[0],) * builder.channels
    after = builder.data_layout or spec.data_layout
    sources = [source for source in ("NC" + spec.spatial, "N" + spec.spatial + "C") if source != after]
    moved = Step(kind="permute_dims", source=draw(st.sampled_from(sources)))
    builder.steps = [replace(one, scale=scale, zero_point=points), moved]
    return builder


def inserted_axis(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a spatial axis of one element that is inserted after the pad, not before all others."""
    builder = draw_short_pad(draw, spec)
    i = draw(st.integers(1, spec.rank - 1))
    builder.axes[i] = Axis()
    after = builder.data_layout or spec.data_layout
    kind = draw(st.sampled_from(["expand_dims", "reshape"]))
    builder.steps = [Step(kind=kind, source=after.replace(spec.spatial[i], ""))]
    return builder


# --- nested pads and corrections ----------------------------------------------------------------------


def corners(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad of the channels with another value, which covers a part of the first border."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "int32"])))
    builder.groups = builder.filters = 1
    value = draw(st.sampled_from([3.0, -2.0]))
    builder.steps = [Step(kind="pad", value=value, widths=(("C", *draw(st.sampled_from([(0, 1), (1, 0)]))),))]
    settle(builder)
    return builder


def nested_crop(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad and a crop after it that adds nothing: as wide as the pad, narrower, or wider by one."""
    builder = draw_short_pad(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    builder.axes[i] = Axis(size=4, pad=draw(st.sampled_from([(1, 2), (2, 1)])), kernel=2)
    widths = draw(st.sampled_from([(-1, 0), (0, -1), (-2, 0), (-3, 0), (0, -3), (-3, 1)]))
    value = draw(st.sampled_from([3.0, builder.pad.value]))
    builder.steps = [Step(kind="pad", value=value, widths=((spec.spatial[i], *widths),))]
    settle(builder)
    return builder


def crop_after_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad of any value and, perhaps after a step, a pad that crops it again or adds a width at another end.

    They must not cancel where an operand of the step varies along the axis.
    """
    builder = draw_short_pad(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    before, after = draw(st.sampled_from([(1, 0), (0, 2), (2, 1)]))
    builder.axes = [replace(axis, pad=(0, 0), padding=(0, 0)) for axis in builder.axes]
    builder.axes[i] = Axis(size=4, pad=(before, after), kernel=2)
    builder.pad = replace(builder.pad, value=draw(st.sampled_from([builder.pad.value, 0.0, 3.0])))
    along = Step(kind="add", operand=tuple(map(float, range(4 + before + after))), axis=spec.spatial[i])
    builder.steps = list(draw(st.sampled_from([(along,), (along,), (step("relu"),), (along,), ()])))
    fewer = draw(st.sampled_from([0, 0, 1]))
    widths = (-before + fewer if before > 1 else -before or fewer, -after)
    builder.steps.append(Step(kind="pad", value=neutral_value(builder), widths=((spec.spatial[i], *widths),)))
    settle(builder)
    if draw(st.booleans()):
        add_permute(builder)
    return builder


def crop_as_slice(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad and, perhaps after a step, a slice that crops it: more, less, the other end, nothing, channels."""
    builder = draw_short_pad(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    builder.axes = [replace(axis, pad=(0, 0), padding=(0, 0)) for axis in builder.axes]
    before, after = draw(st.sampled_from([(0, 1), (1, 2), (2, 0)]))
    builder.axes[i] = Axis(size=4, pad=(before, after), kernel=2)
    builder.pad = replace(builder.pad, value=draw(st.sampled_from([builder.pad.value, builder.pad.value, 3.0])))
    along = Step(kind="add", operand=tuple(map(float, range(4 + before + after))), axis=spec.spatial[i])
    builder.steps = list(draw(st.sampled_from([(), (), (step("relu"),), (along,)])))
    form = draw(st.sampled_from(CROPS))
    widths = (spec.spatial[i], *draw(st.sampled_from([(-1, 0), (0, -1), (-1, -1), (-3, 0), (0, 0)])))
    builder.steps.append(Step(kind="pad", widths=(widths,), form=form))
    builder.symbolic = tuple(letter for letter in builder.symbolic if letter != spec.spatial[i])
    settle(builder)
    if draw(st.sampled_from([False, False, True])):
        add_permute(builder)
    return builder


def pad_as_concat(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad and, perhaps after a step, a concat with constants: of the same value or another, along any axis."""
    builder = draw_short_pad(draw, spec)
    builder.symbolic = ()
    ungroup(builder)
    builder.pad = replace(builder.pad, value=neutral_value(builder))
    builder.steps = list(draw(st.sampled_from([(), (), (step("round"),)])))
    value = draw(st.sampled_from([neutral_value(builder), neutral_value(builder), 3.0, 0.0]))
    letter = draw(st.sampled_from([*spec.spatial, *spec.spatial, "C"]))
    widths = (letter, *draw(st.sampled_from([(1, 0), (0, 2), (1, 1), (0, 0)])))
    builder.steps.append(Step(kind="pad", value=value, widths=(widths,), form="concat"))
    settle(builder)
    return builder


def corrected_integers(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw integers of another value: strides, dilation, groups, own padding, one value per channel."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["int8", "int8", "int16", "uint8"])))
    builder.weight_dtype = ""
    builder.axes = [
        replace(axis, size=axis.size + 3, kernel=2, stride=draw(_STRIDES), dilation=draw(st.integers(1, 2)))
        for axis in builder.axes
    ]
    i = draw(st.integers(0, spec.rank - 1))
    builder.axes[i] = replace(builder.axes[i], padding=draw(st.sampled_from([(1, 0), (0, 2), (1, 1), (0, 0)])))
    builder.pad = Pad(value=draw(st.sampled_from([3.0, 100.0, 1.0])))
    builder.groups = draw(st.sampled_from([2, 2, 1]))
    builder.channels, builder.filters = 2 * builder.groups, 2 * builder.groups
    if builder.groups > 1 or draw(st.booleans()):  # one value for all channels would hide a confusion of groups
        builder.steps = [Step(kind="minimum", operand=tuple(float(1 + j) for j in range(builder.channels)))]
    builder.constant_weight = draw(st.booleans())
    builder.out_dtype = "int32"
    return builder


_STRIDES = st.sampled_from([2, 3, 1])


def floats_of_another_value(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw floats of another value: several channels and real inputs, so that a correction rounds."""
    builder = draw_short_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "float64"])))
    builder.pad = Pad(value=draw(st.sampled_from([3.0, -1.5])))
    builder.groups, builder.channels, builder.filters = 1, 4, 2
    builder.out_dtype = ""
    builder.fills = ("reals",)
    return builder


def channels_of_zeros(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw channels of zeros on one side, whose weights can be sliced away. The other side's weights differ."""
    builder = draw_short_pad(draw, spec)
    builder.groups, builder.channels, builder.filters = 1, 2, 2
    builder.pad = Pad(channel=draw(st.sampled_from([(1, 0), (0, 1), (2, 1)])))
    builder.constant_weight = True
    return builder


def open_lengths(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw nothing but a pad, and lengths that the types leave open."""
    builder = draw_short_pad(draw, spec)
    letters = tuple("N" if spec.transposed else "N" + spec.spatial)
    builder.symbolic = draw(st.sampled_from([letters, ("N",), letters[-1:]]))
    return builder
