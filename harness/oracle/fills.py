"""Fills: recipes that make a case's input tensors from its seed.

    inputs(case, fill) -> {"x": data, "w": weight, "scale0": ..., "zero_point0": ...}
    parameters(case, arrays) -> those of them that the function takes: all but a constant weight

Law: equal (seed, fill, case) make equal arrays, on every machine, and no tensor is all zero. What ``integers`` and
``negative`` promise beyond that is exactness: they choose magnitudes so that no partial sum leaves the integers that
the accumulation dtype represents, where any magnitude can (the reference decides that per element anyway). Through
steps, small numbers are those that the consumer reads; ``foldproof.oracle.preimage`` says what they are before it.
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

from foldproof.case import MIRRORED_MODES, Case, dtypes
from foldproof.case.parameters import constants
from foldproof.oracle.preimage import Preimage, pad_images, preimage
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}

LARGEST = 9
"""No magnitude of the integer fills is larger: small numbers are easy to read in a counterexample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One tensor to fill. ``view`` says which values the consumer takes for 0 and for 1."""

    case: Case
    name: str
    order: str
    shape: tuple[int, ...]
    dtype: str
    preimage: Preimage
    semantics: Semantics

    @property
    def zero(self) -> Array:
        """What the consumer takes for zero: 0, or the zero points; broadcastable to the tensor."""
        return self.preimage.zero

    @property
    def is_weight(self) -> bool:
        """Whether this is the weight, which has no zero point and may be thinned out."""
        return self.name == "w"

    @property
    def floats(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype in dtypes.FLOATS

    @property
    def unsigned(self) -> bool:
        """Whether no element can lie below the center."""
        return self.dtype.startswith("u") and (self.is_weight or not (self.case.steps or self.case.producers))


def inputs(case: Case, fill: str, semantics: Semantics, *, seed: int | None = None) -> dict[str, Array]:
    """All tensors that the result of ``case`` depends on, by name. A constant weight is that of the first fill.

    ``seed`` is the case's own unless another is given.
    """
    seed = case.seed if seed is None else seed
    arrays = {}
    for operand in _operands(case, semantics):
        constant = operand.is_weight and case.constant_weight
        arrays[operand.name] = _filled(operand, case.fills[0] if constant else fill, seed)
    for place in (*case.producer_places, *case.step_places):
        if not place.step.constant:
            arrays.update({place.parameter(name): values for name, values in constants(place).items()})
    return arrays


def parameters(case: Case, arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays that the function of ``case`` takes, in the order of its parameters."""
    return {name: array for name, array in arrays.items() if name != "w" or not case.constant_weight}


def _filled(operand: Operand, fill: str, seed: int) -> Array:
    words = [seed, zlib.crc32(fill.encode()), zlib.crc32(operand.name.encode())]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    with np.errstate(all="ignore"):  # bfloat16 rounds the highest values on purpose
        array = FILLS[fill](operand, rng).astype(np.dtype(operand.dtype), order="C")
    if not array.any():  # one zero among one: a tensor of zeros shows nothing
        array.flat[rng.integers(array.size)] = 1
    return array


def _operands(case: Case, semantics: Semantics) -> list[Operand]:
    shape = tuple(case.input_dims[letter] for letter in case.pad_order)
    data = Operand(
        case=case,
        name="x",
        order=case.pad_order,
        shape=shape,
        dtype=case.dtype,
        preimage=preimage(case, semantics),
        semantics=semantics,
    )
    if not case.spec.weighted:
        return [data]
    shape = tuple(case.kernel_dims[letter] for letter in case.kernel_order)
    plain = Preimage()
    weight = Operand(
        case=case,
        name="w",
        order=case.kernel_order,
        shape=shape,
        dtype=case.kernel_dtype,
        preimage=plain,
        semantics=semantics,
    )
    return [data, weight]


# --- integers that sum exactly ------------------------------------------------------------------------


def _integers(operand: Operand, rng: np.random.Generator) -> Array:
    """Small integers around the center, one in eight of them zero."""
    signs = np.where(operand.preimage.lost != 0, -operand.preimage.lost, rng.choice([-1, 1], operand.shape))
    array = _distances(operand, rng, signs) * (rng.random(operand.shape) >= 1 / 8)
    return _sparse(operand, rng, array) if operand.is_weight else _around_zero(operand, array)


def _negative(operand: Operand, rng: np.random.Generator) -> Array:
    """All data below its center (unsigned data: just above zero), all weights non-zero, so that a border shows."""
    if operand.is_weight:
        return _distances(operand, rng, np.asarray(rng.choice([-1, 1], operand.shape)))
    if operand.unsigned:
        return rng.integers(1, min(3, _magnitudes(operand.case, operand.semantics)[0]) + 1, operand.shape)
    below = np.broadcast_to(operand.preimage.below, operand.shape)
    return _around_zero(operand, _distances(operand, rng, below))


def _distances(operand: Operand, rng: np.random.Generator, signs: Array) -> Array:
    """Distances from the center: magnitudes from 1 on, with ``signs`` where the dtype has them."""
    largest = _magnitudes(operand.case, operand.semantics)[1 if operand.is_weight else 0]
    magnitudes = rng.integers(1, largest + 1, operand.shape)
    return magnitudes if operand.unsigned else np.asarray(signs * magnitudes)


def _around_zero(operand: Operand, distance: Array) -> Array:
    """Center plus distance; a shorter distance, or one to the other side, where that leaves an integer dtype."""
    distance = operand.preimage.scaled(distance)
    if operand.floats:
        return operand.zero + distance
    low, high = np.clip(dtypes.int_range(operand.dtype), -(2**40), 2**40)  # int64's whole range is no int64
    room = np.where(distance < 0, operand.zero - low, high - operand.zero)
    other = high - low - room
    distance, room = np.where(room < 1, -distance, distance), np.maximum(np.where(room < 1, other, room), 1)
    shorter = np.sign(distance) * ((np.abs(distance) - 1) % room + 1)
    return np.asarray(np.clip(operand.zero + shorter, low, high))  # a center may lie outside the dtype altogether


def _magnitudes(case: Case, semantics: Semantics) -> tuple[int, int]:
    """Largest magnitudes of data and weight for which every partial sum fits the accumulation dtype; 1 at least.

    The pad value takes part in a sum like any element of the padded operand. Steps may enlarge what is small before it.
    """
    if case.result_dtype in dtypes.INTEGERS or case.spec.family == "max_pool":
        return LARGEST, LARGEST  # integer sums wrap, and a maximum rounds nothing
    budget = _budget(case, semantics) // _terms(case)
    border = math.ceil(_border(case, semantics))
    if not case.spec.weighted:
        return preimage(case, semantics).within(max(1, min(LARGEST, budget))), 1
    data = max(1, min(LARGEST, math.isqrt(budget)))
    if case.pads_weight:
        data = max(1, min(data, budget // max(border, 1)))
        return preimage(case, semantics).within(data), max(1, min(LARGEST, budget // data))
    return preimage(case, semantics).within(data), max(1, min(LARGEST, budget // max(data, border)))


def _budget(case: Case, semantics: Semantics) -> int:
    """Sum of |data * weight|, both counted in ones, that stays below 2**precision of the sum's lowest bit."""
    return int(
        (2 ** dtypes.PRECISION[case.result_dtype] - 1) // (_border(case, semantics).denominator * _scale_spread(case))
    )


def _terms(case: Case) -> int:
    """Terms of one sum of the consumer."""
    if not case.spec.weighted:
        return math.prod(axis.kernel for axis in case.axes)
    dims = case.weight_dims
    inputs_of_group = dims["I"] // case.groups if case.spec.transposed else dims["I"]
    return inputs_of_group * math.prod(dims[letter] for letter in case.spec.spatial)


def _border(case: Case, semantics: Semantics) -> Fraction:
    """|pad value| as it enters a sum; 0 where it is not finite, which no magnitude makes exact."""
    if case.pad.mode in MIRRORED_MODES:
        return Fraction(0)
    if case.pads_weight or not case.steps:
        with np.errstate(all="ignore"):
            kept = int(case.pad.value) if case.pad_dtype in dtypes.INTEGERS else case.pad.value
            values = [float(np.array(kept).astype(np.dtype(case.pad_dtype)))]
    elif is_dequantized(case):  # in units of the scale
        values = [float(int(case.pad.value) - zero) for zero in case.steps[0].zero_point]
    else:
        values = pad_images(case, semantics)
    return max((abs(Fraction(value)) for value in values if math.isfinite(value)), default=Fraction(0))


def is_dequantized(case: Case) -> bool:
    """Whether the chain is one dequantize: its scale is a factor of the whole sum."""
    return not case.producers and len(case.steps) == 1 and case.steps[0].kind == "dequantize"


def _scale_spread(case: Case) -> int:
    """Largest scale in units of the lowest bit of all scales: 1 for a power of two."""
    if not is_dequantized(case):
        return 1
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
    if case.result_dtype in dtypes.INTEGERS:
        return weight
    data, _ = _magnitudes(case, operand.semantics)
    fits = max(1, _budget(case, operand.semantics) // max(data, math.ceil(_border(case, operand.semantics))))
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
    small = _seen(operand, rng.integers(0 if operand.dtype.startswith("u") else -3, 4, operand.shape))
    return np.where(rng.random(operand.shape) < 1 / 4, small, rng.choice(ends, operand.shape))


def _reals(operand: Operand, rng: np.random.Generator) -> Array:
    """Floats: [0.25, 4) with either sign. Integers: the full range."""
    if operand.floats:
        magnitudes: Array = rng.uniform(0.25, 4.0, operand.shape)
        return _seen(operand, magnitudes * rng.choice([-1.0, 1.0], operand.shape))
    low, high = dtypes.int_range(operand.dtype)
    return rng.integers(low, high, operand.shape, np.int64, endpoint=True)


def _specials(operand: Operand, rng: np.random.Generator) -> Array:
    """Floats: small integers and zeros of both signs, one in six an infinity, a subnormal or an extreme."""
    if not operand.floats:
        zeros = rng.random(operand.shape) < 1 / 6
        return np.where(zeros, 0, _extremes(operand, rng))
    normal = SMALLEST_NORMAL[operand.dtype]
    least = math.ldexp(normal, 1 - dtypes.PRECISION[operand.dtype])
    odd = np.array([math.inf, -math.inf, least, -least, normal - least, least - normal, *_ends(operand.dtype)])
    plain = _seen(operand, rng.choice([-3.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0], operand.shape))
    return np.where(_scattered(operand, rng), rng.choice(odd, operand.shape), plain)


def _nans(operand: Operand, rng: np.random.Generator) -> Array:
    """Like specials, with NaN in floats."""
    array = _specials(operand, rng)
    return np.where(_scattered(operand, rng), math.nan, array) if operand.floats else array


def _seen(operand: Operand, numbers: Array) -> Array:
    """Floats that the consumer sees as ``numbers``, through the steps."""
    if operand.preimage.is_identity or not operand.floats:
        return numbers
    return np.asarray(operand.zero + operand.preimage.scaled(numbers))


def _scattered(operand: Operand, rng: np.random.Generator) -> Array:
    """One element in six, and at least one."""
    size = math.prod(operand.shape)
    return (rng.permutation(size) < max(1, size // 6)).reshape(operand.shape)


def _ends(dtype: str) -> Array:
    """Lowest and highest values and their neighbours; for floats the smallest normal values too."""
    if dtype in dtypes.INTEGERS:
        low, high = dtypes.int_range(dtype)
        return np.array([low, low + 1, high - 1, high], np.int64)
    highest = dtypes.HIGHEST[dtype]
    neighbour = highest - math.ldexp(1.0, math.frexp(highest)[1] - dtypes.PRECISION[dtype])
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
