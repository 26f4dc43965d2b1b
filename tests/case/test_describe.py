"""foldproof.case.describe: a case as text, line by line."""

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.describe import describe


def test_a_minimal_case():
    case = Case(op="conv2d", axes=(Axis(size=4, pad=(1, 0), kernel=2), Axis(size=5, padding=(0, 1))), dtype="int8")
    assert describe(case).splitlines() == [
        "conv2d NCHW/OIHW int8, data (1, 1, 4, 5), 1 filter",
        "  pad        constant 0.0",
        "  H          size 4, pad (1, 0), kernel 2",
        "  W          size 5, kernel 1, padding (0, 1)",
        "  inputs     fills integers; seed 0",
    ]


def test_every_part_of_a_chain_has_a_line():
    case = Case(
        op="conv1d",
        axes=(Axis(size=5, pad=(3, 0), kernel=3),),
        producers=(Step(kind="maximum", operand=(-0.5, 3.0), swapped=True), Step(kind="relu")),
        pad=Pad(form="call_tir", value=-1.0, channel=(0, 1)),
        steps=(
            Step(kind="multiply", operand=(128.0,), constant=False),
            Step(kind="squeeze", source="NUCW"),
            Step(kind="pad", value=2.5, widths=(("W", 1, -2), ("N", 0, 1))),
            Step(kind="quantize", scale=(0.5,), zero_point=(3,), out_dtype="uint8"),
        ),
        channels=2,
        symbolic=("W",),
        input_stride=2,
        constant_weight=True,
        out_dtype="int32",
        extra_outputs=("step", "read"),
    )
    assert describe(case).splitlines() == [
        "conv1d NCW/OIW float32 -> int32, data NUCW (1, 1, 2, 9), symbolic W, 1 constant filter",
        "  before pad strided_slice of the spatial axes, stride 2",
        "  before pad maximum([-0.5, 3], x), along C",
        "  before pad relu",
        "  pad        constant -1.0, as a call_tir, C (0, 1)",
        "  W          size 5, pad (3, 0), kernel 3",
        "  after pad  x * 128, passed at run time",
        "  after pad  squeeze NUCW -> NCW",
        "  after pad  pad 2.5, W (1, -2), N (0, 1)",
        "  after pad  quantize scale 0.5, zero point 3 (int8) -> uint8",
        "  outputs    result, first step after the pad, padded + padded",
        "  inputs     fills integers; seed 0",
    ]


def test_steps_show_their_numbers():
    steps = (
        Step(kind="clip", low=-1.5, high=6.0),
        Step(kind="leakyrelu", alpha=0.1),
        Step(kind="subtract", operand=(1.0,)),
        Step(kind="astype", out_dtype="int32"),
    )
    lines = describe(Case(op="max_pool1d", axes=(Axis(),), steps=steps)).splitlines()
    assert [line.split("after pad")[1].strip() for line in lines if "after pad" in line] == [
        "clip to [-1.5, 6]",
        "leakyrelu, alpha 0.1",
        "x - 1",
        "astype -> int32",
    ]
