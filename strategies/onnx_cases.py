"""Strategies for ONNX: a case that ONNX can express, and the form in which a model spells it.

    strategies.cases --adapt: dtypes, layouts and fills of ONNX--> Case --form--> OnnxCase

Two of three cases follow a scenario of ONNX (``ONNX_SCENARIOS``). The others are drawn by ``strategies.cases``.
Nothing here imports ONNX.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from foldproof.case import Case, Step, dtypes, ops
from foldproof.case.form import AUTO_PADS, AXES, LOWERINGS, NAMES, OPSETS, OUT_SCALES, Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.spelling import lowered_step, same_padding, widen_kernel
from foldproof.strategies.cases import cases, scenario_cases
from foldproof.strategies.scenarios import SCENARIOS, Scenario

_FILLS = ("integers", "negative", "reals")
"""Fills of finite values. ONNX specifies no result for NaN, nor the order of sums that may overflow."""

_8_BITS = ("int8", "uint8")
_BOOLS = (False, True)


# --- what ONNX can express ----------------------------------------------------------------------------


def adapt(case: Case, *, standard: bool = True, constant: bool = True, common: bool = False) -> Case:
    """Return the case that is nearest to a case and that ONNX can express, or one that it cannot if none is near.

    Args:
        case: the case.
        standard: whether to use the standard layouts where no step moves axes.
        constant: whether to make the weight a constant.
        common: whether to replace what few runtimes have kernels for: bfloat16, sums of float64, and pools whose
            padding would be as wide as their kernel, with the pad folded.
    """
    fills = tuple(fill for fill in case.fills if fill in _FILLS) or ("integers",)
    changed: dict[str, Any] = {"fills": fills}
    if standard and not any(step.source for step in case.steps):
        changed |= {"data_layout": "", "kernel_layout": ""}
    if constant and case.spec.weighted:
        changed["constant_weight"] = True
    for change in (*([_use_common_values] if common else []), _relabel, _widen):
        case = change(case)
    return _replaced(_replaced(case, fills=fills), **changed)


def _replaced(case: Case, **changed: Any) -> Case:
    """Return the changed case, or the case itself if the change makes it impossible."""
    try:
        return replace(case, **changed)
    except ValueError:
        return case


def takes_dtype(case: Case) -> bool:
    """Whether ONNX has the consumer of a case for its dtypes."""
    data, family = case.operand_dtype, case.spec.family
    if family == "avg_pool" or family == "conv_transpose":
        return data in dtypes.FLOATS and case.result_dtype in dtypes.FLOATS
    if family == "max_pool":
        return data in dtypes.FLOATS or data in _8_BITS
    if case.result_dtype in dtypes.FLOATS:
        return True
    return data in _8_BITS and case.kernel_dtype in _8_BITS


def _relabel(case: Case) -> Case:
    """Return the same geometry in float32 if ONNX lacks the op for the dtype; and a lowest value stays the lowest."""
    if takes_dtype(case):
        return case
    if any(step.kind in ("quantize", "dequantize") for step in (*case.producers, *case.steps)):
        return _replaced(case, weight_dtype="", out_dtype="") if case.operand_dtype in dtypes.FLOATS else case
    casts = {step.out_dtype for step in (*case.producers, *case.steps) if step.kind == "astype"}
    if casts & set(dtypes.INTEGERS):
        return case
    lowest = case.pad_dtype in dtypes.INTEGERS and case.pad.value == dtypes.int_range(case.pad_dtype)[0]
    value = float("-inf") if lowest and case.spec.family == "max_pool" else case.pad.value
    return _replaced(case, dtype="float32", weight_dtype="", out_dtype="", pad=replace(case.pad, value=value))


def _use_common_values(case: Case) -> Case:
    """Return the same geometry in float32 where it is in bfloat16 or sums in float64, with wider kernels."""
    steps = (*case.producers, *case.steps)
    if "bfloat16" in (case.dtype, *(step.result_dtype("") for step in steps)):
        if any(step.kind == "astype" for step in steps):
            return case
        lowest = case.pad.value <= -dtypes.HIGHEST["bfloat16"]
        pad = replace(case.pad, value=float("-inf")) if lowest else case.pad
        case = _replaced(case, dtype="float32", weight_dtype="", out_dtype="", pad=pad)
    if case.spec.weighted and case.result_dtype in ("float64", "bfloat16"):
        case = _replaced(case, weight_dtype="", out_dtype="")
    if case.spec.pools and not case.ceil_mode:
        case = _replaced(case, axes=tuple(map(widen_kernel, case.axes)))
    sums = case.spec.family != "max_pool" and case.operand_dtype == case.dtype == "float64"
    return _replaced(case, dtype="float32", out_dtype="", weight_dtype="") if sums else case


def _widen(case: Case) -> Case:
    """Return the case without negative padding of the consumer: the data is longer by what was not cropped."""
    if all(min(axis.padding) >= 0 for axis in case.axes):
        return case
    axes = []
    for axis in case.axes:
        kept = (max(0, axis.padding[0]), max(0, axis.padding[1]))
        axes.append(replace(axis, padding=kept))
    return _replaced(case, axes=tuple(axes))


# --- forms --------------------------------------------------------------------------------------------

_OPSETS = st.sampled_from((*(10, 10, 11, 13, 17, 18, 19, 21) * 3, *OPSETS))
_STORED = ("initializer", "initializer", "initializer", "initializer", "node", "node", "node", "overridable")
_STORAGES = st.sampled_from([(a, b) for a in _STORED for b in _STORED])
_FLAGS = st.sampled_from([(a, b, c, d) for a in _BOOLS for b in _BOOLS for c in _BOOLS for d in _BOOLS])
_RARE = st.sampled_from([(a, b) for a in (False, False, False, True) for b in (False, False, False, True)])
_AXES = st.sampled_from([(a, b) for a in ("", "", *AXES) for b in ("", "", "", *AUTO_PADS)])
_NAMES = st.sampled_from(("plain", "plain", *NAMES))
_LOWERINGS = {False: st.sampled_from(("", "", "", "", "", "qdq")), True: st.sampled_from(LOWERINGS[1:])}
_WEIGHTS = st.sampled_from([(a, b) for a in (0, 0, 3, -7) for b in (False, False, True)])
_RESULTS = st.sampled_from(
    [(scale, zero, "int8") for scale in OUT_SCALES for zero in (0, 0, -3, 5)]
    + [(scale, zero, "uint8") for scale in OUT_SCALES for zero in (0, 0, 3, 5)]
)
# Each strategy is made once, and draws several choices at once: drawing a form costs as much as drawing a case.


@st.composite
def forms(draw: st.DrawFn, *, lowering: bool = False) -> Form:
    """Draw a form: each choice is at its default in about half of the draws.

    Args:
        draw: the source of choices.
        lowering: whether a lowering is likely.
    """
    storage, weight = draw(_STORAGES)
    pad_value, defaults, kernel_shape, value_info = draw(_FLAGS)
    bias, identities = draw(_RARE)
    axes, auto_pad = draw(_AXES)
    chosen = draw(_LOWERINGS[lowering])
    quantized: dict[str, Any] = {}
    if chosen:
        zero_point, per_channel = draw(_WEIGHTS)
        scale, out_zero_point, dtype = draw(_RESULTS)
        quantized = {
            "weight_zero_point": zero_point,
            "weight_per_channel": per_channel,
            "out_scale": scale,
            "out_zero_point": out_zero_point,
            "out_dtype": dtype,
        }
    return Form(
        opset=draw(_OPSETS),
        storage=storage,
        weight=weight,
        pad_value=pad_value,
        axes=axes,
        defaults=defaults,
        kernel_shape=kernel_shape,
        auto_pad=auto_pad,
        bias=bias,
        lowering=chosen,
        names=draw(_NAMES),
        value_info=value_info,
        identities=identities,
        **quantized,
    )


FORMS = {likely: forms(lowering=likely) for likely in (False, True)}
"""The strategies of forms, by whether a lowering is likely."""


def _like_data(form: Form, dtype: str) -> Form:
    """Return a form whose QLinearConv has a result of the dtype of its data: runtimes have no other."""
    if form.lowering != "qlinear":
        return form
    return replace(form, out_dtype=dtype, out_zero_point=abs(form.out_zero_point))


# --- scenarios ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OnnxScenario:
    """What a case is to reach in ONNX.

    Args:
        name: its name.
        scenarios: the names of the scenarios that the case is drawn from; a name counts as often as it is there.
        shape: makes a case reach it, together with the form.
        families: the families of ops that it fits.
        weight: how often it is drawn, relative to the others.
    """

    name: str
    scenarios: tuple[str, ...]
    shape: Callable[[st.DrawFn, Case], OnnxCase]
    families: tuple[str, ...] = ("conv", "conv_transpose", "max_pool", "avg_pool")
    weight: int = 1


_ZERO_POINTS = (
    "zero point through dequantize",
    "zero point through dequantize",
    "not the zero point",
    "zero point of the other sign",
    "one channel's zero point",
    "one channel's zero point",
    "varying along a padded axis",
)


_QUARTER = st.sampled_from((False, False, False, True))
"""Whether the value is 0, which a pass may take for the zero point."""


def _integer_conv(draw: st.DrawFn, case: Case, lowerings: tuple[str, ...]) -> OnnxCase:
    """Give a convolution of dequantized data one scale and one zero point, which an integer convolution can have."""
    dtype = draw(st.sampled_from(_8_BITS)) if case.dtype not in _8_BITS else case.dtype
    low, high = dtypes.int_range(dtype)
    zero_point = min(max(case.steps[-1].zero_point[0], low), high)
    step = Step(
        scale=(draw(st.sampled_from((1.0, 0.5, 0.25))),),
        zero_point=(zero_point,),
        zero_point_dtype=dtype,
        out_dtype="float32",
    )
    value = 0.0 if draw(_QUARTER) else float(min(max(int(case.pad.value), low), high))
    adapted = adapt(case)
    made = replace(
        adapted,
        dtype=dtype,
        steps=(step,),
        pad=replace(case.pad, value=value),
        extra_outputs=tuple(each for each in case.extra_outputs if each != "step"),
        weight_dtype="",
        out_dtype="",
        fills=("integers", "negative"),
    )
    form = replace(draw(FORMS[True]), lowering=draw(st.sampled_from(lowerings)))
    return OnnxCase(case=made, form=_like_data(form, dtype))


def _conv_integer(draw: st.DrawFn, case: Case) -> OnnxCase:
    return _integer_conv(draw, case, ("conv_integer",))


def _qlinear(draw: st.DrawFn, case: Case) -> OnnxCase:
    return _integer_conv(draw, case, ("qlinear",))


def _qdq(draw: st.DrawFn, case: Case) -> OnnxCase:
    adapted = adapt(case, common=True)
    if draw(_QUARTER):
        adapted = _replaced(adapted, pad=replace(adapted.pad, value=0.0))
    return OnnxCase(case=adapted, form=replace(draw(FORMS[False]), lowering="qdq"))


def _same(draw: st.DrawFn, case: Case) -> OnnxCase:
    """Give the consumer the padding that ``auto_pad`` means for the padded data."""
    spelling = draw(st.sampled_from(AUTO_PADS[-2:]))
    adapted = _replaced(adapt(case, common=True), ceil_mode=False)
    # Runtimes refuse SAME with a dilation.
    adapted = _replaced(adapted, axes=tuple(replace(axis, dilation=1) for axis in adapted.axes))
    paddings = same_padding(adapted, spelling) or tuple(axis.padding for axis in adapted.axes)
    axes = tuple(replace(axis, padding=padding) for axis, padding in zip(adapted.axes, paddings, strict=True))
    return OnnxCase(case=_replaced(adapted, axes=axes), form=replace(draw(FORMS[False]), auto_pad=spelling))


def _direct(draw: st.DrawFn, case: Case) -> OnnxCase:
    adapted = adapt(case, common=True)
    if case.spec.family == "max_pool" and not case.steps and not case.producers and draw(_THIRD):
        dtype, value = draw(_INTEGER_BORDERS)
        adapted = _replaced(adapted, dtype=dtype, pad=replace(adapted.pad, value=value))
    if case.spec.pools and draw(_HALF):
        strided = tuple(replace(axis, stride=max(2, axis.kernel)) for axis in adapted.axes)
        adapted = _replaced(adapted, axes=strided, ceil_mode=True)
    return OnnxCase(case=adapted, form=draw(FORMS[False]))


_HALF = st.booleans()
_THIRD = st.sampled_from((False, False, True))
_INTEGER_BORDERS = st.sampled_from((("int8", 0.0), ("int8", 0.0), ("int8", -128.0), ("uint8", 1.0)))
"""(dtype, pad value) of a max_pool of integers: the lowest value, and others that a pass may take for it."""


def _axes(draw: st.DrawFn, case: Case) -> OnnxCase:
    opset = draw(st.sampled_from((18, 19, 21)))
    axes = draw(st.sampled_from(AXES[2:]))
    return OnnxCase(case=adapt(case, common=True), form=replace(draw(FORMS[False]), opset=opset, axes=axes))


_ZERO_PADDED = ("conv", "avg_pool", "conv_transpose")

ONNX_SCENARIOS = (
    OnnxScenario(name="zero point of ConvInteger", scenarios=_ZERO_POINTS, shape=_conv_integer, families=("conv",)),
    OnnxScenario(name="zero point of QLinearConv", scenarios=_ZERO_POINTS, shape=_qlinear, families=("conv",)),
    OnnxScenario(name="QDQ around the consumer", scenarios=_ZERO_POINTS, shape=_qdq, families=_ZERO_PADDED, weight=3),
    OnnxScenario(
        name="SAME padding",
        scenarios=("neutral value", "other value", "reflect"),
        shape=_same,
        families=("conv", "max_pool", "avg_pool"),
        weight=3,
    ),
    OnnxScenario(
        name="pad of the weight", scenarios=("weight padded",), shape=_axes, families=("conv", "conv_transpose")
    ),
    OnnxScenario(
        name="batch and channels through axes",
        scenarios=("neutral value", "batch padded", "channels padded", "batch or channels beside"),
        shape=_axes,
        weight=2,
    ),
    OnnxScenario(
        name="pad next to the consumer",
        scenarios=(
            *["neutral value"] * 5,
            *(
                "other value",
                "other value",
                "reflect",
                "replicate",
                "crop",
                "zero into max_pool",
                "nearly the lowest value",
            ),
            *["ceil_mode loses a window"] * 4,
            "ceil_mode with the same windows",
            *("own padding not counted", "one side not counted", "channels padded"),
        ),
        shape=_direct,
        families=("conv", "max_pool", "avg_pool"),
        weight=8,
    ),
)
"""What a case of ONNX is to reach beyond the scenarios of a case."""


def _scenarios(names: tuple[str, ...], families: tuple[str, ...]) -> tuple[Scenario, ...]:
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    return tuple(by_name[name] for name in names if set(by_name[name].families) & set(families))


def onnx_scenario_cases(scenario: OnnxScenario, *names: str) -> st.SearchStrategy[OnnxCase]:
    """Draw cases of a scenario.

    Args:
        scenario: one of ``ONNX_SCENARIOS``.
        names: ops (default: all that fit).
    """
    fitting = tuple(name for name in names or ops.NAMES if ops.BY_NAME[name].family in scenario.families)
    chosen = scenario_cases(_scenarios(scenario.scenarios, scenario.families), fitting)
    return _shaped(chosen, scenario.shape)


@st.composite
def _shaped(draw: st.DrawFn, drawn: st.SearchStrategy[Case], shape: Callable[[st.DrawFn, Case], OnnxCase]) -> OnnxCase:
    return shape(draw, draw(drawn))


_ADAPTIONS = st.sampled_from(
    [(a, b, c) for a in (True, True, True, False) for b in (*[True] * 4, False) for c in (*[True] * 4, False)]
)
"""Whether the layouts become the standard ones, the weight a constant, and the dtypes common ones."""


@st.composite
def _plain(draw: st.DrawFn, drawn: st.SearchStrategy[Case]) -> OnnxCase:
    case = draw(drawn)
    standard, constant, common = draw(_ADAPTIONS)
    adapted = adapt(case, standard=standard, constant=constant, common=common)
    place = lowered_step(adapted)
    form = draw(FORMS[place is not None])
    return OnnxCase(case=adapted, form=form if place is None else _like_data(form, place.dtype))


def onnx_cases(*names: str) -> st.SearchStrategy[OnnxCase]:
    """Draw cases for ONNX: one of three as ``strategies.cases`` does, the others of one of ``ONNX_SCENARIOS``.

    Args:
        names: ops, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    plain = _plain(cases(*names))
    chosen = names or ops.NAMES
    families = {ops.BY_NAME[name].family for name in chosen}
    special = [
        drawn
        for each in ONNX_SCENARIOS
        if families & set(each.families)
        for drawn in [onnx_scenario_cases(each, *names)] * each.weight
    ]
    kinds = [*[plain] * (len(special) // 2 or 1), *special]
    return st.sampled_from(range(len(kinds))).flatmap(lambda kind: kinds[kind])
