"""Fills: recipes that make the input tensors of a case from its seed.

    inputs(case, fill, semantics) -> {"x": data, "w": weight, "scale0": ..., "zero_point0": ...}
    parameters(case, arrays) -> the arrays that the function takes: all but a constant weight

Invariant: equal (seed, fill, case) give equal arrays on every machine, and no tensor is all zero. The sums of
``integers`` and ``negative`` are exact as well, where magnitudes can achieve that (``foldproof.oracle.magnitudes``).
Numbers are small where the consumer reads them; ``foldproof.oracle.preimage`` converts them to values of x.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Case, dtypes
from foldproof.case.parameters import constants
from foldproof.oracle.magnitudes import border_magnitude, count_terms, largest_magnitudes, sum_budget
from foldproof.oracle.preimage import Preimage, preimage
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One tensor to fill.

    Args:
        case: the case.
        name: ``x`` or ``w``.
        order: its layout, as letters.
        shape: its lengths, in that order.
        dtype: its dtype.
        preimage: which of its values the consumer reads as 0 and as 1.
        semantics: the choices of the IR.
    """

    case: Case
    name: str
    order: str
    shape: tuple[int, ...]
    dtype: str
    preimage: Preimage
    semantics: Semantics

    @property
    def zero(self) -> Array:
        """The values that the consumer reads as 0: 0 or the zero points, broadcastable to the tensor."""
        return self.preimage.zero

    @property
    def is_weight(self) -> bool:
        """Whether this is the weight, which has no zero point and may become sparse."""
        return self.name == "w"

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype in dtypes.FLOATS

    @property
    def is_unsigned(self) -> bool:
        """Whether no element can lie below zero."""
        return self.dtype.startswith("u") and (self.is_weight or not (self.case.steps or self.case.producers))


def inputs(case: Case, fill: str, semantics: Semantics, *, seed: int | None = None) -> dict[str, Array]:
    """Return all tensors that the result of a case depends on.

    Args:
        case: the case.
        fill: the name of a recipe, one of ``foldproof.case.ops.FILLS``.
        semantics: the choices of the IR.
        seed: the seed; None is the seed of the case.

    Returns:
        Arrays by name, in the order of the function's parameters: the data ``x``, the weight ``w``, and the parameters
        of steps that are not constant. A constant weight is that of the first fill.
    """
    seed = case.seed if seed is None else seed
    arrays = {}
    for operand in _operands(case, semantics):
        constant = operand.is_weight and case.constant_weight
        arrays[operand.name] = _fill(operand, case.fills[0] if constant else fill, seed)
    for place in (*case.producer_places, *case.step_places):
        if not place.step.constant:
            arrays.update({place.parameter(name): values for name, values in constants(place).items()})
    return arrays


def parameters(case: Case, arrays: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays that the function of ``case`` takes, in the order of its parameters."""
    return {name: array for name, array in arrays.items() if name != "w" or not case.constant_weight}


def _fill(operand: Operand, fill: str, seed: int) -> Array:
    words = [seed, zlib.crc32(fill.encode()), zlib.crc32(operand.name.encode())]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    with np.errstate(all="ignore"):  # bfloat16 rounds the highest values on purpose
        array = FILLS[fill](operand, rng).astype(np.dtype(operand.dtype), order="C")
    if not array.any():  # a tensor of zeros shows nothing
        array.flat[rng.integers(array.size)] = 1
    return array


def _operands(case: Case, semantics: Semantics) -> list[Operand]:
    shape = tuple(case.input_dims[letter] for letter in case.input_layout)
    data = Operand(
        case=case,
        name="x",
        order=case.input_layout,
        shape=shape,
        dtype=case.dtype,
        preimage=preimage(case, semantics),
        semantics=semantics,
    )
    if not case.spec.weighted:
        return [data]
    shape = tuple(case.kernel_dims[letter] for letter in case.weight_layout)
    weight = Operand(
        case=case,
        name="w",
        order=case.weight_layout,
        shape=shape,
        dtype=case.kernel_dtype,
        preimage=Preimage(),
        semantics=semantics,
    )
    return [data, weight]


# --- integers that sum exactly ------------------------------------------------------------------------


def _integers(operand: Operand, rng: np.random.Generator) -> Array:
    """Make small integers around zero, one in eight of them zero."""
    signs = np.where(operand.preimage.lost != 0, -operand.preimage.lost, rng.choice([-1, 1], operand.shape))
    array = _draw_units(operand, rng, signs) * (rng.random(operand.shape) >= 1 / 8)
    return _make_sparse(operand, rng, array) if operand.is_weight else _to_values(operand, array)


def _negative(operand: Operand, rng: np.random.Generator) -> Array:
    """Make data below zero (unsigned data: just above it) and weights that are not zero, so that a border shows."""
    if operand.is_weight:
        return _draw_units(operand, rng, np.asarray(rng.choice([-1, 1], operand.shape)))
    if operand.is_unsigned:
        return rng.integers(1, min(3, largest_magnitudes(operand.case, operand.semantics)[0]) + 1, operand.shape)
    below = np.broadcast_to(operand.preimage.below, operand.shape)
    return _to_values(operand, _draw_units(operand, rng, below))


def _draw_units(operand: Operand, rng: np.random.Generator, signs: Array) -> Array:
    """Draw distances from zero in units: magnitudes of 1 and more, with ``signs`` where the dtype has them."""
    largest = largest_magnitudes(operand.case, operand.semantics)[1 if operand.is_weight else 0]
    magnitudes = rng.integers(1, largest + 1, operand.shape)
    return magnitudes if operand.is_unsigned else np.asarray(signs * magnitudes)


def _to_values(operand: Operand, units: Array) -> Array:
    """Return the values at these distances from zero.

    Where that leaves an integer dtype, the distance becomes shorter, or goes to the other side.
    """
    distance = operand.preimage.to_distance(units)
    if operand.is_float:
        return operand.zero + distance
    low, high = np.clip(
        dtypes.int_range(operand.dtype), -(2**40), 2**40
    )  # the width of int64's range does not fit int64
    room = np.where(distance < 0, operand.zero - low, high - operand.zero)
    other = high - low - room
    distance, room = np.where(room < 1, -distance, distance), np.maximum(np.where(room < 1, other, room), 1)
    shorter = np.sign(distance) * ((np.abs(distance) - 1) % room + 1)
    return np.asarray(np.clip(operand.zero + shorter, low, high))  # zero itself may lie outside the dtype


def _make_sparse(operand: Operand, rng: np.random.Generator, weight: Array) -> Array:
    """Set weights of a filter to zero where even ones would leave the exact range, if more than half can stay."""
    case = operand.case
    if case.result_dtype in dtypes.INTEGERS:
        return weight
    data, _ = largest_magnitudes(case, operand.semantics)
    border = math.ceil(border_magnitude(case, operand.semantics))
    fits = max(1, sum_budget(case, operand.semantics) // max(data, border))
    if not fits < count_terms(case) <= 2 * fits:  # few weights would hide more than a rounded sum does
        return weight
    filters = np.moveaxis(weight, operand.order.index("O"), 0)
    flat = filters.reshape(len(filters), -1)
    rank = rng.random(flat.shape).argsort(-1).argsort(-1)
    sparse = np.where(rank < fits, flat, 0).reshape(filters.shape)
    return np.moveaxis(sparse, 0, operand.order.index("O"))


# --- everything else ----------------------------------------------------------------------------------


def _extremes(operand: Operand, rng: np.random.Generator) -> Array:
    """Make ends of the dtype and their neighbours, and one small value in four."""
    ends = _ends(operand.dtype)
    small = _to_float_values(operand, rng.integers(0 if operand.dtype.startswith("u") else -3, 4, operand.shape))
    return np.where(rng.random(operand.shape) < 1 / 4, small, rng.choice(ends, operand.shape))


def _reals(operand: Operand, rng: np.random.Generator) -> Array:
    """Make floats in [0.25, 4) of either sign, or integers of the full range."""
    if operand.is_float:
        magnitudes: Array = rng.uniform(0.25, 4.0, operand.shape)
        return _to_float_values(operand, magnitudes * rng.choice([-1.0, 1.0], operand.shape))
    low, high = dtypes.int_range(operand.dtype)
    return rng.integers(low, high, operand.shape, np.int64, endpoint=True)


def _specials(operand: Operand, rng: np.random.Generator) -> Array:
    """Make small integers and zeros of both signs, and in floats one infinity, subnormal or extreme in six."""
    if not operand.is_float:
        zeros = rng.random(operand.shape) < 1 / 6
        return np.where(zeros, 0, _extremes(operand, rng))
    normal = SMALLEST_NORMAL[operand.dtype]
    least = math.ldexp(normal, 1 - dtypes.PRECISION[operand.dtype])
    special = np.array([math.inf, -math.inf, least, -least, normal - least, least - normal, *_ends(operand.dtype)])
    small = _to_float_values(operand, rng.choice([-3.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0], operand.shape))
    return np.where(_scatter(operand, rng), rng.choice(special, operand.shape), small)


def _nans(operand: Operand, rng: np.random.Generator) -> Array:
    """Make the same as ``specials``, with NaN in floats."""
    array = _specials(operand, rng)
    return np.where(_scatter(operand, rng), math.nan, array) if operand.is_float else array


def _to_float_values(operand: Operand, numbers: Array) -> Array:
    """Return floats that the consumer reads as ``numbers``, through the steps; integers as they are."""
    if operand.preimage.is_identity or not operand.is_float:
        return numbers
    return np.asarray(operand.zero + operand.preimage.to_distance(numbers))


def _scatter(operand: Operand, rng: np.random.Generator) -> Array:
    """Choose one element in six, and at least one."""
    size = math.prod(operand.shape)
    return (rng.permutation(size) < max(1, size // 6)).reshape(operand.shape)


def _ends(dtype: str) -> Array:
    """Return the lowest and highest values and their neighbours; for floats the smallest normal values too."""
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
