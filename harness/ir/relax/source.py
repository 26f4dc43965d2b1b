"""A module as TVMScript that a Python file can hold: parsed again, it is structurally equal to the module.

    metadata = {"ir.GenericConst": [...]}
    @I.ir_module
    class Before: ...

``module.script()`` alone does not come back: TVM 0.27 keeps constants apart in metadata (and dies when it writes them
down), and writes NaN and the infinities as strings that its parser refuses.
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
"""dtypes of which TVMScript writes a scalar where it stands; all other constants go to the metadata, in order."""

_NOT_FINITE = re.compile(r'(R\.const\(|\b\w+=)"(-?inf|nan)"')
_MODULE = re.compile(r"(?<=^class )Module(?=:$)|(?<= cls = )Module$", re.MULTILINE)
_LENGTH = re.compile(r'^(\w+) = TypeVar\("\w+"\)$', re.MULTILINE)


class NotExact(ValueError):  # noqa: N818, nothing is wrong with the module
    """TVMScript of this module does not come back as it was; the message says why."""


class NotParsed(NotExact):
    """TVM does not even read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``text`` is a class ``name`` under ``I.ir_module``; ``constants`` are what it finds as ``metadata``."""

    name: str
    text: str
    constants: tuple[np.ndarray, ...]

    def code(self, *, check_well_formed: bool = True) -> str:
        """Statements that bind ``name``; they need np, relax, I, R, T, inf, nan and TypeVar."""
        text = self.text
        if not check_well_formed:
            text = text.replace("@I.ir_module", "@I.ir_module(check_well_formed=False)", 1)
        return f"metadata = {self.metadata}\n\n\n{text}" if self.constants else text

    @property
    def metadata(self) -> str:
        """The constants as an expression."""
        lines = [f'    relax.const({array_source(array)}, "{array.dtype}"),' for array in self.constants]
        return "\n".join([f'{{"{_KEY}": [', *lines, "]}"])

    @property
    def lengths(self) -> tuple[str, ...]:
        """Names of symbolic lengths, which the text binds before the class."""
        return tuple(_LENGTH.findall(self.text))

    @property
    def parsed(self) -> str:
        """What TVM's parser takes: the class alone."""
        return _LENGTH.sub("", self.text).strip()


def write_source(module: ir.Module, name: str) -> Source:
    """The module as source, which may not come back."""
    constants = tuple(constant.value.numpy() for constant in _constants(module))
    return Source(name=name, text=_text(module, name), constants=constants)


def exact_source(module: ir.Module, name: str) -> Source:
    """The module as source. Raises NotExact unless it comes back as it was."""
    found = write_source(module, name)
    lengths = {letter: TypeVar(letter) for letter in found.lengths}
    metadata = {_KEY: [relax.const(array, str(array.dtype)) for array in found.constants]}
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
        again = tvm.script.from_source(found.parsed, extra_vars=names, check_well_formed=False)
    except Exception as error:
        raise NotParsed(f"TVMScript of {name} cannot be parsed: {ir.short_error(error)}") from error
    if not ir.same(module, again):
        raise NotExact(f"TVMScript of {name} is parsed to another module")
    return found


def _text(module: ir.Module, name: str) -> str:
    """TVMScript without the comments around it, the module called ``name``."""
    lines = [line for line in module.script(show_meta=False).splitlines() if not line.startswith("#")]
    return _NOT_FINITE.sub(r"\1\2", _MODULE.sub(name, "\n".join(lines).strip()))


def _constants(module: ir.Module) -> list[Any]:
    """Those that TVMScript leaves to the metadata, in the order in which it numbers them."""
    found: list[Any] = []

    def visit(expr: Any) -> None:
        if isinstance(expr, tvm.ir.GenericConst) and not (expr.ty.ndim == 0 and expr.ty.dtype in _INLINE):
            found.append(expr)

    for _, function in module.functions_items():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return found
