"""The operators whose PrimFuncs are built without TE.

    R.nn.conv2d(x, w, ...)   ->   builder of a PrimFunc that is equal, node for node, to that of LegalizeOps

A case has 3.9 operator calls, and nearly all of them are built here. Left to TVM are symbolic shapes, pads that
reflect, and a few operators of one dtype (``abs`` and ``sign`` of int32). TE takes milliseconds for a call, this a
fraction.
"""

from collections.abc import Callable

from tvm import ir

from foldproof.ir.relax.targets.fast.primfuncs import conv as conv_kernel
from foldproof.ir.relax.targets.fast.primfuncs import pad as pad_kernel
from foldproof.ir.relax.targets.fast.primfuncs import pool as pool_kernel
from foldproof.ir.relax.targets.fast.primfuncs import shape as shape_kernel
from foldproof.ir.relax.targets.fast.primfuncs import step as step_kernel
from foldproof.ir.relax.targets.fast.primfuncs.builder import PrimFuncBuilder

Build = Callable[[ir.Call], PrimFuncBuilder | None]

BUILDERS: dict[str, Build] = {
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
"""Operator -> function that builds its PrimFunc, or returns None for a call that it leaves to TVM."""


def build_primfunc(call: ir.Call) -> PrimFuncBuilder | None:
    """Return a builder with all stages of a call; None for a call that is left to TVM, for example one without axes."""
    build = BUILDERS.get(call.op.name)
    builder = None if build is None else build(call)
    return builder if builder is not None and builder.result.lengths else None
