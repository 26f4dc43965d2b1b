"""foldproof.fold: pads that copy elements, before a max_pool whose windows hold these elements."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from tests.support.foldings import assert_kept, assert_same_results, emitted, fold, op_names, refusals
from tests.support.sites import AVG1, CONV1, MAX1, MAX2, decide, kept, pad, site
from tvm import relax, tirx, topi

from foldproof.fold import Folded, Kind
from foldproof.fold.facts import Unary

O = relax.op  # noqa: E741


def pool(kernel, size, *, stride=1, dilation=1, own=(0, 0), **fields):
    """A max_pool1d over ``size`` elements, the border included."""
    return replace(
        MAX1, kernel=(kernel,), sizes=(size,), strides=(stride,), dilation=(dilation,), padding=own, **fields
    )


def at(mode, sides, consumer, dtype="float32"):
    return site(pad(0, 0, sides, mode=mode, dtype=dtype), consumer)


ACCEPTED = [
    # x0 x0 x1 x2 x3 x3: as wide as the kernel less 1
    (at("replicate", (1, 1), pool(2, 6)), (1, 1)),
    (at("replicate", (2, 2), pool(3, 8)), (2, 2)),
    (at("replicate", (1, 1), pool(3, 6, own=(1, 1))), (2, 2)),
    (at("replicate", (2, 2), pool(2, 8, own=(-1, -1))), (1, 1)),
    (at("replicate", (2, 0), pool(2, 7, stride=2, dilation=2)), (2, 0)),  # taps -2 and 0, ...
    (at("replicate", (1, 1), pool(2, None)), (1, 1)),
    (at("replicate", (1, 2), pool(3, None, stride=2)), (1, 2)),
    (at("replicate", (2, 0), pool(2, None, stride=2, dilation=2)), (2, 0)),
    # x1 x0 x1 x2 x3 x2
    (at("reflect", (1, 1), pool(3, 6), "int8"), (1, 1)),
    (at("reflect", (2, 0), pool(5, 7), "int8"), (2, 0)),
    # x2 x0 x1 x2: the window holds all
    (at("circular", (1, 0), pool(4, 4), "uint8"), (1, 0)),
    (at("replicate", (0, 1), pool(2, None, ceil_mode=True)), (0, 1)),
    # of stride 1 no window overhangs: taps -5, -3 and -1 are the last ones, of which none is a copy
    (at("replicate", (0, 1), pool(3, None, own=(0, -1), dilation=2, ceil_mode=True)), (0, 0)),
]

REFUSED = [
    (at("replicate", (1, 1), pool(1, 6)), Kind.MODE, "mode 'replicate' copies elements into windows of axis W"),
    (at("replicate", (2, 0), pool(2, 6)), Kind.MODE, "do not hold them"),
    (at("replicate", (0, 2), pool(2, 6)), Kind.MODE, "do not hold them"),
    (at("replicate", (1, 0), pool(2, 6, own=(1, 0))), Kind.MODE, "do not hold them"),
    (at("replicate", (1, 0), pool(3, 9, dilation=2)), Kind.MODE, "do not hold them"),
    (at("replicate", (0, 2), pool(2, None)), Kind.MODE, "do not hold them"),
    (at("replicate", (2, 0), pool(2, None)), Kind.MODE, "do not hold them"),
    (at("replicate", (0, 1), pool(2, None, own=(0, 1))), Kind.MODE, "do not hold them"),
    (at("replicate", (0, 2), pool(2, None, stride=2, dilation=2)), Kind.MODE, "do not hold them"),
    (at("replicate", (-1, 1), pool(2, 6)), Kind.MODE, "the pad crops W by (-1, 1) in mode 'replicate'"),
    (at("reflect", (1, 1), pool(2, 6), "int8"), Kind.MODE, "mode 'reflect' copies elements into windows"),
    (at("reflect", (2, 0), pool(4, 7), "int8"), Kind.MODE, "do not hold them"),
    (at("reflect", (1, 1), pool(3, 6)), Kind.MODE, "in another order: of 0.0 and -0.0 one wins"),
    (at("reflect", (1, 1), pool(3, None), "int8"), Kind.SYMBOLIC, "depends on the length of W"),
    (at("circular", (1, 0), pool(3, 6), "int8"), Kind.MODE, "mode 'circular' copies elements into windows"),
    (at("circular", (1, 0), pool(4, 4)), Kind.MODE, "in another order"),
    (at("replicate", (0, 1), pool(2, None, stride=2, ceil_mode=True)), Kind.CEIL_MODE, "windows, not"),
    (at("replicate", (1, 1), CONV1), Kind.MODE, "pad mode 'replicate' is not 'constant'"),
    (at("replicate", (1, 1), AVG1), Kind.MODE, "pad mode 'replicate' is not 'constant'"),
    (at("edge", (1, 1), pool(3, 6)), Kind.MODE, "pad mode 'edge' is not 'constant'"),
]


@pytest.mark.parametrize(("site_", "padding"), ACCEPTED)
def test_windows_that_hold_what_they_read_copies_of_need_no_copies(site_, padding):
    assert decide(site_) == Folded("mirrored-max_pool", padding)


@pytest.mark.parametrize(("site_", "kind", "text"), REFUSED)
def test_a_copy_that_a_window_would_miss_stays(site_, kind, text):
    outcome = decide(site_)
    assert outcome.kind is kind
    assert text in outcome.detail


def test_a_symbolic_length_folds_where_every_length_does():
    """Neither more nor less, with and without ceil_mode, which overhangs by less than a stride."""
    draw, agreed = random.Random(4), {True: 0, False: 0}
    for _ in range(300):
        sides, own = (draw.randint(0, 2), draw.randint(0, 3)), draw.choice([(0, 0), (0, 0), (1, 1), (0, -1), (2, 0)])
        kernel, stride, dilation = (draw.randint(1, 3) for _ in range(3))
        for ceil_mode in (False, True):
            window = {"stride": stride, "dilation": dilation, "own": own, "ceil_mode": ceil_mode}
            least = max(sum(sides) + 1, 1 - min(own), (kernel - 1) * dilation + 1 - sum(own))
            several = [decide(at("replicate", sides, pool(kernel, n, **window))) for n in range(least, least + 14)]
            every = all(isinstance(outcome, Folded) for outcome in several)
            symbolic = decide(at("replicate", sides, pool(kernel, None, **window)))
            assert isinstance(symbolic, Folded) == every, (kernel, sides, window, symbolic)
            agreed[every] += any(sides)
    assert min(agreed.values()) > 50


@pytest.mark.parametrize(("producers", "folds"), [((Unary(op="nn.relu", dtype="float32"),), True), ((), False)])
def test_the_order_of_copies_does_not_matter_where_all_zeros_are_alike(producers, folds):
    outcome = decide(replace(at("reflect", (1, 1), pool(3, 6)), producers=producers))
    assert isinstance(outcome, Folded) == folds


def test_every_axis_is_asked():
    both = pad(0, 0, (1, 1), (1, 1), mode="replicate")
    assert decide(site(both, replace(MAX2, kernel=(3, 3)))) == Folded("mirrored-max_pool", (1, 1, 1, 1))
    assert "axis W" in decide(site(both, replace(MAX2, kernel=(3, 1)))).detail
    assert "axis H" in decide(site(both, replace(MAX2, kernel=(1, 3)))).detail


def test_copies_of_channels_stay_in_a_pad_of_that_mode():
    outcome = decide(site(pad(0, (1, 0), (1, 1), mode="replicate"), pool(2, 6)))
    assert outcome == Folded("mirrored-max_pool", (1, 1), kept=kept(0, (1, 0), 0))


def mirrored(mode, widths, size, *, dtype="float32", steps=(), first=(), **attributes):
    """main(x): max_pool2d of steps of a mirrored pad."""
    flat = [0, 0, 0, 0, *widths]
    ops = [*first, lambda x: O.nn.pad(x, flat, mode), *steps, lambda x: O.nn.max_pool2d(x, **attributes)]
    return emitted([((1, 2, *size), dtype)], *ops)


def zeros(size, dtype="float32", seed=0):
    """Zeros of both signs, -1 and 1."""
    values = np.array([0.0, -0.0, -1.0, 1.0], dtype)
    return np.random.default_rng(seed).choice(values, (1, 2, *size))


def test_the_stem_of_a_network_that_repeats_its_edge_folds_and_returns_the_same_bits():
    module = mirrored("replicate", (1, 1, 1, 1), (8, 9), pool_size=(3, 3), strides=(2, 2))
    assert op_names(fold(module)) == ["nn.max_pool2d"]
    assert_same_results(module, zeros((8, 9)))
    assert_same_results(module, -np.random.default_rng(0).uniform(1, 2, (1, 2, 8, 9)).astype("float32"))


def test_a_mirrored_pad_passes_steps_and_needs_no_constant_operands():
    p = relax.Var("p", relax.TensorType((), "float32"))
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 2, 6, 7), "float32"))
    with builder.function("main", [x, p]):
        y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], "replicate"))
        y = builder.emit(O.multiply(builder.emit(O.negative(y)), p))
        builder.emit_func_output(builder.emit(O.nn.max_pool2d(y, (3, 3))))
    module = builder.get()
    assert op_names(fold(module)) == ["negative", "multiply", "nn.max_pool2d"]
    assert_same_results(module, zeros((6, 7)), np.float32(3))


def test_an_operand_along_the_border_keeps_the_pad():
    other = relax.const(np.arange(9, dtype="float32"))
    module = mirrored("replicate", (0, 0, 1, 1), (6, 7), steps=[lambda x: O.add(x, other)], pool_size=(3, 3))
    assert_kept(module)
    assert refusals(module) == [("max_pool2d", Kind.VARYING_OPERAND)]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_kernel_that_replicates_a_symbolic_length_folds_and_returns_the_same_bits(length):
    n = tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 2, n), "float32"))
    with builder.function("main", [x]):
        y = builder.emit_te(topi.nn.replicate_pad, x, [0, 0, 1], [0, 0, 2])
        builder.emit_func_output(builder.emit(O.nn.max_pool1d(y, (3,))))
    module = builder.get()
    assert op_names(fold(module)) == ["nn.max_pool1d"]
    assert_same_results(module, -np.random.default_rng(0).uniform(1, 2, (1, 2, length)).astype("float32"))


def test_a_pad_of_zeros_beside_a_mirrored_one_stays_a_pad_of_zeros():
    module = mirrored(
        "replicate", (0, 0, 1, 1), (6, 7), steps=[lambda x: O.nn.pad(x, [0, 0, 0, 0, 1, 1, 0, 0])], pool_size=(3, 3)
    )
    folded = fold(module)
    assert op_names(folded) == ["nn.pad", "nn.max_pool2d"]
    assert_same_results(module, zeros((6, 7)) - 1)


@pytest.mark.parametrize(
    ("emit", "more", "folds"),
    [
        (topi.nn.replicate_pad, (), True),
        (topi.nn.mirror_pad, ("SYMMETRIC",), True),  # of width 1, it repeats the edge
        (topi.nn.reflect_pad, (), True),
        (topi.nn.mirror_pad, ("REFLECT",), True),
        (topi.nn.circular_pad, (), False),
    ],
)
def test_a_mirrored_kernel_of_the_onnx_frontend_folds_too(emit, more, folds):
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 2, 6, 7), "int8"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit_te(emit, x, [0, 0, 1, 1], [0, 0, 1, 1], *more)
            gv = builder.emit_output(O.nn.max_pool2d(y, (3, 3)))
        builder.emit_func_output(gv)
    module = builder.get()
    assert len(fold(module).functions) == (1 if folds else 2)
    if folds:
        assert_same_results(module, np.random.default_rng(0).integers(-9, 9, (1, 2, 6, 7)).astype("int8"))


def test_a_symbolic_length_folds_for_every_length():
    n = tirx.Var("n", "int64")
    module = emitted(
        [((1, 2, 3, n), "float32")],
        lambda x: O.nn.pad(x, [0, 0, 0, 0, 0, 0, 1, 2], "replicate"),
        lambda x: O.nn.max_pool2d(x, (1, 3), strides=(1, 2)),
    )
    assert op_names(fold(module)) == ["nn.max_pool2d"]
    for length in (1, 2, 5, 8):
        assert_same_results(
            module, np.random.default_rng(length).permutation(6 * length).reshape(1, 2, 3, -1).astype("float32")
        )


def holds(mode, size, sides, kernel, stride, dilation, own):
    """By hand: whether every window of a one-dimensional pool holds what it reads copies of."""
    indices = np.arange(size)
    padded = np.pad(indices, sides, {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}[mode])
    is_data = np.pad(np.ones(size, bool), sides)
    extent = (kernel - 1) * dilation + 1
    answers = []
    for start in range(-own[0], len(padded) + own[1] - extent + 1, stride):
        taps = [tap for tap in range(start, start + extent, dilation) if 0 <= tap < len(padded)]
        data = {padded[tap] for tap in taps if is_data[tap]}
        answers.append({padded[tap] for tap in taps} <= data)
    return all(answers)


def test_the_answer_is_that_of_all_windows_counted_by_hand():
    rng, counts = random.Random(1), [0, 0]
    rows = itertools.product(("replicate", "reflect", "circular"), range(2, 6), (1, 2, 3), (1, 2), range(1, 6))
    for mode, size, stride, dilation, kernel in rows:
        most = {"reflect": size - 1, "circular": size, "replicate": 3}[mode]
        sides = (rng.randint(0, min(2, most)), rng.randint(0, min(2, most)))
        own = rng.choice([(0, 0), (0, 0), (1, 0), (0, 1), (-1, 0)])
        padded = size + sum(sides)
        if not any(sides) or padded + sum(own) < (kernel - 1) * dilation + 1 or padded + own[0] < 1:
            continue
        consumer = pool(kernel, padded, stride=stride, dilation=dilation, own=own)
        folds = isinstance(decide(at(mode, sides, consumer, "int8")), Folded)
        assert folds == holds(mode, size, sides, kernel, stride, dilation, own), (mode, size, sides, consumer)
        counts[folds] += 1
    assert min(counts) > 20
