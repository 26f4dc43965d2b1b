"""The ops whose result has storage of its own, whatever TVM makes of them.

TVM makes a view of every kernel in a dataflow block that it finds to be a plain copy (``RewriteDataflowReshape``). This
includes ``add(x, 0)``, ``permute_dims`` of unit axes, and a pad of no width. So an op is taken for a view unless it is
known to compute. tests/fold/test_effects.py executes the ops of these lists.
"""

from collections.abc import Callable
from typing import Any

from tvm import ir

from foldproof.fold.reader import CALL_TIR, CONSUMERS

KERNEL_CALLS = (CALL_TIR, "relax.call_tir_with_grad", "relax.call_dps_packed")
"""Calls that write into new tensors, with their arguments in a tuple."""

COMPUTING = (
    *("nn.relu", "negative", "abs", "exp", "log", "sqrt", "square", "sigmoid", "tanh", "erf", "nn.gelu", "nn.silu"),
    *("floor", "ceil", "round", "trunc"),
)
"""Ops of one operand that compute on floats. On integers, some are plain copies: relu or abs of uint8."""

SUMMING = (*CONSUMERS, "relax.matmul", "relax.nn.softmax")
"""Ops that sum, or take the maximum, over windows, rows or channels."""

ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
"""Ops that compute on two tensors. With a constant they can be plain copies: ``add(x, 0)``."""


def computes(name: str, call: ir.Call, resolve: Callable[[Any], Any]) -> bool:
    """Return whether the kernel of an op is never a plain copy of an operand. ``resolve`` finds constants."""
    if name in SUMMING:
        return True
    op, dtype = name.removeprefix("relax."), str(getattr(call.ty, "dtype", ""))
    if op in COMPUTING:
        return "float" in dtype
    if op not in ARITHMETIC:
        return False
    constants = [value for value in map(resolve, call.args) if isinstance(value, ir.GenericConst)]
    return not constants or (op not in ("maximum", "minimum") and not any(map(_may_be_neutral, constants)))


def _may_be_neutral(constant: ir.GenericConst) -> bool:
    """Return whether arithmetic with a constant may be simplified to a copy: it is one number, which is 0 or 1."""
    array = constant.value.numpy()
    return array.size == 1 and float(array.reshape(())) in (0.0, 1.0)
