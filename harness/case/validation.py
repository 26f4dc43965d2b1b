"""What makes a case impossible in any IR: a tensor, window, dtype or op that cannot exist.

Invariant: each ValueError names the value. A possible case may still not be supported by one IR: that is its
``supported``.
"""

import math
from typing import TYPE_CHECKING

from foldproof.case import dtypes
from foldproof.case.pad import MIRRORED_MODES
from foldproof.case.records import choose, member, require
from foldproof.case.step import BINARY, ELEMENTWISE, EXTRA, STRUCTURAL, TAKES, Step

if TYPE_CHECKING:
    from foldproof.case.case import Case

MOST_STEPS = 6
"""The most steps between pad and consumer, and the most producers before the pad."""


def check(case: "Case") -> None:
    """Require that a case is possible.

    Raises:
        ValueError: if it is not; the message names the value and what was expected.
    """
    _check_attributes(case)
    _check_orders(case)
    _check_steps(case)
    _check_shapes(case)
    _check_value(case.pad.value, case.pad_dtype)
    _check_parameters(case)
    _check_symbolic(case)
    if "step" in case.extra_outputs:
        require(bool(case.steps), "extra output 'step' needs a step")


# --- the consumer -------------------------------------------------------------------------------------


def _check_attributes(case: "Case") -> None:
    spec = case.spec
    require(len(case.axes) == spec.rank, f"{spec.name} has {spec.rank} spatial axes, not {len(case.axes)}")
    _check_layout("data_layout", case.operand_layout, spec.data_layout)
    if spec.weighted:
        _check_layout("kernel_layout", case.weight_layout, spec.kernel_layout)
        member("weight_dtype", case.kernel_dtype, dtypes.DTYPES)
        member("out_dtype", case.result_dtype, dtypes.DTYPES)
        mixed = case.kernel_dtype != case.operand_dtype
        require(
            not mixed or bool(case.out_dtype),
            f"{case.operand_dtype} data with {case.kernel_dtype} weight needs an out_dtype",
        )
    else:
        unused = {
            "kernel_layout": "",
            "weight_dtype": "",
            "out_dtype": "",
            "filters": 1,
            "groups": 1,
            "constant_weight": False,
        }
        for name, value in unused.items():
            require(getattr(case, name) == value, f"{spec.name} has no {name}, but it is {getattr(case, name)!r}")
        require(not case.pads_weight, f"{spec.name} has no weight to pad")
    require(spec.pools or not case.ceil_mode, f"{spec.name} has no ceil_mode")
    require(spec.family == "avg_pool" or not case.count_include_pad, f"{spec.name} has no count_include_pad")


def _check_layout(name: str, layout: str, standard: str) -> None:
    same_letters = sorted(layout) == sorted(standard)
    require(same_letters, f"{name} {layout!r} is not an order of the letters of {standard}")


def _check_shapes(case: "Case") -> None:
    for along, order in zip(case.step_dims, case.step_layouts, strict=True):
        dims = {letter: along[letter] for letter in order}
        require(min(dims.values()) >= 1, f"the data would have no element: {dims}")
    if case.spec.weighted:
        require(min(case.kernel_dims.values()) >= 1, f"the weight would have no element: {case.kernel_dims}")
    if case.pads_weight:
        require(min(case.weight_dims.values()) >= 1, f"the pad leaves no weight: {case.weight_dims}")
    if case.spec.weighted:
        channels, filters = case.operand_dims["C"], case.filters
        require(channels % case.groups == 0, f"groups {case.groups} do not divide {channels} channels")
        require(filters % case.groups == 0, f"groups {case.groups} do not divide {filters} filters")
        if case.pads_weight and not case.spec.transposed:
            outputs = case.weight_dims["O"]
            require(outputs % case.groups == 0, f"groups {case.groups} do not divide {outputs} padded filters")
    operand = case.operand_dims
    for letter, axis in case.lettered_axes:
        limit = axis.stride if case.spec.transposed else 1
        require(axis.output_padding < limit, f"output_padding {axis.output_padding} of {letter} must be below {limit}")
        left = operand[letter] + min(0, axis.padding[0]) + min(0, axis.padding[1])
        require(left >= 1 or case.spec.transposed, f"padding {axis.padding} leaves nothing of {letter}")
        spans = operand[letter] + sum(axis.padding) >= case.window_extent(axis)
        require(spans or case.spec.transposed, f"no window of {case.window_extent(axis)} fits along {letter}")
    require(min(case.result_dims.values()) >= 1, f"the result would have no element: {case.result_dims}")
    if case.pad.mode in MIRRORED_MODES:
        _check_mirrored(case)


# --- the pad ------------------------------------------------------------------------------------------


def _check_mirrored(case: "Case") -> None:
    """Require a mirrored border that is not wider than what it mirrors."""
    source = case.kernel_dims if case.pads_weight else case.data_dims
    for letter, sides in case.pad_widths.items():
        limit = {"reflect": source[letter] - 1, "circular": source[letter], "replicate": max(sides)}[case.pad.mode]
        require(min(sides) >= 0, f"{case.pad.mode} pad {sides} of {letter} is negative")
        require(
            max(sides) <= limit, f"{case.pad.mode} pad {sides} of {letter} is wider than its {source[letter]} elements"
        )


def _check_value(value: float, dtype: str) -> None:
    """Require a finite pad value in the range of its tensor. An unsigned dtype has no negative value, not even -0.5."""
    if dtype in dtypes.INTEGERS:
        low, high = dtypes.int_range(dtype)
        fits = math.isfinite(value) and low <= int(value) <= high and (low < 0 or value >= 0)
    else:
        # A bfloat16 may have a value in float32's range. A value between the two ranges becomes an infinity.
        range_of = "float32" if dtype == "bfloat16" else dtype
        fits = not math.isfinite(value) or abs(value) <= dtypes.HIGHEST[range_of]
    require(fits, f"pad value {value!r} does not fit {dtype}")


# --- steps --------------------------------------------------------------------------------------------


def _check_orders(case: "Case") -> None:
    """Require that each structural step does to its source what its name says, and nothing else."""
    letters = set("NC" + case.spec.spatial + EXTRA)
    for place, step in enumerate(case.steps):
        before, after = case.step_layouts[place : place + 2]
        valid = len(set(before)) == len(before) and set(before) <= letters
        require(
            valid,
            f"source {before!r} of {step.kind} must have some of the letters {', '.join(sorted(letters))}, each once",
        )
        for letter, _, _ in step.widths:
            inside = letter in before and letter not in EXTRA
            require(inside, f"widths of a pad name {letter}, but its layout is {before}")
        if step.kind not in STRUCTURAL:
            continue
        inserted, removed = set(after) - set(before), set(before) - set(after)
        same_order = [letter for letter in before if letter in after] == [
            letter for letter in after if letter in before
        ]
        does = {
            "permute_dims": not inserted and not removed and not same_order,
            "expand_dims": bool(inserted) and not removed and same_order,
            "squeeze": not inserted and bool(removed) and same_order,
            "reshape": bool(inserted | removed) and same_order,
        }
        require(does[step.kind], f"{step.kind} does not make {after} out of {before}")
        require(removed <= set(EXTRA), f"{step.kind} from {before} to {after} removes an axis of the consumer")
        for letter in sorted(inserted):
            require(case.step_dims[place].get(letter) == 1, f"{step.kind} inserts {letter}, whose length is not 1")
    for letter in set(case.spec.data_layout) - set(case.input_layout):
        missing = f"the layout {case.input_layout} before the pad has no {letter}"
        require(case.data_dims[letter] == 1, f"{missing}, but its length is {case.data_dims[letter]}")
        require(case.pads_weight or case.pad_widths[letter] == (0, 0), f"{missing}, but it is padded")


def _check_steps(case: "Case") -> None:
    for name in ("producers", "steps"):
        count = len(getattr(case, name))
        require(count <= MOST_STEPS, f"{count} {name}, at most {MOST_STEPS} are supported")
    for step in case.producers:
        member("step before the pad", step.kind, ELEMENTWISE)
    require(not case.producers or not case.pads_weight, "producers must be empty if the pad is on the weight")
    strided = case.input_stride > 1 and case.pads_weight
    require(not strided, f"input_stride must be 1 if the pad is on the weight, not {case.input_stride}")
    for place in (*case.producer_places, *case.step_places):
        member(f"dtype that {place.step.kind} reads", place.dtype, TAKES[place.step.kind])
    for place in case.step_places:
        if place.step.kind == "pad":
            require(not case.pads_weight, "steps must not have a pad if the pad is on the weight")
            _check_value(place.step.value, place.dtype)
            for letter, *_ in place.step.widths if place.step.form != "op" else ():
                require(letter not in case.symbolic, f"{place.step.form} changes {letter}, whose length is symbolic")
            require(place.step.form != "concat" or not case.symbolic, "symbolic must be empty beside a concat")


def _check_parameters(case: "Case") -> None:
    for place in (*case.producer_places, *case.step_places):
        step = place.step
        if step.parameters and (step.follows_axis or step.kind not in BINARY):
            member(f"axis of {step.kind}", step.axis, tuple(place.layout))
        for name, values in step.parameters.items():
            length = place.dims[step.axis]
            require(len(values) in (1, length), f"{name} has {len(values)} elements, but axis {step.axis} has {length}")
        if step.follows_axis:
            require(step.axis not in case.symbolic, f"{step.kind} follows {step.axis}, whose length is symbolic")
        for name, value in _numbers(step):
            _check_number(step, name, value, place.dtype)


def _numbers(step: Step) -> list[tuple[str, float]]:
    """Return the numbers of a step that have the dtype of the data, by name."""
    if step.kind == "clip":
        return [("low", step.low), ("high", step.high)]
    if step.kind == "leakyrelu":
        return [("alpha", step.alpha)]
    return [("operand", value) for value in step.operand] if step.kind in BINARY else []


def _check_number(step: Step, name: str, value: float, dtype: str) -> None:
    """Require a number that the dtype of the data has, since an implementation may truncate it.

    Integer division by 0, by -1 or by the data can kill the process.
    """
    if dtype in dtypes.FLOATS:
        fits = not math.isfinite(value) or abs(value) <= dtypes.HIGHEST[dtype]
        require(fits, f"{name} {value!r} of {step.kind} does not fit {dtype}")
        return
    low, high = dtypes.int_range(dtype)
    fits = math.isfinite(value) and value == int(value) and low <= value <= high
    require(fits, f"{name} {value!r} of {step.kind} is not a value of {dtype}")
    divides = step.kind != "divide" or (not step.swapped and value not in (0, -1))
    require(divides, f"integer division by {'the data' if step.swapped else value} is not defined for every input")


def _check_symbolic(case: "Case") -> None:
    """Require symbolic axes among batch and spatial axes. Channels are never symbolic."""
    choose("symbolic axis", case.symbolic, tuple("N" + case.spec.spatial), empty=True)
    require(
        len(set(case.symbolic)) == len(case.symbolic),
        f"symbolic must name each axis once, not {', '.join(case.symbolic)}",
    )
    for letter in case.symbolic:
        require(letter in case.input_layout, f"symbolic axis {letter} is not in the layout {case.input_layout} of x")
