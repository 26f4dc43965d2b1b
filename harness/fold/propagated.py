"""A pad as it reaches its consumer, the preconditions of every rule, and the new padding. Pure Python."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from foldproof.fold.bounds import find_bounds, include_pad
from foldproof.fold.facts import MIRRORING, Kind, Quantization, Rearranged, Refused, Site, Values, Widths
from foldproof.fold.propagation import Border, pass_steps, show_some
from foldproof.fold.values import NUMBERS, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagated:
    """A pad as it reaches its consumer: the widths to fold, by letter of the layout, (0, 0) for those that stay.

    ``border`` is what the operand holds there. ``kept`` are the widths of the pad that stays, per axis of its input.
    """

    site: Site
    widths: dict[str, Widths]
    border: Border
    kept: tuple[Widths, ...]

    @property
    def adds(self) -> bool:
        """Return whether anything is added: a pad that only crops has no value."""
        return any(width > 0 for sides in self.widths.values() for width in sides)

    @property
    def values(self) -> Values:
        assert self.border.values is not None
        return self.border.values


# --- how it gets there ----------------------------------------------------------------------------------


def refuse_common(site: Site) -> Iterator[Refused]:
    """Yield the preconditions of every rule that the pad or its consumer breaks; the first one is reported.

    1. The pad is on the data operand.
    2. The mode is "constant", or copies elements before a max_pool.
    3. The dtypes are known.
    4. The widths are constants.
    5. The layout is known, and the padding attribute is complete.
    6. The consumer can read the pad's input, which no call overwrites.
    """
    pad, consumer = site.pad, site.consumer
    letters = sorted("NC" + consumer.spatial)
    if consumer.operand != 0:
        yield Refused(Kind.WEIGHT, "the pad is on the weight operand, which the padding attribute does not reach")
    copies = pad.mode in MIRRORING and consumer.family == "max_pool"
    if copies and pad.widths is None:
        yield Refused(Kind.DYNAMIC_WIDTH, f"the widths of the {pad.mode} kernel are not certain; nn.pad states them")
    if pad.mode != "constant" and not copies:
        yield Refused(Kind.MODE, f"pad mode {pad.mode!r} is not 'constant'")
    for dtype in (pad.dtype, site.operand_dtype):
        if dtype not in NUMBERS:
            yield Refused(Kind.DTYPE, f"dtype {dtype} is not supported: its arithmetic is not known to fold exactly")
    if pad.widths is None:
        yield Refused(Kind.DYNAMIC_WIDTH, "a pad width is not a constant")
    if sorted(consumer.layout) != letters or consumer.out_layout != consumer.layout:
        shown = f"{consumer.layout} (out_layout {consumer.out_layout})"
        yield Refused(Kind.LAYOUT, f"layout {shown} is not a permutation of {'NC' + consumer.spatial}")
    if len(consumer.padding) != 2 * len(consumer.spatial):
        yield Refused(Kind.OWN_PADDING, f"padding {list(consumer.padding)} does not give both sides of every axis")
    if not site.input_visible:
        yield Refused(Kind.SCOPE, "the input of the pad is local to a dataflow block that does not hold the consumer")
    yield from refuse_overwritten(site)


def refuse_overwritten(site: Site) -> Iterator[Refused]:
    """Refuse where an in-place call may overwrite the pad's input or its result."""
    if site.overwritten:
        yield Refused(Kind.IN_PLACE, f"{site.writer} may overwrite what the pad reads or makes")


def propagate(site: Site, letters: str) -> Propagated | Refused:
    """Return the pad as it reaches the consumer: the widths along ``letters`` fold, the others stay."""
    pad, consumer = site.pad, site.consumer
    assert pad.widths is not None
    origins = _trace_axes(site)
    moving = {origins[consumer.layout.index(letter)] for letter in letters}
    widths = tuple(sides if axis in moving else (0, 0) for axis, sides in enumerate(pad.widths))
    kept = tuple((0, 0) if axis in moving else sides for axis, sides in enumerate(pad.widths))
    if not any(any(sides) for sides in widths):
        return _refuse_unmoved(site, origins)
    border = _pass_steps(site, widths, kept)
    if isinstance(border, Refused):
        return border
    by_letter = dict(zip(consumer.layout, border.widths, strict=True))
    spatial = {x: by_letter[x] for x in consumer.spatial}  # (0, 0) where the widths stay
    return Propagated(site=site, widths=spatial | {x: by_letter[x] for x in letters}, border=border, kept=kept)


def _trace_axes(site: Site) -> tuple[int | None, ...]:
    """Return the axis of the padded tensor for each axis of the consumer's operand; None for a new axis."""
    assert site.pad.widths is not None
    origins: tuple[int | None, ...] = tuple(range(len(site.pad.widths)))
    for step in site.steps:
        if isinstance(step, Rearranged):
            origins = tuple(None if axis is None else origins[axis] for axis in step.origin)
    return origins


def _refuse_unmoved(site: Site, origins: tuple[int | None, ...]) -> Refused:
    """Refuse a pad that changes no axis that padding reaches."""
    assert site.pad.widths is not None
    for letter, origin in zip(site.consumer.layout, origins, strict=True):
        sides = (0, 0) if origin is None else site.pad.widths[origin]
        if any(sides):
            kind, axis = (Kind.BATCH, "batch") if letter == "N" else (Kind.CHANNEL, "channel")
            return Refused(kind, f"the pad changes the {axis} axis by {sides}")
    return Refused(Kind.CONSUMER, f"{site.consumer.op} does not have the axes that are padded")


def _pass_steps(site: Site, widths: tuple[Widths, ...], kept: tuple[Widths, ...]) -> Border | Refused:
    """Return the border before the consumer, or the refusal of a step. What the ``kept`` widths add is data.

    Copies of elements have no values of their own: a step makes of them what it makes of the elements.
    """
    pad = site.pad
    bounds = include_pad(find_bounds(pad.dtype, site.producers, site.produced_from), pad, kept)
    border = Border(dtype=pad.dtype, widths=widths, values=None, bounds=bounds)
    copies = pad.mode in MIRRORING and site.consumer.family == "max_pool"
    if not copies and any(width > 0 for sides in widths for width in sides):
        value = cast(pad.value, pad.dtype)
        if value is None:
            return Refused(Kind.VALUE, f"the pad value {pad.value!r} does not fit {pad.dtype}")
        border = replace(border, values=Values((1,) * len(widths), (value,)))
    return pass_steps(border, site.steps)


# --- geometry -------------------------------------------------------------------------------------------


def refuse_crops(propagated: Propagated) -> Iterator[Refused]:
    """Refuse crops that padding cannot express.

    A crop and a padding after it are their sum only if own padding <= 0 there: else it pads again. A pad and a crop
    after it (own padding < 0) are always their sum. With ceil_mode a last window could reach the cropped elements.
    """
    consumer, by_letter = propagated.site.consumer, propagated.widths
    cropped = {letter: sides for letter, sides in by_letter.items() if min(sides) < 0}
    if cropped and consumer.family == "conv_transpose":
        yield Refused(
            Kind.CROP, f"the pad crops {_show_widths(cropped)}, which padding of a transposed convolution cannot do"
        )
    if cropped and consumer.ceil_mode:
        yield Refused(
            Kind.CROP, f"the pad crops {_show_widths(cropped)}, and the last window of ceil_mode could reach that"
        )
    for letter, sides in cropped.items():
        if letter not in consumer.spatial:
            continue  # channels, which have no padding
        i = consumer.spatial.index(letter)
        own = (consumer.padding[i], consumer.padding[i + len(consumer.spatial)])
        if any(width < 0 < padding for width, padding in zip(sides, own, strict=True)):
            yield Refused(Kind.CROP, f"the pad crops {letter} by {sides}, and own padding {own} pads it again with 0")


def sum_padding(propagated: Propagated, *, scale: list[int] | None = None) -> tuple[int, ...]:
    """Return own padding plus widths (times ``scale`` of each axis), in the flat order of the attribute."""
    consumer = propagated.site.consumer
    sides = [propagated.widths[letter] for letter in consumer.spatial]
    added = [before for before, _ in sides] + [after for _, after in sides]
    factors = [1] * len(sides) if scale is None else scale
    return tuple(own + more * by for own, more, by in zip(consumer.padding, added, factors * 2, strict=True))


# --- wording --------------------------------------------------------------------------------------------


def choose_value_kind(propagated: Propagated) -> Kind:
    """Return the kind of a refused value: QUANTIZATION if an op between quantizes, else VALUE."""
    quantized = any(isinstance(step, Quantization) for step in propagated.site.steps)
    return Kind.QUANTIZATION if quantized else Kind.VALUE


def describe_value(propagated: Propagated) -> str:
    """Return a phrase with the pad value, and what the steps make of it."""
    pad, steps = propagated.site.pad, propagated.site.steps
    if not steps:
        return f"the pad value is {pad.value!r}"
    ops, made = ", ".join(step.op for step in steps), show_some(propagated.values.flat)
    text = f"{ops} makes {made} of the pad value {pad.value!r}"
    points = [step.zero_point.flat for step in steps if isinstance(step, Quantization) and step.zero_point.flat]
    return text + (f" (zero point {show_some(points[-1])})" if points else "")


def _show_widths(by_letter: dict[str, Widths]) -> str:
    return ", ".join(f"{letter} {sides}" for letter, sides in by_letter.items() if any(sides))
