"""Borders: what the steps of a case make of the values of its pads.

pad value --step--> value --step--> ... --> what the consumer reads in the border
"""

from collections.abc import Iterator

import numpy as np

from foldproof.case import Case, Place
from foldproof.case.parameters import Parameters, constants
from foldproof.case.step import ELEMENTWISE
from foldproof.oracle.elementwise import Array, apply, exact_tensor
from foldproof.oracle.pads import pad_scalar
from foldproof.oracle.semantics import Semantics


def border_images(case: Case, semantics: Semantics) -> list[float]:
    """Return what the consumer reads of the value of each pad of the data, for every element of the parameters."""
    images = [image for value, places in _borders(case) for image in _apply_steps(value, places, semantics)[-1]]
    return [float(image) for image in images]


def trace_borders(case: Case, semantics: Semantics) -> Iterator[tuple[Place, Parameters, Array, Array]]:
    """Follow the value of each pad of the data through the elementwise steps after it.

    Yields:
        The step, its parameters as flat arrays, what it reads of the value, and what it returns. The last two have one
        element for each element of the longest parameter on the way.
    """
    for value, places in _borders(case):
        values = _apply_steps(value, places, semantics)
        for place, before, after in zip(places, values[:-1], values[1:], strict=True):
            yield place, flat_parameters(place), before, after


def flat_parameters(place: Place) -> Parameters:
    """Return the parameters of a step as arrays of one axis."""
    return {name: values.reshape(-1) for name, values in constants(place).items()}


def _borders(case: Case) -> Iterator[tuple[Array, tuple[Place, ...]]]:
    """Yield the value of each pad of the data, in the dtype of its tensor, and the elementwise steps after the pad."""
    pads = [(case.pad.value, case.pad_dtype, -1)]
    pads += [(place.step.value, place.dtype, place.index) for place in case.step_places if place.step.kind == "pad"]
    for value, dtype, index in pads:
        after = (place for place in case.step_places[index + 1 :] if place.step.kind in ELEMENTWISE)
        yield pad_scalar(value, dtype), tuple(after)


def _apply_steps(value: Array, places: tuple[Place, ...], semantics: Semantics) -> list[Array]:
    """Return a value before the steps and after each of them, for every element of their parameters."""
    most = max([1, *(len(values) for place in places for values in flat_parameters(place).values())])
    tensor = exact_tensor(np.full(most, value))
    images = [tensor.value]
    for place in places:
        flat = flat_parameters(place)
        cycled = {name: np.resize(values, most) if values.size > 1 else values for name, values in flat.items()}
        tensor = apply(place.step, tensor, cycled, semantics)
        images.append(tensor.value)
    return images
