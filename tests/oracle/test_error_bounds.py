"""foldproof.oracle.error_bounds: the claims of the reference about its own exactness, against exact arithmetic.

    every sum of a drawn case --terms--> x, w --+--> Python integers: the true sum, all partial sums
                                                +--> the accumulation dtype, in five orders
    foldproof.oracle.reference --> value, bound

- Exact: every partial sum, in every order, is a number that the dtype has, and the value is the true sum, rounded once.
- Bounded: no order of accumulation is further from the value than its bound.
- Defined: no order of accumulation overflows.

The last section shows that claims that are four times too strong do not pass.
"""

import itertools
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from tests.support.relax import evaluate_pad, evaluate_steps, inputs, reference
from tests.support.terms import BITS, ORDERS, accumulate, gather_terms, is_representable, round_to, to_integers

from foldproof import strategies
from foldproof.case import MIRRORED_MODES, Axis, Case, Pad, dtypes, ops
from foldproof.generation.draw import draw

SUMS = tuple(row.name for row in ops.OPS if row.family != "max_pool")
MOST_MACS = 1500
"""Plain loops over exact integers: larger cases would take their time, and are not made of other sums."""


@cache
def drawn(name, examples):
    """Cases of an op, the same in every run; those without steps in a float dtype too, one after the other."""
    cases = [case for case in draw(strategies.cases(name), examples, seed=11) if case.macs <= MOST_MACS]
    plain = [case for case in cases if not case.steps and not case.producers]
    return (
        *cases,
        *(in_dtype(case, dtype) for case, dtype in zip(plain, itertools.cycle(dtypes.FLOATS), strict=False)),
    )


def in_dtype(case, dtype):
    """The case in a float dtype throughout, on real values, with a pad value that this dtype has."""
    pad = replace(case.pad, value=0.5)
    return replace(case, dtype=dtype, weight_dtype="", out_dtype="", pad=pad, fills=("integers", "reals"))


# --- one case -----------------------------------------------------------------------------------------


class Sums:
    """The sums of a case: the claims of the reference, and the terms themselves."""

    def __init__(self, case, arrays):
        result = reference(case, arrays)
        tensor = evaluate_steps(case, arrays)[-1].value
        weight = evaluate_pad(case, arrays) if case.pads_weight else arrays.get("w")
        self.dtype = case.result_dtype
        with np.errstate(all="ignore"):  # both operands are cast to the result before they are multiplied
            tensor = tensor.astype(np.dtype(self.dtype))
            weight = None if weight is None else weight.astype(np.dtype(self.dtype))
        self.x, self.w, self.count = gather_terms(case, tensor, weight)
        order = [case.operand_layout.index(letter) for letter in case.spec.data_layout]
        self.value, self.bound, self.defined = (
            np.transpose(part, order).ravel() for part in (result.value, result.bound, result.defined)
        )
        self.finite = np.isfinite(self.x).all(-1) & np.isfinite(self.w).all(-1)
        if case.spec.transposed:  # which multiplies infinities with zeros that stand between, and are no terms here
            self.finite &= all(np.isfinite(part.astype(np.float64)).all() for part in (tensor, weight))

    def products(self, chosen):
        """The true products of some elements: integers over one denominator."""
        (x, x_below), (w, w_below) = to_integers(self.x[chosen]), to_integers(self.w[chosen])
        return x * w, x_below * w_below


def check_exact(sums, tally):
    """Faults of the elements that are called exact: a partial sum that would have to be rounded, another value.

    All partial sums are multiples of the terms' common power of two; at most 2**bits of it, a dtype has them all.
    """
    chosen = np.flatnonzero(sums.defined & sums.finite & (sums.bound == 0))
    tally["exact"] += len(chosen)
    products, below = sums.products(chosen)
    shuffled = np.random.default_rng(0).permutation(products.shape[-1])
    orders = (slice(None), slice(None, None, -1), shuffled)
    partial = [products, *(np.cumsum(products[:, order], -1) for order in orders)]
    numbers = {Fraction(number, below) for part in partial for number in part.ravel().tolist()}
    lacking = [number for number in numbers if not is_representable(sums.dtype, number)]
    faults = [f"{float(number)} is a partial sum, but no {sums.dtype}" for number in lacking]
    for magnitude, low in zip(np.abs(products).sum(-1).tolist(), _common(products), strict=True):
        if magnitude > 2 ** BITS[sums.dtype] * low:
            faults.append(f"{Fraction(magnitude, low)} units need rounding in some order of their terms")
    for i, total in zip(chosen, products.sum(-1).tolist(), strict=True):
        true = round_to(sums.dtype, Fraction(total, below) / int(sums.count[i]))
        if Fraction(float(sums.value[i])) != true:
            faults.append(f"{sums.value[i]} is called exact, but {float(true)} is")
    return faults


def _common(products):
    """The largest power of two that divides all terms of a sum; 0 if they are all 0."""
    divisors = [math.gcd(*row) for row in products.tolist()]
    return [divisor & -divisor for divisor in divisors]


def check_bound(sums, tally, *, scale=1.0):
    """Faults of the elements that have a bound: a machine's sum, or the true one, further away. ``scale`` spoils it."""
    chosen = np.flatnonzero(sums.defined & sums.finite & (sums.bound > 0))
    tally["bounded"] += len(chosen)
    value, bound = sums.value[chosen].astype(np.float64), sums.bound[chosen] * scale
    products, below = sums.products(chosen)
    totals = zip(products.sum(-1).tolist(), sums.count[chosen].tolist(), strict=True)
    true = np.array([float(Fraction(total, below) / count) for total, count in totals])
    faults = [f"the true sum is {size} bounds away" for size in _too_far(true, value, bound, tally, "true")]
    for order in ORDERS:
        got = _machine(sums, chosen, order)
        faults += [f"{order} is {size} bounds away" for size in _too_far(got, value, bound, tally, order)]
    return faults


def _too_far(got, value, bound, tally, name):
    """Distances in bounds, of those that exceed it; ``tally`` keeps the largest of all."""
    distance = np.abs(got - value) / bound
    tally[name] = max(tally[name], float(distance.max(initial=0)))
    return distance[~(distance <= 1)].tolist()


def _machine(sums, chosen, order):
    """What a machine may make of the sums, and averages, in the dtype. In float64 no product can be kept exact here."""
    kind, order = np.dtype(sums.dtype), "forward" if sums.dtype == "float64" and order == "fused" else order
    with np.errstate(all="ignore"):
        total = accumulate(sums.x[chosen], sums.w[chosen], sums.dtype, order)
        return (total / sums.count[chosen].astype(kind)).astype(np.float64)


def check_overflow(sums, tally):
    """Faults of finite sums that are called defined: one that overflows in some order."""
    chosen = np.flatnonzero(sums.defined & sums.finite)
    tally["undefined"] += int(np.count_nonzero(sums.finite & ~sums.defined))
    overflows = (not np.isfinite(_machine(sums, chosen, order)).all() for order in ORDERS)
    return [f"{order} overflows" for order, overflow in zip(ORDERS, overflows, strict=True) if overflow]


def check_integers(sums, tally):
    """Faults of integer sums: wrapped ones of convolutions, and averages that do not wrap, which truncate."""
    low, high = dtypes.int_range(sums.dtype)
    faults = []
    for i in np.flatnonzero(sums.defined):
        total = sum(int(x) * int(w) for x, w in zip(sums.x[i].tolist(), sums.w[i].tolist(), strict=True))
        count = int(sums.count[i])
        if count > 1 and not low <= total <= high:
            tally["wide averages"] += 1  # TVM sums them in other dtypes: tests/oracle/test_reference.py executes it
            continue
        tally["integers"] += 1
        true = (total - low) % (high - low + 1) + low if count == 1 else abs(total) // count * (1 if total >= 0 else -1)
        if int(sums.value[i]) != true:
            faults.append(f"{sums.value[i]} should be {true}")
    return faults


def faults_of(case, fill, tally):
    sums = Sums(case, inputs(case, fill))
    if sums.dtype in dtypes.INTEGERS:
        return check_integers(sums, tally)
    return [*check_exact(sums, tally), *check_bound(sums, tally), *check_overflow(sums, tally)]


# --- drawn cases --------------------------------------------------------------------------------------


def check_drawn(name, examples):
    """Every fill that a case was drawn with, and real values in floats. The tally of all of them."""
    tally = Counter()
    for case in drawn(name, examples):
        more = () if case.result_dtype in dtypes.INTEGERS else ("reals",)
        for fill in dict.fromkeys((*case.fills, *more)):
            faults = faults_of(case, fill, tally)
            assert not faults, f"{faults[0]} ({len(faults)} faults) on fill {fill} of {case!r}"
    return tally


@pytest.mark.parametrize("name", SUMS)
def test_exact_sums_are_exact_and_other_sums_are_within_their_bounds(name):
    tally = check_drawn(name, 30)
    assert min(tally["exact"], tally["bounded"], tally["integers"]) >= 30, tally


@pytest.mark.slow
@pytest.mark.parametrize("name", SUMS)
def test_many_sums_are_exact_or_within_their_bounds(name):
    tally = check_drawn(name, 200)
    print(name, dict(tally))  # pytest -rP shows it: the largest distance of each order, in bounds
    assert min(tally["exact"], tally["bounded"], tally["integers"]) >= 300, tally


# --- maxima, which round nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_maximum_is_the_largest_element_of_its_window(rank):
    """Or what max_pool starts from: -inf in bfloat16, else the lowest finite value."""
    seen = Counter()
    for case in drawn(f"max_pool{rank}d", 60):
        for fill in case.fills:
            maxima = Sums(case, inputs(case, fill))
            whole_numbers = case.result_dtype in dtypes.INTEGERS
            least = (
                dtypes.int_range(case.result_dtype)[0] if whole_numbers else -float(dtypes.HIGHEST[case.result_dtype])
            )
            least = -math.inf if case.result_dtype == "bfloat16" else least
            for i in np.flatnonzero(maxima.defined):
                read = maxima.x[i][maxima.w[i] == 1].tolist()
                expected = max([least, *read])
                same = maxima.value[i] == expected or (math.isnan(maxima.value[i]) and len(read) == 1)
                assert same, f"{maxima.value[i]} should be {expected} on fill {fill} of {case!r}"
                seen[case.result_dtype] += 1
    assert len(seen) >= 6, seen
    assert sum(seen.values()) >= 1000, seen


# --- the fills ----------------------------------------------------------------------------------------


def ones_fit(case, most):
    """Whether a sum of ones, and of pad values, stays below ``most`` of the lowest bit: then any magnitude fits."""
    border = Fraction(0 if case.pad.mode in MIRRORED_MODES else case.pad.value)
    with np.errstate(all="ignore"):
        kept = int(border) if case.pad_dtype in dtypes.INTEGERS else float(border)
        border = abs(Fraction(float(np.array(kept).astype(np.dtype(case.pad_dtype)))))
    kernel = case.weight_dims if case.spec.weighted else {letter: axis.kernel for letter, axis in case.lettered_axes}
    channels = kernel.get("I", 1) // (case.groups if case.spec.transposed else 1)
    terms_of_a_sum = channels * math.prod(kernel[letter] for letter in case.spec.spatial)
    return terms_of_a_sum * max(border, 1) * border.denominator < most


def exact_cases(name, examples):
    """Cases of float sums without steps, in which ones would fit."""
    for case in drawn(name, examples):
        plain = not case.steps and not case.producers and math.isfinite(case.pad.value)
        if plain and case.result_dtype in dtypes.FLOATS and ones_fit(case, 2 ** BITS[case.result_dtype]):
            yield case


def unfit(case, fill):
    """The sums of |x||w| that leave the integers, in units of the lowest bit, which the dtype has all of."""
    sums = Sums(case, inputs(case, fill))
    products, _ = sums.products(np.arange(len(sums.x)))
    totals = zip(np.abs(products).sum(-1).tolist(), _common(products), strict=True)
    return [total for total, low in totals if total and total >= 2 ** BITS[sums.dtype] * low]


def count_exact(name, fill, examples):
    """Return how many cases sum exactly. Raises AssertionError for a case that does not."""
    count = 0
    for case in exact_cases(name, examples):
        count += 1
        case = replace(case, fills=(fill,))  # that of a constant weight is the first one
        assert not unfit(case, fill), case
        result = reference(case, inputs(case, fill))
        assert result.defined.all(), case
        assert not result.bound.any(), case
    return count


@pytest.mark.parametrize("fill", ["integers", "negative"])
@pytest.mark.parametrize("name", SUMS)
def test_the_fills_choose_magnitudes_that_sum_exactly(name, fill):
    assert count_exact(name, fill, 60) >= 8  # more than a fifth of the cases can sum exactly


@pytest.mark.slow
@pytest.mark.parametrize("name", SUMS)
def test_the_fills_choose_magnitudes_that_sum_exactly_in_many_cases(name):
    assert min(count_exact(name, fill, 200) for fill in ("integers", "negative")) >= 30


TIGHT = {
    "bfloat16, 200 terms": Case(op="conv1d", axes=(Axis(size=9, kernel=2),), channels=100, dtype="bfloat16"),
    "bfloat16, 12 terms": Case(op="conv1d", axes=(Axis(size=9, kernel=3),), channels=4, filters=2, dtype="bfloat16"),
    "float16, 300 terms": Case(op="conv1d", axes=(Axis(size=9, kernel=3),), channels=100, dtype="float16"),
    "bfloat16, a pad value of 20.5": Case(
        op="conv1d", axes=(Axis(size=4, kernel=3, pad=(2, 2)),), dtype="bfloat16", pad=Pad(value=20.5)
    ),
    "bfloat16, an average of 50": Case(op="avg_pool1d", axes=(Axis(size=99, kernel=50),), dtype="bfloat16"),
}
"""Where magnitudes have to be small: one of four times their budget would not sum exactly."""


@pytest.mark.parametrize("case", TIGHT.values(), ids=TIGHT)
def test_sums_that_barely_fit_are_exact(case):
    assert ones_fit(case, 2 ** BITS[case.result_dtype])
    assert not unfit(case, "integers")
    assert not faults_of(case, "integers", Counter())


# --- real values at their worst -----------------------------------------------------------------------


def worst(dtype):
    """1,000 sums of two products that err by nearly half of a last bit each: mantissas are just above a power of 2."""
    case = Case(op="conv1d", axes=(Axis(size=2, kernel=2),), dtype=dtype, batch=100, filters=10)
    rng, unit = np.random.default_rng(0), 2.0 ** (1 - BITS[dtype])
    x, w = (1 + unit * rng.integers(1, math.isqrt(2 ** BITS[dtype]) * 2, shape) for shape in ((100, 1, 2), (10, 1, 2)))
    return case, {"x": x.astype(np.dtype(dtype)), "w": w.astype(np.dtype(dtype))}


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_the_bound_holds_and_is_tight_where_roundings_are_worst(dtype):
    """Two products and their sum round: at most 3 of the 4 roundings that the bound allows for."""
    tally = Counter()
    assert not check_bound(Sums(*worst(dtype)), tally)
    largest = max(tally[order] for order in (*ORDERS, "true"))
    assert tally["bounded"] == 1000
    assert 0.4 < largest <= 0.75


# --- the tester ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_a_bound_four_times_too_small_fails(dtype):
    assert check_bound(Sums(*worst(dtype)), Counter(), scale=1 / 4)


@pytest.fixture
def bolder(monkeypatch):
    """Two bits more of precision: sums four times as large pass for exact, and bounds are a quarter."""
    for dtype, bits in BITS.items():
        monkeypatch.setitem(dtypes.PRECISION, dtype, bits + 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_reference_with_a_bound_four_times_too_small_fails(bolder, dtype):
    assert check_bound(Sums(*worst(dtype)), Counter())


@pytest.mark.parametrize("case", TIGHT.values(), ids=TIGHT)
def test_fills_that_are_four_times_too_bold_fail(bolder, case):
    assert any(unfit(replace(case, seed=seed), "integers") for seed in range(20))


@pytest.mark.parametrize("dtype", dtypes.FLOATS)
def test_a_reference_that_calls_sums_four_times_as_large_exact_fails(dtype, monkeypatch):
    """2**bits + 1 is the first integer that a dtype lacks."""
    case = Case(op="conv1d", axes=(Axis(size=3, kernel=3),), dtype=dtype)
    arrays = {"x": np.array([[[2.0 ** BITS[dtype] - 1, 1, 1]]], dtype), "w": np.ones((1, 1, 3), dtype)}
    right = Sums(case, arrays)
    assert right.bound.item() > 0
    assert not check_exact(right, Counter()) + check_bound(right, Counter())
    monkeypatch.setitem(dtypes.PRECISION, dtype, BITS[dtype] + 2)
    assert any("partial sum" in fault for fault in check_exact(Sums(case, arrays), Counter()))


def test_a_sum_that_overflows_but_is_called_defined_fails(monkeypatch):
    case = Case(op="conv1d", axes=(Axis(size=2, kernel=2),), dtype="float16")
    arrays = {"x": np.full((1, 1, 2), 60000, np.float16), "w": np.ones((1, 1, 2), np.float16)}
    assert not check_overflow(Sums(case, arrays), Counter())
    monkeypatch.setitem(dtypes.HIGHEST, "float16", 4 * 65504.0)
    assert check_overflow(Sums(case, arrays), Counter())


def test_an_integer_sum_that_saturates_instead_of_wrapping_fails():
    case = Case(op="conv1d", axes=(Axis(size=2, kernel=2),), dtype="int8")
    sums = Sums(case, {"x": np.full((1, 1, 2), 100, np.int8), "w": np.ones((1, 1, 2), np.int8)})
    assert not check_integers(sums, Counter())
    sums.value = np.array([127], np.int8)
    assert check_integers(sums, Counter())
