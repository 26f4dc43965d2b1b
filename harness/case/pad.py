"""Axis and Pad: the explicit pad and the window of its consumer, as plain values."""

from dataclasses import dataclass
from typing import ClassVar

from foldproof.case.records import Record, member, one_of, require, require_int, require_pair, require_string

MIRRORED_MODES = ("reflect", "replicate", "circular")
MODES = ("constant", *MIRRORED_MODES)
"""Modes with a meaning of their own. A pad may have any other string; it then means ``constant``."""

FORMS = ("op", "call_tir")
"""How a graph spells a pad: as its own pad op, or as a call of a kernel function that pads."""

OPERANDS = ("data", "weight")

Widths = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Axis(Record):
    """One spatial axis of a case; lengths and widths are in elements.

    ``size`` is the length of the data before the pad. ``pad`` belongs to the explicit op, ``padding`` is the attribute
    of the consumer. Negative widths crop.
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
            require_int(name, getattr(self, name), least=1)
        require_pair("pad", self.pad)
        require_pair("padding", self.padding)
        require_int("output_padding", self.output_padding, least=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pad(Record):
    """The explicit pad, without its spatial widths: ``Axis.pad`` has those.

    ``operand`` is the operand of the consumer that is padded. For ``"weight"``, the widths of the axes pad the kernel,
    ``batch`` pads its output channels (O) and ``channel`` its input channels (I). ``form`` is one of ``FORMS``.
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
        require_string("mode", self.mode)
        require_pair("batch", self.batch)
        require_pair("channel", self.channel)
        member("operand", self.operand, OPERANDS)
        member("form", self.form, FORMS)
        if self.form == "call_tir":
            one_of("mode of a call_tir pad", self.mode, MODES)


NO_PAD = Pad()
"""The pad of a case that only pads along its axes, with the value 0."""
