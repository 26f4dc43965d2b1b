"""Read a PrimFunc: the pad that the ONNX frontend of TVM calls by ``call_tir`` instead of ``relax.nn.pad``.

    for i0, i1 in T.grid(2, 11):
        with T.sblock("PadInput"):
            v0, v1 = T.axis.remap("SS", [i0, i1])
            out[v0, v1] = T.if_then_else(1 <= v1 and v1 < 9, x[v0, v1 - 1], T.float32(0))

That is what ``topi.nn.pad`` emits (onnx_frontend.py, Pad), and so what a ``relax.nn.pad`` of these widths computes.
The body is proved, element by element of the output; the block's name says nothing of a constant pad. Of the other
modes it says which one, since none of those is ever folded.
"""

from dataclasses import dataclass
from typing import Any

from tvm import ir, s_tir, sym, tirx

from foldproof.fold.facts import PadFacts, Widths

MODES = {
    "PadInput": "constant",
    "MirrorPadInput": "mirror",
    "ReflectPadInput": "reflect",
    "ReplicatePadInput": "replicate",
    "CircularPadInput": "circular",
}
"""Block name, as topi/nn/pad.py gives it -> mode."""


def read_prim_pad(function: tirx.PrimFunc) -> PadFacts | None:
    """Facts of a PrimFunc that pads its first parameter into its last one, None where it is not proved to.

    ``value`` is an int where the dtype is one (bool too), exact to 64 bits, and 0 where the function holds none.
    ``widths`` is None where one is not constant, and for a mode other than "constant" unless it is proved to add
    nothing: an identity, a crop. A load without a fill value is a pad only by its block's name: any copy or slice would
    be one otherwise.
    """
    store = _read_store(function)
    if store is None:
        return None
    proved = _proved(store)
    mode = MODES.get(store.name, "constant")
    if proved is None and mode != "constant" and _loads(store.value, store):
        return PadFacts(mode=mode, value=0, dtype=store.dtype, widths=None)
    return proved


# --- one store, over the whole output -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """``out[axes] = value``, run once for every ``axes`` within ``target``, the shape of ``out``.

    ``source`` is the buffer that may be read, ``scalars`` are the variables that stay the same for all elements.
    """

    name: str
    dtype: str
    source: ir.Var
    target: tuple[Any, ...]
    axes: tuple[ir.Var, ...]
    scalars: frozenset[ir.Var]
    value: Any


def _read_store(function: tirx.PrimFunc) -> _Store | None:
    """What a function does that does nothing but one store; None for any other."""
    buffers = _buffers(function)
    if buffers is None:
        return None
    source, target = buffers
    loops, realize = _nest(function.body)
    if realize is None or not _binds(realize, loops):
        return None
    block, shape = realize.block, tuple(target.ty.shape)
    axes = tuple(axis.var for axis in block.iter_vars)
    if len(axes) != len(shape) or not _covers(loops, block, shape):
        return None
    store = block.body
    if not isinstance(store, tirx.BufferStore) or not store.buffer.same_as(target) or not _are(store.indices, axes):
        return None
    return _Store(
        name=str(block.name_hint),
        dtype=str(target.ty.dtype),
        source=source,
        target=shape,
        axes=axes,
        scalars=_scalars(function, source, target),
        value=store.value,
    )


def _buffers(function: tirx.PrimFunc) -> tuple[ir.Var, ir.Var] | None:
    """Input and output, if the parameters are these two compact tensors of one dtype, with only scalars in between."""
    buffers = [param for param in function.params if isinstance(param.ty, tirx.BufferType)]
    if len(buffers) != 2 or not _are(buffers, (function.params[0], function.params[-1])):
        return None
    source, target = buffers
    alike = source.ty.dtype == target.ty.dtype and len(source.ty.shape) == len(target.ty.shape)
    if not alike or source.same_as(target) or not _is_compact(source.ty) or not _is_compact(target.ty):
        return None
    return source, target


def _is_compact(ty: tirx.BufferType) -> bool:
    return (
        ty.storage_scope == "global"
        and not ty.strides
        and not ty.allocated_addr
        and ty.layout is None
        and _is_integer(ty.elem_offset, 0)
    )


def _scalars(function: tirx.PrimFunc, source: ir.Var, target: ir.Var) -> frozenset[ir.Var]:
    """Scalar parameters, and the variables that the caller's shapes bind."""
    dims = [dim for buffer in (source, target) for dim in buffer.ty.shape if isinstance(dim, ir.Var)]
    return frozenset(dims + [param for param in function.params if isinstance(param.ty, ir.PrimType)])


def _nest(statement: Any) -> tuple[list[tirx.For], s_tir.SBlockRealize | None]:
    """The loops, outermost first, and the block in them, if nothing else stands there."""
    if isinstance(statement, s_tir.SBlockRealize) and not statement.iter_values and _is_plain(statement):
        statement = statement.block.body  # the root block
    loops = []
    while isinstance(statement, tirx.For):
        loops.append(statement)
        statement = statement.body
    is_block = isinstance(statement, s_tir.SBlockRealize) and _is_plain(statement)
    return loops, statement if is_block else None


def _is_plain(realize: s_tir.SBlockRealize) -> bool:
    """Whether a block always runs, and is its body and nothing else."""
    block = realize.block
    extras = (block.alloc_buffers, block.match_buffers, block.annotations)
    return _is_integer(realize.predicate, 1) and block.init is None and not any(extras)


def _binds(realize: s_tir.SBlockRealize, loops: list[tirx.For]) -> bool:
    """Whether the axes of a block are its loops, in their order, each independent of the others."""
    parallel = all(axis.iter_type == tirx.IterVar.DataPar for axis in realize.block.iter_vars)
    return parallel and _are(realize.iter_values, [loop.loop_var for loop in loops])


def _covers(loops: list[tirx.For], block: s_tir.SBlock, shape: tuple[Any, ...]) -> bool:
    """Whether loops and axes run from 0 over exactly ``shape``, in any order but one element at a time."""
    analyzer = sym.Analyzer()
    return all(
        loop.kind == tirx.ForKind.SERIAL
        and loop.thread_binding is None
        and not loop.annotations
        and (loop.step is None or _is_integer(loop.step, 1))
        and _is_integer(loop.min, 0)
        and _is_integer(axis.dom.min, 0)
        and analyzer.can_prove_equal(loop.extent, dim)
        and analyzer.can_prove_equal(axis.dom.extent, dim)
        for loop, axis, dim in zip(loops, block.iter_vars, shape, strict=True)
    )


# --- what is stored -----------------------------------------------------------------------------------


def _proved(store: _Store) -> PadFacts | None:
    """The pad that the store is proved to be, for every element of the output."""
    inside, load, fill = _parts(store.value)
    filled = inside is not None
    if not _loads(load, store) or not (filled or store.name in MODES) or (filled and not _fills(fill, store.dtype)):
        return None
    analyzer = sym.Analyzer()
    for axis, extent in zip(store.axes, store.target, strict=True):
        analyzer.bind(axis, ir.Range(0, extent))
    before = _shifts(analyzer, store, load)
    if before is None or not _bounded(analyzer, store, before, inside):
        return None
    widths = _widths(analyzer, store, before)
    mode = "constant" if filled else MODES[store.name]
    return PadFacts(mode=mode, value=fill.value if filled else 0, dtype=store.dtype, widths=widths)


def _parts(value: Any) -> tuple[Any, Any, Any]:
    """(condition, load, fill value), where the first and the last are None if all is loaded."""
    if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) and str(value.op.name) == "prim.if_then_else":
        return tuple(value.args)
    return None, value, None


def _loads(value: Any, store: _Store) -> bool:
    return isinstance(value, ir.TensorLoad) and value.source.same_as(store.source)


def _fills(value: Any, dtype: str) -> bool:
    """Whether a fill value is one constant of the tensor's dtype."""
    return isinstance(value, tirx.IntImm | tirx.FloatImm) and str(value.ty.dtype) == dtype


def _shifts(analyzer: sym.Analyzer, store: _Store, load: ir.TensorLoad) -> list[Any] | None:
    """``before`` of every axis, if the load is at ``axis - before``, in the order of the axes."""
    if len(load.indices) != len(store.axes):
        return None
    before = []
    for axis, index in zip(store.axes, load.indices, strict=True):
        if _variables(index) is None:
            return None
        before.append(analyzer.simplify(axis - index))
        varying = _variables(before[-1])
        if varying is None or not store.scalars.issuperset(varying):
            return None
    return before


def _bounded(analyzer: sym.Analyzer, store: _Store, before: list[Any], inside: Any) -> bool:
    """Whether ``inside`` holds for just those elements of the output whose load is within the input."""
    tested = _tested(inside, store.axes)
    if tested is None:
        return False
    sizes = zip(before, store.source.ty.shape, store.target, strict=True)
    return all(_within(analyzer, axis, *size, terms=tested[axis]) for axis, size in zip(store.axes, sizes, strict=True))


def _tested(inside: Any, axes: tuple[ir.Var, ...]) -> dict[ir.Var, list[Any]] | None:
    """Axis -> the terms tested to be >= 0, of which each reads just that axis. None if anything else is tested."""
    tested: dict[ir.Var, list[Any]] = {axis: [] for axis in axes}
    rest = [] if inside is None else [inside]
    while rest:
        test = rest.pop()
        if isinstance(test, tirx.And):
            rest += [test.a, test.b]
            continue
        read = {variable for variable in _variables(test) or () if variable in tested}
        if not isinstance(test, _COMPARISONS) or len(read) != 1:
            return None
        low, high = (test.b, test.a) if isinstance(test, tirx.GE | tirx.GT) else (test.a, test.b)
        tested[read.pop()].append(high - low - 1 if isinstance(test, tirx.LT | tirx.GT) else high - low)
    return tested


def _within(analyzer: sym.Analyzer, axis: ir.Var, before: Any, size: Any, extent: Any, *, terms: list[Any]) -> bool:
    """Whether ``terms``, all >= 0, say that ``axis - before`` is in 0..size-1, for an axis in 0..extent-1.

    Either side is tested, or holds wherever the axis is; nothing else is tested.
    """
    sides = ((axis - before, 0 - before), (before + size - 1 - axis, before + size - extent))
    needless = set(range(len(terms)))
    for needed, least in sides:
        same = {i for i, term in enumerate(terms) if _is_integer(analyzer.simplify(term - needed), 0)}
        if not same and not analyzer.can_prove(least >= 0):
            return False
        needless -= same
    return not needless


def _widths(analyzer: sym.Analyzer, store: _Store, before: list[Any]) -> tuple[Widths, ...] | None:
    """(before, after) of every axis; negative widths crop. None if one is not constant."""
    widths = []
    for width, size, extent in zip(before, store.source.ty.shape, store.target, strict=True):
        after = analyzer.simplify(extent - size - width)
        if not isinstance(width, tirx.IntImm) or not isinstance(after, tirx.IntImm):
            return None
        widths.append((int(width.value), int(after.value)))
    return tuple(widths)


# --- expressions --------------------------------------------------------------------------------------

_COMPARISONS = tirx.LE | tirx.LT | tirx.GE | tirx.GT
_BINARY = tirx.Add | tirx.Sub | tirx.Mul | tirx.FloorDiv | tirx.FloorMod | tirx.Min | tirx.Max | _COMPARISONS


def _variables(expr: Any) -> list[ir.Var] | None:
    """The variables of an expression in signed integers; None if it is or holds anything else, such as a call."""
    found, rest = [], [expr]
    while rest:
        node = rest.pop()
        if isinstance(node, _BINARY | tirx.Select):
            rest += _children(node)
        elif not isinstance(node, tirx.IntImm | ir.Var) or not str(node.ty.dtype).startswith("int"):
            return None
        elif isinstance(node, ir.Var):
            found.append(node)
    return found


def _children(node: Any) -> list[Any]:
    return [node.condition, node.true_value, node.false_value] if isinstance(node, tirx.Select) else [node.a, node.b]


def _is_integer(value: Any, number: int) -> bool:
    return isinstance(value, tirx.IntImm) and value.value == number


def _are(values: Any, expected: Any) -> bool:
    """Whether these are the very same objects, one by one."""
    return len(values) == len(expected) and all(a.same_as(b) for a, b in zip(values, expected, strict=True))
