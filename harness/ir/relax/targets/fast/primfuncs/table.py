"""Operators whose PrimFuncs are built here, and not by TE.

    R.nn.conv2d(x, w, ...)   ->   stages of a PrimFunc, equal node for node to that of LegalizeOps

Of the 3.9 operator calls of a case nearly all are such: not those with symbolic lengths, pads that reflect, and a few
of one dtype (``abs`` and ``sign`` of int32). TE takes milliseconds for each, these a fraction of
it.
"""

from collections.abc import Callable

from tvm import ir

from foldproof.ir.relax.targets.fast.primfuncs import conv as conv_kernel
from foldproof.ir.relax.targets.fast.primfuncs import pad as pad_kernel
from foldproof.ir.relax.targets.fast.primfuncs import pool as pool_kernel
from foldproof.ir.relax.targets.fast.primfuncs import shape as shape_kernel
from foldproof.ir.relax.targets.fast.primfuncs import step as step_kernel
from foldproof.ir.relax.targets.fast.stages import Stages

Build = Callable[[ir.Call], Stages | None]

OWN: dict[str, Build] = {
    "relax.nn.pad": pad_kernel.pad,
    **{f"relax.nn.conv{n}d": conv_kernel.conv for n in (1, 2, 3)},
    **{f"relax.nn.conv{n}d_transpose": conv_kernel.conv_transpose for n in (1, 2, 3)},
    **{f"relax.nn.max_pool{n}d": pool_kernel.max_pool for n in (1, 2, 3)},
    **{f"relax.nn.avg_pool{n}d": pool_kernel.avg_pool for n in (1, 2, 3)},
    **dict.fromkeys(step_kernel.BINARY, step_kernel.binary),
    "relax.nn.relu": step_kernel.relu,
    "relax.astype": step_kernel.astype,
    **dict.fromkeys(step_kernel.UNARY, step_kernel.unary),
    "relax.sqrt": step_kernel.sqrt,
    "relax.clip": step_kernel.clip,
    "relax.nn.leakyrelu": step_kernel.leakyrelu,
    "relax.permute_dims": shape_kernel.permute_dims,
    "relax.expand_dims": shape_kernel.expand_dims,
    "relax.squeeze": shape_kernel.squeeze,
    "relax.reshape": shape_kernel.reshape,
    "relax.dequantize": step_kernel.dequantize,
    "relax.quantize": step_kernel.quantize,
}
"""The builder of each operator."""


def built(call: ir.Call) -> Stages | None:
    """The stages that a call is made of; None of a call that is left to TVM, for example one without axes."""
    build = OWN.get(call.op.name)
    stages = None if build is None else build(call)
    return stages if stages is not None and stages.result.lengths else None
