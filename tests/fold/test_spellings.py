"""foldproof.fold: pads and crops in other spellings than nn.pad."""

import numpy as np
import pytest
from tests.support.foldings import (
    assert_kept,
    assert_same_results,
    assert_stays,
    chain,
    emitted,
    fold,
    op_names,
    outcomes,
    pad_last_axis,
    refusals,
)
from tvm import relax, tirx

from foldproof import Axis, Case, Pad, Step, check
from foldproof.fold import Folded, FoldExplicitPadding, Kind, spellings

O = relax.op  # noqa: E741


def cut(begin, end, *, axis=2, **options):
    return lambda x: O.strided_slice(x, axes=[axis], begin=[begin], end=[end], **options)


def taken(*indices, axis=2, dtype="int64"):
    return lambda x: O.take(x, relax.const(np.array(indices), dtype), axis=axis)


DATA = np.random.default_rng(0).integers(-9, 10, (1, 3, 8)).astype("float32")
WEIGHT = np.random.default_rng(1).integers(-9, 10, (4, 3, 3)).astype("float32")

CROPS = {
    "slice": (cut(1, 10), (0, 1)),
    "slice to the end": (cut(2, 11), (-1, 2)),
    "slice of everything": (cut(0, 11), (1, 2)),
    "slice beyond the end": (cut(0, 2**31 - 1), (1, 2)),
    "slice from before the start": (cut(-99, 10), (1, 1)),
    "slice with bounds that count from the end": (cut(-10, -1, axis=-1), (0, 1)),
    "slice of several axes": (lambda x: O.strided_slice(x, [0, 1, 2], [0, 0, 0], [1, 3, 9], [1, 1, 1]), (1, 0)),
    "slice that is known to be inbound": (cut(1, 10, assume_inbound=True), (0, 1)),
    "take": (taken(*range(1, 10)), (0, 1)),
    "take of int32 along the last axis": (taken(*range(11), axis=-1, dtype="int32"), (1, 2)),
}


@pytest.mark.parametrize(("crop", "padding"), CROPS.values(), ids=list(CROPS))
def test_a_crop_in_another_spelling_folds_with_the_pad_before_it(crop, padding):
    module = chain(crop)
    assert op_names(fold(module)) == ["nn.conv1d"]
    assert outcomes(module)[-1][-1] == Folded("conv", padding)
    assert_same_results(module, DATA, WEIGHT)


KEPT = {
    "another stride": cut(0, 11, strides=[2]),
    "another order": taken(*range(10, -1, -1)),
    "a gap": taken(0, 1, 3),
    "an element twice": taken(1, 1, 2),
    "turned round": lambda x: O.flip(x, 2),
}


@pytest.mark.parametrize("op", KEPT.values(), ids=list(KEPT))
def test_what_does_not_return_neighbours_in_their_order_is_not_a_crop(op):
    assert_stays(chain(op), Kind.STEP)


def pieces(sections, index, length=8, widths=(1, 2)):
    """conv1d of a piece of a split of a pad."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, length), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            padded = builder.emit(O.nn.pad(x, [0, 0, 0, 0, *widths]))
            piece = builder.emit(builder.emit(O.split(padded, sections, axis=2))[index])
            result = builder.emit_output(O.nn.conv1d(piece, w))
        builder.emit_func_output(result)
    return builder.get()


@pytest.mark.parametrize(
    ("sections", "index", "length", "padding"),
    [
        ([2, 9], 1, 8, (-1, 0)),
        ([10], 0, 8, (1, 1)),
        ([1], 1, 8, (0, 2)),
        (2, 1, 7, (-4, 2)),
        (2, 0, 7, (1, -3)),
    ],
)
def test_a_piece_of_a_split_folds_and_takes_the_split_along(sections, index, length, padding):
    module = pieces(sections, index, length)
    assert op_names(fold(module)) == ["nn.conv1d"]
    assert outcomes(module)[-1][-1] == Folded("conv", padding)
    assert_same_results(module, DATA[:, :, :length], WEIGHT)


def test_pieces_of_unequal_lengths_that_a_number_makes_are_not_read():
    """11 elements in 2 sections."""
    assert_kept(pieces(2, 0))


def test_a_crop_without_a_pad_before_it_stays():
    crops = [cut(1, 8), taken(0, 1, 2, 3, 4)]
    for crop in crops:
        module = emitted([((1, 3, 8), "float32"), ((4, 3, 3), "float32")], crop, lambda x: O.nn.avg_pool1d(x, 3))
        assert_kept(module)
        assert FoldExplicitPadding().explain(module) == ()
        after = emitted([((1, 3, 8), "float32")], crop, pad_last_axis(1, 1), lambda x: O.nn.avg_pool1d(x, 3))
        assert len(op_names(fold(after))) == 2


def test_a_crop_that_does_not_fold_is_not_reported_as_a_pad():
    module = emitted(
        [((1, 3, 8), "float32")],
        pad_last_axis(1, 1, mode="reflect"),
        O.rsqrt,
        cut(0, 9),
        lambda x: O.nn.max_pool1d(x, 3),
    )
    assert refusals(module) == [("rsqrt", Kind.STEP)]


def test_a_slice_of_other_axes_stays_a_slice():
    module = chain(O.nn.relu, cut(1, 3, axis=1), weight=(4, 2, 3))
    assert op_names(fold(module)) == ["nn.relu", "strided_slice", "nn.conv1d"]
    assert_same_results(module, DATA, WEIGHT[:, :2])


@pytest.mark.parametrize("inbound", [True, False])
def test_a_slice_of_a_symbolic_length_is_a_crop_where_the_type_proves_it(inbound):
    """Without a proof the bounds may be clamped: a length of 0 has nothing to cut off."""
    n = tirx.Var("n", "int64")
    module = emitted(
        [((1, 3, n), "float32")],
        pad_last_axis(2, 2),
        lambda x: O.strided_slice(x, axes=[2], begin=[6], end=[n + 4], assume_inbound=inbound),
        lambda x: O.nn.avg_pool1d(x, 3),
    )
    assert ("nn.pad" not in op_names(fold(module))) is inbound


@pytest.mark.parametrize(
    ("length", "begin", "end", "expected"),
    [
        (8, 0, 8, (0, 0)),
        (8, 1, 7, (-1, -1)),
        (8, -3, 99, (-5, 0)),
        (8, 3, 3, None),  # nothing is left
        (8, 9, 10, None),
        (8, 0, -8, None),
    ],
)
def test_bounds_become_widths(length, begin, end, expected):
    numbers = (tirx.IntImm("int64", number) for number in (begin, end))
    assert spellings._find_sides(tirx.IntImm("int64", length), *numbers) == expected


def test_a_bound_that_is_a_variable_is_not_read():
    n = tirx.Var("n", "int64")
    assert spellings._find_sides(tirx.IntImm("int64", 8), n, tirx.IntImm("int64", 8)) is None
    assert spellings._find_sides(n, tirx.IntImm("int64", -1), n) is None
    assert spellings._find_sides(n, tirx.IntImm("int64", 1), n + 1) is None
    assert spellings._find_sides(n, tirx.IntImm("int64", 1), n - 2) == (-1, -2)


# --- concat ---------------------------------------------------------------------------------------------


def bordered(*before, after=(), axis=2):
    """Return a concat of the data between constants; a number is a fill of one column."""

    def made(x):
        sides = [[one if hasattr(one, "ty") else fill(one) for one in side] for side in (before, after)]
        return O.concat([*sides[0], x, *sides[1]], axis=axis)

    return made


def fill(number, length=1, dtype="float32"):
    return relax.const(np.full((1, 3, length), number), dtype)


BORDERS = {
    "before": (bordered(0.0), (1, 0)),
    "after": (bordered(after=(0.0, fill(0.0, 2))), (0, 3)),
    "both": (bordered(fill(0.0, 2), after=(0.0,), axis=-1), (2, 1)),
    "-0.0": (bordered(-0.0), (1, 0)),
    "zeros": (bordered(O.zeros((1, 3, 2), "float32")), (2, 0)),
    "full": (bordered(O.full((1, 3, 2), relax.const(0.0, "float32"))), (2, 0)),
}


@pytest.mark.parametrize(("border", "padding"), BORDERS.values(), ids=list(BORDERS))
def test_a_concat_with_constants_is_a_pad(border, padding):
    module = chain(border, pad=None)
    assert op_names(fold(module)) == ["nn.conv1d"]
    assert outcomes(module)[-1][-1].padding == tuple(a + b for a, b in zip(padding, (1, 2), strict=True))
    assert_same_results(module, DATA, WEIGHT)


@pytest.mark.parametrize(
    "border",
    [
        bordered(0.0, after=(1.0,)),
        bordered(0.0, after=(-0.0,)),
        bordered(float("nan")),
        bordered(relax.const(np.array([[[0.0], [0.0], [1.0]]]), "float32")),
    ],
    ids=["two values", "zeros of two signs", "NaN", "one element differs"],
)
def test_a_concat_with_other_constants_is_not_a_pad(border):
    module = chain(border, pad=None)
    assert_kept(module)
    assert FoldExplicitPadding().explain(module) == ()


def test_a_concat_of_another_value_is_reported_as_a_pad():
    assert_stays(chain(bordered(3.0), pad=None), Kind.VALUE)
    weight = (4, 3, 3)
    module = emitted([((1, 3, 8), "float32"), (weight, "float32")], bordered(3.0), lambda x: O.nn.avg_pool1d(x, 3))
    assert_stays(module, Kind.VALUE)


def test_a_concat_of_two_tensors_or_of_constants_alone_is_not_a_pad():
    twice = emitted([((1, 3, 8), "float32")], lambda x: O.concat([x, fill(0.0), x], 2), lambda x: O.nn.avg_pool1d(x, 3))
    assert_kept(twice)
    assert FoldExplicitPadding().explain(twice) == ()


def test_a_concat_and_a_pad_become_one():
    module = chain(bordered(0.0, after=(0.0,)))
    assert op_names(fold(module)) == ["nn.conv1d"]
    assert outcomes(module)[0][-1] == Folded("nested")
    assert_same_results(module, DATA, WEIGHT)


def test_an_integer_that_no_double_holds_is_not_a_pad_value():
    large = relax.const(np.full((1, 3, 1), 2**62 + 1), "int64")
    module = emitted([((1, 3, 8), "int64")], lambda x: O.concat([large, x], 2), lambda x: O.nn.max_pool1d(x, 3))
    assert FoldExplicitPadding().explain(module) == ()


def test_a_gather_as_onnx_emits_it_is_a_crop():
    """It adds the length to indices below 0, and reads the shape of the pad for that."""

    def gather(x):
        indices = relax.const(np.arange(1, 10), "int64")
        length = O.take(O.shape_to_tensor(O.shape_of(x)), relax.const(2, "int64"), axis=0)
        below = O.less(indices, relax.const(0, "int64"))
        return O.take(x, O.where(below, O.add(indices, length), indices), axis=2)

    module = chain(gather)
    assert "nn.pad" not in op_names(fold(module))
    assert outcomes(module)[-1][-1] == Folded("conv", (0, 1))
    assert_same_results(module, DATA, WEIGHT)


def test_a_piece_of_a_split_takes_off_more_than_the_pad_before_the_steps_has_added():
    relu = (Step(kind="relu"),)
    crop = Step(kind="pad", widths=(("W", -3, 0),), form="split")
    case = Case(op="max_pool1d", axes=(Axis(size=2, pad=(2, 0)),), pad=Pad(value=1.0), steps=(*relu, crop))
    assert check(case, complete=True).rules == ("cancelled", "max_pool")
