"""PrimFuncs of steps that change only the shape, equal node for node to those of topi.

    R.permute_dims(x)   ->   out[i, j] = x[j, i]         R.reshape(x, (n * m,))   ->   out[i] = x[i // m % n, i % m]

Sources: topi/transform.h, relax/transform/legalize_ops/manipulate.py. ``tests/ir/relax/targets/test_primfuncs.py``
compares random ones with those of TVM. Every function returns None for symbolic shapes.
"""

from collections.abc import Sequence
from itertools import count

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.primfuncs.builder import Expr, PrimFuncBuilder, int64, static_shape


def permute_dims(call: ir.Call) -> PrimFuncBuilder | None:
    """Build permute_dims."""
    rank = int(call.args[0].ty.ndim)
    axes = call.attrs.axes
    return _rearrange(call, [*reversed(range(rank))] if axes is None else [int(axis) % rank for axis in axes])


def expand_dims(call: ir.Call) -> PrimFuncBuilder | None:
    """Build expand_dims."""
    given = [int(axis) for axis in call.attrs.axis]
    rank = int(call.args[0].ty.ndim) + len(given)
    new, old = {axis % rank for axis in given}, count()
    return _rearrange(call, [None if axis in new else next(old) for axis in range(rank)])


def squeeze(call: ir.Call) -> PrimFuncBuilder | None:
    """Build squeeze."""
    lengths = static_shape(call.args[0].ty)
    if lengths is None:
        return None
    axes = call.attrs.axis
    rank = len(lengths)
    gone = {i for i in range(rank) if lengths[i] == 1} if axes is None else {int(axis) % rank for axis in axes}
    return _rearrange(call, [axis for axis in range(rank) if axis not in gone])


def _rearrange(call: ir.Call, origin: Sequence[int | None]) -> PrimFuncBuilder | None:
    """Build a rearrangement: axis i of the result is axis ``origin[i]`` of the operand, or new where that is None."""
    builder = PrimFuncBuilder(call)
    x = builder.operand(0)
    if x is None:
        return None
    axes = range(len(x.lengths))
    builder.add_stage(
        "moved",
        [1 if axis is None else x.lengths[axis] for axis in origin],
        lambda *at: x[[at[origin.index(axis)] if axis in origin else int64(0) for axis in axes]],
        simple=True,
    )
    return builder


def reshape(call: ir.Call) -> PrimFuncBuilder | None:
    """Build reshape; return None for tensors without axes or elements, too."""
    builder = PrimFuncBuilder(call)
    x = builder.operand(0)
    values = getattr(call.args[1], "values", None)
    if x is None or values is None or not all(isinstance(n, tirx.IntImm) for n in values):
        return None
    lengths = [int(n) for n in values]
    if 0 in lengths or not lengths:
        return None

    def value(*at: Expr) -> Expr:
        place, *others = at
        for other, length in zip(others, lengths[1:], strict=True):
            place = place * int64(length) + other
        indices: list[Expr] = []
        for length in reversed(x.lengths):
            indices.insert(0, tirx.floormod(place, int64(length)))
            place = tirx.floordiv(place, int64(length))
        return x[indices]

    builder.add_stage("reshape", lengths, value)
    return builder
