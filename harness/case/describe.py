"""A case as a few lines of text for a person to read.

conv2d NHWC/HWIO uint8 -> int32, data (1, 4, 5, 2), 2 filters
  pad        constant 3.0
  H          size 4, pad (1, 0), kernel 2, stride 2, padding (0, 1)
  W          size 5, pad (0, 2), kernel 3
  after pad  x * 0.5
  after pad  clip to [-1, 6]
  inputs     fills integers; seed 0

Widths are (before, after); values at their default are left out.
"""

from collections.abc import Callable

from foldproof.case.any_case import AnyCase
from foldproof.case.case import Case
from foldproof.case.describe_graph import describe_structure
from foldproof.case.form import describe_form
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.pad import Axis
from foldproof.case.step import BINARY, QUANTIZING, STRUCTURAL, Step


def describe(case: AnyCase) -> str:
    """Describe a case, a case in a form, or a graph in a few lines.

    Args:
        case: the case or graph.

    Returns:
        One line per part of the case, without the parts that are at their default. For a graph its structure, and then
        these lines for each site.
    """
    if isinstance(case, Graph):
        return describe_structure(case) + "".join(
            f"\nsite {index}: {_describe(each)}" for index, each in enumerate(case.cases)
        )
    if isinstance(case, OnnxCase):
        return f"{_describe(case.case)}\n{_row('ONNX', describe_form(case.form))}"
    return _describe(case)


def _describe(case: Case) -> str:
    lines = [_headline(case)]
    if case.input_stride > 1:
        lines.append(_row("before pad", f"strided_slice of the spatial axes, stride {case.input_stride}"))
    lines += [_row("before pad", _step(step, "")) for step in case.producers]
    lines.append(_row("pad", _pad(case)))
    lines += [_row(letter, _axis(axis)) for letter, axis in case.lettered_axes]
    lines += [
        _row("after pad", _step(step, after)) for step, after in zip(case.steps, case.step_layouts[1:], strict=True)
    ]
    flags = [name for name in ("ceil_mode", "count_include_pad") if getattr(case, name)]
    if flags:
        lines.append(_row("flags", ", ".join(flags)))
    if case.extra_outputs:
        lines.append(_row("outputs", ", ".join(("result", *(_OUTPUTS[name] for name in case.extra_outputs)))))
    lines.append(_row("inputs", f"fills {', '.join(case.fills)}; seed {case.seed}"))
    return "\n".join(lines)


_OUTPUTS = {"returned": "padded tensor", "read": "padded + padded", "step": "first step after the pad"}


def _row(name: str, content: str) -> str:
    return f"  {name:<10} {content}"


def _headline(case: Case) -> str:
    layouts = "/".join(filter(None, (case.operand_layout, case.weight_layout)))
    types = case.dtype + (f" x {case.weight_dtype}" if case.weight_dtype else "")
    result = f" -> {case.result_dtype}" if case.result_dtype != case.dtype else ""
    lengths = case.input_dims
    shape = ", ".join(str(lengths[letter]) for letter in case.input_layout)
    layout = f" {case.input_layout}" if case.input_layout != case.operand_layout else ""
    parts = [f"{case.op} {layouts} {types}{result}", f"data{layout} ({shape})"]
    if case.symbolic:
        parts.append(f"symbolic {' and '.join(case.symbolic)}")
    if case.spec.weighted:
        constant = "constant " if case.constant_weight else ""
        parts.append(f"{case.filters} {constant}filter" + ("s" if case.filters > 1 else ""))
    if case.groups > 1:
        parts.append(f"{case.groups} groups")
    return ", ".join(parts)


def _pad(case: Case) -> str:
    pad = case.pad
    outer, inner = ("O", "I") if case.pads_weight else ("N", "C")
    parts = [f"{pad.mode} {pad.value!r}" if pad.mode == "constant" else pad.mode]
    if case.pads_weight:
        parts.append("on the weight")
    if pad.form != "op":
        parts.append(f"as a {pad.form}")
    parts += [f"{letter} {sides}" for letter, sides in ((outer, pad.batch), (inner, pad.channel)) if any(sides)]
    return ", ".join(parts)


def _axis(axis: Axis) -> str:
    parts = [f"size {axis.size}", f"pad {axis.pad}" if any(axis.pad) else "", f"kernel {axis.kernel}"]
    parts += [f"{name} {getattr(axis, name)}" for name in ("stride", "dilation") if getattr(axis, name) != 1]
    parts.append(f"padding {axis.padding}" if any(axis.padding) else "")
    parts.append(f"output_padding {axis.output_padding}" if axis.output_padding else "")
    return ", ".join(filter(None, parts))


def _step(step: Step, after: str) -> str:
    """Return a step in words; ``after`` is the layout of its result, which a structural step shows."""
    for kinds, words in _WORDS.items():
        if step.kind in kinds:
            return words(step, after)
    return step.kind


def _quantizing(step: Step, after: str) -> str:
    parts = [f"scale {_numbers(step.scale)}", f"zero point {_numbers(step.zero_point)} ({step.zero_point_dtype})"]
    return f"{step.kind} {', '.join(parts)}{_suffix(step)} -> {step.out_dtype}"


def _binary(step: Step, after: str) -> str:
    """Return a formula of the data, x."""
    left, right = (_numbers(step.operand), "x") if step.swapped else ("x", _numbers(step.operand))
    sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(step.kind)
    formula = f"{left} {sign} {right}" if sign else f"{step.kind}({left}, {right})"
    return f"{formula}{_suffix(step)}"


def _suffix(step: Step) -> str:
    along = f", along {step.axis}" if step.follows_axis else ""
    kernel = ", as a call_tir" if step.form == "call_tir" else ""
    return along + ("" if step.constant else ", passed at run time") + kernel


def _nested(step: Step, after: str) -> str:
    sides = ", ".join(f"{letter} {(before, after)}" for letter, before, after in step.widths)
    if step.form not in ("op", "concat"):
        return f"{step.form} that crops {sides or 'nothing'}"
    form = " as a concat" if step.form == "concat" else ""
    return f"pad {step.value!r}{form}, {sides or 'no axis'}"


_WORDS: dict[tuple[str, ...], Callable[[Step, str], str]] = {
    QUANTIZING: _quantizing,
    BINARY: _binary,
    STRUCTURAL: lambda step, after: f"{step.kind} {step.source} -> {after}",
    ("pad",): _nested,
    ("clip",): lambda step, _: f"clip to [{step.low:g}, {step.high:g}]",
    ("leakyrelu",): lambda step, _: f"leakyrelu, alpha {step.alpha:g}",
    ("astype",): lambda step, _: f"astype -> {step.out_dtype}",
}


def _numbers(values: tuple[float, ...]) -> str:
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
