"""What runs a model: ONNX Runtime without optimisations, and the reference evaluator of the package onnx.

    compile_batch([{"unfolded": model, "folded": model or Compiled}, ...])  ->  programs

A pass returns a model, which is run as the unfolded one is. A runtime or compiler that is itself under test returns a
``Compiled``, which runs in its own way.

There is one pipeline. ``second_opinion`` runs a model by the reference evaluator of onnx, where that can.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from foldproof.core.errors import UsageError
from foldproof.ir.base import DEFAULT, FAST, Program

Arrays = Mapping[str, np.ndarray]
Outputs = tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What a runtime under test makes of a model.

    Args:
        run: the function from inputs by name to outputs in order.
        model: what it executes, as a model, as far as it shows that.
    """

    run: Callable[[Arrays], Outputs]
    model: onnx.ModelProto


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxTarget:
    """What models are run by."""

    name: str = "cpu"
    pipeline: str = DEFAULT
    notice: str = ""

    @property
    def description(self) -> str:
        return f"ONNX Runtime {onnxruntime.__version__} without optimisations, on CPU"

    def with_pipeline(self, pipeline: str) -> "OnnxTarget":
        """Return the same target: there is one pipeline."""
        return self


def parse_target(name: str, pipeline: str = FAST) -> OnnxTarget:
    """Return the target of that name: ``cpu``, or ``llvm``, which is the default of the command line."""
    if name not in ("cpu", "llvm"):
        raise UsageError(f"unknown target {name!r} of ONNX; expected cpu")
    if pipeline not in (FAST, DEFAULT):
        raise UsageError(f"unknown pipeline {pipeline!r}; expected {FAST} or {DEFAULT}")
    return OnnxTarget()


@cache
def unoptimized() -> Any:
    """Return the options of the session that runs a model as it is."""
    return new_session_options("none")


def new_session_options(level: str) -> Any:
    """Return options of a session of one thread, at an optimisation level: none, basic, extended or all."""
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = {
        "none": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[level]
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    return options


def open_session(model: onnx.ModelProto, options: Any) -> Any:
    """Return a session of ONNX Runtime on CPU."""
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def session_function(session: Any) -> Callable[[Arrays], Outputs]:
    """Return the function that a session runs. bfloat16, which NumPy has not, cannot be fed or read."""
    names = {value.name for value in session.get_inputs()}

    def run(arrays: Arrays) -> Outputs:
        return tuple(session.run(None, {name: array for name, array in arrays.items() if name in names}))

    return run


def second_opinion(model: Any, arrays: Arrays) -> Outputs | None:
    """Return what the reference evaluator of onnx computes; None if it cannot.

    It lacks operators of older opsets and some dtypes, and it is slow. So it decides where two others disagree.
    """
    try:
        return _evaluate(model, arrays) if _may_be_asked(model) else None
    except Exception:  # noqa: BLE001, it raises errors of many kinds where it lacks something
        return None


def second_refuses(model: Any, arrays: Arrays) -> bool:
    """Whether the reference evaluator of onnx, which may be asked about a model, raises on it."""
    try:
        if _may_be_asked(model):
            _evaluate(model, arrays)
    except Exception:  # noqa: BLE001, it raises errors of many kinds
        return True
    return False


def _may_be_asked(model: Any) -> bool:
    return not isinstance(model, Compiled) and not any(map(_is_run_wrongly, model.graph.node))


def _evaluate(model: onnx.ModelProto, arrays: Arrays) -> Outputs:
    evaluator = ReferenceEvaluator(model)
    names = set(evaluator.input_names)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = evaluator.run(None, {name: array for name, array in arrays.items() if name in names})
    return tuple(np.asarray(result) for result in results)


def _is_run_wrongly(node: onnx.NodeProto) -> bool:
    """Whether onnx.reference 1.23 computes values of a node that are wrong, or that the specification leaves open.

    - It reads the ``pads`` of a MaxPool in a wrong order if strides and dilations are all 1 (``_op_common_pool.py``).
    - It returns 0 or raises for a window of a MaxPool with nothing but padding.
    - With SAME_LOWER it rounds the number of windows of a MaxPool down (``op_max_pool.py``).
    """
    if node.op_type != "MaxPool":
        return False
    attributes = {attribute.name: attribute for attribute in node.attribute}
    padded = "pads" in attributes and any(attributes["pads"].ints)
    return padded or ("auto_pad" in attributes and attributes["auto_pad"].s in (b"SAME_UPPER", b"SAME_LOWER"))


class OnnxProgram:
    """The functions of one case, by name."""

    fallback = ""

    def __init__(self, functions: Mapping[str, Callable[[Arrays], Outputs]]) -> None:
        self._functions = functions

    def run(self, name: str, arrays: Arrays) -> Outputs:
        """Run a function on arrays by the names of its inputs, and return its outputs."""
        return self._functions[name](arrays)


def compile_batch(batch: Sequence[Mapping[str, Any]], target: OnnxTarget) -> Sequence[Program]:
    """Return a program for each mapping from names to models."""
    return [OnnxProgram({name: _function_of(module) for name, module in modules.items()}) for modules in batch]


def _function_of(module: Any) -> Callable[[Arrays], Outputs]:
    if isinstance(module, Compiled):
        return module.run
    return session_function(open_session(module, unoptimized()))
