"""The PrimFuncs of steps that only move elements, as TVM legalises them, without TE: node by node what topi makes.

    R.permute_dims(x)   ->   out[i, j] = x[j, i]         R.reshape(x, (n * m,))   ->   out[i] = x[i // m % n, i % m]

(topi/transform.h; relax/transform/legalize_ops/manipulate.py.) They must be equal, node for node, to what TVM makes:
``tests/test_own_kernels.py`` compares random ones.
"""

from tvm import ir, tirx

from harness.targets.stages import Expr, Stages, int64


def permute_dims(call: ir.Call) -> Stages | None:
    """What ``LegalizeOps`` makes of a transposition; None of symbolic lengths, here and below."""
    stages = Stages(call)
    x = stages.operand(0)
    if x is None:
        return None
    rank = len(x.lengths)
    axes = [*reversed(range(rank))] if call.attrs.axes is None else [int(a) % rank for a in call.attrs.axes[:]]
    lengths = [x.lengths[a] for a in axes]
    stages.stage("transpose", lengths, lambda *at: x[[at[axes.index(i)] for i in range(rank)]], simple=True)
    return stages


def expand_dims(call: ir.Call) -> Stages | None:
    """The same of axes of length 1 that are put in."""
    stages = Stages(call)
    x = stages.operand(0)
    if x is None:
        return None
    given = [int(a) for a in call.attrs.axis[:]]
    rank = len(x.lengths) + len(given)
    new = {axis % rank for axis in given}
    kept = [i for i in range(rank) if i not in new]
    lengths = [1 if i in new else x.lengths[kept.index(i)] for i in range(rank)]
    stages.stage("expand_dims", lengths, lambda *at: x[[at[i] for i in kept]], simple=True)
    return stages


def squeeze(call: ir.Call) -> Stages | None:
    """The same of axes of length 1 that are left out."""
    stages = Stages(call)
    x = stages.operand(0)
    if x is None:
        return None
    rank = len(x.lengths)
    if call.attrs.axis is None:
        gone = {i for i in range(rank) if x.lengths[i] == 1}
    else:
        gone = {int(a) % rank for a in call.attrs.axis[:]}
    kept = [i for i in range(rank) if i not in gone]
    zero = int64(0)
    stages.stage(
        "squeeze",
        [x.lengths[i] for i in kept],
        lambda *at: x[[zero if i in gone else at[kept.index(i)] for i in range(rank)]],
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
