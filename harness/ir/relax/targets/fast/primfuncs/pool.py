"""PrimFuncs of pools, equal node for node to those of topi.

    max_pool:   pad_temp = x padded with the lowest value;  out[y] = max of pad_temp[y * stride + r * dilation]
    avg_pool:   pool_sum in the same way, of x padded with 0;  out = pool_sum / number of counted elements

Source: include/tvm/topi/nn/pooling.h, ``pool_impl_nd``. ``tests/ir/relax/targets/test_primfuncs.py`` compares random
ones with those of TVM.
"""

from dataclasses import dataclass
from typing import Any

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import (
    PrimFuncBuilder,
    Tensor,
    add_pad,
    int64,
    max_over,
    static_shape,
    sum_over,
)

_SPATIAL = "DHW"


@dataclass(frozen=True, slots=True)
class _Window:
    """The window along one spatial axis; ``extra`` is what ceil_mode adds to the padding at the end."""

    axis: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    extra: int


def max_pool(call: ir.Call) -> PrimFuncBuilder | None:
    """Build max_pool1d to max_pool3d; return None for symbolic shapes and where ``LegalizeOps`` makes no PrimFunc."""
    parsed = _parse(call)
    if parsed is None:
        return None
    builder, x, windows = parsed
    _reduce_windows(builder, x, windows, call, "pool_max", maximum=True)
    return builder


def avg_pool(call: ir.Call) -> PrimFuncBuilder | None:
    """Build avg_pool1d to avg_pool3d; return None likewise."""
    parsed = _parse(call)
    if parsed is None:
        return None
    builder, x, windows = parsed
    total = _reduce_windows(builder, x, windows, call, "pool_sum", maximum=False)
    count_elements = _count_with_padding if bool(call.attrs.count_include_pad) else _count_without_padding

    def mean(*at: Any) -> Any:
        return tirx.div(total[at], count_elements(at, windows, x))

    builder.add_stage("pool_avg", total.lengths, mean, rule="meta_schedule.pool_avg")
    return builder


def _parse(call: ir.Call) -> tuple[PrimFuncBuilder, Tensor, list[_Window]] | None:
    attrs, builder = call.attrs, PrimFuncBuilder(call)
    layout = str(attrs.layout)
    x = builder.operand(0)
    if x is None or str(attrs.out_layout) != layout or len(layout) != len(x.lengths) or static_shape(call.ty) is None:
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
            extra=strides[i] - 1 if bool(attrs.ceil_mode) else 0,
        )
        for i, axis in enumerate(axes)
    ]
    return builder, x, windows


def _reduce_windows(
    builder: PrimFuncBuilder, x: Tensor, windows: list[_Window], call: ir.Call, name: str, *, maximum: bool
) -> Tensor:
    """Add the stages of the maxima or sums of all windows. Type inference has counted the windows."""
    before, after = [0] * len(x.lengths), [0] * len(x.lengths)
    for window in windows:
        before[window.axis], after[window.axis] = window.before, window.after + window.extra
    if any(before) or any(after):
        border = tirx.min_value(x.dtype) if maximum else _border_zero(x.dtype)
        x = add_pad(builder, x, before, after, border, "pad_temp", both=False)
    lengths = static_shape(call.ty) or []

    def element(*at: Any) -> Any:
        indices = list(at[: len(lengths)])
        for window, place in zip(windows, at[len(lengths) :], strict=True):
            indices[window.axis] = at[window.axis] * int64(window.stride) + place * int64(window.dilation)
        return x[indices]

    reduction = max_over if maximum else sum_over
    over = reduction(x.dtype, [window.kernel for window in windows])
    return builder.add_stage(name, lengths, element, reduction=over, rule="meta_schedule.pool_max" if maximum else "")


def _border_zero(dtype: str) -> Any:
    """Return the zero that topi pads a sum with: int32 for narrower integers (a C++ cast), else of the dtype itself."""
    return tirx.const(0, "int32" if dtype in ("int8", "uint8", "int16", "uint16") else dtype)


def _count_with_padding(at: tuple[Any, ...], windows: list[_Window], x: Tensor) -> Any:
    """Return how many elements of data and padding a window covers, without those that ceil_mode added."""
    count: Any = tirx.IntImm("int32", 1)
    for window in windows:
        start = at[window.axis] * int64(window.stride) - int64(window.before)
        end = start + int64((window.kernel - 1) * window.dilation)
        end = tirx.min(end, int64(x.lengths[window.axis] + window.after - 1))
        count = count * (tirx.div(end - start, int64(window.dilation)) + 1)
    return count


def _count_without_padding(at: tuple[Any, ...], windows: list[_Window], x: Tensor) -> Any:
    """Return how many elements of the data a window covers, at least 1."""
    count: Any = tirx.IntImm("int32", 1)
    for window in windows:
        dilation = int64(window.dilation)
        start = at[window.axis] * int64(window.stride) - int64(window.before)
        end = start + int64((window.kernel - 1) * window.dilation)
        skipped = tirx.max(tirx.div(dilation - 1 - start, dilation), int64(0))
        end = tirx.min(end, int64(x.lengths[window.axis] - 1))
        count = count * (tirx.div(end - (start + dilation * skipped), dilation) + 1)
    return tirx.max(count, tirx.IntImm("int32", 1))
