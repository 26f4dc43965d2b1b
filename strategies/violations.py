"""Conditions to break: each takes a legal draft and breaks exactly one thing, so that a pass which forgets it folds.

A name says what is wrong afterwards. The value, the widths and the rest stay such that the fold would otherwise be
legal.
"""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Pad, ops
from foldproof.strategies import values
from foldproof.strategies.axes import axes as spatial_axes
from foldproof.strategies.builder import Draft, cropped, with_ceil

_ONE_BEFORE = st.just((1, 0))


def mirrored(draft: Draft, *, mode: str) -> None:
    """Another mode, whose border is no wider than the data allows. The value stays neutral."""
    reach = 1 if mode == "reflect" else 0
    draft.axes = [replace(a, size=max(a.size, max(a.pad) + reach)) for a in draft.axes]
    draft.pad = replace(draft.pad, mode=mode)


def unknown_mode(draft: Draft) -> None:
    """A mode that TVM does not know, and takes for "constant"."""
    draft.pad = replace(draft.pad, mode=draft.draw(st.sampled_from(values.UNKNOWN_MODES)))


def other_value(draft: Draft) -> None:
    """A value that the consumer does not pad with."""
    wrong = values.above_lowest if draft.spec.family == "max_pool" else values.nonzeros
    draft.pad = replace(draft.pad, value=draft.draw(wrong(draft.dtype)))


def zero_into_max_pool(draft: Draft) -> None:
    """0, which a max_pool of negative data would take for its maximum."""
    draft.dtype = draft.draw(st.sampled_from(tuple(dtype for dtype in ops.DTYPES if dtype != "uint8")))
    draft.pad = replace(draft.pad, value=0.0)


def nearly_lowest(draft: Draft) -> None:
    """The neighbour of the lowest value, or the lowest value of a narrower dtype."""
    draft.dtype, value = draft.draw(st.sampled_from(values.NEARLY_LOWEST))
    draft.pad = replace(draft.pad, value=value)


def fraction(draft: Draft) -> None:
    """A float that would be 0 if it were truncated, as integers are."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    draft.out_dtype = draft.weight_dtype = ""
    draft.pad = replace(draft.pad, value=draft.draw(st.sampled_from([0.5, -0.5, 0.25, 0.99, -0.75])))


def crop_padded_again(draft: Draft) -> None:
    """A crop with own padding behind it, which fills with neutral values what the crop took away."""
    cropped(draft)
    for i, axis in enumerate(draft.axes):
        own = tuple(max(1, p) if width < 0 else p for width, p in zip(axis.pad, axis.padding, strict=True))
        draft.axes[i] = replace(axis, padding=(own[0], own[1])) if not draft.spec.transposed else axis
    draft.count_include_pad = draft.spec.family == "avg_pool"


def batch_padded(draft: Draft) -> None:
    """The batch axis is padded instead, which no padding attribute says."""
    _unpad(draft)
    draft.pad = replace(draft.pad, batch=draft.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])))


def channel_padded(draft: Draft) -> None:
    """Channels alone are added by the pad, so that the consumer sees more than the data has."""
    _unpad(draft)
    more = draft.draw(st.sampled_from([(0, 1), (1, 0), (1, 2)]))
    draft.pad = replace(draft.pad, channel=more)
    if draft.spec.weighted:
        draft.channels = draft.groups * (draft.channels + sum(more)) - sum(more)


def _unpad(draft: Draft) -> None:
    """No spatial axis is padded; each is as long as it was with its border."""
    draft.axes = [replace(axis, pad=(0, 0), size=max(1, axis.size + sum(axis.pad))) for axis in draft.axes]


def weight_padded(draft: Draft) -> None:
    """The same pad on the weight operand; also on its channels, whose padding is no attribute either."""
    rank, transposed = draft.spec.rank, draft.spec.transposed
    padded = spatial_axes(rank=rank, pad=_ONE_BEFORE, transposed=transposed, pads_kernel=True)
    axes = [draft.draw(spatial_axes(rank=rank, transposed=transposed, pads_kernel=True)) for _ in draft.axes]
    if not any(any(axis.pad) for axis in axes):
        axes[0] = draft.draw(padded)
    # A transposed convolution spreads each element over the whole padded kernel: a wide one is dear enough undilated.
    wide = [transposed and sum(axis.pad) > 3 for axis in axes]
    draft.axes = [
        replace(axis, dilation=1, padding=(0, 0)) if is_wide else axis for axis, is_wide in zip(axes, wide, strict=True)
    ]
    draft.pad = Pad(operand="weight")


def padding_excluded(draft: Draft) -> None:
    """Own padding that the divisor leaves out; the explicit zeros are counted."""
    draft.count_include_pad = False
    i = draft.draw(st.integers(0, draft.spec.rank - 1))
    own = draft.draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (0, 2)]))
    draft.axes[i] = replace(draft.axes[i], padding=own)


def ceil_changed(draft: Draft) -> None:
    """ceil_mode, where a fold loses the last window of the first axis."""
    _lose_window(draft, 0)


def ceil_changed_later(draft: Draft) -> None:
    """ceil_mode, where a fold loses the last window of another axis than the first."""
    _lose_window(draft, draft.draw(st.integers(1, draft.spec.rank - 1)))


def _lose_window(draft: Draft, which: int) -> None:
    draft.ceil_mode = True
    draft.axes = [with_ceil(axis, changes=i == which) for i, axis in enumerate(draft.axes)]


def out_of_order(draft: Draft) -> None:
    """A layout whose attributes TVM reads in two ways, with widths that differ between the axes."""
    spec, draw = draft.spec, draft.draw
    swapped = [layout for layout in spec.data_layouts if spec.spatial_order(layout) != spec.spatial]
    draft.data_layout = draw(st.sampled_from(swapped))
    if len({axis.pad for axis in draft.axes}) == 1:
        draft.axes[0] = replace(draft.axes[0], pad=(draft.axes[0].pad[0], draft.axes[0].pad[1] + 1))


def requantized(draft: Draft) -> None:
    """The pad value is a neighbour of the zero point, or 0, or its negative."""
    [step] = draft.steps
    low, high = ops.int_range(draft.dtype)
    zero_point = step.zero_point[0]
    near = (zero_point + 1, 0, zero_point - 1, -zero_point)
    wrong = [value for value in near if low <= value <= high and value != zero_point]
    draft.pad = replace(draft.pad, value=float(draft.draw(st.sampled_from(wrong))))


def other_sign(draft: Draft) -> None:
    """The zero point has the bits of the pad value, but not its sign: 255 and -1 are the same byte."""
    [step] = draft.steps
    draft.dtype = draft.draw(st.sampled_from(["int8", "uint8"]))
    byte = draft.draw(st.sampled_from([255, 128, 130]))
    value, other = (byte - 256, byte) if draft.dtype == "int8" else (byte, byte - 256)
    types = ["uint8", "int32"] if draft.dtype == "int8" else ["int8", "int32"]
    draft.pad = replace(draft.pad, value=float(value))
    zero_point_dtype = draft.draw(st.sampled_from(types))
    points = (other,) * len(step.zero_point)
    draft.steps = [replace(step, zero_point=points, zero_point_dtype=zero_point_dtype)]


def one_channel_requantized(draft: Draft) -> None:
    """One channel, not the first, has another zero point than the pad value."""
    [step] = draft.steps
    per_group = max(2, draft.channels // draft.groups)
    draft.channels = draft.groups * per_group
    which = draft.draw(st.integers(1, draft.channels - 1))
    points = [int(draft.pad.value)] * draft.channels
    points[which] += 1 if points[which] < ops.int_range(step.zero_point_dtype)[1] else -1
    scale = (step.scale[0],) * (draft.channels if len(step.scale) > 1 else 1)
    draft.steps = [replace(step, zero_point=tuple(points), scale=scale)]


def runtime_quantized(draft: Draft) -> None:
    """A parameter of the function: whatever a pass assumes of it, another value stands there at run time."""
    [step] = draft.steps
    highest = ops.int_range(step.zero_point_dtype)[1]
    other = step.zero_point[0] + (1 if step.zero_point[0] < highest else -1)
    points = draft.draw(st.sampled_from([(other,) * len(step.zero_point), step.zero_point]))
    draft.steps = [replace(step, constant=False, zero_point=points)]


def varying_along_padded(draft: Draft) -> None:
    """The scale or the zero points follow a padded axis."""
    letters = [letter for letter, axis in zip(draft.spec.spatial, draft.axes, strict=True) if any(axis.pad)]
    letter = draft.draw(st.sampled_from(letters))
    axis = draft.axes[draft.spec.spatial.index(letter)]
    length = axis.size + sum(axis.pad)
    [step] = draft.steps
    scale = tuple((1.0, 0.5)[i % 2] for i in range(length))
    points = (step.zero_point[0],) * (length if draft.draw(st.booleans()) else 1)
    draft.steps = [replace(step, axis=letter, scale=scale, zero_point=points)]
