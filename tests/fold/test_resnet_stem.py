"""foldproof.fold: the quantized stem of a ResNet: its spatial pad ends in the padding of its convolution."""

import numpy as np
import pytest
from tests.support.foldings import assert_same_results, constant, report_lines
from tvm import relax

from foldproof.fold import FoldExplicitPadding

O = relax.op  # noqa: E741


def stem(value, *, batch=1, size=32):
    """FACTS 1: float data padded by 3, quantized, padded by a channel, convolved in int8."""
    builder, rng = relax.BlockBuilder(), np.random.default_rng(0)
    weight = relax.const(rng.integers(-127, 128, (7, 7, 4, 64)).astype("int8"))
    x = relax.Var("x", relax.TensorType((batch, size, size, 3), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 3, 3, 3, 3, 0, 0], pad_value=value), "padded")
            y = builder.emit(O.multiply(y, constant(128)))
            y = builder.emit(O.round(y))
            y = builder.emit(O.clip(y, -127, 127))
            y = builder.emit(O.astype(y, "int8"))
            y = builder.emit(O.nn.pad(y, [0, 0, 0, 0, 0, 0, 0, 1]), "channels")
            y = builder.emit(
                O.nn.conv2d(y, weight, strides=2, data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32"), "conv"
            )
            y = builder.emit(O.add(y, relax.const(rng.integers(-1000, 1000, (64,)).astype("int32"))))
            result = builder.emit_output(O.nn.relu(y))
        builder.emit_func_output(result)
    return builder.get()


SIZES = [pytest.param(32, 224, marks=pytest.mark.slow), (1, 32)]


@pytest.mark.parametrize(("batch", "size"), SIZES)
def test_the_spatial_pad_of_the_quantized_resnet_ends_in_the_padding_of_its_convolution(batch, size):
    module = stem(0.0, batch=batch, size=size)
    assert report_lines(module)[0] == "main: padded -> conv2d conv: folded (chain-conv, padding=[3, 3, 3, 3])"
    x = np.random.default_rng(1).uniform(-1.2, 1.2, (batch, size, size, 3)).astype("float32")
    assert_same_results(module, x)


@pytest.mark.parametrize(("batch", "size"), SIZES)
def test_with_a_zero_point_that_is_not_0_a_correction_replaces_the_border(batch, size):
    module = stem(0.1, batch=batch, size=size)  # 0.1 * 128 rounds to 13
    [report, _] = FoldExplicitPadding(nonzero="correct").explain(module)
    assert report.outcome.rule == "corrected-chain-conv"
    assert report.outcome.padding == (3, 3, 3, 3)
    assert report.outcome.border.flat == (13, 13, 13, 0)
    x = np.random.default_rng(1).uniform(-1.2, 1.2, (batch, size, size, 3)).astype("float32")
    assert_same_results(module, x, nonzero="correct")
