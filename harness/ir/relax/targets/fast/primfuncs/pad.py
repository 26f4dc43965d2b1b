"""The PrimFunc of a pad, equal node for node to that of topi.

    R.nn.pad(x, (0, 0, 1, 2), pad_value=7)          ->   out[i, j] = x[i, j - 1] if 1 <= j and j < 1 + n else 7
    R.nn.pad(x, (0, 0, 1, 2), pad_mode="circular")  ->   out[i, j] = x[i, (j - 1 + n) % n]

Source: topi/nn/pad.py. ``tests/ir/relax/targets/test_primfuncs.py`` compares random ones with those of TVM.
"""

from collections.abc import Callable

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import Expr, PrimFuncBuilder, add_pad, int64


def _clamp(place: Expr, length: int) -> Expr:
    return tirx.max(int64(0), tirx.min(int64(length - 1), place))


def _wrap(place: Expr, length: int) -> Expr:
    return tirx.indexmod(place + int64(length), int64(length))


COPYING_MODES: dict[str, Callable[[Expr, int], Expr]] = {"replicate": _clamp, "circular": _wrap}
"""Modes whose border copies elements: function from (index outside, length of the axis) to the copied index."""


def pad(call: ir.Call) -> PrimFuncBuilder | None:
    """Build ``relax.nn.pad``; return None for the mode ``reflect`` and for symbolic shapes.

    TVM treats unknown modes as ``constant``. Raises what TVM raises for a value that does not fit the dtype.
    """
    builder = PrimFuncBuilder(call)
    mode, x = str(call.attrs.pad_mode), builder.operand(0)
    if x is None or mode == "reflect":
        return None
    widths = [int(width) for width in call.attrs.pad_width[:]]
    border_index = COPYING_MODES.get(mode)
    if border_index is None:
        border = tirx.const(call.attrs.pad_value, x.dtype)
        add_pad(builder, x, widths[::2], widths[1::2], border, "PadInput", both=True)
    else:
        sides = list(zip(x.lengths, widths[::2], widths[1::2], strict=True))
        builder.add_stage(
            "PadInput",
            [before + length + after for length, before, after in sides],
            lambda *at: x[[border_index(i - int64(b), n) for i, (n, b, _) in zip(at, sides, strict=True)]],
        )
    return builder
