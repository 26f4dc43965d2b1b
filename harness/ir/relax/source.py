"""A module as TVMScript in a Python file.

Invariant: parsed again, the source is structurally equal to the module.

    metadata = {"ir.GenericConst": [...]}
    @I.ir_module
    class Before: ...

``module.script()`` alone does not satisfy this. TVM 0.27 keeps constants in separate metadata (and crashes when it
prints them), and prints NaN and the infinities as strings that its parser rejects.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import tvm
from tvm import relax, script

from foldproof.core.array_source import array_source
from foldproof.ir.relax import module as ir

_KEY = "ir.GenericConst"

_INLINE = ("float16", "float32", "float64", "int8", "int16", "int32", "int64")
"""dtypes whose scalars TVMScript prints inline. All other constants go to the metadata, in order."""

_NOT_FINITE = re.compile(r'(R\.const\(|\b\w+=)"(-?inf|nan)"')
_MODULE = re.compile(r"(?<=^class )Module(?=:$)|(?<= cls = )Module$", re.MULTILINE)
_LENGTH = re.compile(r'^(\w+) = TypeVar\("\w+"\)$', re.MULTILINE)


class NotExact(ValueError):  # noqa: N818, nothing is wrong with the module
    """The TVMScript of a module is not parsed to an equal module; the message is the reason."""


class NotParsed(NotExact):
    """TVM cannot parse the TVMScript of a module at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A module as source.

    Args:
        name: the name of its class.
        text: the TVMScript: a class under ``I.ir_module``.
        constants: the arrays that ``text`` reads from ``metadata``, in order.
    """

    name: str
    text: str
    constants: tuple[np.ndarray, ...]

    def code(self, *, check_well_formed: bool = True) -> str:
        """Return statements that bind ``name``. They need np, relax, I, R, T, inf, nan and TypeVar."""
        text = self.text
        if not check_well_formed:
            text = text.replace("@I.ir_module", "@I.ir_module(check_well_formed=False)", 1)
        return f"metadata = {self.metadata}\n\n\n{text}" if self.constants else text

    @property
    def metadata(self) -> str:
        """The constants as a Python expression."""
        lines = [f'    relax.const({array_source(array)}, "{array.dtype}"),' for array in self.constants]
        return "\n".join([f'{{"{_KEY}": [', *lines, "]}"])

    @property
    def lengths(self) -> tuple[str, ...]:
        """The names of symbolic lengths, which the text binds before the class."""
        return tuple(_LENGTH.findall(self.text))

    @property
    def class_text(self) -> str:
        """The class alone, which is what TVM's parser accepts."""
        return _LENGTH.sub("", self.text).strip()


def write_source(module: ir.Module, name: str) -> Source:
    """Write a module as source, which may not be parsed to an equal module."""
    constants = tuple(constant.value.numpy() for constant in _find_constants(module))
    return Source(name=name, text=_write_text(module, name), constants=constants)


def exact_source(module: ir.Module, name: str) -> Source:
    """Write a module as source that is parsed to an equal module.

    Raises:
        NotExact: if TVM parses the source to another module, or not at all (NotParsed).
    """
    source = write_source(module, name)
    lengths = {letter: TypeVar(letter) for letter in source.lengths}
    metadata = {_KEY: [relax.const(array, str(array.dtype)) for array in source.constants]}
    names = {
        "I": script.ir,
        "R": script.relax,
        "T": script.tirx,
        "inf": math.inf,
        "nan": math.nan,
        "metadata": metadata,
        **lengths,
    }
    try:
        again = tvm.script.from_source(source.class_text, extra_vars=names, check_well_formed=False)
    except Exception as error:
        raise NotParsed(f"TVMScript of {name} cannot be parsed: {ir.short_error(error)}") from error
    if not ir.same(module, again):
        raise NotExact(f"TVMScript of {name} is parsed to another module")
    return source


def print_script(module: ir.Module) -> str:
    """Return the TVMScript of a module, in the syntax of Python 3.11, whatever Python runs.

    From Python 3.12 on TVM prints type parameters (PEP 695), which Python 3.11 does not parse.
    """
    return str(module.script(show_meta=False, extra_config={"relax.use_pep695": False}))


def _write_text(module: ir.Module, name: str) -> str:
    """Return the TVMScript without the comments around it. The class is called ``name``."""
    lines = [line for line in print_script(module).splitlines() if not line.startswith("#")]
    return _NOT_FINITE.sub(r"\1\2", _MODULE.sub(name, "\n".join(lines).strip()))


def _find_constants(module: ir.Module) -> list[Any]:
    """Return the constants that TVMScript leaves to the metadata, in the order of their numbers."""
    constants: list[Any] = []

    def visit(expr: Any) -> None:
        if isinstance(expr, tvm.ir.GenericConst) and not (expr.ty.ndim == 0 and expr.ty.dtype in _INLINE):
            constants.append(expr)

    for _, function in module.functions_items():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return constants
