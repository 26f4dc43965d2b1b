"""ONNX as an ``ir.base.IR``: each method calls the function of this room that does the work."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx

from foldproof.case.any_case import AnyCase
from foldproof.ir.base import FAST, KnownIssue, Program, ResidualPads, StructureChange
from foldproof.ir.onnx import model as models
from foldproof.ir.onnx.build import build, supported
from foldproof.ir.onnx.known_issues import KNOWN_ISSUES
from foldproof.ir.onnx.residual_pads import count_residual_pads
from foldproof.ir.onnx.runtimes import (
    Arrays,
    Compiled,
    OnnxTarget,
    Outputs,
    compile_batch,
    parse_target,
    second_opinion,
    second_refuses,
)
from foldproof.ir.onnx.semantics import SEMANTICS
from foldproof.ir.onnx.source import to_source
from foldproof.ir.onnx.specification import quote
from foldproof.oracle.semantics import Semantics


class Onnx:
    """ONNX models. ONNX Runtime without optimisations runs them, and the reference evaluator of onnx confirms."""

    name: str = "onnx"
    compiler: str = "ONNX Runtime"
    semantics: Semantics = SEMANTICS
    known_issues: Sequence[KnownIssue] = KNOWN_ISSUES
    script_writer: str = "foldproof.repro.onnx_script:write_script"
    module_name: str = "an onnx.ModelProto"
    strategy: str = "foldproof.strategies.onnx_cases:onnx_cases"
    needs_two_opinions: bool = True
    counts_missed_folds: bool = False

    def supported(self, case: Any) -> str:
        return supported(case)

    def build(self, case: Any, *, with_pad: bool = True) -> onnx.ModelProto:
        return build(case, with_pad=with_pad)

    def is_module(self, value: Any) -> bool:
        return isinstance(value, onnx.ModelProto | Compiled)

    def clone(self, module: onnx.ModelProto) -> onnx.ModelProto:
        copied = onnx.ModelProto()
        copied.CopyFrom(module)
        return copied

    def digest(self, module: onnx.ModelProto) -> int:
        return hash(module.SerializeToString(deterministic=True))

    def same(self, a: Any, b: Any) -> bool:
        if isinstance(a, Compiled) and isinstance(b, Compiled):
            return models.same(a.model, b.model)
        return models.same(a, b)

    def identical(self, a: Any, b: Any) -> bool:
        return a is b

    def verify(self, module: onnx.ModelProto | Compiled) -> str:
        return "" if isinstance(module, Compiled) else models.checker_error(module)

    def entry(self, module: onnx.ModelProto | Compiled) -> Any:
        return module

    def first_output(self, module: onnx.ModelProto | Compiled) -> Any:
        return models.first_output(_model_of(module))

    def return_type(self, module: onnx.ModelProto | Compiled) -> Any:
        return models.signature(_model_of(module))

    def residual_pads(self, module: onnx.ModelProto | Compiled) -> ResidualPads:
        return count_residual_pads(_model_of(module))

    def channel_pads(self, module: onnx.ModelProto | Compiled) -> int:
        return 0  # no option of a pass on ONNX removes them

    def parse_target(self, name: str, pipeline: str = FAST) -> OnnxTarget:
        return parse_target(name, pipeline)

    def compile(self, batch: Sequence[Mapping[str, Any]], target: Any) -> Sequence[Program]:
        return compile_batch(batch, target)

    def second_opinion(self, module: onnx.ModelProto | Compiled, arrays: Arrays) -> Outputs | None:
        return second_opinion(module, arrays)

    def second_refuses(self, module: onnx.ModelProto | Compiled, arrays: Arrays) -> bool:
        return second_refuses(module, arrays)

    def quote_specification(self, case: AnyCase) -> tuple[str, ...]:
        return quote(case)

    def can_be_asked(self, module: onnx.ModelProto | Compiled) -> bool:
        return isinstance(module, onnx.ModelProto)

    def find_structure_change(self, before: Any, after: Any, *, copies: int | None) -> StructureChange | None:
        return None  # graphs of several sites are not built in ONNX

    def to_source(self, module: onnx.ModelProto | Compiled) -> str:
        return to_source(_model_of(module))

    def short_error(self, error: BaseException) -> str:
        return models.short_error(error)


def _model_of(module: onnx.ModelProto | Compiled) -> onnx.ModelProto:
    return module.model if isinstance(module, Compiled) else module


ONNX = Onnx()


class FusedOnnx(Onnx):
    """ONNX for compilers that compute several steps without rounding in between, and float64 in float32."""

    semantics: Semantics = replace(
        SEMANTICS, name="onnx, fused", excess_precision=frozenset({"float16", "bfloat16", "float32", "float64"})
    )

    def supported(self, case: Any) -> str:
        computes_float64 = "float64" in (*case.producer_dtypes, *case.step_dtypes, case.result_dtype)
        return supported(case) or ("the compiler computes float64 in float32" if computes_float64 else "")


FUSED_ONNX = FusedOnnx()
