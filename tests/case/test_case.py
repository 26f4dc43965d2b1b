"""foldproof.case.case: comparison, repr and JSON; invalid cases; shapes that were counted by hand."""

import json
import math
import re
from dataclasses import FrozenInstanceError, replace

import pytest

from foldproof.case import Axis, Case, Pad, Step

INF, NAN = float("inf"), float("nan")

TRIVIAL = Case(op="conv1d", axes=(Axis(),))

EVERYTHING = Case(
    op="conv2d",
    axes=(
        Axis(size=9, pad=(1, -2), kernel=3, stride=2, dilation=2, padding=(1, 0)),
        Axis(size=4, pad=(0, 3), kernel=2, padding=(-1, 5)),
    ),
    dtype="int8",
    pad=Pad(value=-3.5, mode="edge", batch=(0, 1), channel=(1, 0)),
    steps=(Step(scale=(0.5, 2.0, 0.25, 1.0), zero_point=(-3,), zero_point_dtype="int32", out_dtype="float16"),),
    batch=2,
    channels=3,
    filters=6,
    groups=2,
    data_layout="NHWC",
    kernel_layout="HWIO",
    weight_dtype="float32",
    out_dtype="float64",
    extra_outputs=("returned", "read", "read"),
    fills=("negative", "specials"),
    seed=7,
)

CASES = [
    TRIVIAL,
    EVERYTHING,
    Case(op="max_pool1d", axes=(Axis(size=5, kernel=2, stride=2),), ceil_mode=True, pad=Pad(value=-INF)),
    Case(op="avg_pool1d", axes=(Axis(pad=(1, 1)),), count_include_pad=True, pad=Pad(value=-0.0)),
    Case(op="avg_pool1d", axes=(Axis(pad=(1, 1)),), pad=Pad(value=NAN)),
    Case(op="avg_pool1d", axes=(Axis(pad=(1, 1)),), pad=Pad(value=INF)),
    Case(op="avg_pool1d", axes=(Axis(pad=(1, 1)),), pad=Pad(value=5e-324)),
    Case(op="conv1d_transpose", axes=(Axis(size=3, stride=3, output_padding=2),), pad=Pad(operand="weight")),
    Case(op="conv1d", axes=(Axis(),), dtype="uint8", steps=(Step(constant=False, axis="W"),)),
    Case(
        op="conv2d",
        axes=(Axis(size=9, pad=(1, 2), kernel=3), Axis(kernel=2, padding=(0, 1))),
        producers=(Step(kind="maximum", operand=(-0.5, NAN), swapped=True), Step(kind="leakyrelu", alpha=0.1)),
        pad=Pad(form="call_tir", value=-INF, channel=(0, 1)),
        steps=(
            Step(kind="multiply", operand=(128.0, 0.5, -INF), constant=False),
            Step(kind="clip", low=-127.0, high=127.0),
            Step(kind="reshape", source="NUHC"),
            Step(kind="pad", value=-0.0, widths=(("W", 1, 2), ("N", 0, -1))),
        ),
        batch=2,
        channels=2,
        data_layout="NHWC",
        symbolic=("N", "H"),
        input_stride=2,
        constant_weight=True,
        extra_outputs=("step",),
    ),
]


# --- comparison, repr and JSON ------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_case_comes_back_from_json(case):
    again = Case.from_json(json.loads(case.dumps()))
    assert again == case
    assert hash(again) == hash(case)
    assert again.dumps() == case.dumps()


@pytest.mark.parametrize("case", CASES)
def test_the_repr_of_a_case_can_be_pasted(case):
    pasted = eval(repr(case), {"Case": Case, "Axis": Axis, "Pad": Pad, "Step": Step})
    assert pasted == case
    assert repr(pasted) == repr(case)


def test_json_and_repr_leave_defaults_out():
    assert TRIVIAL.to_json() == {"format": 2, "op": "conv1d", "axes": [{}]}
    assert repr(TRIVIAL) == "Case(op='conv1d', axes=(Axis(),))"
    assert repr(Pad(value=-0.0, batch=(0, 1))) == "Pad(value=-0.0, batch=(0, 1))"
    assert repr(Pad(value=NAN)) == 'Pad(value=float("nan"))'
    assert repr(Step(scale=(0.5,))) == "Step(scale=(0.5,))"


def test_json_writes_what_json_has_no_number_for_as_strings():
    values = {NAN: "nan", INF: "inf", -INF: "-inf"}
    assert [Pad(value=value).to_dict() for value in values] == [{"value": text} for text in values.values()]
    assert "-0.0" in json.dumps(Pad(value=-0.0).to_dict())


def test_every_field_of_a_case_is_in_its_json():
    assert EVERYTHING.to_json() == {
        "format": 2,
        "op": "conv2d",
        "axes": [
            {"size": 9, "pad": [1, -2], "kernel": 3, "stride": 2, "dilation": 2, "padding": [1, 0]},
            {"size": 4, "pad": [0, 3], "kernel": 2, "padding": [-1, 5]},
        ],
        "dtype": "int8",
        "pad": {"value": -3.5, "mode": "edge", "batch": [0, 1], "channel": [1, 0]},
        "steps": [
            {"scale": [0.5, 2.0, 0.25, 1.0], "zero_point": [-3], "zero_point_dtype": "int32", "out_dtype": "float16"}
        ],
        "batch": 2,
        "channels": 3,
        "filters": 6,
        "groups": 2,
        "data_layout": "NHWC",
        "kernel_layout": "HWIO",
        "weight_dtype": "float32",
        "out_dtype": "float64",
        "extra_outputs": ["returned", "read", "read"],
        "fills": ["negative", "specials"],
        "seed": 7,
    }


def test_floats_compare_by_their_bits():
    assert Pad(value=NAN) == Pad(value=-NAN)
    assert hash(Pad(value=NAN)) == hash(Pad(value=float("nan")))
    assert Pad(value=-0.0) != Pad(value=0.0)
    assert Pad(value=-0.0) != Pad()
    assert Pad(value=1) == Pad(value=1.0)
    assert replace(TRIVIAL, pad=Pad(value=NAN)) == replace(TRIVIAL, pad=Pad(value=NAN))
    assert replace(TRIVIAL, pad=Pad(value=-0.0)) != TRIVIAL


def test_equal_cases_are_one_key_and_different_ones_are_not():
    assert len({*CASES, *(replace(case) for case in CASES)}) == len(CASES)
    assert Axis() != Pad()
    assert TRIVIAL != "Case(op='conv1d', axes=(Axis(),))"


@pytest.mark.parametrize(("value", "field"), [(TRIVIAL, "op"), (Axis(), "size"), (Pad(), "mode"), (Step(), "kind")])
def test_values_are_frozen(value, field):
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, "other")


# --- invalid cases, and their valid neighbours --------------------------------------------------------

POOL = Case(op="max_pool1d", axes=(Axis(),))
AVERAGE = Case(op="avg_pool1d", axes=(Axis(),))
TRANSPOSED = Case(op="conv1d_transpose", axes=(Axis(size=4, stride=2),))
RELU = Step(kind="relu")
QUANTIZED = Case(op="conv1d", axes=(Axis(),), dtype="int8", channels=3, steps=(Step(),))
GROUPED = Case(op="conv1d", axes=(Axis(),), channels=4, filters=6, groups=2)


def one_axis(**changes):
    return {"axes": (Axis(**changes),)}


@pytest.mark.parametrize(
    ("base", "changes", "text"),
    [
        (TRIVIAL, {"op": "conv2d"}, "conv2d has 2 spatial axes, not 1"),
        # attributes
        (TRIVIAL, {"data_layout": "NHWC"}, "data_layout 'NHWC'"),
        (TRIVIAL, {"kernel_layout": "OIHW"}, "kernel_layout 'OIHW'"),
        (TRANSPOSED, {"data_layout": "NWX"}, "data_layout 'NWX' is not an order of the letters of NCW"),
        (TRANSPOSED, {"kernel_layout": "OIH"}, "kernel_layout 'OIH' is not an order of the letters of IOW"),
        (TRIVIAL, {"weight_dtype": "float16"}, "float32 data with float16 weight needs an out_dtype"),
        (TRIVIAL, {"weight_dtype": "bool"}, "weight_dtype 'bool'"),
        (TRIVIAL, {"out_dtype": "bool"}, "out_dtype 'bool'"),
        (TRIVIAL, {"ceil_mode": True}, "conv1d has no ceil_mode"),
        (TRIVIAL, {"count_include_pad": True}, "conv1d has no count_include_pad"),
        (POOL, {"count_include_pad": True}, "max_pool1d has no count_include_pad"),
        (POOL, {"kernel_layout": "OIW"}, "max_pool1d has no kernel_layout, but it is 'OIW'"),
        (POOL, {"weight_dtype": "int8"}, "max_pool1d has no weight_dtype, but it is 'int8'"),
        (POOL, {"out_dtype": "int32"}, "max_pool1d has no out_dtype, but it is 'int32'"),
        (POOL, {"filters": 2}, "max_pool1d has no filters, but it is 2"),
        (POOL, {"groups": 2, "channels": 2}, "max_pool1d has no groups, but it is 2"),
        (POOL, {"pad": Pad(operand="weight")}, "max_pool1d has no weight to pad"),
        # shapes
        (TRIVIAL, one_axis(pad=(-1, 0)), "the data would have no element: {'N': 1, 'C': 1, 'W': 0}"),
        (TRIVIAL, {"pad": Pad(batch=(0, -1))}, "the data would have no element: {'N': 0"),
        (TRIVIAL, {"pad": Pad(channel=(-1, 0))}, "the data would have no element: {'N': 1, 'C': 0"),
        (TRIVIAL, {"pad": Pad(operand="weight", batch=(-1, 0))}, "the pad leaves no weight: {'O': 0"),
        (TRIVIAL, {"pad": Pad(operand="weight", channel=(1, 0))}, "the weight would have no element: {'O': 1, 'I': 0"),
        (GROUPED, {"channels": 5}, "groups 2 do not divide 5 channels"),
        (GROUPED, {"pad": Pad(channel=(0, 1))}, "groups 2 do not divide 5 channels"),
        (GROUPED, {"filters": 5}, "groups 2 do not divide 5 filters"),
        (GROUPED, {"pad": Pad(operand="weight", batch=(0, 1))}, "groups 2 do not divide 7 padded filters"),
        (TRIVIAL, one_axis(size=4, kernel=3, dilation=2), "no window of 5 fits along W"),
        (TRIVIAL, one_axis(size=4, pad=(-1, 0), kernel=4), "no window of 4 fits along W"),
        (TRIVIAL, one_axis(size=4, padding=(-2, -2)), "padding (-2, -2) leaves nothing of W"),
        (TRIVIAL, one_axis(size=4, stride=3, output_padding=1), "output_padding 1 of W must be below 1"),
        (TRANSPOSED, one_axis(size=4, stride=2, output_padding=2), "output_padding 2 of W must be below 2"),
        (TRANSPOSED, one_axis(size=4, padding=(2, 2)), "the result would have no element: {'N': 1, 'C': 1, 'W': 0}"),
        (TRIVIAL, {**one_axis(size=3, pad=(3, 0)), "pad": Pad(mode="reflect")}, "reflect pad (3, 0) of W is wider"),
        (TRIVIAL, {**one_axis(size=3, pad=(0, 4)), "pad": Pad(mode="circular")}, "circular pad (0, 4) of W is wider"),
        (TRIVIAL, {**one_axis(size=3, pad=(-1, 0)), "pad": Pad(mode="replicate")}, "replicate pad (-1, 0) of W"),
        (TRIVIAL, {"pad": Pad(mode="reflect", batch=(1, 0))}, "reflect pad (1, 0) of N is wider than its 1 elements"),
        # pad values
        (TRIVIAL, {"dtype": "int8", "pad": Pad(value=128.0)}, "pad value 128.0 does not fit int8"),
        (TRIVIAL, {"dtype": "int8", "pad": Pad(value=-129.0)}, "pad value -129.0 does not fit int8"),
        (TRIVIAL, {"dtype": "int8", "pad": Pad(value=NAN)}, "pad value nan does not fit int8"),
        (TRIVIAL, {"dtype": "int64", "pad": Pad(value=-INF)}, "pad value -inf does not fit int64"),
        (TRIVIAL, {"dtype": "int64", "pad": Pad(value=2.0**63)}, "pad value 9.223372036854776e+18 does not fit int64"),
        (TRIVIAL, {"dtype": "uint8", "pad": Pad(value=-0.5)}, "pad value -0.5 does not fit uint8"),
        (TRIVIAL, {"pad": Pad(value=3.5e38)}, "pad value 3.5e+38 does not fit float32"),
        (TRIVIAL, {"dtype": "float16", "pad": Pad(value=65505.0)}, "pad value 65505.0 does not fit float16"),
        (TRIVIAL, {"dtype": "bfloat16", "pad": Pad(value=-3.5e38)}, "pad value -3.5e+38 does not fit bfloat16"),
        (
            TRIVIAL,
            {"weight_dtype": "int8", "out_dtype": "int32", "pad": Pad(operand="weight", value=200.0)},
            "pad value 200.0 does not fit int8",
        ),
        # steps
        (QUANTIZED, {"steps": (Step(), *[Step(kind="relu")] * 6)}, "7 steps, at most 6"),
        (QUANTIZED, {"dtype": "float32"}, "dtype that dequantize reads 'float32'"),
        (QUANTIZED, {"dtype": "int16"}, "dtype that dequantize reads 'int16'"),
        (QUANTIZED, {"steps": (Step(axis="H"),)}, "axis of dequantize 'H'"),
        (QUANTIZED, {"steps": (Step(scale=(1.0, 2.0)),)}, "scale has 2 elements, but axis C has 3"),
        (QUANTIZED, {"steps": (Step(zero_point=(1, 2, 3, 4)),)}, "zero_point has 4 elements, but axis C has 3"),
        (
            QUANTIZED,
            {"steps": (Step(scale=(1.0, 2.0, 3.0)),), "pad": Pad(channel=(0, 1))},
            "scale has 3 elements, but axis C has 4",
        ),
        (
            TRIVIAL,
            {"steps": (Step(kind="quantize", out_dtype="int8"),), "dtype": "float64"},
            "quantize reads 'float64'",
        ),
        (TRIVIAL, {"producers": (Step(kind="sqrt"),), "dtype": "int8"}, "dtype that sqrt reads 'int8'"),
        (TRIVIAL, {"producers": (Step(kind="negative"),), "dtype": "uint8"}, "dtype that negative reads 'uint8'"),
        (TRIVIAL, {"producers": (Step(kind="pad"),)}, "step before the pad 'pad'"),
        (
            TRIVIAL,
            {"producers": (RELU,), "pad": Pad(operand="weight")},
            "producers must be empty if the pad is on the weight",
        ),
        (
            TRIVIAL,
            {"steps": (Step(kind="pad"),), "pad": Pad(operand="weight")},
            "steps must not have a pad if the pad is on the weight",
        ),
        (TRIVIAL, {"steps": (Step(kind="pad", value=0.5, widths=(("H", 1, 0),)),)}, "name H, but its layout is NCW"),
        (TRIVIAL, {"steps": (Step(kind="pad", value=300.0),), "dtype": "int8"}, "pad value 300.0 does not fit int8"),
        (TRIVIAL, {"steps": (Step(kind="pad", widths=(("W", -1, 0),)),)}, "the data would have no element"),
        (TRIVIAL, {"steps": (Step(kind="add", operand=(1.0, 2.0)),)}, "operand has 2 elements, but axis C has 1"),
        (
            TRIVIAL,
            {"steps": (Step(kind="add", operand=(0.5,)),), "dtype": "int8"},
            "operand 0.5 of add is not a value of int8",
        ),
        (TRIVIAL, {"steps": (Step(kind="add", operand=(1e5,)),), "dtype": "float16"}, "100000.0 of add does not fit"),
        (
            TRIVIAL,
            {"steps": (Step(kind="clip", low=-1.0),), "dtype": "uint8"},
            "low -1.0 of clip is not a value of uint8",
        ),
        (TRIVIAL, {"steps": (Step(kind="divide", operand=(-1.0,)),), "dtype": "int8"}, "integer division by -1.0"),
        (TRIVIAL, {"steps": (Step(kind="divide", swapped=True),), "dtype": "int8"}, "integer division by the data"),
        # layouts
        (TRIVIAL, {"steps": (Step(kind="permute_dims", source="NCW"),)}, "permute_dims does not make NCW out of NCW"),
        (TRIVIAL, {"steps": (Step(kind="permute_dims", source="NC"),)}, "permute_dims does not make NCW out of NC"),
        (TRIVIAL, {"steps": (Step(kind="expand_dims", source="WN"),)}, "expand_dims does not make NCW out of WN"),
        (TRIVIAL, {"steps": (Step(kind="squeeze", source="NUWC"),)}, "squeeze does not make NCW out of NUWC"),
        (TRIVIAL, {"steps": (Step(kind="reshape", source="WCN"),)}, "reshape does not make NCW out of WCN"),
        (
            TRIVIAL,
            {"steps": (Step(kind="reshape", source="NCWX"),)},
            "must have some of the letters C, N, U, V, W, each once",
        ),
        (
            TRIVIAL,
            {"steps": (Step(kind="reshape", source="NCWW"),)},
            "must have some of the letters C, N, U, V, W, each once",
        ),
        (
            TRIVIAL,
            {"steps": (Step(kind="reshape", source="NCW"), Step(kind="reshape", source="NC"))},
            "removes an axis of the consumer",
        ),
        (TRIVIAL, {"steps": (Step(kind="reshape", source="NW"),), "channels": 2}, "inserts C, whose length is not 1"),
        (TRIVIAL, {"steps": (Step(kind="reshape", source="NW"),), "pad": Pad(channel=(1, -1))}, "C, but it is padded"),
        # lengths that the types leave open
        (TRIVIAL, {"symbolic": ("C",)}, "symbolic axis 'C'; expected one of N, W"),
        (TRIVIAL, {"symbolic": ("N", "N")}, "symbolic must name each axis once, not N, N"),
        (TRIVIAL, {"symbolic": ("N",), "steps": (Step(kind="reshape", source="CW"),)}, "not in the layout CW of x"),
        (
            Case(op="conv1d", axes=(Axis(size=2),)),
            {"symbolic": ("W",), "producers": (Step(kind="add", operand=(1.0, 2.0), axis="W"),)},
            "add follows W, whose length is symbolic",
        ),
        (POOL, {"constant_weight": True}, "max_pool1d has no constant_weight"),
        (TRIVIAL, {"extra_outputs": ("step",)}, "extra output 'step' needs a step"),
    ],
)
def test_an_invalid_case_is_rejected_with_the_value(base, changes, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        replace(base, **changes)


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (TRIVIAL, {"data_layout": "CWN", "kernel_layout": "WOI"}),
        (TRIVIAL, {"weight_dtype": "float16", "out_dtype": "float32"}),
        (TRIVIAL, {"pad": Pad(operand="weight", channel=(1, 0)), "channels": 2}),
        (POOL, {"ceil_mode": True, "data_layout": "WCN"}),
        (GROUPED, {"pad": Pad(channel=(0, 2))}),
        (GROUPED, {"pad": Pad(operand="weight", batch=(1, 1))}),
        (TRIVIAL, one_axis(size=5, kernel=3, dilation=2)),
        (TRIVIAL, one_axis(size=1, kernel=3, padding=(2, 0))),
        (TRIVIAL, one_axis(size=4, padding=(-2, -1))),
        (POOL, one_axis(size=4, padding=(-1, 0))),
        (TRANSPOSED, one_axis(size=4, stride=2, output_padding=1)),
        (TRANSPOSED, one_axis(size=4, padding=(2, 1))),
        (TRIVIAL, {**one_axis(size=3, pad=(2, 0)), "pad": Pad(mode="reflect")}),
        (TRIVIAL, {**one_axis(size=3, pad=(0, 3)), "pad": Pad(mode="circular")}),
        (TRIVIAL, {**one_axis(size=3, pad=(9, 0)), "pad": Pad(mode="replicate")}),
        (TRIVIAL, {**one_axis(size=3, pad=(-1, 9)), "pad": Pad(mode="edge")}),
        (TRIVIAL, {"dtype": "int8", "pad": Pad(value=127.9)}),
        (TRIVIAL, {"dtype": "int8", "pad": Pad(value=-128.9)}),
        (TRIVIAL, {"dtype": "int64", "pad": Pad(value=-(2.0**63))}),
        (TRIVIAL, {"dtype": "uint8", "pad": Pad(value=-0.0)}),
        (TRIVIAL, {"pad": Pad(value=1e-300)}),
        (TRIVIAL, {"dtype": "float16", "pad": Pad(value=-65504.0)}),
        (TRIVIAL, {"dtype": "bfloat16", "pad": Pad(value=3.4e38)}),
        (QUANTIZED, {"dtype": "int32", "steps": (Step(zero_point=(70000,), zero_point_dtype="int32"),)}),
        (QUANTIZED, {"steps": (Step(scale=(1.0, 2.0, 3.0), zero_point=(1, 2, 3)),)}),
        (QUANTIZED, {"steps": (Step(scale=(1.0, 2.0, 3.0, 4.0)),), "pad": Pad(channel=(0, 1))}),
    ],
)
def test_its_neighbours_are_valid(base, changes):
    assert replace(base, **changes) == replace(base, **changes)


# --- shapes -------------------------------------------------------------------------------------------


def test_shapes_of_a_grouped_convolution():
    case = Case(
        op="conv2d",
        axes=(
            Axis(size=8, pad=(1, 2), kernel=3, stride=2, dilation=2, padding=(0, 1)),
            Axis(size=5, pad=(1, -1), kernel=2),
        ),
        batch=2,
        channels=3,
        pad=Pad(channel=(0, 1), batch=(1, 0)),
        filters=6,
        groups=2,
        data_layout="NHWC",
    )
    assert case.data_dims == {"N": 2, "C": 3, "H": 8, "W": 5}
    assert case.operand_dims == {"N": 3, "C": 4, "H": 11, "W": 5}
    assert case.kernel_dims == case.weight_dims == {"O": 6, "I": 2, "H": 3, "W": 2}
    # H: windows of 5 with stride 2 over 11 + 1 elements, at 0, 2, 4, 6; W: windows of 2 over 5 elements
    assert case.result_dims == {"N": 3, "C": 6, "H": 4, "W": 4}
    assert case.pad_widths == {"N": (1, 0), "C": (0, 1), "H": (1, 2), "W": (1, -1)}
    assert case.macs == 3 * 6 * 4 * 4 * (3 * 2 * 2)
    assert (case.operand_layout, case.weight_layout) == ("NHWC", "OIHW")


def test_shapes_of_a_transposed_convolution():
    case = Case(
        op="conv2d_transpose",
        axes=(
            Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(1, 1), output_padding=1),
            Axis(size=3, kernel=2, dilation=3),
        ),
        channels=4,
        filters=6,
        groups=2,
    )
    assert case.operand_dims == {"N": 1, "C": 4, "H": 5, "W": 3}
    assert case.kernel_dims == {"I": 4, "O": 3, "H": 3, "W": 2}
    # H: 5 elements with stride 2 span 9, plus 2 of the kernel, minus 2, plus 1; W: 3 elements plus 3
    assert case.result_dims == {"N": 1, "C": 6, "H": 10, "W": 6}


@pytest.mark.parametrize(
    ("axis", "ceil_mode", "windows"),
    [
        (Axis(size=4, pad=(0, 1), kernel=2, stride=2), False, 2),
        (Axis(size=4, pad=(0, 1), kernel=2, stride=2), True, 3),
        (Axis(size=4, padding=(0, 1), kernel=2, stride=2), True, 2),  # a third would start after the data
        (Axis(size=4, padding=(1, 0), kernel=2, stride=2), True, 3),
        (Axis(size=7, kernel=2, stride=3, dilation=2), True, 3),  # at 0, 3 and 6: the last one overhangs
        (Axis(size=6, kernel=2, stride=3, dilation=2), True, 2),  # at 0 and 3: the last one ends with the data
    ],
)
def test_windows_of_a_pool(axis, ceil_mode, windows):
    case = Case(op="max_pool1d", axes=(axis,), ceil_mode=ceil_mode, channels=3, batch=2)
    assert case.result_dims == {"N": 2, "C": 3, "W": windows}
    assert case.macs == 2 * 3 * windows * 2


PADDED_WEIGHT = Case(
    op="conv1d",
    axes=(Axis(size=8, kernel=3, pad=(1, 0)),),
    pad=Pad(operand="weight", batch=(0, 2), channel=(1, 0)),
    channels=3,
    filters=4,
)


def test_shapes_of_a_padded_weight():
    assert PADDED_WEIGHT.data_dims == PADDED_WEIGHT.operand_dims == {"N": 1, "C": 3, "W": 8}
    assert PADDED_WEIGHT.kernel_dims == {"O": 4, "I": 2, "W": 3}
    assert PADDED_WEIGHT.weight_dims == {"O": 6, "I": 3, "W": 4}
    assert PADDED_WEIGHT.result_dims == {"N": 1, "C": 6, "W": 5}


def test_the_taps_of_a_padded_weight_count():
    assert PADDED_WEIGHT.macs == 6 * 5 * (3 * 4)


def test_shapes_of_a_padded_transposed_weight():
    case = Case(
        op="conv1d_transpose",
        axes=(Axis(size=3, kernel=2, pad=(0, 1), stride=2),),
        pad=Pad(operand="weight", batch=(1, 0), channel=(0, 1)),
        channels=4,
        filters=6,
        groups=2,
    )
    assert case.kernel_dims == {"I": 3, "O": 3, "W": 2}
    assert case.weight_dims == {"I": 4, "O": 4, "W": 3}
    assert case.result_dims == {"N": 1, "C": 8, "W": 7}


def test_dtypes_are_derived_from_the_steps_and_the_weight():
    assert (QUANTIZED.pad_dtype, QUANTIZED.operand_dtype, QUANTIZED.kernel_dtype) == ("int8", "float32", "float32")
    assert QUANTIZED.result_dtype == "float32"
    mixed = Case(op="conv1d", axes=(Axis(),), dtype="uint8", weight_dtype="int8", out_dtype="int32")
    assert (mixed.pad_dtype, mixed.operand_dtype, mixed.kernel_dtype) == ("uint8", "uint8", "int8")
    assert mixed.result_dtype == "int32"
    assert replace(mixed, pad=Pad(operand="weight")).pad_dtype == "int8"


def test_an_integer_pad_value_becomes_a_float():
    assert type(Pad(value=3).value) is float
    assert math.copysign(1, Pad(value=0).value) == 1


# --- chains -------------------------------------------------------------------------------------------

CHAIN = Case(
    op="conv2d",
    axes=(Axis(size=5, pad=(1, 2)), Axis(kernel=3, padding=(1, 0))),
    dtype="int8",
    producers=(Step(kind="astype", out_dtype="float32"),),
    pad=Pad(channel=(0, 1)),
    steps=(
        Step(kind="quantize", out_dtype="uint8"),
        Step(kind="reshape", source="NUHC"),
        Step(kind="pad", widths=(("W", 2, 1), ("N", 1, 0))),
        Step(kind="permute_dims", source="NHWC"),
    ),
    channels=2,
    out_dtype="int32",
)


def test_layouts_are_derived_backwards_from_the_consumer():
    assert CHAIN.step_layouts == ("NUHC", "NUHC", "NHWC", "NHWC", "NCHW")
    assert CHAIN.input_layout == "NUHC"


def test_lengths_grow_along_the_chain():
    assert CHAIN.input_dims == {"N": 1, "C": 2, "H": 5, "W": 1, "U": 1, "V": 1}
    assert CHAIN.step_dims[0] == CHAIN.step_dims[2] == {"N": 1, "C": 3, "H": 8, "W": 1, "U": 1, "V": 1}
    assert CHAIN.operand_dims == {"N": 2, "C": 3, "H": 8, "W": 4}
    assert CHAIN.kernel_dims == {"O": 1, "I": 3, "H": 1, "W": 3}
    assert CHAIN.result_dims == {"N": 2, "C": 1, "H": 8, "W": 3}


def test_dtypes_propagate_through_the_chain():
    assert CHAIN.producer_dtypes == ("int8", "float32")
    assert CHAIN.step_dtypes == ("float32", "uint8", "uint8", "uint8", "uint8")
    assert (CHAIN.pad_dtype, CHAIN.operand_dtype, CHAIN.kernel_dtype, CHAIN.result_dtype) == (
        "float32",
        "uint8",
        "uint8",
        "int32",
    )


def test_each_step_knows_the_tensor_that_it_reads():
    [producers] = CHAIN.producer_places
    assert (producers.dtype, producers.layout, producers.dims["H"], producers.parameter("scale")) == (
        "int8",
        "NUHC",
        5,
        "producer_scale0",
    )
    last = CHAIN.step_places[3]
    assert (last.dtype, last.layout, last.dims["W"], last.parameter("operand")) == ("uint8", "NHWC", 4, "operand3")


def test_a_derived_value_is_computed_once():
    case = replace(CHAIN)
    assert case.step_places is case.step_places
    assert case.operand_dims == CHAIN.operand_dims
    assert case.operand_dims is not case.operand_dims  # a reader that changes its dict changes no other
