"""foldproof.ir.relax.build: a case as a Relax module, attribute by attribute."""

import pytest
import tvm
import tvm_ffi
from tests.support.relax import inputs
from tvm import relax

from foldproof.case import Axis, Case, Pad, Step
from foldproof.ir.relax.build import build

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
    ids=lambda value: f"{value.op} {value.operand_layout}" if isinstance(value, Case) else "",
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


# --- parameters, steps, extra outputs --------------------------------------------------------------------------

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
    arrays = inputs(case, "integers")
    assert list(arrays) == list(types)
    assert [array.shape for array in arrays.values()] == [dims(p.ty) for p in params]


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


def test_extra_outputs_are_returned_after_the_result():
    case = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), extra_outputs=("returned", "read"))
    module = build(case)
    relax.analysis.well_formed(module)
    *_, last = module["main"].body.blocks[0].bindings
    assert [field.name for field in last.value.fields] == ["result", "padded", "read"]
    assert [arg.name for arg in calls(module)["read"].args] == ["padded", "padded"]


# --- chains -------------------------------------------------------------------------------------------


def test_a_chain_is_emitted_step_by_step_with_the_layout_of_each_step():
    case = Case(
        op="conv2d",
        axes=(Axis(size=5, pad=(1, 2)), Axis()),
        producers=(Step(kind="leakyrelu", alpha=0.5),),
        steps=(
            Step(kind="clip", low=-1.0, high=2.0),
            Step(kind="squeeze", source="HUNC"),
            Step(kind="permute_dims", source="HNC"),
            Step(kind="expand_dims", source="NHC"),
        ),
        batch=2,
        channels=3,
        data_layout="NHWC",
    )
    bound = calls(build(case))
    assert [dims(call.ty) for call in bound.values()][:6] == [
        (5, 1, 2, 3),
        (8, 1, 2, 3),
        (8, 1, 2, 3),
        (8, 2, 3),
        (2, 8, 3),
        (2, 8, 1, 3),
    ]
    assert numbers(bound["padded"].attrs.pad_width) == [1, 2, 0, 0, 0, 0, 0, 0]
    assert numbers(bound["permute_dims"].attrs.axes) == [1, 0, 2]
    assert numbers(bound["squeeze"].attrs.axis) == [1]
    assert numbers(bound["expand_dims"].attrs.axis) == [2]
    assert [float(arg.value) for arg in bound["clip"].args[1:]] == [-1.0, 2.0]


@pytest.mark.parametrize(
    ("crop", "pieces", "read"),
    [((-1, -2), [1, 4], 1), ((-2, 0), [2], 1), ((0, -1), [5], 0), ((-2, -2), 3, 1), ((-4, 0), 3, 2), ((-3, 0), 2, 1)],
)
def test_a_split_has_pieces_of_equal_length_where_that_is_possible(crop, pieces, read):
    """Of 6 elements. Either spelling is a crop."""
    case = Case(
        op="conv1d",
        axes=(Axis(size=4, pad=(1, 1)),),
        steps=(Step(kind="pad", widths=(("W", *crop),), form="split"),),
    )
    bindings = build(case)["main"].body.blocks[0].bindings
    [split] = [one.value for one in bindings if getattr(getattr(one.value, "op", None), "name", "") == "relax.split"]
    [piece] = [one.value for one in bindings if isinstance(one.value, relax.TupleGetItem)]
    sections = split.attrs.indices_or_sections
    assert (int(sections) if isinstance(pieces, int) else numbers(sections)) == pieces
    assert piece.index == read


def test_a_nested_pad_has_its_widths_in_the_layout_where_it_stands():
    steps = (Step(kind="pad", value=3.0, widths=(("W", 1, 2), ("N", 0, -1))), Step(kind="permute_dims", source="WNC"))
    call = calls(build(Case(op="max_pool1d", axes=(Axis(size=3),), batch=2, steps=steps)))["pad"]
    assert numbers(call.attrs.pad_width) == [1, 2, 0, -1, 0, 0]
    assert float(call.attrs.pad_value) == 3.0


@pytest.mark.parametrize(
    ("mode", "block"),
    [("constant", "PadInput"), ("reflect", "Reflect"), ("replicate", "Replicate"), ("circular", "Circular")],
)
def test_a_pad_as_call_tir_calls_the_function_of_topi(mode, block):
    axes = (Axis(size=3, pad=(1, 2)),)
    module = build(Case(op="max_pool1d", axes=axes, pad=Pad(mode=mode, form="call_tir"), data_layout="NWC"))
    relax.analysis.well_formed(module)
    [call] = [call for call in calls(module).values() if call.op.name == "relax.call_tir"]
    assert dims(call.ty) == (1, 6, 1)
    assert block in module[call.args[0]].script()
    assert len(module.functions) == 2


def test_an_input_stride_makes_expressions_of_symbolic_lengths_which_a_kernel_takes_as_scalars():
    case = Case(
        op="conv1d", axes=(Axis(size=3, pad=(1, 1)),), pad=Pad(form="call_tir"), symbolic=("W",), input_stride=2
    )
    module = build(case)
    relax.analysis.well_formed(module)
    [call] = [call for call in calls(module).values() if call.op.name == "relax.call_tir"]
    assert [str(length) for length in call.ty.shape.values] == [
        "T.int64(1)",
        "T.int64(1)",
        "(w + T.int64(1)) // T.int64(2) + T.int64(2)",
    ]
    assert len(call.args[1].fields) == 2
    fixed = build(Case(op="conv1d", axes=case.axes, input_stride=2))
    assert dims(fixed["main"].params[0].ty) == (1, 1, 5)


def test_symbolic_lengths_are_variables_of_the_types():
    module = build(Case(op="conv1d", axes=(Axis(size=5, pad=(1, 2)),), symbolic=("N", "W")))
    n, c, w = module["main"].params[0].ty.shape.values
    assert (n.name, int(c), w.name) == ("n", 1, "w")
    assert tvm_ffi.structural_equal(module["main"].ret_ty.shape.values[2], w + 3)


def test_a_constant_weight_is_in_the_module_and_not_a_parameter():
    case = Case(op="conv1d", axes=(Axis(kernel=1),), constant_weight=True, fills=("reals", "negative"))
    module = build(case)
    assert [param.name for param in module["main"].params] == ["x"]
    assert calls(module)["result"].args[1].value.numpy().tolist() == inputs(case, "reals")["w"].tolist()


@pytest.mark.parametrize(("layout", "shape"), [("NCW", (2, 1)), ("NWC", (2,)), ("CNW", (2, 1, 1))])
@pytest.mark.parametrize("constant", [True, False])
def test_an_operand_along_an_axis_broadcasts_to_it(layout, shape, constant):
    step = Step(kind="subtract", operand=(1.0, 2.0), swapped=True, constant=constant)
    case = Case(op="max_pool1d", axes=(Axis(size=3),), channels=2, data_layout=layout, steps=(step,))
    left, right = calls(build(case))["subtract"].args
    assert right.name == "padded"
    assert dims(left.ty) == shape
    assert isinstance(left, relax.Var) != constant


def test_parameters_of_all_steps_come_in_their_order():
    times = Step(kind="multiply", constant=False)
    case = Case(
        op="conv1d", axes=(Axis(),), dtype="int8", producers=(times,), steps=(times, RUNTIME, times), channels=2
    )
    names = ["x", "w", "producer_operand0", "operand0", "scale1", "zero_point1", "operand2"]
    params = build(case)["main"].params
    assert [param.name for param in params] == list(inputs(case, "integers")) == names
    assert [str(param.ty.dtype) for param in params][-1] == "float32"


def test_the_first_step_is_returned_as_an_extra_output():
    case = Case(op="max_pool1d", axes=(Axis(),), steps=(Step(kind="relu"), Step(kind="abs")), extra_outputs=("step",))
    *_, last = build(case)["main"].body.blocks[0].bindings
    assert [field.name for field in last.value.fields] == ["result", "relu"]
