"""The PrimFuncs of convolutions and transposed ones, as TVM legalises them, without TE: node by node what topi makes.

    conv1d:             pad_temp = pad(x);  out[n, f, y] = sum of pad_temp[n, c, y * stride + r * dilation] * w[f, c, r]
    conv1d_transpose:   x dilated by its stride, padded, convolved with the weight turned around

(topi/nn/conv2d.py, ``conv``; topi/nn/conv1d_transpose.py, conv2d_transpose.py, conv3d_transpose.py.) They must be
equal, node for node, to what TVM makes: ``tests/ir/relax/targets/test_primfuncs.py`` compares random ones.
"""

from collections.abc import Sequence
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.stages import Stages, Tensor, int64, padded, summed


def conv(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of conv1d, conv2d and conv3d; None where it makes nothing, or of symbolic lengths."""
    attrs = call.attrs
    data_layout, kernel_layout = str(attrs.data_layout), str(attrs.kernel_layout)
    operands = _operands(call)
    if operands is None or str(attrs.out_layout) != data_layout:
        return None
    stages, x, w = operands
    if len(data_layout) != len(x.lengths) or len(kernel_layout) != len(w.lengths):
        return None
    n_axis, c_axis, *spatial = _places(data_layout, "NC")
    o_axis, _, *kernel = _places(kernel_layout, "OI")
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
    temp = padded(stages, x, before, after, tirx.const(0, x.dtype), "pad_temp", both=True)
    reduced = _reduced(n_axis, c_axis, spatial)

    def product(*at: Any) -> Any:
        places = dict(zip(reduced, at[len(lengths) :], strict=True))
        channel = places[c_axis]
        data, weight = [at[n_axis]] * len(lengths), [channel] * len(lengths)
        data[c_axis] = channel if groups == 1 else _grouped(at[c_axis], outputs, inputs, channel)
        weight[o_axis] = at[c_axis]
        for i, axis in enumerate(spatial):
            data[axis] = _times(at[axis], strides[i]) + _times(places[axis], dilation[i])
            weight[kernel[i]] = places[axis]
        return temp[data].astype(out_dtype) * w[weight].astype(out_dtype)

    over = [inputs if axis == c_axis else w.lengths[kernel[spatial.index(axis)]] for axis in reduced]
    stages.stage("conv", lengths, product, reduction=summed(out_dtype, over))
    return stages


def conv_transpose(call: ir.Call) -> Stages | None:
    """The same of conv1d_transpose, conv2d_transpose and conv3d_transpose."""
    attrs, operands = call.attrs, _operands(call)
    if operands is None:
        return None
    stages, x, w = operands
    spatial = "DHW"[5 - len(x.lengths) :]
    if str(attrs.data_layout) != str(attrs.out_layout) or str(attrs.data_layout) != f"NC{spatial}":
        return None
    strides, dilation, outside = _ints(attrs.strides), _ints(attrs.dilation), _ints(attrs.output_padding)
    padding, groups, out_dtype = _ints(attrs.padding), int(attrs.groups), str(call.ty.dtype)
    late = [given >= stride for given, stride in zip(outside, strides, strict=True)]
    if str(attrs.kernel_layout) != f"IO{spatial}" or any(late) or x.lengths[1] % groups:
        return None
    wide = _dilated(stages, x, strides, "data_dilate")
    reach = [(k - 1) * d + 1 for k, d in zip(w.lengths[2:], dilation, strict=True)]
    before = [k - 1 - p for k, p in zip(reach, padding, strict=False)]
    after = [k - 1 - p + o for k, p, o in zip(reach, padding[len(spatial) :], outside, strict=True)]
    data = padded(stages, wide, [0, 0, *before], [0, 0, *after], tirx.const(0, x.dtype), "data_pad", both=True)
    kernel = _dilated(stages, w, dilation, "kernel_dilate") if any(d != 1 for d in dilation) else w
    inputs, outputs, *_ = w.lengths

    def turned(o: Any, i: Any, *at: Any) -> Any:
        return kernel[[i, o, *(tirx.Sub(int64(k - 1), place) for k, place in zip(reach, at, strict=True))]]

    weight = stages.stage("kernel_transform", [outputs, inputs, *reach], turned, simple=True)
    lengths = [n - k + 1 for n, k in zip(data.lengths[2:], reach, strict=True)]
    if min(lengths) <= 0:
        return None

    def product(n: Any, c: Any, *at: Any) -> Any:
        channel, *places = at[len(spatial) :]
        out = c
        if groups != 1:
            channel, out = _grouped(c, outputs, inputs // groups, channel), tirx.FloorMod(c, int64(outputs))
        element = data[[n, channel, *(place + r for place, r in zip(at, places, strict=False))]]
        return element.astype(out_dtype) * weight[[out, channel, *places]].astype(out_dtype)

    over = summed(out_dtype, [inputs // groups, *reach])
    stages.stage("compute", [x.lengths[0], outputs * groups, *lengths], product, reduction=over)
    return stages


def _operands(call: ir.Call) -> tuple[Stages, Tensor, Tensor] | None:
    """Data and weight as parameters; None if one cannot be."""
    stages = Stages(call)
    x, w = stages.operand(0), stages.operand(1)
    return None if x is None or w is None else (stages, x, w)


def _dilated(stages: Stages, source: Tensor, factors: Sequence[int], name: str) -> Tensor:
    """A stage with ``factor - 1`` zeros between the elements of each spatial axis."""

    def value(n: Any, c: Any, *at: Any) -> Any:
        places, there = [], []
        for place, factor in zip(at, factors, strict=True):
            places.append(place if factor == 1 else tirx.FloorDiv(place, int64(factor)))
            if factor != 1:
                there.append(tirx.EQ(tirx.FloorMod(place, int64(factor)), int64(0)))
        element = source[[n, c, *places]]
        return tirx.if_then_else(tirx.all(*there), element, tirx.const(0, source.dtype)) if there else element

    lengths = [(n - 1) * factor + 1 for n, factor in zip(source.lengths[2:], factors, strict=True)]
    return stages.stage(name, [*source.lengths[:2], *lengths], value, simple=True)


def _reduced(n_axis: int, c_axis: int, spatial: Sequence[int]) -> list[int]:
    """The axes that topi reduces, in its order: that of the layout if the batch comes first, else another."""
    places = [n_axis, c_axis, *spatial]
    first, *others = (places.index(axis) for axis in range(len(places)))
    return [places[1:][other - (other > first)] for other in others]


def _grouped(out: Any, outputs: int, inputs: int, channel: Any) -> Any:
    """The input channel number ``channel`` of the group that an output channel is in."""
    return tirx.FloorDiv(out, int64(outputs)) * int64(inputs) + channel


def _times(place: Any, factor: int) -> Any:
    return place if factor == 1 else place * int64(factor)


def _places(layout: str, first: str) -> list[int]:
    """Where the axes of ``first`` stand in a layout, and then the others, in the order of the layout."""
    return [*map(layout.index, first), *(i for i, letter in enumerate(layout) if letter not in first)]


def _ints(values: Any) -> list[int]:
    return [int(value) for value in values[:]]
