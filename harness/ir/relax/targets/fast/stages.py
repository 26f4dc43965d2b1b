"""PrimFuncs written as stages, each a nest of loops around one store, as ``te.create_prim_func`` writes them.

    out[i, j] = sum over k of a[i, k] * b[k, j]   ->   loops i, j, k { block: init out[i, j] = 0; out[i, j] += ... }

Without TE, which takes milliseconds for each function. (src/te/operation/create_primfunc.cc: what a stage stores is
simplified by an analyzer that knows nothing of the axes; a reduction adds the simplified value to what it has.)
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
"""Kinds of axes (``tirx.IterVar``)."""

Expr = Any
"""An expression of TIR."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A buffer, and its lengths as numbers."""

    buffer: Any
    lengths: tuple[int, ...]
    dtype: str

    def __getitem__(self, indices: Sequence[Expr]) -> Expr:
        """The element at ``indices``, one for each axis."""
        return tirx.BufferLoad(self.buffer, list(indices))


@dataclass(frozen=True, slots=True)
class Reduction:
    """Over axes of so many ``lengths``: ``combined(so far, another)``, starting from ``first``."""

    lengths: tuple[int, ...]
    combined: Callable[[Expr, Expr], Expr]
    first: Expr


def summed(dtype: str, lengths: Sequence[int]) -> Reduction:
    """A sum."""
    return Reduction(tuple(lengths), tirx.Add, tirx.const(0, dtype))


def greatest(dtype: str, lengths: Sequence[int]) -> Reduction:
    """A maximum."""
    return Reduction(tuple(lengths), tirx.Max, tirx.min_value(dtype))


class Stages:
    """Stages of a ``call`` in the order of execution. Operands of it are parameters; the last stage is the result.

    ``operands`` are the places of the parameters in the call.
    """

    def __init__(self, call: ir.Call) -> None:
        self.call = call
        self.operands: list[int] = []
        self._params: list[Any] = []
        self._made: list[Tensor] = []
        self._bodies: list[Any] = []
        self._analyzer = Analyzer()

    @property
    def result(self) -> Tensor:
        """What the last stage makes."""
        return self._made[-1]

    def operand(self, position: int) -> Tensor | None:
        """An operand of the call as the next parameter; None if one of its lengths is not a number."""
        argument = self.call.args[position]
        lengths = numbers(argument.ty)
        if lengths is None:
            return None
        tensor = _tensor("x", tuple(lengths), str(argument.ty.dtype))
        self.operands.append(position)
        self._params.append(tensor.buffer)
        return tensor

    def stage(
        self,
        name: str,
        lengths: Sequence[int],
        value: Callable[..., Expr],
        *,
        reduction: Reduction | None = None,
        rule: str = "",
        simple: bool = False,
    ) -> Tensor:
        """A tensor of ``lengths`` with a ``value`` for each place, given one variable for each axis.

        With a ``reduction`` it is given those of the reduced axes as well, after the others. ``rule`` is a hint for
        TVM's schedulers. A ``simple`` value is one that the simplifier would leave as it is, which takes it 0.1 ms.
        """
        over = reduction.lengths if reduction else ()
        axes = [tirx.Var(f"v{i}", _INT64) for i in range(len(lengths) + len(over))]
        at = axes[: len(lengths)]
        stored = value(*axes) if simple else self._analyzer.simplify(value(*axes))
        made = _tensor(name, tuple(lengths), str(stored.ty.dtype))
        init = tirx.BufferStore(made.buffer, reduction.first, at) if reduction else None
        block = SBlock(
            [_axis(axis, n, _SPATIAL) for axis, n in zip(at, lengths, strict=True)]
            + [_axis(axis, n, _REDUCED) for axis, n in zip(axes[len(lengths) :], over, strict=True)],
            _reads(stored),
            [_element(made.buffer, at)],
            name,
            tirx.BufferStore(made.buffer, reduction.combined(made[at], stored) if reduction else stored, at),
            init,
            annotations={"schedule_rule": rule} if rule else None,
        )
        self._bodies.append(_looped(block, [*lengths, *over]))
        self._made.append(made)
        return made

    def function(self) -> tirx.PrimFunc:
        """The PrimFunc of all stages. Its parameters are the operands, and the result."""
        *allocated, result = (tensor.buffer for tensor in self._made)
        body = self._bodies[0] if len(self._bodies) == 1 else tirx.SeqStmt(self._bodies)
        root = SBlockRealize([], True, SBlock([], [], [], "root", body, None, allocated))
        attrs = ir.make_node("ir.DictAttrs", **{"s_tir": True, "tirx.noalias": True})
        return tirx.PrimFunc([*self._params, result], root, attrs=attrs)


def numbers(ty: Any) -> list[int] | None:
    """The lengths of a Relax tensor, None if one is not a number."""
    lengths = getattr(getattr(ty, "shape", None), "values", None)
    if lengths is None:
        return None
    found = list(lengths)
    return [int(n) for n in found] if all(isinstance(n, tirx.IntImm) for n in found) else None


def padded(
    stages: Stages, source: Tensor, before: Sequence[int], after: Sequence[int], border: Expr, name: str, *, both: bool
) -> Tensor:
    """A stage that pads with ``border``, of its dtype if anything is padded. Negative widths crop.

    ``both`` sides of a padded axis are tested (topi.nn.pad in Python), or only those with a width (topi in C++).
    """

    def value(*at: Any) -> Expr:
        indices, within = [], []
        for place, b, n, a in zip(at, before, source.lengths, after, strict=True):
            indices.append(moved(place, b))
            if b or (both and a):
                within.append(tirx.LE(int64(b), place))
            if a or (both and b):
                within.append(tirx.LT(place, int64(n + b)))
        element = source[indices]
        if not within:
            return element
        return tirx.if_then_else(tirx.all(*within), element.astype(str(border.ty.dtype)), border)

    lengths = [b + n + a for b, n, a in zip(before, source.lengths, after, strict=True)]
    return stages.stage(name, lengths, value, simple=True)


def moved(at: Expr, before: int) -> Expr:
    """``at - before``, as TVM's simplifier writes it."""
    if before == 0:
        return at
    return tirx.Sub(at, int64(before)) if before > 0 else tirx.Add(at, int64(-before))


@lru_cache(1024)
def int64(number: int) -> tirx.IntImm:
    """A number of the dtype that lengths and indices have."""
    return tirx.IntImm("int64", number)


# --- parts of a block ---------------------------------------------------------------------------------


def _looped(block: SBlock, lengths: Sequence[int]) -> Any:
    loops = [tirx.Var(f"i{i}", _INT64) for i in range(len(lengths))]
    body: Any = SBlockRealize(loops, True, block)
    for loop, length in zip(reversed(loops), reversed(lengths), strict=True):
        body = tirx.For(loop, int64(0), int64(length), tirx.ForKind.SERIAL, body)
    return body


def _reads(stored: Expr) -> list[Any]:
    """The elements that an expression reads, each once, in the order in which it names them."""
    loads: list[Any] = []
    tvm_ffi.structural_walk(stored, (ir.TensorLoad, loads.append), order="pre")
    kept: list[Any] = []
    for load in loads:
        if not any(tvm_ffi.structural_equal(load, known) for known in kept):
            kept.append(load)
    return [_element(load.source, load.indices) for load in kept]


def _element(buffer: Any, indices: Sequence[Any]) -> Any:
    return tirx.BufferRegion(buffer, [ir.Range.from_min_extent(index, int64(1)) for index in indices])


def _axis(var: Any, length: int, kind: int) -> tirx.IterVar:
    return tirx.IterVar((int64(0), int64(length)), var, kind)


def _tensor(name: str, lengths: tuple[int, ...], dtype: str) -> Tensor:
    buffer = tirx.decl_buffer([int64(length) for length in lengths], dtype, name, layout=None)
    return Tensor(buffer, lengths, dtype)
