"""Fills: recipes that make a case's input tensors from its seed.

    inputs(case, fill) -> {"x": data, "w": weight, "scale0": ..., "zero_point0": ...}

Law: equal (seed, fill, case) make equal arrays, on every machine, and no tensor is all zero. What ``integers`` and
``negative`` promise beyond that is exactness: they choose magnitudes so that no partial sum leaves the integers that
the accumulation dtype represents, where any magnitude can (the reference decides that per element anyway).
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from harness import ops
from harness.case import MIRRORED_MODES, Case

Array = npt.NDArray[Any]

SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}

LARGEST = 9
"""No magnitude of the integer fills is larger: small numbers are easy to read in a counterexample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One tensor to fill. ``center`` is the value that the consumer takes for zero: 0, or the zero points."""

    case: Case
    name: str
    order: str
    shape: tuple[int, ...]
    dtype: str
    center: Array

    @property
    def is_weight(self) -> bool:
        """Whether this is the weight, which has no zero point and may be thinned out."""
        return self.name == "w"

    @property
    def floats(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype in ops.FLOATS

    @property
    def unsigned(self) -> bool:
        """Whether no element can lie below the center."""
        return self.dtype.startswith("u") and (self.is_weight or not self.case.steps)


def inputs(case: Case, fill: str) -> dict[str, Array]:
    """The arrays that the function of ``case`` receives, by parameter name."""
    arrays = {operand.name: _filled(operand, fill) for operand in _operands(case)}
    for i, step in enumerate(case.steps):
        if not step.constant:
            arrays[f"scale{i}"] = _values(step.scale, "float32")
            arrays[f"zero_point{i}"] = _values(step.zero_point, step.zero_point_dtype)
    return arrays


def _filled(operand: Operand, fill: str) -> Array:
    words = [operand.case.seed, zlib.crc32(fill.encode()), zlib.crc32(operand.name.encode())]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    with np.errstate(all="ignore"):  # bfloat16 rounds the highest values on purpose
        array = FILLS[fill](operand, rng).astype(np.dtype(operand.dtype), order="C")
    if not array.any():  # one zero among one: a tensor of zeros shows nothing
        array.flat[rng.integers(array.size)] = 1
    return array


def _values(values: tuple[Any, ...], dtype: str) -> Array:
    return np.array(values[0] if len(values) == 1 else values, np.dtype(dtype))


def _operands(case: Case) -> list[Operand]:
    shape = tuple(case.data_dims[letter] for letter in case.data_order)
    data = Operand(case=case, name="x", order=case.data_order, shape=shape, dtype=case.dtype, center=_center(case))
    if not case.spec.weighted:
        return [data]
    shape = tuple(case.kernel_dims[letter] for letter in case.kernel_order)
    zero = np.zeros(1, np.int64)
    weight = Operand(case=case, name="w", order=case.kernel_order, shape=shape, dtype=case.kernel_dtype, center=zero)
    return [data, weight]


def _center(case: Case) -> Array:
    """The zero points, as they stand to the data in front of the pad: broadcastable to it."""
    if not case.steps:
        return np.zeros(1, np.int64)
    step = case.steps[0]
    values = np.array(step.zero_point, np.int64)
    if len(values) > 1 and not case.pads_weight:  # they are those of the padded tensor
        behind = np.arange(case.data_dims[step.axis]) + case.pad_widths[step.axis][0]
        values = values[np.clip(behind, 0, len(values) - 1)]
    return values.reshape([-1 if letter == step.axis else 1 for letter in case.data_order])


# --- integers that sum exactly ------------------------------------------------------------------------


def _integers(operand: Operand, rng: np.random.Generator) -> Array:
    """Small integers around the center, one in eight of them zero."""
    signs = rng.choice([-1, 1], operand.shape)
    array = _distances(operand, rng, signs) * (rng.random(operand.shape) >= 1 / 8)
    return _sparse(operand, rng, array) if operand.is_weight else _around_center(operand, array)


def _negative(operand: Operand, rng: np.random.Generator) -> Array:
    """All data below its center (unsigned data: just above zero), all weights non-zero, so that a border shows."""
    if operand.is_weight:
        return _distances(operand, rng, np.asarray(rng.choice([-1, 1], operand.shape)))
    if operand.unsigned:
        return rng.integers(1, min(3, _magnitudes(operand.case)[0]) + 1, operand.shape)
    return _around_center(operand, _distances(operand, rng, np.full(operand.shape, -1)))


def _distances(operand: Operand, rng: np.random.Generator, signs: Array) -> Array:
    """Distances from the center: magnitudes from 1 on, with ``signs`` where the dtype has them."""
    largest = _magnitudes(operand.case)[1 if operand.is_weight else 0]
    magnitudes = rng.integers(1, largest + 1, operand.shape)
    return magnitudes if operand.unsigned else np.asarray(signs * magnitudes)


def _around_center(operand: Operand, distance: Array) -> Array:
    """Center plus distance; a shorter distance, or one to the other side, where that leaves an integer dtype."""
    if operand.floats:
        return distance
    low, high = np.clip(ops.int_range(operand.dtype), -(2**40), 2**40)  # int64's whole range is no int64
    room = np.where(distance < 0, operand.center - low, high - operand.center)
    other = high - low - room
    distance, room = np.where(room < 1, -distance, distance), np.maximum(np.where(room < 1, other, room), 1)
    shorter = np.sign(distance) * ((np.abs(distance) - 1) % room + 1)
    return np.asarray(np.clip(operand.center + shorter, low, high))  # a center may lie outside the dtype altogether


def _magnitudes(case: Case) -> tuple[int, int]:
    """Largest magnitudes of data and weight for which every partial sum fits the accumulation dtype; 1 at least.

    The pad value takes part in a sum like any element of the padded operand.
    """
    if case.result_dtype in ops.INTEGERS or case.spec.family == "max_pool":
        return LARGEST, LARGEST  # integer sums wrap, and a maximum rounds nothing
    budget = _budget(case) // _terms(case)
    border = math.ceil(_border(case))
    if not case.spec.weighted:
        return max(1, min(LARGEST, budget)), 1
    data = max(1, min(LARGEST, math.isqrt(budget)))
    if case.pads_weight:
        data = max(1, min(data, budget // max(border, 1)))
        return data, max(1, min(LARGEST, budget // data))
    return data, max(1, min(LARGEST, budget // max(data, border)))


def _budget(case: Case) -> int:
    """Sum of |data * weight|, both counted in ones, that stays below 2**precision of the sum's lowest bit."""
    return int((2 ** ops.PRECISION[case.result_dtype] - 1) // (_border(case).denominator * _scale_spread(case)))


def _terms(case: Case) -> int:
    """Terms of one sum of the consumer."""
    if not case.spec.weighted:
        return math.prod(axis.kernel for axis in case.axes)
    dims = case.weight_dims
    inputs_of_group = dims["I"] // case.groups if case.spec.transposed else dims["I"]
    return inputs_of_group * math.prod(dims[letter] for letter in case.spec.spatial)


def _border(case: Case) -> Fraction:
    """|pad value - center| as it enters a sum; 0 where it is not finite, which no magnitude makes exact."""
    if case.pad.mode in MIRRORED_MODES:
        return Fraction(0)
    if case.pad_dtype in ops.INTEGERS:
        zeros = case.steps[0].zero_point if case.steps and not case.pads_weight else (0,)
        return Fraction(max(abs(int(case.pad.value) - zero) for zero in zeros))
    with np.errstate(all="ignore"):
        value = float(np.array(case.pad.value).astype(np.dtype(case.pad_dtype)))
    return abs(Fraction(value)) if math.isfinite(value) else Fraction(0)


def _scale_spread(case: Case) -> int:
    """Largest scale in units of the lowest bit of all scales: 1 for a power of two."""
    scales = [abs(float(np.float32(scale))) for step in case.steps for scale in step.scale]
    finite = [scale.as_integer_ratio() for scale in scales if scale and math.isfinite(scale)]
    if not finite:
        return 1
    common = math.lcm(*(denominator for _, denominator in finite))
    numerators = [numerator * (common // denominator) for numerator, denominator in finite]
    common = math.gcd(*numerators)
    return max(numerators) // (common & -common)


def _sparse(operand: Operand, rng: np.random.Generator, weight: Array) -> Array:
    """Where even ones would leave the exact range, only as many weights of a filter as fit it, if those are many."""
    case = operand.case
    if case.result_dtype in ops.INTEGERS:
        return weight
    data, _ = _magnitudes(case)
    fits = max(1, _budget(case) // max(data, math.ceil(_border(case))))
    if not fits < _terms(case) <= 2 * fits:  # few weights would hide more than a rounded sum does
        return weight
    filters = np.moveaxis(weight, operand.order.index("O"), 0)
    flat = filters.reshape(len(filters), -1)
    rank = rng.random(flat.shape).argsort(-1).argsort(-1)
    thinned = np.where(rank < fits, flat, 0).reshape(filters.shape)
    return np.moveaxis(thinned, 0, operand.order.index("O"))


# --- everything else ----------------------------------------------------------------------------------


def _extremes(operand: Operand, rng: np.random.Generator) -> Array:
    """Ends of the dtype and their neighbours, with a few small values between."""
    ends = _ends(operand.dtype)
    small = rng.integers(0 if operand.dtype.startswith("u") else -3, 4, operand.shape)
    return np.where(rng.random(operand.shape) < 1 / 4, small, rng.choice(ends, operand.shape))


def _reals(operand: Operand, rng: np.random.Generator) -> Array:
    """Floats: [0.25, 4) with either sign. Integers: the full range."""
    if operand.floats:
        magnitudes: Array = rng.uniform(0.25, 4.0, operand.shape)
        return np.asarray(magnitudes * rng.choice([-1.0, 1.0], operand.shape))
    low, high = ops.int_range(operand.dtype)
    return rng.integers(low, high, operand.shape, np.int64, endpoint=True)


def _specials(operand: Operand, rng: np.random.Generator) -> Array:
    """Floats: small integers and zeros of both signs, one in six an infinity, a subnormal or an extreme."""
    if not operand.floats:
        zeros = rng.random(operand.shape) < 1 / 6
        return np.where(zeros, 0, _extremes(operand, rng))
    normal = SMALLEST_NORMAL[operand.dtype]
    least = math.ldexp(normal, 1 - ops.PRECISION[operand.dtype])
    odd = np.array([math.inf, -math.inf, least, -least, normal - least, least - normal, *_ends(operand.dtype)])
    plain = rng.choice([-3.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0], operand.shape)
    return np.where(_scattered(operand, rng), rng.choice(odd, operand.shape), plain)


def _nans(operand: Operand, rng: np.random.Generator) -> Array:
    """Like specials, with NaN in floats."""
    array = _specials(operand, rng)
    return np.where(_scattered(operand, rng), math.nan, array) if operand.floats else array


def _scattered(operand: Operand, rng: np.random.Generator) -> Array:
    """One element in six, and at least one."""
    size = math.prod(operand.shape)
    return (rng.permutation(size) < max(1, size // 6)).reshape(operand.shape)


def _ends(dtype: str) -> Array:
    """Lowest and highest values and their neighbours; for floats the smallest normal values too."""
    if dtype in ops.INTEGERS:
        low, high = ops.int_range(dtype)
        return np.array([low, low + 1, high - 1, high], np.int64)
    highest = ops.HIGHEST[dtype]
    neighbour = highest - math.ldexp(1.0, math.frexp(highest)[1] - ops.PRECISION[dtype])
    normal = SMALLEST_NORMAL[dtype]
    return np.array([highest, -highest, neighbour, -neighbour, normal, -normal])


FILLS: dict[str, Callable[[Operand, np.random.Generator], Array]] = {
    "integers": _integers,
    "negative": _negative,
    "extremes": _extremes,
    "reals": _reals,
    "specials": _specials,
    "nans": _nans,
}
