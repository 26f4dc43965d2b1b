"""Pads alike before one op become one pad after it.

    lv = nn.pad(x, widths, value=a)                        lv2 = add(x, y)
    lv1 = nn.pad(y, widths, value=b)              ->       lv3 = nn.pad(lv2, widths, value=a + b)
    lv2 = add(lv, lv1)

1. Every operand is a pad of constant mode, and no other op reads it.
2. All have the same constant widths. The axis of a ``concat`` is not padded.
3. The values are equal, bit by bit, before a ``concat``. What another op makes of them is known, with its sign. A
   rounded product is not known: a fused multiply-add after it would not round it.
4. The lengths of the tensors that are padded are known, and equal but for the axis of the ``concat``.
5. No call may write between a pad and the op into the pad or what it pads (``foldproof.fold.crossing``).
"""

import math
from dataclasses import replace
from typing import Any

import tvm_ffi
from tvm import ir, relax

from foldproof.fold import moves
from foldproof.fold.bindings import Bindings
from foldproof.fold.crossing import find_writer
from foldproof.fold.facts import PadFacts
from foldproof.fold.paths import Path, find_users
from foldproof.fold.reader import op_name, shape_of
from foldproof.fold.values import BINARY, NUMBERS, cast, is_inexact_product

CONCAT = "relax.concat"
_ELEMENTWISE = ("add", "subtract", "multiply", "maximum", "minimum")
_JOINING = {CONCAT, *(f"relax.{name}" for name in _ELEMENTWISE)}


def find_joined(bindings: Bindings, var: relax.Var) -> tuple[list[relax.Var], PadFacts] | None:
    """Return the pads that ``var`` joins, and the one pad that takes their place after it; None if there is none."""
    name = op_name(bindings.values.get(var))
    if name not in _JOINING or var in bindings.dead or bindings.pad(var) is not None:
        return None
    pads = [bindings.alias(operand) for operand in _list_operands(bindings, var)]
    facts = [bindings.pad(pad) if isinstance(pad, relax.Var) else None for pad in pads]
    known = [pad for pad in facts if pad is not None]
    if len(known) < len(facts) or len({pad.__chandle__() for pad in pads}) < 2:
        return None
    value = join_values(name, known)
    axis = _axis_of(bindings, var) if name == CONCAT else None
    if value is None or not are_alike(known, axis) or not _fit(bindings, var, pads, axis):
        return None
    if any(find_writer(bindings, Path(pad=pad, steps=()), var) for pad in pads):
        return None
    return pads, replace(known[0], value=value)


def _list_operands(bindings: Bindings, var: relax.Var) -> list[Any]:
    args = bindings.values[var].args
    if op_name(bindings.values[var]) != CONCAT:
        return list(args)
    return list(args[0].fields) if isinstance(args[0], relax.Tuple) else []


def _axis_of(bindings: Bindings, var: relax.Var) -> int | None:
    axis = bindings.values[var].attrs.axis
    return None if axis is None else int(axis) % max(int(var.ty.ndim), 1)


def join_values(name: str, pads: list[PadFacts]) -> float | None:
    """Return the value of the border after the op, None if it is not known to the bit."""
    numbers = [cast(pad.value, pad.dtype) if pad.dtype in NUMBERS else None for pad in pads]
    known = [number for number in numbers if number is not None and not math.isnan(number)]
    if len(known) < len(pads):
        return None
    if name == CONCAT:
        alike = all(number == known[0] and _sign(number) == _sign(known[0]) for number in known)
        return pads[0].value if alike else None
    if len(known) != 2 or (name == "relax.multiply" and is_inexact_product(known[0], known[1], pads[0].dtype)):
        return None
    made = BINARY[name.removeprefix("relax.")](known[0], known[1], pads[0].dtype)
    return None if made is None or float(made) != made else float(made)


def _sign(number: float) -> float:
    return math.copysign(1, number)


def are_alike(pads: list[PadFacts], axis: int | None) -> bool:
    """Return whether all pads are of constant mode and have the same widths, none along ``axis``."""
    widths = pads[0].widths
    if widths is None or any(pad.mode != "constant" or pad.widths != widths for pad in pads):
        return False
    return any(map(any, widths)) and (axis is None or widths[axis] == (0, 0))


def _fit(bindings: Bindings, var: relax.Var, pads: list[relax.Var], axis: int | None) -> bool:
    """Return whether nothing else reads the pads, and their inputs have the same known lengths but for ``axis``."""
    if op_name(bindings.values[var]) == CONCAT and axis is None:
        return False
    sources = [bindings.source(pad) for pad in pads]
    shapes = [shape_of(source) for source in sources]
    if shape_of(var) is None or any(shape is None for shape in shapes):
        return False
    rest = [[n for i, n in enumerate(shape or ()) if i != axis] for shape in shapes]
    if any(len(one) != len(rest[0]) or not all(map(_equal, one, rest[0])) for one in rest):
        return False
    users = [user for pad in pads for user, _ in find_users(bindings, pad)]
    alone = all(user is not None and user.same_as(var) for user in users)
    return alone and all(bindings.visible(source, var) for source in sources)


def _equal(a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b))


def join_pads(bindings: Bindings, var: relax.Var, pads: list[relax.Var], pad: PadFacts) -> None:
    """Let ``var`` be the one pad, of the op on the tensors that are not padded."""
    call = bindings.values[var]
    sources = [bindings.source(one) for one in pads]
    lengths, joined = shape_of(sources[0]), list(call.ty.shape.values)
    axis = _axis_of(bindings, var) if op_name(call) == CONCAT else None
    assert lengths is not None
    before = [joined[i] if i == axis else length for i, length in enumerate(lengths)]
    args = [relax.Tuple(sources)] if axis is not None else sources
    new = ir.Call(call.op, args, call.attrs, call.ty_args, call.span, moves.make_type(before, call.ty))
    source = bindings.precede("joined", new, before=var)
    bindings.replace(var, moves.build_pad(source, pad, call, call.ty))
