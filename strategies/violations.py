"""Violations: each function changes a legal case so that exactly one condition fails.

The rest stays legal, so that a pass that forgets this condition folds the pad.
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Pad, dtypes
from foldproof.strategies import values
from foldproof.strategies.axes import axes as spatial_axes
from foldproof.strategies.builder import CaseBuilder, crop_axis, with_ceil

_ONE_BEFORE = st.just((1, 0))


def mirror(builder: CaseBuilder, *, mode: str) -> None:
    """Use another mode, with a border no wider than the data allows. The value stays neutral.

    A window of a max_pool reads the border alone: it would be legal if each window held what it reads copies of.
    """
    reach = 1 if mode == "reflect" else 0
    if builder.spec.family == "max_pool":
        builder.axes = [replace(a, kernel=1, padding=(0, 0)) if any(a.pad) else a for a in builder.axes]
    builder.axes = [replace(a, size=max(a.size, max(a.pad) + reach)) for a in builder.axes]
    builder.pad = replace(builder.pad, mode=mode)


def use_unknown_mode(builder: CaseBuilder) -> None:
    """Use a mode that TVM does not know and treats as "constant"."""
    builder.pad = replace(builder.pad, mode=builder.draw(st.sampled_from(values.UNKNOWN_MODES)))


def use_other_value(builder: CaseBuilder) -> None:
    """Use a value that the consumer does not pad with."""
    wrong = values.above_lowest if builder.spec.family == "max_pool" else values.nonzeros
    builder.pad = replace(builder.pad, value=builder.draw(wrong(builder.dtype)))


def pad_max_pool_with_zero(builder: CaseBuilder) -> None:
    """Pad a max_pool with 0, which would win over negative data."""
    builder.dtype = builder.draw(st.sampled_from(tuple(dtype for dtype in dtypes.DTYPES if dtype != "uint8")))
    builder.pad = replace(builder.pad, value=0.0)


def use_nearly_lowest(builder: CaseBuilder) -> None:
    """Use the neighbour of the lowest value, or the lowest value of a narrower dtype."""
    builder.dtype, value = builder.draw(st.sampled_from(values.NEARLY_LOWEST))
    builder.pad = replace(builder.pad, value=value)


def use_fraction(builder: CaseBuilder) -> None:
    """Use a float that would be 0 if it were truncated, as integers are."""
    builder.dtype = builder.draw(st.sampled_from(dtypes.FLOATS))
    builder.out_dtype = builder.weight_dtype = ""
    builder.pad = replace(builder.pad, value=builder.draw(st.sampled_from([0.5, -0.5, 0.25, 0.99, -0.75])))


def crop_before_own_padding(builder: CaseBuilder) -> None:
    """Crop before own padding, which would replace the cropped data with neutral values."""
    crop_axis(builder)
    for i, axis in enumerate(builder.axes):
        own = tuple(max(1, p) if width < 0 else p for width, p in zip(axis.pad, axis.padding, strict=True))
        builder.axes[i] = replace(axis, padding=(own[0], own[1])) if not builder.spec.transposed else axis
    builder.count_include_pad = builder.spec.family == "avg_pool"


def pad_batch(builder: CaseBuilder) -> None:
    """Pad the batch axis instead, which no padding attribute can express."""
    _unpad(builder)
    builder.pad = replace(builder.pad, batch=builder.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])))


def pad_channels(builder: CaseBuilder) -> None:
    """Pad only the channels, so that the consumer reads more channels than the data has."""
    _unpad(builder)
    more = builder.draw(st.sampled_from([(0, 1), (1, 0), (1, 2)]))
    builder.pad = replace(builder.pad, channel=more)
    if builder.spec.weighted:
        builder.channels = builder.groups * (builder.channels + sum(more)) - sum(more)


def _unpad(builder: CaseBuilder) -> None:
    """Remove the spatial widths and lengthen each axis by as much."""
    builder.axes = [replace(axis, pad=(0, 0), size=max(1, axis.size + sum(axis.pad))) for axis in builder.axes]


def pad_weight(builder: CaseBuilder) -> None:
    """Pad the weight operand instead of the data."""
    rank, transposed = builder.spec.rank, builder.spec.transposed
    padded = spatial_axes(rank=rank, pad=_ONE_BEFORE, transposed=transposed, pads_kernel=True)
    axes = [builder.draw(spatial_axes(rank=rank, transposed=transposed, pads_kernel=True)) for _ in builder.axes]
    if not any(any(axis.pad) for axis in axes):
        axes[0] = builder.draw(padded)
    # A transposed convolution spreads each element over the whole padded kernel: wide ones stay undilated.
    wide = [transposed and sum(axis.pad) > 3 for axis in axes]
    builder.axes = [
        replace(axis, dilation=1, padding=(0, 0)) if is_wide else axis for axis, is_wide in zip(axes, wide, strict=True)
    ]
    builder.pad = Pad(operand="weight")


def exclude_padding(builder: CaseBuilder) -> None:
    """Add own padding that the divisor excludes, whereas the explicit zeros count."""
    builder.count_include_pad = False
    i = builder.draw(st.integers(0, builder.spec.rank - 1))
    own = builder.draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (0, 2)]))
    builder.axes[i] = replace(builder.axes[i], padding=own)


def lose_first_window(builder: CaseBuilder) -> None:
    """Set ceil_mode where a fold loses the last window of the first axis."""
    _lose_window(builder, 0)


def lose_later_window(builder: CaseBuilder) -> None:
    """Set ceil_mode where a fold loses the last window of another axis than the first."""
    _lose_window(builder, builder.draw(st.integers(1, builder.spec.rank - 1)))


def _lose_window(builder: CaseBuilder, which: int) -> None:
    builder.ceil_mode = True
    builder.axes = [with_ceil(axis, changes=i == which) for i, axis in enumerate(builder.axes)]


def reorder_axes(builder: CaseBuilder) -> None:
    """Use a layout whose attributes TVM reads in two ways, with widths that differ between the axes."""
    spec, draw = builder.spec, builder.draw
    swapped = [layout for layout in spec.data_layouts if spec.spatial_order(layout) != spec.spatial]
    builder.data_layout = draw(st.sampled_from(swapped))
    if len({axis.pad for axis in builder.axes}) == 1:
        builder.axes[0] = replace(builder.axes[0], pad=(builder.axes[0].pad[0], builder.axes[0].pad[1] + 1))


def change_zero_point(builder: CaseBuilder) -> None:
    """Replace the pad value with a neighbour of the zero point, 0, or its negative."""
    [step] = builder.steps
    low, high = dtypes.int_range(builder.dtype)
    zero_point = step.zero_point[0]
    near = (zero_point + 1, 0, zero_point - 1, -zero_point)
    wrong = [value for value in near if low <= value <= high and value != zero_point]
    builder.pad = replace(builder.pad, value=float(builder.draw(st.sampled_from(wrong))))


def change_zero_point_sign(builder: CaseBuilder) -> None:
    """Give the zero point the bits of the pad value, but another sign: 255 and -1 are the same byte."""
    [step] = builder.steps
    builder.dtype = builder.draw(st.sampled_from(["int8", "uint8"]))
    byte = builder.draw(st.sampled_from([255, 128, 130]))
    value, other = (byte - 256, byte) if builder.dtype == "int8" else (byte, byte - 256)
    types = ["uint8", "int32"] if builder.dtype == "int8" else ["int8", "int32"]
    builder.pad = replace(builder.pad, value=float(value))
    zero_point_dtype = builder.draw(st.sampled_from(types))
    points = (other,) * len(step.zero_point)
    builder.steps = [replace(step, zero_point=points, zero_point_dtype=zero_point_dtype)]


def change_one_zero_point(builder: CaseBuilder) -> None:
    """Give one channel, not the first, another zero point than the pad value."""
    [step] = builder.steps
    per_group = max(2, builder.channels // builder.groups)
    builder.channels = builder.groups * per_group
    which = builder.draw(st.integers(1, builder.channels - 1))
    points = [int(builder.pad.value)] * builder.channels
    points[which] += 1 if points[which] < dtypes.int_range(step.zero_point_dtype)[1] else -1
    scale = (step.scale[0],) * (builder.channels if len(step.scale) > 1 else 1)
    builder.steps = [replace(step, zero_point=tuple(points), scale=scale)]


def make_zero_point_run_time(builder: CaseBuilder) -> None:
    """Make scale and zero point parameters of the function, so that any value can occur at run time."""
    [step] = builder.steps
    highest = dtypes.int_range(step.zero_point_dtype)[1]
    other = step.zero_point[0] + (1 if step.zero_point[0] < highest else -1)
    points = builder.draw(st.sampled_from([(other,) * len(step.zero_point), step.zero_point]))
    builder.steps = [replace(step, constant=False, zero_point=points)]


def vary_along_padded_axis(builder: CaseBuilder) -> None:
    """Make the scale, or the zero points too, vary along a padded axis."""
    letters = [letter for letter, axis in zip(builder.spec.spatial, builder.axes, strict=True) if any(axis.pad)]
    letter = builder.draw(st.sampled_from(letters))
    axis = builder.axes[builder.spec.spatial.index(letter)]
    length = axis.size + sum(axis.pad)
    [step] = builder.steps
    scale = tuple((1.0, 0.5)[i % 2] for i in range(length))
    points = (step.zero_point[0],) * (length if builder.draw(st.booleans()) else 1)
    builder.steps = [replace(step, axis=letter, scale=scale, zero_point=points)]
