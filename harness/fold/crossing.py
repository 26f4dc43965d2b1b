"""The calls that a fold may not cross: those that may write into a tensor that the fold reads elsewhere, or not at all.

lv1 = nn.pad(lv)            the pad reads lv here
lv2 = relu(lv1)             a step reads lv1, and makes lv2
gv = nn.conv1d(lv2, w)      a fold makes no lv1 and no lv2, but relu(lv)
"""

from collections.abc import Iterator
from typing import Any

from tvm import ir, relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.paths import Path


def find_writer(
    bindings: Bindings, path: Path, user: relax.Var | None, *, producers: int = 0, source: Any = None
) -> str:
    """Return the call that may write between a pad and its reader, '' if there is none.

    It writes into the pad's input, the pad, a step, one of the last ``producers`` before the pad, whose bounds the rule
    reads, or a constant of these. ``source`` replaces the pad's input.
    """
    if bindings.effects is None:
        return ""
    source = bindings.source(path.pad) if source is None else source
    variables = [path.pad, *(each for var, _, i in path.steps for each in _with_region(bindings, var, i))]
    since = _time_of_read(bindings, path.pad)
    for var in (*variables, source):
        if writer := _writer_of(bindings, var, since):
            return writer
    produced = _find_producers(bindings, source, producers)
    for var in produced:
        if writer := _writer_of(bindings, var, bindings.effects.time_of(var)):
            return writer
    computing = [*variables, source, *produced, *([] if user is None else [user])]
    if writer := next((found for var in computing if (found := _find_writer_of_constants(bindings, var))), ""):
        return writer
    return _find_writer_of_captured(bindings, [*variables, user])


def find_copy_writer(bindings: Bindings, pad: relax.Var) -> str:
    """Return the call that may tell a pad of no width, which is a copy, from what it pads; '' if there is none.

    A copy that leaves the function may be written by any caller.
    """
    if bindings.effects is None:
        return ""
    since = _time_of_read(bindings, pad)
    if writer := _writer_of(bindings, pad, since) or _writer_of(bindings, bindings.source(pad), since):
        return writer
    if writer := _find_writer_of_constants(bindings, pad):  # a constant may say that there is no width
        return writer
    return bindings.effects.module.writer if bindings.effects.is_visible(pad) else ""


def _with_region(bindings: Bindings, var: relax.Var, index: int) -> tuple[relax.Var, ...]:
    """Return the variable of a step, after those of the ops between the data and the step (``Bindings.step``)."""
    join = bindings.join(var) if index < 0 else None
    return (var,) if join is None else (*join.between, var)


def _time_of_read(bindings: Bindings, pad: relax.Var) -> int:
    """Return when a pad reads its input: an element of a ``split`` reads it where the ``split`` does."""
    assert bindings.effects is not None
    value = bindings.values[pad]
    made = bindings.alias(value.tuple_value) if isinstance(value, relax.TupleGetItem) else pad
    return bindings.effects.time_of(made if isinstance(made, relax.Var) else pad)


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
    operands = list_operands(bindings.values[expr])
    return next((found for arg in operands if (found := _writer_of(bindings, arg, since))), "")


def list_operands(value: Any) -> Iterator[Any]:
    """Yield what a value reads, with the elements of tuples."""
    if isinstance(value, relax.Tuple):
        for field in value.fields:
            yield from list_operands(field)
    elif isinstance(value, ir.Call):
        for arg in value.args:
            yield from list_operands(arg)
    elif isinstance(value, relax.TupleGetItem):
        yield value.tuple_value
    elif isinstance(value, relax.Var | ir.GenericConst):
        yield value


def _find_producers(bindings: Bindings, source: Any, count: int) -> list[relax.Var]:
    """Return the variables of the last ``count`` steps that lead to the pad's input, which is the first of them."""
    found: list[relax.Var] = []
    var = bindings.alias(source)
    for _ in range(count):
        step = bindings.step(var)
        assert step is not None
        found += reversed(_with_region(bindings, var, step[1]))
        var = bindings.alias(bindings.data(var, step[1]))
    return found


def _find_writer_of_constants(bindings: Bindings, var: Any) -> str:
    """Return the call that may write, at any time, into a constant that ``var`` reads; '' if there is none.

    The pass reads a constant that is computed of constants where it is read. So all of these must keep their elements.
    """
    assert bindings.effects is not None
    written = bindings.effects.module.constants_written
    waiting = list(list_operands(bindings.value(var)))
    while waiting:
        name = bindings.alias(waiting.pop())
        value = bindings.value(name)
        if isinstance(value, ir.GenericConst):
            if written:
                return written
        elif isinstance(value, relax.Tuple):
            waiting += list_operands(value)
        elif isinstance(bindings.resolve(name), ir.GenericConst):
            if writer := _writer_of(bindings, name, -1):
                return writer
            waiting += list_operands(value)
    return ""


def _find_writer_of_captured(bindings: Bindings, variables: list[relax.Var | None]) -> str:
    """Return a call of the module if a closure that others may call, any time later, reads a pad outside of it."""
    assert bindings.effects is not None
    if not bindings.effects.escapes:
        return ""
    owners = {bindings.effects.owner(bindings.home[var]) for var in variables if var is not None}
    return bindings.effects.module.writer if len(owners) > 1 else ""
