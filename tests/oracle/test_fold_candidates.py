"""foldproof.oracle.fold_candidates: where the widths of a pad go, and shapes that read everything."""

from dataclasses import replace

from tests.support.relax import legal_folds

from foldproof.case import Axis, Case, Pad, Step
from foldproof.oracle.fold_candidates import denser_shapes, fold_candidates


def of(op, *axes, value=0.0, **fields):
    """Return a case whose pad has ``value``; ``pad`` gives its other fields."""
    pad = Pad(value=value, **fields.pop("pad", {}))
    return Case(op=op, axes=axes, pad=pad, **fields)


def nested(value=0.0, **widths):
    return Step(kind="pad", value=value, widths=tuple((letter, *sides) for letter, sides in widths.items()))


def test_a_fold_takes_the_spatial_widths_of_all_pads_and_leaves_the_others():
    case = of(
        "conv2d",
        Axis(size=4, pad=(1, 2), kernel=3, padding=(5, 0)),
        Axis(size=3),
        pad={"channel": (0, 1), "form": "call_tir"},
        steps=(
            Step(kind="relu"),
            nested(H=(2, 0), N=(1, 0)),
            nested(W=(0, 3)),
            Step(kind="permute_dims", source="NHWC"),
        ),
        extra_outputs=("step",),
    )
    assert list(legal_folds(case)) == [
        of(
            "conv2d",
            Axis(size=4, kernel=3, padding=(8, 2)),
            Axis(size=3, padding=(0, 3)),
            pad={"channel": (0, 1), "form": "call_tir"},
            steps=(Step(kind="relu"), nested(N=(1, 0)), Step(kind="permute_dims", source="NHWC")),
        )
    ]


def test_a_fold_into_a_transposed_convolution_is_scaled_by_its_stride():
    axis = Axis(size=4, pad=(1, 0), stride=2, padding=(6, 0))
    [folded] = legal_folds(of("conv1d_transpose", axis, steps=(nested(W=(1, 1)),)))
    assert folded.axes == (Axis(size=4, stride=2, padding=(2, -2)),)
    assert folded.steps == ()


def test_an_average_pool_has_a_fold_that_counts_the_padding_and_one_that_does_not():
    case = of("avg_pool1d", Axis(size=4, pad=(1, 0), kernel=2))
    assert [folded.count_include_pad for folded in fold_candidates(case)] == [True, False]
    assert len(list(fold_candidates(replace(case, op="max_pool1d")))) == 1


def test_there_is_no_fold_without_spatial_widths_nor_of_a_weight():
    axis = Axis(size=4, pad=(1, 0), kernel=2)
    assert not list(fold_candidates(of("conv1d", Axis(size=4), pad={"channel": (1, 0)})))
    assert not list(fold_candidates(of("conv1d", axis, pad={"operand": "weight"})))


def test_denser_shapes_have_stride_and_dilation_1_and_kernels_from_1_to_beyond_the_border():
    case = of("max_pool1d", Axis(size=6, pad=(3, 2), kernel=2, stride=2, padding=(1, 0)), ceil_mode=True)
    shapes = [
        (axis.kernel, axis.stride, axis.dilation, axis.size) for shape in denser_shapes(case) for axis in shape.axes
    ]
    assert shapes == [(1, 1, 1, 6), (2, 1, 1, 6), (5, 1, 1, 6)]
    assert not any(shape.ceil_mode for shape in denser_shapes(case))
