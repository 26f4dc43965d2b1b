"""foldproof.fold: pads that fold through what stands between, in part, as kernels, or with a correction.

Before and after side by side, compared structurally; that the results are the same bits is shown for a few here, and
for random ones in tests/checking/test_soundness.py.
"""

import random
from collections import Counter
from functools import partial

import numpy as np
import pytest
import tvm
import tvm_ffi
from tests.support.foldings import (
    assert_folds,
    assert_same_results,
    assert_stays,
    chain,
    constant,
    emitted,
    fold,
    refusals,
)
from tvm import relax, tirx, topi
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.fold import Folded, FoldExplicitPadding, Kind
from foldproof.ir.relax.targets import compile_functions, parse_target

INF = float("inf")


# --- through one op -----------------------------------------------------------------------------------


O = relax.op  # noqa: E741
THROUGH = {
    "relu": (0.0, [O.nn.relu]),
    "leakyrelu": (0.0, [lambda x: O.nn.leakyrelu(x, 0.1)]),
    "tanh": (0.0, [O.tanh]),
    "gelu": (-0.0, [O.nn.gelu]),
    "negative": (0.0, [O.negative]),
    "abs": (0.0, [O.abs]),
    "round": (0.5, [O.round]),
    "floor": (0.9, [O.floor]),
    "trunc": (-0.9, [O.trunc]),
    "clip": (-7.0, [lambda x: O.clip(x, 0, 6)]),
    "multiply": (0.0, [lambda x: O.multiply(x, constant(2.5))]),
    "multiply per channel": (0.0, [lambda x: O.multiply(x, constant(1, 2, 3, shape=(3, 1)))]),
    "divide": (0.0, [lambda x: O.divide(x, constant(3))]),
    "add": (-2.5, [lambda x: O.add(x, constant(2.5))]),
    "subtract": (2.5, [lambda x: O.subtract(constant(2.5), x)]),
    "maximum": (-3.0, [lambda x: O.maximum(x, constant(0))]),
    "minimum": (3.0, [lambda x: O.minimum(constant(0), x)]),
    "normalization": (127.5, [lambda x: O.divide(x, constant(127.5)), lambda x: O.subtract(x, constant(1))]),
    "quantize, dequantize": (
        0.0,
        [
            lambda x: O.quantize(x, constant(0.5), constant(7, dtype="int8"), axis=1),
            lambda x: O.dequantize(x, constant(0.25), constant(7, dtype="int8"), axis=1),
        ],
    ),
    "clip, round, astype": (
        0.25,
        [lambda x: O.clip(x, -100, 100), O.round, lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")],
    ),
    "permutes": (0.0, [lambda x: O.permute_dims(x, [0, 2, 1]), lambda x: O.permute_dims(x, [0, 2, 1])]),
    "expand_dims, squeeze": (0.0, [lambda x: O.expand_dims(x, 1), lambda x: O.squeeze(x, [1])]),
    "reshape of unit axes": (0.0, [lambda x: O.reshape(x, (1, 1, 3, 11)), lambda x: O.squeeze(x, [1])]),
}


@pytest.mark.parametrize(("value", "ops"), THROUGH.values(), ids=list(THROUGH))
def test_a_pad_whose_value_becomes_zero_folds_through_what_stands_between(value, ops):
    [report] = FoldExplicitPadding().explain(chain(*ops, value=value))
    assert report.outcome == Folded("chain-conv", (1, 2))
    folded = fold(chain(*ops, value=value))
    assert [b.value.op.name for b in folded["main"].body.blocks[0].bindings][:-1] == [
        b.value.op.name for b in chain(*ops)["main"].body.blocks[0].bindings[1:-1]
    ]
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-9, 10, shape).astype("float32") for shape in ((1, 3, 8), (4, 3, 3)))
    assert_same_results(chain(*ops, value=value), x, w)


AT_RUN_TIME = relax.Var("p", relax.TensorType((), "float32"))
BLOCKED = {
    "another value": (1.0, [O.nn.relu], Kind.VALUE),
    "the second channel": (2.0, [lambda x: O.subtract(x, constant(2, 3, 2, shape=(3, 1)))], Kind.VALUE),
    "varies along the padded axis": (
        0.0,
        [lambda x: O.multiply(x, constant(*range(11), shape=(11,)))],
        Kind.VARYING_OPERAND,
    ),
    "no constant": (0.0, [lambda x: O.multiply(x, x)], Kind.CONSUMER),
    "zero points that differ": (
        0.0,
        [
            lambda x: O.quantize(x, constant(0.5), constant(7, dtype="int8"), axis=1),
            lambda x: O.dequantize(x, constant(0.5), constant(6, dtype="int8"), axis=1),
        ],
        Kind.QUANTIZATION,
    ),
    "NaN on the way": (float("nan"), [O.nn.relu], Kind.UNDEFINED_VALUE),
    "infinity times zero": (INF, [lambda x: O.multiply(x, constant(0))], Kind.UNDEFINED_VALUE),
    "a cast that nothing keeps in range": (
        0.0,
        [lambda x: O.astype(x, "int8"), lambda x: O.astype(x, "float32")],
        Kind.CAST,
    ),
    "a rounded product before a sum": (
        0.1,
        [lambda x: O.multiply(x, constant(0.1)), lambda x: O.subtract(x, constant(np.float32(0.1) * np.float32(0.1)))],
        Kind.UNDEFINED_VALUE,
    ),
    "sigmoid of 0 is not 0": (0.0, [O.sigmoid], Kind.CONSUMER),
    "axes that merge": (0.0, [lambda x: O.reshape(x, (3, 1, 11)), lambda x: O.reshape(x, (1, 3, 11))], Kind.CONSUMER),
}


@pytest.mark.parametrize(
    ("value", "ops", "kind"),
    [BLOCKED[name] for name in BLOCKED if name != "axes that merge"],
    ids=[name for name in BLOCKED if name != "axes that merge"],
)
def test_a_pad_that_cannot_fold_in_the_end_stays_where_it_was(value, ops, kind):
    module = chain(*ops, value=value)
    assert fold(module).same_as(module)
    assert kind in [kind for _, kind in refusals(module)]


def test_an_intermediate_that_something_else_reads_keeps_its_value():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.relu(lv)
                lv2 = R.nn.conv1d(lv1, w)
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.relu(lv)
                moved = R.nn.relu(x)
                lv2 = R.nn.conv1d(moved, w, padding=(1, 2))
                gv = (lv1, lv2)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_two_consumers_share_the_moved_steps():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
                lv1 = R.nn.relu(lv)
                lv2 = R.nn.conv1d(lv1, w)
                lv3 = R.nn.conv1d(lv1, w, dilation=2)
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                moved = R.nn.relu(x)
                lv2 = R.nn.conv1d(moved, w, padding=(1, 2))
                lv3 = R.nn.conv1d(moved, w, padding=(1, 2), dilation=2)
                gv = (lv2, lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_pad_in_front_of_a_permute_folds_into_the_other_layout():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 9, 8, 3), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 2, 3, 4, 0, 0))
                lv1 = R.permute_dims(lv, (0, 3, 1, 2))
                gv = R.nn.conv2d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 9, 8, 3), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.permute_dims(x, (0, 3, 1, 2))
                gv = R.nn.conv2d(lv1, w, padding=(1, 3, 2, 4))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_squeeze_names_its_axes_once_more_of_them_have_length_1():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 1, 3, 1), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))
                lv1 = R.squeeze(lv)
                gv = R.nn.conv1d(lv1, w)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((2, 1, 3, 1), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv1 = R.squeeze(x, (1,))
                gv = R.nn.conv1d(lv1, w, padding=(1, 1))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_relu_in_front_of_a_pad_of_zeros_is_enough_for_a_max_pool():
    """The Keras ResNet stem: no element is below 0, and every window holds one."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8, 8), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 1, 1, 1))
                gv = R.nn.max_pool2d(lv1, (3, 3), strides=(2, 2))
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8, 8), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.max_pool2d(lv, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1))
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


# --- nested, and in part ------------------------------------------------------------------------------


def test_pads_of_the_same_value_become_one_even_where_that_does_not_fold():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=7.0)
                lv1 = R.nn.pad(lv, (0, 0, 1, 0, 0, 2), pad_value=7.0)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv1 = R.nn.pad(x, (0, 0, 1, 0, 1, 4), pad_value=7.0)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    reports = [str(report) for report in FoldExplicitPadding().explain(Before)]
    assert reports[0] == "main: lv -> pad lv1: folded (nested)"


def test_three_nested_pads_become_one_and_that_one_folds():
    """The second merge reads what the first has made."""
    data, weight = [((1, 3, 8), "float32")], relax.const(np.ones((4, 3, 3), "float32"))

    def padded(value, last):
        pads = ((0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 2, 3), (0, 0, 0, 0, 0, 4))
        return emitted(data, *(partial(O.nn.pad, pad_width=widths, pad_value=value) for widths in pads), last)

    conv = partial(O.nn.conv1d, weight=weight)
    assert_folds(padded(0.0, conv), emitted(data, partial(conv, padding=(3, 7))))
    merged = partial(O.nn.pad, pad_width=(0, 0, 0, 0, 3, 7), pad_value=7.0)
    assert_folds(padded(7.0, O.nn.relu), emitted(data, merged, O.nn.relu))


def test_a_crop_behind_a_pad_that_undoes_it_leaves_none():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=7.0)
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, -1, -2))
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                gv = R.nn.relu(x)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_what_a_pad_adds_and_a_later_one_crops_goes_from_both():
    """Two of three elements are cropped, after a relu and in another layout; the third one and the other end stay."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 3, 1), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                lv2 = R.permute_dims(lv1, axes=[0, 2, 1])
                lv3 = R.nn.pad(lv2, (0, 0, -2, 4, 0, 0), pad_value=5.0)
                gv = R.nn.relu(lv3)
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                lv2 = R.permute_dims(lv1, axes=[0, 2, 1])
                lv3 = R.nn.pad(lv2, (0, 0, 0, 4, 0, 0), pad_value=5.0)
                gv = R.nn.relu(lv3)
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    assert_same_results(Before, np.arange(24, dtype="float32").reshape(1, 3, 8))
    message = [str(report) for report in FoldExplicitPadding().explain(Before)]
    assert message[0] == "main: lv -> pad lv3: folded (cancelled, a pad of [0, 0, 0, 0, 1, 1] stays)"


def test_a_pad_that_others_read_stays_for_them_where_a_crop_of_it_goes():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 2, 0), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                gv = R.nn.pad(lv1, (0, 0, 0, 0, -1, 0))
                R.output(gv, lv1)
            return (gv, lv1)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 2, 0), pad_value=7.0)
                lv_1 = R.nn.pad(x, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                lv1 = R.nn.relu(lv)
                lv1_1 = R.nn.relu(lv_1)
                R.output(lv1_1, lv1)
            return (lv1_1, lv1)

    assert_folds(Before, Expected)


@pytest.mark.parametrize(
    ("inner", "outer"), [((-4, 5), (2, -5)), ((-4, 5), (1, -3)), ((-1, 2), (0, -2)), ((2, 2), (-4, 1))]
)
def test_crops_that_eat_into_what_is_added_at_the_other_end_keep_their_result(inner, outer):
    pads = [
        partial(O.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_value=value)
        for sides, value in ((inner, 7.0), (outer, 5.0))
    ]
    module = emitted([((1, 2, 3), "float32")], pads[0], O.nn.relu, pads[1], lambda x: O.add(x, x))
    results = []
    for each in (module, fold(module)):
        machine = relax.VirtualMachine(tvm.compile(each, "llvm"), tvm.cpu())
        results.append(machine["main"](tvm.runtime.tensor(np.arange(6, dtype="float32").reshape(1, 2, 3))).numpy())
    np.testing.assert_array_equal(*results)


def pads_of_pads(rng):
    """Two to four pads of two short axes, that add and crop at random, with other ops between; no consumer."""
    lengths = [rng.choice([1, 2, 3]), rng.choice([1, 2, 4])]
    ops, shape = [], list(lengths)
    for _ in range(rng.randint(2, 4)):
        sides = [(rng.choice([0, 0, 1, 2, 4, -1, -2, -3]), rng.choice([0, 0, 1, 3, 5, -1, -2, -4])) for _ in shape]
        sides = [pair if length + sum(pair) > 0 else (0, 0) for length, pair in zip(shape, sides, strict=True)]
        shape = [length + sum(pair) for length, pair in zip(shape, sides, strict=True)]
        ops.append(partial(O.nn.pad, pad_width=sum(sides, ()), pad_value=rng.choice([0.0, 7.0, 5.0])))
        between = rng.choice(["nothing", "relu", "permute", "add"])
        if between == "relu":
            ops.append(O.nn.relu)
        elif between == "permute":
            ops.append(partial(O.permute_dims, axes=[1, 0]))
            shape.reverse()
        elif between == "add":
            ops.append(partial(O.add, x2=relax.const(np.arange(shape[1], dtype="float32"))))
    return emitted([(lengths, "float32")], *ops, O.negative), lengths


def test_whatever_pads_add_and_crop_again_the_result_is_the_same():
    rng, rules = random.Random(5), Counter()
    for _ in range(150):
        module, lengths = pads_of_pads(rng)
        folded = fold(module)
        rules.update(
            report.outcome.rule
            for report in FoldExplicitPadding().explain(module)
            if isinstance(report.outcome, Folded)
        )
        program = compile_functions({"before": module, "after": folded}, parse_target())
        data = {"x": 1 + np.arange(np.prod(lengths), dtype="float32").reshape(lengths)}
        np.testing.assert_array_equal(*(program.run(name, data)[0] for name in ("before", "after")))
    assert min(rules["nested"], rules["cancelled"]) > 15


def test_a_crop_in_another_block_than_what_is_padded_is_not_cancelled():
    """The input of the first pad is local to the first block."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                padded = R.nn.pad(lv, (0, 0, 0, 0, 1, 0), pad_value=7.0)
                R.output(padded)
            between = R.nn.relu(padded)  # else the two blocks become one
            with R.dataflow():
                gv = R.nn.pad(padded, (0, 0, 0, 0, -1, 1))
                R.output(gv)
            return (gv, between)

    assert_stays(Before, Kind.CONSUMER, Kind.CONSUMER, Kind.CONSUMER)


def test_a_crop_of_an_unknown_length_is_cancelled_too():
    length = tirx.Var("n", "int64")
    pads = [partial(O.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_value=7.0) for sides in ((3, 1), (-2, 0))]
    module = emitted([((1, 3, length), "float32")], pads[0], O.nn.relu, pads[1], O.nn.relu)
    [pad] = [line for line in fold(module).script().splitlines() if "nn.pad" in line]
    assert "pad_width=[0, 0, 0, 0, 1, 1]" in pad
    assert "n + 2" in pad


def test_a_pad_behind_a_crop_stays():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, -1, 0))
                lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 0))
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    assert_stays(Before, Kind.CONSUMER, Kind.CONSUMER)


def test_spatial_widths_fold_and_those_of_channels_stay_in_a_smaller_pad():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 3), "int8"), w: R.Tensor((3, 3, 4, 5), "int8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 2, 3, 4, 0, 1))
                gv = R.nn.conv2d(lv, w, data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32")
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 3), "int8"), w: R.Tensor((3, 3, 4, 5), "int8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0, 0, 0, 0, 1))
                gv = R.nn.conv2d(
                    lv, w, padding=(1, 3, 2, 4), data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32"
                )
                R.output(gv)
            return gv

    assert_folds(Before, Expected)
    [folded, stays] = [str(report) for report in FoldExplicitPadding().explain(Before)]
    assert folded.endswith("folded (conv, padding=[1, 3, 2, 4], a pad of [0, 0, 0, 0, 0, 0, 0, 1] stays)")
    assert "refused (channel)" in stays


def test_zero_channels_go_with_their_weights_by_option():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 3), "int8"), w: R.Tensor((3, 3, 4, 5), "int8")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 1, 1, 1, 1, 0, 1))
                gv = R.nn.conv2d(lv, w, data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32")
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 3), "int8"), w: R.Tensor((3, 3, 4, 5), "int8")):
            with R.dataflow():
                weight = R.strided_slice(w, axes=[2], begin=[0], end=[3])
                gv = R.nn.conv2d(
                    x, weight, padding=(1, 1, 1, 1), data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32"
                )
                R.output(gv)
            return gv

    assert_folds(Before, Expected, channels="slice")
    rng = np.random.default_rng(0)
    arrays = (rng.integers(-128, 128, shape).astype("int8") for shape in ((1, 8, 8, 3), (3, 3, 4, 5)))
    assert_same_results(Before, *arrays, channels="slice")


# --- pads as kernels ----------------------------------------------------------------------------------


def as_kernel(*, private=True, value=0.0, twice=False):
    """main(x, w): conv2d of what the ONNX frontend makes of a pad; ``twice`` returns the padded tensor, too."""
    builder = relax.BlockBuilder()
    n = tirx.Var("n", "int64")
    x = relax.Var("x", relax.TensorType((n, 3, 8, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit_te(topi.nn.pad, x, [0, 0, 1, 1], [0, 0, 1, 2], value)
            result = builder.emit(relax.op.nn.conv2d(padded, w))
            outputs = [result, padded] if twice else [result]
            result = builder.emit_output(relax.Tuple(outputs))
        builder.emit_func_output(result)
    module = builder.get()
    if not private:
        kernel = module.get_global_var("pad")
        module.update_func(kernel, module[kernel].with_attr("global_symbol", "pad"))
    return module


def kernels(module):
    return [var.name_hint for var, function in module.functions_items() if isinstance(function, tirx.PrimFunc)]


def test_a_pad_that_is_a_kernel_folds_and_goes_with_its_last_call():
    folded = fold(as_kernel())
    assert kernels(folded) == []
    call = folded["main"].body.blocks[0].bindings[0].value
    assert call.op.name == "relax.nn.conv2d"
    assert list(call.attrs.padding) == [1, 1, 1, 2]


def test_a_kernel_that_others_may_call_stays():
    assert kernels(fold(as_kernel(private=False))) == ["pad"]


def test_a_kernel_that_is_still_called_stays():
    assert kernels(fold(as_kernel(twice=True))) == ["pad"]


def test_a_kernel_that_pads_with_another_value_stays():
    assert_stays(as_kernel(value=1.0), Kind.VALUE)


# --- the question that the project answers -------------------------------------------------------------


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
    reports = [str(report) for report in FoldExplicitPadding().explain(module)]
    assert reports[0] == "main: padded -> conv2d conv: folded (chain-conv, padding=[3, 3, 3, 3])"
    x = np.random.default_rng(1).uniform(-1.2, 1.2, (batch, size, size, 3)).astype("float32")
    assert_same_results(module, x)


@pytest.mark.parametrize(("batch", "size"), SIZES)
def test_with_a_zero_point_that_is_not_0_a_correction_makes_up_for_the_border(batch, size):
    module = stem(0.1, batch=batch, size=size)  # 0.1 * 128 rounds to 13
    [report, _] = FoldExplicitPadding(nonzero="correct").explain(module)
    assert report.outcome.rule == "corrected-chain-conv"
    assert report.outcome.padding == (3, 3, 3, 3)
    assert report.outcome.border.flat == (13, 13, 13, 0)
    x = np.random.default_rng(1).uniform(-1.2, 1.2, (batch, size, size, 3)).astype("float32")
    assert_same_results(module, x, nonzero="correct")


# --- options ------------------------------------------------------------------------------------------


def test_a_backend_says_what_it_takes():
    module = chain()
    assert_stays(module, Kind.OPTION, allow_asymmetric=False)
    assert_stays(module, Kind.OPTION, accepts=lambda consumer: consumer.padding == (2, 2))
    assert not fold(module, accepts=lambda consumer: consumer.padding == (1, 2)).same_as(module)
    assert_stays(chain(pad=(0, 0, 0, 0, -1, -1)), Kind.OPTION, allow_negative=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"nonzero": "yes"}, ValueError, "unknown nonzero 'yes'; expected one of refuse, correct, correct-inexact"),
        ({"channels": True}, ValueError, "unknown channels True; expected one of keep, slice"),
        ({"allow_asymmetric": 1}, TypeError, "allow_asymmetric must be True or False, not 1"),
        ({"allow_negative": None}, TypeError, "allow_negative must be True or False, not None"),
        ({"check_input": "no"}, TypeError, "check_input must be True or False, not 'no'"),
        ({"accepts": "cudnn"}, TypeError, "accepts must be a function of a Consumer, not 'cudnn'"),
    ],
)
def test_an_option_with_a_wrong_value_is_named_with_the_choices(options, error, message):
    with pytest.raises(error, match=message):
        FoldExplicitPadding(**options)


def test_what_is_no_module_of_relax_functions_is_refused():
    @tvm.script.ir_module
    class Kernels:
        @tvm.script.tirx.prim_func
        def kernel():
            tvm.script.tirx.evaluate(0)

    with pytest.raises(ValueError, match="takes a module of Relax functions, and this one has none"):
        FoldExplicitPadding()(Kernels)
    with pytest.raises(TypeError, match="takes an IRModule, not Function"):
        FoldExplicitPadding().explain(chain()["main"])
    empty = tvm.IRModule({})
    assert FoldExplicitPadding()(empty).same_as(empty)


def test_a_module_that_is_not_well_formed_is_refused_and_left_alone():
    x = relax.Var("x", relax.TensorType((1, 3), "float32"))
    unbound = relax.Var("unbound", relax.TensorType((1, 3), "float32"))
    body = relax.SeqExpr([], unbound)
    module = tvm.IRModule({"main": relax.Function([x], body, relax.TensorType((1, 3), "float32"))})
    before = tvm_ffi.structural_hash(module)
    with pytest.raises(ValueError, match=r"the module is not well formed: .*unbound"):
        FoldExplicitPadding()(module)
    assert tvm_ffi.structural_hash(module) == before
    assert FoldExplicitPadding(check_input=False)(module).same_as(module)


def test_a_length_that_cannot_be_proved_stays_as_it_is(monkeypatch):
    """No fold is known that TVM's analyzer cannot follow, so it is made to fail."""
    from foldproof.fold import rewrite

    n = tirx.Var("n", "int64")
    module = chain(shape=(1, 3, n))
    assert not fold(module).same_as(module)
    monkeypatch.setattr(rewrite.Analyzer, "can_prove_equal", lambda *_: False)
    assert_stays(module, Kind.SYMBOLIC)


# --- found by reading: none of these could be drawn -----------------------------------------------------


def test_what_another_pad_adds_in_front_is_data_that_may_be_below_the_border():
    module = emitted(
        [((1, 1, 4), "float32")],
        O.nn.relu,
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 0, 2], pad_value=-5.0),
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 0, 1]),
        lambda x: O.nn.max_pool1d(x, (3,), strides=(2,)),
    )
    assert_stays(module, Kind.NESTED, Kind.VALUE)
    assert_same_results(module, np.ones((1, 1, 4), "float32"))


def test_what_the_smaller_pad_keeps_is_data_too():
    """-2 stays along channels; only the crop of the length moves, so that the value of the border is no matter."""
    module = emitted(
        [((1, 3, 8), "float32"), ((4, 4, 3), "int8")],
        lambda x: O.clip(x, -100, 100),
        lambda x: O.nn.pad(x, [0, 0, 0, 1, -1, 0], pad_value=1000.0),
        lambda x: O.astype(x, "int8"),
        lambda x: O.nn.max_pool1d(x, (3,)),
    )
    assert_stays(module, Kind.CAST)


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
    "ops",
    [
        # 0.1 * (5 - 2), rounded, less that: 0, but not with a fused multiply-add
        [
            lambda x: O.dequantize(x, constant(0.1), constant(2, dtype="int8"), axis=1),
            lambda x: O.subtract(x, constant(np.float32(0.1) * np.float32(3))),
        ],
        [
            lambda x: O.dequantize(x, constant(0.1), constant(2, dtype="int8"), axis=1),
            O.negative,
            lambda x: O.add(x, constant(np.float32(0.1) * np.float32(3))),
        ],
        [
            lambda x: O.divide(O.astype(x, "float32"), constant(3)),
        ],
    ],
    ids=["dequantize", "negated", "a quotient is no product"],
)
def test_a_sum_behind_a_rounded_product_of_any_kind_is_refused(ops):
    module = emitted(
        [((1, 3, 8), "int8")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 2], pad_value=5.0),
        *ops,
        lambda x: O.nn.avg_pool1d(x, (3,)),
    )
    kinds = [kind for _, kind in refusals(module)]
    assert (Kind.UNDEFINED_VALUE in kinds) == (len(ops) > 1)


def test_a_kernel_with_a_value_that_the_op_cannot_hold_is_left_alone():
    """``nn.pad`` has a double: 2**53 + 1 of a kernel would become 2**53 in the pad that stays."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "int64"))
    w = relax.Var("w", relax.TensorType((4, 4, 3), "int64"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            value = tirx.IntImm("int64", 2**53 + 1)
            padded = builder.emit_te(topi.nn.pad, x, [0, 0, 1], [0, 1, -2], value)
            again = builder.emit(O.nn.pad(padded, [0, 0, 0, 0, 0, 0]))
            result = builder.emit_output(O.nn.conv1d(again, w))
        builder.emit_func_output(result)
    assert kernels(fold(builder.get(), nonzero="correct")) == ["pad"]
