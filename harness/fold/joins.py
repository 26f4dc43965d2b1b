"""Elementwise ops whose operands come from the same data, with the ops between.

    y = pad(x)
    s = sigmoid(y)          region: s, m         source: y         one step: y * sigmoid(y)
    m = multiply(y, s)

The search goes back from the op and always takes the operand that is bound last. So it ends at the first variable that
all operands come from.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tvm import ir, relax

from foldproof.fold.facts import Joined, Operand, Padded, Rearranged, Step
from foldproof.fold.reader import op_name, read_operand
from foldproof.fold.values import BINARY

JOINING = frozenset(f"relax.{name}" for name in (*(set(BINARY) - {"nn.prelu"}), "where"))
"""Elementwise ops of several tensors."""

MOST_OPS = 16
"""The most ops of a region: activations have a handful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One step: the op, the variable that all its operands come from, and the ops between in their order."""

    step: Joined
    source: relax.Var
    between: tuple[relax.Var, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What the search asks: the value of a variable, its order, its step if it has one operand, a constant's value."""

    alias: Callable[[Any], Any]
    value: Callable[[Any], Any]
    resolve: Callable[[Any], Any]
    order: Callable[[Any], float]
    step: Callable[[Any], tuple[Step, int] | None]
    data: Callable[[Any, int], Any]
    near: Callable[[relax.Var], bool]


def find_join(graph: Graph, var: relax.Var) -> Join | None:
    """Return the join that ``var``, an op of ``JOINING``, is bound to; None if its operands come from other data."""
    found = {var: _list_computed(graph, var)}
    waiting = dict.fromkeys(found[var])
    rank = int(var.ty.ndim)
    while len(waiting) > 1:
        last = max(waiting, key=graph.order)
        del waiting[last]
        operands = _list_operands(graph, last) if len(found) <= MOST_OPS and graph.near(last) else None
        if operands is None or int(last.ty.ndim) != rank:
            return None
        found[last] = operands
        waiting |= dict.fromkeys(operands)
    if not waiting:
        return None
    [source] = waiting
    if int(source.ty.ndim) != rank or rank < 0:
        return None
    between = sorted((one for one in found if not one.same_as(var)), key=graph.order)
    step = _read_join(graph, var, source, rank)
    return Join(step=step, source=source, between=tuple(between))


def _list_operands(graph: Graph, var: relax.Var) -> list[relax.Var] | None:
    """Return the operands of an elementwise op that are computed, None for another op."""
    simple = graph.step(var)
    if simple is not None:
        step, index = simple
        moves = isinstance(step, Padded | Rearranged)
        return None if moves else [graph.alias(graph.data(var, index))]
    return _list_computed(graph, var) if op_name(graph.value(var)) in JOINING else None


def _list_computed(graph: Graph, var: relax.Var) -> list[relax.Var]:
    """Return the operands that are neither constants nor parameters."""
    names = map(graph.alias, graph.value(var).args)
    return [name for name in names if _is_computed(graph, name)]


def _is_computed(graph: Graph, name: Any) -> bool:
    return (
        isinstance(name, relax.Var) and graph.order(name) >= 0 and not isinstance(graph.resolve(name), ir.GenericConst)
    )


def _read_join(graph: Graph, var: relax.Var, source: relax.Var, rank: int) -> Joined:
    operands = tuple(_read_one(graph, arg, source, rank) for arg in graph.value(var).args)
    return Joined(op=op_name(graph.value(var)).removeprefix("relax."), dtype=str(var.ty.dtype), operands=operands)


def _read_one(graph: Graph, arg: Any, source: relax.Var, rank: int) -> tuple[Step, ...] | Operand:
    name = graph.alias(arg)
    if not _is_computed(graph, name):
        return read_operand(graph.resolve(name), rank)
    return tuple(_list_steps(graph, name, source, rank))


def _list_steps(graph: Graph, var: relax.Var, source: relax.Var, rank: int) -> Iterator[Step]:
    """Yield the steps from the source to a variable of the region."""
    if var.same_as(source):
        return
    simple = graph.step(var)
    if simple is None:
        yield _read_join(graph, var, source, rank)
    else:
        step, index = simple
        yield from _list_steps(graph, graph.alias(graph.data(var, index)), source, rank)
        yield step
