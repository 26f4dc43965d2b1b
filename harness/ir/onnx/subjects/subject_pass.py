"""A subject as a pass on ONNX models: a callable with what ``checking`` reads of a pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx

from foldproof.ir.base import IR, KnownDefect
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.runtimes import Compiled
from foldproof.ir.onnx.subjects.known_defects import KNOWN_DEFECTS


@dataclass(frozen=True, kw_only=True)
class SubjectPass:
    """A pass of another project. It need not be idempotent, and claims to fold nothing.

    Args:
        name: its name.
        apply: the function from model to model, or to what runs it.
        known_defects: its known defects; None for those of the table.
        compiles: whether it executes models itself, and so may lack a kernel that the IR's compiler lacks as well.
    """

    name: str
    apply: Callable[[onnx.ModelProto], onnx.ModelProto | Compiled]
    known_defects: tuple[KnownDefect, ...] | None = None
    foldproof_ir: IR = ONNX
    idempotent: bool = False
    compiles: bool = False

    def __post_init__(self) -> None:
        if self.known_defects is None:
            known = KNOWN_DEFECTS.get(self.name.partition("/")[0], ())
            object.__setattr__(self, "known_defects", known)

    def __call__(self, model: onnx.ModelProto) -> Any:
        return self.apply(model)
