"""The PrimFunc of a pad, as TVM legalises ``relax.nn.pad``, without TE: node by node what topi makes.

    R.nn.pad(x, (0, 0, 1, 2), pad_value=7)          ->   out[i, j] = x[i, j - 1] if 1 <= j and j < 1 + n else 7
    R.nn.pad(x, (0, 0, 1, 2), pad_mode="circular")  ->   out[i, j] = x[i, (j - 1 + n) % n]

(topi/nn/pad.py.) It must be equal, node for node, to what TVM makes: ``tests/ir/relax/targets/test_primfuncs.py``
compares random ones.
"""

from collections.abc import Callable

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.stages import Expr, Stages, int64, padded


def _clamped(place: Expr, length: int) -> Expr:
    return tirx.max(int64(0), tirx.min(int64(length - 1), place))


def _wrapped(place: Expr, length: int) -> Expr:
    return tirx.indexmod(place + int64(length), int64(length))


COPYING: dict[str, Callable[[Expr, int], Expr]] = {"replicate": _clamped, "circular": _wrapped}
"""Modes whose border is elements of the tensor: the place of one that is missing, in an axis of some length."""


def pad(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of a ``relax.nn.pad``; None of one that reflects, or if a length is not a number.

    TVM takes modes that it does not know for ``constant``. Raises what TVM raises for a value that the dtype lacks.
    """
    stages = Stages(call)
    mode, x = str(call.attrs.pad_mode), stages.operand(0)
    if x is None or mode == "reflect":
        return None
    widths = [int(width) for width in call.attrs.pad_width[:]]
    copied = COPYING.get(mode)
    if copied is None:
        border = tirx.const(call.attrs.pad_value, x.dtype)
        padded(stages, x, widths[::2], widths[1::2], border, "PadInput", both=True)
    else:
        sides = list(zip(x.lengths, widths[::2], widths[1::2], strict=True))
        stages.stage(
            "PadInput",
            [before + length + after for length, before, after in sides],
            lambda *at: x[[copied(i - int64(b), n) for i, (n, b, _) in zip(at, sides, strict=True)]],
        )
    return stages
