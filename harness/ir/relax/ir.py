"""Relax as an ``ir.base.IR``: each method calls the function of this room that does the work."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tvm
import tvm_ffi

from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase
from foldproof.ir.base import FAST, RELAX_STRATEGY, KnownIssue, Program, ResidualPads, StructureChange
from foldproof.ir.relax import module as modules
from foldproof.ir.relax.build import MAIN, build
from foldproof.ir.relax.build_graph import build_graph
from foldproof.ir.relax.known_issues import KNOWN_ISSUES
from foldproof.ir.relax.residual_pads import count_channel_pads, count_identity_pads, find_padded_consumers
from foldproof.ir.relax.semantics import SEMANTICS
from foldproof.ir.relax.source import print_script
from foldproof.ir.relax.structure import find_structure_change
from foldproof.ir.relax.supported import supported
from foldproof.ir.relax.targets import Target, compile_batch, parse_target
from foldproof.oracle.semantics import Semantics


class Relax:
    """Relax, the graph IR of TVM 0.27, compiled and run by TVM."""

    name: str = "relax"
    compiler: str = "TVM"
    semantics: Semantics = SEMANTICS
    known_issues: Sequence[KnownIssue] = KNOWN_ISSUES
    script_writer: str = "foldproof.repro.script:write_script"
    module_name: str = "an IRModule"
    strategy: str = RELAX_STRATEGY
    needs_two_opinions: bool = False
    counts_missed_folds: bool = True

    def supported(self, case: AnyCase) -> str:
        if isinstance(case, OnnxCase):
            return "the case is one of ONNX, with a form of its model; the pass works on Relax"
        return next(filter(None, map(supported, case.cases)), "")

    def build(self, case: AnyCase, *, with_pad: bool = True) -> tvm.IRModule:
        if isinstance(case, Graph):
            return build_graph(case)
        return build(case.case if isinstance(case, OnnxCase) else case, with_pad=with_pad)

    def is_module(self, value: Any) -> bool:
        return isinstance(value, tvm.IRModule)

    def clone(self, module: tvm.IRModule) -> tvm.IRModule:
        return module.clone()

    def digest(self, module: tvm.IRModule) -> int:
        return int(tvm_ffi.structural_hash(module))

    def same(self, a: Any, b: Any) -> bool:
        return modules.same(a, b)

    def identical(self, a: tvm.IRModule, b: tvm.IRModule) -> bool:
        return bool(a.same_as(b))

    def verify(self, module: tvm.IRModule) -> str:
        return modules.well_formedness_error(module) or ""

    def entry(self, module: tvm.IRModule) -> Any:
        return module[MAIN] if MAIN in module else None  # noqa: SIM401, an IRModule has no get

    def first_output(self, module: tvm.IRModule) -> Any:
        return modules.first_output(module, MAIN)

    def return_type(self, module: tvm.IRModule) -> Any:
        return module[MAIN].ret_ty

    def find_structure_change(
        self, before: tvm.IRModule, after: tvm.IRModule, *, copies: int | None
    ) -> StructureChange | None:
        return find_structure_change(before, after, copies=copies)

    def residual_pads(self, module: tvm.IRModule) -> ResidualPads:
        identity = count_identity_pads(module)
        consumers = find_padded_consumers(module)
        return ResidualPads(foldable=len(consumers) + identity, identity=identity, consumers=consumers)

    def channel_pads(self, module: tvm.IRModule) -> int:
        return count_channel_pads(module)

    def parse_target(self, name: str, pipeline: str = FAST) -> Target:
        return parse_target(name, pipeline)

    def compile(self, batch: Sequence[Mapping[str, tvm.IRModule]], target: Any) -> Sequence[Program]:
        return compile_batch(batch, target)

    def second_refuses(self, module: tvm.IRModule, arrays: Mapping[str, np.ndarray]) -> bool:
        return False  # TVM is the only implementation of Relax

    def second_opinion(self, module: tvm.IRModule, arrays: Mapping[str, np.ndarray]) -> None:
        return None  # the default pipeline is one

    def quote_specification(self, case: AnyCase) -> tuple[str, ...]:
        return ()

    def can_be_asked(self, module: tvm.IRModule) -> bool:
        return False

    def to_source(self, module: tvm.IRModule) -> str:
        return print_script(module)

    def short_error(self, error: BaseException) -> str:
        return modules.short_error(error)


RELAX = Relax()
