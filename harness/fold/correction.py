"""What a border that is not zero adds to a convolution, where the padding has zeros instead.

    conv(pad(x, c), w)  =  conv(x, w, padding=widths)  +  conv(m, w)       m: c in the border, 0 inside, of batch 1

The second term does not depend on x. It is a constant if w is one, else a small convolution at run time. Sums of
integers are exact, since they wrap alike in any order.
"""

from itertools import product
from typing import Any

import numpy as np
from tvm import ir, relax

from foldproof.fold.facts import Values

Array = np.ndarray[Any, np.dtype[Any]]


def build_term(call: ir.Call, border: Values, padding: tuple[int, ...], weight: Any) -> Any:
    """Return the term to add to ``call`` with ``padding``: a constant or a call, of the result's type with batch 1.

    ``border`` are the values in the border of its operand, uniform along batch and spatial axes. All lengths but the
    batch must be known.
    """
    layout, spatial = str(call.attrs.data_layout), _spatial_letters(call)
    own = [int(width) for width in call.attrs.padding]
    sides = [(new - old) for new, old in zip(padding, own, strict=True)]
    rank = len(spatial)
    lengths = {x: int(n) for x, n in zip(layout, call.args[0].ty.shape.values, strict=True) if x != "N"}
    mask = _build_mask([lengths[x] for x in spatial], list(zip(sides[:rank], sides[rank:], strict=True)))
    channels = np.broadcast_to(np.array(border.flat), (lengths["C"],))
    if isinstance(weight, ir.GenericConst):
        return _build_constant(call, mask, channels, weight.value.numpy())
    return _build_convolution(call, mask, channels)


def _spatial_letters(call: ir.Call) -> str:
    return "".join(letter for letter in "DHW" if letter in str(call.attrs.data_layout))


def _build_mask(lengths: list[int], sides: list[tuple[int, int]]) -> Array:
    """Return an array that is 1 in the border of the operand and 0 inside."""
    mask = np.ones(lengths, np.int64)
    inside = tuple(slice(max(before, 0), n - max(after, 0)) for n, (before, after) in zip(lengths, sides, strict=True))
    mask[inside] = 0
    return mask


def _build_convolution(call: ir.Call, mask: Array, channels: Array) -> ir.Call:
    """Return the convolution of the border alone, with all attributes kept."""
    layout = str(call.attrs.data_layout)
    standard = channels.reshape(1, -1, *([1] * mask.ndim)) * mask
    order = "NC" + _spatial_letters(call)
    image = standard.transpose([order.index(letter) for letter in layout])
    data = relax.const(np.ascontiguousarray(image), str(call.args[0].ty.dtype))
    return ir.Call(call.op, [data, *call.args[1:]], call.attrs, call.ty_args, call.span, _result_type(call))


def _result_type(call: ir.Call) -> Any:
    shape = list(call.ty.shape.values)
    shape[str(call.attrs.data_layout).index("N")] = 1
    return relax.TensorType(relax.ShapeExpr(shape), call.ty.dtype, call.ty.vdevice)


def _build_constant(call: ir.Call, mask: Array, channels: Array, weight: Array) -> Any:
    """Compute the same here. The channels are summed first, since all of them have the same mask.

    Integers are summed in int64, which wraps; its low bits are those of any narrower dtype.
    """
    attrs, spatial = call.attrs, _spatial_letters(call)
    dtype = str(call.ty.dtype)
    summed = np.dtype(np.int64) if np.issubdtype(np.dtype(dtype), np.integer) else np.dtype(np.float64)
    taps = weight.transpose([str(attrs.kernel_layout).index(letter) for letter in "OI" + spatial]).astype(summed)
    groups = int(attrs.groups)
    grouped = taps.reshape(groups, taps.shape[0] // groups, *taps.shape[1:])
    weights = channels.astype(summed).reshape(groups, 1, -1, *([1] * mask.ndim))
    kernel = (grouped * weights).sum(2).reshape(taps.shape[0], *taps.shape[2:])
    result = _slide(kernel, _apply_own_padding(mask, call), call)
    layout, order = str(attrs.data_layout), "NC" + spatial
    placed = result[None].transpose([order.index(letter) for letter in layout])
    return relax.const(np.ascontiguousarray(placed), dtype)


def _apply_own_padding(mask: Array, call: ir.Call) -> Array:
    """Pad the mask with zeros, or crop it, by the convolution's own padding."""
    own = [int(width) for width in call.attrs.padding]
    for axis, (before, after) in enumerate(zip(own[: mask.ndim], own[mask.ndim :], strict=True)):
        widths = [(max(before, 0), max(after, 0)) if i == axis else (0, 0) for i in range(mask.ndim)]
        mask = np.pad(mask, widths)
        kept = slice(max(-before, 0), mask.shape[axis] - max(-after, 0))
        mask = mask[tuple(kept if i == axis else slice(None) for i in range(mask.ndim))]
    return mask


def _slide(kernel: Array, mask: Array, call: ir.Call) -> Array:
    """Return the sum of tap * mask over the taps of ``kernel`` (O, taps...), at every place of the result."""
    strides, dilation = ([int(n) for n in part] for part in (call.attrs.strides, call.attrs.dilation))
    taps = kernel.shape[1:]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(mask.shape, taps, dilation, strides, strict=True)]
    result = np.zeros((kernel.shape[0], *counts), kernel.dtype)
    for tap in product(*(range(k) for k in taps)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        windows = tuple(
            slice(start, start + (n - 1) * s + 1, s) for start, n, s in zip(starts, counts, strides, strict=True)
        )
        seen = mask[windows]
        if seen.any():
            result += np.multiply.outer(np.array([filters[tap] for filters in kernel]), seen)
    return result
