"""Legal cases with steps between the pad and its consumer.

    legal CaseBuilder --steps that map the pad value to the neutral value--> CaseBuilder

Chains use written steps only, so that they are legal by construction. A step keeps the neutral value, or makes it of
the pad value.
"""

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from foldproof.case import Step, dtypes, ops
from foldproof.case.step import BINARY, TAKES
from foldproof.strategies import values
from foldproof.strategies.builder import CaseBuilder, legal_pad

Steps = tuple[Step, ...]

MOST_MORE = 3
"""The upper limit of steps after the first one."""


def step(kind: str, *operand: float, swapped: bool = False) -> Step:
    """Return a binary step with these operands, or a step of a kind without numbers."""
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
    Step(kind="maximum", operand=(0.0,), form="call_tir"),
    Step(kind="minimum", operand=(6.0,), form="call_tir"),
    step("add", 0.0),
    step("subtract", 0.0),
    step("multiply", 3.0, swapped=True),
    Step(kind="clip", low=0.0, high=6.0),
    Step(kind="astype", out_dtype="float32"),
)
_KEEPING_ZERO_FLOATS = (
    step("hardswish"),
    step("softsign"),
    step("hardshrink"),
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
_KEEPING_LOWEST_FLOATS = (  # these keep -inf
    step("multiply", 0.5),
    step("divide", 4.0),
    step("add", 1.0),
    step("subtract", 3.0),
    Step(kind="leakyrelu", alpha=0.1),
    Step(kind="astype", out_dtype="float16"),
    step("hardshrink"),
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
    (-1.0, (Step(kind="maximum", operand=(0.0,), form="call_tir"), step("minimum", 6.0))),
    (-7.0, (Step(kind="maximum", operand=(-5.0,), form="call_tir"), step("add", 5.0))),
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
    (3.0, (step("hardswish"), step("subtract", 3.0))),
    (-3.0, (step("hardswish"),)),
    (1.0, (step("softsign"), step("subtract", 0.5))),
    (0.25, (step("hardshrink"),)),
)


# --- what fits a dtype --------------------------------------------------------------------------------


def fits(one: Step, dtype: str) -> bool:
    """Return whether TVM has the step for ``dtype``, including its numbers."""
    numbers = (*(one.operand if one.kind in BINARY else ()), *((one.low, one.high) if one.kind == "clip" else ()))
    if dtype in dtypes.INTEGERS:
        low, high = dtypes.int_range(dtype)
        whole = all(number == int(number) and low <= number <= high for number in numbers)
        divides = one.kind != "divide" or (not one.swapped and not {0.0, -1.0} & set(one.operand))
        return dtype in TAKES[one.kind] and whole and divides
    return dtype in TAKES[one.kind] and all(abs(number) <= dtypes.HIGHEST[dtype] for number in numbers)


@cache
def zero_keepers(dtype: str) -> st.SearchStrategy[Step]:
    """Draw steps that map 0 to 0 in ``dtype``."""
    found = _KEEPING_ZERO + (_KEEPING_ZERO_FLOATS if dtype in dtypes.FLOATS else ())
    return st.sampled_from([one for one in found if fits(one, dtype)])


@cache
def lowest_keepers(dtype: str) -> st.SearchStrategy[Step]:
    """Draw steps that keep what never wins in a max_pool: -inf in floats, the lowest value in integers."""
    found = _KEEPING_LOWEST + (_KEEPING_LOWEST_FLOATS if dtype in dtypes.FLOATS else ())
    return st.sampled_from([one for one in found if fits(one, dtype)])


@cache
def zero_makers(dtype: str) -> st.SearchStrategy[tuple[float, Steps]]:
    """Draw pad values of ``dtype`` with steps that map them to 0."""
    found = _TO_ZERO
    if dtype in dtypes.FLOATS:
        found += _TO_ZERO_SIGNED + _TO_ZERO_FLOATS
    elif not dtype.startswith("u"):
        found += _TO_ZERO_SIGNED
    return st.sampled_from([(value, made) for value, made in found if all(fits(one, dtype) for one in made)])


# --- through elementwise steps ------------------------------------------------------------------------


def neutral_chain(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw one to four steps that keep the neutral value; sometimes one that rearranges axes."""
    builder = elementwise_chain(draw, spec)
    if len(builder.steps) <= MOST_MORE and draw(st.sampled_from([False, False, False, True])):
        add_rearrangement(builder)
    return builder


def elementwise_chain(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw one to four elementwise steps that keep the neutral value."""
    builder = legal_pad(draw, spec)
    if spec.family == "max_pool" and builder.dtype in dtypes.FLOATS:
        builder.pad = replace(builder.pad, value=float("-inf"))
    add_keepers(builder, draw(st.integers(1, 1 + MOST_MORE)))
    return builder


def chain_to_zero(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw a value that one or two steps map to 0, and further steps that keep it there."""
    builder = legal_pad(draw, spec)
    value, made = draw(zero_makers(builder.dtype))
    builder.pad = replace(builder.pad, value=value)
    builder.steps = list(made)
    add_keepers(builder, draw(st.integers(0, 2)))
    return builder


def add_keepers(builder: CaseBuilder, count: int) -> None:
    """Add ``count`` steps that keep the value of the border, sometimes with one number per channel."""
    keepers = lowest_keepers if builder.spec.family == "max_pool" else zero_keepers
    for _ in range(count):
        one = builder.draw(keepers(builder.operand_dtype))
        builder.steps.append(_along_channels(builder, one))
    settle(builder)


def _along_channels(builder: CaseBuilder, one: Step) -> Step:
    """Sometimes return the step with one number per channel, each of which keeps 0 (and -inf)."""
    spread = one.kind in ("multiply", "divide") and one.operand[0] > 0 and builder.channels > 1
    if not spread or not builder.draw(st.sampled_from([False, False, True])):
        return one
    whole = builder.operand_dtype in dtypes.INTEGERS
    factors = [1.0 if whole or i % 2 else 0.5 for i in range(builder.channels)]
    return replace(one, operand=tuple(one.operand[0] * factor for factor in factors))


def settle(builder: CaseBuilder) -> None:
    """Draw the dtypes of weight and result, and further outputs, to fit the steps."""
    builder.weight_dtype = ""
    if builder.spec.weighted:
        builder.out_dtype = builder.draw(st.sampled_from(values.OUT_DTYPES[builder.operand_dtype]))
    builder.extra_outputs = builder.draw(st.sampled_from([(), (), (), (), ("step",), ("returned",), ("read",)]))


# --- through quantization and casts -------------------------------------------------------------------


def quantize_and_dequantize(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw quantize and dequantize with one zero point, or a zero point of 0 before a consumer of integers."""
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.DEQUANTIZED_DTYPES)))
    out_dtype = draw(st.sampled_from(dtypes.REQUANTIZED_DTYPES))
    back = spec.family == "avg_pool" or draw(st.booleans())
    zero_point = draw(values.zero_points(out_dtype)) if back else 0
    zero_point_dtype = draw(st.sampled_from([out_dtype, "int32"]))
    scale = draw(st.sampled_from([0.5, 1.0, 0.1, 2.0]))
    per_channel = draw(st.sampled_from([1, builder.channels]))
    quantize = Step(
        kind="quantize",
        scale=(scale,) * per_channel,
        zero_point=(zero_point,) * per_channel,
        zero_point_dtype=zero_point_dtype,
        out_dtype=out_dtype,
    )
    builder.steps = [quantize]
    if back:
        builder.steps.append(replace(quantize, kind="dequantize", out_dtype="float32"))
    settle(builder)
    return builder


def cast_in_range(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw floats that a clip keeps in the range of int8 and a cast to integers, perhaps with a rounding between."""
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(dtypes.FLOATS)))
    rounding = draw(st.sampled_from(ROUNDING))
    wide = (
        ["int32"] if spec.family == "avg_pool" else ["int8", "int32", "int16"]
    )  # an average widens the sum of narrower ones
    cast = Step(kind="astype", out_dtype=draw(st.sampled_from(wide)))
    chains: tuple[Steps, ...] = ((CLIP, cast), (CLIP, rounding, cast), (rounding, CLIP, cast), (cast,))
    chain = draw(st.sampled_from(chains))
    builder.steps = list(chain)
    builder.producers = [CLIP] if len(chain) == 1 else []
    settle(builder)
    return builder


def quantized_stem(draw: st.DrawFn, spec: ops.Op) -> CaseBuilder:
    """Draw the stem of a quantized ResNet (pad, multiply, round, clip, cast to int8), perhaps with padded channels."""
    builder = legal_pad(draw, spec, dtype=draw(st.sampled_from(["float32", "float16"])))
    cast = Step(kind="astype", out_dtype="int8")
    builder.steps = [step("multiply", 128.0), step("round"), CLIP, cast]
    if builder.groups == 1:
        builder.pad = replace(builder.pad, channel=draw(st.sampled_from([(0, 0), (0, 1)])))
    settle(builder)
    builder.out_dtype = "int32" if spec.weighted else ""
    return builder


# --- steps that rearrange axes ------------------------------------------------------------------------


def add_permute(builder: CaseBuilder) -> None:
    """Insert a permute from a standard layout, or from its reverse."""
    first, last = "NC" + builder.spec.spatial, "N" + builder.spec.spatial + "C"
    after = builder.data_layout or builder.spec.data_layout
    sources = [layout for layout in (first, last, last[::-1], first[::-1]) if layout != after]
    insert_step(builder, Step(kind="permute_dims", source=builder.draw(st.sampled_from(sources))))


def add_rearrangement(builder: CaseBuilder) -> None:
    """Insert a step that rearranges axes or removes an axis of one element."""
    if builder.draw(st.booleans()):
        add_permute(builder)
    else:
        add_unit_axis_removal(builder)


def add_unit_axis_removal(builder: CaseBuilder) -> None:
    """Insert a step that removes an axis of one element."""
    after = builder.data_layout or builder.spec.data_layout
    place = builder.draw(st.integers(0, len(after)))
    kind = builder.draw(st.sampled_from(["squeeze", "reshape"]))
    insert_step(builder, Step(kind=kind, source=after[:place] + "U" + after[place:]))


def insert_step(builder: CaseBuilder, moved: Step) -> None:
    """Insert a step at a random place of the chain."""
    place = builder.draw(st.integers(0, len(builder.steps)))
    builder.steps.insert(place, moved)


# --- values that builders share ------------------------------------------------------------------------


def neutral_value(builder: CaseBuilder) -> float:
    """Return what the consumer pads with, in the dtype of its operand."""
    if builder.spec.family != "max_pool":
        return 0.0
    dtype = builder.operand_dtype
    return float("-inf") if dtype in dtypes.FLOATS else float(dtypes.int_range(dtype)[0])


def ungroup(builder: CaseBuilder) -> None:
    """Reduce the groups to one, which every number of channels is divisible by."""
    if builder.groups > 1:
        builder.filters, builder.groups = max(1, builder.filters // builder.groups), 1
