"""Pad nodes: widths as an attribute (opset 10), as an input (11), of some axes only (18); three mirroring modes."""

import numpy as np

from foldproof.case import Widths
from foldproof.ir.onnx.graph_builder import OMITTED, GraphBuilder, Lengths, Value
from foldproof.oracle.pads import pad_scalar

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Mode of a case -> mode of ONNX. Any other means ``constant``."""

_WRAPS = 19
"""The first opset with the mode ``wrap``."""


def add_widths(widths: dict[str, Widths], layout: str) -> list[Widths]:
    """Return (before, after) for each axis of a layout; (0, 0) where ``widths`` names no letter."""
    return [widths.get(letter, (0, 0)) for letter in layout]


def add_pad(
    builder: GraphBuilder, value: Value, widths: list[Widths], lengths: Lengths, *, mode: str, value_of_border: float
) -> Value:
    """Add a Pad as the form spells it.

    Args:
        builder: the graph.
        value: what is padded.
        widths: (before, after) of each axis; a negative width crops.
        lengths: the lengths of the result.
        mode: a mode of a case.
        value_of_border: the pad value, which is converted to the dtype of ``value``.
    """
    kind = _MODES.get(mode, "constant")
    if kind == "wrap":
        builder.require(_WRAPS)
    border = pad_scalar(value_of_border, value.dtype)
    plain_zero = not border and not (value.dtype.startswith("float") and np.signbit(border))
    if builder.opset < 11:
        return _add_old_pad(builder, value, widths, lengths, kind, None if plain_zero else float(border))
    form = builder.form
    axes = _choose_axes(form.axes, widths) if builder.opset >= 18 else None
    chosen = list(range(len(widths))) if axes is None else [axis % len(widths) for axis in axes]
    flat = [widths[axis][0] for axis in chosen] + [widths[axis][1] for axis in chosen]
    operands = [value, builder.constant(np.array(flat, np.int64))]
    named = kind == "constant" and (form.pad_value or not plain_zero)
    operands.append(builder.constant(border) if named else OMITTED)
    operands.append(OMITTED if axes is None else builder.constant(np.array(axes, np.int64)))
    shown = None if kind == "constant" and not form.defaults else kind
    return builder.add("Pad", operands, dtype=value.dtype, lengths=lengths, mode=shown)


def _add_old_pad(
    builder: GraphBuilder, value: Value, widths: list[Widths], lengths: Lengths, mode: str, border: float | None
) -> Value:
    """Add a Pad of opset 10, whose value is a float32 attribute."""
    if mode == "constant" and border is None and builder.form.pad_value:
        border = 0.0
    if mode != "constant":
        border = None
    with np.errstate(over="ignore"):
        rounded = border is not None and np.isfinite(border) and float(np.float32(border)) != border
    if rounded:
        builder.require(11)  # the attribute would round the value
    flat = [before for before, _ in widths] + [after for _, after in widths]
    shown = None if mode == "constant" and not builder.form.defaults else mode
    return builder.add("Pad", [value], dtype=value.dtype, lengths=lengths, pads=flat, mode=shown, value=border)


def _choose_axes(spelling: str, widths: list[Widths]) -> list[int] | None:
    """Return the input ``axes``, or None if there is none."""
    if not spelling:
        return None
    rank = len(widths)
    if spelling in ("all", "reversed"):
        return list(range(rank))[:: 1 if spelling == "all" else -1]
    padded = [axis for axis, sides in enumerate(widths) if sides != (0, 0)] or [rank - 1]
    if spelling == "negative":
        return [axis - rank for axis in padded]
    return padded[::-1] if spelling == "shuffled" else padded
