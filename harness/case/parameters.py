"""The parameters of a step (scales, zero points, operands) as arrays."""

from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case.case import Place
from foldproof.case.step import BINARY, QUANTIZING

Parameters = dict[str, npt.NDArray[Any]]


def constants(place: Place) -> Parameters:
    """Return the parameters of a step by name, with the shapes that they have in a graph.

    A single element is a scalar, of shape (). Several elements of quantize and dequantize have one axis; those of the
    other kinds broadcast to the tensor that the step reads.
    """
    step, arrays = place.step, {}
    after = len(place.layout) - place.layout.index(step.axis) - 1 if step.kind in BINARY and step.follows_axis else 0
    for name, values in step.parameters.items():
        shape = () if len(values) == 1 else (len(values), *([1] * after))
        with np.errstate(all="ignore"):
            arrays[name] = np.array(values).astype(np.dtype(step.parameter_dtype(name, place.dtype))).reshape(shape)
    return arrays


def broadcast(place: Place, parameters: Parameters) -> Parameters:
    """Return the parameters with shapes that broadcast to the tensor that the step reads."""
    step = place.step
    if step.kind not in QUANTIZING:
        return parameters
    shape = [-1 if letter == step.axis else 1 for letter in place.layout]
    return {name: values if values.size == 1 else values.reshape(shape) for name, values in parameters.items()}
