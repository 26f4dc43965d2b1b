"""Build PrimFuncs out of stages, as ``te.create_prim_func`` does. A stage is a nest of loops around one store.

    out[i, j] = sum over k of a[i, k] * b[k, j]   ->   loops i, j, k { block: init out[i, j] = 0; out[i, j] += ... }

TE takes milliseconds for each function; this takes a fraction of that. As in src/te/operation/create_primfunc.cc, the
stored value is simplified by an analyzer without bounds of the axes, and a reduction combines the simplified value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import tvm_ffi
from tvm import ir, tirx
from tvm.s_tir import SBlock, SBlockRealize
from tvm.sym import Analyzer

_INT64 = ir.PrimType("int64")
_SPATIAL, _REDUCED = 0, 2
"""Kinds of iteration axes (``tirx.IterVar``)."""

Expr = Any
"""A TIR expression."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A buffer with its shape as integers."""

    buffer: Any
    lengths: tuple[int, ...]
    dtype: str

    def __getitem__(self, indices: Sequence[Expr]) -> Expr:
        """Return the element at ``indices``, one for each axis."""
        return tirx.BufferLoad(self.buffer, list(indices))


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduction over axes of these ``lengths``: ``combine(accumulator, value)``, starting from ``identity``."""

    lengths: tuple[int, ...]
    combine: Callable[[Expr, Expr], Expr]
    identity: Expr


def sum_over(dtype: str, lengths: Sequence[int]) -> Reduction:
    """Return a sum over axes of these lengths."""
    return Reduction(tuple(lengths), tirx.Add, tirx.const(0, dtype))


def max_over(dtype: str, lengths: Sequence[int]) -> Reduction:
    """Return a maximum over axes of these lengths."""
    return Reduction(tuple(lengths), tirx.Max, tirx.min_value(dtype))


class PrimFuncBuilder:
    """Builds the PrimFunc of an operator ``call``: its parameters, and its stages in the order of execution.

    ``operands`` are the positions in the call of the operands that are parameters. The last stage is the result.
    """

    def __init__(self, call: ir.Call) -> None:
        self.call = call
        self.operands: list[int] = []
        self._params: list[Any] = []
        self._tensors: list[Tensor] = []
        self._bodies: list[Any] = []
        self._analyzer = Analyzer()

    @property
    def result(self) -> Tensor:
        """The tensor of the last stage."""
        return self._tensors[-1]

    def operand(self, position: int) -> Tensor | None:
        """Add an operand of the call as the next parameter; return None if its shape is not static."""
        argument = self.call.args[position]
        lengths = static_shape(argument.ty)
        if lengths is None:
            return None
        tensor = _declare_tensor("x", tuple(lengths), str(argument.ty.dtype))
        self.operands.append(position)
        self._params.append(tensor.buffer)
        return tensor

    def add_stage(
        self,
        name: str,
        lengths: Sequence[int],
        value: Callable[..., Expr],
        *,
        reduction: Reduction | None = None,
        rule: str = "",
        simple: bool = False,
    ) -> Tensor:
        """Add a stage, and return its tensor.

        Args:
            name: name of the block and the tensor.
            lengths: shape of the tensor.
            value: a function from one variable for each axis to the element; variables of reduced axes come last.
            reduction: how values along further axes are combined.
            rule: hint for TVM's schedulers.
            simple: whether the simplifier would not change the value, so that it can be skipped (0.1 ms).
        """
        over = reduction.lengths if reduction else ()
        axes = [tirx.Var(f"v{i}", _INT64) for i in range(len(lengths) + len(over))]
        at = axes[: len(lengths)]
        stored = value(*axes) if simple else self._analyzer.simplify(value(*axes))
        made = _declare_tensor(name, tuple(lengths), str(stored.ty.dtype))
        init = tirx.BufferStore(made.buffer, reduction.identity, at) if reduction else None
        block = SBlock(
            [_iteration_axis(axis, n, _SPATIAL) for axis, n in zip(at, lengths, strict=True)]
            + [_iteration_axis(axis, n, _REDUCED) for axis, n in zip(axes[len(lengths) :], over, strict=True)],
            _collect_reads(stored),
            [_region(made.buffer, at)],
            name,
            tirx.BufferStore(made.buffer, reduction.combine(made[at], stored) if reduction else stored, at),
            init,
            annotations={"schedule_rule": rule} if rule else None,
        )
        self._bodies.append(_nest_loops(block, [*lengths, *over]))
        self._tensors.append(made)
        return made

    def build(self) -> tirx.PrimFunc:
        """Return the PrimFunc of all stages. Its parameters are the operands, then the result."""
        *allocated, result = (tensor.buffer for tensor in self._tensors)
        body = self._bodies[0] if len(self._bodies) == 1 else tirx.SeqStmt(self._bodies)
        root = SBlockRealize([], True, SBlock([], [], [], "root", body, None, allocated))
        attrs = ir.make_node("ir.DictAttrs", **{"s_tir": True, "tirx.noalias": True})
        return tirx.PrimFunc([*self._params, result], root, attrs=attrs)


def static_shape(ty: Any) -> list[int] | None:
    """Return the shape of a Relax tensor type; None if a length is not a number."""
    lengths = getattr(getattr(ty, "shape", None), "values", None)
    if lengths is None:
        return None
    parts = list(lengths)
    return [int(n) for n in parts] if all(isinstance(n, tirx.IntImm) for n in parts) else None


def add_pad(
    builder: PrimFuncBuilder,
    source: Tensor,
    before: Sequence[int],
    after: Sequence[int],
    border: Expr,
    name: str,
    *,
    both: bool,
) -> Tensor:
    """Add a stage that pads with ``border``, whose dtype the result has if any width is not 0. Negative widths crop.

    With ``both``, an axis that is padded on one side is tested on both (topi.nn.pad in Python); else only the padded
    side is tested (topi in C++).
    """

    def value(*at: Any) -> Expr:
        indices, within = [], []
        for place, b, n, a in zip(at, before, source.lengths, after, strict=True):
            indices.append(shift(place, b))
            if b or (both and a):
                within.append(tirx.LE(int64(b), place))
            if a or (both and b):
                within.append(tirx.LT(place, int64(n + b)))
        element = source[indices]
        if not within:
            return element
        return tirx.if_then_else(tirx.all(*within), element.astype(str(border.ty.dtype)), border)

    lengths = [b + n + a for b, n, a in zip(before, source.lengths, after, strict=True)]
    return builder.add_stage(name, lengths, value, simple=True)


def shift(at: Expr, before: int) -> Expr:
    """Return ``at - before`` in the form that TVM's simplifier gives it."""
    if before == 0:
        return at
    return tirx.Sub(at, int64(before)) if before > 0 else tirx.Add(at, int64(-before))


@lru_cache(1024)
def int64(number: int) -> tirx.IntImm:
    """Return an integer constant of the dtype that lengths and indices have."""
    return tirx.IntImm("int64", number)


# --- parts of a block ---------------------------------------------------------------------------------


def _nest_loops(block: SBlock, lengths: Sequence[int]) -> Any:
    loops = [tirx.Var(f"i{i}", _INT64) for i in range(len(lengths))]
    body: Any = SBlockRealize(loops, True, block)
    for loop, length in zip(reversed(loops), reversed(lengths), strict=True):
        body = tirx.For(loop, int64(0), int64(length), tirx.ForKind.SERIAL, body)
    return body


def _collect_reads(stored: Expr) -> list[Any]:
    """Return the regions that an expression reads, each once, in the order of their first use."""
    loads: list[Any] = []
    tvm_ffi.structural_walk(stored, (ir.TensorLoad, loads.append), order="pre")
    kept: list[Any] = []
    for load in loads:
        if not any(tvm_ffi.structural_equal(load, known) for known in kept):
            kept.append(load)
    return [_region(load.source, load.indices) for load in kept]


def _region(buffer: Any, indices: Sequence[Any]) -> Any:
    return tirx.BufferRegion(buffer, [ir.Range.from_min_extent(index, int64(1)) for index in indices])


def _iteration_axis(var: Any, length: int, kind: int) -> tirx.IterVar:
    return tirx.IterVar((int64(0), int64(length)), var, kind)


def _declare_tensor(name: str, lengths: tuple[int, ...], dtype: str) -> Tensor:
    buffer = tirx.decl_buffer([int64(length) for length in lengths], dtype, name, layout=None)
    return Tensor(buffer, lengths, dtype)
