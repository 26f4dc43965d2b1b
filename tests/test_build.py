"""harness.build and harness.pads: a case as a Relax module, attribute by attribute."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import pytest
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from harness.build import build
from harness.case import Axis, Case, Pad, Step
from harness.inputs import inputs
from harness.pads import pads_in_front

H = Axis(size=8, pad=(1, 2), kernel=3, stride=2, dilation=2, padding=(3, 4))
W = Axis(size=9, pad=(5, 6), kernel=2, stride=3, padding=(7, 8))
D = Axis(size=4, pad=(0, 9), kernel=2, dilation=3, padding=(1, 0))


def calls(module):
    """Calls of operators by variable name."""
    bindings = module["main"].body.blocks[0].bindings
    return {b.var.name: b.value for b in bindings if isinstance(b.value, tvm.ir.Call)}


def numbers(values):
    return [int(value) for value in values]


def dims(ty):
    return tuple(numbers(ty.shape.values))


# --- one case per op ----------------------------------------------------------------------------------

CONV = {"channels": 4, "filters": 6, "groups": 2}


@pytest.mark.parametrize(
    ("case", "pad_width", "attributes"),
    [
        (
            Case(op="conv1d", axes=(H,), **CONV),
            [0, 0, 0, 0, 1, 2],
            {"strides": [2], "padding": [3, 4], "dilation": [2], "groups": 2, "kernel_layout": "OIW"},
        ),
        (
            Case(op="conv2d", axes=(H, W), **CONV),
            [0, 0, 0, 0, 1, 2, 5, 6],
            {"strides": [2, 3], "padding": [3, 7, 4, 8], "dilation": [2, 1], "data_layout": "NCHW"},
        ),
        (
            Case(op="conv3d", axes=(D, H, W), **CONV),
            [0, 0, 0, 0, 0, 9, 1, 2, 5, 6],
            {"strides": [1, 2, 3], "padding": [1, 3, 7, 0, 4, 8], "dilation": [3, 2, 1], "data_layout": "NCDHW"},
        ),
        (
            Case(op="conv1d_transpose", axes=(Axis(size=4, pad=(1, 0), stride=3, output_padding=2),), **CONV),
            [0, 0, 0, 0, 1, 0],
            {"strides": [3], "padding": [0, 0], "output_padding": [2], "groups": 2, "kernel_layout": "IOW"},
        ),
        (
            Case(op="conv2d_transpose", axes=(H, W), **CONV),
            [0, 0, 0, 0, 1, 2, 5, 6],
            {"strides": [2, 3], "padding": [3, 7, 4, 8], "output_padding": [0, 0], "kernel_layout": "IOHW"},
        ),
        (
            Case(op="conv3d_transpose", axes=(D, H, W), **CONV),
            [0, 0, 0, 0, 0, 9, 1, 2, 5, 6],
            {"strides": [1, 2, 3], "padding": [1, 3, 7, 0, 4, 8], "dilation": [3, 2, 1]},
        ),
        (
            Case(op="max_pool1d", axes=(H,), ceil_mode=True),
            [0, 0, 0, 0, 1, 2],
            {"pool_size": [3], "strides": [2], "padding": [3, 4], "ceil_mode": True, "layout": "NCW"},
        ),
        (
            Case(op="max_pool2d", axes=(H, W)),
            [0, 0, 0, 0, 1, 2, 5, 6],
            {"pool_size": [3, 2], "padding": [3, 7, 4, 8], "dilation": [2, 1], "ceil_mode": False},
        ),
        (
            Case(op="max_pool3d", axes=(D, H, W)),
            [0, 0, 0, 0, 0, 9, 1, 2, 5, 6],
            {"pool_size": [2, 3, 2], "padding": [1, 3, 7, 0, 4, 8], "layout": "NCDHW"},
        ),
        (
            Case(op="avg_pool1d", axes=(H,), count_include_pad=True),
            [0, 0, 0, 0, 1, 2],
            {"pool_size": [3], "padding": [3, 4], "count_include_pad": True, "ceil_mode": False},
        ),
        (
            Case(op="avg_pool2d", axes=(H, W), ceil_mode=True),
            [0, 0, 0, 0, 1, 2, 5, 6],
            {"padding": [3, 7, 4, 8], "count_include_pad": False, "ceil_mode": True},
        ),
        (
            Case(op="avg_pool3d", axes=(D, H, W)),
            [0, 0, 0, 0, 0, 9, 1, 2, 5, 6],
            {"pool_size": [2, 3, 2], "strides": [1, 2, 3], "dilation": [3, 2, 1], "count_include_pad": False},
        ),
        # the pad goes by layout, the padding by axis
        (
            Case(op="conv2d", axes=(H, W), data_layout="NHWC", kernel_layout="HWIO", **CONV),
            [0, 0, 1, 2, 5, 6, 0, 0],
            {"padding": [3, 7, 4, 8], "data_layout": "NHWC", "out_layout": "NHWC", "kernel_layout": "HWIO"},
        ),
        (
            Case(op="conv2d", axes=(H, W), data_layout="WNCH", pad=Pad(batch=(10, 11), channel=(12, 14)), **CONV),
            [5, 6, 10, 11, 12, 14, 1, 2],
            {"strides": [2, 3], "padding": [3, 7, 4, 8], "dilation": [2, 1], "data_layout": "WNCH"},
        ),
        (
            Case(op="max_pool3d", axes=(D, H, W), data_layout="HDNWC"),
            [1, 2, 0, 9, 0, 0, 5, 6, 0, 0],
            {"pool_size": [2, 3, 2], "padding": [1, 3, 7, 0, 4, 8], "layout": "HDNWC", "out_layout": "HDNWC"},
        ),
        # the weight's layout decides where its pad is
        (
            Case(
                op="conv1d",
                axes=(Axis(size=9, kernel=2, pad=(1, 2)),),
                pad=Pad(operand="weight", batch=(3, 4), channel=(5, 6)),
                channels=12,
                kernel_layout="WIO",
            ),
            [1, 2, 5, 6, 3, 4],
            {"padding": [0, 0], "kernel_layout": "WIO"},
        ),
    ],
    ids=lambda value: f"{value.op} {value.data_order}" if isinstance(value, Case) else "",
)
def test_every_attribute_has_its_place(case, pad_width, attributes):
    module = build(case)
    relax.analysis.well_formed(module)
    bound = calls(module)
    assert numbers(bound["padded"].attrs.pad_width) == pad_width
    assert bound["result"].op.name == f"relax.nn.{case.op}"
    for name, expected in attributes.items():
        value = getattr(bound["result"].attrs, name)
        assert (numbers(value) if isinstance(expected, list) else value) == expected, name


@pytest.mark.parametrize(
    ("case", "shapes", "result"),
    [
        (
            Case(op="conv2d", axes=(H, W), data_layout="NHWC", kernel_layout="HWIO", batch=2, **CONV),
            {"x": (2, 8, 9, 4), "w": (3, 2, 2, 6)},
            (2, 7, 12, 6),  # (11 + 7 - 5) // 2 + 1 and (20 + 15 - 2) // 3 + 1
        ),
        (
            Case(op="conv1d_transpose", axes=(Axis(size=4, pad=(1, 0), stride=3, output_padding=2),), **CONV),
            {"x": (1, 4, 4), "w": (4, 3, 1)},
            (1, 6, 15),
        ),
        (Case(op="max_pool1d", axes=(Axis(size=4, pad=(0, 1), kernel=2, stride=2),)), {"x": (1, 1, 4)}, (1, 1, 2)),
        (
            Case(op="avg_pool1d", axes=(Axis(size=4, pad=(0, 1), kernel=2, stride=2),), ceil_mode=True),
            {"x": (1, 1, 4)},
            (1, 1, 3),
        ),
    ],
    ids=lambda value: value.op if isinstance(value, Case) else "",
)
def test_shapes_are_in_the_order_of_the_layouts(case, shapes, result):
    function = build(case)["main"]
    assert {p.name: dims(p.ty) for p in function.params} == shapes
    assert dims(function.ret_ty) == result


# --- parameters, steps, uses --------------------------------------------------------------------------

QUANTIZED = {"op": "conv1d", "axes": (Axis(size=4, pad=(1, 0)),), "dtype": "uint8", "channels": 2}
SCALES = Step(scale=(0.5, 2.0), zero_point=(7,), zero_point_dtype="int32", out_dtype="float16")
RUNTIME = Step(scale=(0.5, 2.0), zero_point=(7,), zero_point_dtype="int32", constant=False)


@pytest.mark.parametrize(
    ("case", "types"),
    [
        (Case(op="max_pool1d", axes=(Axis(),), dtype="int16"), {"x": "int16"}),
        (Case(op="conv1d", axes=(Axis(),)), {"x": "float32", "w": "float32"}),
        (
            Case(op="conv1d", axes=(Axis(),), dtype="uint8", weight_dtype="int8", out_dtype="int32"),
            {"x": "uint8", "w": "int8"},
        ),
        (Case(**QUANTIZED, steps=(SCALES,)), {"x": "uint8", "w": "float16"}),
        (
            Case(**QUANTIZED, steps=(RUNTIME,)),
            {"x": "uint8", "w": "float32", "scale0": "float32", "zero_point0": "int32"},
        ),
    ],
)
def test_parameters_are_those_of_the_inputs(case, types):
    params = build(case)["main"].params
    assert {p.name: str(p.ty.dtype) for p in params} == types
    made = inputs(case, "integers")
    assert list(made) == list(types)
    assert [array.shape for array in made.values()] == [dims(p.ty) for p in params]


def test_a_constant_dequantize_holds_its_parameters():
    bound = calls(build(Case(**QUANTIZED, steps=(SCALES,), data_layout="NWC")))
    call = bound["dequantized"]
    assert call.op.name == "relax.dequantize"
    assert call.args[0].name == "padded"
    assert call.args[1].value.numpy().tolist() == [0.5, 2.0]
    assert call.args[2].value.numpy().tolist() == 7
    assert (int(call.attrs.axis), str(call.attrs.out_dtype)) == (2, "float16")
    assert bound["result"].args[0].name == "dequantized"


def test_a_runtime_dequantize_reads_parameters():
    call = calls(build(Case(**QUANTIZED, steps=(RUNTIME,))))["dequantized"]
    assert [arg.name for arg in call.args] == ["padded", "scale0", "zero_point0"]
    assert int(call.attrs.axis) == 1


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -128.9, float("inf"), float("-inf"), float("nan")])
def test_the_pad_holds_its_value_and_mode_as_they_are(value):
    case = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 1)),), pad=Pad(value=value, mode="edge"))
    call = calls(build(case))["padded"]
    assert repr(float(call.attrs.pad_value)) == repr(value)
    assert call.attrs.pad_mode == "edge"


@pytest.mark.parametrize(("out_dtype", "expected"), [("", "int8"), ("int32", "int32"), ("float64", "float64")])
def test_the_result_has_the_out_dtype(out_dtype, expected):
    case = Case(op="conv1d", axes=(Axis(),), dtype="int8", out_dtype=out_dtype)
    assert str(build(case)["main"].ret_ty.dtype) == expected


def test_further_uses_of_the_pad_are_returned_behind_the_result():
    case = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), uses=("returned", "read"))
    module = build(case)
    relax.analysis.well_formed(module)
    *_, last = module["main"].body.blocks[0].bindings
    assert [field.name for field in last.value.fields] == ["result", "padded", "read"]
    assert [arg.name for arg in calls(module)["read"].args] == ["padded", "padded"]


# --- pads that are left -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "count"),
    [
        (Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),)), 1),
        (Case(op="conv1d", axes=(Axis(size=3),)), 1),  # zero widths are a pad all the same
        (Case(op="conv2d_transpose", axes=(Axis(size=3, pad=(1, 0)), Axis())), 1),
        (Case(op="avg_pool3d", axes=(Axis(), Axis(), Axis(pad=(0, 1)))), 1),
        (Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(operand="weight", batch=(1, 0))), 1),
        (Case(**QUANTIZED, steps=(SCALES,)), 1),
        (Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), uses=("returned", "read")), 1),
    ],
    ids=lambda value: value.op if isinstance(value, Case) else "",
)
def test_a_built_case_has_one_pad_in_front(case, count):
    assert pads_in_front(build(case)) == count


def test_pads_in_front_are_counted_by_operand_through_aliases_branches_and_local_functions():
    @I.ir_module
    class Module:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3, 3, 4), "float32")) -> R.Tensor((3, 3, 1), "float32"):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = lv

            @R.function
            def inner(z: R.Tensor((3, 3, 4), "float32")) -> R.Tensor((3, 3, 5), "float32"):
                lv2 = R.nn.pad(z, (0, 0, 0, 0, 1, 1))
                lv3 = R.nn.avg_pool1d(lv2, (2,))
                return lv3

            lv4 = inner(x)  # noqa: F841
            if c:
                y = R.nn.conv1d(lv1, lv)
            else:
                y = R.nn.conv1d(x, x)
            return y

        @R.function
        def other(x: R.Tensor((3, 3, 4), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = R.nn.relu(lv)
            lv2 = R.nn.max_pool1d(lv1, (2,))
            return lv2

    assert pads_in_front(Module) == 3
    assert pads_in_front(tvm.IRModule({"other": Module["other"]})) == 0
