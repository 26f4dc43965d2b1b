"""Read a PrimFunc that computes element by element, as the ONNX frontend of TVM emits it for a Clip.

    for i0, i1 in T.grid(2, 11):
        with T.sblock("T_maximum"):
            v0, v1 = T.axis.remap("SS", [i0, i1])
            out[v0, v1] = T.max(x[v0, v1], low[()])              maximum(x, low)

The body is proved: one store for each element of the output, of an expression that loads the data at the same place.
Each op of the expression is the op of Relax that TVM legalizes to it, so a call can be written as ops of Relax.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tvm import ir, sym, tirx

from foldproof.fold import store as nests
from foldproof.fold.values import FLOATS, INTEGER_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """An element of the parameter of this number: at the same place, or broadcast as Relax does."""

    parameter: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number in the dtype of the op that reads it."""

    value: float
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An op of Relax, the dtype of its result, and what it reads."""

    op: str
    dtype: str
    operands: "tuple[Load | Constant | Node, ...]"


_BINARY = {
    tirx.Max: "maximum",
    tirx.Min: "minimum",
    tirx.Add: "add",
    tirx.Sub: "subtract",
    tirx.Mul: "multiply",
    tirx.Div: "divide",
}
_UNARY = {
    "tirx.exp": "exp",
    "tirx.tanh": "tanh",
    "tirx.sigmoid": "sigmoid",
    "tirx.erf": "erf",
    "tirx.sqrt": "sqrt",
    "tirx.fabs": "abs",
    "tirx.nearbyint": "round",
    "tirx.floor": "floor",
    "tirx.ceil": "ceil",
    "tirx.trunc": "trunc",
}
"""What the ops of Relax are legalized to, for floats (relax/transform/legalize_ops)."""

MOST_NODES = 16


def read_kernel(function: tirx.PrimFunc) -> Node | None:
    """Return the expression that a PrimFunc computes for each element of its last parameter, None if not proved."""
    params = list(function.params)
    buffers = [param for param in params if isinstance(param.ty, tirx.BufferType)]
    if len(buffers) < 2 or not params[-1].same_as(buffers[-1]):
        return None
    target = buffers[-1]
    if any(param.same_as(target) for param in params[:-1]) or not all(nests._is_compact(b.ty) for b in buffers):
        return None
    loops, realize = nests._find_nest(function.body)
    if realize is None or not nests._binds(realize, loops):
        return None
    axes, shape = tuple(axis.var for axis in realize.block.iter_vars), tuple(target.ty.shape)
    if len(axes) != len(shape) or not nests._covers(loops, realize.block, shape):
        return None
    body = realize.block.body
    stores = isinstance(body, tirx.BufferStore) and body.buffer.same_as(target) and nests.are_same(body.indices, axes)
    if not stores:
        return None
    found = _Reader(params[:-1], axes, shape).read(body.value, MOST_NODES)
    return found if isinstance(found, Node) else None


@dataclass(frozen=True, slots=True)
class _Reader:
    params: list[ir.Var]
    axes: tuple[ir.Var, ...]
    shape: tuple[Any, ...]

    def read(self, expr: Any, depth: int) -> "Load | Constant | Node | None":
        """Return what an expression computes, None if it holds anything unknown."""
        if isinstance(expr, ir.TensorLoad):
            return self._read_load(expr)
        if isinstance(expr, tirx.IntImm | tirx.FloatImm):
            return Constant(value=expr.value, dtype=str(expr.ty.dtype))
        name, children = _split(expr)
        if not name or depth == 0:
            return None
        operands = [self.read(child, depth - 1) for child in children]
        if any(operand is None for operand in operands):
            return None
        return Node(op=name, dtype=str(expr.ty.dtype), operands=tuple(o for o in operands if o is not None))

    def _read_load(self, load: ir.TensorLoad) -> Load | None:
        """Return a load at the axes, or of a tensor that broadcasts: its axes are the last ones, or have length 1."""
        for number, param in enumerate(self.params):
            if not load.source.same_as(param):
                continue
            lengths, analyzer = tuple(param.ty.shape), sym.Analyzer()
            first = len(self.axes) - len(lengths)
            if first < 0 or len(load.indices) != len(lengths):
                return None
            whole = first == 0
            for index, length, axis, size in zip(
                load.indices, lengths, self.axes[first:], self.shape[first:], strict=True
            ):
                if index.same_as(axis) and analyzer.can_prove_equal(length, size):
                    continue
                whole = False
                if not (nests.is_integer(index, 0) and nests.is_integer(length, 1)):
                    return None
            return Load(parameter=number, whole=whole)
        return None


def _split(expr: Any) -> tuple[str, list[Any]]:
    """Return the op of Relax that an expression is, and its operands; '' if it is not known."""
    dtype = str(getattr(getattr(expr, "ty", None), "dtype", ""))
    for kind, name in _BINARY.items():
        if isinstance(expr, kind):
            known = dtype in FLOATS or (dtype in INTEGER_BITS and name != "divide")
            return (name, [expr.a, expr.b]) if known else ("", [])
    if isinstance(expr, tirx.Cast):
        return "astype", [expr.value]
    if isinstance(expr, ir.Call) and isinstance(expr.op, ir.Op) and dtype in FLOATS:
        return _UNARY.get(str(expr.op.name), ""), list(expr.args)
    return "", []


def list_nodes(kernel: Node, parameter: int) -> list[Node] | None:
    """Return the ops from a parameter to the result, None unless they are a chain that loads it once, at its place.

    In the chain, each op reads the result of the one before. A sum of a rounded product is not read, since a compiler
    may fuse both in one expression. So are several ops in dtypes that compilers do not round after each.
    """
    chain: list[Node] = []
    node: Any = kernel
    while isinstance(node, Node):
        chain.insert(0, node)
        leading = [child for child in node.operands if _loads(child, parameter)]
        if len(leading) != 1 or any(isinstance(child, Node) for child in node.operands if child is not leading[0]):
            return None
        node = leading[0]
    if not node.whole or (len(chain) > 1 and not {one.dtype for one in chain} <= _ROUNDED):
        return None
    fused = any(a.op == "multiply" and b.op in ("add", "subtract") for a, b in pairwise(chain))
    return None if fused else chain


_ROUNDED = {"float32", "float64", *INTEGER_BITS}


def _loads(child: Any, parameter: int) -> bool:
    if isinstance(child, Load):
        return child.parameter == parameter
    return isinstance(child, Node) and any(_loads(one, parameter) for one in child.operands)
