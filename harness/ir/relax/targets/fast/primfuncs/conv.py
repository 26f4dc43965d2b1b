"""PrimFuncs of convolutions and transposed convolutions, equal node for node to those of topi.

    conv1d:             pad_temp = pad(x);  out[n, f, y] = sum of pad_temp[n, c, y * stride + r * dilation] * w[f, c, r]
    conv1d_transpose:   x dilated by its stride, padded, convolved with the flipped weight

Sources: topi/nn/conv2d.py (``conv``), topi/nn/conv1d_transpose.py, conv2d_transpose.py, conv3d_transpose.py.
``tests/ir/relax/targets/test_primfuncs.py`` compares random ones with those of TVM.
"""

from collections.abc import Sequence
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import PrimFuncBuilder, Tensor, add_pad, int64, sum_over


def conv(call: ir.Call) -> PrimFuncBuilder | None:
    """Build conv1d, conv2d and conv3d; return None for symbolic shapes and where ``LegalizeOps`` makes no PrimFunc."""
    attrs = call.attrs
    data_layout, kernel_layout = str(attrs.data_layout), str(attrs.kernel_layout)
    operands = _operands(call)
    if operands is None or str(attrs.out_layout) != data_layout:
        return None
    builder, x, w = operands
    if len(data_layout) != len(x.lengths) or len(kernel_layout) != len(w.lengths):
        return None
    n_axis, c_axis, *spatial = _positions(data_layout, "NC")
    o_axis, _, *kernel = _positions(kernel_layout, "OI")
    strides, dilation = _ints(attrs.strides), _ints(attrs.dilation)
    padding, groups = _ints(attrs.padding), int(attrs.groups)
    out_dtype = str(attrs.out_dtype or x.dtype)
    before, after = [0] * len(x.lengths), [0] * len(x.lengths)
    lengths = list(x.lengths)
    lengths[c_axis] = w.lengths[o_axis]
    for i, axis in enumerate(spatial):
        before[axis], after[axis] = padding[i], padding[i + len(spatial)]
        reach = (w.lengths[kernel[i]] - 1) * dilation[i] + 1
        lengths[axis] = (x.lengths[axis] + before[axis] + after[axis] - reach) // strides[i] + 1
    inputs, outputs = x.lengths[c_axis] // groups, w.lengths[o_axis] // groups
    if min(lengths) <= 0 or x.lengths[c_axis] % groups or w.lengths[o_axis] % groups:
        return None
    temp = add_pad(builder, x, before, after, tirx.const(0, x.dtype), "pad_temp", both=True)
    reduced = _reduction_axes(n_axis, c_axis, spatial)

    def product(*at: Any) -> Any:
        places = dict(zip(reduced, at[len(lengths) :], strict=True))
        channel = places[c_axis]
        data, weight = [at[n_axis]] * len(lengths), [channel] * len(lengths)
        data[c_axis] = channel if groups == 1 else _group_channel(at[c_axis], outputs, inputs, channel)
        weight[o_axis] = at[c_axis]
        for i, axis in enumerate(spatial):
            data[axis] = _scale(at[axis], strides[i]) + _scale(places[axis], dilation[i])
            weight[kernel[i]] = places[axis]
        return temp[data].astype(out_dtype) * w[weight].astype(out_dtype)

    over = [inputs if axis == c_axis else w.lengths[kernel[spatial.index(axis)]] for axis in reduced]
    builder.add_stage("conv", lengths, product, reduction=sum_over(out_dtype, over))
    return builder


def conv_transpose(call: ir.Call) -> PrimFuncBuilder | None:
    """Build conv1d_transpose, conv2d_transpose and conv3d_transpose; return None likewise."""
    attrs, operands = call.attrs, _operands(call)
    if operands is None:
        return None
    builder, x, w = operands
    spatial = "DHW"[5 - len(x.lengths) :]
    if str(attrs.data_layout) != str(attrs.out_layout) or str(attrs.data_layout) != f"NC{spatial}":
        return None
    strides, dilation, outside = _ints(attrs.strides), _ints(attrs.dilation), _ints(attrs.output_padding)
    padding, groups, out_dtype = _ints(attrs.padding), int(attrs.groups), str(call.ty.dtype)
    too_large = [given >= stride for given, stride in zip(outside, strides, strict=True)]
    if str(attrs.kernel_layout) != f"IO{spatial}" or any(too_large) or x.lengths[1] % groups:
        return None
    dilated = _dilate(builder, x, strides, "data_dilate")
    reach = [(k - 1) * d + 1 for k, d in zip(w.lengths[2:], dilation, strict=True)]
    before = [k - 1 - p for k, p in zip(reach, padding, strict=False)]
    after = [k - 1 - p + o for k, p, o in zip(reach, padding[len(spatial) :], outside, strict=True)]
    data = add_pad(builder, dilated, [0, 0, *before], [0, 0, *after], tirx.const(0, x.dtype), "data_pad", both=True)
    kernel = _dilate(builder, w, dilation, "kernel_dilate") if any(d != 1 for d in dilation) else w
    inputs, outputs, *_ = w.lengths

    def flip(o: Any, i: Any, *at: Any) -> Any:
        return kernel[[i, o, *(tirx.Sub(int64(k - 1), place) for k, place in zip(reach, at, strict=True))]]

    weight = builder.add_stage("kernel_transform", [outputs, inputs, *reach], flip, simple=True)
    lengths = [n - k + 1 for n, k in zip(data.lengths[2:], reach, strict=True)]
    if min(lengths) <= 0:
        return None

    def product(n: Any, c: Any, *at: Any) -> Any:
        channel, *places = at[len(spatial) :]
        out = c
        if groups != 1:
            channel, out = _group_channel(c, outputs, inputs // groups, channel), tirx.FloorMod(c, int64(outputs))
        element = data[[n, channel, *(place + r for place, r in zip(at, places, strict=False))]]
        return element.astype(out_dtype) * weight[[out, channel, *places]].astype(out_dtype)

    over = sum_over(out_dtype, [inputs // groups, *reach])
    builder.add_stage("compute", [x.lengths[0], outputs * groups, *lengths], product, reduction=over)
    return builder


def _operands(call: ir.Call) -> tuple[PrimFuncBuilder, Tensor, Tensor] | None:
    """Return a builder with data and weight as parameters; None if a shape is not static."""
    builder = PrimFuncBuilder(call)
    x, w = builder.operand(0), builder.operand(1)
    return None if x is None or w is None else (builder, x, w)


def _dilate(builder: PrimFuncBuilder, source: Tensor, factors: Sequence[int], name: str) -> Tensor:
    """Add a stage with ``factor - 1`` zeros between the elements of each spatial axis."""

    def value(n: Any, c: Any, *at: Any) -> Any:
        places, present = [], []
        for place, factor in zip(at, factors, strict=True):
            places.append(place if factor == 1 else tirx.FloorDiv(place, int64(factor)))
            if factor != 1:
                present.append(tirx.EQ(tirx.FloorMod(place, int64(factor)), int64(0)))
        element = source[[n, c, *places]]
        return tirx.if_then_else(tirx.all(*present), element, tirx.const(0, source.dtype)) if present else element

    lengths = [(n - 1) * factor + 1 for n, factor in zip(source.lengths[2:], factors, strict=True)]
    return builder.add_stage(name, [*source.lengths[:2], *lengths], value, simple=True)


def _reduction_axes(n_axis: int, c_axis: int, spatial: Sequence[int]) -> list[int]:
    """Return the axes that topi reduces, in its order: that of the layout if the batch comes first, else another."""
    places = [n_axis, c_axis, *spatial]
    first, *others = (places.index(axis) for axis in range(len(places)))
    return [places[1:][other - (other > first)] for other in others]


def _group_channel(out: Any, outputs: int, inputs: int, channel: Any) -> Any:
    """Return the index of input channel ``channel`` of the group that the output channel ``out`` belongs to."""
    return tirx.FloorDiv(out, int64(outputs)) * int64(inputs) + channel


def _scale(place: Any, factor: int) -> Any:
    return place if factor == 1 else place * int64(factor)


def _positions(layout: str, first: str) -> list[int]:
    """Return the positions of the letters ``first`` in a layout, then those of the others in its order."""
    return [*map(layout.index, first), *(i for i, letter in enumerate(layout) if letter not in first)]


def _ints(values: Any) -> list[int]:
    return [int(value) for value in values[:]]
