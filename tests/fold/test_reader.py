"""foldproof.fold.reader: what is read of calls, as TVM builds them. Every expectation is by hand."""

import numpy as np
import pytest
from tvm import relax, tirx

from foldproof.fold import Consumer
from foldproof.fold.facts import Binary, Cast, Clip, Operand, Padded, PadFacts, Quantization, Rearranged, Unary
from foldproof.fold.reader import list_squeezed_axes, read_consumer, read_pad, read_step

O = relax.op  # noqa: E741
N = tirx.Var("n", "int64")


def var(shape, dtype="float32", *, ndim=-1):
    ty = relax.TensorType(shape, dtype) if shape is not None else relax.TensorType(None, dtype, ndim=ndim)
    return relax.Var("x", ty)


def const(values, dtype="float32"):
    return relax.const(np.array(values), dtype)


def typed(call):
    """The call with its type, as a function has it."""
    return relax.BlockBuilder().normalize(call)


def computed(shape, dtype="float32", *, ndim=-1):
    """A variable that something computes, and not a parameter."""
    return relax.Var("computed", var(shape, dtype, ndim=ndim).ty)


def resolve(value):
    """As a function's bindings say it: computed values are calls."""
    return O.nn.relu(var((1,))) if isinstance(value, relax.Var) and value.name == "computed" else value


def step(call):
    return read_step(typed(call), resolve)


# --- consumers ----------------------------------------------------------------------------------------


def test_all_attributes_of_a_convolution_are_read():
    call = O.nn.conv2d(
        var((2, 7, 9, 6), "int8"),
        var((4, 3, 5, 3), "int8"),
        strides=(2, 3),
        padding=(1, 2, 3, 4),
        dilation=(1, 2),
        groups=2,
        data_layout="NHWC",
        kernel_layout="OHWI",
        out_layout="NCHW",
        out_dtype="int32",
    )
    assert read_consumer(typed(call), 1, "") == Consumer(
        op="conv2d",
        family="conv",
        operand=1,
        spatial="HW",
        layout="NHWC",
        out_layout="NCHW",
        kernel_layout="OHWI",
        padding=(1, 2, 3, 4),
        strides=(2, 3),
        dilation=(1, 2),
        groups=2,
        channels=6,
        sizes=(7, 9),
        out_dtype="int32",
        weight="integer",
    )


def test_all_attributes_of_a_pool_are_read():
    call = O.nn.avg_pool1d(var((N, 5, N)), 3, 2, (1, 0), 2, ceil_mode=True, count_include_pad=True)
    assert read_consumer(typed(call), 0, "") == Consumer(
        op="avg_pool1d",
        family="avg_pool",
        operand=0,
        spatial="W",
        layout="NCW",
        out_layout="NCW",
        padding=(1, 0),
        kernel=(3,),
        strides=(2,),
        dilation=(2,),
        channels=5,
        sizes=(None,),
        ceil_mode=True,
        count_include_pad=True,
    )


def test_what_is_no_consumer_is_named_by_its_operator_or_place():
    assert read_consumer(typed(O.add(var((2, 3)), var((2, 3)))), 1, "here") == Consumer(
        op="add", family="other", operand=1
    )
    assert read_consumer(None, 0, "return") == Consumer(op="return", family="other", operand=0)


def test_lengths_are_those_of_the_letters_wherever_they_stand():
    read = read_consumer(typed(O.nn.max_pool1d(var((5, 6, 7)), 2, layout="CWN")), 0, "")
    assert (read.channels, read.sizes) == (5, (6,))
    packed = O.nn.max_pool2d(var((2, 3, 4, 6, 7)), 2, layout="NC4cHW")  # W is the sixth letter of five axes
    assert read_consumer(typed(packed), 0, "").sizes == (7, None)
    assert read_consumer(typed(O.nn.max_pool1d(var(None, ndim=3), 2)), 0, "").channels is None


@pytest.mark.parametrize(
    ("dtype", "values", "out_dtype", "elements", "expected"),
    [
        ("float32", 1.0, None, True, "finite"),
        ("float32", 1.0, "float32", True, "finite"),
        ("float32", 1.0, None, False, ""),
        ("float32", np.inf, None, True, ""),
        ("float32", -np.inf, None, True, ""),
        ("float32", np.nan, None, True, ""),
        ("float32", 65504.0, "float16", True, "finite"),
        ("float32", -65505.0, "float16", True, ""),
        ("float16", 65504.0, None, True, "finite"),
        ("float16", 65504.0, "float32", True, "finite"),
        ("float32", 0.5, "int32", True, ""),
        ("float32", 0.0, "int32", True, ""),
        ("float32", None, None, True, ""),
        ("int8", 1, "int32", True, "integer"),
        ("int8", None, "int32", False, "integer"),
    ],
)
def test_what_is_known_of_a_weight(dtype, values, out_dtype, elements, expected):
    weight = var((4, 3, 2), dtype) if values is None else relax.const(np.full((4, 3, 2), values), dtype)
    call = typed(O.nn.conv1d(var((1, 3, 8), dtype), weight, out_dtype=out_dtype))
    assert read_consumer(call, 0, "", elements=elements).weight == expected


def test_a_weight_with_one_element_that_is_not_finite_is_not():
    values = np.ones((4, 3, 2))
    values[3, 2, 1] = np.inf
    call = typed(O.nn.conv1d(var((1, 3, 8)), relax.const(values, "float32")))
    assert read_consumer(call, 0, "", elements=True).weight == ""


# --- steps --------------------------------------------------------------------------------------------


def of(*flat, shape=(1, 1, 1)):
    return Operand(shape=shape, flat=flat)


UNKNOWN = Operand(shape=None, flat=None)
X = computed((2, 3, 8))
LONG = 2**62 + 1
"""No double holds it."""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (O.nn.relu(X), (Unary(op="nn.relu", dtype="float32"), 0)),
        (O.nn.leakyrelu(X, 0.25), (Unary(op="nn.leakyrelu", dtype="float32", alpha=0.25), 0)),
        (O.astype(X, "int8"), (Cast(op="astype", dtype="int8"), 0)),
        (O.clip(X, -1, 6), (Clip(op="clip", dtype="float32", low=-1, high=6), 0)),
        (O.clip(X, -1, tirx.Var("k", "int64")), (Clip(op="clip", dtype="float32", low=-1, high=None), 0)),
        (O.add(X, const(2)), (Binary(op="add", dtype="float32", other=of(2.0)), 0)),
        (O.subtract(const(2), X), (Binary(op="subtract", dtype="float32", other=of(2.0), swapped=True), 1)),
        (
            O.add(X, const([[1], [2], [3]])),
            (Binary(op="add", dtype="float32", other=of(1.0, 2.0, 3.0, shape=(1, 3, 1))), 0),
        ),
        (
            O.add(X, var((3, N))),
            (Binary(op="add", dtype="float32", other=Operand(shape=(1, 3, None), flat=None)), 0),
        ),
        (O.add(X, var((4, 2, 3, 8))), (Binary(op="add", dtype="float32", other=UNKNOWN), 0)),
        (O.add(X, var(None)), (Binary(op="add", dtype="float32", other=UNKNOWN), 0)),
        (O.add(computed(None), const(2)), (Binary(op="add", dtype="float32", other=UNKNOWN), 0)),
        (O.add(computed(()), const(2)), (Binary(op="add", dtype="float32", other=of(2.0, shape=())), 0)),
        (
            O.add(computed((2, 3), "int64"), const(LONG, "int64")),
            (Binary(op="add", dtype="int64", other=of(LONG, shape=(1, 1))), 0),
        ),
        (
            O.add(computed((2, 3), "bfloat16"), const(1.5, "bfloat16")),
            (Binary(op="add", dtype="bfloat16", other=of(1.5, shape=(1, 1))), 0),
        ),
        (O.add(X, X), None),
        (O.add(var((2, 3, 8)), const(2)), (Binary(op="add", dtype="float32", other=of(2.0)), 0)),
        (O.add(var((2, 3, 8)), var((2, 3, 8))), None),  # two parameters
        (
            O.dequantize(var((2, 3, 8), "int8"), const([1.0, 2.0, 3.0]), const(5, "int8"), axis=1),
            (
                Quantization(
                    op="dequantize", dtype="float32", scale=of(1.0, 2.0, 3.0, shape=(1, 3, 1)), zero_point=of(5)
                ),
                0,
            ),
        ),
        (
            O.quantize(var((3,)), const([1.0, 2.0, 3.0]), const(5, "int8"), axis=-1, out_dtype="int8"),
            (
                Quantization(
                    op="quantize", dtype="int8", scale=of(1.0, 2.0, 3.0, shape=(3,)), zero_point=of(5, shape=(1,))
                ),
                0,
            ),
        ),
        (
            O.quantize(var((2, 3, 8)), var((8,)), var((), "int8"), axis=-1, out_dtype="int8"),
            (
                Quantization(
                    op="quantize",
                    dtype="int8",
                    scale=Operand(shape=(1, 1, 8), flat=None),
                    zero_point=Operand(shape=(1, 1, 1), flat=None),
                ),
                0,
            ),
        ),
        *(
            (
                O.dequantize(var((2, 3, 8), "int8"), const(np.ones(shape)), const(5, "int8"), axis=1),
                (Quantization(op="dequantize", dtype="float32", scale=UNKNOWN, zero_point=of(5)), 0),
            )
            for shape in ((1, 1), (3, 3))
        ),
        (O.permute_dims(X, [0, -1, 1]), (Rearranged(op="permute_dims", dtype="float32", origin=(0, 2, 1)), 0)),
        (O.permute_dims(X), (Rearranged(op="permute_dims", dtype="float32", origin=(2, 1, 0)), 0)),
        (O.permute_dims(var(None, ndim=2)), (Rearranged(op="permute_dims", dtype="float32", origin=(1, 0)), 0)),
        (O.permute_dims(var(())), (Rearranged(op="permute_dims", dtype="float32", origin=()), 0)),
        (O.permute_dims(var(None)), None),
        (O.expand_dims(X, [1, -1]), (Rearranged(op="expand_dims", dtype="float32", origin=(0, None, 1, 2, None)), 0)),
        (O.expand_dims(var(()), 0), (Rearranged(op="expand_dims", dtype="float32", origin=(None,)), 0)),
        (O.expand_dims(var(()), []), (Rearranged(op="expand_dims", dtype="float32", origin=()), 0)),
        (O.expand_dims(var(None), 1), None),
        (O.squeeze(var((1, 3, 1)), [-1]), (Rearranged(op="squeeze", dtype="float32", origin=(0, 1)), 0)),
        (O.squeeze(var((1, 3, 1))), (Rearranged(op="squeeze", dtype="float32", origin=(1,)), 0)),
        (O.squeeze(var(None, ndim=3)), None),
        (O.squeeze(var(None, ndim=3), [0]), (Rearranged(op="squeeze", dtype="float32", origin=(1, 2)), 0)),
        (O.reshape(X, (2, 1, 3, 8)), (Rearranged(op="reshape", dtype="float32", origin=(0, None, 1, 2)), 0)),
        (O.reshape(X, (6, 8)), None),
        (O.reshape(X, (2, 8, 3)), None),
        (O.reshape(var(None, ndim=3), (2, 3, 8)), None),
        (O.reshape(X, relax.Var("s", relax.ShapeType(ndim=3))), None),
        (O.concat([X, X]), None),
        (O.rsqrt(X), None),
    ],
    ids=str,
)  # fmt: skip
def test_a_step_is_read(call, expected):
    assert step(call) == expected


def test_what_has_no_type_of_a_tensor_is_no_step():
    assert read_step(None, resolve) is None
    assert step(O.split(X, 2)) is None


def test_axes_that_a_squeeze_removes():
    assert list_squeezed_axes(typed(O.squeeze(var((1, 3, 1))))) == [0, 2]
    assert list_squeezed_axes(typed(O.squeeze(var((1, N, 1)), [-1]))) == [2]
    assert list_squeezed_axes(typed(O.squeeze(var(None, ndim=3)))) is None


def test_a_pad_is_read_as_a_step_with_the_lengths_of_what_it_pads():
    call = typed(O.nn.pad(var((2, N, 8)), (0, 0, 0, 0, 1, -2), "reflect", 2.5))
    facts = PadFacts(mode="reflect", value=2.5, dtype="float32", widths=((0, 0), (0, 0), (1, -2)))
    assert read_pad(call) == facts
    assert read_step(call, resolve, facts) == (
        Padded(op="pad", dtype="float32", pad=facts, sizes=(2, None, 8)),
        0,
    )


def test_a_pad_whose_widths_or_lengths_are_unknown_is_no_step():
    unknown = typed(O.nn.pad(var(None, ndim=2), (0, 0, 1, 1)))
    assert read_step(unknown, resolve, read_pad(unknown)) is None
    known = typed(O.nn.pad(var((2, 8)), (0, 0, 1, 1)))
    dynamic = PadFacts(mode="constant", value=0.0, dtype="float32", widths=None)
    assert read_step(known, resolve, dynamic) is None


def test_a_constant_with_too_many_elements_is_not_looked_at():
    many = relax.const(np.zeros(2**16 + 1), "float32")
    read, _ = step(O.add(computed((2**16 + 1,)), many))
    assert read.other == Operand(shape=(2**16 + 1,), flat=None)
    most = relax.const(np.zeros(2**16), "float32")
    read, _ = step(O.add(computed((2**16,)), most))
    assert read.other == Operand(shape=(2**16,), flat=(0.0,) * 2**16)


def test_a_constant_without_elements_has_none_to_look_at():
    read, _ = step(O.add(computed((1, 0, 8)), relax.const(np.zeros((0, 1)), "float32")))
    assert read.other == Operand(shape=(1, 0, 1), flat=None)


def test_the_elements_of_a_weight_are_looked_at_on_demand():
    call = typed(O.nn.conv1d(var((1, 3, 8)), const(np.ones((4, 3, 2)))))
    assert [read_consumer(call, 0, "", **asked).weight for asked in ({}, {"elements": True})] == ["", "finite"]
