"""foldproof.fold: zero channels that go with the weights that they meet, by option."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.support.foldings import assert_same_results, assert_stays, emitted, fold, op_names
from tests.support.sites import CONV2, decide, pad, site
from tvm import relax, tirx

from foldproof.case import Axis, Case, Pad
from foldproof.checking.check import check
from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused
from foldproof.ir.relax import residual_pads as pads
from foldproof.ir.relax.build import build

INF = math.inf


INT_CONV = replace(CONV2, out_dtype="int32", channels=3, weight="integer")


ONE_CHANNEL = pad(0, (1, 2), 0, 0, dtype="int8")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (site(ONE_CHANNEL, replace(INT_CONV, weight="integer")), Folded("conv", (0, 0, 0, 0), channels=(1, 2))),
        (site(ONE_CHANNEL, replace(INT_CONV, weight="integer", groups=2)), Kind.CHANNEL),
        (site(ONE_CHANNEL, replace(INT_CONV, weight="")), Kind.CHANNEL),  # nothing known of the weight: 0 * inf
        (site(replace(ONE_CHANNEL, value=1.0), replace(INT_CONV, weight="integer")), Kind.CHANNEL),
        (site(pad(0, (-1, 0), 0, 0, dtype="int8"), replace(INT_CONV, weight="integer")), Kind.CHANNEL),
        (
            site(pad(0, (0, 1), (1, 2), (3, 4)), replace(CONV2, weight="finite")),
            Folded("conv", (1, 3, 2, 4), channels=(0, 1)),
        ),
    ],
)
def test_zero_channels_go_with_their_weights_by_option(at, expected):
    outcome = decide(at, channels="slice")
    if isinstance(expected, Kind):
        assert isinstance(outcome, Refused)
        assert outcome.kind is expected
    else:
        assert outcome == expected


INF = float("inf")


O = relax.op  # noqa: E741


@pytest.mark.parametrize("last", [1.0, INF])
def test_zero_channels_go_with_a_weight_of_floats_only_if_that_is_finite(last):
    """0 * inf is NaN: the elements of a constant decide."""
    numbers = np.arange(24, dtype="float32")
    numbers[-1] = last
    weight = relax.const(numbers.reshape(2, 4, 3))
    data, pad = [((1, 3, 6), "float32")], lambda x: O.nn.pad(x, [0, 0, 0, 1, 0, 0])
    module = emitted(data, pad, lambda x: O.nn.conv1d(x, weight))
    if last == INF:
        assert_stays(module, Kind.CHANNEL, channels="slice")
    else:
        [report] = FoldExplicitPadding(channels="slice").explain(module)
        assert str(report).endswith("(conv, padding=[0, 0], the weight without its first 0 and last 1 input channels)")
        assert_same_results(module, np.arange(18, dtype="float32").reshape(1, 3, 6), channels="slice")


def test_zero_channels_stay_where_the_cast_of_a_weight_is_infinite():
    """1e6 is finite, but infinite in float16, and 0 * inf is NaN."""
    weight = relax.const(np.full((2, 3, 3), 1e6, "float32"))
    module = emitted(
        [((1, 2, 6), "float32")],
        lambda x: O.nn.pad(x, [0, 0, 0, 1, 0, 0]),
        lambda x: O.nn.conv1d(x, weight, out_dtype="float16"),
    )
    assert_stays(module, Kind.CHANNEL, channels="slice")


@pytest.mark.parametrize(
    ("options", "value", "channels", "dtype"),
    [
        ({"channels": "slice"}, 0.0, 1, "int8"),
        ({"nonzero": "correct"}, 3.0, 0, "int8"),
        ({"nonzero": "correct-inexact"}, 3.0, 0, "float32"),
    ],
)
def test_a_weight_of_unknown_shape_is_neither_sliced_nor_corrected(options, value, channels, dtype):
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType((1, 3, 8), dtype)), relax.Var("w", relax.TensorType(None, dtype, ndim=3))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, (0, 0, 0, channels, 1, 1), pad_value=value))
            out = {"out_dtype": "int32"} if dtype == "int8" else {}
            result = builder.emit_output(O.nn.conv1d(y, w, **out))
        builder.emit_func_output(result)
    assert_stays(builder.get(), Kind.SYMBOLIC, **options)


def test_symbolic_channels_are_sliced_too():
    n = tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, n, 8), "int8"))
    w = relax.Var("w", relax.TensorType((4, n + 1, 3), "int8"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, (0, 0, 0, 1, 1, 1)))
            result = builder.emit_output(O.nn.conv1d(y, w, out_dtype="int32"))
        builder.emit_func_output(result)
    module = builder.get()
    assert op_names(fold(module, channels="slice")) == ["strided_slice", "nn.conv1d"]
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-9, 9, shape).astype("int8") for shape in ((1, 3, 8), (4, 4, 3))]
    assert_same_results(module, *arrays, channels="slice")


@pytest.mark.parametrize("weight_dtype", ["int8", "float32"])
def test_zero_channels_are_sliced_where_the_batch_is_unknown(weight_dtype):
    integers = weight_dtype == "int8"
    case = Case(
        op="conv1d",
        axes=(Axis(size=4, pad=(1, 0), kernel=2),),
        dtype=weight_dtype,
        out_dtype="int32" if integers else "",
        pad=Pad(channel=(1, 2)),
        symbolic=("N",),
        constant_weight=not integers,
    )
    both = FoldExplicitPadding(nonzero="correct", channels="slice")
    check(case, both)
    assert pads.count_channel_pads(both(build(case))) == 0
