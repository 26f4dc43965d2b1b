"""Read the IR: what a pad, a dequantize and a consumer say, as the plain facts that the rules ask for."""

from collections.abc import Callable
from typing import Any

from tvm import ir, relax, tirx

from harness.fold.facts import Consumer, Dequantize, PadFacts, Site, Widths

PAD = "relax.nn.pad"
DEQUANTIZE = "relax.dequantize"

_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}

CONSUMERS = {
    f"relax.nn.{family}{rank}d{suffix}": (family + suffix, _SPATIAL[rank])
    for family, suffix in (("conv", ""), ("conv", "_transpose"), ("max_pool", ""), ("avg_pool", ""))
    for rank in _SPATIAL
}
"""Op name -> (family, spatial letters)."""

Resolve = Callable[[Any], Any]
"""From a Relax variable to the value that it is bound to; anything else, or an unbound one, to itself."""


def op_name(value: Any) -> str:
    """The name of the operator that ``value`` calls, or ''."""
    return str(value.op.name) if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""


def read_pad(call: ir.Call) -> PadFacts:
    """Facts of a ``relax.nn.pad``. ``pad_width`` is flat, (before_0, after_0, before_1, ...) over all axes."""
    attrs = call.attrs
    flat = [_whole(width) for width in attrs.pad_width]
    widths: tuple[Widths, ...] | None = None
    if all(width is not None for width in flat):
        widths = tuple(zip(flat[::2], flat[1::2], strict=True))  # type: ignore[arg-type]
    return PadFacts(
        mode=str(attrs.pad_mode), value=float(attrs.pad_value), dtype=str(call.args[0].ty.dtype), widths=widths
    )


def read_dequantize(call: ir.Call, resolve: Resolve) -> Dequantize:
    """Facts of a ``relax.dequantize``; ``axis`` may be negative there."""
    axis = int(call.attrs.axis)
    return Dequantize(
        scale=_numbers(resolve(call.args[1])),
        zero_point=_numbers(resolve(call.args[2])),
        axis=axis + int(call.args[0].ty.ndim) if axis < 0 else axis,
        out_dtype=str(call.attrs.out_dtype),
    )


def read_consumer(value: Any, operand: int, place: str) -> Consumer:
    """Facts of whatever uses a pad as its operand number ``operand``; ``place`` names it where it is no operator."""
    name = op_name(value)
    if name not in CONSUMERS:
        return Consumer(op=name.removeprefix("relax.") or place, family="other", operand=operand)
    family, spatial = CONSUMERS[name]
    attrs = value.attrs
    pools = family.endswith("_pool")
    layout = str(attrs.layout if pools else attrs.data_layout)
    return Consumer(
        op=name.removeprefix("relax.nn."),
        family=family,
        operand=operand,
        spatial=spatial,
        layout=layout,
        out_layout=str(attrs.out_layout),
        kernel_layout="" if pools else str(attrs.kernel_layout),
        padding=tuple(int(p) for p in attrs.padding),
        kernel=tuple(int(k) for k in attrs.pool_size) if pools else (),
        strides=tuple(int(s) for s in attrs.strides),
        dilation=tuple(int(d) for d in attrs.dilation),
        sizes=tuple(_size(value.args[0], layout.find(letter)) for letter in spatial),
        out_dtype="" if pools or attrs.out_dtype is None else str(attrs.out_dtype),
        ceil_mode=bool(attrs.ceil_mode) if pools else False,
        count_include_pad=bool(attrs.count_include_pad) if pools else False,
    )


def read_site(pad: ir.Call, dequantize: ir.Call | None, consumer: Consumer, resolve: Resolve) -> Site:
    """All facts of one site, but for those on its surroundings."""
    return Site(
        pad=read_pad(pad),
        dequantize=read_dequantize(dequantize, resolve) if dequantize is not None else None,
        consumer=consumer,
    )


def _whole(width: Any) -> int | None:
    if isinstance(width, int):
        return width
    return int(width.value) if isinstance(width, tirx.IntImm) else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    """The elements of a constant tensor, None if it is no constant."""
    if not isinstance(value, ir.GenericConst):
        return None
    return tuple(value.value.numpy().reshape(-1).tolist())


def _size(operand: Any, axis: int) -> int | None:
    shape = operand.ty.shape
    if axis < 0 or not isinstance(shape, relax.ShapeExpr):
        return None
    return _whole(shape.values[axis])
