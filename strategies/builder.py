"""``CaseBuilder``, a mutable case, and the legal pads that scenarios start from: one function per kind.

draw -> CaseBuilder (channels and sizes before the pad) -> build() -> Case, small enough to run fast
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from hypothesis import strategies as st

from foldproof.case import MIRRORED_MODES, MODES, Axis, Case, Pad, Step, dtypes, ops
from foldproof.strategies import values
from foldproof.strategies.axes import axes as spatial_axes
from foldproof.strategies.axes import crops

MOST_MACS = 10_000
"""The approximate upper limit of multiply-adds. Small cases run fast and show the same defects."""

NARROW = ("int8", "uint8", "int16")
"""Integers whose sums TVM widens if a pool pads."""

_ONE_AND_TWO = st.just((1, 2))


@dataclass
class CaseBuilder:
    """A case under construction. ``channels`` and sizes are those before the pad."""

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
    constant_weight: bool = False
    ceil_mode: bool = False
    count_include_pad: bool = False
    producers: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    symbolic: tuple[str, ...] = ()
    input_stride: int = 1
    extra_outputs: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()

    @property
    def operand_dtype(self) -> str:
        """The dtype after the steps."""
        dtype = self.dtype
        for step in (*self.producers, *self.steps):
            dtype = step.result_dtype(dtype)
        return dtype

    def build(self) -> Case:
        """Return the case, with drawn fills and seed, reduced to few enough multiply-adds."""
        self._vary()
        fits = self.spec.transposed or self.pad.operand == "weight"
        case = Case(
            op=self.spec.name,
            axes=tuple(self.axes if fits else map(_fit, self.axes)),
            dtype=self.dtype,
            pad=self.pad,
            producers=tuple(self.producers),
            steps=tuple(self.steps),
            batch=self.batch,
            channels=self.channels,
            filters=self.filters,
            groups=self.groups,
            data_layout="" if self.data_layout == self.spec.data_layout else self.data_layout,
            kernel_layout="" if self.kernel_layout == self.spec.kernel_layout else self.kernel_layout,
            weight_dtype=self.weight_dtype,
            out_dtype=self.out_dtype,
            constant_weight=self.constant_weight,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            symbolic=self.symbolic,
            input_stride=self.input_stride,
            extra_outputs=self.extra_outputs,
            fills=self.fills or self.draw(values.fills(self.spec.family)),
            seed=self.draw(values.SEEDS),
        )
        return reduce_cost(case)

    def _vary(self) -> None:
        """Sometimes draw another form of the pad, a constant weight or an unknown batch. Legality stays the same."""
        if self.pad.mode in MODES and self.draw(st.sampled_from([False] * 7 + [True])):
            self.pad = replace(self.pad, form="call_tir")
        if self.spec.weighted and self.draw(st.sampled_from([False] * 7 + [True])):
            self.constant_weight = True
        follows_batch = any(step.axis == "N" or step.form == "concat" for step in (*self.producers, *self.steps))
        if not follows_batch and not self.lacks_batch and self.draw(st.sampled_from([False] * 15 + [True])):
            self.symbolic = tuple(dict.fromkeys((*self.symbolic, "N")))

    @property
    def lacks_batch(self) -> bool:
        """Whether a step inserts the batch axis."""
        return any(step.source and "N" not in step.source for step in self.steps)


def _fit(axis: Axis, *, widens_kernel: bool = False) -> Axis:
    """Lengthen the axis until a window fits, after crops by negative own padding. The pad may widen the kernel."""
    extent = (axis.kernel - 1 + (sum(axis.pad) if widens_kernel else 0)) * axis.dilation + 1
    padded = axis.size + (0 if widens_kernel else sum(axis.pad))
    cropped = padded + sum(min(0, own) for own in axis.padding)
    return replace(axis, size=axis.size + max(0, extent - padded - sum(axis.padding), 1 - cropped))


def reduce_cost(case: Case) -> Case:
    """Reduce filters, batch and axes until at most ``MOST_MACS`` multiply-adds are left, as far as that is possible."""
    if case.macs > MOST_MACS and case.filters > case.groups:
        case = replace(case, filters=case.groups)
    if case.macs > MOST_MACS and not any(step.axis == "N" for step in case.steps):
        case = replace(case, batch=1 - min(0, sum(case.pad.batch)))
    fixed = {step.axis for step in case.steps} | {width[0] for step in case.steps for width in step.widths}
    for i, (letter, axis) in enumerate(case.lettered_axes):
        if case.macs > MOST_MACS and letter not in fixed:
            case = replace(case, axes=case.axes[:i] + (_shorten(case, axis),) + case.axes[i + 1 :])
    return case


def _shorten(case: Case, axis: Axis) -> Axis:
    """Shorten the axis to one window or two, with a legal pad. A long dilation stays."""
    mirrored = case.pad.mode in MIRRORED_MODES
    least = max(1, 1 - min(axis.pad), 1 - sum(axis.pad), max(axis.pad) + 1 if mirrored else 0)
    short = replace(axis, size=min(axis.size, least))
    if case.spec.transposed:
        return replace(short, size=axis.size) if sum(axis.padding) else short
    return axis if case.ceil_mode else _fit(short, widens_kernel=case.pads_weight)


# --- legal cases --------------------------------------------------------------------------------------


def legal_pad(
    draw: st.DrawFn,
    spec: ops.Op,
    *,
    dtype: str | None = None,
    ordered: bool = True,
    axes: Sequence[Axis] | None = None,
) -> CaseBuilder:
    """Draw a pad that may be folded: constant, neutral, spatial widths >= 0 and at least one above 0.

    A caller that needs a dtype or ``axes`` of its own passes them. To draw and discard costs time, and makes Hypothesis
    draw equal cases.
    """
    dtype = draw(values.operand_dtypes()) if dtype is None else dtype
    drawn = list(axes or ()) or [_axis(draw, spec) for _ in range(spec.rank)]
    if not any(any(axis.pad) for axis in drawn):
        drawn[0] = draw(spatial_axes(rank=spec.rank, pad=_ONE_AND_TWO, transposed=spec.transposed))
    builder = CaseBuilder(draw, spec, dtype, drawn, Pad())
    builder.batch = draw(st.integers(1, 2))
    builder.data_layout = draw(values.data_layouts(spec, ordered=ordered))
    if spec.weighted:
        _draw_weight(builder, ordered=ordered)
    else:
        builder.channels = draw(st.integers(1, 3))
    builder.pad = Pad(value=draw(values.lowest(dtype) if spec.family == "max_pool" else values.zeros(dtype)))
    if spec.family == "avg_pool":
        builder.count_include_pad = draw(st.booleans())
        if not builder.count_include_pad:
            builder.axes = [replace(axis, padding=(0, 0), size=axis.size + sum(axis.padding)) for axis in builder.axes]
    builder.extra_outputs = draw(st.sampled_from([(), (), (), (), ("returned",), ("read",)]))
    return builder


def _axis(draw: st.DrawFn, spec: ops.Op) -> Axis:
    return draw(spatial_axes(rank=spec.rank, transposed=spec.transposed))


def _draw_weight(builder: CaseBuilder, *, ordered: bool) -> None:
    """Draw channels, filters, groups (one, several, depthwise), kernel layout and output dtype."""
    draw, spec = builder.draw, builder.spec
    builder.groups = draw(st.sampled_from([1, 1, 2, 3]))
    builder.channels = builder.groups * draw(st.integers(1, 2))
    builder.filters = builder.groups * draw(st.integers(1, 2))
    builder.kernel_layout = draw(values.kernel_layouts(spec, ordered=ordered))
    builder.out_dtype = draw(st.sampled_from(values.OUT_DTYPES[builder.dtype]))
    if builder.dtype == "uint8" and builder.out_dtype == "int32" and draw(st.booleans()):
        builder.weight_dtype = "int8"


def identity_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad whose widths are all 0, with any mode and value. A pass deletes it."""
    builder = legal_pad(draw, spec)
    builder.axes = [replace(axis, pad=(0, 0), size=axis.size + sum(axis.pad)) for axis in builder.axes]
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    value = draw(values.nonzeros(builder.dtype)) if mode == "constant" else 0.0
    builder.pad = Pad(mode=mode, value=value)
    return builder


def dequantized_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad of the zero point before a dequantize, which maps it to exactly 0.0."""
    dtype = draw(values.operand_dtypes(quantized=True))
    builder = legal_pad(draw, spec, dtype=dtype)
    zero_point = draw(values.zero_points(dtype))
    # int32 holds every zero point; the narrower dtypes hold those of their own sign.
    fitting = [z for z in dtypes.ZERO_POINT_DTYPES if dtypes.int_range(z)[0] <= zero_point <= dtypes.int_range(z)[1]]
    per_channel = draw(st.booleans())
    scale = draw(st.sampled_from([1.0, 0.5, 0.25, 2.0, 0.1]))
    step = Step(
        zero_point=(zero_point,) * (builder.channels if per_channel else 1),
        zero_point_dtype=draw(st.sampled_from(fitting)),
        scale=(scale,) * (builder.channels if draw(st.booleans()) else 1),
        axis="C",
        out_dtype=draw(st.sampled_from(["float32", "float32", "float16"])),
    )
    builder.steps = [step]
    builder.pad = Pad(value=float(zero_point))
    builder.weight_dtype = ""
    if spec.weighted:
        builder.out_dtype = draw(st.sampled_from(values.OUT_DTYPES[step.out_dtype]))
    return builder


def ceil_with_same_windows(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ceil_mode where a fold keeps the number of windows."""
    builder = legal_pad(draw, spec)
    builder.ceil_mode = True
    builder.axes = [with_ceil(axis, changes=False) for axis in builder.axes]
    return builder


def crop_alone(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a crop without own padding, which becomes negative padding. What is not added may have any value."""
    quantized = spec.family != "max_pool" and draw(st.sampled_from([False, False, True]))
    builder = dequantized_pad(draw, spec) if quantized else legal_pad(draw, spec)
    builder.axes = [replace(axis, padding=(0, 0), size=axis.size + max(0, sum(axis.padding))) for axis in builder.axes]
    crop_axis(builder)
    if not any(width > 0 for axis in builder.axes for width in axis.pad):
        builder.pad = replace(builder.pad, value=draw(values.nonzeros(builder.dtype)))
    return builder


def same_widths_out_of_order(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a layout whose attributes TVM reads in two ways, with widths that mean the same in both."""
    builder = legal_pad(draw, spec, ordered=False)
    widths = builder.axes[0].pad if any(builder.axes[0].pad) else (1, 2)
    builder.axes = [replace(axis, pad=widths, size=axis.size + sum(axis.pad)) for axis in builder.axes]
    return builder


def own_padding_that_crops(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw own padding that crops a part of the explicit pad, so that adding both is right."""
    builder = legal_pad(draw, spec)
    i = draw(st.integers(0, spec.rank - 1))
    own = draw(crops())
    axis = builder.axes[i]
    wider = (max(2, axis.pad[0]), max(2, axis.pad[1]))
    builder.axes[i] = replace(axis, pad=wider, padding=own, size=axis.size + max(0, 1 - sum(own)))
    if spec.pools:
        builder.ceil_mode = draw(st.booleans())
        builder.axes[i] = replace(builder.axes[i], stride=draw(st.integers(1, 3)))
    return builder


def cancelled_padding(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an average of narrow integers whose own padding crops the whole pad, so that nothing widens its sum."""
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(NARROW)))
    builder.axes = [replace(axis, padding=(-axis.pad[0], -axis.pad[1])) for axis in builder.axes]
    return builder


def narrow_average(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw an average of narrow integers without own padding. TVM would widen its sum with the first one."""
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(NARROW)))
    builder.axes = [replace(axis, padding=(0, 0), size=axis.size + max(0, sum(axis.padding))) for axis in builder.axes]
    return builder


# --- geometry that a rule depends on ------------------------------------------------------------------


def crop_axis(builder: CaseBuilder) -> None:
    """Make a width of one axis negative, and lengthen the data by as much."""
    i = builder.draw(st.integers(0, builder.spec.rank - 1))
    sides = builder.draw(crops())
    axis = builder.axes[i]
    size = max(axis.size + sum(axis.pad) - sum(sides), 1 - min(sides), 1 - sum(sides))
    builder.axes[i] = replace(axis, pad=sides, size=size)


def with_ceil(axis: Axis, *, changes: bool) -> Axis:
    """Return the axis with a stride and a trailing pad for which a ceil_mode fold keeps, or loses, a window."""
    before, after = axis.pad
    extent = (axis.kernel - 1) * axis.dilation + 1
    # A window that starts in the trailing pad is lost, which needs a pad about as wide as a window.
    afters = range(after, max(after, extent) + 3) if changes else (after, 1, 0)
    for own in (axis.padding, (axis.padding[0], 0)):
        for after, longer, stride in product(afters, range(6), (max(2, axis.stride), 3, 2)):
            candidate = replace(axis, size=axis.size + longer, stride=stride, pad=(before, after), padding=own)
            if _fit(candidate) == candidate and _ceil_changes(candidate) == changes:
                return candidate
    raise AssertionError(f"no neighbour of {axis} where ceil_mode changes: {changes}")


def _ceil_changes(axis: Axis) -> bool:
    extent = (axis.kernel - 1) * axis.dilation + 1
    before, after = axis.pad
    merged = (axis.padding[0] + before, axis.padding[1] + after)
    unfolded = ops.window_count(axis.size + before + after, extent, axis.stride, axis.padding, ceil_mode=True)
    return ops.window_count(axis.size, extent, axis.stride, merged, ceil_mode=True) != unfolded
