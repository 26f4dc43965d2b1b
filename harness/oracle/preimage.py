"""Preimage: which values of x the consumer reads as 0 and as 1, through the steps of a case.

    x = zero + unit * k   --producers, steps-->   about k

A fill needs small numbers where the consumer reads them, since that is where a border shows. Integers times 128 are all
clipped to 127, and negative data is lost in a relu. So the steps are inverted one by one, last first. Then the steps
are applied to a few units on either side of zero, to see what becomes of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, Place, dtypes
from foldproof.case.parameters import Parameters
from foldproof.case.step import BINARY, COMPOSED
from foldproof.oracle.borders import flat_parameters
from foldproof.oracle.elementwise import Tensor, apply, exact_tensor
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

_ROUNDING = ("round", "floor", "ceil", "trunc", "sign", "astype")


def _zero() -> Array:
    return np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preimage:
    """The values of x that the consumer reads as 0 and as 1.

    Args:
        zero: the value of x that is read as 0, broadcastable to x.
        unit: the distance from ``zero`` that is read as 1, broadcastable to x; None means 1.
        below: the side of ``zero``, -1 or 1, that is read as negative, or else as nonzero.
        lost: the sign of the distances from ``zero`` that cannot be read at all (NaN after a square root), or 0.
        reach: the largest magnitude that is read of 1, 2, ... units; empty if nothing scales.
    """

    zero: Array = field(default_factory=_zero)
    unit: Array | None = None
    below: Array = field(default_factory=lambda: np.full(1, -1))
    lost: Array = field(default_factory=_zero)
    reach: tuple[float, ...] = ()

    @property
    def is_identity(self) -> bool:
        """Whether the consumer reads numbers as they are in x."""
        return self.unit is None and not self.zero.any()

    def to_distance(self, units: Array) -> Array:
        """Convert a number of units to a distance from ``zero`` in x."""
        return units if self.unit is None else np.asarray(units * self.unit)

    def most_units(self, limit: int) -> int:
        """Return the most units, from 1 to ``limit``, that the consumer reads as a magnitude of at most ``limit``."""
        fitting = [units for units, magnitude in enumerate(self.reach[:limit], start=1) if magnitude <= limit]
        return max(fitting, default=1) if self.reach else limit


def preimage(case: Case, semantics: Semantics) -> Preimage:
    """Return which values of x the consumer of ``case`` reads as 0 and as 1."""
    return compute_preimage(case, semantics) if case.producers or case.steps else Preimage()


@lru_cache(maxsize=64)
def compute_preimage(case: Case, semantics: Semantics) -> Preimage:
    """Compute the preimage of a case with producers or steps."""
    places = [(place, _align_parameters(case, place)) for place in (*case.producer_places, *case.step_places)]
    computing = [(place, parameters) for place, parameters in places if place.step.kind in _BACKWARDS]
    if not computing:
        return Preimage()
    zero, unit = np.zeros(1), np.ones(1)
    scales = False
    for place, parameters in reversed(computing):
        zero, unit = _BACKWARDS[place.step.kind](place, parameters, zero, unit)
        if place.dtype in dtypes.INTEGERS:
            # The scale of a dequantize right before the consumer is a factor of everything that the consumer reads.
            zero, unit = np.rint(zero), np.maximum(np.rint(unit), 1) if scales else np.ones(1)
        scales = scales or place.step.kind != "dequantize"
    if not scales:
        return Preimage(zero=_to_integers(zero))
    return _measure(case, semantics, computing, zero, unit)


def _align_parameters(case: Case, place: Place) -> Parameters:
    """Return the parameters of a step for the elements of x, which is before all pads: broadcastable to x."""
    step, order = place.step, case.input_layout
    shape = [-1 if letter == step.axis else 1 for letter in order]
    aligned = {}
    for name, values in flat_parameters(place).items():
        if len(values) > 1:
            before = _count_before(case, place)
            length = case.input_dims[step.axis] if step.axis in order else 1
            stride = case.input_stride if step.axis in case.spec.spatial else 1
            values = values[np.clip(np.arange(length) // stride + before, 0, len(values) - 1)]
            values = values.reshape(shape if step.axis in order else [1] * len(order))
        aligned[name] = values
    return aligned


def _count_before(case: Case, place: Place) -> int:
    """Return how many elements the pads before a step add before those of x, along the axis that the step follows."""
    if place.group == "producers" or case.pads_weight:
        return 0
    nested = [widths for step in case.steps[: place.index] for widths in step.widths]
    first = case.pad_widths.get(place.step.axis, (0, 0))[0]
    return first + sum(before for letter, before, _ in nested if letter == place.step.axis)


# --- backwards: zero and unit before a step, from those after it ---------------------------------------

Pair = tuple[Array, Array]


def _keep(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return zero, unit


def _invert_quantize(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    scale = parameters["scale"].astype(np.float64)
    return (zero - parameters["zero_point"]) * scale, unit * np.abs(scale)


def _invert_dequantize(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    scale = _nonzero(parameters["scale"].astype(np.float64))
    return zero / scale + parameters["zero_point"], np.abs(unit / scale)


def _clip(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.clip(zero, place.step.low, place.step.high), unit


def _invert_square(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.sqrt(np.maximum(zero, 0)), unit


def _invert_sqrt(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.square(zero), unit


def _clip_at_zero(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.maximum(zero, 0), unit


def _negate(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return -zero, unit


def _invert_binary(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    """Invert a binary op with its operand; return the pair unchanged where that is impossible."""
    kind, swapped = place.step.kind, place.step.swapped
    operand = parameters["operand"].astype(np.float64)
    operand = np.where(np.isfinite(operand), operand, 0)
    if kind == "add":
        return zero - operand, unit
    if kind == "subtract":
        return operand - zero if swapped else zero + operand, unit
    if kind in ("maximum", "minimum"):
        return np.maximum(zero, operand) if kind == "maximum" else np.minimum(zero, operand), unit
    operand = _nonzero(operand)
    if kind == "multiply":
        return zero / operand, np.abs(unit / operand)
    if swapped:  # the consumer reads reciprocals of small integers
        return zero, unit
    return zero * operand, np.abs(unit * operand)


def _nonzero(values: Array) -> Array:
    return np.where(values == 0, 1, values)


_BACKWARDS: dict[str, Callable[[Place, Parameters, Array, Array], Pair]] = {
    **dict.fromkeys(("relu", "abs"), _clip_at_zero),
    **dict.fromkeys((*_ROUNDING, *COMPOSED, "leakyrelu"), _keep),
    **dict.fromkeys(BINARY, _invert_binary),
    "quantize": _invert_quantize,
    "dequantize": _invert_dequantize,
    "clip": _clip,
    "square": _invert_square,
    "sqrt": _invert_sqrt,
    "negative": _negate,
}
"""For each elementwise kind: (place, parameters, zero and unit after it) -> zero and unit before it."""


# --- forwards -----------------------------------------------------------------------------------------

_MOST_UNITS = 9


def _measure(
    case: Case, semantics: Semantics, computing: list[tuple[Place, Parameters]], zero: Array, unit: Array
) -> Preimage:
    """Return the preimage with what the steps really make of some units on either side of zero."""
    dtype = np.dtype(case.dtype)
    if case.dtype in dtypes.INTEGERS:
        zero, unit = _to_integers(zero), _to_integers(unit)

    units = np.arange(-_MOST_UNITS, _MOST_UNITS + 1).reshape(-1, *[1] * len(case.input_layout))
    with np.errstate(all="ignore"):
        tensor = exact_tensor(np.asarray(zero + units * unit).astype(dtype))
    for place, parameters in computing:
        tensor = _apply_broadcast(place, tensor, parameters, semantics)
    images = np.where(tensor.unspecified, math.nan, tensor.value.astype(np.float64))
    low, high = images[_MOST_UNITS - 2], images[_MOST_UNITS + 2]
    bad_low, bad_high = ~np.isfinite(low), ~np.isfinite(high)
    lost = np.where(bad_low & ~bad_high, -1, np.where(bad_high & ~bad_low, 1, 0))
    reads_above_as_below = (low >= 0) & ((high < 0) | (low == 0)) | bad_low
    both = [np.abs([images[_MOST_UNITS - n], images[_MOST_UNITS + n]]) for n in range(1, _MOST_UNITS + 1)]
    reach = tuple(float(np.max(sides[np.isfinite(sides)], initial=0)) for sides in both)
    return Preimage(zero=zero, unit=unit, below=np.where(reads_above_as_below, 1, -1), lost=lost, reach=reach)


def _apply_broadcast(place: Place, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """Broadcast a tensor to the parameters of a step, and apply the step."""
    shapes = [values.shape for values in parameters.values()]
    if shapes:
        shape = np.broadcast_shapes(tensor.value.shape, *shapes)
        tensor = tensor.map_parts(lambda part: np.array(np.broadcast_to(part, shape)))
    return apply(place.step, tensor, parameters, semantics)


def _to_integers(values: Array) -> Array:
    """Round to integers, within the range in which float64 has all of them."""
    return np.clip(np.rint(values), -(2.0**53), 2.0**53).astype(np.int64)
