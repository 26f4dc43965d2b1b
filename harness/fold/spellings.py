"""Pads and crops in other spellings than ``nn.pad``.

    strided_slice(x, [2], [1], [9])          of 10 elements     nn.pad(x, (0, 0, 0, 0, -1, -1))
    split(x, [1, 9], 2)[1]                                      the same
    take(x, [1, 2, 3, 4, 5, 6, 7, 8], 2)                        the same
    concat((zeros(1, 3, 2), x), 2)                              nn.pad(x, (0, 0, 0, 0, 2, 0))

Every frontend spells a crop as a slice. A crop is read where a pad comes before it: alone it is not a pad. A ``concat``
of one tensor and constants of one value is a pad.
"""

import math
from collections.abc import Callable
from typing import Any

from tvm import ir, relax, sym, tirx

from foldproof.fold.facts import PadFacts, Widths
from foldproof.fold.reader import MOST_ELEMENTS, op_name, shape_of

SLICE, TAKE, SPLIT, CONCAT = "relax.strided_slice", "relax.take", "relax.split", "relax.concat"
_FILLS = ("relax.zeros", "relax.ones", "relax.full")
BORDERING = frozenset((*_FILLS, CONCAT))

Resolve = Callable[[Any], Any]


def may_crop(name: str, value: Any) -> bool:
    """Return whether a value, which calls the op ``name``, may be a crop."""
    return name in _READERS or isinstance(value, relax.TupleGetItem)


def read_crop(name: str, value: Any, resolve: Resolve) -> tuple[PadFacts, Any] | None:
    """Return a crop as the facts of a pad, whose widths are <= 0, and the tensor that it crops; None for others.

    All elements of the result are neighbours of the tensor, in their order, and the bounds are known.
    """
    if isinstance(value, relax.TupleGetItem):
        split = resolve(value.tuple_value)
        found = _read_piece(split, int(value.index)) if op_name(split) == SPLIT else None
        source = split.args[0] if found else None
    else:
        found, source = _READERS[name](value, resolve), value.args[0]
    if found is None or not isinstance(source, relax.Var):
        return None
    return PadFacts(mode="constant", value=0.0, dtype=str(source.ty.dtype), widths=found), source


def _read_slice(call: ir.Call, _: Resolve) -> tuple[Widths, ...] | None:
    """Return the widths of a ``strided_slice`` of stride 1 with known bounds.

    Bounds < 0 count from the end, and bounds outside are clamped. Source: src/relax/op/tensor/index.cc.
    """
    lengths, after = shape_of(call.args[0]), shape_of(call)
    parts = [_list_numbers(arg) for arg in call.args[1:]]
    if lengths is None or after is None or any(part is None for part in parts):
        return None
    axes, begins, ends, *strides = (part or [] for part in parts)
    if any(not _is(stride, 1) for part in strides for stride in part) or not len(axes) == len(begins) == len(ends):
        return None
    places = [int(axis) % max(len(lengths), 1) for axis in axes]
    if len(set(places)) < len(places):
        return None
    widths: list[Widths] = [(0, 0)] * len(lengths)
    for place, begin, end in zip(places, begins, ends, strict=True):
        sides = _find_sides(lengths[place], begin, end)
        if sides is None or not _is_cropped(lengths[place], sides, after[place]):
            return None
        widths[place] = sides
    return tuple(widths)


def _list_numbers(value: Any) -> list[Any] | None:
    """Return the scalars of a tuple, None for a variable."""
    return list(value.fields) if isinstance(value, relax.Tuple) else None


def _find_sides(length: Any, begin: Any, end: Any) -> Widths | None:
    """Return how many elements go at both ends (<= 0), None if that is not constant, or nothing is left."""
    if isinstance(length, int | tirx.IntImm):
        if not isinstance(begin, tirx.IntImm) or not isinstance(end, tirx.IntImm):
            return None
        size = int(length)
        first, last = (min(max(n + size if n < 0 else n, 0), size) for n in (int(begin), int(end)))
        return (-first, last - size) if first < last else None
    after = sym.Analyzer().simplify(end - length)
    if not isinstance(begin, tirx.IntImm) or not isinstance(after, tirx.IntImm):
        return None
    return (-int(begin), int(after)) if int(begin) >= 0 >= int(after) else None


def _is_cropped(length: Any, sides: Widths, after: Any) -> bool:
    """Return whether the type agrees: under symbolic lengths, a bound may lie outside."""
    return bool(sym.Analyzer().can_prove_equal(length + sum(sides), after))


def _read_piece(call: ir.Call, index: int) -> tuple[Widths, ...] | None:
    """Return the widths of a piece of a ``split`` into known pieces."""
    lengths, sections = shape_of(call.args[0]), call.attrs.indices_or_sections
    if lengths is None:
        return None
    axis = int(call.attrs.axis) % len(lengths)
    if not isinstance(lengths[axis], int | tirx.IntImm):
        return None
    size = int(lengths[axis])
    if isinstance(sections, int | tirx.IntImm):
        count = int(sections)
        if size % count:
            return None
        cuts = [size // count * i for i in range(count + 1)]
    else:
        cuts = [0, *map(int, sections), size]
    begin, end = cuts[index], cuts[index + 1]
    if not 0 <= begin < end <= size:
        return None
    return _crop_one(len(lengths), axis, (-begin, end - size))


def _read_take(call: ir.Call, resolve: Resolve) -> tuple[Widths, ...] | None:
    """Return the widths of a ``take`` of neighbours: the indices are a constant range within the axis."""
    lengths, indices = shape_of(call.args[0]), resolve(call.args[1])
    if lengths is None or call.attrs.axis is None or not isinstance(indices, ir.GenericConst):
        return None
    axis = int(call.attrs.axis) % len(lengths)
    numbers = indices.value.numpy()
    if not isinstance(lengths[axis], int | tirx.IntImm) or numbers.ndim != 1 or not 0 < numbers.size <= MOST_ELEMENTS:
        return None
    taken, size = [int(number) for number in numbers.tolist()], int(lengths[axis])
    first = taken[0]
    if taken != list(range(first, first + len(taken))) or first < 0 or taken[-1] >= size:
        return None
    return _crop_one(len(lengths), axis, (-first, taken[-1] + 1 - size))


def _crop_one(rank: int, axis: int, sides: Widths) -> tuple[Widths, ...]:
    return tuple(sides if i == axis else (0, 0) for i in range(rank))


def _is(value: Any, number: int) -> bool:
    return isinstance(value, tirx.IntImm) and int(value) == number


_READERS: dict[str, Callable[[ir.Call, Resolve], tuple[Widths, ...] | None]] = {SLICE: _read_slice, TAKE: _read_take}


def build_crop(source: Any, pad: PadFacts, like: Any, ty: Any) -> ir.Call:
    """Return a ``strided_slice`` of ``source`` that crops as ``pad`` does, whatever the length of an axis."""
    axes = [axis for axis, sides in enumerate(pad.widths or ()) if any(sides)]
    sides = [(pad.widths or ())[axis] for axis in axes]
    begin, end = [-before for before, _ in sides], [after if after else _END for _, after in sides]
    call = relax.op.strided_slice(source, axes=axes, begin=begin, end=end)
    return ir.Call(call.op, call.args, call.attrs, call.ty_args, like.span, ty)


_END = 2**31 - 1
"""Beyond the end of every axis."""


# --- pads -----------------------------------------------------------------------------------------------


def may_border(name: str, value: Any) -> bool:
    """Return whether a value may be, or may fill, the border of a ``concat``, from itself alone."""
    if name in _FILLS:
        return True
    fields = value.args[0] if name == CONCAT else None
    return isinstance(fields, relax.Tuple) and any(isinstance(field, ir.GenericConst) for field in fields.fields)


def read_border(call: ir.Call, resolve: Resolve) -> tuple[PadFacts, Any] | None:
    """Return a ``concat`` of one tensor and constants as the facts of a pad, and the tensor; None for others.

    All elements of the constants have the same bits, and are not NaN. A double holds them.
    """
    given = resolve(call.args[0])
    fields = list(given.fields) if isinstance(given, relax.Tuple) else []
    values = [resolve(field) for field in fields]
    places = [i for i, value in enumerate(values) if not isinstance(value, ir.GenericConst)]
    if len(places) != 1 or len(fields) < 2 or call.attrs.axis is None or not isinstance(fields[places[0]], relax.Var):
        return None
    source, dtype = fields[places[0]], str(call.ty.dtype)
    constants = [value.value for i, value in enumerate(values) if i != places[0]]
    number = _find_number(constants)
    rank = int(call.ty.ndim)
    if number is None or rank < 0:
        return None
    axis = int(call.attrs.axis) % rank
    lengths = [int(value.ty.shape.values[axis]) if i != places[0] else 0 for i, value in enumerate(values)]
    sides = (sum(lengths[: places[0]]), sum(lengths[places[0] :]))
    return PadFacts(mode="constant", value=number, dtype=dtype, widths=_crop_one(rank, axis, sides)), source


def _find_number(tensors: list[Any]) -> float | None:
    """Return the number that all elements are, bit by bit, None if there are several."""
    numbers: set[tuple[float, float]] = set()
    for tensor in tensors:
        if not 0 < math.prod(int(length) for length in tensor.shape) <= MOST_ELEMENTS:
            return None
        numbers |= {(number, math.copysign(1, number)) for number in tensor.numpy().ravel().tolist()}
    found = [number for number, _ in numbers]
    exact = len(found) == 1 and not isinstance(found[0], complex) and float(found[0]) == found[0]
    return float(found[0]) if exact else None
