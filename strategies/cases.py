"""Cases: what a case aims at (a rule, or a refusal) is drawn first and uniformly, then what fits it.

    aim --draw--> Draft (a legal case) --break one condition--> Case

A refusal's case is a legal one with exactly one condition broken, so that a pass which forgets that condition folds it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

from hypothesis import strategies as st

from harness import ops
from harness.case import MIRRORED_MODES, Axis, Case, Pad, Step
from strategies import values
from strategies.axes import axes as spatial_axes
from strategies.axes import crops

MOST_MACS = 10_000
"""Multiply-adds of a case at most, about; small cases compile and run fast, and show the same defects."""


_ONE_BEFORE = st.just((1, 0))
_ONE_AND_TWO = st.just((1, 2))


@dataclass
class Draft:
    """A case being drawn. ``channels`` and sizes are those in front of the pad."""

    draw: st.DrawFn
    spec: ops.Op
    dtype: str
    axes: list[Axis]
    pad: Pad
    batch: int = 1
    channels: int = 1
    filters: int = 1
    groups: int = 1
    data_layout: str = ""
    kernel_layout: str = ""
    weight_dtype: str = ""
    out_dtype: str = ""
    ceil_mode: bool = False
    count_include_pad: bool = False
    steps: list[Step] = field(default_factory=list)
    uses: tuple[str, ...] = ()

    def finished(self) -> Case:
        """The case, with fills and seed, and few enough multiply-adds."""
        fits = self.spec.transposed or self.pad.operand == "weight"
        case = Case(
            op=self.spec.name,
            axes=tuple(self.axes if fits else map(_fitted, self.axes)),
            dtype=self.dtype,
            pad=self.pad,
            steps=tuple(self.steps),
            batch=self.batch,
            channels=self.channels,
            filters=self.filters,
            groups=self.groups,
            data_layout="" if self.data_layout == self.spec.data_layout else self.data_layout,
            kernel_layout="" if self.kernel_layout == self.spec.kernel_layout else self.kernel_layout,
            weight_dtype=self.weight_dtype,
            out_dtype=self.out_dtype,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            uses=self.uses,
            fills=self.draw(values.fills(self.spec.family)),
            seed=self.draw(values.SEEDS),
        )
        return _cheaper(case)


def _fitted(axis: Axis) -> Axis:
    """The axis, long enough for a window, and for what negative own padding crops."""
    extent = (axis.kernel - 1) * axis.dilation + 1
    padded = axis.size + sum(axis.pad)
    cropped = padded + sum(min(0, own) for own in axis.padding)
    return replace(axis, size=axis.size + max(0, extent - padded - sum(axis.padding), 1 - cropped))


def _cheaper(case: Case) -> Case:
    """Fewer filters, less batch, shorter axes, until the case costs little enough."""
    if case.macs > MOST_MACS and case.filters > case.groups:
        case = replace(case, filters=case.groups)
    if case.macs > MOST_MACS and not any(step.axis == "N" for step in case.steps):
        case = replace(case, batch=1 - min(0, sum(case.pad.batch)))
    for i, (letter, axis) in enumerate(case.lettered_axes):
        if case.macs > MOST_MACS and not any(step.axis == letter for step in case.steps):
            case = replace(case, axes=case.axes[:i] + (_shorter(case, axis),) + case.axes[i + 1 :])
    return case


def _shorter(case: Case, axis: Axis) -> Axis:
    """The axis with a window or two, and its pad still legal; a longer dilation only costs."""
    mirrored = case.pad.mode in MIRRORED_MODES
    least = max(1, 1 - min(axis.pad), 1 - sum(axis.pad), max(axis.pad) + 1 if mirrored else 0)
    short = replace(axis, size=min(axis.size, least))
    if case.pads_weight or case.spec.transposed:
        return replace(short, size=axis.size) if sum(axis.padding) else short
    return axis if case.ceil_mode else _fitted(short)


# --- legal cases --------------------------------------------------------------------------------------


def _draft(draw: st.DrawFn, spec: ops.Op, *, dtype: str | None = None, ordered: bool = True) -> Draft:
    """A pad that may be folded: constant, neutral, spatial widths >= 0, at least one of them above 0."""
    dtype = draw(values.dtypes()) if dtype is None else dtype
    drawn = [draw(spatial_axes(rank=spec.rank, transposed=spec.transposed)) for _ in range(spec.rank)]
    if not any(any(axis.pad) for axis in drawn):
        drawn[0] = draw(spatial_axes(rank=spec.rank, pad=_ONE_AND_TWO, transposed=spec.transposed))
    draft = Draft(draw, spec, dtype, drawn, Pad())
    draft.batch = draw(st.integers(1, 2))
    draft.data_layout = draw(values.data_layouts(spec, ordered=ordered))
    if spec.weighted:
        _draw_weight(draft, ordered=ordered)
    else:
        draft.channels = draw(st.integers(1, 3))
    draft.pad = Pad(value=draw(values.lowest(dtype) if spec.family == "max_pool" else values.zeros(dtype)))
    if spec.family == "avg_pool":
        draft.count_include_pad = draw(st.booleans())
        if not draft.count_include_pad:
            draft.axes = [replace(axis, padding=(0, 0), size=axis.size + sum(axis.padding)) for axis in draft.axes]
    draft.uses = draw(st.sampled_from([(), (), (), (), ("returned",), ("read",)]))
    return draft


def _draw_weight(draft: Draft, *, ordered: bool) -> None:
    """Channels, filters and groups (one, several, depthwise), kernel layout, output dtype."""
    draw, spec = draft.draw, draft.spec
    draft.groups = draw(st.sampled_from([1, 1, 2, 3]))
    draft.channels = draft.groups * draw(st.integers(1, 2))
    draft.filters = draft.groups * draw(st.integers(1, 2))
    draft.kernel_layout = draw(values.kernel_layouts(spec, ordered=ordered))
    draft.out_dtype = draw(st.sampled_from(values.OUT_DTYPES[draft.dtype]))
    if draft.dtype == "uint8" and draft.out_dtype == "int32" and draw(st.booleans()):
        draft.weight_dtype = "int8"


def _plain(draw: st.DrawFn, spec: ops.Op) -> Draft:
    return _draft(draw, spec)


def _identity(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """All widths 0, whatever the mode and value: such a pad is deleted."""
    draft = _draft(draw, spec)
    draft.axes = [replace(axis, pad=(0, 0), size=axis.size + sum(axis.pad)) for axis in draft.axes]
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    value = draw(values.nonzeros(draft.dtype)) if mode == "constant" else 0.0
    draft.pad = Pad(mode=mode, value=value)
    return draft


def _dequantized(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Pad with the zero point in front of a dequantize, which maps it to exactly 0.0."""
    dtype = draw(values.dtypes(quantized=True))
    draft = _draft(draw, spec, dtype=dtype)
    zero_point = draw(values.zero_points(dtype))
    # int32 holds every zero point; the narrower dtypes those of their own sign.
    fitting = [z for z in ops.ZERO_POINT_DTYPES if ops.int_range(z)[0] <= zero_point <= ops.int_range(z)[1]]
    per_channel = draw(st.booleans())
    scale = draw(st.sampled_from([1.0, 0.5, 0.25, 2.0, 0.1]))
    step = Step(
        zero_point=(zero_point,) * (draft.channels if per_channel else 1),
        zero_point_dtype=draw(st.sampled_from(fitting)),
        scale=(scale,) * (draft.channels if draw(st.booleans()) else 1),
        axis="C",
        out_dtype=draw(st.sampled_from(["float32", "float32", "float16"])),
    )
    draft.steps = [step]
    draft.pad = Pad(value=float(zero_point))
    draft.weight_dtype = ""
    if spec.weighted:
        draft.out_dtype = draw(st.sampled_from(values.OUT_DTYPES[step.out_dtype]))
    return draft


def _ceil_kept(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """ceil_mode, where the windows stay the same when the pad becomes padding."""
    draft = _draft(draw, spec)
    draft.ceil_mode = True
    draft.axes = [_with_ceil(axis, changes=False) for axis in draft.axes]
    return draft


def _crop_alone(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A crop where nothing is padded again: padding that is negative. What is not added may have any value."""
    quantized = spec.family != "max_pool" and draw(st.sampled_from([False, False, True]))
    draft = _dequantized(draw, spec) if quantized else _draft(draw, spec)
    draft.axes = [replace(axis, padding=(0, 0), size=axis.size + max(0, sum(axis.padding))) for axis in draft.axes]
    _cropped(draft)
    if not any(width > 0 for axis in draft.axes for width in axis.pad):
        draft.pad = replace(draft.pad, value=draw(values.nonzeros(draft.dtype)))
    return draft


def _same_widths_out_of_order(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A layout whose attributes TVM reads in two ways, with widths that mean the same in both."""
    draft = _draft(draw, spec, ordered=False)
    widths = draft.axes[0].pad if any(draft.axes[0].pad) else (1, 2)
    draft.axes = [replace(axis, pad=widths, size=axis.size + sum(axis.pad)) for axis in draft.axes]
    return draft


def _cropping_padding(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Own padding that crops: behind a pad it takes away what was added, so that the sum is right."""
    draft = _draft(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    own = draw(crops())
    axis = draft.axes[i]
    draft.axes[i] = replace(axis, padding=own, size=axis.size + max(0, 1 - sum(own)))
    if spec.pools:
        draft.ceil_mode = draw(st.booleans())
        draft.axes[i] = replace(draft.axes[i], stride=draw(st.integers(1, 3)))
    return draft


def _cancelling_padding(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Own padding that takes away all that the pad adds: the sum is no padding at all."""
    draft = _draft(draw, spec)
    draft.axes = [replace(axis, padding=(-axis.pad[0], -axis.pad[1])) for axis in draft.axes]
    return draft


def _narrow_average(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """An integer average whose sum TVM would widen with the first padding of the pool's own."""
    draft = _draft(draw, spec, dtype=draw(st.sampled_from(["int8", "uint8", "int16"])))
    draft.axes = [replace(axis, padding=(0, 0), size=axis.size + max(0, sum(axis.padding))) for axis in draft.axes]
    return draft


# --- one condition broken -----------------------------------------------------------------------------


def _mirrored(draft: Draft) -> None:
    """Another mode; its border is no wider than the data allows."""
    mode = draft.draw(values.mirrored_modes())
    reach = 1 if mode == "reflect" else 0
    draft.axes = [replace(a, size=max(a.size, max(a.pad) + reach)) for a in draft.axes]
    draft.pad = replace(draft.pad, mode=mode)  # the value stays neutral: a pass that ignores the mode folds it


def _unknown_mode(draft: Draft) -> None:
    draft.pad = replace(draft.pad, mode=draft.draw(st.sampled_from(values.UNKNOWN_MODES)))


def _other_value(draft: Draft) -> None:
    wrong = values.above_lowest if draft.spec.family == "max_pool" else values.nonzeros
    draft.pad = replace(draft.pad, value=draft.draw(wrong(draft.dtype)))


def _zero_into_max_pool(draft: Draft) -> None:
    """0, which a max_pool of negative data would take for its maximum."""
    draft.dtype = draft.draw(st.sampled_from(tuple(dtype for dtype in ops.DTYPES if dtype != "uint8")))
    draft.pad = replace(draft.pad, value=0.0)


def _nearly_lowest(draft: Draft) -> None:
    """The neighbour of the lowest value, or the lowest value of a narrower dtype."""
    draft.dtype, value = draft.draw(st.sampled_from(values.NEARLY_LOWEST))
    draft.pad = replace(draft.pad, value=value)


def _fraction(draft: Draft) -> None:
    """A float that would be 0 if it were truncated, as integers are."""
    draft.dtype = draft.draw(st.sampled_from(ops.FLOATS))
    draft.out_dtype = draft.weight_dtype = ""
    draft.pad = replace(draft.pad, value=draft.draw(st.sampled_from([0.5, -0.5, 0.25, 0.99, -0.75])))


def _cropped(draft: Draft) -> None:
    """A negative width on one axis, the data longer by as much."""
    i = draft.draw(st.integers(0, draft.spec.rank - 1))
    sides = draft.draw(crops())
    axis = draft.axes[i]
    size = max(axis.size + sum(axis.pad) - sum(sides), 1 - min(sides), 1 - sum(sides))
    draft.axes[i] = replace(axis, pad=sides, size=size)


def _batch_padded(draft: Draft) -> None:
    draft.pad = replace(draft.pad, batch=draft.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])))


def _channel_padded(draft: Draft) -> None:
    """Channels are added by the pad, so that the consumer sees more than the data has."""
    more = draft.draw(st.sampled_from([(0, 1), (1, 0), (1, 2)]))
    draft.pad = replace(draft.pad, channel=more)
    if draft.spec.weighted:
        draft.channels = draft.groups * (draft.channels + sum(more)) - sum(more)


def _weight_padded(draft: Draft) -> None:
    """The same pad on the weight operand; also on its channels, whose padding is no attribute either."""
    rank, transposed = draft.spec.rank, draft.spec.transposed
    padded = spatial_axes(rank=rank, pad=_ONE_BEFORE, transposed=transposed, pads_kernel=True)
    axes = [draft.draw(spatial_axes(rank=rank, transposed=transposed, pads_kernel=True)) for _ in draft.axes]
    if not any(any(axis.pad) for axis in axes):
        axes[0] = draft.draw(padded)
    draft.axes = axes
    draft.pad = Pad(operand="weight")


def _padding_excluded(draft: Draft) -> None:
    """Own padding that the divisor leaves out; the explicit zeros are counted."""
    draft.count_include_pad = False
    i = draft.draw(st.integers(0, draft.spec.rank - 1))
    own = draft.draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (0, 2)]))
    draft.axes[i] = replace(draft.axes[i], padding=own)


def _ceil_changed(draft: Draft) -> None:
    """ceil_mode, where a fold loses the last window of the first axis."""
    _lose_window(draft, 0)


def _ceil_changed_later(draft: Draft) -> None:
    """ceil_mode, where a fold loses the last window of another axis than the first."""
    _lose_window(draft, draft.draw(st.integers(1, draft.spec.rank - 1)))


def _lose_window(draft: Draft, which: int) -> None:
    draft.ceil_mode = True
    draft.axes = [_with_ceil(axis, changes=i == which) for i, axis in enumerate(draft.axes)]


def _out_of_order(draft: Draft) -> None:
    """A layout whose attributes TVM reads in two ways, with widths that differ between the axes."""
    spec, draw = draft.spec, draft.draw
    swapped = [layout for layout in spec.data_layouts if spec.spatial_order(layout) != spec.spatial]
    draft.data_layout = draw(st.sampled_from(swapped))
    if len({axis.pad for axis in draft.axes}) == 1:
        draft.axes[0] = replace(draft.axes[0], pad=(draft.axes[0].pad[0], draft.axes[0].pad[1] + 1))


def _requantized(draft: Draft) -> None:
    """The pad value is a neighbour of the zero point, or 0, or its negative."""
    [step] = draft.steps
    low, high = ops.int_range(draft.dtype)
    zero_point = step.zero_point[0]
    near = (zero_point + 1, 0, zero_point - 1, -zero_point)
    wrong = [value for value in near if low <= value <= high and value != zero_point]
    draft.pad = replace(draft.pad, value=float(draft.draw(st.sampled_from(wrong))))


def _other_sign(draft: Draft) -> None:
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


def _one_channel_requantized(draft: Draft) -> None:
    """One channel, not the first, has another zero point than the pad value."""
    [step] = draft.steps
    per_group = max(2, draft.channels // draft.groups)
    draft.channels = draft.groups * per_group
    which = draft.draw(st.integers(1, draft.channels - 1))
    points = [int(draft.pad.value)] * draft.channels
    points[which] += 1 if points[which] < ops.int_range(step.zero_point_dtype)[1] else -1
    scale = (step.scale[0],) * (draft.channels if len(step.scale) > 1 else 1)
    draft.steps = [replace(step, zero_point=tuple(points), scale=scale)]


def _runtime_quantized(draft: Draft) -> None:
    """A parameter of the function: whatever a pass assumes of it, another value stands there at run time."""
    [step] = draft.steps
    highest = ops.int_range(step.zero_point_dtype)[1]
    other = step.zero_point[0] + (1 if step.zero_point[0] < highest else -1)
    points = draft.draw(st.sampled_from([(other,) * len(step.zero_point), step.zero_point]))
    draft.steps = [replace(step, constant=False, zero_point=points)]


def _varying_along_padded(draft: Draft) -> None:
    """The scale or the zero points follow a padded axis."""
    letters = [letter for letter, axis in zip(draft.spec.spatial, draft.axes, strict=True) if any(axis.pad)]
    letter = draft.draw(st.sampled_from(letters))
    axis = draft.axes[draft.spec.spatial.index(letter)]
    length = axis.size + sum(axis.pad)
    [step] = draft.steps
    scale = tuple((1.0, 0.5)[i % 2] for i in range(length))
    points = (step.zero_point[0],) * (length if draft.draw(st.booleans()) else 1)
    draft.steps = [replace(step, axis=letter, scale=scale, zero_point=points)]


def _with_ceil(axis: Axis, *, changes: bool) -> Axis:
    """The same axis, with stride and trailing pad such that a fold under ceil_mode keeps, or loses, a window."""
    before, after = axis.pad
    extent = (axis.kernel - 1) * axis.dilation + 1
    # A window that starts in the trailing pad, where only a pad about as wide as a window leaves room, is lost.
    afters = range(after, max(after, extent) + 3) if changes else (after, 1, 0)
    for own in (axis.padding, (axis.padding[0], 0)):
        for after, longer, stride in product(afters, range(6), (max(2, axis.stride), 3, 2)):
            candidate = replace(axis, size=axis.size + longer, stride=stride, pad=(before, after), padding=own)
            if _fitted(candidate) == candidate and _ceil_changes(candidate) == changes:
                return candidate
    raise AssertionError(f"no neighbour of {axis} where ceil_mode changes: {changes}")


def _ceil_changes(axis: Axis) -> bool:
    extent = (axis.kernel - 1) * axis.dilation + 1
    before, after = axis.pad
    merged = (axis.padding[0] + before, axis.padding[1] + after)
    unfolded = ops.window_count(axis.size + before + after, extent, axis.stride, axis.padding, ceil_mode=True)
    return ops.window_count(axis.size, extent, axis.stride, merged, ceil_mode=True) != unfolded


# --- aims ---------------------------------------------------------------------------------------------

CONVS = ("conv",)
POOLS = ("max_pool", "avg_pool")
WEIGHTED = ("conv", "conv_transpose")
ZERO_PADDED = ("conv", "conv_transpose", "avg_pool")
EVERY = ("conv", "conv_transpose", "max_pool", "avg_pool")


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a case is meant to reach. ``start`` draws a legal case; ``breaks``, if any, breaks one condition of it."""

    name: str
    families: tuple[str, ...]
    start: Callable[[st.DrawFn, ops.Op], Draft] = _plain
    breaks: Callable[[Draft], None] | None = None
    ranks: tuple[int, ...] = (1, 2, 3)

    def fits(self, spec: ops.Op) -> bool:
        return spec.family in self.families and spec.rank in self.ranks


FOLDABLE = (
    Aim(name="neutral value", families=EVERY),
    Aim(name="neutral value, transposed", families=("conv_transpose",)),
    Aim(name="all widths 0", families=EVERY, start=_identity),
    Aim(name="zero point through dequantize", families=ZERO_PADDED, start=_dequantized),
    Aim(name="ceil_mode with the same windows", families=POOLS, start=_ceil_kept),
    Aim(name="own padding that crops", families=("conv", "max_pool", "avg_pool"), start=_cropping_padding),
    Aim(name="own padding that cancels", families=("conv", "max_pool", "avg_pool"), start=_cancelling_padding),
    Aim(name="crop without own padding", families=("conv", "max_pool", "avg_pool"), start=_crop_alone),
    Aim(name="same widths, axes out of order", families=CONVS, start=_same_widths_out_of_order, ranks=(2, 3)),
)

UNFOLDABLE = (
    Aim(name="mirrored mode", families=EVERY, breaks=_mirrored),
    Aim(name="unknown mode", families=EVERY, breaks=_unknown_mode),
    Aim(name="other value", families=EVERY, breaks=_other_value),
    Aim(name="zero into max_pool", families=("max_pool",), breaks=_zero_into_max_pool),
    Aim(name="nearly the lowest value", families=("max_pool",), breaks=_nearly_lowest),
    Aim(name="fraction", families=ZERO_PADDED, breaks=_fraction),
    Aim(name="crop", families=EVERY, breaks=_cropped),
    Aim(name="batch padded", families=EVERY, breaks=_batch_padded),
    Aim(name="channels padded", families=EVERY, breaks=_channel_padded),
    Aim(name="weight padded", families=WEIGHTED, breaks=_weight_padded),
    Aim(name="own padding not counted", families=("avg_pool",), breaks=_padding_excluded),
    Aim(name="narrow integer sum", families=("avg_pool",), start=_narrow_average),
    Aim(name="ceil_mode loses a window", families=POOLS, breaks=_ceil_changed),
    Aim(name="ceil_mode loses a later window", families=POOLS, breaks=_ceil_changed_later, ranks=(2, 3)),
    Aim(name="axes out of order", families=CONVS, breaks=_out_of_order, ranks=(2, 3)),
    Aim(name="dequantize to the lowest", families=("max_pool",), start=_dequantized),
    Aim(name="not the zero point", families=ZERO_PADDED, start=_dequantized, breaks=_requantized),
    Aim(name="zero point of the other sign", families=ZERO_PADDED, start=_dequantized, breaks=_other_sign),
    Aim(name="one channel's zero point", families=ZERO_PADDED, start=_dequantized, breaks=_one_channel_requantized),
    Aim(name="run-time zero point", families=ZERO_PADDED, start=_dequantized, breaks=_runtime_quantized),
    Aim(name="varying along a padded axis", families=ZERO_PADDED, start=_dequantized, breaks=_varying_along_padded),
)

AIMS = FOLDABLE + UNFOLDABLE


@cache
def _fitting(aims: tuple[Aim, ...], names: tuple[str, ...]) -> tuple[tuple[Aim, tuple[ops.Op, ...]], ...]:
    specs = tuple(ops.BY_NAME[name] for name in names)
    pairs = ((aim, tuple(spec for spec in specs if aim.fits(spec))) for aim in aims)
    return tuple((aim, fitting) for aim, fitting in pairs if fitting)


@st.composite
def _aimed(draw: st.DrawFn, aims: tuple[Aim, ...], names: tuple[str, ...]) -> Case:
    aim, specs = draw(st.sampled_from(_fitting(aims, names)))
    draft = aim.start(draw, draw(st.sampled_from(specs)))
    if aim.breaks is not None:
        aim.breaks(draft)
    return draft.finished()


@st.composite
def _mixed(draw: st.DrawFn, names: tuple[str, ...]) -> Case:
    """Several conditions broken at once, where they go together; what no aim describes."""
    spec = ops.BY_NAME[draw(st.sampled_from(names))]
    draft = _draft(draw, spec, ordered=False)
    breakers = (_unknown_mode, _other_value, _batch_padded, _channel_padded)
    for breaks in breakers:
        if draw(st.booleans()):
            breaks(draft)
    if spec.pools:
        draft.ceil_mode = draw(st.booleans())
    return draft.finished()


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        if name not in ops.BY_NAME:
            raise ValueError(f"op {name!r} is none of {', '.join(ops.NAMES)}")
    return given or ops.NAMES


def foldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Cases of the named ops (all, if none is named) whose pad may be folded. Raises ValueError for an unknown op."""
    return _aimed(FOLDABLE, _names(names))


def unfoldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Legal cases of the named ops with exactly one condition broken: the pad must stay, but for lucky geometry."""
    return _aimed(UNFOLDABLE, _names(names))


def cases(*names: str) -> st.SearchStrategy[Case]:
    """Cases of the named ops: three in ten foldable, six in ten not, the others with several conditions broken."""
    chosen = _names(names)
    kinds = (_aimed(FOLDABLE, chosen), _aimed(UNFOLDABLE, chosen), _mixed(chosen))
    return st.sampled_from([0, 0, 0, 1, 1, 1, 1, 1, 1, 2]).flatmap(lambda kind: kinds[kind])
