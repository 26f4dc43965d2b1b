"""The message of every ValueError that malformed values and JSON of a case raise.

Cases whose values are well formed but do not fit together are in ``test_case.py``.
"""

from dataclasses import replace

import pytest

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.records import FEW, LISTED, member

INF, NAN = float("inf"), float("nan")
TRIVIAL = Case(op="conv1d", axes=(Axis(),))


PARTS = [
    (lambda: Axis(size=0), "size must be at least 1, not 0"),
    (lambda: Axis(kernel=0), "kernel must be at least 1, not 0"),
    (lambda: Axis(stride=0), "stride must be at least 1, not 0"),
    (lambda: Axis(dilation=0), "dilation must be at least 1, not 0"),
    (lambda: Axis(size=2.0), "size must be an integer, not 2.0"),
    (lambda: Axis(pad=(1,)), "pad must be a pair (before, after), not (1,)"),
    (lambda: Axis(pad=[1, 2]), "pad must be a pair (before, after), not [1, 2]"),
    (lambda: Axis(padding=(0, 1.5)), "padding must be an integer, not 1.5"),
    (lambda: Axis(output_padding=-1), "output_padding must be at least 0, not -1"),
    (lambda: Pad(value="0"), "pad value must be a number, not '0'"),
    (lambda: Pad(value=True), "pad value must be a number, not True"),
    (lambda: Pad(mode=None), "mode must be a string, not None"),
    (lambda: Pad(batch=1), "batch must be a pair (before, after), not 1"),
    (lambda: Pad(channel=(0, "1")), "channel must be an integer, not '1'"),
    (lambda: Pad(operand="bias"), "unknown operand 'bias'; expected one of data, weight"),
    (lambda: Pad(form="te"), "unknown form 'te'; expected one of op, call_tir"),
    (
        lambda: Pad(form="call_tir", mode="edge"),
        "mode of a call_tir pad must be one of constant, reflect, replicate, circular, not 'edge'",
    ),
    (
        lambda: Step(kind="gelu"),
        "unknown step 'gelu'; expected one of dequantize, quantize, astype, relu, negative, "
        "round, abs, floor, ceil, trunc, sign, sqrt, square, hardswish, softsign, hardshrink, leakyrelu, clip, add, "
        "subtract, multiply, divide, maximum, minimum, permute_dims, expand_dims, squeeze, reshape, pad",
    ),
    (lambda: Step(kind="relu", high=1.0), "high of relu must be 6.0 (it is not used), not 1.0"),
    (lambda: Step(kind="relu", value=-0.0), "value of relu must be 0.0 (it is not used), not -0.0"),
    (lambda: Step(kind="relu", scale=(2.0,)), "scale of relu must be (1.0,) (it is not used), not (2.0,)"),
    (lambda: Step(low="0"), "low must be a number, not '0'"),
    (lambda: Step(axis=1), "axis must be a letter, not 1"),
    (lambda: Step(source=None), "source must be a string, not None"),
    (lambda: Step(constant=1), "constant must be true or false, not 1"),
    (lambda: Step(swapped=0), "swapped must be true or false, not 0"),
    (lambda: Step(scale=()), "scale must be a non-empty tuple (a list in JSON), not ()"),
    (lambda: Step(scale=[1.0]), "scale must be a non-empty tuple (a list in JSON), not [1.0]"),
    (lambda: Step(scale=(1,)), "elements of scale must be finite floats, not 1"),
    (lambda: Step(scale=(1.0, INF)), "elements of scale must be finite floats, not inf"),
    (
        lambda: Step(kind="quantize", out_dtype="int8", scale=(0.0,)),
        "scale of quantize must not be 0.0: quantize divides by it",
    ),
    (lambda: Step(zero_point=(0.0,)), "zero_point must be an integer, not 0.0"),
    (lambda: Step(zero_point=(0, 128)), "zero_point of int8 must be from -128 to 127, not 128"),
    (lambda: Step(zero_point=(-1,), zero_point_dtype="uint8"), "zero_point of uint8 must be from 0 to 255, not -1"),
    (lambda: Step(zero_point_dtype="int16"), "unknown zero_point_dtype 'int16'; expected one of int8, uint8, int32"),
    (lambda: Step(out_dtype="float64"), "out_dtype of dequantize must be one of float32, float16, not 'float64'"),
    (lambda: Step(kind="quantize"), "out_dtype of quantize must be one of int8, uint8, not 'float32'"),
    (
        lambda: Step(kind="astype", out_dtype="bool"),
        "out_dtype of astype must be one of float32, float16, float64, bfloat16, int8, uint8, "
        "int16, int32, int64, not 'bool'",
    ),
    (lambda: Step(kind="add", operand=(1,)), "elements of operand must be floats, not 1"),
    (lambda: Step(kind="add", axis="W"), "axis of add must be 'C' if operand has one element, not 'W'"),
    (lambda: Step(kind="divide", operand=(-0.0,)), "operand of divide must not be the constant -0.0"),
    (lambda: Step(kind="clip", high=INF), "low and high of clip must be finite, not 0.0 and inf"),
    (lambda: Step(kind="clip", low=1.0, high=0.0), "low of clip must be at most high, 0.0, not 1.0"),
    (lambda: Step(kind="leakyrelu", alpha=NAN), "alpha of leakyrelu must be finite, not nan"),
    (lambda: Step(kind="reshape"), "source of reshape must be the layout before it, not ''"),
    (lambda: Step(kind="pad", widths=[("W", 1, 0)]), "widths must be a tuple (a list in JSON), not [('W', 1, 0)]"),
    (lambda: Step(kind="pad", widths=(("W", 1),)), "elements of widths must be (letter, before, after), not ('W', 1)"),
    (lambda: Step(kind="pad", widths=(("W", 1, 0.5),)), "width of W must be an integer, not 0.5"),
    (lambda: Step(kind="pad", widths=(("W", 1, 0), ("W", 0, 1))), "widths must name each axis once, not W, W"),
]
CASES = [
    (
        {"op": "conv4d"},
        "unknown op 'conv4d'; expected one of conv1d, conv2d, conv3d, conv1d_transpose, "
        "conv2d_transpose, conv3d_transpose, max_pool1d, max_pool2d, max_pool3d, avg_pool1d, "
        "avg_pool2d, avg_pool3d",
    ),
    (
        {"dtype": "float8_e4m3fn"},
        "unknown dtype 'float8_e4m3fn'; expected one of float32, float16, float64, bfloat16, "
        "int8, uint8, int16, int32, int64",
    ),
    ({"batch": 0}, "batch must be at least 1, not 0"),
    ({"batch": True}, "batch must be an integer, not True"),
    ({"channels": -2}, "channels must be at least 1, not -2"),
    ({"filters": 0}, "filters must be at least 1, not 0"),
    ({"groups": 0}, "groups must be at least 1, not 0"),
    ({"seed": -1}, "seed must be at least 0, not -1"),
    ({"constant_weight": 1}, "constant_weight must be true or false, not 1"),
    ({"ceil_mode": None}, "ceil_mode must be true or false, not None"),
    ({"axes": ()}, "axes must be a non-empty tuple (a list in JSON), not ()"),
    ({"axes": [Axis()]}, "axes must be a non-empty tuple (a list in JSON), not [Axis()]"),
    ({"axes": (Pad(),)}, "elements of axes must be Axis objects, not Pad()"),
    ({"steps": (Pad(),)}, "elements of steps must be Step objects, not Pad()"),
    ({"producers": None}, "producers must be a tuple (a list in JSON), not None"),
    ({"data_layout": None}, "data_layout must be a string, not None"),
    ({"out_dtype": None}, "out_dtype must be a string, not None"),
    ({"pad": Axis()}, "pad must be a Pad, not Axis()"),
    ({"extra_outputs": "read"}, "extra_outputs must be a tuple (a list in JSON), not 'read'"),
    ({"extra_outputs": ("kept",)}, "unknown extra output 'kept'; expected one of returned, read, step"),
    ({"fills": ()}, "fills must be a non-empty tuple (a list in JSON), not ()"),
    (
        {"fills": ("zeros",)},
        "unknown fill 'zeros'; expected one of integers, negative, extremes, reals, specials, nans",
    ),
]
DOCUMENTS = [
    ([], "a case must be a JSON object, not a list"),
    ({"op": "conv1d", "axes": [{}]}, "format None is unknown: this foldproof reads 1, 2"),
    ({"format": 99, "op": "conv1d", "axes": [{}]}, "format 99 is unknown: this foldproof reads 1, 2"),
    ({"format": 2, "axes": [{}]}, "Case lacks 'op'"),
    ({"format": 2, "op": "conv1d"}, "Case lacks 'axes'"),
    (
        {"format": 2, "op": "conv1d", "axes": [{}], "stride": 2},
        "Case has no field 'stride'; its fields are op, axes, dtype, pad, producers, steps, "
        "batch, channels, filters, groups, data_layout, kernel_layout, weight_dtype, out_dtype, "
        "constant_weight, ceil_mode, count_include_pad, symbolic, input_stride, extra_outputs, fills, seed",
    ),
    (
        {"format": 2, "op": "conv1d", "axes": [{}], "front": []},
        "Case has no field 'front'; its fields are op, axes, dtype, pad, producers, steps, "
        "batch, channels, filters, groups, data_layout, kernel_layout, weight_dtype, out_dtype, "
        "constant_weight, ceil_mode, count_include_pad, symbolic, input_stride, extra_outputs, fills, seed",
    ),
    (
        {"format": 2, "op": "conv1d", "axes": [{"strides": 2}]},
        "Axis has no field 'strides'; its fields are size, pad, kernel, stride, dilation, padding, output_padding",
    ),
    ({"format": 2, "op": "conv1d", "axes": [7]}, "Axis must be a JSON object, not 7"),
    ({"format": 2, "op": "conv1d", "axes": {}}, "axes must be a non-empty tuple (a list in JSON), not Axis()"),
    ({"format": 2, "op": "conv1d", "axes": []}, "axes must be a non-empty tuple (a list in JSON), not ()"),
    ({"format": 2, "op": "conv1d", "axes": [{}], "pad": 0}, "Pad must be a JSON object, not 0"),
    ({"format": 2, "op": "conv1d", "axes": [{}], "pad": {"value": "zero"}}, "pad value must be a number, not 'zero'"),
    ({"format": 2, "op": "conv1d", "axes": [{}], "pad": {"value": True}}, "pad value must be a number, not True"),
    ({"format": 2, "op": "conv1d", "axes": [{}], "pad": {"value": None}}, "pad value must be a number, not None"),
    ({"format": 2, "op": "conv1d", "axes": [{}], "batch": 2.0}, "batch must be an integer, not 2.0"),
    (
        {"format": 2, "op": "conv1d", "axes": [{}], "extra_outputs": "read"},
        "extra_outputs must be a tuple (a list in JSON), not 'read'",
    ),
    ({"format": 2, "op": "conv1d", "axes": [{}], "data_layout": None}, "data_layout must be a string, not None"),
]


def message(make, *args, **kwargs):
    """The message of the ValueError that a call raises."""
    with pytest.raises(ValueError, match=r".+") as caught:
        make(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(("make", "expected"), PARTS, ids=[expected for _, expected in PARTS])
def test_a_malformed_part_is_rejected_with_the_value_and_what_was_expected(make, expected):
    assert message(make) == expected


@pytest.mark.parametrize(("changes", "expected"), CASES, ids=[expected for _, expected in CASES])
def test_a_malformed_case_is_rejected_with_the_value_and_what_was_expected(changes, expected):
    assert message(replace, TRIVIAL, **changes) == expected


@pytest.mark.parametrize(("document", "expected"), DOCUMENTS, ids=[expected for _, expected in DOCUMENTS])
def test_a_malformed_document_is_rejected_with_the_value_and_what_was_expected(document, expected):
    assert message(Case.from_json, document) == expected


def test_of_many_choices_a_message_lists_the_first_ones():
    choices = tuple(map(str, range(LISTED + 1)))
    assert message(member, "number", "x", choices[:-1]).endswith(choices[-2])
    assert message(member, "number", "x", choices).endswith(f"{choices[FEW - 1]}, ...")
