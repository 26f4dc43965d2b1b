"""Legal cases whose axes move, whose pads are several or have another form; open lengths, constant weights, bounds."""

from dataclasses import replace

from hypothesis import strategies as st

from foldproof.case import Axis, Pad, Step, ops
from foldproof.strategies.builder import Draft, dequantized, identity, legal
from foldproof.strategies.chains import computed, kept_neutral, neutral, settle, step, ungroup
from foldproof.strategies.moves import drop_unit, permute, put_in


def permuted(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The pad in another layout than the consumer's, as ConvertLayout leaves it; elementwise steps around."""
    draft = computed(draw, spec)
    draft.steps = draft.steps[: draw(st.integers(0, 2))]
    settle(draft)
    permute(draft)
    if draw(st.sampled_from([False, False, True])):  # there and back
        draft.steps.insert(0, Step(kind="permute_dims", source=draft.data_layout or spec.data_layout))
    return draft


def unit_axes(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Axes of one element that are inserted, or taken away, between pad and consumer."""
    draft = computed(draw, spec)
    draft.steps = draft.steps[: draw(st.integers(0, 2))]
    settle(draft)
    if draw(st.booleans()):
        behind = draft.data_layout or spec.data_layout
        kind = draw(st.sampled_from(["expand_dims", "reshape"]))
        put_in(draft, Step(kind=kind, source=behind.replace(_without_length(draft), "")))
    else:
        drop_unit(draft)
    return draft


def _without_length(draft: Draft) -> str:
    """The letter of an axis that has come to be of one element, without a pad: another than the one that is padded."""
    idle = [i for i, axis in enumerate(draft.axes) if not any(axis.pad)]
    if draft.spec.rank > 1 and not idle:
        # A transposed convolution crops what a pad adds by its padding, which goes with it.
        own = (0, 0) if draft.spec.transposed else draft.axes[1].padding
        draft.axes[1] = replace(draft.axes[1], pad=(0, 0), padding=own)
        draft.axes[0] = replace(draft.axes[0], pad=draft.axes[0].pad if any(draft.axes[0].pad) else (1, 2))
        idle = [1]
    if draft.spec.rank > 1 and draft.draw(st.booleans()):
        i = idle[0]
        before = max(0, draft.axes[i].padding[0])
        draft.axes[i] = Axis(padding=(before, 0)) if not draft.spec.transposed else Axis()
        if draft.spec.family == "avg_pool":
            draft.axes[i] = Axis()
        return draft.spec.spatial[i]
    draft.batch = 1
    return "N"


# --- more pads ----------------------------------------------------------------------------------------


def nested(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A second pad with the value that the first one has there; elementwise steps between now and then."""
    draft = kept_neutral(draw, spec)
    draft.steps = draft.steps[: draw(st.sampled_from([0, 0, 1, 2]))]
    settle(draft)
    letter = draw(st.sampled_from(spec.spatial))
    sides = draw(st.sampled_from([(1, 0), (0, 2), (1, 1)]))
    draft.steps.append(Step(kind="pad", value=neutral(draft), widths=((letter, *sides),)))
    return draft


def nested_channels(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A pad of the channels, or of the batch, between a spatial pad and the consumer: it stays."""
    draft = kept_neutral(draw, spec)
    draft.steps = draft.steps[: draw(st.integers(0, 2))]
    ungroup(draft)
    settle(draft)
    widths = (("C", *draw(st.sampled_from([(0, 1), (1, 0), (0, 2)]))),)
    draft.steps.append(Step(kind="pad", value=neutral(draft), widths=widths))
    return draft


def partial_pad(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Widths of the batch, or of the channels, beside the spatial ones: those stay in a smaller pad."""
    draft = legal(draw, spec)
    widened(draft)
    return draft


def widened(draft: Draft) -> None:
    """Widths of the batch or of the channels, whatever else the pad has."""
    if draft.draw(st.booleans()):
        draft.pad = replace(draft.pad, batch=draft.draw(st.sampled_from([(0, 1), (1, 0)])))
    else:
        ungroup(draft)
        draft.pad = replace(draft.pad, channel=draft.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)])))


# --- other forms --------------------------------------------------------------------------------------


def as_call_tir(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The pad as the ONNX frontend has it; also in front of a chain, idle, and of channels."""
    starts = [legal, identity, partial_pad, kept_neutral] + ([] if spec.family == "max_pool" else [dequantized])
    draft = draw(st.sampled_from(starts))(draw, spec)
    draft.pad = replace(draft.pad, form="call_tir")
    return draft


def symbolic(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Lengths that the types leave open: of the batch, of a spatial axis, of all of them."""
    draft = draw(st.sampled_from([legal, kept_neutral]))(draw, spec)
    letters = tuple("N" if spec.transposed else "N" + spec.spatial)
    draft.symbolic = draw(st.sampled_from([letters, ("N",), letters[-1:]]))
    return draft


def constant_weight(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A weight that the pass can read."""
    draft = draw(st.sampled_from([legal, kept_neutral]))(draw, spec)
    draft.constant_weight = True
    return draft


def bounded_below(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """relu, pad with 0, max_pool (the stem of Keras' ResNet): no window lies wholly in the border, so 0 never wins."""
    draft = legal(draw, spec)
    bound = [step("relu"), step("maximum", 0.0), Step(kind="clip", low=0.0, high=6.0), step("abs")]
    draft.front = [draw(st.sampled_from(bound))]
    draft.pad = Pad()
    draft.axes = [_reaching_data(axis) for axis in draft.axes]
    if not any(any(axis.pad) for axis in draft.axes):
        draft.axes[0] = Axis(size=max(3, draft.axes[0].size), pad=(1, 1), kernel=3)
    return draft


def _reaching_data(axis: Axis) -> Axis:
    """The axis with a border that no window of it lies in, and no own padding."""
    reaches = axis.kernel > 1 and axis.dilation == 1
    before, after = (min(width, 1) if reaches else 0 for width in axis.pad)
    size = axis.size + sum(axis.pad) + max(0, sum(axis.padding))
    return replace(axis, pad=(before, after), padding=(0, 0), size=size)
