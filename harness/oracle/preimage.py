"""View: what the consumer sees of the data, through the steps of a case.

    x = center + unit * k   --front, steps-->   about k

A fill wants small numbers where the consumer reads them, since that is where a border shows: integers times 128 are
all cut by a clip to 127, and negative data is nothing after a relu. So the steps are walked backwards, and what they
make of a few numbers is tried out.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from foldproof.case import Case, Place, dtypes
from foldproof.case.parameters import Parameters, constants
from foldproof.case.step import BINARY
from foldproof.oracle.elementwise import Tensor, apply, known
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]

_ROUNDING = ("round", "floor", "ceil", "trunc", "sign", "astype")


def _zero() -> Array:
    return np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preimage:
    """``center`` and ``unit`` in the dtype of x, broadcastable to it: what the consumer takes for 0 and for 1.

    ``below`` is the sign of the distance from the center that the consumer sees as negative, or at least as something
    else than zero; ``lost`` that which it cannot use at all (NaN after a square root), or 0. ``reach`` is the largest
    magnitude that it sees of 1, 2, ... units.
    """

    zero: Array = field(default_factory=_zero)
    unit: Array | None = None
    below: Array = field(default_factory=lambda: np.full(1, -1))
    lost: Array = field(default_factory=_zero)
    reach: tuple[float, ...] = ()

    @property
    def is_identity(self) -> bool:
        """Whether the consumer sees numbers as they are."""
        return self.unit is None and not self.zero.any()

    def scaled(self, distance: Array) -> Array:
        """A distance from the center, counted in units, in that of x."""
        return distance if self.unit is None else np.asarray(distance * self.unit)

    def within(self, most: int) -> int:
        """The most units, up to ``most``, that the consumer sees as no more than ``most``; 1 at least."""
        fitting = [units for units, seen in enumerate(self.reach[:most], start=1) if seen <= most]
        return max(fitting, default=1) if self.reach else most


def preimage(case: Case, semantics: Semantics) -> Preimage:
    """The view of the consumer on the data of ``case``."""
    return compute_preimage(case, semantics) if case.producers or case.steps else Preimage()


@lru_cache(maxsize=64)
def compute_preimage(case: Case, semantics: Semantics) -> Preimage:
    """``view`` of a case with steps."""
    places = [(place, _aligned(case, place)) for place in (*case.producer_places, *case.step_places)]
    computing = [(place, parameters) for place, parameters in places if place.step.kind in _BACKWARDS]
    if not computing:
        return Preimage()
    zero, unit = np.zeros(1), np.ones(1)
    scales = False
    for place, parameters in reversed(computing):
        zero, unit = _BACKWARDS[place.step.kind](place, parameters, zero, unit)
        if place.dtype in dtypes.INTEGERS:
            # The scale of a dequantize before the consumer is a factor of everything that it sees.
            zero, unit = np.rint(zero), np.maximum(np.rint(unit), 1) if scales else np.ones(1)
        scales = scales or place.step.kind != "dequantize"
    if not scales:
        return Preimage(zero=_whole(zero))
    return _tried(case, semantics, computing, zero, unit)


def pad_images(case: Case, semantics: Semantics) -> list[float]:
    """What the consumer sees of the values of the pads of the data, for every element of their parameters."""
    seen = [image for start, places in _borders(case) for image in _followed(start, places, semantics)[-1]]
    return [float(image) for image in seen]


def border_trace(case: Case, semantics: Semantics) -> Iterator[tuple[Place, Parameters, Array, Array]]:
    """Each computing step that a border's value goes through: what it reads of it and what it makes of that.

    Both have an element for each element of the step's parameters, which are flat.
    """
    for start, places in _borders(case):
        values = _followed(start, places, semantics)
        for place, read, made in zip(places, values[:-1], values[1:], strict=True):
            yield place, _flat(place), read, made


def _borders(case: Case) -> Iterator[tuple[Array, tuple[Place, ...]]]:
    """The value of each pad of the data, as its tensor holds it, with the computing steps after it."""
    pads = [(case.pad.value, case.pad_dtype, -1)]
    pads += [(place.step.value, place.dtype, place.index) for place in case.step_places if place.step.kind == "pad"]
    for value, dtype, index in pads:
        with np.errstate(all="ignore"):
            start = np.array(int(value) if dtype in dtypes.INTEGERS else value).astype(np.dtype(dtype))
        after = (place for place in case.step_places[index + 1 :] if place.step.kind in _BACKWARDS)
        yield start, tuple(after)


def _followed(start: Array, places: tuple[Place, ...], semantics: Semantics) -> list[Array]:
    """A value before the steps and after each, for every element of their parameters."""
    most = max([1, *(len(values) for place in places for values in _flat(place).values())])
    tensor = known(np.full(most, start))
    found = [tensor.value]
    for place in places:
        cycled = {n: np.resize(values, most) if values.size > 1 else values for n, values in _flat(place).items()}
        tensor = apply(place.step, tensor, cycled, semantics)
        found.append(tensor.value)
    return found


def _flat(place: Place) -> Parameters:
    return {name: values.reshape(-1) for name, values in constants(place).items()}


def _aligned(case: Case, place: Place) -> Parameters:
    """The parameters of a step as they stand to x, before all pads: broadcastable to it."""
    step, order = place.step, case.pad_order
    shape = [-1 if letter == step.axis else 1 for letter in order]
    found = {}
    for name, values in _flat(place).items():
        if len(values) > 1:
            before = _added_before(case, place)
            length = case.data_dims[step.axis] if step.axis in order else 1
            values = values[np.clip(np.arange(length) + before, 0, len(values) - 1)]
            values = values.reshape(shape if step.axis in order else [1] * len(order))
        found[name] = values
    return found


def _added_before(case: Case, place: Place) -> int:
    """Elements that the pads before a step add before those of x, along the axis that the step follows."""
    if place.group == "producers" or case.pads_weight:
        return 0
    nested = [widths for step in case.steps[: place.index] for widths in step.widths]
    first = case.pad_widths.get(place.step.axis, (0, 0))[0]
    return first + sum(before for letter, before, _ in nested if letter == place.step.axis)


# --- backwards ----------------------------------------------------------------------------------------

Pair = tuple[Array, Array]


def _kept(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return zero, unit


def _quantized(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    scale = parameters["scale"].astype(np.float64)
    return (zero - parameters["zero_point"]) * scale, unit * np.abs(scale)


def _dequantized(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    scale = _nonzero(parameters["scale"].astype(np.float64))
    return zero / scale + parameters["zero_point"], np.abs(unit / scale)


def _clipped(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.clip(zero, place.step.low, place.step.high), unit


def _rooted(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.sqrt(np.maximum(zero, 0)), unit


def _squared(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.square(zero), unit


def _positive(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return np.maximum(zero, 0), unit


def _negated(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    return -zero, unit


def _undone(place: Place, parameters: Parameters, zero: Array, unit: Array) -> Pair:
    """The operand of a binary op taken away again; where it cannot be, as it is."""
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
    if swapped:  # the reciprocals of small integers
        return zero, unit
    return zero * operand, np.abs(unit * operand)


def _nonzero(values: Array) -> Array:
    return np.where(values == 0, 1, values)


_BACKWARDS: dict[str, Callable[[Place, Parameters, Array, Array], Pair]] = {
    **dict.fromkeys(("relu", "abs"), _positive),
    **dict.fromkeys((*_ROUNDING, "leakyrelu"), _kept),
    **dict.fromkeys(BINARY, _undone),
    "quantize": _quantized,
    "dequantize": _dequantized,
    "clip": _clipped,
    "square": _rooted,
    "sqrt": _squared,
    "negative": _negated,
}
"""For each kind that computes: center and unit before it, from those after."""


# --- forwards -----------------------------------------------------------------------------------------

_MOST_UNITS = 9


def _tried(
    case: Case, semantics: Semantics, computing: list[tuple[Place, Parameters]], zero: Array, unit: Array
) -> Preimage:
    """The view with what the steps really make of some units to either side."""
    dtype = np.dtype(case.dtype)
    if case.dtype in dtypes.INTEGERS:
        zero, unit = _whole(zero), _whole(unit)

    units = np.arange(-_MOST_UNITS, _MOST_UNITS + 1).reshape(-1, *[1] * len(case.pad_order))
    with np.errstate(all="ignore"):
        tensor = known(np.asarray(zero + units * unit).astype(dtype))
    for place, parameters in computing:
        tensor = _apply(place, tensor, parameters, semantics)
    seen = np.where(tensor.unspecified, math.nan, tensor.value.astype(np.float64))
    low, high = seen[_MOST_UNITS - 2], seen[_MOST_UNITS + 2]
    bad_low, bad_high = ~np.isfinite(low), ~np.isfinite(high)
    lost = np.where(bad_low & ~bad_high, -1, np.where(bad_high & ~bad_low, 1, 0))
    upwards = (low >= 0) & ((high < 0) | (low == 0)) | bad_low
    both = [np.abs([seen[_MOST_UNITS - n], seen[_MOST_UNITS + n]]) for n in range(1, _MOST_UNITS + 1)]
    reach = tuple(float(np.max(found[np.isfinite(found)], initial=0)) for found in both)
    return Preimage(zero=zero, unit=unit, below=np.where(upwards, 1, -1), lost=lost, reach=reach)


def _apply(place: Place, tensor: Tensor, parameters: Parameters, semantics: Semantics) -> Tensor:
    """``apply`` for tensors that have yet to be broadcast to the parameters."""
    shapes = [values.shape for values in parameters.values()]
    if shapes:
        shape = np.broadcast_shapes(tensor.value.shape, *shapes)
        tensor = tensor.each(lambda part: np.array(np.broadcast_to(part, shape)))
    return apply(place.step, tensor, parameters, semantics)


def _whole(values: Array) -> Array:
    return np.clip(np.rint(values), -(2.0**53), 2.0**53).astype(np.int64)
