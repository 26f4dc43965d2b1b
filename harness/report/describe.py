"""A case in a few lines that are understood at first sight.

conv2d NHWC/HWIO uint8 -> int32, data (1, 4, 5, 2), 2 filters
  pad        constant 3.0
  H          size 4, pad 1+0, kernel 2, stride 2, padding 0+1
  W          size 5, pad 0+2, kernel 3
"""

from harness.case import Axis, Case, Step, Widths


def describe(case: Case) -> str:
    """The case as text, a line per part; what is at its default is left out."""
    lines = [_headline(case), _row("pad", _pad(case))]
    lines += [_row(letter, _axis(axis)) for letter, axis in case.lettered_axes]
    lines += [_row(step.kind, _step(step)) for step in case.steps]
    flags = [name for name in ("ceil_mode", "count_include_pad") if getattr(case, name)]
    if flags:
        lines.append(_row("flags", ", ".join(flags)))
    if case.uses:
        lines.append(_row("pad also", ", ".join(case.uses)))
    lines.append(_row("inputs", f"fills {', '.join(case.fills)}; seed {case.seed}"))
    return "\n".join(lines)


def _row(name: str, content: str) -> str:
    return f"  {name:<10} {content}"


def _headline(case: Case) -> str:
    layouts = "/".join(filter(None, (case.data_order, case.kernel_order)))
    types = case.dtype + (f" x {case.weight_dtype}" if case.weight_dtype else "")
    result = f" -> {case.result_dtype}" if case.result_dtype != case.dtype else ""
    shape = ", ".join(str(case.data_dims[letter]) for letter in case.data_order)
    parts = [f"{case.op} {layouts} {types}{result}", f"data ({shape})"]
    if case.spec.weighted:
        parts.append(f"{case.filters} filter" + ("s" if case.filters > 1 else ""))
    if case.groups > 1:
        parts.append(f"{case.groups} groups")
    return ", ".join(parts)


def _pad(case: Case) -> str:
    pad = case.pad
    outer, inner = ("O", "I") if case.pads_weight else ("N", "C")
    parts = [f"{pad.mode} {pad.value!r}" if pad.mode == "constant" else pad.mode]
    if case.pads_weight:
        parts.append("on the weight")
    parts += [f"{letter} {_sides(sides)}" for letter, sides in ((outer, pad.batch), (inner, pad.channel)) if any(sides)]
    return ", ".join(parts)


def _axis(axis: Axis) -> str:
    parts = [f"size {axis.size}", f"pad {_sides(axis.pad)}" if any(axis.pad) else "", f"kernel {axis.kernel}"]
    parts += [f"{name} {getattr(axis, name)}" for name in ("stride", "dilation") if getattr(axis, name) != 1]
    parts.append(f"padding {_sides(axis.padding)}" if any(axis.padding) else "")
    parts.append(f"output_padding {axis.output_padding}" if axis.output_padding else "")
    return ", ".join(filter(None, parts))


def _step(step: Step) -> str:
    parts = [f"scale {_numbers(step.scale)}", f"zero point {_numbers(step.zero_point)} ({step.zero_point_dtype})"]
    if len(step.scale) > 1 or len(step.zero_point) > 1:
        parts.append(f"along {step.axis}")
    if not step.constant:
        parts.append("known at run time only")
    return ", ".join(parts) + f" -> {step.out_dtype}"


def _numbers(values: tuple[float, ...]) -> str:
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _sides(sides: Widths) -> str:
    return f"{sides[0]}+{sides[1]}" if min(sides) >= 0 else f"({sides[0]}, {sides[1]})"
