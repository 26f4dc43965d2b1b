"""The next simpler cases of a case: what shrinking tries, one change at a time, most daring first.

Law: every candidate is a possible case, differs from the given one, and is smaller in a well-founded order (no field
grows), so that following candidates ends. A case none of whose candidates fails in the same way is 1-minimal.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from harness import ops
from harness.case import Axis, Case, Pad, Step, Widths


def simpler(case: Case) -> Iterator[Case]:
    """All candidates, most daring first; impossible ones are left out."""
    seen = {case}
    for make in (
        _fewer_parts,
        _lower_rank,
        _plainer_types,
        _fewer_channels,
        _plainer_pad,
        _plainer_axes,
        _plainer_inputs,
    ):
        for change in make(case):
            candidate = _attempt(case, change)
            if candidate is not None and candidate not in seen:
                seen.add(candidate)
                yield candidate


def _attempt(case: Case, change: dict[str, Any]) -> Case | None:
    """The changed case, None if there is no such case: a value out of range, or no window fits."""
    try:
        return replace(case, **change)
    except ValueError:
        return None


Changes = Iterator[dict[str, Any]]

_Part = TypeVar("_Part", Axis, Pad, Step)


def _with(part: _Part, name: str, value: Any) -> _Part:
    changes: dict[str, Any] = {name: value}
    return replace(part, **changes)


def _fewer_parts(case: Case) -> Changes:
    """Without the steps, the further uses, the fills beyond one."""
    if case.steps:
        yield {"steps": ()}
        for dtype in _before(ops.DTYPES, case.dtype):
            yield {"steps": (), "dtype": dtype}
            yield {"steps": (), "dtype": dtype, "pad": replace(case.pad, value=0.0)}
    for i in range(len(case.uses)):
        yield {"uses": case.uses[:i] + case.uses[i + 1 :]}
    if len(case.fills) > 1:
        yield from ({"fills": (fill,)} for fill in dict.fromkeys(case.fills))
    if case.ceil_mode:
        yield {"ceil_mode": False}
    if case.count_include_pad:
        yield {"count_include_pad": False}


def _lower_rank(case: Case) -> Changes:
    """One spatial axis less; the layouts lose its letter, and the letters that are left move up."""
    rank = case.spec.rank
    if rank == 1:
        return
    op = case.op.replace(f"{rank}d", f"{rank - 1}d")
    for i, gone in enumerate(case.spec.spatial):
        renamed = dict(zip(case.spec.spatial.replace(gone, ""), ops.BY_NAME[op].spatial, strict=True))
        if any(step.axis == gone for step in case.steps):
            continue
        change: dict[str, Any] = {"op": op, "axes": case.axes[:i] + case.axes[i + 1 :]}
        for name in ("data_layout", "kernel_layout"):
            kept = getattr(case, name).replace(gone, "")
            change[name] = "".join(renamed.get(letter, letter) for letter in kept)
        change["steps"] = tuple(replace(s, axis=renamed.get(s.axis, s.axis)) for s in case.steps)
        yield change
        yield change | {"data_layout": "", "kernel_layout": ""}


def _plainer_types(case: Case) -> Changes:
    """Standard layouts and dtypes, and a plainer dequantize."""
    if case.data_layout or case.kernel_layout:
        yield {"data_layout": "", "kernel_layout": ""}
        for name in ("data_layout", "kernel_layout"):
            standard = getattr(case.spec, name)
            if getattr(case, name):
                yield {name: ""}
                if getattr(case, name) == standard:
                    continue
                yield from ({name: layout} for layout in _before(getattr(case.spec, name + "s"), getattr(case, name)))
    if case.out_dtype or case.weight_dtype:
        yield {"out_dtype": "", "weight_dtype": ""}
        yield {"weight_dtype": ""}
    for dtype in _before(ops.DTYPES, case.dtype):
        yield {"dtype": dtype, "out_dtype": "", "weight_dtype": ""}
        yield {"dtype": dtype}
    for dtype in _before(ops.DTYPES, case.out_dtype):
        yield {"out_dtype": dtype}
    for i, step in enumerate(case.steps):
        for plainer in _plainer_steps(step):
            yield {"steps": case.steps[:i] + (plainer,) + case.steps[i + 1 :]}
            if plainer.zero_point != step.zero_point and case.pad.value in step.zero_point:
                # The pad value follows its zero point, else the case would turn from a legal one into another.
                position = step.zero_point.index(int(case.pad.value))
                value = float(plainer.zero_point[position if len(plainer.zero_point) > 1 else 0])
                if _weight_of(value) <= _weight_of(case.pad.value):
                    steps = case.steps[:i] + (plainer,) + case.steps[i + 1 :]
                    yield {"steps": steps, "pad": replace(case.pad, value=value)}


def _plainer_steps(step: Step) -> Iterator[Step]:
    if not step.constant:
        yield replace(step, constant=True)
    if len(step.scale) > 1 and len(step.zero_point) > 1:
        yield replace(step, scale=step.scale[:1], zero_point=step.zero_point[:1])
    for name in ("scale", "zero_point"):
        if len(getattr(step, name)) > 1:
            yield from (_with(step, name, (value,)) for value in dict.fromkeys(getattr(step, name)))
    if step.axis != "C" and len(step.scale) == len(step.zero_point) == 1:
        yield replace(step, axis="C")
    for dtype in _before(ops.DEQUANTIZED_DTYPES, step.out_dtype):
        yield replace(step, out_dtype=dtype)
    yield from _attempts(step, "zero_point_dtype", _before(ops.ZERO_POINT_DTYPES, step.zero_point_dtype))
    if any(scale != 1.0 for scale in step.scale):
        yield replace(step, scale=(1.0,) * len(step.scale))
    for i, zero_point in enumerate(step.zero_point):
        fewer = (step.zero_point[:i] + (z,) + step.zero_point[i + 1 :] for z in _toward_zero(zero_point))
        yield from _attempts(step, "zero_point", fewer)
    if len(set(step.zero_point)) == 1:
        same = ((z,) * len(step.zero_point) for z in _toward_zero(step.zero_point[0]))
        yield from _attempts(step, "zero_point", same)


def _attempts(step: Step, name: str, values: Iterable[Any]) -> Iterator[Step]:
    for value in values:
        try:
            yield _with(step, name, value)
        except ValueError:
            continue


def _fewer_channels(case: Case) -> Changes:
    """Less batch, groups, channels and filters; the parameters of a step follow the axis that they belong to."""
    for batch in _toward(case.batch, 1):
        yield _resized(case, "N", sum(case.pad.batch) if not case.pads_weight else 0, batch) | {"batch": batch}
    added = 0 if case.pads_weight else sum(case.pad.channel)
    for groups in _toward(case.groups, 1):
        yield {"groups": groups}
        for channels in _fewer(case.channels, added, groups):
            change = _resized(case, "C", added, channels) | {"groups": groups, "channels": channels}
            yield change
            yield change | {"filters": min(case.filters, groups)}
    for channels in _fewer(case.channels, added, case.groups):
        change = _resized(case, "C", added, channels) | {"channels": channels}
        yield change
        if case.filters > case.groups:
            yield change | {"filters": case.groups}
    yield from ({"filters": filters} for filters in _fewer(case.filters, 0, case.groups))


def _fewer(count: int, added: int, groups: int) -> Iterator[int]:
    """Smaller counts which, with what the pad adds, the groups divide: least, half, next."""
    sums = range(groups, count + added, groups)
    smaller = [total - added for total in sums if total - added >= 1]
    if smaller:
        yield from dict.fromkeys((smaller[0], smaller[len(smaller) // 2], smaller[-1]))


def _resized(case: Case, letter: str, padding: int, length: int) -> dict[str, Any]:
    """The steps when the unpadded tensor has ``length`` elements along ``letter``."""
    most = length + padding
    if most < 1 or not any(step.axis == letter for step in case.steps):
        return {}
    return {
        "steps": tuple(
            replace(s, scale=s.scale[:most], zero_point=s.zero_point[:most]) if s.axis == letter else s
            for s in case.steps
        )
    }


def _plainer_pad(case: Case) -> Changes:
    pad = case.pad
    if pad.operand == "weight":
        yield {"pad": replace(pad, operand="data")}
    if pad.mode != "constant":
        yield {"pad": replace(pad, mode="constant")}
    if pad != Pad():
        yield {"pad": Pad(operand=pad.operand)}
    for name in ("batch", "channel"):
        for sides in _plainer_widths(getattr(pad, name)):
            letter = "N" if name == "batch" else "C"
            lengths = _resized(case, letter, sum(sides), case.data_dims[letter])
            yield {"pad": _with(pad, name, sides)} | lengths
    yield from ({"pad": replace(pad, value=value)} for value in _plainer_values(pad.value))


def _plainer_axes(case: Case) -> Changes:
    for i, (letter, axis) in enumerate(case.lettered_axes):
        for plainer in _plainer_axis(axis):
            lengths = _resized(case, letter, sum(plainer.pad), plainer.size)
            yield {"axes": case.axes[:i] + (plainer,) + case.axes[i + 1 :]} | lengths


def _plainer_axis(axis: Axis) -> Iterator[Axis]:
    yield Axis()
    yield replace(axis, padding=(0, 0))
    yield replace(axis, pad=(0, 0))
    for name in ("stride", "dilation", "kernel", "size"):
        yield from (_with(axis, name, n) for n in _toward(getattr(axis, name), 1))
    for name in ("pad", "padding"):
        for sides in _plainer_widths(getattr(axis, name)):
            yield _with(axis, name, sides)
    yield from (replace(axis, output_padding=n) for n in _toward(axis.output_padding, 0))
    # A smaller kernel with as much less to slide over keeps the number of windows.
    for kernel in _toward(axis.kernel, 1):
        shorter = axis.size - (axis.kernel - kernel) * axis.dilation
        if shorter >= 1:
            yield replace(axis, kernel=kernel, size=shorter)
    for dilation in _toward(axis.dilation, 1):
        shorter = axis.size - (axis.kernel - 1) * (axis.dilation - dilation)
        if shorter >= 1:
            yield replace(axis, dilation=dilation, size=shorter)


def _plainer_inputs(case: Case) -> Changes:
    if len(case.fills) == 1:
        yield from ({"fills": (fill,)} for fill in _before(ops.FILLS, case.fills[0]))
    yield from ({"seed": seed} for seed in _toward(case.seed, 0))


# --- smaller values -----------------------------------------------------------------------------------


def _before(choices: tuple[str, ...], value: str) -> tuple[str, ...]:
    """The choices that stand before ``value`` in their table, simplest first."""
    return choices[: choices.index(value)] if value in choices else ()


def _toward(value: int, least: int) -> Iterator[int]:
    """From ``least`` up to the whole number next to ``value``, in growing steps."""
    if value > least:
        yield from dict.fromkeys((least, (least + value) // 2, value - 1))


def _toward_zero(value: int) -> Iterator[int]:
    """Whole numbers that are simpler: 0, half, one nearer to 0, and the positive of a negative one."""
    sign = 1 if value > 0 else -1
    yield from (sign * n for n in _toward(abs(value), 0))
    if value < 0:
        yield -value


def _plainer_widths(sides: Widths) -> Iterator[Widths]:
    before, after = sides
    yield from ((less, after) for less in _toward_zero(before))
    yield from ((before, less) for less in _toward_zero(after))


_PLAIN_VALUES = (0.0, 1.0, -1.0, 2.0)


def _plainer_values(value: float) -> Iterator[float]:
    """Pad values that are easier to read, easiest first."""
    candidates = list(_PLAIN_VALUES)
    if math.isfinite(value) and abs(value) < 2**53:
        candidates += [float(int(value)), float(int(value / 2)), math.copysign(abs(value) - 1, value), abs(value)]
    elif not math.isfinite(value):
        candidates += [math.inf]
    yield from (c for c in dict.fromkeys(candidates) if _weight_of(c) < _weight_of(value))


def _weight_of(value: float) -> tuple[bool, bool, bool, float, bool]:
    """Order of pad values: finite before infinite before NaN, whole before fractions, small, positive."""
    if math.isnan(value):
        return (True, True, True, 0.0, False)
    return (
        False,
        math.isinf(value),
        value != math.trunc(value) if math.isfinite(value) else True,
        abs(value),
        math.copysign(1, value) < 0,
    )
