"""Targets and pipelines: compile Relax functions and run them on arrays."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import tvm

from foldproof.ir.relax.targets.default import compile_default, compile_naive
from foldproof.ir.relax.targets.fast.pipeline import compile_fast
from foldproof.ir.relax.targets.memory_plan import RequireSoundMemory
from foldproof.ir.relax.targets.target import DEFAULT, FAST, NAIVE, PIPELINES, Target, TargetError, parse_target

__all__ = [
    "DEFAULT",
    "FAST",
    "NAIVE",
    "PIPELINES",
    "Program",
    "RequireSoundMemory",
    "Target",
    "TargetError",
    "compile_batch",
    "compile_functions",
    "parse_target",
]


class Program(Protocol):
    """Compiled functions of one case.

    ``fallback`` is the reason if another pipeline than the requested one compiled them, else empty.
    """

    fallback: str

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of the function ``name`` on arrays in the order of its parameters."""


def compile_functions(modules: Mapping[str, tvm.IRModule], target: Target) -> Program:
    """Compile the function ``main`` of each module; it is called by the key of the module. Raises what TVM raises."""
    return compile_batch([modules], target)[0]


def compile_batch(batch: Sequence[Mapping[str, tvm.IRModule]], target: Target) -> Sequence[Program]:
    """Return a program for each mapping, compiled together if the pipeline can. Raises what TVM raises."""
    if target.pipeline == FAST:
        return compile_fast(batch, target)
    compile_ = compile_naive if target.pipeline == NAIVE else compile_default
    return [compile_(modules, target) for modules in batch]
