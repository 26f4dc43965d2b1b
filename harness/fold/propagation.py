"""The ops between a pad and its consumer, and how a pad moves after each. Pure Python.

    f(pad(x, c))  is  pad(f(x), f(c))     for elementwise f, if f does the same at every place that is padded

A ``Border`` is the pad on its way. Each step returns the border after it, or the reason why the pad cannot pass.

Invariants: no operand varies along a padded axis; f(c) must be known exactly (``values``); f must treat an element of
the data as before, at its new place. A cast from float to integer does so in range only.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from foldproof.fold import values
from foldproof.fold.bounds import Bounds, bound_joined, bound_operand, bound_result, include_pad
from foldproof.fold.facts import (
    Binary,
    Cast,
    Clip,
    Composed,
    Joined,
    Kind,
    Operand,
    Padded,
    Quantization,
    Rearranged,
    Refused,
    Step,
    Unary,
    Values,
    Widths,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """A pad on its way to its consumer: ``widths`` for each axis of the tensor, ``values`` where anything is added.

    ``values`` is None if the pad only crops, or copies elements of the data. ``bounds`` are those of the data, what
    other pads added included. ``fusible``: the values are rounded products, which a fused multiply-add would not round.
    ``signed``: the zeros among the values have the sign that is noted, which is certain before the first step only.
    """

    dtype: str
    widths: tuple[Widths, ...]
    values: Values | None
    bounds: Bounds | None = None
    fusible: bool = False
    signed: bool = True


# --- the border after a step -------------------------------------------------------------------------


def pass_step(border: Border, step: Step) -> Border | Refused:
    """Return the border after ``step``, or why the pad cannot pass it."""
    if isinstance(step, Rearranged):
        return _pass_rearranged(border, step)
    if isinstance(step, Padded):
        return _pass_pad(border, step)
    if isinstance(step, Composed):
        return pass_steps(border, step.steps)
    if isinstance(step, Joined):
        return _pass_joined(border, step)
    if not values.is_known(step.op, border.dtype, step.dtype):
        return Refused(Kind.DTYPE, f"{step.op} of {border.dtype} to {step.dtype} is not known to be exact")
    refused = _refuse_difference(border, step)
    return refused or _evaluate(border, step)


def pass_steps(border: Border, steps: tuple[Step, ...]) -> Border | Refused:
    """Return the border after all steps, or why the pad cannot pass one of them."""
    for step in steps:
        passing = pass_step(border, step)
        if isinstance(passing, Refused):
            return passing
        border = passing
    return border


def _refuse_varying(border: Border, step: Step, operands: Iterable[tuple[str, Operand]]) -> Refused | None:
    """Return which operand varies along a padded axis, None if there is none."""
    for name, operand in operands:
        if operand.shape is None:
            return Refused(Kind.VARYING_OPERAND, f"the {name} of {step.op} has another rank, or an unknown shape")
        for axis, (length, widths) in enumerate(zip(operand.shape, border.widths, strict=True)):
            if any(widths) and length != 1:
                return Refused(
                    Kind.VARYING_OPERAND, f"the {name} of {step.op} varies along axis {axis}, which is padded"
                )
    return None


def _refuse_difference(border: Border, step: Step) -> Refused | None:
    """Return why the step would treat the data differently before the pad, None if it would not."""
    varying = _refuse_varying(border, step, list_other_operands(step))
    if varying is not None:
        return varying
    floats = border.dtype in values.FLOATS
    if isinstance(step, Cast) and floats and step.dtype in values.INTEGER_BITS:
        low, high = values.int_range(step.dtype)
        inside = border.bounds is not None and low - 1 < border.bounds.low and border.bounds.high < high + 1
        if not inside:
            return Refused(
                Kind.CAST,
                f"{border.dtype} to {step.dtype} is undefined out of range, and nothing keeps the data inside",
            )
    return None


def list_other_operands(step: Step) -> tuple[tuple[str, Operand], ...]:
    """Return the operands of a step besides its data, by name."""
    if isinstance(step, Binary):
        return (("operand", step.other),)
    if isinstance(step, Quantization):
        return (("scale", step.scale), ("zero point", step.zero_point))
    if isinstance(step, Joined):
        return tuple(_list_joined_operands(step))
    if isinstance(step, Composed):
        return tuple(named for inner in step.steps for named in list_other_operands(inner))
    return ()


def list_ops(step: Step) -> Iterator[str]:
    """Yield the op of a step, and those of the steps within."""
    yield step.op
    for inner in step.steps if isinstance(step, Composed) else ():
        yield from list_ops(inner)
    for operand in step.operands if isinstance(step, Joined) else ():
        for inner in () if isinstance(operand, Operand) else operand:
            yield from list_ops(inner)


def _list_joined_operands(step: Joined) -> Iterator[tuple[str, Operand]]:
    for operand in step.operands:
        if isinstance(operand, Operand):
            yield "operand", operand
        else:
            for inner in operand:
                yield from list_other_operands(inner)


def _evaluate(border: Border, step: Step) -> Border | Refused:
    """Return the border after an elementwise step, or why its values are not known."""
    after = replace(border, dtype=step.dtype, bounds=bound_result(border.bounds, border.dtype, step), signed=False)
    if border.values is None:
        return after
    if border.fusible and step.op in values.ADDITIVE:
        return _refuse_fused(step)
    for name, operand in list_other_operands(step):
        if operand.flat is None:
            return _refuse_unknown(name, step)
    operands = [operand for _, operand in list_other_operands(step)]
    inputs = [border.values, *(Values(_lengths_of(o), o.flat or ()) for o in operands)]
    results = _broadcast(inputs, _choose_function(step, border.dtype, signed=border.signed))
    if None in results.flat:
        shown = show_some(border.values.flat)
        return Refused(Kind.UNDEFINED_VALUE, f"what {step.op} makes of {shown} ({border.dtype}) is not known exactly")
    rounded = any(_is_rounded_product(step, border.dtype, *numbers) for numbers in zip(*_align(inputs), strict=True))
    return replace(after, values=results, fusible=rounded or (border.fusible and step.op == "negative"))


def _pass_joined(border: Border, step: Joined) -> Border | Refused:
    """Return the border after an op whose operands come from the same data: each is evaluated from there."""
    others = [("operand", operand) for operand in step.operands if isinstance(operand, Operand)]
    refused = _refuse_varying(border, step, others)
    if refused is not None:
        return refused
    parts: list[Border | Operand] = []
    for operand in step.operands:
        part = operand if isinstance(operand, Operand) else pass_steps(border, operand)
        if isinstance(part, Refused):
            return part
        parts.append(part)
    read = [part.dtype for part in parts if isinstance(part, Border)]
    if not values.is_known(step.op, read[-1], step.dtype):
        return Refused(Kind.DTYPE, f"{step.op} of {read[-1]} to {step.dtype} is not known to be exact")
    bounds = bound_joined(step, [part.bounds if isinstance(part, Border) else bound_operand(part) for part in parts])
    after = replace(border, dtype=step.dtype, bounds=bounds, signed=False)
    fusible = any(part.fusible for part in parts if isinstance(part, Border))
    if border.values is None:
        return after
    if fusible and step.op in values.ADDITIVE:
        return _refuse_fused(step)
    if any(isinstance(part, Operand) and part.flat is None for part in parts):
        return _refuse_unknown("operand", step)
    inputs = [_values_of(part) for part in parts]
    dtype = step.dtype if step.op == "where" else read[-1]
    function: Callable[..., float | None] = values.where if step.op == "where" else values.BINARY[step.op]
    results = _broadcast(inputs, lambda *numbers: function(*numbers, dtype))
    if None in results.flat:
        shown = show_some(border.values.flat)
        return Refused(Kind.UNDEFINED_VALUE, f"what {step.op} makes of {shown} ({border.dtype}) is not known exactly")
    rounded = step.op == "multiply" and any(
        values.is_inexact_product(a, b, dtype) for a, b in zip(*_align(inputs), strict=True)
    )
    return replace(after, values=results, fusible=rounded or (fusible and step.op == "where"))


def _values_of(part: "Border | Operand") -> Values:
    if isinstance(part, Operand):
        return Values(_lengths_of(part), part.flat or ())
    assert part.values is not None
    return part.values


def _refuse_unknown(name: str, step: Step) -> Refused:
    return Refused(Kind.RUNTIME_OPERAND, f"the {name} of {step.op} is not a constant of known elements")


def _refuse_fused(step: Step) -> Refused:
    return Refused(
        Kind.UNDEFINED_VALUE,
        f"the border is a rounded product, which a fused multiply-add of {step.op} may not round",
    )


def _is_rounded_product(step: Step, dtype: str, x: float, *others: float) -> bool:
    """Return whether the step rounds a product: a fused multiply-add with the next op would not round it."""
    if step.op == "multiply":
        return values.is_inexact_product(x, others[0], step.dtype)
    if step.op == "nn.prelu":
        return x < 0 and values.is_inexact_product(x, others[0], dtype)
    if step.op == "square":
        return values.is_inexact_product(x, x, step.dtype)
    if step.op == "dequantize":
        return values.is_inexact_product(float(x - others[1]), others[0], "float32")
    if isinstance(step, Unary) and step.op == "nn.leakyrelu":
        return x < 0 and values.is_inexact_product(x, values.round_to(step.alpha, dtype), dtype)
    return False


def _lengths_of(operand: Operand) -> tuple[int, ...]:
    assert operand.shape is not None
    return tuple(length or 0 for length in operand.shape)  # a constant has no symbolic length


def _choose_function(step: Step, dtype: str, *, signed: bool) -> Callable[..., float | None]:
    """Return the function that the step applies to a border value and its operands."""
    if isinstance(step, Binary) and step.op == "divide" and step.swapped and signed:
        return lambda x, other: values.divide_by_signed(other, x, dtype)
    if isinstance(step, Binary):
        binary = values.BINARY[step.op]
        return lambda x, other: binary(other, x, dtype) if step.swapped else binary(x, other, dtype)
    if isinstance(step, Quantization):
        convert = values.dequantize if step.op == "dequantize" else values.quantize
        return lambda x, scale, zero_point: convert(x, scale, zero_point, dtype, step.dtype)
    if isinstance(step, Clip):
        return lambda x: values.clip(x, step.low, step.high, dtype)
    if isinstance(step, Unary) and step.op == "nn.leakyrelu":
        return lambda x: values.leakyrelu(x, step.alpha, dtype)
    if isinstance(step, Unary):
        unary = values.UNARY[step.op]
        return lambda x: unary(x, dtype)
    return lambda x: values.convert(x, dtype, step.dtype)


def _broadcast(inputs: list[Values], function: Callable[..., float | None]) -> Values:
    """Apply a function to several values. NaN neither enters nor leaves it."""

    def guarded(*numbers: float) -> float | None:
        return None if any(math.isnan(number) for number in numbers) else function(*numbers)

    shape = tuple(max(lengths) for lengths in zip(*(v.shape for v in inputs), strict=True))
    flat = tuple(guarded(*numbers) for numbers in zip(*_align(inputs), strict=True))
    return Values(shape, flat)  # type: ignore[arg-type]  # None is looked for right away


def _align(inputs: list[Values]) -> list[tuple[float, ...]]:
    """Return the numbers of each value, repeated to the common shape."""
    shape = tuple(max(lengths) for lengths in zip(*(v.shape for v in inputs), strict=True))
    return [v.flat if v.shape == shape else _repeat(v, shape) for v in inputs]


def _repeat(given: Values, shape: tuple[int, ...]) -> tuple[float, ...]:
    if len(given.flat) == 1:
        return given.flat * math.prod(shape)
    places = product(*(range(length) for length in shape))
    return tuple(given.flat[_position_of(place, given.shape)] for place in places)


def _position_of(place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return the row-major position, with axes of length 1 repeated."""
    position = 0
    for index, length in zip(place, shape, strict=True):
        position = position * length + (index if length > 1 else 0)
    return position


# --- axes ---------------------------------------------------------------------------------------------


def _pass_rearranged(border: Border, step: Rearranged) -> Border:
    """Return the border with its axes in their new places. An axis that is removed has length 1 and does not move."""
    widths = tuple((0, 0) if axis is None else border.widths[axis] for axis in step.origin)
    if border.values is None:
        return replace(border, widths=widths)
    old = border.values
    shape = tuple(1 if axis is None else old.shape[axis] for axis in step.origin)
    flat = []
    for place in product(*(range(length) for length in shape)):
        source = [0] * len(old.shape)
        for index, axis in zip(place, step.origin, strict=True):
            if axis is not None:
                source[axis] = index
        flat.append(old.flat[_position_of(tuple(source), old.shape)])
    return replace(border, widths=widths, values=Values(shape, tuple(flat)))


def _pass_pad(border: Border, step: Padded) -> Border | Refused:
    """Return the border after a pad of other axes: it extends over what that pad adds, with that pad's value."""
    pad = step.pad
    if pad.mode != "constant" and not pad.is_identity:
        return Refused(Kind.MODE, f"a pad between has mode {pad.mode!r}, not 'constant'")
    if pad.widths is None:
        return Refused(Kind.DYNAMIC_WIDTH, "a pad between has widths that are not constants")
    for axis, (own, other) in enumerate(zip(border.widths, pad.widths, strict=True)):
        if any(own) and any(other):
            return Refused(Kind.NESTED, f"another pad of axis {axis} is between and does not fold")
    value = values.cast(pad.value, pad.dtype)
    adds = any(width > 0 for sides in pad.widths for width in sides)
    bounds = include_pad(border.bounds, pad, pad.widths)  # what this pad adds is data to the consumer
    if border.values is None:
        return replace(border, bounds=bounds)
    if adds and (value is None or math.isnan(value)):
        return Refused(Kind.UNDEFINED_VALUE, f"a pad between adds {pad.value!r}")
    grown = border.values
    for axis, sides in enumerate(pad.widths):
        if any(sides) and (len(grown.flat) > 1 or grown.flat[0] != value):
            size = step.sizes[axis]
            if size is None:
                return Refused(Kind.SYMBOLIC, f"a pad between changes axis {axis}, whose length is symbolic")
            grown = _grow(grown, axis, size, sides, value or 0)
    return replace(border, values=grown, bounds=bounds)


def _grow(given: Values, axis: int, size: int, sides: Widths, value: float) -> Values:
    """Return the values along an axis of ``size`` elements that another pad lengthens or crops."""
    before, after = sides
    length = size + before + after
    shape = (*given.shape[:axis], length, *given.shape[axis + 1 :])
    flat = []
    for place in product(*(range(n) for n in shape)):
        source = place[axis] - before
        real = (*place[:axis], source, *place[axis + 1 :])
        flat.append(given.flat[_position_of(real, given.shape)] if 0 <= source < size else value)
    return Values(shape, tuple(flat))


def show_some(numbers: tuple[float, ...], most: int = 4) -> str:
    """Return the first few of many numbers, as text."""
    unique = list(dict.fromkeys(f"{number:g}" for number in numbers))
    return ", ".join(unique[:most]) + (", ..." if len(unique) > most else "")
