"""Questions to a Relax module, whatever pass it came from: same? well formed? which pads are left?"""

from collections.abc import Iterator
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax

Module = tvm.IRModule

MOST_SAID = 300
"""Characters of a message: TVM prints whole operators and functions into some."""

_PAD = "relax.nn.pad"
_CONSUMERS = ("relax.nn.conv", "relax.nn.max_pool", "relax.nn.avg_pool")
_SEEN_THROUGH = "relax.dequantize"


def same(a: Any, b: Any) -> bool:
    """Whether two modules, functions or types are structurally equal."""
    return bool(tvm_ffi.structural_equal(a, b))


def ill_formed(module: tvm.IRModule) -> str | None:
    """What ``relax.analysis.well_formed`` objects to, in a line; None if nothing."""
    try:
        relax.analysis.well_formed(module)
    except Exception as error:  # noqa: BLE001, TVM raises errors of many kinds here, all of which say "ill formed"
        return said(error)
    return None


def said(error: BaseException) -> str:
    """The type and the last line of an error: TVM's messages begin with a trace of C++ frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "lines skipped" not in line]
    last = lines[-1] if lines else ""
    return f"{type(error).__name__}: {last[:MOST_SAID]}{'...' if len(last) > MOST_SAID else ''}"


def pads_in_front(module: tvm.IRModule) -> int:
    """Operands of convolutions and pools that come out of a pad, directly or through dequantize or an alias."""
    count = 0
    for function in module.functions.values():
        if isinstance(function, relax.Function):
            values = {binding.var: binding.value for binding in bindings(function.body)}
            consumers = (value for value in values.values() if _name(value).startswith(_CONSUMERS))
            count += sum(_is_padded(arg, values) for call in consumers for arg in call.args)
    return count


def bindings(sequence: relax.SeqExpr) -> Iterator[Any]:
    """All bindings, those of branches and of local functions included."""
    for block in sequence.blocks:
        for binding in block.bindings:
            yield binding
            value = binding.value
            if isinstance(value, relax.If):
                yield from bindings(value.true_branch)
                yield from bindings(value.false_branch)
            elif isinstance(value, relax.Function):
                yield from bindings(value.body)


def _is_padded(operand: Any, values: dict[Any, Any]) -> bool:
    while isinstance(operand, relax.Var) and operand in values:
        value = values[operand]
        if _name(value) == _PAD:
            return True
        operand = value.args[0] if _name(value) == _SEEN_THROUGH else value
    return False


def _name(value: Any) -> str:
    return str(value.op.name) if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""
