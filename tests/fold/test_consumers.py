"""foldproof.fold: convolutions and pools as TVM builds them: attributes, operands, lengths."""

import math

import numpy as np
import pytest
from tests.support.foldings import (
    assert_folds,
    assert_kept,
    assert_same_results,
    assert_stays,
    chain,
    emitted,
    fold,
    outcomes,
)
from tvm import relax, tirx

from foldproof.fold import Kind

INF = math.inf


CONV = {"groups": 2, "out_dtype": "float64"}


POOL = {"ceil_mode": True}


FLOAT1, FLOAT2, FLOAT3 = ((2, 4, *sizes) for sizes in [(9,), (9, 11), (9, 11, 13)])


def one_op(name, shape, weight, widths, value, **attributes):
    """main(x [, w]): the op of that name, after a pad unless ``widths`` is None."""
    builder = relax.BlockBuilder()
    params = [relax.Var("x", relax.TensorType(shape, "float32"))]
    if weight:
        params.append(relax.Var("w", relax.TensorType(weight, "float32")))
    with builder.function("main", params):
        with builder.dataflow():
            x, *rest = params
            data = x if widths is None else builder.emit(relax.op.nn.pad(x, widths, pad_value=value))
            gv = builder.emit_output(getattr(relax.op.nn, name)(data, *rest, **attributes))
        builder.emit_func_output(gv)
    return builder.get()


W1, W2, W3 = [0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 1, 2, 3, 4], [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]


SIZE1, SIZE2, SIZE3 = ({"pool_size": sizes} for sizes in [[3], [3, 4], [3, 4, 5]])


@pytest.mark.parametrize(
    ("name", "shape", "weight", "widths", "value", "attributes", "own", "folded"),
    [
        ("conv1d", FLOAT1, (6, 2, 3), W1, 0.0, CONV | {"strides": 2, "dilation": 3}, [4, 1], [5, 3]),
        ("conv2d", FLOAT2, (6, 2, 3, 3), W2, 0.0, CONV | {"strides": [2, 1]}, [1, 0, 0, 2], [2, 3, 2, 6]),
        ("conv3d", FLOAT3, (6, 2, 3, 3, 3), W3, 0.0, CONV | {"dilation": [1, 2, 3]}, [1] * 6, [2, 4, 6, 3, 5, 7]),
        ("max_pool1d", FLOAT1, None, W1, -INF, POOL | SIZE1 | {"strides": [1]}, [2, 0], [3, 2]),
        ("max_pool2d", FLOAT2, None, W2, -INF, SIZE2 | {"dilation": [2, 1]}, [1, 1, 0, 0], [2, 4, 2, 4]),
        ("max_pool3d", FLOAT3, None, W3, -INF, SIZE3 | {"strides": [3, 2, 1]}, [0] * 6, [1, 3, 5, 2, 4, 6]),
        ("avg_pool1d", FLOAT1, None, W1, 0.0, SIZE1 | {"dilation": [2], "count_include_pad": True}, [2, 0], [3, 2]),
        ("avg_pool2d", FLOAT2, None, W2, 0.0, SIZE2 | {"count_include_pad": True}, [1, 1, 0, 0], [2, 4, 2, 4]),
        ("avg_pool3d", FLOAT3, None, W3, 0.0, SIZE3 | {"count_include_pad": True}, [1] * 6, [2, 4, 6, 3, 5, 7]),
    ],
)
def test_only_the_padding_of_an_op_changes(name, shape, weight, widths, value, attributes, own, folded):
    before = one_op(name, shape, weight, widths, value, padding=own, **attributes)
    assert_folds(before, one_op(name, shape, weight, None, value, padding=folded, **attributes))


def conv2d_of_pad(
    widths, *, shape=(1, 3, 8, 8), weight=(4, 3, 3, 3), dtype="float32", mode="constant", value=0.0, **attributes
):
    """main(x, w): ``gv = conv2d(pad(x), w)`` in one dataflow block."""
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType(shape, dtype)), relax.Var("w", relax.TensorType(weight, dtype))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(relax.op.nn.pad(x, widths, mode, value), "lv")
            gv = builder.emit_output(relax.op.nn.conv2d(padded, w, **attributes), "gv")
        builder.emit_func_output(gv)
    return builder.get()


BLOCKED = {"data_layout": "NCHW4c", "kernel_layout": "OIHW4i4o"}


@pytest.mark.parametrize(
    ("module", "kind", "text"),
    [
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], value=1.0), Kind.VALUE, "the pad value is 1.0"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], mode="reflect"), Kind.MODE, "'reflect'"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], mode="edge"), Kind.MODE, "'edge'"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, -1, 4], padding=1), Kind.CROP, "the pad crops W by (-1, 4)"),
        (conv2d_of_pad([0, 1, 0, 0, 0, 0, 0, 0]), Kind.BATCH, "(0, 1)"),
        (conv2d_of_pad([0, 0, 0, 1, 0, 0, 0, 0], weight=(4, 4, 3, 3)), Kind.CHANNEL, "(0, 1)"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], out_layout="NHWC"), Kind.LAYOUT, "NCHW (out_layout NHWC)"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], data_layout="NCWH"), Kind.LAYOUT, "NCWH/OIHW"),
        (
            conv2d_of_pad([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], shape=(1, 1, 8, 8, 4), weight=(1, 1, 3, 3, 4, 4), **BLOCKED),
            Kind.LAYOUT,
            "NCHW4c",
        ),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], dtype="float8_e4m3fn"), Kind.DTYPE, "float8_e4m3fn"),
        (conv2d_of_pad([0, 0, 0, 0, 1, 2, 3, 4], dtype="bool"), Kind.DTYPE, "bool"),
    ],
)
def test_a_pad_that_padding_cannot_say_stays(module, kind, text):
    assert_kept(module)
    [(pad, consumer, result, outcome)] = outcomes(module)
    assert (pad, consumer, result, outcome.kind) == ("lv", "conv2d", "gv", kind)
    assert text in outcome.detail


O = relax.op  # noqa: E741


def test_a_length_that_cannot_be_proved_stays_as_it_is(monkeypatch):
    """No fold is known that TVM's analyzer cannot follow, so it is made to fail."""
    from foldproof.fold import rewrite

    n = tirx.Var("n", "int64")
    module = chain(shape=(1, 3, n))
    assert not fold(module).same_as(module)
    monkeypatch.setattr(rewrite.Analyzer, "can_prove_equal", lambda *_: False)
    assert_stays(module, Kind.SYMBOLIC)


def test_what_another_pad_adds_is_data_that_may_be_below_the_border():
    module = emitted(
        [((1, 1, 4), "float32")],
        O.nn.relu,
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 0, 2], pad_value=-5.0),
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 0, 1]),
        lambda x: O.nn.max_pool1d(x, (3,), strides=(2,)),
    )
    assert_stays(module, Kind.NESTED, Kind.VALUE)
    assert_same_results(module, np.ones((1, 1, 4), "float32"))
