"""Features of a case: what differs from the trivial case, by name, and cases without one of them.

A failure has a cause (``foldproof.campaign.causes``): the features that a case needs in order to fail.

Invariant: no feature is a precondition of every fold. A case whose feature is removed still has a pad, unless that pad
is the feature.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from foldproof.campaign import graph_features
from foldproof.case import Axis, Case, Pad, Step, dtypes
from foldproof.case.any_case import AnyCase
from foldproof.case.form import Form
from foldproof.case.graph import Graph, Site
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.shrinking.steps import relayout, remove_step
from foldproof.case.step import CROPS, ELEMENTWISE, STRUCTURAL

Change = dict[str, Any]
Changes = Iterator[Change]


def features(case: AnyCase) -> frozenset[str]:
    """Return the names of the features that a case or a graph has."""
    sites = frozenset(feature for each in case.cases for feature in _without(each))
    if isinstance(case, OnnxCase):
        return sites | {f"{_FORM}{name}" for name in case.form.to_dict()}
    return graph_features.features(case) | sites if isinstance(case, Graph) else sites


def plain_case(case: AnyCase) -> AnyCase:
    """Return a case of the same family without features: an even pad with the neutral value."""
    if isinstance(case, Graph):
        return Graph(sites=(Site(case=_plain(case.cases[0])),))
    return OnnxCase(case=_plain(case.case)) if isinstance(case, OnnxCase) else _plain(case)


def _plain(case: Case) -> Case:
    op = case.op.replace(f"{case.spec.rank}d", "1d")
    made = Case(op=op, axes=(Axis(size=6, pad=(1, 1), kernel=2),))
    return replace(made, pad=Pad(value=_neutral_value(made)))


def without(case: AnyCase, feature: str) -> tuple[AnyCase, ...]:
    """Return variants of a case that lack one feature; none if it lacks the feature, or is not valid without it."""
    if isinstance(case, Graph):
        if feature in graph_features.features(case):
            return graph_features.without(case, feature)
        made_of_sites = graph_features.without_in_sites(case, lambda each: _variants(each, feature))
        return tuple(each for each in made_of_sites if feature not in features(each))
    if isinstance(case, OnnxCase):
        return _without_in_form(case, feature)
    return _variants(case, feature)


def _variants(case: Case, feature: str) -> tuple[Case, ...]:
    made = (_attempt(case, change) for change in _without(case).get(feature, ()))
    return tuple(dict.fromkeys(each for each in made if each is not None and feature not in features(each)))


_FORM = "ONNX form: "
"""What the names of features of a form begin with. The rest is the field that is not at its default."""


def _without_in_form(case: OnnxCase, feature: str) -> tuple[OnnxCase, ...]:
    """Return variants of a case in a form that lack one feature: of the form, or of the case."""
    if not feature.startswith(_FORM):
        return tuple(replace(case, case=each) for each in without(case.case, feature) if isinstance(each, Case))
    name = feature.removeprefix(_FORM)
    fields = {key: value for key, value in case.form.to_dict().items() if key != name}
    try:
        form = Form.from_dict(fields)
    except ValueError:
        return ()
    return (replace(case, form=form),) if form != case.form else ()


ASYMMETRIC, BEGIN, END = "begin and end that differ", "pad at the begin", "pad at the end"

SIDES = frozenset({BEGIN, END})
"""Every pad has one of them, so they are a cause only where nothing else is."""

NOT_COUNTED = "padding that is not counted"
"""An average has it or ``count_include_pad``: a fold has to change one into the other, so each may be a cause."""

_GEOMETRY = (ASYMMETRIC, "several axes", "axes with different pads", "stride", "dilation")


def sort_key(feature: str) -> tuple[bool, str]:
    """Return a sort key: what minimal cases have by chance, such as the side of a pad, comes first."""
    return (feature not in _GEOMETRY, feature)


def _attempt(case: Case, change: Change) -> Case | None:
    try:
        return replace(case, **change)
    except ValueError:
        return None


def _without(case: Case) -> Mapping[str, Changes]:
    """Return the features of a case, and for each the changes that remove it."""
    found: dict[str, Changes] = {}
    for add in (_of_widths, _of_pad, _of_steps, _of_types, _of_consumer, _of_function):
        found |= add(case)
    return found


def _axes(case: Case, change: Callable[..., Any]) -> Change:
    return {"axes": tuple(change(axis) for axis in case.axes)}


def _of_widths(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    pads = [axis.pad for axis in case.axes]
    every = [*pads, *((before, after) for step in case.steps for _, before, after in step.widths)]

    def larger(sides: Sequence[int]) -> int:
        return max(sides, key=abs)

    def pad_each(sides: Callable[..., tuple[int, int]]) -> Change:
        def change(step: Step) -> Step:
            return _resize(step, tuple((letter, *sides(pair)) for letter, *pair in step.widths))

        return _axes(case, lambda axis: replace(axis, pad=sides(axis.pad))) | {"steps": tuple(map(change, case.steps))}

    if any(begin for begin, _ in every):
        found[BEGIN] = iter([pad_each(lambda sides: (0, larger(sides)))])
    if any(end for _, end in every):
        found[END] = iter([pad_each(lambda sides: (larger(sides), 0))])
    if any(begin != end for begin, end in every):
        even = [pad_each(lambda sides: (larger(sides), larger(sides)))]
        even.append(pad_each(lambda sides: (abs(larger(sides)), abs(larger(sides)))))
        found[ASYMMETRIC] = iter(even)
    if any(min(sides) < 0 for sides in (*every, case.pad.batch, case.pad.channel)):
        change = pad_each(lambda sides: (abs(sides[0]), abs(sides[1])))
        outer: Change = {name: tuple(map(abs, getattr(case.pad, name))) for name in ("batch", "channel")}
        found["negative widths"] = iter([change | {"pad": replace(case.pad, **outer)}])
    if len(set(pads)) > 1:
        found["axes with different pads"] = (
            _axes(case, lambda axis, pad=pad: replace(axis, pad=pad)) for pad in dict.fromkeys(pads)
        )
    for name in ("batch", "channel"):
        if any(getattr(case.pad, name)):
            zero: Change = {name: (0, 0)}
            found[f"padded {name}"] = iter([{"pad": replace(case.pad, **zero)}])
    return found


def _resize(step: Step, widths: tuple[tuple[str, int, int], ...]) -> Step:
    """Return a pad with other widths, in the standard form if its own form cannot have them: a slice adds nothing."""
    try:
        return replace(step, widths=widths)
    except ValueError:
        return replace(step, widths=widths, form="op")


def _of_pad(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    pad = case.pad
    if pad.mode != "constant":
        found["mode"] = iter([{"pad": replace(pad, mode="constant", value=_neutral_value(case))}])
    if pad.form != "op":
        found["form of the pad"] = iter([{"pad": replace(pad, form="op")}])
    if pad.operand != "data":
        found["padded weight"] = iter([{"pad": replace(pad, operand="data")}])
    if not _is_neutral(case):
        found["value that is not neutral"] = _neutralized(case)
    if pad.mode == "constant" and pad.value != _neutral_value(case):
        if pad.value < 0:
            found["negative value"] = iter([{"pad": replace(pad, value=-pad.value)}])
        if not math.isfinite(pad.value):
            sign = -1.0 if pad.value < 0 else 1.0
            found["value that is not finite"] = iter([{"pad": replace(pad, value=sign)}])
        if pad.value == 0.0 and math.copysign(1.0, pad.value) < 0:
            found["minus zero"] = iter([{"pad": replace(pad, value=0.0)}])
    return found


_PRESERVING = {
    "max_pool": ("round", "floor", "ceil", "trunc"),
    "zero": ("relu", "negative", "round", "abs", "floor", "ceil", "trunc", "sign", "sqrt", "square", "leakyrelu"),
}
"""Steps that change no neutral value: the lowest one for a maximum, otherwise 0."""


def _neutral_border(family: str, dtype: str) -> float:
    """Return the value of a border that the consumer reads as nothing."""
    if family != "max_pool":
        return 0.0
    return -math.inf if dtype in dtypes.FLOATS else float(dtypes.int_range(dtype)[0])


def _neutral_value(case: Case) -> float:
    """Return the value of the pad that the consumer reads as nothing: the lowest one of a maximum, the zero point.

    Of the steps, which change values, only a leading ``dequantize`` is taken into account.
    """
    first = case.steps[0] if case.steps and not case.pads_weight else None
    if first is not None and first.kind == "dequantize" and case.spec.family != "max_pool":
        return float(first.zero_point[0])
    return _neutral_border(case.spec.family, case.pad_dtype)


def _has_border(step: Step) -> bool:
    """Return whether a step is a pad with a value: a crop in another form has none."""
    return step.kind == "pad" and step.form not in CROPS


def _is_neutral(case: Case) -> bool:
    """Return whether the consumer reads the borders of all pads as nothing, as far as that is simple to know."""
    pad, family = case.pad, case.spec.family
    if pad.mode != "constant":
        return True  # the mode is a feature of its own
    if pad.value != _neutral_value(case):
        return False
    return not _disturbing(case) and all(
        step.value == _neutral_border(family, dtype)
        for step, dtype in zip(case.steps, case.step_dtypes, strict=False)
        if _has_border(step)
    )


def _disturbing(case: Case) -> bool:
    """Return whether a step may change the neutral value."""
    kinds = [step.kind for step in case.steps if step.kind in ELEMENTWISE]
    if kinds[:1] == ["dequantize"] and case.spec.family != "max_pool":
        kinds = kinds[1:]
    return not set(kinds) <= set(_PRESERVING.get(case.spec.family, _PRESERVING["zero"]))


def _neutralized(case: Case) -> Changes:
    """Yield a change that makes the borders of all pads neutral."""
    if _disturbing(case):
        for change in _without_steps(case, "steps"):
            bare = _attempt(case, change)
            if bare is not None:
                yield change | {"pad": replace(case.pad, value=_neutral_value(bare))}
                return
        return
    steps = tuple(
        replace(step, value=_neutral_border(case.spec.family, dtype)) if _has_border(step) else step
        for step, dtype in zip(case.steps, case.step_dtypes, strict=False)
    )
    yield {"steps": steps, "pad": replace(case.pad, value=_neutral_value(case))}


def _of_steps(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    for group, name in (("steps", "steps"), ("producers", "steps before the pad")):
        steps = getattr(case, group)
        if not steps:
            continue
        found[name] = _first_valid(case, _without_steps(case, group))
        for kind in dict.fromkeys(step.kind for step in steps):
            found[f"{kind} among the {name}"] = _first_valid(case, _without_kind(case, group, kind))
    if any(step.form != "op" for step in (*case.steps, *case.producers)):
        plain = {
            name: tuple(replace(step, form="op") for step in getattr(case, name)) for name in ("steps", "producers")
        }
        found["form of a step"] = iter([plain])
    return found


def _without_steps(case: Case, group: str) -> Changes:
    """Yield changes that leave out all steps of a group, also with simpler dtypes."""
    bare: Change = {group: ()}
    if group == "steps":
        bare["extra_outputs"] = tuple(name for name in case.extra_outputs if name != "step")
    standard: Change = {"out_dtype": "", "weight_dtype": ""}
    plain: Change = {"dtype": "float32"}
    yield from (bare, bare | standard, bare | plain, bare | plain | standard)


def _without_kind(case: Case, group: str, kind: str) -> Changes:
    """Yield changes that replace a kind of step by another one, or leave it out."""
    steps = getattr(case, group)
    if kind in ELEMENTWISE:
        other = "abs" if kind == "relu" else "relu"
        defaults: Change = {"kind": other}
        yield {group: tuple(Step(**defaults) if step.kind == kind else step for step in steps)}
    left = steps
    for i in reversed(range(len(steps))):
        if steps[i].kind == kind:
            left = remove_step(left, i) if group == "steps" else left[:i] + left[i + 1 :]
    for change in ({}, {"out_dtype": "", "weight_dtype": ""}):
        yield {group: left} | change
        yield {group: left, "dtype": "float32"} | change


def _first_valid(case: Case, changes: Any) -> Changes:
    """Yield the first change that makes a valid case."""
    for change in changes:
        if _attempt(case, change) is not None:
            yield change
            return


def _of_types(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    if case.data_layout or case.kernel_layout:
        steps = relayout(case.steps, case.spec.data_layout, {})
        found["layout"] = iter([{"data_layout": "", "kernel_layout": "", "steps": steps}])
    if case.out_dtype or case.weight_dtype:
        found["mixed dtypes"] = iter([{"out_dtype": "", "weight_dtype": ""}])
    if case.dtype != "float32":
        kind = "a float dtype other than float32" if case.dtype in dtypes.FLOATS else "an integer dtype"
        plain: Change = {"dtype": "float32"}
        if case.spec.family == "max_pool" and case.pad.value == _neutral_value(case):
            plain["pad"] = replace(case.pad, value=-math.inf)
        found[kind] = _first_valid(case, [plain, plain | {"out_dtype": "", "weight_dtype": ""}])
    return found


def _of_consumer(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    for name in ("ceil_mode", "count_include_pad", "constant_weight"):
        if getattr(case, name):
            found[name] = iter([{name: False}])
    if case.spec.family == "avg_pool" and not case.count_include_pad:
        found[NOT_COUNTED] = iter([{"count_include_pad": True}])
    if case.groups > 1:
        found["groups"] = iter([{"groups": 1, "channels": 1, "filters": 1}, {"groups": 1}])
    for name in ("stride", "dilation"):
        if any(getattr(axis, name) > 1 for axis in case.axes):
            one: Change = {name: 1}
            found[name] = iter([_axes(case, lambda axis, one=one: replace(axis, **one))])
    if any(any(axis.padding) for axis in case.axes):
        found["own padding"] = iter([_axes(case, lambda axis: replace(axis, padding=(0, 0)))])
    if any(axis.output_padding for axis in case.axes):
        found["output padding"] = iter([_axes(case, lambda axis: replace(axis, output_padding=0))])
    if case.spec.rank > 1:
        found["several axes"] = _fewer_axes(case)
    return found


def _fewer_axes(case: Case) -> Changes:
    """Yield cases of one axis, without what depends on the letters of axes."""
    op = case.op.replace(f"{case.spec.rank}d", "1d")
    plain = {"data_layout": "", "kernel_layout": "", "symbolic": ()}
    for axis in dict.fromkeys(case.axes):
        if not any(step.kind in STRUCTURAL or step.widths or step.axis in "DHW" for step in case.steps):
            yield {"op": op, "axes": (axis,), **plain}


def _of_function(case: Case) -> Mapping[str, Changes]:
    found: dict[str, Changes] = {}
    if case.symbolic:
        found["symbolic lengths"] = iter([{"symbolic": ()}])
    if case.input_stride > 1:
        found["a stride before the pad"] = iter([{"input_stride": 1}])
    for name in case.extra_outputs:
        rest = tuple(each for each in case.extra_outputs if each != name)
        found[f"extra output {name!r}"] = iter([{"extra_outputs": rest}])
    return found
