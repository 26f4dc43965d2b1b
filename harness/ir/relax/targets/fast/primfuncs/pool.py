"""The PrimFuncs of pools, as TVM legalises them, without TE: node by node what topi makes.

    max_pool:   pad_temp = x padded with the lowest value;  out[y] = max of pad_temp[y * stride + r * dilation]
    avg_pool:   pool_sum in the same way, of x padded with 0;  out = pool_sum / how many elements of the window count

(include/tvm/topi/nn/pooling.h, ``pool_impl_nd``.) They must be equal, node for node, to what TVM makes:
``tests/ir/relax/targets/test_primfuncs.py`` compares random ones.
"""

from dataclasses import dataclass
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.stages import Stages, Tensor, greatest, int64, numbers, padded, summed

_SPATIAL = "DHW"


@dataclass(frozen=True, slots=True)
class _Window:
    """Along one spatial axis; ``more`` is what ceil_mode adds to the padding at the end."""

    axis: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    more: int


def max_pool(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of max_pool1d to max_pool3d; None where it makes nothing, or of symbolic lengths."""
    read = _read(call)
    if read is None:
        return None
    stages, x, windows = read
    _pooled(stages, x, windows, call, "pool_max", maximum=True)
    return stages


def avg_pool(call: ir.Call) -> Stages | None:
    """The same of avg_pool1d to avg_pool3d."""
    read = _read(call)
    if read is None:
        return None
    stages, x, windows = read
    total = _pooled(stages, x, windows, call, "pool_sum", maximum=False)
    counted = _with_padding if bool(call.attrs.count_include_pad) else _without_padding

    def mean(*at: Any) -> Any:
        return tirx.div(total[at], counted(at, windows, x))

    stages.stage("pool_avg", total.lengths, mean, rule="meta_schedule.pool_avg")
    return stages


def _read(call: ir.Call) -> tuple[Stages, Tensor, list[_Window]] | None:
    attrs, stages = call.attrs, Stages(call)
    layout = str(attrs.layout)
    x = stages.operand(0)
    if x is None or str(attrs.out_layout) != layout or len(layout) != len(x.lengths) or numbers(call.ty) is None:
        return None
    axes = [layout.index(letter) for letter in _SPATIAL if letter in layout]
    values = (attrs.pool_size, attrs.strides, attrs.dilation, attrs.padding)
    kernel, strides, dilation, padding = ([int(value) for value in each[:]] for each in values)
    windows = [
        _Window(
            axis=axis,
            kernel=kernel[i],
            stride=strides[i],
            dilation=dilation[i],
            before=padding[i],
            after=padding[i + len(axes)],
            more=strides[i] - 1 if bool(attrs.ceil_mode) else 0,
        )
        for i, axis in enumerate(axes)
    ]
    return stages, x, windows


def _pooled(stages: Stages, x: Tensor, windows: list[_Window], call: ir.Call, name: str, *, maximum: bool) -> Tensor:
    """The maxima or sums of all windows. Their number is what type inference says, by the same formula."""
    before, after = [0] * len(x.lengths), [0] * len(x.lengths)
    for window in windows:
        before[window.axis], after[window.axis] = window.before, window.after + window.more
    if any(before) or any(after):
        border = tirx.min_value(x.dtype) if maximum else _zero(x.dtype)
        x = padded(stages, x, before, after, border, "pad_temp", both=False)
    lengths = numbers(call.ty) or []

    def element(*at: Any) -> Any:
        indices = list(at[: len(lengths)])
        for window, place in zip(windows, at[len(lengths) :], strict=True):
            indices[window.axis] = at[window.axis] * int64(window.stride) + place * int64(window.dilation)
        return x[indices]

    reduce = greatest if maximum else summed
    over = reduce(x.dtype, [window.kernel for window in windows])
    return stages.stage(name, lengths, element, reduction=over, rule="meta_schedule.pool_max" if maximum else "")


def _zero(dtype: str) -> Any:
    """What topi pads with: the int32 0, to which C++ casts narrower integers, or else it to what is padded."""
    return tirx.const(0, "int32" if dtype in ("int8", "uint8", "int16", "uint16") else dtype)


def _with_padding(at: tuple[Any, ...], windows: list[_Window], x: Tensor) -> Any:
    """How many elements a window has that ceil_mode did not add."""
    count: Any = tirx.IntImm("int32", 1)
    for window in windows:
        start = at[window.axis] * int64(window.stride) - int64(window.before)
        end = start + int64((window.kernel - 1) * window.dilation)
        end = tirx.min(end, int64(x.lengths[window.axis] + window.after - 1))
        count = count * (tirx.div(end - start, int64(window.dilation)) + 1)
    return count


def _without_padding(at: tuple[Any, ...], windows: list[_Window], x: Tensor) -> Any:
    """How many elements of the data a window has, at least 1."""
    count: Any = tirx.IntImm("int32", 1)
    for window in windows:
        dilation = int64(window.dilation)
        start = at[window.axis] * int64(window.stride) - int64(window.before)
        end = start + int64((window.kernel - 1) * window.dilation)
        skipped = tirx.max(tirx.div(dilation - 1 - start, dilation), int64(0))
        end = tirx.min(end, int64(x.lengths[window.axis] - 1))
        count = count * (tirx.div(end - (start + dilation * skipped), dilation) + 1)
    return tirx.max(count, tirx.IntImm("int32", 1))
