"""The NumPy reference against ONNX Runtime, on random cases.

    strategies, supported() -> Case --inputs--> arrays --+--> foldproof.oracle.reference -> value, bound --+
                                                         +--> ONNX Runtime ---------------> within the bound

The bound is that of the reference: 0 for exact sums, else the proven bound for any order of summation. Cases that ONNX
Runtime cannot execute are counted by reason (``onnx_graphs.REASONS``).

The reference follows TVM. Where ONNX Runtime computes something else, a rule of ``DISAGREEMENTS`` leaves the elements
out, and a pinned row of ``ROWS`` has both values.
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
def supported(draw, name):
    """Draw a pad of any mode before an op, nearly always supported by ONNX Runtime."""
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
    """Return the axis with padding narrower than a pool's kernel, and long enough for its pad in every mode."""
    padding = tuple(min(side, axis.kernel - 1) for side in axis.padding) if spec.pools else axis.padding
    longer = sum(axis.padding) - sum(padding)
    return replace(axis, padding=padding, size=max(axis.size + longer, max(axis.pad) + 1))


@cache
def draw_cases(name, examples):
    """Return cases of an op, the same in every run: half of them from ``strategies``, half from ``supported``."""
    return (*draw(strategies.cases(name), examples, seed=5), *draw(supported(name), examples, seed=5))


# --- disagreements of ONNX Runtime and TVM ------------------------------------------------------------


def _minus_infinity_alone(case, arrays, result, got):
    """max_pool of a window that is -inf throughout."""
    if case.spec.family != "max_pool" or case.operand_dtype not in dtypes.FLOATS:
        return False
    return (got == -INF) & (result.value == -dtypes.HIGHEST[case.operand_dtype])


def _zeros_between(case, arrays, result, got):
    """Transposed convolution: TVM multiplies the zeros that it inserts, and 0 * infinity is NaN."""
    return case.spec.transposed & np.isnan(result.value) & ~np.isnan(got) & _strange(case, arrays)


def _nan_in_max(case, arrays, result, got):
    """NaN into max_pool: ONNX Runtime loses it, even as the only element of a window."""
    return case.spec.family == "max_pool" and np.isnan(result.value.astype(np.float64))


def _strange_step(case, arrays, result, got):
    """NaN and infinities in steps.

    min, max and clip depend on the order of operands, quantize has no NaN, and TVM simplifies x * 0.0 and 0.0 / x to 0.
    """
    steps = (*case.producers, *case.steps)
    computing = any(step.kind in ELEMENTWISE for step in steps)
    return (computing and _strange(case, arrays)) or any(map(_divides_zero, steps))


def _divides_zero(step):
    """Return whether a step is 0.0 / x, which is NaN for data of 0."""
    return step.kind == "divide" and step.swapped and step.constant and not any(step.operand)


def _strange(case, arrays):
    """Return whether any input is not finite, or large enough to overflow."""
    steps = (*case.producers, *case.steps)
    numbers = [case.pad.value, *(step.value for step in steps), *(number for step in steps for number in step.operand)]
    return any(not (np.abs(part.astype(np.float64)) < 2.0**63).all() for part in (*arrays.values(), np.array(numbers)))


DISAGREEMENTS = (_minus_infinity_alone, _zeros_between, _nan_in_max, _strange_step)


def row(expected, ours, x, *, w=None, **fields):
    """Return a row: ONNX Runtime computes ``expected``, TVM and the reference compute ``ours``."""
    size = fields.pop("size", len(x))
    axis = Axis(size=size, kernel=fields.pop("kernel", 1 if w is None else len(w)), **fields.pop("axis", {}))
    case = Case(**{"op": "max_pool1d", "axes": (axis,), **fields})
    arrays = {"x": np.array(x, case.dtype).reshape(1, 1, -1)}
    return case, arrays | ({} if w is None else {"w": np.array(w, case.dtype).reshape(1, 1, -1)}), expected, ours


MAX0 = Step(kind="maximum", operand=(0.0,))
QUANTIZE = Step(kind="quantize", out_dtype="int8")

ROWS = {
    # topi inserts zeros into the data and convolves; ONNX Runtime scatters (col2im) and multiplies no zeros.
    "an infinite weight between": row(
        [INF, 0, INF], [INF, NAN, INF], [1, 1], w=[INF], op="conv1d_transpose", axis={"stride": 2}
    ),
    "NaN alone in a window": row([-HIGHEST], [NAN], [NAN]),
    # ONNX does not define NaN in QuantizeLinear (here: the lowest); TVM's min and max return the other operand.
    "NaN quantized": row([-128], [127], [NAN], steps=(QUANTIZE,)),
    "NaN clipped": row([-HIGHEST], [6], [NAN], steps=(Step(kind="clip"),)),
    "NaN at a maximum": row([-HIGHEST], [0], [NAN], steps=(MAX0,)),
    "NaN rectified": row([-HIGHEST], [0], [NAN], steps=(Step(kind="relu"),)),
    # TVM simplifies a product with the constant 0 to 0, also for infinities.
    "infinity times zero": row([-HIGHEST], [0], [INF], steps=(Step(kind="multiply", operand=(0.0,)),)),
    "zero divided by zero": row([-HIGHEST], [0], [0], steps=(Step(kind="divide", operand=(0.0,), swapped=True),)),
    # Of zeros of both signs, TVM's max returns the last, ONNX Runtime's the first. In all tests below 0.0 == -0.0.
    "zeros of two signs": row([0.0], [-0.0], [0.0, -0.0], kernel=2),
    "zeros the other way round": row([-0.0], [0.0], [-0.0, 0.0], kernel=2),
    "x + 0.0 of -0.0": row([0.0], [-0.0], [-0.0], steps=(Step(kind="add", operand=(0.0,)),)),
}
"""Results of ONNX Runtime 1.32 and of TVM 0.27."""


def to_text(array):
    """Return values as text: zeros of different signs differ, NaN equals NaN."""
    return [repr(float(value)) for value in np.ravel(array)]


@pytest.mark.parametrize(("case", "arrays", "expected", "ours"), ROWS.values(), ids=ROWS)
def test_a_pinned_row_has_both_results(case, arrays, expected, ours):
    assert to_text(onnx_graphs.execute(case, arrays)) == to_text(np.array(expected, np.float64))
    assert to_text(reference(case, arrays).value) == to_text(np.array(ours, np.float64))


@pytest.mark.parametrize(("dilation", "expected"), [(1, -HIGHEST), (2, -INF)])
def test_onnx_runtime_contradicts_itself_about_minus_infinity_alone(dilation, expected):
    """Its maximum starts from the lowest finite value, but from -inf in the kernel for dilated windows."""
    case = Case(op="max_pool1d", axes=(Axis(size=3, kernel=2, dilation=dilation),))
    arrays = {"x": np.full((1, 1, 3), -INF, np.float32)}
    assert set(to_text(onnx_graphs.execute(case, arrays))) == {repr(expected)}
    assert set(to_text(reference(case, arrays).value)) == {repr(-HIGHEST)}


REJECTED = {
    "pool padded as wide as its kernel": ({"kernel": 2, "padding": (2, 0)}, "pad"),
    "padding that crops": ({"kernel": 2, "padding": (-1, 0)}, "must not contain negative values"),
}


@pytest.mark.parametrize(("fields", "message"), REJECTED.values(), ids=REJECTED)
def test_unsupported_padding_is_rejected_by_onnx_runtime(fields, message):
    """TVM executes both. There, the scalar loops of test_reference.py and TVM itself check the reference."""
    case = Case(op="avg_pool1d", axes=(Axis(size=5, **fields),))
    assert onnx_graphs.unsupported(case) in (onnx_graphs.WIDE_PADDING, onnx_graphs.NEGATIVE)
    with pytest.raises(Exception, match=message):
        onnx_graphs.execute(case, inputs(case, "integers"))


AGREED = {
    # A last window that starts in the trailing padding is dropped. One that starts in the data and overhangs counts the
    # padding, never the overhang. Taps of a dilated window are counted one by one. PyTorch does the same; ONNX before
    # opset 19 and older versions of ONNX Runtime did not.
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
def test_averages_of_windows_that_overhang_agree(axis, fields, expected):
    case = Case(op="avg_pool1d", axes=(Axis(**axis),), **{"ceil_mode": True, "count_include_pad": True, **fields})
    arrays = {"x": np.arange(1, axis["size"] + 1, dtype=np.float32).reshape(1, 1, -1)}
    wanted = np.array(expected, np.float32).tolist()
    assert onnx_graphs.execute(case, arrays).ravel().tolist() == wanted
    assert reference(case, arrays).value.ravel().tolist() == wanted


# --- random cases -------------------------------------------------------------------------------------


def compare_fill(case, fill, tally, *, refer=reference):
    """Return how ONNX Runtime differs from the reference on one fill; ``tally`` counts elements."""
    arrays = inputs(case, fill)
    result, got = refer(case, arrays), onnx_graphs.execute(case, arrays)
    left_out = np.zeros(result.value.shape, np.bool_)
    if got.shape == result.value.shape:
        for rule in DISAGREEMENTS:
            where = np.broadcast_to(rule(case, arrays, result, got), left_out.shape)
            tally[rule.__name__] += int(np.count_nonzero(where))
            left_out = left_out | where
    result = replace(result, defined=result.defined & ~left_out)
    tally["compared"] += int(np.count_nonzero(result.defined))
    tally["exact"] += int(np.count_nonzero(result.defined & (result.bound == 0)))
    return within(without_sign(got), replace(result, value=without_sign(result.value)))


def without_sign(array):
    """Return zeros without a sign, since ONNX does not define that of a sum or a maximum."""
    return np.where(array == 0, array.dtype.type(0), array)


def check_cases(name, examples, tally):
    """Check the cases of an op that ONNX Runtime can execute on all of their fills; return these cases."""
    found = []
    for case in draw_cases(name, examples):
        reason = onnx_graphs.unsupported(case)
        tally[reason or "cases"] += 1
        if reason is None:
            found.append(case)
            for fill in case.fills:
                difference = compare_fill(case, fill, tally)
                assert difference is None, f"{difference.text} on fill {fill} of {case!r}"
    return found


LEAST = {"cases": 25, "compared": 300, "exact": 250}
"""The least numbers for each op: cases, elements, elements compared to the bit. They prevent an empty test."""


@pytest.mark.parametrize("name", ops.NAMES)
def test_the_reference_agrees_with_onnx_runtime(name):
    tally = Counter()
    found = check_cases(name, 40, tally)
    assert set(tally) <= {*LEAST, *onnx_graphs.REASONS, *(rule.__name__ for rule in DISAGREEMENTS)}
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
    check_cases(name, 200, tally)
    print(name, dict(tally))  # pytest -rP shows it
    assert tally["cases"] >= 150


# --- a wrong reference is noticed ---------------------------------------------------------------------


def _with_axes(**changes):
    return lambda case: replace(
        case,
        axes=tuple(replace(axis, **{key: change(axis) for key, change in changes.items()}) for axis in case.axes),
    )


WRONG = {
    "sides of padding swapped": ("conv2d", _with_axes(padding=lambda axis: axis.padding[::-1])),
    "sides of the pad swapped": ("conv1d", _with_axes(pad=lambda axis: axis.pad[::-1])),
    "padding moved by one element": (
        "max_pool2d",
        _with_axes(
            padding=lambda axis: (axis.padding[0] - 1, axis.padding[1] + 1) if axis.padding[0] else axis.padding
        ),
    ),
    "output padding at the start": (
        "conv2d_transpose",
        _with_axes(
            padding=lambda axis: (axis.padding[0] - axis.output_padding, axis.padding[1]),
            output_padding=lambda axis: 0,
        ),
    ),
    "count_include_pad negated": (
        "avg_pool2d",
        lambda case: replace(case, count_include_pad=not case.count_include_pad),
    ),
    "modes confused": ("conv2d", lambda case: replace(case, pad=replace(case.pad, mode="replicate"))),
    "value negated": ("avg_pool1d", lambda case: replace(case, pad=replace(case.pad, value=-case.pad.value))),
    "ceil_mode ignored": ("max_pool1d", lambda case: replace(case, ceil_mode=False)),
}


@pytest.mark.parametrize(("name", "change"), WRONG.values(), ids=WRONG)
def test_a_wrong_reference_differs(name, change):
    def wrong(case, arrays):
        return reference(change(case), arrays)

    cases = [case for case in draw(supported(name), 120, seed=5) if case.dtype == "float32"]
    assert any(compare_fill(case, case.fills[0], Counter(), refer=wrong) is not None for case in cases)
