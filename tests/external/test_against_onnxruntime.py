"""The NumPy reference against ONNX Runtime, on random cases.

    strategies, plain() -> Case --inputs--> arrays --+--> foldproof.oracle.reference ---> value, bound --+
                                                     +--> ONNX Runtime ------------------------+-> within the bound

The bound is the reference's own: none where it calls a sum exact, else what is proven for any order of summation. What
ONNX Runtime cannot execute is counted by reason (``onnx_graphs.REASONS``). Where it means something else by the same
words than TVM does, on which the reference follows TVM, the elements concerned are left out by a rule of ``APART``, and
each rule has a pinned row that says what either of them computes.
"""

import math
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import strategies as st
from tests.support import onnx_graphs
from tests.support.relax import inputs, reference

from foldproof import strategies
from foldproof.case import MODES, Axis, Case, Pad, Step, dtypes, ops
from foldproof.case.step import ELEMENTWISE
from foldproof.generation.draw import draw
from foldproof.oracle.compare import within
from foldproof.strategies import values

INF, NAN = math.inf, math.nan
HIGHEST = dtypes.HIGHEST["float32"]


# --- cases --------------------------------------------------------------------------------------------


@st.composite
def plain(draw, name):
    """A pad of any mode and value before an op, in what ONNX Runtime executes; nearly every one can be checked."""
    spec = ops.BY_NAME[name]
    small = ("int8", "uint8") if spec.family in ("conv", "max_pool") else ()
    dtype = draw(st.sampled_from(("float32", "float32", *small)))
    pad = Pad(mode=draw(st.sampled_from(MODES)), value=draw(st.sampled_from([0.0, 3.0, 1.0])))
    groups = draw(st.integers(1, 3)) if spec.weighted else 1
    drawn_axes = [draw(strategies.axes(rank=spec.rank, transposed=spec.transposed)) for _ in spec.spatial]
    return Case(
        op=name,
        axes=tuple(_narrow(axis, spec) for axis in drawn_axes),
        dtype=dtype,
        out_dtype="int32" if spec.weighted and dtype in small else "",
        pad=pad,
        batch=draw(st.integers(1, 2)),
        channels=groups * draw(st.integers(1, 2)),
        filters=groups * draw(st.integers(1, 2)) if spec.weighted else 1,
        groups=groups,
        ceil_mode=spec.pools and draw(st.booleans()),
        count_include_pad=spec.family == "avg_pool" and draw(st.booleans()),
        fills=tuple(draw(st.sampled_from([("integers", "reals"), ("negative", "extremes"), ("specials", "nans")]))),
        seed=draw(values.SEEDS),
    )


def _narrow(axis, spec):
    """The axis with padding narrower than a pool's kernel, and long enough for that, and for its pad in every mode."""
    padding = tuple(min(side, axis.kernel - 1) for side in axis.padding) if spec.pools else axis.padding
    longer = sum(axis.padding) - sum(padding)
    return replace(axis, padding=padding, size=max(axis.size + longer, max(axis.pad) + 1))


@cache
def drawn(name, examples):
    """Cases of an op: half of the harness's strategies, half plain; the same ones in every run."""
    return (*draw(strategies.cases(name), examples, seed=5), *draw(plain(name), examples, seed=5))


# --- where ONNX Runtime and TVM mean different things -------------------------------------------------


def _nothing_above(case, arrays, result, got):
    """max_pool where nothing is above -inf."""
    if case.spec.family != "max_pool" or case.operand_dtype not in dtypes.FLOATS:
        return False
    return (got == -INF) & (result.value == -dtypes.HIGHEST[case.operand_dtype])


def _between(case, arrays, result, got):
    """Transposed convolution: TVM multiplies the zeros that it puts between, which shows where they meet infinities."""
    return case.spec.transposed & np.isnan(result.value) & ~np.isnan(got) & _strange(case, arrays)


def _nan_in_max(case, arrays, result, got):
    """NaN into max_pool: even the one element of a window is lost in ONNX Runtime."""
    return case.spec.family == "max_pool" and np.isnan(result.value.astype(np.float64))


def _strange_step(case, arrays, result, got):
    """NaN and infinities through steps: min, max and clip choose by the order of operands, quantize has no NaN, and
    TVM's simplifier makes x * 0.0 and 0.0 / x a zero."""
    computing = any(step.kind in ELEMENTWISE for step in (*case.producers, *case.steps))
    return computing and _strange(case, arrays)


def _strange(case, arrays):
    """Whether anything that goes in is large enough to overflow, or not finite."""
    steps = (*case.producers, *case.steps)
    numbers = [case.pad.value, *(step.value for step in steps), *(number for step in steps for number in step.operand)]
    return any(not (np.abs(part.astype(np.float64)) < 2.0**63).all() for part in (*arrays.values(), np.array(numbers)))


APART = (_nothing_above, _between, _nan_in_max, _strange_step)


def pinned(expected, ours, x, *, w=None, **fields):
    """A row: ONNX Runtime computes ``expected``, TVM and the reference ``ours``."""
    size = fields.pop("size", len(x))
    axis = Axis(size=size, kernel=fields.pop("kernel", 1 if w is None else len(w)), **fields.pop("axis", {}))
    case = Case(**{"op": "max_pool1d", "axes": (axis,), **fields})
    arrays = {"x": np.array(x, case.dtype).reshape(1, 1, -1)}
    return case, arrays | ({} if w is None else {"w": np.array(w, case.dtype).reshape(1, 1, -1)}), expected, ours


MAX0 = Step(kind="maximum", operand=(0.0,))
QUANTIZE = Step(kind="quantize", out_dtype="int8")

ROWS = {
    # topi spreads the data with zeros and convolves; ONNX Runtime scatters (col2im), and nothing is multiplied between.
    "an infinite weight between": pinned(
        [INF, 0, INF], [INF, NAN, INF], [1, 1], w=[INF], op="conv1d_transpose", axis={"stride": 2}
    ),
    "NaN alone in a window": pinned([-HIGHEST], [NAN], [NAN]),
    # ONNX leaves NaN in QuantizeLinear open (here: the lowest); TVM's min and max keep their other operand.
    "NaN quantized": pinned([-128], [127], [NAN], steps=(QUANTIZE,)),
    "NaN clipped": pinned([-HIGHEST], [6], [NAN], steps=(Step(kind="clip"),)),
    "NaN at a maximum": pinned([-HIGHEST], [0], [NAN], steps=(MAX0,)),
    "NaN rectified": pinned([-HIGHEST], [0], [NAN], steps=(Step(kind="relu"),)),
    # The simplifier of TVM takes a product with the constant 0 for 0, infinities or not.
    "infinity times zero": pinned([-HIGHEST], [0], [INF], steps=(Step(kind="multiply", operand=(0.0,)),)),
    # Among zeros of two signs TVM's max takes the last, ONNX Runtime's the first; 0.0 == -0.0 in every test below.
    "zeros of two signs": pinned([0.0], [-0.0], [0.0, -0.0], kernel=2),
    "zeros the other way round": pinned([-0.0], [0.0], [-0.0, 0.0], kernel=2),
    "x + 0.0 of -0.0": pinned([0.0], [-0.0], [-0.0], steps=(Step(kind="add", operand=(0.0,)),)),
}
"""What ONNX Runtime 1.32 computes, and what TVM 0.27 does."""


def shown(array):
    """Values with the signs of zeros told apart, NaN equal to NaN."""
    return [repr(float(value)) for value in np.ravel(array)]


@pytest.mark.parametrize(("case", "arrays", "expected", "ours"), ROWS.values(), ids=ROWS)
def test_a_pinned_row_is_what_either_computes(case, arrays, expected, ours):
    assert shown(onnx_graphs.executed(case, arrays)) == shown(np.array(expected, np.float64))
    assert shown(reference(case, arrays).value) == shown(np.array(ours, np.float64))


@pytest.mark.parametrize(("dilation", "expected"), [(1, -HIGHEST), (2, -INF)])
def test_onnx_runtime_contradicts_itself_about_minus_infinity_alone(dilation, expected):
    """Its maximum starts from the lowest finite value, or from -inf in the kernel for dilated windows."""
    case = Case(op="max_pool1d", axes=(Axis(size=3, kernel=2, dilation=dilation),))
    arrays = {"x": np.full((1, 1, 3), -INF, np.float32)}
    assert set(shown(onnx_graphs.executed(case, arrays))) == {repr(expected)}
    assert set(shown(reference(case, arrays).value)) == {repr(-HIGHEST)}


REFUSED = {
    "pool padded as wide as its kernel": ({"kernel": 2, "padding": (2, 0)}, "pad"),
    "padding that crops": ({"kernel": 2, "padding": (-1, 0)}, "must not contain negative values"),
}


@pytest.mark.parametrize(("fields", "message"), REFUSED.values(), ids=REFUSED)
def test_what_onnx_runtime_refuses_is_refused(fields, message):
    """TVM executes both; the scalar loops of test_reference.py, and executed TVM, are what the reference has there."""
    case = Case(op="avg_pool1d", axes=(Axis(size=5, **fields),))
    assert onnx_graphs.lacking(case) in (onnx_graphs.WIDE_PADDING, onnx_graphs.NEGATIVE)
    with pytest.raises(Exception, match=message):
        onnx_graphs.executed(case, inputs(case, "integers"))


AGREED = {
    # What they could disagree on, and do not: a last window that starts in trailing padding is dropped, one that
    # starts in the data and overhangs counts the padding, never the overhang, and taps of a dilated window are counted
    # one by one. PyTorch says so too; older versions of ONNX (before opset 19) and of ONNX Runtime did not.
    "last window in padding, dropped": ({"size": 2, "kernel": 2, "stride": 2, "padding": (1, 1)}, {}, [0.5, 1.0]),
    "overhang, padding counted": ({"size": 4, "kernel": 3, "stride": 3, "padding": (1, 2)}, {}, [1.0, 7 / 3]),
    "overhang after padding": ({"size": 4, "kernel": 3, "stride": 2, "padding": (0, 1)}, {}, [2.0, 7 / 3]),
    "padding not counted": (
        {"size": 4, "kernel": 3, "stride": 3, "padding": (1, 1)},
        {"count_include_pad": False},
        [1.5, 3.5],
    ),
    "dilated, padding counted": (
        {"size": 4, "kernel": 2, "stride": 3, "dilation": 3, "padding": (0, 1)},
        {},
        [2.5, 4.0],
    ),
    "padding alone": (
        {"size": 1, "kernel": 2, "dilation": 2, "padding": (1, 1)},
        {"count_include_pad": False},
        [0.0],
    ),
}


@pytest.mark.parametrize(("axis", "fields", "expected"), AGREED.values(), ids=AGREED)
def test_windows_that_overhang_are_averaged_alike(axis, fields, expected):
    case = Case(op="avg_pool1d", axes=(Axis(**axis),), **{"ceil_mode": True, "count_include_pad": True, **fields})
    arrays = {"x": np.arange(1, axis["size"] + 1, dtype=np.float32).reshape(1, 1, -1)}
    wanted = np.array(expected, np.float32).tolist()
    assert onnx_graphs.executed(case, arrays).ravel().tolist() == wanted
    assert reference(case, arrays).value.ravel().tolist() == wanted


# --- random cases -------------------------------------------------------------------------------------


def compared(case, fill, tally, *, refer=reference):
    """How ONNX Runtime differs from the reference on one fill; ``tally`` counts elements."""
    arrays = inputs(case, fill)
    result, got = refer(case, arrays), onnx_graphs.executed(case, arrays)
    apart = np.zeros(result.value.shape, np.bool_)
    if got.shape == result.value.shape:
        for rule in APART:
            where = np.broadcast_to(rule(case, arrays, result, got), apart.shape)
            tally[rule.__name__] += int(np.count_nonzero(where))
            apart = apart | where
    result = replace(result, defined=result.defined & ~apart)
    tally["compared"] += int(np.count_nonzero(result.defined))
    tally["exact"] += int(np.count_nonzero(result.defined & (result.bound == 0)))
    return within(unsigned(got), replace(result, value=unsigned(result.value)))


def unsigned(array):
    """Zeros without a sign: ONNX does not say which one a sum or a maximum has."""
    return np.where(array == 0, array.dtype.type(0), array)


def checked(name, examples, tally):
    """The cases of an op that ONNX Runtime can execute, each checked on all of its fills."""
    found = []
    for case in drawn(name, examples):
        reason = onnx_graphs.lacking(case)
        tally[reason or "cases"] += 1
        if reason is None:
            found.append(case)
            for fill in case.fills:
                difference = compared(case, fill, tally)
                assert difference is None, f"{difference.text} on fill {fill} of {case!r}"
    return found


LEAST = {"cases": 25, "compared": 300, "exact": 250}
"""Per op: cases, elements, elements compared to the bit. No change of a strategy may make this an empty test."""


@pytest.mark.parametrize("name", ops.NAMES)
def test_the_reference_agrees_with_onnx_runtime(name):
    tally = Counter()
    found = checked(name, 40, tally)
    assert set(tally) <= {*LEAST, *onnx_graphs.REASONS, *(rule.__name__ for rule in APART)}
    assert all(tally[key] >= least for key, least in LEAST.items()), tally
    assert {case.pad.mode for case in found} >= set(MODES)
    assert {max(axis.dilation for axis in case.axes) > 1 for case in found} == {True, False}
    assert {max(axis.stride for axis in case.axes) > 1 for case in found} == {True, False}
    if ops.BY_NAME[name].pools:
        assert {case.ceil_mode for case in found} == {True, False}
    else:
        assert {case.groups > 1 for case in found} == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("name", ops.NAMES)
def test_the_reference_agrees_with_onnx_runtime_on_many_cases(name):
    tally = Counter()
    checked(name, 200, tally)
    print(name, dict(tally))  # pytest -rP shows it
    assert tally["cases"] >= 150


# --- the tester ---------------------------------------------------------------------------------------


def _axes_changed(**changes):
    return lambda case: replace(
        case,
        axes=tuple(replace(axis, **{key: change(axis) for key, change in changes.items()}) for axis in case.axes),
    )


WRONG = {
    "sides of padding swapped": ("conv2d", _axes_changed(padding=lambda axis: axis.padding[::-1])),
    "sides of the pad swapped": ("conv1d", _axes_changed(pad=lambda axis: axis.pad[::-1])),
    "padding one element further back": (
        "max_pool2d",
        _axes_changed(
            padding=lambda axis: (axis.padding[0] - 1, axis.padding[1] + 1) if axis.padding[0] else axis.padding
        ),
    ),
    "output padding before it": (
        "conv2d_transpose",
        _axes_changed(
            padding=lambda axis: (axis.padding[0] - axis.output_padding, axis.padding[1]),
            output_padding=lambda axis: 0,
        ),
    ),
    "padding counted or not": ("avg_pool2d", lambda case: replace(case, count_include_pad=not case.count_include_pad)),
    "modes confused": ("conv2d", lambda case: replace(case, pad=replace(case.pad, mode="replicate"))),
    "value negated": ("avg_pool1d", lambda case: replace(case, pad=replace(case.pad, value=-case.pad.value))),
    "ceil_mode ignored": ("max_pool1d", lambda case: replace(case, ceil_mode=False)),
}


@pytest.mark.parametrize(("name", "change"), WRONG.values(), ids=WRONG)
def test_a_wrong_reference_differs(name, change):
    def wrong(case, arrays):
        return reference(change(case), arrays)

    cases = [case for case in draw(plain(name), 120, seed=5) if case.dtype == "float32"]
    assert any(compared(case, case.fills[0], Counter(), refer=wrong) is not None for case in cases)
