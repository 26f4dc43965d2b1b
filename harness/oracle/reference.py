"""The NumPy meaning of a case: what the unfolded graph computes, and how far a right answer may be from it.

    reference(case, arrays, semantics) -> value, bound, defined

Invariant: |got - value| <= bound wherever defined, for every right answer (``error_bounds``). Attributes belong to
letters: stride, dilation and padding of H are those of H in every layout.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import numpy.typing as npt

from foldproof.case import Case, Place, ops
from foldproof.case.parameters import broadcast, constants
from foldproof.oracle.convolutions import conv, conv_transpose
from foldproof.oracle.elementwise import OVERFLOW, Tensor, apply, exact_tensor
from foldproof.oracle.error_bounds import Reference, from_tensor
from foldproof.oracle.pads import apply_pad, pad_scalar
from foldproof.oracle.pools import avg_pool, max_pool
from foldproof.oracle.semantics import Semantics

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def reference(case: Case, arrays: Arrays, semantics: Semantics) -> Reference:
    """Return the consumer's result.

    Args:
        case: the case.
        arrays: its input tensors by name, as ``foldproof.oracle.fills.inputs`` returns them.
        semantics: the choices of the IR.

    Returns:
        The result in the dtype and layout of the consumer, with its error bound.
    """
    return _consume(case, evaluate_steps(case, arrays, semantics)[-1], _weight(case, arrays, semantics), semantics)


def result_of(case: Case, operand: Tensor, arrays: Arrays, semantics: Semantics) -> Reference:
    """Return the consumer's result for another data operand than that of the case.

    Args:
        case: the case, whose data is padded.
        operand: the data operand, in the layout of the consumer.
        arrays: the input tensors of the case by name.
        semantics: the choices of the IR.
    """
    return _consume(case, operand, arrays.get("w"), semantics)


def outputs(case: Case, arrays: Arrays, semantics: Semantics) -> tuple[Reference, ...]:
    """Return everything that the function returns.

    Args:
        case: the case.
        arrays: its input tensors by name, as ``foldproof.oracle.fills.inputs`` returns them.
        semantics: the choices of the IR.

    Returns:
        The consumer's result, then one tensor for each of ``case.extra_outputs``, in its dtype and layout.
    """
    tensors, weight = evaluate_steps(case, arrays, semantics), _weight(case, arrays, semantics)
    padded = tensors[0] if weight is None or not case.pads_weight else exact_tensor(weight)
    with np.errstate(all="ignore"):
        doubled = replace(padded, value=padded.value + padded.value)
    if not semantics.specifies_roundings and padded.value.dtype.name in semantics.unspecified_overflow:
        wraps = doubled.value.astype(np.int64) != 2 * padded.value.astype(np.int64)
        doubled = doubled.mark_unspecified(np.asarray(wraps), OVERFLOW)
    extra_outputs = {"returned": padded, "read": doubled, "step": tensors[1] if case.steps else padded}
    return (
        _consume(case, tensors[-1], weight, semantics),
        *(from_tensor(extra_outputs[name]) for name in case.extra_outputs),
    )


def _consume(case: Case, operand: Tensor, weight: Array | None, semantics: Semantics) -> Reference:
    standard = operand.map_parts(lambda part: _relayout(part, case.operand_layout, case.spec.data_layout))
    if weight is not None:
        weight = _relayout(weight, case.weight_layout, case.spec.kernel_layout)
    with np.errstate(all="ignore"):  # overflow, inf - inf and wrapping are part of the meaning
        result = _FAMILIES[case.spec.family](case, standard, weight, semantics)

    def restore_layout(part: Array) -> Array:
        return np.ascontiguousarray(_relayout(part, case.spec.data_layout, case.operand_layout))

    return Reference(
        value=restore_layout(result.value),
        bound=restore_layout(result.bound),
        defined=restore_layout(result.defined),
        unspecified=None if result.unspecified is None else restore_layout(result.unspecified),
        reasons=result.reasons,
    )


def _weight(case: Case, arrays: Arrays, semantics: Semantics) -> Array | None:
    return evaluate_pad(case, arrays, semantics) if case.pads_weight else arrays.get("w")


def _relayout(array: Array, layout: str, wanted: str) -> Array:
    """Convert one layout to another: move axes, insert and remove unit axes."""
    common = [letter for letter in layout if letter in wanted]
    lengths = dict(zip(layout, array.shape, strict=True))
    order = [common.index(letter) for letter in wanted if letter in common]
    moved = array.reshape([lengths[letter] for letter in common]).transpose(order)
    return moved.reshape([lengths.get(letter, 1) for letter in wanted])


# --- pads and steps -----------------------------------------------------------------------------------


def evaluate_producers(case: Case, arrays: Arrays, semantics: Semantics) -> Tensor:
    """Return the data before the pad. The arguments are those of ``evaluate_steps``."""
    tensor = exact_tensor(_read_strided(case, arrays["x"]))
    for place in case.producer_places:
        tensor = _apply_at(place, tensor, arrays, semantics)
    return tensor


def evaluate_steps(case: Case, arrays: Arrays, semantics: Semantics) -> list[Tensor]:
    """Return the padded data (the data, if the weight is padded), and the result of each step after the pad.

    Args:
        case: the case.
        arrays: its input tensors by name, as ``foldproof.oracle.fills.inputs`` returns them.
        semantics: the choices of the IR.

    Returns:
        ``len(case.steps) + 1`` tensors. The last one is the data operand of the consumer, in its layout.
    """
    tensor = evaluate_producers(case, arrays, semantics)
    if not case.pads_weight:
        widths = [case.pad_widths.get(letter, (0, 0)) for letter in case.input_layout]
        tensor = apply_pad(tensor, widths, pad_scalar(case.pad.value, case.pad_dtype), case.pad.mode)
    tensors = [tensor]
    for place, after in zip(case.step_places, case.step_layouts[1:], strict=True):
        step = place.step
        if step.kind == "pad":
            sides = {letter: (before, after) for letter, before, after in step.widths}
            widths = [sides.get(letter, (0, 0)) for letter in place.layout]
            tensor = apply_pad(tensor, widths, pad_scalar(step.value, place.dtype))
        elif step.source:
            tensor = tensor.map_parts(partial(_relayout, layout=place.layout, wanted=after))
        else:
            tensor = _apply_at(place, tensor, arrays, semantics)
        tensors.append(tensor)
    return tensors


def _read_strided(case: Case, x: Array) -> Array:
    """Return every so many elements of each spatial axis of x."""
    strides = (case.input_stride if letter in case.spec.spatial else 1 for letter in case.input_layout)
    return x[tuple(slice(None, None, stride) for stride in strides)]


def _apply_at(place: Place, tensor: Tensor, arrays: Arrays, semantics: Semantics) -> Tensor:
    parameters = constants(place)
    if not place.step.constant:
        parameters = {name: arrays[place.parameter(name)] for name in parameters}
    return apply(place.step, tensor, broadcast(place, parameters), semantics)


def evaluate_pad(case: Case, arrays: Arrays, semantics: Semantics) -> Array:
    """Return the tensor after the pad, in its own layout: the data, or the weight if the pad is on the weight."""
    if not case.pads_weight:
        return evaluate_steps(case, arrays, semantics)[0].value
    widths = [case.pad_widths[letter] for letter in case.weight_layout]
    value = pad_scalar(case.pad.value, case.pad_dtype)
    return apply_pad(exact_tensor(arrays["w"]), widths, value, case.pad.mode).value


# --- families -----------------------------------------------------------------------------------------

_FAMILIES: dict[ops.Family, Callable[[Case, Tensor, Array | None, Semantics], Reference]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
}
