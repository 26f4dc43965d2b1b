"""foldproof.case.shrinking: every candidate is valid, differs and is smaller, so shrinking terminates."""

import math
import random
from dataclasses import replace
from itertools import islice

import pytest

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.shrinking.candidates import simpler
from foldproof.case.step import BINARY, FIELDS

INF, NAN = float("inf"), float("nan")

COMPLICATED = [
    Case(
        op="conv2d",
        axes=(
            Axis(size=9, pad=(1, -2), kernel=3, stride=2, dilation=2, padding=(1, 0)),
            Axis(size=6, pad=(0, 3), kernel=2, padding=(-1, 5)),
        ),
        dtype="int8",
        pad=Pad(value=-5.0, mode="edge", batch=(0, 1), channel=(1, 0)),
        steps=(Step(scale=(0.5, 2.0, 1.0, 3.0), zero_point=(-5,) * 4, zero_point_dtype="int32", out_dtype="float16"),),
        batch=3,
        channels=3,
        filters=6,
        groups=2,
        data_layout="NHWC",
        kernel_layout="HWIO",
        weight_dtype="int16",
        out_dtype="float64",
        extra_outputs=("returned", "read"),
        fills=("negative", "nans"),
        seed=7,
    ),
    Case(
        op="conv3d",
        axes=(
            Axis(size=3, pad=(2, 0), kernel=2),
            Axis(size=4, kernel=2, stride=2, padding=(1, 1)),
            Axis(size=5, pad=(0, 1), kernel=3, dilation=2, padding=(0, 1)),
        ),
        pad=Pad(value=0.75),
        dtype="bfloat16",
        channels=4,
        filters=2,
        groups=2,
        data_layout="NDHWC",
        kernel_layout="ODHWI",
        fills=("reals",),
    ),
    Case(
        op="conv2d_transpose",
        axes=(
            Axis(size=4, pad=(1, 2), kernel=3, stride=3, padding=(2, 1), output_padding=2),
            Axis(size=3, pad=(-1, 1), kernel=2, stride=2, dilation=2),
        ),
        channels=4,
        filters=4,
        groups=4,
        dtype="float64",
        extra_outputs=("read", "read"),
    ),
    Case(
        op="max_pool3d",
        axes=(
            Axis(size=5, pad=(1, 1), kernel=2, stride=2),
            Axis(size=4, pad=(0, 2), kernel=3, stride=1, padding=(1, 0)),
            Axis(size=6, pad=(3, 0), kernel=2, dilation=3, padding=(-1, 2)),
        ),
        pad=Pad(value=-INF),
        dtype="float16",
        channels=3,
        batch=2,
        data_layout="NDHWC",
        ceil_mode=True,
        fills=("specials", "extremes", "specials"),
        seed=41,
    ),
    Case(
        op="avg_pool2d",
        axes=(Axis(size=7, pad=(1, 2), kernel=3, stride=2), Axis(size=7, kernel=2, padding=(1, 0))),
        pad=Pad(value=NAN),
        channels=5,
        data_layout="WNCH",
        ceil_mode=True,
        count_include_pad=True,
        extra_outputs=("returned",),
    ),
    Case(
        op="conv1d",
        axes=(Axis(size=9, kernel=3, pad=(1, 2)),),
        pad=Pad(operand="weight", value=-7.25, batch=(1, 1), channel=(0, -1)),
        channels=4,
        filters=4,
        groups=2,
        dtype="float64",
    ),
    Case(
        op="conv2d",
        axes=(Axis(size=4, pad=(1, 0), kernel=2), Axis(size=3, pad=(0, 1), kernel=2)),
        dtype="uint8",
        pad=Pad(value=128.0),
        steps=(Step(zero_point=(128,) * 4, zero_point_dtype="uint8", axis="W", constant=False),),
        extra_outputs=("returned",),
    ),
    Case(
        op="avg_pool1d",
        axes=(Axis(size=4, pad=(2, 1), kernel=3),),
        dtype="uint8",
        pad=Pad(value=3.0),
        channels=2,
        steps=(Step(scale=(0.25, 0.5), zero_point=(3, 5), zero_point_dtype="uint8"),),
    ),
    Case(
        op="conv2d",
        axes=(Axis(size=5, pad=(3, 3), kernel=3, stride=2), Axis(size=1, kernel=2, padding=(1, 0))),
        producers=(Step(kind="maximum", operand=(-0.5, 3.0), axis="C", swapped=True), Step(kind="abs")),
        pad=Pad(form="call_tir", value=-1.0, channel=(0, 1)),
        steps=(
            Step(kind="multiply", operand=(128.0, -0.5, INF), axis="C", constant=False),
            Step(kind="reshape", source="NUHC"),
            Step(kind="pad", value=2.5, widths=(("W", 1, 2), ("N", 0, 1))),
            Step(kind="permute_dims", source="NHWC"),
        ),
        channels=2,
        filters=3,
        data_layout="NCHW",
        symbolic=("N", "H"),
        input_stride=3,
        constant_weight=True,
        extra_outputs=("step", "returned"),
    ),
    Case(
        op="max_pool3d",
        axes=(Axis(size=2, pad=(1, 0)), Axis(size=4, pad=(0, 2), kernel=2), Axis(size=3, kernel=2)),
        dtype="float16",
        producers=(Step(kind="leakyrelu", alpha=-0.75), Step(kind="clip", low=-3.5, high=1e3), Step(kind="sqrt")),
        pad=Pad(value=-INF, form="call_tir", mode="replicate"),
        steps=(
            Step(kind="quantize", scale=(0.5, 0.25), zero_point=(-3, 4), out_dtype="uint8", axis="C"),
            Step(kind="squeeze", source="NCUDHVW"),
            Step(kind="pad", value=3.0, widths=(("H", 1, -2), ("D", 0, 3))),
            Step(kind="astype", out_dtype="int32"),
        ),
        channels=2,
        symbolic=("W",),
        extra_outputs=("step",),
    ),
    Case(
        op="conv1d",
        axes=(Axis(size=3, pad=(1, 1), kernel=2),),
        dtype="int16",
        steps=(
            Step(kind="divide", operand=(2.0, -3.0, 5.0, 7.0, 2.0), axis="W"),
            Step(kind="astype", out_dtype="float64"),
            Step(kind="subtract", operand=(0.25,), swapped=True),
            Step(kind="expand_dims", source="W"),
        ),
        out_dtype="float32",
        weight_dtype="int8",
        data_layout="WNC",
    ),
]
IDS = [f"{i} {case.op}" for i, case in enumerate(COMPLICATED)]


# --- the order, written a second time by hand ---------------------------------------------------------

DTYPES = ["", "float32", "float16", "float64", "bfloat16", "int8", "uint8", "int16", "int32", "int64"]
FILLS = ["", "integers", "negative", "extremes", "reals", "specials", "nans"]


def weight(case):
    """Return numbers; in a simpler case none of them is larger and at least one is smaller."""
    sides = {
        "pad": [*(w for a in case.axes for w in a.pad), *case.pad.batch, *case.pad.channel],
        "padding": [w for a in case.axes for w in a.padding],
        "zero points": [zero for step in case.steps for zero in step.zero_point],
    }
    return {
        "axes": len(case.axes),
        **{name: sum(getattr(a, name) for a in case.axes) for name in ("size", "kernel", "stride", "dilation")},
        "output_padding": sum(a.output_padding for a in case.axes),
        **{name: sum(map(abs, numbers)) for name, numbers in sides.items()},
        **{f"negative {name}": sum(number < 0 for number in numbers) for name, numbers in sides.items()},
        **{name: getattr(case, name) for name in ("batch", "channels", "filters", "groups", "seed")},
        "flags": case.ceil_mode + case.count_include_pad,
        "extra_outputs": len(case.extra_outputs),
        "fills": sum(map(FILLS.index, case.fills)),
        "dtypes": sum(DTYPES.index(dtype) for dtype in (case.dtype, case.out_dtype)),
        "weight dtype": bool(case.weight_dtype),
        "pad value": weight_of_value(case.pad.value),
        "pad mode": case.pad.mode != "constant",
        "pad operand": case.pad.operand == "weight",
        "pad form": case.pad.form != "op",
        "constant weight": case.constant_weight,
        "symbolic": len(case.symbolic),
        "input stride": case.input_stride,
        **weight_of_steps((*case.steps, *case.producers)),
    }


KINDS = ["relu", "negative", "abs"]


def weight_of_steps(steps):
    nested = [width for step in steps for _, *sides in step.widths for width in sides]
    numbers = [
        (step, name) for step in steps for name in ("low", "high", "alpha", "value") if name in FIELDS[step.kind]
    ]
    operands = [weight_of_value(value) for step in steps if step.kind in BINARY for value in step.operand]
    return {
        "steps": len(steps),
        "parameters": sum(len(step.scale) + len(step.zero_point) + len(step.operand) for step in steps),
        "scales": sum(scale != 1.0 for step in steps for scale in step.scale),
        "step dtypes": sum(
            DTYPES.index(getattr(step, name))
            for step in steps
            for name in ("zero_point_dtype", "out_dtype")
            if name in FIELDS[step.kind]
        ),
        "step axes": sum(step.axis != "C" for step in steps),
        "runtime": sum(not step.constant for step in steps),
        "swapped": sum(step.swapped for step in steps),
        "kinds": sum(KINDS.index(step.kind) if step.kind in KINDS else len(KINDS) for step in steps),
        "binary kinds": sum(BINARY.index(step.kind) for step in steps if step.kind in BINARY),
        "numbers": total([weight_of_value(getattr(step, name)) for step, name in numbers]),
        "operands": total(operands),
        "sources": sum(len(step.source) for step in steps),
        "nested widths": sum(map(abs, nested)),
        "negative nested widths": sum(width < 0 for width in nested),
        "padded axes": sum(len(step.widths) for step in steps),
    }


def total(weights):
    """Return the sum of each component, so that one smaller weight makes the total smaller."""
    return tuple(map(sum, zip(*weights, strict=True))) or (0, 0, 0)


def weight_of_value(value):
    kinds = [value.is_integer(), math.isfinite(value), not math.isnan(value), True]
    return kinds.index(True), abs(value) if math.isfinite(value) else 0.0, math.copysign(1, value) < 0


def weight_of_layouts(case):
    """Return weights that compare only between cases of the same op, since each rank has other layouts."""
    spelled = [(case.data_layout, case.spec.data_layouts), (case.kernel_layout, case.spec.kernel_layouts)]
    return [choices.index(layout) + 1 if layout else 0 for layout, choices in spelled]


def smaller(candidate, case):
    new, old = weight(candidate), weight(case)
    grown = [name for name in old if new[name] > old[name]]
    shrunk = any(new[name] < old[name] for name in old)
    if candidate.op == case.op:
        pairs = list(zip(weight_of_layouts(candidate), weight_of_layouts(case), strict=True))
        grown += [pair for pair in pairs if pair[0] > pair[1]]
        shrunk = shrunk or any(a < b for a, b in pairs)
    return not grown and shrunk


# --- invariants ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", COMPLICATED, ids=IDS)
def test_every_candidate_is_valid_differs_and_is_smaller(case):
    candidates = list(simpler(case))
    assert len(candidates) == len(set(candidates)) > 10
    for candidate in candidates:
        assert candidate != case
        assert Case.from_json(candidate.to_json()) == candidate
        assert smaller(candidate, case), candidate


def simplest(case):
    """Return the case of the same family that cannot be simplified."""
    return Case(op=case.op.replace("2d", "1d").replace("3d", "1d"), axes=(Axis(),))


@pytest.mark.parametrize("case", COMPLICATED, ids=IDS)
def test_following_first_candidates_ends_at_the_simplest_case_within_a_few_steps(case):
    steps, last = 0, case
    while (following := next(simpler(last), None)) is not None:
        steps, last = steps + 1, following
        assert steps <= 60
    assert last == simplest(case)


@pytest.mark.parametrize("case", COMPLICATED, ids=IDS)
def test_following_any_candidates_shrinks_all_the_way_to_the_simplest_case(case):
    for seed in range(6):
        rng, last = random.Random(f"{case.op}{seed}"), case
        while candidates := list(islice(simpler(last), rng.choice([2, 10, 50]))):
            following = rng.choice(candidates)
            assert smaller(following, last), (following, last)
            last = following
        assert last == simplest(case)


@pytest.mark.parametrize("case", COMPLICATED, ids=IDS)
def test_case_simpler_is_this_function(case):
    assert list(case.simpler()) == list(simpler(case))


@pytest.mark.parametrize("op", ["conv1d", "conv1d_transpose", "max_pool1d", "avg_pool1d"])
def test_the_simplest_case_of_a_family_has_no_candidates(op):
    assert list(simpler(Case(op=op, axes=(Axis(),)))) == []


# --- candidates that must be offered ------------------------------------------------------------------

LONG = Case(op="conv1d", axes=(Axis(size=9, kernel=3, pad=(2, -3), padding=(4, 0), stride=2, dilation=2),))
GROUPED = Case(op="conv1d", axes=(Axis(),), channels=6, filters=4, groups=2)
SQUARE = Case(op="conv2d", axes=(Axis(size=4, kernel=2), Axis(size=6, kernel=3)))
QUANTIZED = Case(
    op="conv1d",
    axes=(Axis(size=3, pad=(1, 1)),),
    dtype="int8",
    channels=2,
    pad=Pad(value=5.0),
    steps=(Step(scale=(0.5, 2.0), zero_point=(3, 5)),),
)
UNIFORM = replace(QUANTIZED, steps=(Step(zero_point=(5,)),))

RELU, HALF = Step(kind="relu"), Step(kind="multiply", operand=(0.5,))
CHAIN = Case(
    op="conv2d",
    axes=(Axis(size=3), Axis()),
    batch=2,
    steps=(
        Step(kind="multiply", operand=(1.0, 2.0), axis="N"),
        Step(kind="pad", value=1.0, widths=(("H", 2, 0), ("C", 1, 0))),
        Step(kind="permute_dims", source="NHWC"),
    ),
)


def one_step(case, i, **changes):
    if "operand" in changes:
        changes = {"axis": "C"} | changes
    return replace(case, steps=(*case.steps[:i], replace(case.steps[i], **changes), *case.steps[i + 1 :]))


def one_axis(case, **changes):
    return replace(case, axes=(replace(case.axes[0], **changes),))


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        (LONG, one_axis(LONG, pad=(1, -3))),
        (LONG, one_axis(LONG, pad=(2, 0))),
        (LONG, one_axis(LONG, pad=(2, -2))),
        (LONG, one_axis(LONG, pad=(2, 3))),
        (LONG, one_axis(LONG, padding=(3, 0))),
        (LONG, one_axis(LONG, stride=1)),
        (LONG, one_axis(LONG, dilation=1)),
        (LONG, one_axis(LONG, kernel=2)),
        (LONG, one_axis(LONG, size=8)),
        (LONG, one_axis(LONG, kernel=2, size=7)),  # as many windows as before
        (LONG, one_axis(LONG, dilation=1, size=7)),
        (GROUPED, replace(GROUPED, channels=2)),
        (GROUPED, replace(GROUPED, channels=4)),
        (GROUPED, replace(GROUPED, filters=2)),
        (GROUPED, replace(GROUPED, groups=1)),
        (GROUPED, replace(GROUPED, groups=1, channels=3)),
        (SQUARE, Case(op="conv1d", axes=SQUARE.axes[:1])),
        (SQUARE, Case(op="conv1d", axes=SQUARE.axes[1:])),
        (replace(SQUARE, data_layout="NHWC", kernel_layout="HWIO"), replace(SQUARE, kernel_layout="HWIO")),
        (
            replace(SQUARE, data_layout="NHWC", kernel_layout="HWIO"),
            Case(op="conv1d", axes=SQUARE.axes[1:], data_layout="NWC", kernel_layout="WIO"),
        ),
        (QUANTIZED, replace(QUANTIZED, steps=(Step(scale=(0.5, 2.0), zero_point=(5,)),))),
        (QUANTIZED, replace(QUANTIZED, steps=(Step(scale=(2.0,), zero_point=(3, 5)),))),
        (UNIFORM, replace(UNIFORM, steps=(Step(zero_point=(4,)),))),
        (UNIFORM, replace(UNIFORM, steps=(Step(zero_point=(0,)),), pad=Pad(value=0.0))),  # stays a legal fold
        (replace(UNIFORM, dtype="int8"), replace(UNIFORM, steps=(), dtype="float32")),
        (replace(LONG, pad=Pad(value=-2.5)), replace(LONG, pad=Pad(value=-2.0))),
        (replace(LONG, pad=Pad(value=-2.0)), replace(LONG, pad=Pad(value=2.0))),
        (replace(LONG, pad=Pad(value=-0.0)), LONG),
        (replace(LONG, pad=Pad(value=NAN)), replace(LONG, pad=Pad(value=INF))),
        (replace(LONG, pad=Pad(value=-INF)), replace(LONG, pad=Pad(value=-1.0))),
        (replace(LONG, fills=("reals", "specials")), replace(LONG, fills=("specials",))),
        (replace(LONG, fills=("reals",)), replace(LONG, fills=("negative",))),
        (replace(LONG, extra_outputs=("read", "returned")), replace(LONG, extra_outputs=("returned",))),
        (replace(LONG, seed=9), replace(LONG, seed=8)),
        (replace(LONG, dtype="int8", out_dtype="int32"), replace(LONG, dtype="int8", out_dtype="int16")),
        (replace(LONG, pad=Pad(mode="edge")), LONG),
        (replace(LONG, pad=Pad(form="call_tir")), LONG),
        (replace(LONG, symbolic=("N", "W")), replace(LONG, symbolic=("W",))),
        (replace(LONG, input_stride=3), replace(LONG, input_stride=2)),
        (replace(LONG, constant_weight=True), LONG),
        (replace(LONG, producers=(RELU, HALF)), replace(LONG, producers=(HALF,))),
        (replace(LONG, steps=(RELU, HALF)), replace(LONG, steps=(RELU,))),
        (replace(LONG, steps=(HALF,)), replace(LONG, steps=(RELU,))),
        (replace(LONG, steps=(HALF,)), replace(LONG, steps=(Step(kind="add", operand=(0.5,)),))),
        (replace(LONG, steps=(HALF,)), replace(LONG, steps=(Step(kind="multiply", operand=(0.0,)),))),
        (replace(LONG, steps=(replace(HALF, constant=False),)), replace(LONG, steps=(HALF,))),
        (CHAIN, replace(CHAIN, steps=(CHAIN.steps[0], CHAIN.steps[2]))),  # without the nested pad
        (CHAIN, replace(CHAIN, steps=CHAIN.steps[:2])),  # and x has the layout of the consumer
        (CHAIN, replace(CHAIN, steps=CHAIN.steps[1:])),
        (CHAIN, one_step(CHAIN, 1, widths=(("H", 2, 0),))),
        (CHAIN, one_step(CHAIN, 1, widths=(("H", 1, 0), ("C", 1, 0)))),
        (CHAIN, one_step(CHAIN, 1, value=0.0)),
        (CHAIN, one_step(CHAIN, 0, operand=(2.0,))),
        (CHAIN, replace(one_step(CHAIN, 0, operand=(1.0,), axis="C"), batch=1)),
        (
            CHAIN,  # without W
            Case(
                op="conv1d",
                axes=(Axis(size=3),),
                steps=(
                    CHAIN.steps[0],
                    Step(kind="pad", value=1.0, widths=(("W", 2, 0), ("C", 1, 0))),
                    Step(kind="permute_dims", source="NWC"),
                ),
                batch=2,
            ),
        ),
    ],
)
def test_the_next_simpler_value_of_every_field_is_offered(case, wanted):
    assert wanted in set(simpler(case))


def test_the_largest_change_comes_first():
    assert next(simpler(QUANTIZED)).steps == ()
    assert next(simpler(SQUARE)).op == "conv1d"
