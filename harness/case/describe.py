"""A case in a few lines that are understood at first sight.

conv2d NHWC/HWIO uint8 -> int32, data (1, 4, 5, 2), 2 filters
  pad        constant 3.0
  H          size 4, pad 1+0, kernel 2, stride 2, padding 0+1
  W          size 5, pad 0+2, kernel 3
  then       x * 0.5
  then       clip to [-1, 6]
"""

from collections.abc import Callable

from foldproof.case.case import Case
from foldproof.case.pad import Axis, Widths
from foldproof.case.step import BINARY, QUANTIZING, STRUCTURAL, Step


def describe(case: Case) -> str:
    """Describe a case in a few lines.

    Args:
        case: the case.

    Returns:
        One line per part of the case, without the parts that are at their default.
    """
    lines = [_headline(case)]
    lines += [_row("first", _step(step, "")) for step in case.producers]
    lines.append(_row("pad", _pad(case)))
    lines += [_row(letter, _axis(axis)) for letter, axis in case.lettered_axes]
    lines += [_row("then", _step(step, after)) for step, after in zip(case.steps, case.orders[1:], strict=True)]
    flags = [name for name in ("ceil_mode", "count_include_pad") if getattr(case, name)]
    if flags:
        lines.append(_row("flags", ", ".join(flags)))
    extra_outputs = [use for use in case.extra_outputs if use != "step"]
    if extra_outputs:
        lines.append(_row("pad also", ", ".join(extra_outputs)))
    if "step" in case.extra_outputs:
        lines.append(_row("step also", "returned, the first one"))
    lines.append(_row("inputs", f"fills {', '.join(case.fills)}; seed {case.seed}"))
    return "\n".join(lines)


def _row(name: str, content: str) -> str:
    return f"  {name:<10} {content}"


def _headline(case: Case) -> str:
    layouts = "/".join(filter(None, (case.data_order, case.kernel_order)))
    types = case.dtype + (f" x {case.weight_dtype}" if case.weight_dtype else "")
    result = f" -> {case.result_dtype}" if case.result_dtype != case.dtype else ""
    lengths = case.input_dims
    known = (f"{x.lower()}={lengths[x]}" if x in case.symbolic else str(lengths[x]) for x in case.pad_order)
    order = f" {case.pad_order}" if case.pad_order != case.data_order else ""
    parts = [f"{case.op} {layouts} {types}{result}", f"data{order} ({', '.join(known)})"]
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
        parts.append(f"as {pad.form}")
    parts += [f"{letter} {_sides(sides)}" for letter, sides in ((outer, pad.batch), (inner, pad.channel)) if any(sides)]
    return ", ".join(parts)


def _axis(axis: Axis) -> str:
    parts = [f"size {axis.size}", f"pad {_sides(axis.pad)}" if any(axis.pad) else "", f"kernel {axis.kernel}"]
    parts += [f"{name} {getattr(axis, name)}" for name in ("stride", "dilation") if getattr(axis, name) != 1]
    parts.append(f"padding {_sides(axis.padding)}" if any(axis.padding) else "")
    parts.append(f"output_padding {axis.output_padding}" if axis.output_padding else "")
    return ", ".join(filter(None, parts))


def _step(step: Step, after: str) -> str:
    """A step in words; ``after`` is the layout that a structural one leads to."""
    for kinds, words in _WORDS.items():
        if step.kind in kinds:
            return words(step, after)
    return step.kind


def _quantizing(step: Step, after: str) -> str:
    parts = [f"scale {_numbers(step.scale)}", f"zero point {_numbers(step.zero_point)} ({step.zero_point_dtype})"]
    return f"{step.kind} {', '.join(parts)}{_where(step)} -> {step.out_dtype}"


def _binary(step: Step, after: str) -> str:
    """As a formula of what stands before it, x."""
    left, right = (_numbers(step.operand), "x") if step.swapped else ("x", _numbers(step.operand))
    sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(step.kind)
    formula = f"{left} {sign} {right}" if sign else f"{step.kind}({left}, {right})"
    return f"{formula}{_where(step)}"


def _where(step: Step) -> str:
    along = f", along {step.axis}" if step.follows_axis else ""
    return along + ("" if step.constant else ", known at run time only")


def _nested(step: Step, after: str) -> str:
    sides = ", ".join(f"{letter} {_sides((before, after))}" for letter, before, after in step.widths)
    return f"pad {step.value!r}, {sides or 'nothing'}"


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


def _sides(sides: Widths) -> str:
    return f"{sides[0]}+{sides[1]}" if min(sides) >= 0 else f"({sides[0]}, {sides[1]})"
