"""Step: one op before the pad or between the pad and its consumer, as a plain value.

A kind is a row of ``FIELDS``, which names the fields that it has; its meaning in NumPy is a row in
``foldproof.oracle.elementwise``, its Relax call one in ``foldproof.ir.relax.build``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from foldproof.case import dtypes
from foldproof.case.records import Record, flag, member, require, sequence, whole

UNARY = ("relu", "negative", "round", "abs", "floor", "ceil", "trunc", "sign", "sqrt", "square")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
QUANTIZING = ("dequantize", "quantize")
STRUCTURAL = ("permute_dims", "expand_dims", "squeeze", "reshape")
ELEMENTWISE = (*QUANTIZING, "astype", *UNARY, "leakyrelu", "clip", *BINARY)
STEP_KINDS = (*ELEMENTWISE, *STRUCTURAL, "pad")

EXTRA = "UV"
"""Letters of unit axes that the consumer does not have; squeeze or reshape takes them away."""

_QUANTIZATION = ("scale", "zero_point", "zero_point_dtype", "axis", "out_dtype", "constant")

FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(QUANTIZING, _QUANTIZATION),
    "astype": ("out_dtype",),
    **dict.fromkeys(UNARY, ()),
    "leakyrelu": ("alpha",),
    "clip": ("low", "high"),
    **dict.fromkeys(BINARY, ("operand", "axis", "swapped", "constant")),
    **dict.fromkeys(STRUCTURAL, ("source",)),
    "pad": ("value", "widths"),
}
"""What each kind is made of; every other field stays at its default."""

_SIGNED = tuple(dtype for dtype in dtypes.DTYPES if not dtype.startswith("u"))

TAKES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(STEP_KINDS, dtypes.DTYPES),
    "dequantize": dtypes.QUANTIZED_DTYPES,
    "quantize": dtypes.DEQUANTIZED_DTYPES,
    **dict.fromkeys(("negative", "sign"), _SIGNED),
    **dict.fromkeys(("sqrt", "leakyrelu"), dtypes.FLOATS),
}
"""dtypes that TVM 0.27 compiles each kind for (tests/ir/relax/test_build.py compiles them)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Step(Record):
    """One op. It reads what the step before made, and keeps its dtype unless it has an ``out_dtype``.

    - ``dequantize`` is ``scale * (x - zero_point)``, ``quantize`` ``clip(round(x / scale) + zero_point)``
    - ``leakyrelu`` has ``alpha``; ``clip`` is ``max(min(x, high), low)``
    - ``add`` to ``minimum`` have an ``operand`` of the data's dtype, which comes first if ``swapped``
    - ``permute_dims`` to ``reshape`` have a ``source``: the layout before them. A letter that is missing there is
      a unit axis that they insert, ``U`` and ``V`` are unit axes that they remove
    - ``pad`` is another pad with the constant ``value``; ``widths`` holds (letter, before, after)

    ``scale``, ``zero_point`` and ``operand`` have one element, or one for each element along ``axis`` (a letter of the
    layout before it). ``constant=False`` makes them parameters of the function, unknown to a pass.
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

    def __post_init__(self) -> None:
        member("step", self.kind, STEP_KINDS)
        for name in ("low", "high", "alpha", "value"):
            if type(getattr(self, name)) is int:
                object.__setattr__(self, name, float(getattr(self, name)))
            require(type(getattr(self, name)) is float, f"{name} must be a number, not {getattr(self, name)!r}")
        require(isinstance(self.axis, str), f"axis must be a letter, not {self.axis!r}")
        for name in ("out_dtype", "zero_point_dtype", "source"):
            require(isinstance(getattr(self, name), str), f"{name} must be a string, not {getattr(self, name)!r}")
        flag("constant", self.constant)
        flag("swapped", self.swapped)
        self._check_idle()
        for name in FIELDS[self.kind]:
            if name in _CHECKS:
                _CHECKS[name](self)

    def _check_idle(self) -> None:
        """A field that the kind does not have says nothing, so it may not seem to."""
        for field in fields(self):
            value = getattr(self, field.name)
            used = field.name == "kind" or field.name in FIELDS[self.kind]
            require(used or repr(value) == repr(field.default), f"{self.kind} has no {field.name}, but it is {value!r}")

    @property
    def parameters(self) -> dict[str, tuple[Any, ...]]:
        """The constants, or parameters of the function, that the step computes with: one element or one per element."""
        if self.kind in QUANTIZING:
            return {"scale": self.scale, "zero_point": self.zero_point}
        return {"operand": self.operand} if self.kind in BINARY else {}

    @property
    def follows_axis(self) -> bool:
        """Whether a parameter has a value for each element along ``axis``."""
        return any(len(values) > 1 for values in self.parameters.values())

    def parameter_dtype(self, name: str, dtype: str) -> str:
        """dtype of a parameter, if the step reads ``dtype``."""
        return {"scale": "float32", "zero_point": self.zero_point_dtype}.get(name, dtype)

    def result_dtype(self, dtype: str) -> str:
        """dtype of what the step makes out of ``dtype``."""
        return self.out_dtype if "out_dtype" in FIELDS[self.kind] else dtype


def _check_scale(step: Step) -> None:
    for scale in sequence("scale", step.scale):
        require(type(scale) is float and math.isfinite(scale), f"scale must be finite floats, not {scale!r}")
        require(scale != 0 or step.kind == "dequantize", f"quantize divides by its scale, but it is {scale!r}")


def _check_zero_point(step: Step) -> None:
    member("zero_point_dtype", step.zero_point_dtype, dtypes.ZERO_POINT_DTYPES)
    low, high = dtypes.int_range(step.zero_point_dtype)
    for zero_point in sequence("zero_point", step.zero_point):
        whole("zero_point", zero_point)
        require(low <= zero_point <= high, f"zero_point {zero_point} does not fit {step.zero_point_dtype}")


def _check_out_dtype(step: Step) -> None:
    choices = {"dequantize": dtypes.DEQUANTIZED_DTYPES, "quantize": dtypes.REQUANTIZED_DTYPES}
    member(f"out_dtype of {step.kind}", step.out_dtype, choices.get(step.kind, dtypes.DTYPES))


def _check_operand(step: Step) -> None:
    for value in sequence("operand", step.operand):
        require(type(value) is float, f"operand must be floats, not {value!r}")
    alone = step.follows_axis or step.axis == "C"
    require(alone, f"one operand follows no axis, but axis is {step.axis!r}")
    zero = step.kind == "divide" and step.constant and not step.swapped and step.operand in ((0.0,), (-0.0,))
    require(not zero, "TVM refuses to divide by the constant 0")


def _check_bounds(step: Step) -> None:
    require(math.isfinite(step.low) and math.isfinite(step.high), f"clip to ({step.low}, {step.high}) is not finite")
    require(step.low <= step.high, f"clip to ({step.low}, {step.high}) leaves nothing")


def _check_alpha(step: Step) -> None:
    require(math.isfinite(step.alpha), f"alpha must be finite, not {step.alpha!r}")


def _check_source(step: Step) -> None:
    require(step.source != "", f"{step.kind} needs a source, the layout before it")


def _check_widths(step: Step) -> None:
    letters = []
    for item in sequence("widths", step.widths, empty=True):
        shape = isinstance(item, tuple) and len(item) == 3 and isinstance(item[0], str)
        require(shape, f"widths must be (letter, before, after), not {item!r}")
        whole("width", item[1])
        whole("width", item[2])
        letters.append(item[0])
    require(len(set(letters)) == len(letters), f"widths name an axis twice: {letters}")


_CHECKS: dict[str, Callable[[Step], None]] = {
    "scale": _check_scale,
    "zero_point": _check_zero_point,
    "out_dtype": _check_out_dtype,
    "operand": _check_operand,
    "low": _check_bounds,
    "alpha": _check_alpha,
    "source": _check_source,
    "widths": _check_widths,
}
