"""Compile a model and run it: inputs from a seed, outputs as a flat list of arrays, and what the compiler planned."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import tvm
from tvm import relax, tirx

from foldproof.core.errors import UsageError
from foldproof.ir.relax.targets import RequireSoundMemory, Target, parse_target
from foldproof.model.importing import Input, Model

Array = np.ndarray[Any, Any]

FILLS = ("random", "negative")
"""Recipes of inputs: of both signs, and all negative, which shows a border of 0 that stands where none should."""

FIRST_LENGTH, OTHER_LENGTH = 1, 64
"""What a symbolic length is for a run: 1 for the first axis, which is the batch, and 64 for all others."""

OPTIMIZED = '{"kind": "llvm"}'
"""The target ``llvm`` with the optimizations of LLVM. For cases, foldproof compiles without them."""


PIPELINES = ("default", "fused")
"""How a model is compiled: as ``tvm.compile`` does by default (on llvm: without fusion), or with FuseOps before it."""


def parse_model_target(name: str) -> Target:
    """Return a target for models. Raises UsageError if TVM cannot compile for it."""
    return parse_target(OPTIMIZED if name == "llvm" else name, "default")


# --- inputs -------------------------------------------------------------------------------------------


def choose_lengths(model: Model) -> dict[Any, int]:
    """Return a number for each symbolic length of the inputs: variable -> number."""
    chosen: dict[Any, int] = {}
    for param in model.function.params:
        shape = getattr(param.ty, "shape", None)
        for axis, length in enumerate(shape.values if isinstance(shape, relax.ShapeExpr) else ()):
            if isinstance(length, tvm.ir.Var):
                chosen.setdefault(length, OTHER_LENGTH if axis else FIRST_LENGTH)
    return chosen


def make_inputs(inputs: Sequence[Input], lengths: Mapping[str, int], fill: str, seed: int = 0) -> list[Array]:
    """Return an array for each input.

    Args:
        inputs: The inputs.
        lengths: Name of a symbolic length -> number.
        fill: One of ``FILLS``. Floats are normally distributed; ``negative`` makes them negative. Integers of 8 and 16
            bits are uniform over their range, or its negative half. Wider integers and bool, which may be indices, are
            0 or 1 in both fills.
        seed: The seed.

    Raises:
        UsageError: If the shape or the dtype of an input is unknown.
    """
    rng = np.random.default_rng(seed)
    return [_make_input(each, lengths, fill, rng) for each in inputs]


def _make_input(each: Input, lengths: Mapping[str, int], fill: str, rng: np.random.Generator) -> Array:
    unknown = each.shape is None or any(isinstance(n, str) and n not in lengths for n in each.shape)
    if unknown or each.dtype == "?":
        raise UsageError(f"input {each} has no shape to run it with; give one with --shape {each.name}=...")
    shape = tuple(lengths[n] if isinstance(n, str) else n for n in each.shape or ())
    dtype = np.dtype(each.dtype)
    if dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize > 2):
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        high = 0 if fill == "negative" and dtype.kind == "i" else bounds.max + 1
        return rng.integers(bounds.min, high, shape).astype(dtype)
    values = rng.normal(size=shape)
    return (-np.abs(values) - 0.01 if fill == "negative" else values).astype(dtype)


# --- programs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the compiler planned: ``kernels`` are the calls of generated functions in one run.

    ``memory`` are the bytes of the planned storage of intermediate tensors; None if symbolic, or if the plan is unsound
    and not used. ``seconds`` is the time of the compilation.
    """

    kernels: int
    memory: int | None
    seconds: float


class ModelProgram:
    """A compiled model. ``plan`` is what the compiler planned."""

    def __init__(self, model: Model, target: Target, pipeline: str = "default") -> None:
        """Compile by one of ``PIPELINES``. Raises what TVM raises."""
        planned, sound = _Planned(), RequireSoundMemory()
        relax_pipeline = "default" if pipeline == "default" else relax.get_default_pipeline(target.tvm_target)
        start = time.perf_counter()
        with tvm.transform.PassContext(opt_level=3, instruments=[planned, sound]):
            executable = tvm.compile(model.module, target=target.tvm_target, relax_pipeline=relax_pipeline)
        seconds = time.perf_counter() - start
        self._entry = relax.VirtualMachine(executable, target.device)[model.entry]
        self._device = target.device
        memory = None if sound.reason else planned.memory
        self.plan = Plan(kernels=planned.kernels, memory=memory, seconds=seconds)

    def load(self, arrays: Sequence[Array]) -> list[Any]:
        """Return the inputs on the device."""
        return [tvm.runtime.tensor(array, self._device) for array in arrays]

    def run(self, tensors: Sequence[Any]) -> list[Array]:
        """Return the outputs, tuples flattened. Raises what TVM raises."""
        return list(_flatten(self._entry(*tensors)))

    def time(self, tensors: Sequence[Any]) -> float:
        """Return the seconds of one run."""
        start = time.perf_counter()
        self._entry(*tensors)
        return time.perf_counter() - start


def _flatten(value: Any) -> list[Array]:
    if isinstance(value, tvm.runtime.Tensor):
        return [value.numpy()]
    if isinstance(value, tvm.runtime.ShapeTuple):
        return [np.array(list(value), np.int64)]
    if isinstance(value, int | float | bool):
        return [np.array(value)]
    if value is None:
        return []
    return [array for each in value for array in _flatten(each)]


@tvm.instrument.pass_instrument
class _Planned:
    """Reads kernels and memory from the module as it is after memory planning."""

    def __init__(self) -> None:
        self.kernels = 0
        self.memory: int | None = None

    def run_after_pass(self, module: tvm.IRModule, info: Any) -> None:
        if info.name != "StaticPlanBlockMemory":
            return
        self.kernels, self.memory = 0, 0
        for _, function in module.functions_items():
            if isinstance(function, relax.Function):
                relax.analysis.post_order_visit(function, lambda value: self._note(module, value))

    def _note(self, module: tvm.IRModule, value: Any) -> None:
        if not isinstance(value, tvm.ir.Call):
            return
        if isinstance(value.op, tvm.ir.GlobalVar):
            self.kernels += isinstance(module[value.op], tirx.PrimFunc)
        elif isinstance(value.op, tvm.ir.Op) and str(value.op.name) == "relax.memory.alloc_storage":
            size = value.args[0].values[0]
            known = isinstance(size, tirx.IntImm)
            self.memory = self.memory + int(size) if self.memory is not None and known else None
