"""Form: how an ONNX model spells a case, where ONNX leaves a choice. Plain values, which know no ONNX.

    Case (what is computed)  +  Form (how it is written)  ->  ModelProto

Half of the defects of ONNX passes depend on the spelling alone: a Pad without its optional value, a zero point of
another dtype, a weight that is a Constant node. Invariant: every form spells every case that ONNX can express. What a
case cannot follow, such as ``axes`` of a Pad before opset 18, is written in the default way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from foldproof.case.records import Record, member, require, require_bool, require_int

OPSETS = (10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25)
"""Opsets that a form can name. A model has a newer one if an op or a dtype of the case needs it."""

STORAGES = ("initializer", "node", "overridable")
"""Where a constant stands: an initializer, a Constant node, or an initializer that is a graph input too.

The caller may override the last one, so a pass must not read its value."""

AXES = ("", "all", "some", "negative", "shuffled", "reversed")
"""The input ``axes`` of a Pad: none; all; the padded ones; those, counted from the end; those, backwards;
all, backwards."""

AUTO_PADS = ("", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
LOWERINGS = ("", "qdq", "conv_integer", "qlinear")
"""How a quantized case is written: in floats; with QuantizeLinear and DequantizeLinear around the weight and the
result; as a ConvInteger; as a QLinearConv."""

NAMES = ("plain", "exporter", "unnamed")
"""Names of nodes and values: n0; /features.0/Conv_output_0, as PyTorch writes; nodes without names."""

OUT_SCALES = (1.0, 0.5, 2.0, 4.0)
OUT_DTYPES = ("int8", "uint8")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Form(Record):
    """How a model spells a case. The defaults are what a reader expects to see.

    Args:
        opset: the oldest opset of the model, one of ``OPSETS``.
        storage: where widths, values, axes and the parameters of steps stand, one of ``STORAGES``.
        weight: where a constant weight stands, one of ``STORAGES``.
        pad_value: whether a Pad names its value where that is 0.
        axes: the input ``axes`` of a Pad, one of ``AXES``.
        defaults: whether attributes at their default are written.
        kernel_shape: whether a convolution has the attribute ``kernel_shape``.
        auto_pad: the attribute ``auto_pad``, one of ``AUTO_PADS``, where it means the padding of the case.
        bias: whether a convolution has a bias of zeros.
        lowering: one of ``LOWERINGS``, where it means the same.
        weight_zero_point: the zero point of a quantized weight.
        weight_per_channel: whether a quantized weight has a scale and a zero point for each filter.
        out_scale: the scale of a quantized result. A power of two.
        out_zero_point: the zero point of a quantized result.
        out_dtype: the dtype of a quantized result.
        names: one of ``NAMES``.
        value_info: whether the model declares the types of all values.
        identities: whether an Identity stands between the Pad and what reads it.
    """

    opset: int = 18
    storage: str = "initializer"
    weight: str = "initializer"
    pad_value: bool = True
    axes: str = ""
    defaults: bool = True
    kernel_shape: bool = True
    auto_pad: str = ""
    bias: bool = False
    lowering: str = ""
    weight_zero_point: int = 0
    weight_per_channel: bool = False
    out_scale: float = 1.0
    out_zero_point: int = 0
    out_dtype: str = "int8"
    names: str = "plain"
    value_info: bool = False
    identities: bool = False

    floats = ("out_scale",)

    def __post_init__(self) -> None:
        require_int("opset", self.opset)
        require(self.opset in OPSETS, f"opset must be from {OPSETS[0]} to {OPSETS[-1]}, not {self.opset}")
        for name, choices in _CHOICES.items():
            member(name, getattr(self, name), choices)
        for name in _FLAGS:
            require_bool(name, getattr(self, name))
        require(self.out_scale in OUT_SCALES, f"out_scale must be one of {OUT_SCALES}, not {self.out_scale!r}")
        require_int("weight_zero_point", self.weight_zero_point)
        require(
            -99 <= self.weight_zero_point <= 99, f"weight_zero_point must be within 99, not {self.weight_zero_point}"
        )
        require_int("out_zero_point", self.out_zero_point)
        low = 0 if self.out_dtype == "uint8" else -99
        fits = low <= self.out_zero_point <= 99
        require(fits, f"out_zero_point of {self.out_dtype} must be from {low} to 99, not {self.out_zero_point}")

    def simpler(self) -> Iterator["Form"]:
        """Yield the next simpler forms: fields at their default, then single steps toward it."""
        default = Form()
        changed = [f.name for f in fields(self) if getattr(self, f.name) != getattr(default, f.name)]
        if len(changed) > 1:
            yield default
        for name in changed:
            yield from self._attempt(**{name: getattr(default, name)})
        if self.opset != default.opset:
            older = (13, 17) if self.opset < default.opset else (19, 21, 22)
            yield from (
                replace(self, opset=opset)
                for opset in older
                if abs(opset - default.opset) < abs(self.opset - default.opset)
            )
        if self.axes in ("negative", "shuffled", "reversed"):
            yield replace(self, axes="some")

    def _attempt(self, **change: Any) -> Iterator["Form"]:
        try:
            yield replace(self, **change)
        except ValueError:  # int8 and uint8 have different zero points
            return

    @property
    def quantizes_result(self) -> bool:
        """Whether this form rounds the result to a quantized dtype, where it can be followed."""
        return self.lowering in ("qdq", "qlinear")


_CHOICES: dict[str, tuple[str, ...]] = {
    "storage": STORAGES,
    "weight": STORAGES,
    "axes": AXES,
    "auto_pad": AUTO_PADS,
    "lowering": LOWERINGS,
    "out_dtype": OUT_DTYPES,
    "names": NAMES,
}
_FLAGS = ("pad_value", "defaults", "kernel_shape", "bias", "weight_per_channel", "value_info", "identities")


def describe_form(form: Form) -> str:
    """Describe a form in one line: what differs from the default."""
    default = Form()
    shown = [
        f"{f.name} {getattr(form, f.name)}"
        for f in fields(form)
        if f.name != "opset" and getattr(form, f.name) != getattr(default, f.name)
    ]
    return ", ".join([f"opset {form.opset}", *shown])
