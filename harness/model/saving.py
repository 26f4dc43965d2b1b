"""Write a module as a Python file of TVMScript that is parsed to an equal module, constants included.

``tvm.ir.save_json`` of TVM 0.27 crashes on every module of Relax, and ``print(mod)`` leaves the constants out.
"""

import tvm

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
        _HEADER.format(title=title.replace('"', "'").replace("\\", "/")) + exact_source(module, "Model").code() + "\n"
    )
