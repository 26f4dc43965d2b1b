"""Axis and Pad: the pad and its place, as plain values."""

from dataclasses import dataclass
from typing import ClassVar

from foldproof.case.records import Record, member, require, whole, widths

MIRRORED_MODES = ("reflect", "replicate", "circular")
MODES = ("constant", *MIRRORED_MODES)
"""The modes that TVM knows. Any other string silently means ``constant`` (FACTS: relax.nn.pad, TVM 0.27)."""

FORMS = ("op", "call_tir")
"""``relax.nn.pad``, or what the ONNX frontend emits: ``call_tir`` to a PrimFunc that topi made."""

OPERANDS = ("data", "weight")

Widths = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Axis(Record):
    """One spatial axis, lengths in elements. ``pad`` is the explicit op, ``padding`` the attribute of the consumer.

    Negative widths crop; those of ``padding`` do so in TVM 0.27 though nothing documents it.
    """

    size: int = 1
    pad: Widths = (0, 0)
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: Widths = (0, 0)
    output_padding: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "kernel", "stride", "dilation"):
            whole(name, getattr(self, name), least=1)
        widths("pad", self.pad)
        widths("padding", self.padding)
        whole("output_padding", self.output_padding, least=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pad(Record):
    """The explicit pad, but for its spatial widths, which stand with their axes.

    ``operand`` says which operand of the consumer is padded. For ``"weight"`` the widths of the axes pad the kernel,
    ``batch`` its output (O) and ``channel`` its input (I) channels. ``form`` says how the graph spells it.
    """

    floats: ClassVar[tuple[str, ...]] = ("value",)

    value: float = 0.0
    mode: str = "constant"
    batch: Widths = (0, 0)
    channel: Widths = (0, 0)
    operand: str = "data"
    form: str = "op"

    def __post_init__(self) -> None:
        if type(self.value) is int:
            object.__setattr__(self, "value", float(self.value))
        require(type(self.value) is float, f"pad value must be a number, not {self.value!r}")
        require(isinstance(self.mode, str), f"mode must be a string, not {self.mode!r}")
        widths("batch", self.batch)
        widths("channel", self.channel)
        member("operand", self.operand, OPERANDS)
        member("form", self.form, FORMS)
        known = self.form == "op" or self.mode in MODES
        require(known, f"a call_tir pad has no mode {self.mode!r}: topi has no function for it")


NO_PAD = Pad()
"""All widths that stand here 0, and the value 0."""
