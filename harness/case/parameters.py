"""The parameters of a step as arrays: scales, zero points and operands, as a graph holds them and as they broadcast."""

from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case.case import Place
from foldproof.case.step import BINARY, QUANTIZING

Parameters = dict[str, npt.NDArray[Any]]


def constants(place: Place) -> Parameters:
    """The step's parameters as the graph has them: one element is a scalar, and several follow an axis.

    Those of quantize and dequantize have one axis; the others broadcast to what the step reads.
    """
    step, found = place.step, {}
    after = len(place.order) - place.order.index(step.axis) - 1 if step.kind in BINARY and step.follows_axis else 0
    for name, values in step.parameters.items():
        shape = () if len(values) == 1 else (len(values), *([1] * after))
        with np.errstate(all="ignore"):
            found[name] = np.array(values).astype(np.dtype(step.parameter_dtype(name, place.dtype))).reshape(shape)
    return found


def broadcast(place: Place, parameters: Parameters) -> Parameters:
    """The parameters with the shapes that ``apply`` wants."""
    step = place.step
    if step.kind not in QUANTIZING:
        return parameters
    shape = [-1 if letter == step.axis else 1 for letter in place.order]
    return {name: values if values.size == 1 else values.reshape(shape) for name, values in parameters.items()}
