"""The PrimFuncs of steps that only move elements, as TVM legalises them, without TE: node by node what topi makes.

    R.permute_dims(x)   ->   out[i, j] = x[j, i]         R.reshape(x, (n * m,))   ->   out[i] = x[i // m % n, i % m]

(topi/transform.h; relax/transform/legalize_ops/manipulate.py.) They must be equal, node for node, to what TVM makes:
``tests/ir/relax/targets/test_primfuncs.py`` compares random ones.
"""

from collections.abc import Sequence
from itertools import count

from tvm import ir, tirx

from foldproof.ir.relax.targets.fast.stages import Expr, Stages, int64, numbers


def permute_dims(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of a transposition; None of symbolic lengths, here and below."""
    rank = int(call.args[0].ty.ndim)
    axes = call.attrs.axes
    return _rearranged(call, [*reversed(range(rank))] if axes is None else [int(axis) % rank for axis in axes])


def expand_dims(call: ir.Call) -> Stages | None:
    """The same of axes of length 1 that are put in."""
    given = [int(axis) for axis in call.attrs.axis]
    rank = int(call.args[0].ty.ndim) + len(given)
    new, old = {axis % rank for axis in given}, count()
    return _rearranged(call, [None if axis in new else next(old) for axis in range(rank)])


def squeeze(call: ir.Call) -> Stages | None:
    """The same of axes of length 1 that are left out."""
    lengths = numbers(call.args[0].ty)
    if lengths is None:
        return None
    axes = call.attrs.axis
    rank = len(lengths)
    gone = {i for i in range(rank) if lengths[i] == 1} if axes is None else {int(axis) % rank for axis in axes}
    return _rearranged(call, [axis for axis in range(rank) if axis not in gone])


def _rearranged(call: ir.Call, origin: Sequence[int | None]) -> Stages | None:
    """``origin`` has for each axis of the result the one that it is of the operand, None for a new one of length 1."""
    stages = Stages(call)
    x = stages.operand(0)
    if x is None:
        return None
    axes = range(len(x.lengths))
    stages.stage(
        "moved",
        [1 if axis is None else x.lengths[axis] for axis in origin],
        lambda *at: x[[at[origin.index(axis)] if axis in origin else int64(0) for axis in axes]],
        simple=True,
    )
    return stages


def reshape(call: ir.Call) -> Stages | None:
    """The same of other axes over the same elements in the same order; None of no elements."""
    stages = Stages(call)
    x = stages.operand(0)
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

    stages.stage("reshape", lengths, value)
    return stages
