"""Legal cases with rearranged axes, several pads, other forms of the pad, open lengths, constant weights or bounds."""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, ops
from foldproof.strategies.builder import CaseBuilder, dequantized_pad, identity_pad, legal_pad
from foldproof.strategies.chains import (
    add_permute,
    add_unit_axis_removal,
    elementwise_chain,
    insert_step,
    neutral_chain,
    neutral_value,
    settle,
    step,
    ungroup,
)


def permuted_axes(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad in another layout than the consumer's, as ConvertLayout leaves it, among elementwise steps."""
    builder = elementwise_chain(draw, spec)
    builder.steps = builder.steps[: draw(st.integers(0, 2))]
    settle(builder)
    add_permute(builder)
    if draw(st.sampled_from([False, False, True])):  # and the inverse of it
        builder.steps.insert(0, Step(kind="permute_dims", source=builder.data_layout or spec.data_layout))
    return builder


def unit_axes(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw axes of one element that a step inserts or removes between pad and consumer."""
    builder = elementwise_chain(draw, spec)
    builder.steps = builder.steps[: draw(st.integers(0, 2))]
    settle(builder)
    if draw(st.booleans()):
        after = builder.data_layout or spec.data_layout
        kind = draw(st.sampled_from(["expand_dims", "reshape"]))
        insert_step(builder, Step(kind=kind, source=after.replace(_without_length(builder), "")))
    else:
        add_unit_axis_removal(builder)
    return builder


def _without_length(builder: CaseBuilder) -> str:
    """Make an axis have one element and no pad, not the padded one, and return its letter."""
    unpadded = [i for i, axis in enumerate(builder.axes) if not any(axis.pad)]
    if builder.spec.rank > 1 and not unpadded:
        # The padding of a transposed convolution crops what the pad adds, so both go.
        own = (0, 0) if builder.spec.transposed else builder.axes[1].padding
        builder.axes[1] = replace(builder.axes[1], pad=(0, 0), padding=own)
        builder.axes[0] = replace(builder.axes[0], pad=builder.axes[0].pad if any(builder.axes[0].pad) else (1, 2))
        unpadded = [1]
    if builder.spec.rank > 1 and builder.draw(st.booleans()):
        i = unpadded[0]
        before = max(0, builder.axes[i].padding[0])
        builder.axes[i] = Axis(padding=(before, 0)) if not builder.spec.transposed else Axis()
        if builder.spec.family == "avg_pool":
            builder.axes[i] = Axis()
        return builder.spec.spatial[i]
    builder.batch = 1
    return "N"


# --- more pads ----------------------------------------------------------------------------------------


def nested_pads(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a second pad with the value that the first border has there, perhaps after elementwise steps."""
    builder = neutral_chain(draw, spec)
    builder.steps = builder.steps[: draw(st.sampled_from([0, 0, 1, 2]))]
    settle(builder)
    letter = draw(st.sampled_from(spec.spatial))
    sides = draw(st.sampled_from([(1, 0), (0, 2), (1, 1)]))
    builder.steps.append(Step(kind="pad", value=neutral_value(builder), widths=((letter, *sides),)))
    return builder


def nested_channel_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad of the channels between a spatial pad and the consumer. It stays."""
    builder = neutral_chain(draw, spec)
    builder.steps = builder.steps[: draw(st.integers(0, 2))]
    ungroup(builder)
    settle(builder)
    widths = (("C", *draw(st.sampled_from([(0, 1), (1, 0), (0, 2)]))),)
    builder.steps.append(Step(kind="pad", value=neutral_value(builder), widths=widths))
    return builder


def partial_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw widths of batch or channels beside the spatial ones. They stay in a smaller pad."""
    builder = legal_pad(draw, spec)
    pad_batch_or_channels(builder)
    return builder


def pad_batch_or_channels(builder: CaseBuilder) -> None:
    """Add widths of batch or channels to the pad."""
    if builder.draw(st.booleans()):
        builder.pad = replace(builder.pad, batch=builder.draw(st.sampled_from([(0, 1), (1, 0)])))
    else:
        ungroup(builder)
        builder.pad = replace(builder.pad, channel=builder.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])))


# --- other forms --------------------------------------------------------------------------------------


def call_tir_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a pad in the form of the ONNX frontend: also before a chain, with widths 0, and of channels."""
    starts = [legal_pad, identity_pad, partial_pad, neutral_chain] + (
        [] if spec.family == "max_pool" else [dequantized_pad]
    )
    builder = draw(st.sampled_from(starts))(draw, spec)
    builder.pad = replace(builder.pad, form="call_tir")
    return builder


def symbolic_lengths(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw lengths that the types leave open: of the batch, of a spatial axis, of all of them."""
    builder = draw(st.sampled_from([legal_pad, neutral_chain]))(draw, spec)
    letters = tuple("N" if spec.transposed else "N" + spec.spatial)
    builder.symbolic = draw(st.sampled_from([letters, ("N",), letters[-1:]]))
    return builder


def strided_input(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw symbolic lengths after a strided layer, which are expressions, and perhaps a chain after the pad."""
    return _stride(draw(st.sampled_from([legal_pad, neutral_chain]))(draw, spec))


def strided_pad(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw symbolic lengths after a strided layer: a pad as an op, or as the ONNX frontend emits it."""
    return _stride(legal_pad(draw, spec))


def _stride(builder: CaseBuilder) -> CaseBuilder:
    draw, spatial = builder.draw, builder.spec.spatial
    builder.symbolic = draw(st.sampled_from([("N", *spatial), (spatial[-1],), tuple(spatial)]))
    builder.input_stride = draw(st.sampled_from([2, 3]))
    builder.pad = replace(builder.pad, form=draw(st.sampled_from(["call_tir", "call_tir", "op"])))
    return builder


def symbolic_bounded(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw relu, pad with 0, max_pool over symbolic lengths, none of which has a window in the border."""
    builder = bounded_producer(draw, spec)
    builder.producers = [draw(st.sampled_from([step("relu"), step("maximum", 0.0), Step(kind="clip", low=0.0)]))]
    builder.symbolic = draw(st.sampled_from([("N", *spec.spatial), tuple(spec.spatial), (spec.spatial[-1],)]))
    builder.input_stride = draw(st.sampled_from([1, 1, 2]))
    return builder


def symbolic_ceil(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw ceil_mode over symbolic lengths where no length loses a window: the last one always holds data."""
    builder = legal_pad(draw, spec)
    kernel = st.integers(2, 3)
    sides = st.sampled_from([(0, 1), (1, 1), (1, 0)])
    builder.axes = [_hold_last_window(axis, draw(kernel), draw(sides)) for axis in builder.axes]
    builder.ceil_mode = True
    builder.symbolic = draw(st.sampled_from([tuple(spec.spatial), (spec.spatial[-1],)]))
    return builder


def _hold_last_window(axis: Axis, kernel: int, sides: tuple[int, int]) -> Axis:
    """Return the axis with a kernel that is wider than a stride and what the pad adds after the data."""
    stride = max(1, min(axis.stride, kernel - sides[1]))
    return Axis(size=max(axis.size, kernel), pad=sides, kernel=kernel, stride=stride)


def constant_weight(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a weight that the pass can read."""
    builder = draw(st.sampled_from([legal_pad, neutral_chain]))(draw, spec)
    builder.constant_weight = True
    return builder


def bounded_producer(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw relu, pad with 0, max_pool (the stem of Keras' ResNet). No window lies in the border: 0 never wins."""
    builder = legal_pad(draw, spec)
    bound = [step("relu"), step("maximum", 0.0), Step(kind="clip", low=0.0, high=6.0), step("abs")]
    builder.producers = [draw(st.sampled_from(bound))]
    builder.pad = Pad()
    builder.axes = [_reach_data(axis) for axis in builder.axes]
    if not any(any(axis.pad) for axis in builder.axes):
        builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=3)
    return builder


def bounded_by_quantization(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw data that quantization bounds below, with a border of that bound, or of the next value above it."""
    form = draw(st.sampled_from(["relu, quantize", "dequantize, pad", "pad, dequantize", "relu, quantize, dequantize"]))
    builder = legal_pad(
        draw, spec, dtype="float32" if form.startswith("relu") else draw(st.sampled_from(["uint8", "int8"]))
    )
    builder.axes = [_reach_data(axis) for axis in builder.axes]
    if not any(any(axis.pad) for axis in builder.axes):
        builder.axes[0] = Axis(size=max(3, builder.axes[0].size), pad=(1, 1), kernel=3)
    scale, out_dtype = draw(st.sampled_from([0.5, 0.5, 0.1, -0.5])), draw(st.sampled_from(["int8", "uint8"]))
    if form.startswith("relu"):
        point = draw(st.sampled_from([3, 0, 3]))
        quantized = Step(kind="quantize", scale=(scale,), zero_point=(point,), out_dtype=out_dtype)
        builder.producers = [step("relu"), quantized]
        if form.endswith("dequantize"):
            builder.producers.append(replace(quantized, kind="dequantize", out_dtype="float32"))
        builder.pad = Pad(value=draw(st.sampled_from([0.0, 0.0, 0.5])) if form.endswith("dequantize") else float(point))
        return builder
    lowest = 0 if builder.dtype == "uint8" else -128
    point = draw(st.sampled_from([lowest, lowest, lowest + 1]))
    back = Step(kind="dequantize", scale=(scale,), zero_point=(point,), zero_point_dtype="int32")
    if form.startswith("pad"):
        builder.pad, builder.steps = Pad(value=float(draw(st.sampled_from([lowest, point])))), [back]
    else:
        builder.producers, builder.pad = [back], Pad(value=draw(st.sampled_from([0.0, 0.0, -0.0])))
    return builder


def _reach_data(axis: Axis) -> Axis:
    """Narrow the border so that no window lies in it, without own padding."""
    reaches = axis.kernel > 1 and axis.dilation == 1
    before, after = (min(width, 1) if reaches else 0 for width in axis.pad)
    size = axis.size + sum(axis.pad) + max(0, sum(axis.padding))
    return replace(axis, pad=(before, after), padding=(0, 0), size=size)
