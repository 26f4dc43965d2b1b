"""The PrimFunc of a constant pad, as TVM legalises ``relax.nn.pad``, without TE: node by node what topi makes.

    R.nn.pad(x, (0, 0, 1, 2), pad_value=7)   ->   out[i, j] = x[i, j - 1] if 1 <= j and j < 1 + n else 7

(topi/nn/pad.py.) It must be equal, node for node, to what TVM makes: ``tests/test_own_kernels.py`` compares random
ones.
"""

from tvm import ir, tirx

from harness.targets.stages import Stages, padded

_MIRRORED = ("reflect", "replicate", "circular")


def constant_pad(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of a ``relax.nn.pad``; None of one that mirrors, or whose lengths are not numbers.

    TVM takes modes that it does not know for ``constant``. Raises what TVM raises for a value that the dtype lacks.
    """
    stages = Stages(call)
    x = None if str(call.attrs.pad_mode) in _MIRRORED else stages.operand(0)
    if x is None:
        return None
    widths = [int(width) for width in call.attrs.pad_width[:]]
    border = tirx.const(call.attrs.pad_value, x.dtype)
    padded(stages, x, widths[::2], widths[1::2], border, "PadInput", both=True)
    return stages
