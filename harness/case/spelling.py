"""What a form means for a case: which of its choices the case can follow. Geometry and dtypes alone, no ONNX."""

from dataclasses import replace

from foldproof.case.case import Case, Place
from foldproof.case.dtypes import int_range
from foldproof.case.form import Form
from foldproof.case.pad import Axis, Widths

_8_BITS = ("int8", "uint8")
_WHOLE_FILLS = ("integers", "negative")
"""Fills whose weights are small integers, so that int8 has them with any zero point of a form."""


def lowering_of(case: Case, form: Form) -> str:
    """Return how a quantized case is written, one of ``LOWERINGS``: that of the form, or "" if it cannot be followed.

    ``qdq`` needs a result of float32. ``conv_integer`` and ``qlinear`` replace the last step, a dequantize of 8 bits
    with one scale and one zero point, and need a constant weight that is not padded.
    """
    if not form.lowering or case.result_dtype != "float32":
        return ""
    if form.lowering == "qdq":
        return "qdq"
    return form.lowering if lowered_step(case) is not None else ""


def lowered_step(case: Case) -> Place | None:
    """Return the dequantize that an integer convolution can take in; None if there is none."""
    weight = case.constant_weight and not case.pads_weight and case.kernel_dtype == "float32"
    whole = case.fills[0] in _WHOLE_FILLS
    if case.spec.family != "conv" or case.result_dtype != "float32" or not weight or not whole or not case.steps:
        return None
    place = case.step_places[-1]
    step = place.step
    if step.kind != "dequantize" or place.dtype not in _8_BITS or step.follows_axis or not step.constant:
        return None
    low, high = int_range(place.dtype)
    fits = low <= step.zero_point[0] <= high and step.out_dtype == "float32" and step.scale[0] > 0
    return place if fits and "step" not in case.extra_outputs else None


def quantizes_result(case: Case, form: Form) -> bool:
    """Whether the result of a case is rounded to the quantized dtype of its form."""
    return lowering_of(case, form) in ("qdq", "qlinear")


def same_padding(case: Case, spelling: str) -> tuple[Widths, ...] | None:
    """Return the padding that ``auto_pad`` means: as many windows as strides fit, and an odd element on one side.

    None if a stride is longer than the window, so that the formula of ONNX has a negative number of elements.

    Args:
        case: the case.
        spelling: SAME_UPPER puts the odd element at the end, SAME_LOWER at the beginning.
    """
    paddings = []
    for letter, axis in case.lettered_axes:
        size = case.operand_dims[letter]
        windows = -(-size // axis.stride)
        total = (windows - 1) * axis.stride + case.window_extent(axis) - size
        if total < 0:
            return None
        half = (total // 2, total - total // 2)
        paddings.append(half if spelling == "SAME_UPPER" else half[::-1])
    return tuple(paddings)


def widen_kernel(axis: Axis) -> Axis:
    """Return an axis whose kernel is wider than the padding and the pad of each side together, with data to fit.

    ONNX Runtime runs no pool of other axes, once the pad is folded.
    """
    padding = (max(0, axis.padding[0]), max(0, axis.padding[1]))
    sides = [pad + own for pad, own in zip(axis.pad, padding, strict=True)]
    kernel = max(axis.kernel, 1 + max(sides))
    extent = (kernel - 1) * axis.dilation + 1
    return replace(axis, kernel=kernel, padding=padding, size=max(axis.size, extent - sum(sides)))
