"""The terms of every sum or maximum of a case, gathered one by one, and several ways to sum them.

    gather_terms(case, operand, weight) -> x, w, divisors: factors of shape (element of the result, term)

These are plain loops over the definition of each op: no strides, windows or arithmetic of ``oracle.reference``. The
padding of a convolution is a factor 0; the terms of a pool are x * 1; elements with fewer terms are filled with 0 * 0.
``accumulate`` sums as a machine may, and rounds after each operation. ``to_integers`` turns floats into Python
integers, which sum without error.
"""

import itertools
from fractions import Fraction

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np

from foldproof.case import dtypes

ORDERS = ("forward", "backward", "shuffled", "pairwise", "fused")


def gather_terms(case, operand, weight):
    """Return the factors for each element of the result, in the standard layout, and the divisors of an average."""
    data, x_sizes = _index_by_letter(operand, case.operand_layout)
    kernel, w_sizes = ({}, {}) if weight is None else _index_by_letter(weight, case.weight_layout)
    found, counts = [], []
    for n, c in itertools.product(range(case.result_dims["N"]), range(case.result_dims["C"])):
        for out in _positions(case, case.result_dims):
            pairs, count = _GATHER[case.spec.family](case, n, c, out, x_sizes, w_sizes)
            found.append([(data.get(x, 0), 1 if w is None else kernel[w]) for x, w in pairs])
            counts.append(count)
    longest = max(1, *(len(pairs) for pairs in found))
    held = np.int64 if case.result_dtype in dtypes.INTEGERS else np.float64
    filled = np.array([pairs + [(0, 0)] * (longest - len(pairs)) for pairs in found], held)
    return filled[..., 0], filled[..., 1], np.array(counts)


def _index_by_letter(array, order):
    """Return {index, ordered by letter: value}, and the length of each letter."""
    letters = "".join(sorted(order))
    turned = np.transpose(array, [order.index(letter) for letter in letters])
    values = turned.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64)
    return {at: values[at] for at in np.ndindex(turned.shape)}, dict(zip(order, array.shape, strict=True))


def _key(**at):
    return tuple(at[letter] for letter in sorted(at))


def _positions(case, sizes):
    """Yield all positions along the spatial axes."""
    return itertools.product(*(range(sizes[letter]) for letter in case.spec.spatial))


def _gather_conv(case, n, c, out, x_sizes, w_sizes):
    found, letters = [], case.spec.spatial
    group = c // (w_sizes["O"] // case.groups)
    for tap in _positions(case, w_sizes):
        steps = zip(out, tap, case.axes, strict=True)
        at = [o * axis.stride + k * axis.dilation - axis.padding[0] for o, k, axis in steps]
        to, where = dict(zip(letters, tap, strict=True)), dict(zip(letters, at, strict=True))
        for i in range(w_sizes["I"]):
            found.append((_key(N=n, C=group * w_sizes["I"] + i, **where), _key(O=c, I=i, **to)))
    return found, 1


def _gather_conv_transpose(case, n, c, out, x_sizes, w_sizes):
    """Return the terms that a transposed convolution scatters to one element of the result."""
    found, letters = [], case.spec.spatial
    group, each = c // w_sizes["O"], w_sizes["I"] // case.groups
    for tap in _positions(case, w_sizes):
        steps = zip(out, tap, case.axes, strict=True)
        ends = [(o + axis.padding[0] - k * axis.dilation, axis.stride) for o, k, axis in steps]
        at = [end // stride for end, stride in ends]
        inside = all(0 <= i < x_sizes[letter] for i, letter in zip(at, letters, strict=True))
        if not inside or any(end % stride for end, stride in ends):
            continue
        to, where = dict(zip(letters, tap, strict=True)), dict(zip(letters, at, strict=True))
        for i in range(group * each, (group + 1) * each):
            found.append((_key(N=n, C=i, **where), _key(O=c % w_sizes["O"], I=i, **to)))
    return found, 1


def _gather_pool(case, n, c, out, x_sizes, w_sizes):
    found, counted, letters = [], 0, case.spec.spatial
    for tap in itertools.product(*(range(axis.kernel) for axis in case.axes)):
        steps = zip(out, tap, case.axes, strict=True)
        at = dict(
            zip(letters, (o * axis.stride + k * axis.dilation - axis.padding[0] for o, k, axis in steps), strict=True)
        )
        if all(0 <= at[letter] < x_sizes[letter] for letter in letters):
            found.append((_key(N=n, C=c, **at), None))
        lengths = ((at[letter], x_sizes[letter] + axis.padding[1]) for letter, axis in case.lettered_axes)
        counted += all(i < end for i, end in lengths)
    return found, max(1, counted if case.count_include_pad else len(found))


_GATHER = {
    "conv": _gather_conv,
    "conv_transpose": _gather_conv_transpose,
    "avg_pool": _gather_pool,
    "max_pool": _gather_pool,
}


# --- sums ---------------------------------------------------------------------------------------------


def accumulate(x, w, dtype, order):
    """Return the sum of products over the last axis, computed in ``dtype`` in a given order."""
    kind = np.dtype(dtype)
    with np.errstate(all="ignore"):
        x, w = x.astype(kind), w.astype(kind)
        if order == "fused":  # the product does not round; in float64, where products of narrower floats are exact
            total = np.zeros(len(x), kind)
            for i in range(x.shape[-1]):
                exact = x[:, i].astype(np.float64) * w[:, i].astype(np.float64)
                total = (total.astype(np.float64) + exact).astype(kind)
            return total
        products = x * w
        if order == "pairwise":
            return _sum_pairwise(products)
        places = np.arange(x.shape[-1])
        if order == "shuffled":
            places = np.random.default_rng(x.shape[-1]).permutation(places)
        total = np.zeros(len(x), kind)
        for i in places[::-1] if order == "backward" else places:
            total = total + products[:, i]
        return total


def _sum_pairwise(products):
    if products.shape[-1] == 1:
        return products[:, 0]
    middle = products.shape[-1] // 2
    return _sum_pairwise(products[:, :middle]) + _sum_pairwise(products[:, middle:])


def to_integers(array):
    """Return (integers, denominator): the exact values of finite floats over one power of two."""
    ratios = [value.as_integer_ratio() for value in np.ravel(array).astype(np.float64).tolist()]
    denominator = max((below for _, below in ratios), default=1)
    integers = np.empty(len(ratios), object)
    integers[:] = [above * (denominator // below) for above, below in ratios]
    return integers.reshape(array.shape), denominator


def is_representable(dtype, number):
    """Return whether ``dtype`` represents this number exactly."""
    number = Fraction(number)
    return number == 0 or (abs(number) <= Fraction(dtypes.HIGHEST[dtype]) and round_to(dtype, number) == number)


LEAST_EXPONENT = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}
BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Facts of the formats (IEEE 754, bfloat16), independent of ``foldproof.case.dtypes``, which is under test."""


def round_to(dtype, number):
    """Return the nearest number of ``dtype`` as a fraction, ties to even, without overflow."""
    if number == 0:
        return Fraction(0)
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # now 2**exponent <= size < 2**(exponent + 1)
    step = Fraction(2) ** max(exponent - BITS[dtype] + 1, LEAST_EXPONENT[dtype])
    return round(number / step) * step  # Python rounds ties to even
