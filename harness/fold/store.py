"""Read a PrimFunc that does nothing but one store, over the whole output: ``out[axes] = value``."""

from dataclasses import dataclass
from typing import Any

from tvm import ir, s_tir, sym, tirx


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """``out[axes] = value``, executed once for every ``axes`` within ``target``, the shape of ``out``.

    ``source`` is the buffer that may be read, ``scalars`` are the variables that stay the same for all elements.
    """

    name: str
    dtype: str
    source: ir.Var
    target: tuple[Any, ...]
    axes: tuple[ir.Var, ...]
    scalars: frozenset[ir.Var]
    value: Any


def read_store(function: tirx.PrimFunc) -> Store | None:
    """Return the store of a function that consists of one store, None for any other."""
    buffers = _find_buffers(function)
    if buffers is None:
        return None
    source, target = buffers
    loops, realize = _find_nest(function.body)
    if realize is None or not _binds(realize, loops):
        return None
    block, shape = realize.block, tuple(target.ty.shape)
    axes = tuple(axis.var for axis in block.iter_vars)
    if len(axes) != len(shape) or not _covers(loops, block, shape):
        return None
    store = block.body
    if not isinstance(store, tirx.BufferStore) or not store.buffer.same_as(target) or not are_same(store.indices, axes):
        return None
    return Store(
        name=str(block.name_hint),
        dtype=str(target.ty.dtype),
        source=source,
        target=shape,
        axes=axes,
        scalars=_find_scalars(function, source, target),
        value=store.value,
    )


def _find_buffers(function: tirx.PrimFunc) -> tuple[ir.Var, ir.Var] | None:
    """Return input and output if the parameters are two compact tensors of one dtype, with scalars between."""
    buffers = [param for param in function.params if isinstance(param.ty, tirx.BufferType)]
    if len(buffers) != 2 or not are_same(buffers, (function.params[0], function.params[-1])):
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
        and is_integer(ty.elem_offset, 0)
    )


def _find_scalars(function: tirx.PrimFunc, source: ir.Var, target: ir.Var) -> frozenset[ir.Var]:
    """Return the scalar parameters, and the variables that the caller's shapes bind."""
    dims = [dim for buffer in (source, target) for dim in buffer.ty.shape if isinstance(dim, ir.Var)]
    return frozenset(dims + [param for param in function.params if isinstance(param.ty, ir.PrimType)])


def _find_nest(statement: Any) -> tuple[list[tirx.For], s_tir.SBlockRealize | None]:
    """Return the loops, outermost first, and the block in them if nothing else is there."""
    if isinstance(statement, s_tir.SBlockRealize) and not statement.iter_values and _is_plain(statement):
        statement = statement.block.body  # the root block
    loops = []
    while isinstance(statement, tirx.For):
        loops.append(statement)
        statement = statement.body
    is_block = isinstance(statement, s_tir.SBlockRealize) and _is_plain(statement)
    return loops, statement if is_block else None


def _is_plain(realize: s_tir.SBlockRealize) -> bool:
    """Return whether a block always executes, and consists of its body alone."""
    block = realize.block
    extras = (block.alloc_buffers, block.match_buffers, block.annotations)
    return is_integer(realize.predicate, 1) and block.init is None and not any(extras)


def _binds(realize: s_tir.SBlockRealize, loops: list[tirx.For]) -> bool:
    """Return whether the axes of a block are its loops, in their order, each independent of the others."""
    parallel = all(axis.iter_type == tirx.IterVar.DataPar for axis in realize.block.iter_vars)
    return parallel and are_same(realize.iter_values, [loop.loop_var for loop in loops])


def _covers(loops: list[tirx.For], block: s_tir.SBlock, shape: tuple[Any, ...]) -> bool:
    """Return whether loops and axes run from 0 over exactly ``shape``, in any order but one element at a time."""
    analyzer = sym.Analyzer()
    return all(
        loop.kind == tirx.ForKind.SERIAL
        and loop.thread_binding is None
        and not loop.annotations
        and (loop.step is None or is_integer(loop.step, 1))
        and is_integer(loop.min, 0)
        and is_integer(axis.dom.min, 0)
        and analyzer.can_prove_equal(loop.extent, dim)
        and analyzer.can_prove_equal(axis.dom.extent, dim)
        for loop, axis, dim in zip(loops, block.iter_vars, shape, strict=True)
    )


def is_integer(value: Any, number: int) -> bool:
    """Return whether a value is this constant."""
    return isinstance(value, tirx.IntImm) and value.value == number


def are_same(values: Any, expected: Any) -> bool:
    """Return whether these are the very same objects, one by one."""
    return len(values) == len(expected) and all(a.same_as(b) for a, b in zip(values, expected, strict=True))
