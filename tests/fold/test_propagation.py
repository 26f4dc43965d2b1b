"""fold.propagation: how a border passes a step, and what is known of the data. Every expectation is by hand."""

import math
import struct
from dataclasses import replace

import pytest

from foldproof.fold import Kind, Refused
from foldproof.fold.bounds import Bounds, bound_result, find_bounds, include_pad
from foldproof.fold.facts import Binary, Cast, Clip, Operand, Padded, PadFacts, Quantization, Rearranged, Unary, Values
from foldproof.fold.propagation import Border, list_other_operands, pass_step, show_some

INF, NAN = math.inf, math.nan
BYTE = Bounds(low=-128, high=127, plus_zero=True)
RELU = Bounds(low=0, high=INF, plus_zero=True)
LONG = 2**62 + 1
"""No double holds it."""


def pad(*widths, value=0.0, dtype="float32", mode="constant"):
    return PadFacts(mode=mode, value=value, dtype=dtype, widths=widths)


def unary(op, dtype="float32", **more):
    return Unary(op=op, dtype=dtype, **more)


def clip(low, high, dtype="float32"):
    return Clip(op="clip", dtype=dtype, low=low, high=high)


def operand(*flat, shape=(1, 1, 1)):
    return Operand(shape=shape, flat=flat)


def binary(op, *flat, shape=(1, 1, 1), dtype="float32", **more):
    return Binary(op=op, dtype=dtype, other=operand(*flat, shape=shape), **more)


def dequantize(scale, zero_point):
    return Quantization(op="dequantize", dtype="float32", scale=operand(scale), zero_point=operand(zero_point))


def scaled(op, *scales, zero_point):
    points = Operand(shape=(1, 1, 1), flat=None if zero_point is None else (zero_point,))
    dtype = "float32" if op == "dequantize" else "int8"
    return Quantization(op=op, dtype=dtype, scale=operand(*scales), zero_point=points)


def padded(*widths, sizes=(2, 3, 8), **more):
    return Padded(op="pad", dtype="float32", pad=pad(*widths, **more), sizes=sizes)


def permuted(*origin):
    return Rearranged(op="permute_dims", dtype="float32", origin=origin)


# --- what is known of the data ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "dtype", "step", "expected"),
    [
        (Bounds(low=-2, high=5), "float32", permuted(0, 2, 1), Bounds(low=-2, high=5)),
        (Bounds(low=-2, high=5), "float32", padded((0, 0), (1, 0), (0, 0), value=5.0), Bounds(low=-2, high=5)),
        (Bounds(low=-2, high=5), "float32", padded((0, 0), (1, 0), (0, 0), value=6.0), None),
        (None, "float32", clip(0, 6), Bounds(low=0, high=6, plus_zero=True)),
        (None, "float32", clip(-0.0, 6), Bounds(low=0, high=6)),
        (None, "float32", clip(-1, 6), Bounds(low=-1, high=6)),
        (None, "float32", clip(1, 6), Bounds(low=1, high=6)),
        (None, "float32", clip(3, 3), Bounds(low=3, high=3)),
        (None, "float32", clip(4, 3), None),
        (None, "float32", clip(None, 3), None),
        (None, "float32", clip(3, None), None),
        (None, "int8", clip(4, 3, "int8"), BYTE),
        (None, "int8", clip(0.5, 3, "int8"), BYTE),
        (None, "float32", unary("nn.relu"), Bounds(low=0, high=INF, plus_zero=True)),
        (Bounds(low=-2, high=5), "float32", unary("nn.relu"), Bounds(low=0, high=5, plus_zero=True)),
        (Bounds(low=-2, high=0.5), "float32", unary("nn.relu"), Bounds(low=0, high=0.5, plus_zero=True)),
        (Bounds(low=-3, high=-2), "float32", unary("nn.relu"), Bounds(low=0, high=0, plus_zero=True)),
        (None, "float32", binary("maximum", 1.0, 3.0), Bounds(low=1, high=INF)),
        (None, "float32", binary("maximum", 0.0, 0.0), Bounds(low=0, high=INF, plus_zero=True)),
        (None, "float32", binary("maximum", 0.0, -0.0), Bounds(low=0, high=INF)),
        (None, "float32", binary("maximum", 0.0, NAN), None),
        (None, "float32", binary("maximum", 0.0, swapped=True), None),
        (None, "float32", binary("minimum", 0.0), Bounds(low=-INF, high=0)),
        (None, "float32", binary("minimum", 6.0, 3.0), Bounds(low=-INF, high=6)),
        (None, "float32", binary("minimum", 6.0, NAN), None),
        (None, "float32", binary("minimum", 6.0, swapped=True), None),
        (RELU, "float32", binary("minimum", 6.0), Bounds(low=0, high=6, plus_zero=True)),
        (RELU, "float32", binary("minimum", -0.0), Bounds(low=0, high=0)),
        (RELU, "float32", binary("minimum", 6.0, -1.0), Bounds(low=-1, high=6, plus_zero=True)),
        (RELU, "float32", binary("maximum", 1.0, swapped=True), Bounds(low=1, high=INF)),
        (RELU, "float32", binary("multiply", 2.0), Bounds(low=0, high=INF, plus_zero=True)),
        (RELU, "float32", binary("multiply", 2.0, -1.0), None),
        (RELU, "float32", binary("multiply", INF), None),
        (RELU, "float32", binary("multiply", -2.0), Bounds(low=-INF, high=0)),
        (RELU, "float32", binary("multiply", -2.0, swapped=True), Bounds(low=-INF, high=0)),
        (RELU, "float32", binary("multiply", -INF), None),
        (RELU, "float32", unary("negative"), Bounds(low=-INF, high=0)),
        (Bounds(low=-6, high=-1), "float32", binary("multiply", -0.5, -2.0), Bounds(low=0.5, high=12)),
        (Bounds(low=-7, high=0), "int8", binary("divide", -2.0, dtype="int8"), Bounds(low=0, high=3, plus_zero=True)),
        (
            Bounds(low=-128, high=0),
            "int8",
            binary("multiply", -1.0, dtype="int8"),
            Bounds(low=-128, high=127, plus_zero=True),
        ),
        (Bounds(low=-6, high=0), "int8", unary("negative", "int8"), Bounds(low=0, high=6, plus_zero=True)),
        (RELU, "float32", binary("divide", 4.0), Bounds(low=0, high=INF, plus_zero=True)),
        (RELU, "float32", binary("divide", 4.0, swapped=True), None),
        (Bounds(low=-2, high=4, plus_zero=True), "float32", binary("divide", 4.0, 2.0), Bounds(low=-1, high=2)),
        (
            Bounds(low=-2, high=5),
            "int32",
            binary("bitwise_and", 255, dtype="int32"),
            Bounds(low=0, high=255, plus_zero=True),
        ),
        (Bounds(low=-2, high=5), "float32", binary("maximum", 1.0, 3.0), Bounds(low=1, high=5)),
        (Bounds(low=-2, high=2), "float32", binary("maximum", 1.0, 3.0), Bounds(low=1, high=3)),
        (Bounds(low=-2.5, high=5.5), "float32", unary("round"), Bounds(low=-2, high=6)),
        (Bounds(low=-2.5, high=5.5), "float32", unary("floor"), Bounds(low=-3, high=5)),
        (Bounds(low=-2.5, high=5.5), "float32", unary("ceil"), Bounds(low=-2, high=6)),
        (Bounds(low=-2.5, high=5.5), "float32", unary("trunc"), Bounds(low=-2, high=5)),
        (Bounds(low=0, high=0.5), "float32", unary("round"), Bounds(low=0, high=0)),
        (Bounds(low=-LONG, high=LONG), "int64", unary("round", "int64"), Bounds(low=-LONG, high=LONG)),
        (None, "float32", unary("round"), None),
        (Bounds(low=-2.5, high=5.5), "float32", unary("negative"), Bounds(low=-5.5, high=2.5)),
        (Bounds(low=-2, high=5), "int8", unary("negative", "int8"), Bounds(low=-5, high=2, plus_zero=True)),
        (Bounds(low=-128, high=5), "int8", unary("negative", "int8"), BYTE),
        (None, "float32", Cast(op="astype", dtype="int8"), BYTE),
        (
            Bounds(low=-2.5, high=5.5),
            "float32",
            Cast(op="astype", dtype="int8"),
            Bounds(low=-2, high=5, plus_zero=True),
        ),
        (Bounds(low=-200, high=5), "float32", Cast(op="astype", dtype="int8"), BYTE),
        (Bounds(low=-2, high=5), "int32", Cast(op="astype", dtype="int8"), Bounds(low=-2, high=5, plus_zero=True)),
        (Bounds(low=-2, high=300), "int32", Cast(op="astype", dtype="int8"), BYTE),
        (None, "int8", Cast(op="astype", dtype="float32"), Bounds(low=-128, high=127)),
        (None, "uint8", Cast(op="astype", dtype="float32"), Bounds(low=0, high=255, plus_zero=True)),
        (RELU, "float64", Cast(op="astype", dtype="float32"), Bounds(low=0, high=INF, plus_zero=True)),
        # a number below 0 could become -0.0
        (
            Bounds(low=-1e-60, high=1, plus_zero=True),
            "float64",
            Cast(op="astype", dtype="float32"),
            Bounds(low=0, high=1),
        ),
        (Bounds(low=-2, high=5), "float32", Cast(op="astype", dtype="bool"), Bounds(low=0, high=1, plus_zero=True)),
        (None, "float32", Cast(op="astype", dtype="float16"), None),
        (None, "uint8", scaled("dequantize", 0.5, zero_point=0), Bounds(low=0, high=127.5, plus_zero=True)),
        (None, "int8", scaled("dequantize", 0.5, zero_point=-128), Bounds(low=0, high=127.5, plus_zero=True)),
        (None, "int8", scaled("dequantize", -0.5, zero_point=-128), Bounds(low=-127.5, high=0)),
        (None, "int8", scaled("dequantize", 0.5, 2.0, zero_point=0), Bounds(low=-256, high=254)),
        (None, "float32", scaled("dequantize", 0.5, zero_point=0), None),
        (Bounds(low=5, high=9), "int8", scaled("dequantize", 0.5, zero_point=5), Bounds(low=0, high=2, plus_zero=True)),
        (RELU, "float32", scaled("quantize", 0.5, zero_point=3), Bounds(low=3, high=127, plus_zero=True)),
        (RELU, "float32", scaled("quantize", -0.5, zero_point=3), Bounds(low=-128, high=3, plus_zero=True)),
        (None, "float32", scaled("quantize", 0.5, zero_point=3), BYTE),
        (RELU, "float32", scaled("quantize", 0.5, zero_point=None), BYTE),
    ],
)
def test_bounds_after_a_step(bounds, dtype, step, expected):
    assert bound_result(bounds, dtype, step) == expected


@pytest.mark.parametrize(
    ("bounds", "added", "expected"),
    [
        (Bounds(low=1, high=5), pad((0, 0), (1, 0), value=1.0), Bounds(low=1, high=5)),
        (Bounds(low=1, high=5), pad((0, 0), (0, 1), value=5.0), Bounds(low=1, high=5)),
        (Bounds(low=1, high=5), pad((0, 0), (0, 1), value=0.9), None),
        (Bounds(low=1, high=5), pad((0, 0), (0, 1), value=5.1), None),
        (Bounds(low=1, high=5), pad((0, 0), (0, 1), value=NAN), None),
        (Bounds(low=1, high=5), pad((0, 0), (0, 1), value=300.0, dtype="int8"), None),
        (Bounds(low=1, high=5), pad((0, 0), (-1, 0), value=9.0), Bounds(low=1, high=5)),
        (Bounds(low=1, high=5), pad((0, 0), (1, 0), value=9.0, mode="reflect"), Bounds(low=1, high=5)),
        (Bounds(low=1, high=5), pad((0, 0), (1, 0), value=9.0, mode="unheard of"), None),
        (None, pad((0, 0), (1, 0), value=1.0), None),
        *(
            (Bounds(low=-1, high=5, plus_zero=known), pad((1, 0), value=value), Bounds(low=-1, high=5, plus_zero=still))
            for known, value, still in (
                (True, 0.0, True),
                (True, -0.0, False),
                (True, 1.0, True),
                (True, 2.0, True),
                (False, 0.0, False),
                (False, 2.0, False),
            )
        ),
    ],
)
def test_bounds_of_data_that_a_pad_has_added_to(bounds, added, expected):
    assert include_pad(bounds, added, added.widths) == expected


@pytest.mark.parametrize(
    ("dtype", "producers", "expected"),
    [
        ("float32", (), None),
        ("int8", (), BYTE),
        ("int8", (unary("nn.relu", "int8"),), Bounds(low=0, high=INF, plus_zero=True)),
        ("float32", (clip(-1, 2), unary("nn.relu")), Bounds(low=0, high=2, plus_zero=True)),
        ("float32", (clip(-1.5, 2.5), unary("floor"), permuted(0, 2, 1)), Bounds(low=-2, high=2)),
        ("int64", (clip(-8, 9, "int64"), unary("floor", "int64")), Bounds(low=-8, high=9)),
        ("int64", (clip(-LONG, LONG, "int64"), unary("floor", "int64")), Bounds(low=-LONG, high=LONG)),
        ("float32", (clip(-1, 2), binary("multiply", -2.0)), Bounds(low=-4, high=2)),
        ("float32", (clip(-1, 2), binary("multiply", 2.0)), Bounds(low=-2, high=4)),
    ],
)
def test_bounds_of_what_comes_out_of_producers(dtype, producers, expected):
    assert find_bounds(dtype, producers) == expected


# --- through a step -----------------------------------------------------------------------------------


def border(*flat, shape=(1, 1, 1), widths=((0, 0), (0, 0), (1, 2)), **more):
    values = Values(shape, flat) if flat else None
    return Border(**({"dtype": "float32", "widths": widths, "values": values} | more))


def through(start, *steps):
    """The border after the steps, or the first refusal."""
    for step in steps:
        start = pass_step(start, step)
        if isinstance(start, Refused):
            return start
    return start


def kind(found):
    return found.kind if isinstance(found, Refused) else None


@pytest.mark.parametrize(
    ("given", "origin", "flat", "shape", "widths"),
    [
        (border(1.0, 2.0, shape=(1, 2, 1)), (0, 2, 1), (1.0, 2.0), (1, 1, 2), ((0, 0), (1, 2), (0, 0))),
        (border(1.0, 2.0, shape=(1, 2, 1)), (2, 1), (1.0, 2.0), (1, 2), ((1, 2), (0, 0))),
        (
            border(1.0, 2.0, shape=(1, 2, 1)),
            (0, None, 1, 2),
            (1.0, 2.0),
            (1, 1, 2, 1),
            ((0, 0), (0, 0), (0, 0), (1, 2)),
        ),
        (border(), (0, 2, 1), (), None, ((0, 0), (1, 2), (0, 0))),  # a crop has no values
        (
            border(*map(float, range(6)), shape=(2, 3, 1)),
            (1, 0, 2),
            (0.0, 3.0, 1.0, 4.0, 2.0, 5.0),
            (3, 2, 1),
            ((0, 0), (0, 0), (1, 2)),
        ),
    ],
)
def test_a_border_that_varies_is_rearranged_with_its_tensor(given, origin, flat, shape, widths):
    assert pass_step(given, permuted(*origin)) == border(*flat, shape=shape, widths=widths)


def test_a_border_after_another_pad_reaches_over_what_that_one_adds():
    channels = padded((0, 0), (1, 2), (0, 0), value=7.0)
    after = pass_step(border(4.0, bounds=Bounds(low=0, high=9)), channels)
    grown = (7.0, 4.0, 4.0, 4.0, 7.0, 7.0)
    assert after == border(*grown, shape=(1, 6, 1), bounds=Bounds(low=0, high=9))
    assert pass_step(border(4.0, bounds=Bounds(low=0, high=6)), channels).bounds is None


def test_a_border_that_varies_is_grown_in_its_place_and_cropped():
    given = border(1.0, 2.0, 3.0, shape=(1, 3, 1))
    assert pass_step(given, padded((0, 0), (1, -1), (0, 0), value=7.0)).values == Values((1, 3, 1), (7.0, 1.0, 2.0))
    assert pass_step(given, padded((0, 0), (-1, 2), (0, 0), value=7.0)).values == Values(
        (1, 4, 1), (2.0, 3.0, 7.0, 7.0)
    )
    two = border(7.0, 2.0, shape=(1, 2, 1))
    assert pass_step(two, padded((0, 0), (0, 1), (0, 0), sizes=(2, 2, 8), value=7.0)).values.flat == (7.0, 2.0, 7.0)


def test_a_border_of_the_same_value_as_the_other_pad_needs_no_lengths():
    after = pass_step(border(7.0), padded((0, 0), (1, 2), (0, 0), value=7.0, sizes=(2, None, 8)))
    assert after == border(7.0)
    assert kind(pass_step(border(4.0), padded((0, 0), (1, 2), (0, 0), value=7.0, sizes=(2, None, 8)))) is Kind.SYMBOLIC


def test_a_crop_passes_another_pad_and_only_the_bounds_change():
    crop = border(widths=((0, 0), (0, 0), (-1, 0)), bounds=Bounds(low=0, high=9))
    assert pass_step(crop, padded((0, 0), (1, 0), (0, 0), value=5.0)) == crop
    assert pass_step(crop, padded((0, 0), (1, 0), (0, 0), value=NAN)).bounds is None
    assert pass_step(crop, padded((0, 0), (1, 0), (0, 0), value=10.0)).bounds is None


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (padded((0, 0), (1, 0), (0, 0), value=NAN), Kind.UNDEFINED_VALUE),
        (padded((0, 0), (1, 0), (0, 0), value=1e39), Kind.UNDEFINED_VALUE),  # beyond float32
        (padded((0, 0), (-1, 0), (0, 0), value=NAN), None),
        (padded((0, 0), (0, 0), (0, 1)), Kind.NESTED),
        (padded((0, 0), (1, 0), (0, 0), mode="reflect"), Kind.MODE),
        (padded((0, 0), (0, 0), (0, 0), mode="reflect"), None),
        (Padded(op="pad", dtype="float32", pad=PadFacts(mode="constant", value=0.0, dtype="float32", widths=None),
                sizes=(2, 3, 8)), Kind.DYNAMIC_WIDTH),
        (binary("add", 1.0, 2.0, shape=(1, 1, 2)), Kind.VARYING_OPERAND),
        (binary("add", 1.0, 2.0, shape=(1, 2, 1)), None),
        (Binary(op="add", dtype="float32", other=Operand(shape=None, flat=None)), Kind.VARYING_OPERAND),
        (Binary(op="add", dtype="float32", other=Operand(shape=(1, 1, 1), flat=None)), Kind.RUNTIME_OPERAND),
        (Cast(op="astype", dtype="float8_e4m3fn"), Kind.DTYPE),
        (Cast(op="astype", dtype="int8"), Kind.CAST),
    ],
)  # fmt: skip
def test_what_no_border_passes(step, expected):
    assert kind(pass_step(border(4.0), step)) is expected


def test_no_border_of_an_unknown_dtype_passes():
    assert kind(pass_step(border(4.0, dtype="float8_e4m3fn"), Cast(op="astype", dtype="float32"))) is Kind.DTYPE


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-128, 127, None),
        (-128.9, 127.9, None),
        (-129, 127, Kind.CAST),
        (-128, 128, Kind.CAST),
        (-INF, 0, Kind.CAST),
    ],
)
def test_a_cast_to_integers_needs_data_in_range_after_truncation(low, high, expected):
    given = border(4.0, bounds=Bounds(low=low, high=high))
    assert kind(pass_step(given, Cast(op="astype", dtype="int8"))) is expected


@pytest.mark.parametrize(
    ("value", "source", "dtype", "expected"),
    [
        (2.0**60, "float64", "float32", 2.0**60),
        (2**60, "int64", "float32", Kind.UNDEFINED_VALUE),
        (-1.5, "float32", "int8", -1),
        (300.0, "float32", "int8", Kind.UNDEFINED_VALUE),
        (300, "int32", "int8", 44),
    ],
)
def test_a_border_is_cast_from_the_dtype_that_it_has(value, source, dtype, expected):
    found = pass_step(border(value, dtype=source, bounds=Bounds(low=0, high=9)), Cast(op="astype", dtype=dtype))
    assert (found.kind if isinstance(found, Refused) else found.values.flat[0]) == expected


def test_bounds_go_with_the_border():
    given = border(LONG, dtype="int64", bounds=Bounds(low=-LONG, high=LONG))
    assert pass_step(given, unary("round", "int64")) == replace(given, signed=False)
    after = pass_step(border(4.0, bounds=Bounds(low=-2.5, high=5)), unary("floor"))
    assert after == replace(border(4.0, bounds=Bounds(low=-3, high=5)), signed=False)


@pytest.mark.parametrize(("zero", "expected"), [(0.0, INF), (-0.0, -INF)])
def test_a_constant_is_divided_by_the_zero_of_a_pad(zero, expected):
    """TVM computes infinities (tests/fold/test_values.py executes it). After a step, the sign is not certain."""
    reciprocal = binary("divide", 2.0, swapped=True)
    assert pass_step(border(zero), reciprocal).values.flat == (expected,)
    assert pass_step(border(zero), replace(reciprocal, swapped=False)).values.flat == (zero,)
    after = pass_step(pass_step(border(zero), unary("floor")), reciprocal)
    assert after.kind is Kind.UNDEFINED_VALUE
    assert pass_step(border(zero), binary("divide", 0.0, swapped=True)).kind is Kind.UNDEFINED_VALUE


# --- rounded products, and what a fused multiply-add makes of them -------------------------------------

ADD, NEGATIVE, RELU = binary("add", 1.0), unary("negative"), unary("nn.relu")


@pytest.mark.parametrize(
    ("start", "steps", "expected"),
    [
        (0.1, (binary("multiply", 0.1), ADD), Kind.UNDEFINED_VALUE),
        (0.1, (binary("multiply", 0.1), binary("subtract", 1.0)), Kind.UNDEFINED_VALUE),
        (0.1, (binary("multiply", 0.1), NEGATIVE, ADD), Kind.UNDEFINED_VALUE),
        (0.1, (binary("multiply", 0.1), RELU, ADD), None),
        (0.1, (binary("multiply", 0.1), binary("maximum", 0.0)), None),
        (0.1, (binary("multiply", 0.5), ADD), None),
        (0.1, (NEGATIVE, ADD), None),
        (0.1, (unary("square"), ADD), Kind.UNDEFINED_VALUE),
        (0.5, (unary("square"), ADD), None),
        (-0.1, (unary("nn.leakyrelu", alpha=0.1), ADD), Kind.UNDEFINED_VALUE),
        (0.1, (unary("nn.leakyrelu", alpha=0.1), ADD), None),
        (-2.0, (unary("nn.leakyrelu", alpha=0.1), ADD), None),
        (-3.0, (unary("nn.leakyrelu", alpha=0.1), ADD), Kind.UNDEFINED_VALUE),
        (-0.1, (unary("nn.leakyrelu", alpha=0.5), ADD), None),
        (0.0, (unary("nn.leakyrelu", alpha=0.1), ADD), None),
        (-0.1, (RELU, ADD), None),
        (-0.1, (unary("abs"), ADD), None),
    ],
)
def test_a_sum_after_a_rounded_product_is_refused(start, steps, expected):
    assert kind(through(border(single(start)), *steps)) is expected


def single(value):
    """As float32 holds it."""
    return struct.unpack("f", struct.pack("f", value))[0]


@pytest.mark.parametrize(("point", "expected"), [(1, None), (0, None), (-1, Kind.UNDEFINED_VALUE)])
def test_a_dequantize_rounds_the_product_of_scale_and_difference(point, expected):
    """(2 - point) * 0.1 is exact for 1 and 2, and rounded for 3."""
    given = border(2, dtype="int8")
    assert kind(through(given, dequantize(single(0.1), point), ADD)) is expected


# --- what is shown -------------------------------------------------------------------------------------


def test_operands_are_named():
    assert [name for name, _ in list_other_operands(dequantize(1.0, 0))] == ["scale", "zero point"]
    assert [name for name, _ in list_other_operands(ADD)] == ["operand"]
    assert list_other_operands(RELU) == ()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1.0,), "1"),
        ((1.0, 1.0), "1"),
        ((1.0, 2.5, 3.0, 4.0), "1, 2.5, 3, 4"),
        ((1.0, 2.0, 3.0, 4.0, 5.0), "1, 2, 3, 4, ..."),
    ],
)
def test_of_many_numbers_the_first_four_are_shown(numbers, message):
    assert show_some(numbers) == message
