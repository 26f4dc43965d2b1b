"""What triggers a known defect of a subject, taken out of a case.

    defect --WITHOUT[name]--> change;    change(case) -> the nearest case without the trigger, or None if there is none
    defect --BECOMES[name]--> meanings;  meanings(case) -> the cases that the defect may take the case for

A defect excuses a failure only if the case without its trigger passes (``checking.check``). So a wrong fold that
happens to be in such a case is still blamed. Where a pass does not fold without the trigger, that says nothing of
its fold: there, the result has to be right for a case that the defect takes the case for.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

from foldproof.case import Step, dtypes
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.spelling import widen_kernel
from foldproof.ir.onnx.build import spelled

Change = Callable[[Any], OnnxCase | None]


def _form(**changed: Any) -> Change:
    """Return the function that changes the form of a case."""
    return lambda case: replace(spelled(case), form=replace(spelled(case).form, **changed))


def _replaced(case: Any, **changed: Any) -> OnnxCase | None:
    whole = spelled(case)
    try:
        return replace(whole, case=replace(whole.case, **changed))
    except ValueError:  # there is no such case
        return None


def _case(**changed: Any) -> Change:
    """Return the function that changes fields of a case."""
    return lambda case: _replaced(case, **changed)


def _steps(change: Callable[[Step], Step]) -> Change:
    """Return the function that changes all steps of a case."""
    return lambda case: _replaced(
        case, producers=tuple(map(change, case.producers)), steps=tuple(map(change, case.steps))
    )


def _lowest_of(case: Any) -> float:
    floats = case.operand_dtype in dtypes.FLOATS
    return float("-inf") if floats else float(dtypes.int_range(case.operand_dtype)[0])


def _with_lowest_border(case: Any) -> OnnxCase | None:
    """Return the case with the lowest value where a border is 0: it may become padding of a MaxPool."""
    lowest = _lowest_of(case)
    pad = replace(case.pad, value=lowest) if case.pad.value == 0 else case.pad
    steps = tuple(replace(s, value=lowest) if s.kind == "pad" and s.value == 0 else s for s in case.steps)
    return _replaced(case, pad=pad, steps=steps)


def _with_border_of_one(case: Any) -> OnnxCase | None:
    """Return the case with 1 in all borders: it becomes no padding."""
    steps = tuple(replace(step, value=1.0) if step.kind == "pad" else step for step in case.steps)
    return _replaced(case, pad=replace(case.pad, value=1.0, mode="constant"), steps=steps)


def _without_strides(case: Any) -> OnnxCase | None:
    """Return the case without the strides of axes whose kernel is 1."""
    axes = tuple(replace(axis, stride=1) if axis.kernel == 1 else axis for axis in case.axes)
    return _replaced(case, axes=axes)


def _without_quotients(case: Any) -> OnnxCase | None:
    kept = [
        tuple(step for step in steps if step.kind not in ("divide", "softsign"))
        for steps in (case.producers, case.steps)
    ]
    return _replaced(case, producers=kept[0], steps=kept[1])


_positive_scales = _steps(lambda s: replace(s, scale=tuple(map(abs, s.scale))) if s.kind == "quantize" else s)
_zero_points = _steps(lambda s: replace(s, zero_point=tuple(0 for _ in s.zero_point)) if s.kind == "dequantize" else s)
_exact_scales = _steps(
    # Powers of two, another for each channel, so that a mix-up of channels stays wrong.
    lambda s: replace(s, scale=tuple(2.0 ** -(3 + i) for i in range(len(s.scale)))) if s.kind == "dequantize" else s
)


def _with_values(case: Any, is_read_wrongly: Callable[[float], bool], value: float) -> tuple[OnnxCase, ...]:
    """Return the case with another value in one or more of the pads whose value is read wrongly."""
    pads = [case.pad, *(step for step in case.steps if step.kind == "pad")]
    choices = [(pad.value, value) if is_read_wrongly(pad.value) else (pad.value,) for pad in pads]
    made = []
    for chosen in list(product(*choices))[1:]:
        rest = iter(chosen[1:])
        steps = tuple(replace(step, value=next(rest)) if step.kind == "pad" else step for step in case.steps)
        made.append(_replaced(case, pad=replace(case.pad, value=chosen[0]), steps=steps))
    return tuple(filter(None, made))


def _with_zero_borders(case: Any) -> tuple[OnnxCase, ...]:
    return _with_values(case, lambda value: value != 0, 0.0)


def without(name: str) -> Change | None:
    """Return the function that takes a trigger out of a case, such that runtimes execute what is left of it.

    ONNX Runtime refuses a pool whose padding is as wide as its kernel. So the kernels of such a pool are widened.
    """
    change = WITHOUT.get(name)
    return None if change is None else lambda case: _executable(change(case))


def _executable(case: OnnxCase | None) -> OnnxCase | None:
    if case is None or not case.spec.pools:
        return case
    # A step with a value for each element along an axis takes no other length.
    return _replaced(case, axes=tuple(map(widen_kernel, case.case.axes))) or case


def _with_borders_not_read(case: Any) -> tuple[OnnxCase, ...]:
    """A border that is not read counts as 0, and becomes padding: of a MaxPool, that is the lowest value."""
    lowest = _lowest_of(case)
    padding = _with_values(case, lambda value: value != lowest, lowest) if case.spec.family == "max_pool" else ()
    return (*_with_zero_borders(case), *padding)


BECOMES: dict[str, Callable[[Any], tuple[OnnxCase, ...]]] = {
    "onnxoptimizer-zero-into-max_pool": lambda case: _with_values(case, lambda value: value == 0, _lowest_of(case)),
    "onnxoptimizer-value-of-opset-10": _with_borders_not_read,
    "openvino-border-of-dequantized-data": _with_zero_borders,
}
"""Name of a known defect that is silent -> the cases that it may take a case for."""

WITHOUT: dict[str, Change] = {
    "ort-quantized-average-dilations": _form(lowering=""),
    "ort-quantized-average-per-channel": _form(lowering=""),
    "ort-quantized-conv-per-channel": _form(lowering=""),
    "ort-relu-before-negative-scale": _positive_scales,
    "ort-transposed-pad-indices": _form(axes=""),
    "ort-transposed-pad-raises": _form(axes=""),
    "onnxoptimizer-zero-into-max_pool": _with_lowest_border,
    "onnxoptimizer-average-counts-own-padding": _case(count_include_pad=True),
    "onnxoptimizer-auto_pad-of-pool": _form(auto_pad=""),
    "onnxoptimizer-value-of-opset-10": _form(opset=11),
    "onnxoptimizer-order-of-axes": _form(axes=""),
    "onnxoptimizer-channels-of-axes": _form(axes=""),
    "onnxoptimizer-ceil_mode": _case(ceil_mode=False),
    "onnxscript-zero-point-of-ConvInteger": _zero_points,
    "onnxscript-pad-of-opset-10": _form(opset=11),
    "onnxscript-clip-of-opset-10": _form(opset=11),
    "onnxslim-axes": _form(axes=""),
    "openvino-scale-of-each-filter": _form(weight_per_channel=False),
    "openvino-window-in-padding": _case(ceil_mode=False),
    "openvino-average-of-overhang": _case(ceil_mode=False),
    "openvino-padding-of-ConvTranspose": _with_border_of_one,
    "openvino-stride-of-quantized-conv": _without_strides,
    "openvino-negative-scale": _positive_scales,
    "openvino-infinity-of-opset-10": _form(opset=11),
    "openvino-dynamic-conv3d": _case(symbolic=()),
    "openvino-padding-of-quantized-average": _form(lowering=""),
    "openvino-grouped-quantized-conv": _form(lowering=""),
    "openvino-border-of-quantized-weight": _form(weight_zero_point=0),
    "openvino-int64-in-int32": _case(fills=("integers",)),
    "openvino-border-of-dequantized-data": lambda case: _replaced(case, pad=replace(case.pad, value=0.0)),
    "openvino-inexact-quotient": _without_quotients,
    "openvino-inexact-scale": _exact_scales,
    "tvm-same-lower": _form(auto_pad=""),
    "tvm-unknown-length": _case(symbolic=()),
    "openvino-wrap": lambda case: _replaced(case, pad=replace(case.pad, mode="constant")),
}
"""Name of a known defect -> the case without its trigger. Rows that are not here are told by their message."""
