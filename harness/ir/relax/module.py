"""Questions to a Relax module, whatever pass it came from: same? well formed? what does it bind?"""

from collections.abc import Iterator
from typing import Any

import tvm
import tvm_ffi
from tvm import relax

Module = tvm.IRModule

MAX_ERROR_CHARS = 300
"""Characters of a message: TVM prints whole operators and functions into some."""


def same(a: Any, b: Any) -> bool:
    """Whether two modules, functions or types are structurally equal."""
    return bool(tvm_ffi.structural_equal(a, b))


def well_formedness_error(module: tvm.IRModule) -> str | None:
    """What ``relax.analysis.well_formed`` objects to, in a line; None if nothing."""
    try:
        relax.analysis.well_formed(module)
    except Exception as error:  # noqa: BLE001, TVM raises errors of many kinds here, all of which say "ill formed"
        return short_error(error)
    return None


def short_error(error: BaseException) -> str:
    """The type and the last line of an error: TVM's messages begin with a trace of C++ frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "lines skipped" not in line]
    last = lines[-1] if lines else ""
    return f"{type(error).__name__}: {last[:MAX_ERROR_CHARS]}{'...' if len(last) > MAX_ERROR_CHARS else ''}"


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
