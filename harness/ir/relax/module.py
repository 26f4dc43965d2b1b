"""Questions about a Relax module: is it the same, is it well formed, what does it bind?"""

from collections.abc import Iterator
from typing import Any

import tvm
import tvm_ffi
from tvm import relax

Module = tvm.IRModule

MAX_ERROR_CHARS = 300
"""The most characters of a message. Some messages of TVM contain whole operators and functions."""


def same(a: Any, b: Any) -> bool:
    """Whether two modules, functions or types are structurally equal."""
    return bool(tvm_ffi.structural_equal(a, b))


def well_formedness_error(module: tvm.IRModule) -> str | None:
    """Return why ``relax.analysis.well_formed`` rejects a module, in one line; None if it accepts it."""
    try:
        relax.analysis.well_formed(module)
    except Exception as error:  # noqa: BLE001, TVM raises errors of many types here, which all mean "ill formed"
        return short_error(error)
    return None


def short_error(error: BaseException) -> str:
    """Return the type and the last line of an error. Messages of TVM begin with a trace of C++ frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "lines skipped" not in line]
    last = lines[-1] if lines else ""
    return f"{type(error).__name__}: {last[:MAX_ERROR_CHARS]}{'...' if len(last) > MAX_ERROR_CHARS else ''}"


def bindings(sequence: relax.SeqExpr) -> Iterator[Any]:
    """Yield all bindings, in order, those of branches and of local functions included."""
    for block in sequence.blocks:
        for binding in block.bindings:
            yield binding
            value = binding.value
            if isinstance(value, relax.If):
                yield from bindings(value.true_branch)
                yield from bindings(value.false_branch)
            elif isinstance(value, relax.Function):
                yield from bindings(value.body)
