"""Read a PrimFunc: the pad that the ONNX frontend of TVM calls by ``call_tir`` instead of ``relax.nn.pad``.

    for i0, i1 in T.grid(2, 11):
        with T.sblock("PadInput"):
            v0, v1 = T.axis.remap("SS", [i0, i1])
            out[v0, v1] = T.if_then_else(1 <= v1 and v1 < 9, x[v0, v1 - 1], T.float32(0))

That is what ``topi.nn.pad`` emits (onnx_frontend.py, Pad), and so what a ``relax.nn.pad`` of these widths computes.
The body is proved, element by element of the output. The block's name is not read for a constant pad. It tells the
other modes apart, which never fold. Lengths may be expressions of scalar parameters, such as ``h // 2``. The proof
holds for every value of the scalars.
"""

from typing import Any

from tvm import ir, sym, tirx

from foldproof.fold.copy_kernels import read_copies
from foldproof.fold.facts import PadFacts, Widths
from foldproof.fold.store import Store, is_integer, read_store

MODES = {
    "PadInput": "constant",
    "MirrorPadInput": "mirror",
    "ReflectPadInput": "reflect",
    "ReplicatePadInput": "replicate",
    "CircularPadInput": "circular",
}
"""Block name, as topi/nn/pad.py gives it -> mode."""


def read_prim_pad(function: tirx.PrimFunc) -> PadFacts | None:
    """Return the facts of a PrimFunc that pads its first parameter into its last one, None if that is not proved.

    ``value`` is an int if the dtype is an integer or bool, exact to 64 bits, and 0 if the function has none.
    ``widths`` is None where one is not constant, and for a mode other than "constant" unless it is proved what the
    function copies, element by element. A load without a fill value is a pad only by its block's name: any copy or
    slice would be one otherwise.
    """
    store = read_store(function)
    if store is None:
        return None
    proved = _prove(store)
    mode = MODES.get(store.name, "constant")
    if proved is None and mode != "constant" and _loads(store.value, store):
        copies = read_copies(store, mode)
        if copies is not None:
            return PadFacts(mode=copies[0], value=0, dtype=store.dtype, widths=copies[1])
        return PadFacts(mode=mode, value=0, dtype=store.dtype, widths=None)
    return proved


# --- what is stored -----------------------------------------------------------------------------------


def _prove(store: Store) -> PadFacts | None:
    """Return the facts of the pad that the store is, proved for every element of the output, or None."""
    inside, load, fill = _split_select(store.value)
    filled = inside is not None
    if not _loads(load, store) or not (filled or store.name in MODES) or (filled and not _fills(fill, store.dtype)):
        return None
    analyzer = sym.Analyzer()
    for axis, extent in zip(store.axes, store.target, strict=True):
        analyzer.bind(axis, ir.Range(0, extent))
    before = _solve_shifts(analyzer, store, load)
    if before is None or not _is_bounded(analyzer, store, before, inside):
        return None
    widths = _solve_widths(analyzer, store, before)
    mode = "constant" if filled else MODES[store.name]
    return PadFacts(mode=mode, value=fill.value if filled else 0, dtype=store.dtype, widths=widths)


def _split_select(value: Any) -> tuple[Any, Any, Any]:
    """Return (condition, load, fill value). Condition and fill value are None if every element is loaded."""
    if _is_choice(value):
        return tuple(value.args)
    return None, value, None


def _loads(value: Any, store: Store) -> bool:
    return isinstance(value, ir.TensorLoad) and value.source.same_as(store.source)


def _fills(value: Any, dtype: str) -> bool:
    """Return whether a fill value is a constant of the tensor's dtype."""
    return isinstance(value, tirx.IntImm | tirx.FloatImm) and str(value.ty.dtype) == dtype


def _solve_shifts(analyzer: sym.Analyzer, store: Store, load: ir.TensorLoad) -> list[Any] | None:
    """Return ``before`` of every axis if the load is at ``axis - before``, in the order of the axes, else None."""
    if len(load.indices) != len(store.axes):
        return None
    before = []
    for axis, index in zip(store.axes, load.indices, strict=True):
        if _list_variables(index) is None:
            return None
        before.append(analyzer.simplify(axis - index))
        varying = _list_variables(before[-1])
        if varying is None or not store.scalars.issuperset(varying):
            return None
    return before


def _is_bounded(analyzer: sym.Analyzer, store: Store, before: list[Any], inside: Any) -> bool:
    """Return whether ``inside`` holds for exactly the elements of the output whose load is within the input."""
    tested = _collect_tests(inside, store.axes)
    if tested is None:
        return False
    sizes = zip(before, store.source.ty.shape, store.target, strict=True)
    return all(_within(analyzer, axis, *size, terms=tested[axis]) for axis, size in zip(store.axes, sizes, strict=True))


def _collect_tests(inside: Any, axes: tuple[ir.Var, ...]) -> dict[ir.Var, list[Any]] | None:
    """Return axis -> the terms tested to be >= 0, each of that axis alone; None if anything else is tested."""
    tested: dict[ir.Var, list[Any]] = {axis: [] for axis in axes}
    rest = [] if inside is None else [inside]
    while rest:
        test = rest.pop()
        if isinstance(test, tirx.And):
            rest += [test.a, test.b]
            continue
        read = {variable for variable in _list_variables(test) or () if variable in tested}
        if not isinstance(test, _COMPARISONS) or len(read) != 1:
            return None
        low, high = (test.b, test.a) if isinstance(test, tirx.GE | tirx.GT) else (test.a, test.b)
        tested[read.pop()].append(high - low - 1 if isinstance(test, tirx.LT | tirx.GT) else high - low)
    return tested


def _within(analyzer: sym.Analyzer, axis: ir.Var, before: Any, size: Any, extent: Any, *, terms: list[Any]) -> bool:
    """Return whether ``terms``, all >= 0, mean that ``axis - before`` is in 0..size-1, for an axis in 0..extent-1.

    Each side is tested, or holds for every value of the axis. Nothing else is tested.
    """
    sides = ((axis - before, 0 - before), (before + size - 1 - axis, before + size - extent))
    needless = set(range(len(terms)))
    for needed, least in sides:
        same = {i for i, term in enumerate(terms) if is_integer(analyzer.simplify(term - needed), 0)}
        if not same and not analyzer.can_prove(least >= 0):
            return False
        needless -= same
    return not needless


def _solve_widths(analyzer: sym.Analyzer, store: Store, before: list[Any]) -> tuple[Widths, ...] | None:
    """Return (before, after) of every axis, None if one is not constant. Negative widths crop."""
    widths = []
    for width, size, extent in zip(before, store.source.ty.shape, store.target, strict=True):
        after = analyzer.simplify(extent - size - width)
        if not isinstance(width, tirx.IntImm) or not isinstance(after, tirx.IntImm):
            return None
        widths.append((int(width.value), int(after.value)))
    return tuple(widths)


# --- expressions --------------------------------------------------------------------------------------

_COMPARISONS = tirx.LE | tirx.LT | tirx.GE | tirx.GT
_LOGIC = tirx.EQ | tirx.NE | tirx.And | tirx.Or
_BINARY = tirx.Add | tirx.Sub | tirx.Mul | tirx.FloorDiv | tirx.FloorMod | tirx.Min | tirx.Max | _COMPARISONS | _LOGIC


def _list_variables(expr: Any) -> list[ir.Var] | None:
    """Return the variables of an expression in signed integers, None if it holds anything else, such as a load.

    The length of a pool with ceil_mode is an ``if_then_else``, the only call that is let through.
    """
    found, rest = [], [expr]
    while rest:
        node = rest.pop()
        if isinstance(node, _BINARY):
            rest += [node.a, node.b]
        elif isinstance(node, tirx.Select):
            rest += [node.condition, node.true_value, node.false_value]
        elif _is_choice(node):
            rest += node.args[:]
        elif not isinstance(node, tirx.IntImm | ir.Var) or not str(node.ty.dtype).startswith("int"):
            return None
        elif isinstance(node, ir.Var):
            found.append(node)
    return found


def _is_choice(node: Any) -> bool:
    return isinstance(node, ir.Call) and isinstance(node.op, ir.Op) and str(node.op.name) == "prim.if_then_else"
