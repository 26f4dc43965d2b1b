"""Write a module as a Python file of TVMScript that is parsed to an equal module, constants included.

A constant that a frontend reshaped can carry the type of its old shape inside its new one. It is made anew.

``tvm.ir.save_json`` of TVM 0.27 crashes on every module of Relax, and ``print(mod)`` leaves the constants out.
"""

from typing import Any

import tvm
from tvm import relax

from foldproof.ir.relax.source import exact_source

_HEADER = '''"""{title}"""

import base64
import zlib
from math import inf, nan
from typing import TypeVar

import ml_dtypes
import numpy as np
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

'''


def module_source(module: tvm.IRModule, title: str) -> str:
    """Return a Python file that binds ``Model``, a module equal to ``module``.

    Args:
        module: The module.
        title: One line for the docstring of the file.

    Raises:
        NotExact: If TVM parses the source to another module, or not at all.
    """
    return (
        _HEADER.format(title=title.replace('"', "'").replace("\\", "/"))
        + exact_source(_renew_constants(module), "Model").code()
        + "\n"
    )


def _renew_constants(module: tvm.IRModule) -> tvm.IRModule:
    out = module.clone()
    for key, function in module.functions_items():
        if isinstance(function, relax.Function):
            out.update_func(key, _Renewer().visit_expr(function))
    return out


@relax.expr_functor.mutator
class _Renewer(relax.expr_functor.PyExprMutator):  # type: ignore[misc]
    def visit_generic_const_(self, constant: Any) -> Any:
        return relax.const(constant.value, str(constant.ty.dtype))
