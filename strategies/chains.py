"""Legal cases with something between the pad and its consumer, or in front of the pad, or with more than one pad.

    legal draft --steps through which the pad value becomes what the consumer pads with--> Draft

Every step is one of a few written ones, so that a chain is legal by construction: it keeps 0 at 0 (or the lowest value
the lowest), or turns the pad value into it.
"""

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from harness import ops
from harness.case import Axis, Pad, Step
from harness.step import BINARY, TAKES
from strategies import values
from strategies.drafts import Draft, dequantized, identity, legal

Steps = tuple[Step, ...]

MOST_MORE = 3
"""Steps behind the first one of a chain, at most."""


def step(kind: str, *operand: float, swapped: bool = False) -> Step:
    """A binary step, or one of a kind without numbers."""
    return Step(kind=kind, operand=operand, swapped=swapped) if operand else Step(kind=kind)


CLIP = Step(kind="clip", low=-127.0, high=127.0)
ROUNDING = (step("round"), step("floor"), step("ceil"), step("trunc"))

_KEEPING_ZERO = (
    step("relu"),
    step("multiply", 128.0),
    CLIP,
    step("divide", 2.0),
    step("abs"),
    step("square"),
    step("round"),
    step("floor"),
    step("ceil"),
    step("trunc"),
    step("negative"),
    step("sign"),
    step("maximum", 0.0),
    step("maximum", 0.0, swapped=True),
    step("minimum", 6.0),
    step("minimum", 0.0),
    step("add", 0.0),
    step("subtract", 0.0),
    step("multiply", 3.0, swapped=True),
    Step(kind="clip", low=0.0, high=6.0),
    Step(kind="astype", out_dtype="float32"),
)
_KEEPING_ZERO_FLOATS = (
    step("sqrt"),
    step("multiply", 0.1),
    step("divide", 127.5),
    step("multiply", -0.5),
    step("maximum", -0.5),
    Step(kind="leakyrelu", alpha=0.1),
    Step(kind="leakyrelu", alpha=-2.0),
    Step(kind="astype", out_dtype="float64"),
    Step(kind="astype", out_dtype="float16"),
)
_KEEPING_LOWEST = (
    step("minimum", 6.0),
    step("minimum", -3.0, swapped=True),
    step("round"),
    step("floor"),
    step("ceil"),
    step("trunc"),
)
_KEEPING_LOWEST_FLOATS = (  # of -inf
    step("multiply", 0.5),
    step("divide", 4.0),
    step("add", 1.0),
    step("subtract", 3.0),
    Step(kind="leakyrelu", alpha=0.1),
    Step(kind="astype", out_dtype="float16"),
    Step(kind="quantize", zero_point=(3,), out_dtype="int8"),
)

_TO_ZERO: tuple[tuple[float, Steps], ...] = (
    (127.0, (step("subtract", 127.0),)),
    (7.0, (step("subtract", 7.0, swapped=True),)),
    (64.0, (step("divide", 64.0), step("subtract", 1.0))),
    (3.0, (step("multiply", 4.0), step("subtract", 12.0))),
    (5.0, (step("multiply", 0.0),)),
    (2.0, (step("minimum", 0.0),)),
    (1.0, (step("divide", 2.0), step("floor"))),
)
_TO_ZERO_SIGNED: tuple[tuple[float, Steps], ...] = (
    (-3.0, (step("relu"),)),
    (-7.0, (step("add", 7.0),)),
    (-2.0, (Step(kind="clip", low=0.0, high=6.0),)),
    (-1.0, (step("maximum", 0.0),)),
    (3.0, (step("negative"), step("relu"))),
)
_TO_ZERO_FLOATS: tuple[tuple[float, Steps], ...] = (
    (127.5, (step("divide", 127.5), step("subtract", 1.0))),
    (0.5, (step("round"),)),
    (-0.5, (step("ceil"),)),
    (0.75, (step("floor"),)),
    (-0.75, (step("trunc"),)),
    (float("nan"), (step("relu"),)),
    (float("-inf"), (step("relu"),)),
    (float("nan"), (step("multiply", 0.0),)),
    (float("nan"), (step("maximum", 0.0),)),
    (float("inf"), (step("divide", 1.0, swapped=True),)),
    (0.25, (step("sqrt"), step("subtract", 0.5))),
)


# --- what fits a dtype --------------------------------------------------------------------------------


def fits(one: Step, dtype: str) -> bool:
    """Whether TVM has the step for ``dtype``, its numbers included."""
    numbers = (*(one.operand if one.kind in BINARY else ()), *((one.low, one.high) if one.kind == "clip" else ()))
    if dtype in ops.INTEGERS:
        low, high = ops.int_range(dtype)
        whole = all(number == int(number) and low <= number <= high for number in numbers)
        divides = one.kind != "divide" or (not one.swapped and not {0.0, -1.0} & set(one.operand))
        return dtype in TAKES[one.kind] and whole and divides
    return dtype in TAKES[one.kind] and all(abs(number) <= ops.HIGHEST[dtype] for number in numbers)


@cache
def zero_keepers(dtype: str) -> st.SearchStrategy[Step]:
    """Steps that make 0 of 0 in ``dtype``."""
    found = _KEEPING_ZERO + (_KEEPING_ZERO_FLOATS if dtype in ops.FLOATS else ())
    return st.sampled_from([one for one in found if fits(one, dtype)])


@cache
def lowest_keepers(dtype: str) -> st.SearchStrategy[Step]:
    """Steps that keep what never wins in a max_pool: -inf in floats, the lowest value in integers."""
    found = _KEEPING_LOWEST + (_KEEPING_LOWEST_FLOATS if dtype in ops.FLOATS else ())
    return st.sampled_from([one for one in found if fits(one, dtype)])


@cache
def zero_makers(dtype: str) -> st.SearchStrategy[tuple[float, Steps]]:
    """Pad values of ``dtype`` with steps that make 0 of them."""
    found = _TO_ZERO
    if dtype in ops.FLOATS:
        found += _TO_ZERO_SIGNED + _TO_ZERO_FLOATS
    elif not dtype.startswith("u"):
        found += _TO_ZERO_SIGNED
    return st.sampled_from([(value, made) for value, made in found if all(fits(one, dtype) for one in made)])


# --- through elementwise steps ------------------------------------------------------------------------


def kept_neutral(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A neutral value that each of one to four steps leaves neutral; now and then one of them moves axes."""
    draft = computed(draw, spec)
    if len(draft.steps) <= MOST_MORE and draw(st.sampled_from([False, False, False, True])):
        move(draft)
    return draft


def computed(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A neutral value that each of one to four elementwise steps leaves neutral."""
    draft = legal(draw, spec)
    if spec.family == "max_pool" and draft.dtype in ops.FLOATS:
        draft.pad = replace(draft.pad, value=float("-inf"))
    add_keepers(draft, draw(st.integers(1, 1 + MOST_MORE)))
    return draft


def made_zero(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """A value that one or two steps turn into 0, and others keep there."""
    draft = legal(draw, spec)
    value, made = draw(zero_makers(draft.dtype))
    draft.pad = replace(draft.pad, value=value)
    draft.steps = list(made)
    add_keepers(draft, draw(st.integers(0, 2)))
    return draft


def add_keepers(draft: Draft, count: int) -> None:
    """So many more steps that keep the border's value; numbers along the channels now and then."""
    keepers = lowest_keepers if draft.spec.family == "max_pool" else zero_keepers
    for _ in range(count):
        one = draft.draw(keepers(draft.operand_dtype))
        draft.steps.append(_along_channels(draft, one))
    settle(draft)


def _along_channels(draft: Draft, one: Step) -> Step:
    """The step with numbers of each channel, which keep 0 at 0 (and -inf at -inf) alike."""
    spread = one.kind in ("multiply", "divide") and one.operand[0] > 0 and draft.channels > 1
    if not spread or not draft.draw(st.sampled_from([False, False, True])):
        return one
    whole = draft.operand_dtype in ops.INTEGERS
    factors = [1.0 if whole or i % 2 else 0.5 for i in range(draft.channels)]
    return replace(one, operand=tuple(one.operand[0] * factor for factor in factors))


def settle(draft: Draft) -> None:
    """A weight and a result of dtypes that go with what the steps made."""
    draft.weight_dtype = ""
    if draft.spec.weighted:
        draft.out_dtype = draft.draw(st.sampled_from(values.OUT_DTYPES[draft.operand_dtype]))
    draft.uses = draft.draw(st.sampled_from([(), (), (), (), ("step",), ("returned",), ("read",)]))


# --- through quantization and casts -------------------------------------------------------------------


def requantized(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Zero through quantize and dequantize with the same zero point; or a zero point of 0, and integers behind."""
    draft = legal(draw, spec, dtype=draw(st.sampled_from(ops.DEQUANTIZED_DTYPES)))
    out_dtype = draw(st.sampled_from(ops.REQUANTIZED_DTYPES))
    back = spec.family == "avg_pool" or draw(st.booleans())
    zero_point = draw(values.zero_points(out_dtype)) if back else 0
    zero_point_dtype = draw(st.sampled_from([out_dtype, "int32"]))
    scale = draw(st.sampled_from([0.5, 1.0, 0.1, 2.0]))
    per_channel = draw(st.sampled_from([1, draft.channels]))
    quantize = Step(
        kind="quantize",
        scale=(scale,) * per_channel,
        zero_point=(zero_point,) * per_channel,
        zero_point_dtype=zero_point_dtype,
        out_dtype=out_dtype,
    )
    draft.steps = [quantize]
    if back:
        draft.steps.append(replace(quantize, kind="dequantize", out_dtype="float32"))
    settle(draft)
    return draft


def cast_in_range(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """Floats that a clip keeps within int8, cast to it; with a rounding between, or the clip in front of the pad."""
    draft = legal(draw, spec, dtype=draw(st.sampled_from(ops.FLOATS)))
    rounding = draw(st.sampled_from(ROUNDING))
    wide = ["int32"] if spec.family == "avg_pool" else ["int8", "int32", "int16"]  # it widens the sum of narrow ones
    cast = Step(kind="astype", out_dtype=draw(st.sampled_from(wide)))
    chains: tuple[Steps, ...] = ((CLIP, cast), (CLIP, rounding, cast), (rounding, CLIP, cast), (cast,))
    chain = draw(st.sampled_from(chains))
    draft.steps = list(chain)
    draft.front = [CLIP] if len(chain) == 1 else []
    settle(draft)
    return draft


def quantized_stem(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The quantized ResNet: pad, multiply, round, clip, cast to int8; a pad of the channels is in front instead."""
    draft = legal(draw, spec, dtype=draw(st.sampled_from(["float32", "float16"])))
    cast = Step(kind="astype", out_dtype="int8")
    draft.steps = [step("multiply", 128.0), step("round"), CLIP, cast]
    if draft.groups == 1:
        draft.pad = replace(draft.pad, channel=draw(st.sampled_from([(0, 0), (0, 1)])))
    settle(draft)
    draft.out_dtype = "int32" if spec.weighted else ""
    return draft


# --- through moved and unit axes ----------------------------------------------------------------------


def permuted(draw: st.DrawFn, spec: ops.Op) -> Draft:
    """The pad in another layout than the consumer's, as ConvertLayout leaves it; elementwise steps around."""
    draft = computed(draw, spec)
    draft.steps = draft.steps[: draw(st.integers(0, 2))]
    settle(draft)
    permute(draft)
    if draw(st.sampled_from([False, False, True])):  # there and back
        draft.steps.insert(0, Step(kind="permute_dims", source=draft.data_layout or spec.data_layout))
    return draft


def permute(draft: Draft) -> None:
    """The standard layouts, or their letters backwards, in front of some step."""
    first, last = "NC" + draft.spec.spatial, "N" + draft.spec.spatial + "C"
    behind = draft.data_layout or draft.spec.data_layout
    sources = [layout for layout in (first, last, last[::-1], first[::-1]) if layout != behind]
    put_in(draft, Step(kind="permute_dims", source=draft.draw(st.sampled_from(sources))))


def move(draft: Draft) -> None:
    """Axes that a step moves, or one of one element that it takes away."""
    if draft.draw(st.booleans()):
        permute(draft)
    else:
        drop_unit(draft)


def drop_unit(draft: Draft) -> None:
    """A unit axis somewhere in front of some step."""
    behind = draft.data_layout or draft.spec.data_layout
    place = draft.draw(st.integers(0, len(behind)))
    kind = draft.draw(st.sampled_from(["squeeze", "reshape"]))
    put_in(draft, Step(kind=kind, source=behind[:place] + "U" + behind[place:]))


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


def put_in(draft: Draft, moved: Step) -> None:
    """A structural step at some place of the chain."""
    place = draft.draw(st.integers(0, len(draft.steps)))
    draft.steps.insert(place, moved)


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


def neutral(draft: Draft) -> float:
    """What the consumer pads with, in the dtype of its operand."""
    if draft.spec.family != "max_pool":
        return 0.0
    dtype = draft.operand_dtype
    return float("-inf") if dtype in ops.FLOATS else float(ops.int_range(dtype)[0])


def ungroup(draft: Draft) -> None:
    """One group, which any number of channels divides into."""
    if draft.groups > 1:
        draft.filters, draft.groups = max(1, draft.filters // draft.groups), 1


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
