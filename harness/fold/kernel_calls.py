"""A call of an elementwise PrimFunc as a step, and as ops of Relax."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tvm import ir, relax

from foldproof.fold.facts import Binary, Cast, Composed, Operand, Step, Unary
from foldproof.fold.kernels import Constant, Load, Node, list_nodes
from foldproof.fold.reader import read_operand, shape_of
from foldproof.fold.values import BINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The step that a call is, the ops of Relax that compute the same, and the number of the data's parameter."""

    step: Step
    nodes: tuple[Node, ...]
    parameter: int

    def list_others(self, call: ir.Call) -> list[Any]:
        """Return the operands of each op with two, besides the data, in the order of execution."""
        others = [_find_other(node, self.parameter) for node in self.nodes if len(node.operands) == 2]
        return [
            call.args[1].fields[other.parameter] if isinstance(other, Load) else relax.const(other.value, other.dtype)
            for _, other in others
            if isinstance(other, Load | Constant)
        ]


def read_call(
    call: ir.Call,
    kernels: Callable[[ir.GlobalVar], Node | None],
    resolve: Callable[[Any], Any],
    is_computed: Callable[[Any], bool],
) -> Kernel | None:
    """Return the kernel that a ``call_tir`` calls, None unless it is elementwise in its only computed operand."""
    given = call.args[1]
    if not isinstance(given, relax.Tuple) or not isinstance(call.ty, relax.TensorType):
        return None
    fields = list(given.fields)
    data = [i for i, field in enumerate(fields) if is_computed(field)]
    if not data:  # a parameter of the function, before which there is no pad
        data = [i for i, field in enumerate(fields) if not isinstance(resolve(field), ir.GenericConst)]
    kernel = kernels(call.args[0]) if len(data) == 1 else None
    nodes = None if kernel is None else list_nodes(kernel, data[0])
    if nodes is None or not _is_alike(fields[data[0]], call):
        return None
    rank = int(call.ty.ndim)
    steps = tuple(_read_node(node, data[0], fields, resolve, rank) for node in nodes)
    if None in steps:
        return None
    known = tuple(step for step in steps if step is not None)
    whole = known[0] if len(known) == 1 else Composed(op="call_tir", dtype=known[-1].dtype, steps=known)
    return Kernel(step=whole, nodes=tuple(nodes), parameter=data[0])


def _is_alike(data: Any, call: ir.Call) -> bool:
    """Return whether the lengths of the data are known, and those of the result."""
    before, after = shape_of(data), shape_of(call)
    return before is not None and after is not None and len(before) == len(after)


def _read_node(node: Node, data: int, fields: list[Any], resolve: Callable[[Any], Any], rank: int) -> Step | None:
    if node.op == "astype":
        return Cast(op="astype", dtype=node.dtype)
    if len(node.operands) == 1:
        return Unary(op=node.op, dtype=node.dtype)
    if node.op not in BINARY or sum(not _is_data(child, data) for child in node.operands) != 1:
        return None
    place, child = _find_other(node, data)
    if isinstance(child, Constant):
        operand = Operand(shape=(1,) * rank, flat=(child.value,))
    elif isinstance(child, Load):
        operand = read_operand(resolve(fields[child.parameter]), rank)
    else:
        return None
    return Binary(op=node.op, dtype=node.dtype, other=operand, swapped=place == 0)


def _find_other(node: Node, data: int) -> tuple[int, Load | Constant | Node]:
    """Return the operand of a node that is not the chain, with its number."""
    return next((i, child) for i, child in enumerate(node.operands) if not _is_data(child, data))


def _is_data(child: Any, data: int) -> bool:
    """Return whether a child of a node of the chain is the chain itself."""
    return isinstance(child, Node) or (isinstance(child, Load) and child.parameter == data)


def build_op(node: Node, data: Any, call: ir.Call, parameter: int) -> ir.Call:
    """Return a node as an op of Relax on ``data``, with the other operands of ``call``."""
    if node.op == "astype":
        return relax.op.astype(data, node.dtype)
    args = []
    for child in node.operands:
        if isinstance(child, Constant):
            args.append(relax.const(child.value, child.dtype))
        elif isinstance(child, Load) and child.parameter != parameter:
            args.append(call.args[1].fields[child.parameter])
        else:
            args.append(data)
    return getattr(relax.op, node.op)(*args)
