"""The shrinking candidates of a case: the next simpler cases, one change at a time, largest change first.

Invariant: every candidate is valid, differs from the given case, and is smaller in a well-founded order (no field
grows). So shrinking terminates. A case is 1-minimal if none of its candidates fails in the same way.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from foldproof.case import dtypes, ops
from foldproof.case.case import Case
from foldproof.case.pad import Axis, Pad
from foldproof.case.shrinking.steps import Steps, relayout, remove_step, resize, simpler_steps
from foldproof.case.shrinking.values import complexity, earlier, simpler_values, simpler_widths, toward
from foldproof.case.step import STRUCTURAL


def simpler(case: Case) -> Iterator[Case]:
    """Yield all valid candidates, largest change first, each once."""
    seen = {case}
    for propose in (
        _fewer_parts,
        _lower_rank,
        _simpler_types,
        _fewer_channels,
        _simpler_pad,
        _simpler_axes,
        _simpler_inputs,
    ):
        for change in propose(case):
            candidate = _attempt(case, change)
            if candidate is not None and candidate not in seen:
                seen.add(candidate)
                yield candidate


def _attempt(case: Case, change: dict[str, Any]) -> Case | None:
    """Return the changed case; None if it is not valid: a value out of range, or no window that fits."""
    if not change.get("steps", case.steps):
        change = {"extra_outputs": tuple(name for name in case.extra_outputs if name != "step")} | change
    try:
        return replace(case, **change)
    except ValueError:
        return None


Changes = Iterator[dict[str, Any]]

_Part = TypeVar("_Part", Axis, Pad)


def _with(part: _Part, name: str, value: Any) -> _Part:
    changes: dict[str, Any] = {name: value}
    return replace(part, **changes)


def _fewer_parts(case: Case) -> Changes:
    """Propose to leave out steps, extra outputs, fills and flags."""
    if case.producers and case.steps:
        yield from _without_steps(case, {"producers": (), "steps": ()})
    if case.steps:
        yield from _without_steps(case, {"steps": ()})
    if case.producers:
        yield from _without_steps(case, {"producers": ()})
    yield from _fewer_steps(case)
    if case.symbolic:
        yield {"symbolic": ()}
        yield from ({"symbolic": case.symbolic[:i] + case.symbolic[i + 1 :]} for i in range(len(case.symbolic)))
    yield from ({"input_stride": stride} for stride in toward(case.input_stride, 1))
    if case.constant_weight:
        yield {"constant_weight": False}
    for i in range(len(case.extra_outputs)):
        yield {"extra_outputs": case.extra_outputs[:i] + case.extra_outputs[i + 1 :]}
    if len(case.fills) > 1:
        yield from ({"fills": (fill,)} for fill in dict.fromkeys(case.fills))
    if case.ceil_mode:
        yield {"ceil_mode": False}
    if case.count_include_pad:
        yield {"count_include_pad": False}


def _without_steps(case: Case, change: dict[str, Steps]) -> Changes:
    """Propose the change alone, and with simpler dtypes, since no step needs those of the case any more."""
    yield dict(change)
    yield change | {"out_dtype": "", "weight_dtype": ""}
    for dtype in earlier(dtypes.DTYPES, case.dtype):
        yield change | {"dtype": dtype}
        yield change | {"dtype": dtype, "pad": replace(case.pad, value=0.0)}
        yield change | {"dtype": dtype, "pad": replace(case.pad, value=0.0), "out_dtype": "", "weight_dtype": ""}


def _fewer_steps(case: Case) -> Changes:
    """Propose to leave out all structural steps, or any one step."""
    flat = tuple(step for step in case.steps if step.kind not in STRUCTURAL)
    if flat != case.steps:
        yield {"steps": flat}
    for i in range(len(case.steps)):
        yield {"steps": remove_step(case.steps, i)}
        yield {"steps": remove_step(case.steps, i), "out_dtype": "", "weight_dtype": ""}
    for i in range(len(case.producers)):
        yield {"producers": case.producers[:i] + case.producers[i + 1 :]}


def _lower_rank(case: Case) -> Changes:
    """Propose to leave out one spatial axis. Layouts lose its letter; the other spatial letters are renamed."""
    rank = case.spec.rank
    if rank == 1:
        return
    op = case.op.replace(f"{rank}d", f"{rank - 1}d")
    spec = ops.BY_NAME[op]
    for i, gone in enumerate(case.spec.spatial):
        renamed = dict(zip(case.spec.spatial.replace(gone, ""), spec.spatial, strict=True)) | {gone: ""}
        if any(step.axis == gone and step.parameters for step in (*case.producers, *case.steps)):
            continue
        change: dict[str, Any] = {"op": op, "axes": case.axes[:i] + case.axes[i + 1 :]}
        for name in ("data_layout", "kernel_layout"):
            change[name] = "".join(renamed.get(letter, letter) for letter in getattr(case, name))
        change["symbolic"] = tuple(renamed.get(letter, letter) for letter in case.symbolic if letter != gone)
        change["producers"] = relayout(case.producers, "", renamed)
        change["steps"] = relayout(case.steps, change["data_layout"] or spec.data_layout, renamed)
        yield change
        yield change | {
            "data_layout": "",
            "kernel_layout": "",
            "steps": relayout(case.steps, spec.data_layout, renamed),
        }


def _simpler_types(case: Case) -> Changes:
    """Propose standard layouts, earlier dtypes and simpler steps."""
    yield from _simpler_layouts(case)
    if case.out_dtype or case.weight_dtype:
        yield {"out_dtype": "", "weight_dtype": ""}
        yield {"weight_dtype": ""}
    for dtype in earlier(dtypes.DTYPES, case.dtype):
        yield {"dtype": dtype, "out_dtype": "", "weight_dtype": ""}
        yield {"dtype": dtype}
    for dtype in earlier(dtypes.DTYPES, case.out_dtype):
        yield {"out_dtype": dtype}
    for name in ("steps", "producers"):
        for i, step in enumerate(getattr(case, name)):
            for candidate in simpler_steps(step):
                steps = getattr(case, name)[:i] + (candidate,) + getattr(case, name)[i + 1 :]
                yield _lengths(case, {name: steps})
                if name == "steps" and candidate.zero_point != step.zero_point and case.pad.value in step.zero_point:
                    # The pad value changes with its zero point; otherwise a legal fold would become an illegal one.
                    position = step.zero_point.index(int(case.pad.value))
                    value = float(candidate.zero_point[position if len(candidate.zero_point) > 1 else 0])
                    if complexity(value) <= complexity(case.pad.value):
                        yield {"steps": steps, "pad": replace(case.pad, value=value)}


def _simpler_layouts(case: Case) -> Changes:
    """Propose earlier layouts. Structural steps then end in the new layout, or are left out."""
    if case.data_layout or case.kernel_layout:
        yield {"data_layout": "", "kernel_layout": "", "steps": relayout(case.steps, case.spec.data_layout, {})}
    if case.kernel_layout:
        yield from ({"kernel_layout": layout} for layout in _layouts(case, "kernel_layout"))
    if case.data_layout:
        for layout in _layouts(case, "data_layout"):
            yield {"data_layout": layout, "steps": relayout(case.steps, layout or case.spec.data_layout, {})}


def _layouts(case: Case, name: str) -> tuple[str, ...]:
    """Return the simpler layouts of one operand: the empty one, then those before its own in the table."""
    return ("", *earlier(getattr(case.spec, name + "s"), getattr(case, name)))


def _fewer_channels(case: Case) -> Changes:
    """Propose smaller batch, groups, channels and filters. Parameters of steps are cut to their axes."""
    for batch in toward(case.batch, 1):
        yield _lengths(case, {"batch": batch})
    added = case.operand_dims["C"] - case.channels
    for groups in toward(case.groups, 1):
        yield {"groups": groups}
        for channels in _fewer(case.channels, added, groups):
            change = _lengths(case, {"groups": groups, "channels": channels})
            yield change
            yield change | {"filters": min(case.filters, groups)}
    for channels in _fewer(case.channels, added, case.groups):
        change = _lengths(case, {"channels": channels})
        yield change
        if case.filters > case.groups:
            yield change | {"filters": case.groups}
    yield from ({"filters": filters} for filters in _fewer(case.filters, 0, case.groups))


def _fewer(count: int, added: int, groups: int) -> Iterator[int]:
    """Yield smaller counts that are a multiple of ``groups`` after the pad: the least, the middle, the next one."""
    sums = range(groups, count + added, groups)
    smaller = [total - added for total in sums if total - added >= 1]
    if smaller:
        yield from dict.fromkeys((smaller[0], smaller[len(smaller) // 2], smaller[-1]))


def _lengths(case: Case, change: dict[str, Any]) -> dict[str, Any]:
    """Return the change, with the parameters of steps cut to the new lengths of their axes."""
    batch, channels, axes, pad = (change.get(x, getattr(case, x)) for x in ("batch", "channels", "axes", "pad"))
    sizes = {"N": batch, "C": channels} | {x: a.size for x, a in zip(case.spec.spatial, axes, strict=True)}
    padded = dict(sizes)
    if pad.operand == "data":
        sides = {"N": pad.batch, "C": pad.channel} | {x: a.pad for x, a in zip(case.spec.spatial, axes, strict=True)}
        padded = {letter: length + sum(sides[letter]) for letter, length in sizes.items()}
    producers = resize(change.get("producers", case.producers), sizes)
    return change | {"producers": producers, "steps": resize(change.get("steps", case.steps), padded)}


def _simpler_pad(case: Case) -> Changes:
    """Propose a pad of the data, its standard form and mode, smaller widths and simpler values."""
    pad = case.pad
    if pad.operand == "weight":
        yield _lengths(case, {"pad": replace(pad, operand="data")})
    if pad.form != "op":
        yield {"pad": replace(pad, form="op")}
    if pad.mode != "constant":
        yield {"pad": replace(pad, mode="constant")}
    if pad != Pad():
        yield _lengths(case, {"pad": Pad(operand=pad.operand)})
    for name in ("batch", "channel"):
        for sides in simpler_widths(getattr(pad, name)):
            yield _lengths(case, {"pad": _with(pad, name, sides)})
    yield from ({"pad": replace(pad, value=value)} for value in simpler_values(pad.value))


def _simpler_axes(case: Case) -> Changes:
    """Propose one simpler axis."""
    for i, (_, axis) in enumerate(case.lettered_axes):
        for candidate in _simpler_axis(axis):
            yield _lengths(case, {"axes": case.axes[:i] + (candidate,) + case.axes[i + 1 :]})


def _simpler_axis(axis: Axis) -> Iterator[Axis]:
    yield Axis()
    yield replace(axis, padding=(0, 0))
    yield replace(axis, pad=(0, 0))
    for name in ("stride", "dilation", "kernel", "size"):
        yield from (_with(axis, name, n) for n in toward(getattr(axis, name), 1))
    for name in ("pad", "padding"):
        for sides in simpler_widths(getattr(axis, name)):
            yield _with(axis, name, sides)
    yield from (replace(axis, output_padding=n) for n in toward(axis.output_padding, 0))
    # A smaller kernel on data that is shorter by as much has the same number of windows.
    for kernel in toward(axis.kernel, 1):
        shorter = axis.size - (axis.kernel - kernel) * axis.dilation
        if shorter >= 1:
            yield replace(axis, kernel=kernel, size=shorter)
    for dilation in toward(axis.dilation, 1):
        shorter = axis.size - (axis.kernel - 1) * (axis.dilation - dilation)
        if shorter >= 1:
            yield replace(axis, dilation=dilation, size=shorter)


def _simpler_inputs(case: Case) -> Changes:
    """Propose an earlier fill and a smaller seed."""
    if len(case.fills) == 1:
        yield from ({"fills": (fill,)} for fill in earlier(ops.FILLS, case.fills[0]))
    yield from ({"seed": seed} for seed in toward(case.seed, 0))
