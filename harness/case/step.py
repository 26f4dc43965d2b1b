"""Step: one op before the pad, or between the pad and its consumer, as a plain value.

A kind is a row of ``FIELDS``, which names the fields that it has. Its meaning in NumPy is a row in
``foldproof.oracle.elementwise``; each IR has a row with its call.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from foldproof.case import dtypes
from foldproof.case.records import (
    Record,
    member,
    one_of,
    require,
    require_bool,
    require_int,
    require_string,
    require_tuple,
)

COMPOSED = ("hardswish", "softsign", "hardshrink")
"""Kinds that a graph spells as several ops of the same data."""

UNARY = ("relu", "negative", "round", "abs", "floor", "ceil", "trunc", "sign", "sqrt", "square", *COMPOSED)
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
QUANTIZING = ("dequantize", "quantize")
STRUCTURAL = ("permute_dims", "expand_dims", "squeeze", "reshape")
ELEMENTWISE = (*QUANTIZING, "astype", *UNARY, "leakyrelu", "clip", *BINARY)
STEP_KINDS = (*ELEMENTWISE, *STRUCTURAL, "pad")

EXTRA = "UV"
"""Letters of unit axes that the consumer does not have; squeeze or reshape removes them."""

CROPS = ("strided_slice", "split", "take")
"""Forms of a pad step that only crops."""

STEP_FORMS = ("op", *CROPS, "concat", "call_tir")
"""How a graph spells a step: as its op; a crop as a slice, a piece of a split, or a take; a pad as a concat with a
constant; a maximum as a kernel."""

KERNELS = ("maximum", "minimum")
"""Kinds that a graph may spell as a call of an elementwise kernel, as of an ONNX Clip."""

_QUANTIZATION = ("scale", "zero_point", "zero_point_dtype", "axis", "out_dtype", "constant")

FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(QUANTIZING, _QUANTIZATION),
    "astype": ("out_dtype",),
    **dict.fromkeys(UNARY, ()),
    "leakyrelu": ("alpha",),
    "clip": ("low", "high"),
    **dict.fromkeys(BINARY, ("operand", "axis", "swapped", "constant")),
    **dict.fromkeys(KERNELS, ("operand", "axis", "swapped", "constant", "form")),
    **dict.fromkeys(STRUCTURAL, ("source",)),
    "pad": ("value", "widths", "form"),
}
"""The fields that each kind has; every other field stays at its default."""

_SIGNED = tuple(dtype for dtype in dtypes.DTYPES if not dtype.startswith("u"))

TAKES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(STEP_KINDS, dtypes.DTYPES),
    "dequantize": dtypes.QUANTIZED_DTYPES,
    "quantize": dtypes.DEQUANTIZED_DTYPES,
    **dict.fromkeys(("negative", "sign"), _SIGNED),
    **dict.fromkeys(("sqrt", "leakyrelu"), dtypes.FLOATS),
    **dict.fromkeys(COMPOSED, tuple(dtype for dtype in dtypes.FLOATS if dtype != "bfloat16")),
}
"""dtypes that each kind can read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Step(Record):
    """One op. It reads the result of the step before it, and keeps its dtype unless it has an ``out_dtype``.

    - ``dequantize`` is ``scale * (x - zero_point)``, ``quantize`` ``clip(round(x / scale) + zero_point)``
    - ``hardswish`` is ``x * (clip(x + 3, 0, 6) / 6)``, ``softsign`` is ``x / (abs(x) + 1)``
    - ``hardshrink`` is ``where(abs(x) > 0.5, x, 0)``
    - ``leakyrelu`` has ``alpha``; ``clip`` is ``max(min(x, high), low)``
    - ``add`` to ``minimum`` have an ``operand`` of the data's dtype, which comes first if ``swapped``
    - ``permute_dims`` to ``reshape`` have a ``source``: the layout before them. They insert the letters that it lacks,
      as unit axes, and remove its ``U`` and ``V``
    - ``pad`` is another pad with the constant ``value``; ``widths`` holds (letter, before, after). ``form`` is one of
      ``STEP_FORMS``

    ``scale``, ``zero_point`` and ``operand`` have one element, or one for each element along ``axis`` (a letter of the
    layout before it). ``constant=False`` makes them parameters of the function, so that a pass cannot know them.
    """

    floats: ClassVar[tuple[str, ...]] = ("scale", "operand", "low", "high", "alpha", "value")

    kind: str = "dequantize"
    scale: tuple[float, ...] = (1.0,)
    zero_point: tuple[int, ...] = (0,)
    zero_point_dtype: str = "int8"
    axis: str = "C"
    out_dtype: str = "float32"
    constant: bool = True
    operand: tuple[float, ...] = (1.0,)
    swapped: bool = False
    low: float = 0.0
    high: float = 6.0
    alpha: float = 0.25
    source: str = ""
    value: float = 0.0
    widths: tuple[tuple[str, int, int], ...] = ()
    form: str = "op"

    def __post_init__(self) -> None:
        member("step", self.kind, STEP_KINDS)
        for name in ("low", "high", "alpha", "value"):
            if type(getattr(self, name)) is int:
                object.__setattr__(self, name, float(getattr(self, name)))
            require(type(getattr(self, name)) is float, f"{name} must be a number, not {getattr(self, name)!r}")
        require(isinstance(self.axis, str), f"axis must be a letter, not {self.axis!r}")
        for name in ("out_dtype", "zero_point_dtype", "source"):
            require_string(name, getattr(self, name))
        require_bool("constant", self.constant)
        require_bool("swapped", self.swapped)
        self._check_unused()
        for name in FIELDS[self.kind]:
            if name in _CHECKS:
                _CHECKS[name](self)

    def _check_unused(self) -> None:
        """Require the default of every field that the kind does not use, since another value would have no effect."""
        for field in fields(self):
            value = getattr(self, field.name)
            used = field.name == "kind" or field.name in FIELDS[self.kind]
            require(
                used or repr(value) == repr(field.default),
                f"{field.name} of {self.kind} must be {field.default!r} (it is not used), not {value!r}",
            )

    @property
    def parameters(self) -> dict[str, tuple[Any, ...]]:
        """The numbers that the step computes with, by name: one element, or one for each element along ``axis``."""
        if self.kind in QUANTIZING:
            return {"scale": self.scale, "zero_point": self.zero_point}
        return {"operand": self.operand} if self.kind in BINARY else {}

    @property
    def follows_axis(self) -> bool:
        """Whether a parameter has a value for each element along ``axis``."""
        return any(len(values) > 1 for values in self.parameters.values())

    def parameter_dtype(self, name: str, dtype: str) -> str:
        """Return the dtype of a parameter if the step reads ``dtype``."""
        return {"scale": "float32", "zero_point": self.zero_point_dtype}.get(name, dtype)

    def result_dtype(self, dtype: str) -> str:
        """Return the dtype of the result if the step reads ``dtype``."""
        return self.out_dtype if "out_dtype" in FIELDS[self.kind] else dtype


def _check_scale(step: Step) -> None:
    for scale in require_tuple("scale", step.scale):
        require(
            type(scale) is float and math.isfinite(scale), f"elements of scale must be finite floats, not {scale!r}"
        )
        require(
            scale != 0 or step.kind == "dequantize", f"scale of quantize must not be {scale!r}: quantize divides by it"
        )


def _check_zero_point(step: Step) -> None:
    member("zero_point_dtype", step.zero_point_dtype, dtypes.ZERO_POINT_DTYPES)
    low, high = dtypes.int_range(step.zero_point_dtype)
    for zero_point in require_tuple("zero_point", step.zero_point):
        require_int("zero_point", zero_point)
        fits = low <= zero_point <= high
        require(fits, f"zero_point of {step.zero_point_dtype} must be from {low} to {high}, not {zero_point}")


def _check_out_dtype(step: Step) -> None:
    choices = {"dequantize": dtypes.DEQUANTIZED_DTYPES, "quantize": dtypes.REQUANTIZED_DTYPES}
    one_of(f"out_dtype of {step.kind}", step.out_dtype, choices.get(step.kind, dtypes.DTYPES))


def _check_operand(step: Step) -> None:
    for value in require_tuple("operand", step.operand):
        require(type(value) is float, f"elements of operand must be floats, not {value!r}")
    used = step.follows_axis or step.axis == "C"
    require(used, f"axis of {step.kind} must be 'C' if operand has one element, not {step.axis!r}")
    zero = step.kind == "divide" and step.constant and not step.swapped and step.operand in ((0.0,), (-0.0,))
    require(not zero, f"operand of divide must not be the constant {step.operand[0]!r}")


def _check_bounds(step: Step) -> None:
    finite = math.isfinite(step.low) and math.isfinite(step.high)
    require(finite, f"low and high of clip must be finite, not {step.low!r} and {step.high!r}")
    require(step.low <= step.high, f"low of clip must be at most high, {step.high!r}, not {step.low!r}")


def _check_alpha(step: Step) -> None:
    require(math.isfinite(step.alpha), f"alpha of leakyrelu must be finite, not {step.alpha!r}")


def _check_source(step: Step) -> None:
    require(step.source != "", f"source of {step.kind} must be the layout before it, not ''")


def _check_widths(step: Step) -> None:
    letters = []
    for item in require_tuple("widths", step.widths, empty=True):
        shape = isinstance(item, tuple) and len(item) == 3 and isinstance(item[0], str)
        require(shape, f"elements of widths must be (letter, before, after), not {item!r}")
        for width in item[1:]:
            require_int(f"width of {item[0]}", width)
        letters.append(item[0])
    require(len(set(letters)) == len(letters), f"widths must name each axis once, not {', '.join(letters)}")


def _check_form(step: Step) -> None:
    member("form of a step", step.form, STEP_FORMS)
    one_of(f"form of {step.kind}", step.form, ("op", "call_tir") if step.kind in KERNELS else ("op", "concat", *CROPS))
    if step.form in ("op", "call_tir"):
        return
    if step.form == "concat":
        require(all(width >= 0 for _, *sides in step.widths for width in sides), "widths of a concat must be >= 0")
        require(len(step.widths) <= 1, f"widths of a concat must name one axis, not {len(step.widths)}")
        return
    require(all(width <= 0 for _, *sides in step.widths for width in sides), f"widths of a {step.form} must be <= 0")
    require(step.value == 0, f"value of a {step.form} must be 0.0 (it is not used), not {step.value!r}")
    one = step.form == "strided_slice" or len(step.widths) <= 1
    require(one, f"widths of a {step.form} must name one axis, not {len(step.widths)}")


_CHECKS: dict[str, Callable[[Step], None]] = {
    "scale": _check_scale,
    "zero_point": _check_zero_point,
    "out_dtype": _check_out_dtype,
    "operand": _check_operand,
    "low": _check_bounds,
    "alpha": _check_alpha,
    "source": _check_source,
    "widths": _check_widths,
    "form": _check_form,
}
