"""The calls that a fold may not cross: those that may write into a tensor that the fold reads elsewhere, or not at all.

lv1 = nn.pad(lv)            the pad reads lv here
lv2 = relu(lv1)             a step reads lv1, and makes lv2
gv = nn.conv1d(lv2, w)      a fold makes no lv1 and no lv2, but relu(lv)
"""

from typing import Any

from tvm import ir, relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.paths import Path


def find_writer(bindings: Bindings, path: Path, user: relax.Var | None, *, producers: int = 0) -> str:
    """Return the call that may write between a pad and its reader, '' if there is none.

    It writes into the pad's input, the pad, a step, one of the last ``producers`` before the pad, whose bounds the rule
    reads, or a constant of these.
    """
    if bindings.effects is None:
        return ""
    steps = [each for var, _, index in path.steps for each in _list_bound(bindings, var, index)]
    variables, since, source = [path.pad, *steps], _time_of(bindings, path.pad), bindings.source(path.pad)
    for var in (*variables, source):
        if writer := _writer_of(bindings, var, since):
            return writer
    produced = _find_producers(bindings, path, producers)
    for var in produced:
        if writer := _writer_of(bindings, var, bindings.effects.time_of(var)):
            return writer
    computing = [*variables, source, *produced, *([] if user is None else [user])]
    constants = bindings.effects.module.constants_written
    if constants and any(_reads_constant(bindings, var) for var in computing):
        return constants
    return _find_writer_of_captured(bindings, [*variables, user])


def find_copy_writer(bindings: Bindings, pad: relax.Var) -> str:
    """Return the call that may tell a pad of no width, which is a copy, from what it pads; '' if there is none.

    A copy that leaves the function may be written by any caller.
    """
    if bindings.effects is None:
        return ""
    since = _time_of(bindings, pad)
    if writer := _writer_of(bindings, pad, since) or _writer_of(bindings, bindings.source(pad), since):
        return writer
    return bindings.effects.module.writer if bindings.effects.is_visible(pad) else ""


def _time_of(bindings: Bindings, pad: relax.Var) -> int:
    """Return when a pad reads its input: a piece of a ``split`` is read by the ``split``, before it is named."""
    assert bindings.effects is not None
    value = bindings.values[pad]
    split = bindings.alias(value.tuple_value) if isinstance(value, relax.TupleGetItem) else pad
    return bindings.effects.time_of(split) if isinstance(split, relax.Var) else -1


def _list_bound(bindings: Bindings, var: relax.Var, index: int) -> list[relax.Var]:
    """Return the variables that a step binds: itself, and those between if several operands come from its data."""
    join = bindings.join(var) if index < 0 else None
    return [var] if join is None else [*join.between, var]


def _writer_of(bindings: Bindings, expr: Any, since: int) -> str:
    """Return the call that may write into ``expr`` after the time ``since``.

    A variable that a fold has bound may be a view of its operands.
    """
    assert bindings.effects is not None
    if not isinstance(expr, relax.Var | ir.GenericConst):
        return ""
    writer = bindings.effects.writer_of(expr, since)
    if writer is not None:
        return writer
    args = _list_args(bindings.values[expr])
    return next((found for arg in args if (found := _writer_of(bindings, arg, since))), "")


def _list_args(call: ir.Call) -> list[Any]:
    """Return the arguments of a call, and the elements of those that are tuples."""
    return [each for arg in call.args for each in (arg.fields if isinstance(arg, relax.Tuple) else [arg])]


def _find_producers(bindings: Bindings, path: Path, count: int) -> list[relax.Var]:
    """Return what the last ``count`` steps before the pad bind; the pad's input is the first of them."""
    found: list[relax.Var] = []
    var = bindings.alias(bindings.source(path.pad))
    for _ in range(count):
        step = bindings.step(var)
        assert step is not None
        found += reversed(_list_bound(bindings, var, step[1]))
        var = bindings.alias(bindings.data(var, step[1]))
    return found


def _reads_constant(bindings: Bindings, var: Any) -> bool:
    value = bindings.value(var)
    if not isinstance(value, ir.Call):
        return isinstance(value, ir.GenericConst)
    given = [bindings.value(arg) for arg in _list_args(value)]
    fields = [each for arg in given for each in (arg.fields if isinstance(arg, relax.Tuple) else [arg])]
    return any(isinstance(bindings.value(each), ir.GenericConst) for each in fields)


def _find_writer_of_captured(bindings: Bindings, variables: list[relax.Var | None]) -> str:
    """Return a call of the module if a closure that others may call, any time later, reads a pad outside of it."""
    assert bindings.effects is not None
    if not bindings.effects.escapes:
        return ""
    owners = {bindings.effects.owner(bindings.home[var]) for var in variables if var is not None}
    return bindings.effects.module.writer if len(owners) > 1 else ""
