"""Shrinking candidates of steps, and steps that are adapted to other layouts or lengths."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from foldproof.case import dtypes
from foldproof.case.shrinking.values import earlier, simpler_values, simpler_widths, toward_zero
from foldproof.case.step import BINARY, ELEMENTWISE, FIELDS, QUANTIZING, STRUCTURAL, Step

SIMPLE_KINDS = ("relu", "negative", "abs")
"""Kinds without numbers; they are simpler than every other elementwise kind."""

Steps = tuple[Step, ...]


def simpler_steps(step: Step) -> Iterator[Step]:
    """Yield steps with a simpler kind, or with a simpler value of a field that the kind has."""
    if step.kind in ELEMENTWISE:
        yield from (Step(kind=kind) for kind in earlier((*SIMPLE_KINDS, step.kind), step.kind))
    if step.kind in BINARY:
        yield from (replace(step, kind=kind) for kind in earlier(BINARY, step.kind) if _is_step(step, kind=kind))
    if not step.constant:
        yield replace(step, constant=True)
    if step.swapped:
        yield from _attempts(step, "swapped", (False,))
    yield from _simpler_parameters(step)
    for name in ("low", "high", "alpha", "value"):
        if name in FIELDS[step.kind]:
            yield from _attempts(step, name, simpler_values(getattr(step, name)))
    if step.form != "op":
        yield replace(step, form="op")
    for i, (letter, *sides) in enumerate(step.widths):
        yield replace(step, widths=step.widths[:i] + step.widths[i + 1 :])
        simpler = simpler_widths((sides[0], sides[1]))
        yield from _attempts(
            step, "widths", (step.widths[:i] + ((letter, *new),) + step.widths[i + 1 :] for new in simpler)
        )


def _simpler_parameters(step: Step) -> Iterator[Step]:
    """Yield steps with fewer, then simpler, scales, zero points and operands, and with earlier dtypes."""
    longer = [name for name, values in step.parameters.items() if len(values) > 1]
    if len(longer) > 1:
        yield from _scalar(step, {name: getattr(step, name)[:1] for name in longer})
    for name in longer:
        for value in dict.fromkeys(getattr(step, name)):
            yield from _scalar(step, {name: (value,)})
    if step.axis != "C" and not step.follows_axis:
        yield replace(step, axis="C")
    if "out_dtype" in FIELDS[step.kind]:
        yield from _attempts(step, "out_dtype", earlier(dtypes.DTYPES, step.out_dtype))
    if step.kind in QUANTIZING:
        yield from _attempts(step, "zero_point_dtype", earlier(dtypes.ZERO_POINT_DTYPES, step.zero_point_dtype))
        if any(scale != 1.0 for scale in step.scale):
            yield replace(step, scale=(1.0,) * len(step.scale))
        yield from _one_by_one(step, "zero_point", toward_zero)
    elif step.kind in BINARY:
        yield from _one_by_one(step, "operand", simpler_values)


def _scalar(step: Step, change: dict[str, Any]) -> Iterator[Step]:
    """Yield the changed step, without an axis if it does not follow one any more."""
    alone = step.kind in BINARY and all(len(values) == 1 for values in change.values())
    yield replace(step, axis="C" if alone else step.axis, **change)


def _one_by_one(step: Step, name: str, simpler: Callable[[Any], Iterator[Any]]) -> Iterator[Step]:
    """Yield steps with one simpler element, and with all elements simpler if they are equal."""
    values = getattr(step, name)
    for i, value in enumerate(values):
        yield from _attempts(step, name, (values[:i] + (less,) + values[i + 1 :] for less in simpler(value)))
    if len(set(values)) == 1:
        yield from _attempts(step, name, ((less,) * len(values) for less in simpler(values[0])))


def _attempts(step: Step, name: str, values: Iterable[Any]) -> Iterator[Step]:
    """Yield the step with each of the values of a field that makes a valid step."""
    for value in values:
        if _is_step(step, **{name: value}):
            yield replace(step, **{name: value})


def _is_step(step: Step, **change: Any) -> bool:
    try:
        replace(step, **change)
    except ValueError:
        return False
    return True


# --- layouts and lengths ------------------------------------------------------------------------------


def remove_step(steps: Steps, place: int) -> Steps:
    """Return the steps without one. The steps before it lose the unit axes that it would have removed."""
    gone = steps[place]
    left = steps[:place] + steps[place + 1 :]
    if gone.kind not in STRUCTURAL:
        return left
    after = next((step.source for step in steps[place + 1 :] if step.source), None)
    extra = "".join(letter for letter in gone.source if letter in "UV" and (after is None or letter not in after))
    return tuple(_without_letters(step, extra) if i < place else step for i, step in enumerate(left))


def _without_letters(step: Step, letters: str) -> Step:
    return replace(step, source="".join(x for x in step.source if x not in letters)) if step.source else step


def relayout(steps: Steps, after: str, renamed: dict[str, str]) -> Steps:
    """Return the steps with renamed letters, adapted to end in the layout ``after``.

    A letter that is renamed to '' is left out, and so are structural steps that have no effect any more.
    """

    def rename(text: str) -> str:
        return "".join(renamed.get(letter, letter) for letter in text)

    adapted: list[Step] = []
    for step in reversed(steps):
        if step.kind in STRUCTURAL:
            source = rename(step.source)
            if source != after:
                adapted.append(replace(step, source=source))
            after = source
        else:
            widths = tuple((rename(letter), b, a) for letter, b, a in step.widths if rename(letter))
            axis = rename(step.axis) if step.parameters else step.axis
            adapted.append(replace(step, axis=axis, widths=widths))
    return tuple(reversed(adapted))


def resize(steps: Steps, lengths: dict[str, int]) -> Steps:
    """Return the steps for a tensor with these lengths: longer parameters are cut."""
    adapted = []
    for step in steps:
        most = lengths.get(step.axis, 1)
        if step.follows_axis and most >= 1:
            shorter: dict[str, Any] = {name: values[:most] for name, values in step.parameters.items()}
            if step.kind in BINARY and most == 1:
                shorter["axis"] = "C"
            step = replace(step, **shorter)
        lengths = lengths | {x: lengths[x] + b + a for x, b, a in step.widths if x in lengths}
        adapted.append(step)
    return tuple(adapted)
