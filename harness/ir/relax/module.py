"""Questions about a Relax module: is it the same, is it well formed, what does it bind?"""

import re
from collections.abc import Iterator
from pathlib import PurePath
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
    """Return the type and the most useful line of an error.

    It is the first error of a C compiler or a linker if the message quotes one, since the command line follows it.
    Otherwise it is the last line, since messages of TVM begin with a trace of C++ frames.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "lines skipped" not in line]
    line = _compiler_error(lines) or (lines[-1] if lines else "")
    return f"{type(error).__name__}: {line[:MAX_ERROR_CHARS]}{'...' if len(line) > MAX_ERROR_CHARS else ''}"


_COMPILER_ERROR = re.compile(r"(?P<file>[^\s:]+)(?P<rest>(?::\d+){1,2}: (?:fatal )?error: .*)")
_LINKER_ERROR = re.compile(r"undefined reference to|cannot find -l|undefined symbol: |multiple definition of")
_DRIVER_ERROR = re.compile(r"[\w+.-]+: (?:fatal )?error: ")


def _compiler_error(lines: list[str]) -> str:
    """Return the first error of a compiler, a linker or its driver, without folders; empty if there is none."""
    for line in lines:
        if match := _COMPILER_ERROR.match(line):
            return PurePath(match["file"]).name + match["rest"]
    if not any(line.startswith("Command line: ") for line in lines):
        return ""
    quoted = [line for pattern in (_LINKER_ERROR.search, _DRIVER_ERROR.match) for line in lines if pattern(line)]
    return re.sub(r"(?<![\w.])/\S*/", "", quoted[0]) if quoted else ""


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


def first_output(module: tvm.IRModule, name: str) -> relax.Function:
    """Return a function with its first output alone, without the bindings that this output does not need.

    A function with branches or local functions is returned as it is.

    Args:
        module: the module of the function. It is not changed.
        name: the name of the function.
    """
    function = relax.transform.ToNonDataflow()(module)[name]
    bound = list(bindings(function.body))
    if not all(_binds_a_call(binding) for binding in bound):
        return function
    values = {binding.var: binding.value for binding in bound}
    result = function.body.body
    while isinstance(value := values.get(result, result), relax.Tuple | relax.Var) and not value.same_as(result):
        result = value.fields[0] if isinstance(value, relax.Tuple) else value
    needed, kept = {result}, []
    for binding in reversed(bound):
        if binding.var in needed:
            kept.append(binding)
            needed.update(relax.analysis.free_vars(binding.value))
    body = relax.SeqExpr([relax.BindingBlock(kept[::-1])], result)
    return relax.Function(function.params, body, result.ty, function.is_pure)


def _binds_a_call(binding: relax.Binding) -> bool:
    return isinstance(binding, relax.VarBinding) and not isinstance(binding.value, relax.If | relax.Function)
