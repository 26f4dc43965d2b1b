"""A subject as a pass on ONNX models: a callable with what ``checking`` reads of a pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx

from foldproof.ir.base import IR, KnownDefect
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.runtimes import Compiled


@dataclass(frozen=True, kw_only=True)
class SubjectPass:
    """A pass of another project. It need not be idempotent, and claims to fold nothing.

    Args:
        name: its name.
        apply: the function from model to model, or to what runs it.
        known_defects: its known defects.
    """

    name: str
    apply: Callable[[onnx.ModelProto], onnx.ModelProto | Compiled]
    known_defects: tuple[KnownDefect, ...] = ()
    foldproof_ir: IR = ONNX
    idempotent: bool = False

    def __call__(self, model: onnx.ModelProto) -> Any:
        return self.apply(model)
