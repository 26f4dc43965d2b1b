"""A Case: everything that defines one test, as plain values.

    data --pad--> padded --steps--> operand --op--> result
                    |                 ^
                    +-> uses          weight (convolutions; padded instead of the data if pad.operand says so)

A case knows nothing of TVM. It is frozen, compares by value, goes to JSON and back, and its ``repr`` can be pasted
into a Python session. Dimensions are dicts from layout letter to length; only ``harness.build`` flattens them.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from harness import ops
from harness.plain import Plain, choose, flag, member, require, sequence, whole, widths

FORMAT = 1
"""Version of the JSON form."""

MIRRORED_MODES = ("reflect", "replicate", "circular")
MODES = ("constant", *MIRRORED_MODES)
"""The modes that TVM knows. Any other string silently means ``constant`` (FACTS: relax.nn.pad, TVM 0.27)."""

USES = ("returned", "read")
"""Further uses of the padded tensor: the function returns it too, or an addition reads it."""

STEP_KINDS = ("dequantize",)
OPERANDS = ("data", "weight")

Widths = tuple[int, int]
Dims = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Axis(Plain):
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
class Pad(Plain):
    """The explicit pad, but for its spatial widths, which stand with their axes.

    ``operand`` says which operand of the consumer is padded. For ``"weight"`` the widths of the axes pad the kernel,
    ``batch`` its output (O) and ``channel`` its input (I) channels.
    """

    floats: ClassVar[tuple[str, ...]] = ("value",)

    value: float = 0.0
    mode: str = "constant"
    batch: Widths = (0, 0)
    channel: Widths = (0, 0)
    operand: str = "data"

    def __post_init__(self) -> None:
        if type(self.value) is int:
            object.__setattr__(self, "value", float(self.value))
        require(type(self.value) is float, f"pad value must be a number, not {self.value!r}")
        require(isinstance(self.mode, str), f"mode must be a string, not {self.mode!r}")
        widths("batch", self.batch)
        widths("channel", self.channel)
        member("operand", self.operand, OPERANDS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Step(Plain):
    """An op between the pad and its consumer: ``dequantize``, which is ``scale * (x - zero_point)``.

    ``scale`` and ``zero_point`` have one element, or one for each element along ``axis`` (a letter of the data
    layout). ``constant=False`` makes them parameters of the function, unknown to a pass.
    """

    floats: ClassVar[tuple[str, ...]] = ("scale",)

    kind: str = "dequantize"
    scale: tuple[float, ...] = (1.0,)
    zero_point: tuple[int, ...] = (0,)
    zero_point_dtype: str = "int8"
    axis: str = "C"
    out_dtype: str = "float32"
    constant: bool = True

    def __post_init__(self) -> None:
        member("step", self.kind, STEP_KINDS)
        member("zero_point_dtype", self.zero_point_dtype, ops.ZERO_POINT_DTYPES)
        member("out_dtype of dequantize", self.out_dtype, ops.DEQUANTIZED_DTYPES)
        for scale in sequence("scale", self.scale):
            require(type(scale) is float and math.isfinite(scale), f"scale must be finite floats, not {scale!r}")
        low, high = ops.int_range(self.zero_point_dtype)
        for zero_point in sequence("zero_point", self.zero_point):
            whole("zero_point", zero_point)
            require(low <= zero_point <= high, f"zero_point {zero_point} does not fit {self.zero_point_dtype}")
        require(isinstance(self.axis, str), f"axis must be a letter, not {self.axis!r}")
        flag("constant", self.constant)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Case(Plain):
    """One test: a pad, what stands between, its consumer ``op``, and the inputs to run it on.

    ``channels`` counts the channels of the data as the function receives it, in front of the pad; ``filters`` the
    filters of a convolution's weight, likewise. Empty layouts and dtypes mean the op's standard ones (those of the
    data operand). ``fills`` with ``seed`` say which inputs are made (``harness.inputs``).

    Raises ValueError, naming the value, if the case is impossible: TVM has no such tensor, window or dtype.
    """

    nested: ClassVar[dict[str, type[Plain]]] = {"axes": Axis, "pad": Pad, "steps": Step}

    op: str
    axes: tuple[Axis, ...]
    dtype: str = "float32"
    pad: Pad = Pad()
    steps: tuple[Step, ...] = ()
    batch: int = 1
    channels: int = 1
    filters: int = 1
    groups: int = 1
    data_layout: str = ""
    kernel_layout: str = ""
    weight_dtype: str = ""
    out_dtype: str = ""
    ceil_mode: bool = False
    count_include_pad: bool = False
    uses: tuple[str, ...] = ()
    fills: tuple[str, ...] = ("integers",)
    seed: int = 0

    def __post_init__(self) -> None:
        member("op", self.op, ops.NAMES)
        member("dtype", self.dtype, ops.DTYPES)
        for name in ("batch", "channels", "filters", "groups"):
            whole(name, getattr(self, name), least=1)
        whole("seed", self.seed, least=0)
        flag("ceil_mode", self.ceil_mode)
        flag("count_include_pad", self.count_include_pad)
        for name, kind in (("axes", Axis), ("steps", Step)):
            for item in sequence(name, getattr(self, name), empty=name == "steps"):
                require(isinstance(item, kind), f"{name} must be of {kind.__name__}, not {item!r}")
        for name in ("data_layout", "kernel_layout", "weight_dtype", "out_dtype"):
            require(isinstance(getattr(self, name), str), f"{name} must be a string, not {getattr(self, name)!r}")
        require(isinstance(self.pad, Pad), f"pad must be a Pad, not {self.pad!r}")
        choose("use", self.uses, USES, empty=True)
        choose("fill", self.fills, ops.FILLS)
        _check_attributes(self)
        _check_shapes(self)
        _check_value(self)
        _check_steps(self)

    # --- shapes: letter -> length ---------------------------------------------------------------------

    @property
    def spec(self) -> ops.Op:
        """The op's row."""
        return ops.BY_NAME[self.op]

    @property
    def lettered_axes(self) -> tuple[tuple[str, Axis], ...]:
        """The spatial axes with their letters, in the order D, H, W."""
        return tuple(zip(self.spec.spatial, self.axes, strict=True))

    @property
    def data_order(self) -> str:
        """The data layout, spelled out."""
        return self.data_layout or self.spec.data_layout

    @property
    def kernel_order(self) -> str:
        """The kernel layout, spelled out; empty for pools."""
        return self.kernel_layout or self.spec.kernel_layout

    @property
    def pads_weight(self) -> bool:
        return self.pad.operand == "weight"

    @property
    def pad_widths(self) -> dict[str, Widths]:
        """Explicit widths (before, after) per letter of the padded operand."""
        outer, inner = "OI" if self.pads_weight else "NC"
        return {outer: self.pad.batch, inner: self.pad.channel} | {letter: a.pad for letter, a in self.lettered_axes}

    @property
    def data_dims(self) -> Dims:
        """The data as the function receives it."""
        return {"N": self.batch, "C": self.channels} | {letter: a.size for letter, a in self.lettered_axes}

    @property
    def operand_dims(self) -> Dims:
        """The data operand of the consumer."""
        return self.data_dims if self.pads_weight else _padded(self.data_dims, self.pad_widths)

    @property
    def kernel_dims(self) -> Dims:
        """The weight as the function receives it. A transposed convolution has all input channels in I."""
        channels = self.operand_dims["C"]
        if self.spec.transposed:
            outer = {"I": channels, "O": self.filters // self.groups}
        else:
            outer = {"O": self.filters, "I": channels // self.groups}
        if self.pads_weight:
            outer["I"] -= sum(self.pad.channel)
        return outer | {letter: a.kernel for letter, a in self.lettered_axes}

    @property
    def weight_dims(self) -> Dims:
        """The weight operand of the consumer."""
        return _padded(self.kernel_dims, self.pad_widths) if self.pads_weight else self.kernel_dims

    @property
    def result_dims(self) -> Dims:
        """The consumer's result, as TVM's type inference has it; 0 or less where no window fits."""
        operand = self.operand_dims
        channels = operand["C"]
        if self.spec.weighted:
            channels = self.weight_dims["O"] * (self.groups if self.spec.transposed else 1)
        return {"N": operand["N"], "C": channels} | {
            letter: self._windows(letter, axis, operand[letter]) for letter, axis in self.lettered_axes
        }

    def window_extent(self, letter: str, axis: Axis) -> int:
        """Elements that one window spans along an axis, dilation included."""
        kernel = self.weight_dims[letter] if self.spec.weighted else axis.kernel
        return (kernel - 1) * axis.dilation + 1

    def _windows(self, letter: str, axis: Axis, size: int) -> int:
        extent = self.window_extent(letter, axis)
        if self.spec.transposed:
            return (size - 1) * axis.stride - sum(axis.padding) + extent + axis.output_padding
        return ops.window_count(size, extent, axis.stride, axis.padding, ceil_mode=self.ceil_mode)

    @property
    def macs(self) -> int:
        """Multiply-adds (for pools: reads) of the consumer."""
        windows = math.prod(self.result_dims.values())
        kernel = self.weight_dims if self.spec.weighted else {letter: a.kernel for letter, a in self.lettered_axes}
        return windows * math.prod(kernel[letter] for letter in self.spec.spatial) * kernel.get("I", 1)

    # --- dtypes ---------------------------------------------------------------------------------------

    @property
    def operand_dtype(self) -> str:
        """dtype of the consumer's data operand."""
        return self.steps[-1].out_dtype if self.steps else self.dtype

    @property
    def kernel_dtype(self) -> str:
        """dtype of the weight."""
        return self.weight_dtype or self.operand_dtype

    @property
    def pad_dtype(self) -> str:
        """dtype of the padded tensor."""
        return self.kernel_dtype if self.pads_weight else self.dtype

    @property
    def result_dtype(self) -> str:
        """dtype that TVM's type inference gives the result."""
        return self.out_dtype or self.operand_dtype

    # --- JSON and shrinking ---------------------------------------------------------------------------

    def dumps(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_json(), allow_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values with the version of their form."""
        return {"format": FORMAT, **self.to_plain()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The case that ``to_json`` wrote. Raises ValueError that names what is wrong."""
        if not isinstance(value, dict):
            raise ValueError(f"a case is a JSON object, not {type(value).__name__}")
        version = value.get("format")
        require(version == FORMAT, f"format {version!r} is unknown: this foldproof reads {FORMAT}")
        return cls.from_plain({name: content for name, content in value.items() if name != "format"})

    def simpler(self) -> Iterator["Case"]:
        """The next simpler cases, most daring first; all are possible and differ from this one."""
        from harness.simpler import simpler

        return simpler(self)


# --- what makes a case impossible ---------------------------------------------------------------------


def _check_attributes(case: Case) -> None:
    spec = case.spec
    require(len(case.axes) == spec.rank, f"{spec.name} has {spec.rank} spatial axes, not {len(case.axes)}")
    member("data_layout", case.data_order, spec.data_layouts)
    if spec.weighted:
        member("kernel_layout", case.kernel_order, spec.kernel_layouts)
        member("weight_dtype", case.kernel_dtype, ops.DTYPES)
        member("out_dtype", case.result_dtype, ops.DTYPES)
        mixed = case.kernel_dtype != case.operand_dtype
        require(
            not mixed or bool(case.out_dtype),
            f"{case.operand_dtype} data with {case.kernel_dtype} weight needs an out_dtype",
        )
    else:
        idle = {"kernel_layout": "", "weight_dtype": "", "out_dtype": "", "filters": 1, "groups": 1}
        for name, value in idle.items():
            require(getattr(case, name) == value, f"{spec.name} has no {name}, but it is {getattr(case, name)!r}")
        require(not case.pads_weight, f"{spec.name} has no weight to pad")
    require(spec.pools or not case.ceil_mode, f"{spec.name} has no ceil_mode")
    require(spec.family == "avg_pool" or not case.count_include_pad, f"{spec.name} makes no use of count_include_pad")


def _check_shapes(case: Case) -> None:
    for what, dims in (("data", case.operand_dims), ("weight", case.kernel_dims if case.spec.weighted else {})):
        require(min(dims.values(), default=1) >= 1, f"the {what} would have no element: {dims}")
    if case.pads_weight:
        require(min(case.weight_dims.values()) >= 1, f"the pad leaves no weight: {case.weight_dims}")
    if case.spec.weighted:
        channels, filters = case.operand_dims["C"], case.filters
        require(channels % case.groups == 0, f"groups {case.groups} do not divide {channels} channels")
        require(filters % case.groups == 0, f"groups {case.groups} do not divide {filters} filters")
        if case.pads_weight and not case.spec.transposed:
            outputs = case.weight_dims["O"]
            require(outputs % case.groups == 0, f"groups {case.groups} do not divide {outputs} padded filters")
    for letter, axis in case.lettered_axes:
        limit = axis.stride if case.spec.transposed else 1
        require(axis.output_padding < limit, f"output_padding {axis.output_padding} of {letter} must be below {limit}")
        left = case.operand_dims[letter] + min(0, axis.padding[0]) + min(0, axis.padding[1])
        require(left >= 1 or case.spec.transposed, f"padding {axis.padding} leaves nothing of {letter}")
        spans = case.operand_dims[letter] + sum(axis.padding) >= case.window_extent(letter, axis)
        require(spans or case.spec.transposed, f"no window of {case.window_extent(letter, axis)} fits along {letter}")
    require(min(case.result_dims.values()) >= 1, f"the result would have no element: {case.result_dims}")
    if case.pad.mode in MIRRORED_MODES:
        _check_mirrored(case)


def _check_mirrored(case: Case) -> None:
    """TVM reads out of bounds where a mirrored border is wider than what it mirrors."""
    source = case.kernel_dims if case.pads_weight else case.data_dims
    for letter, sides in case.pad_widths.items():
        limit = {"reflect": source[letter] - 1, "circular": source[letter], "replicate": max(sides)}[case.pad.mode]
        require(min(sides) >= 0, f"{case.pad.mode} pad {sides} of {letter} is negative")
        require(
            max(sides) <= limit, f"{case.pad.mode} pad {sides} of {letter} is wider than its {source[letter]} elements"
        )


def _check_value(case: Case) -> None:
    """A tensor takes no finite pad value out of its range: TVM refuses to build it, -0.5 for uint8 included."""
    value = case.pad.value
    if case.pad_dtype in ops.INTEGERS:
        low, high = ops.int_range(case.pad_dtype)
        fits = math.isfinite(value) and low <= int(value) <= high and (low < 0 or value >= 0)
    else:
        # TVM checks a bfloat16 against float32's range; what lies between the two becomes an infinity.
        range_of = "float32" if case.pad_dtype == "bfloat16" else case.pad_dtype
        fits = not math.isfinite(value) or abs(value) <= ops.HIGHEST[range_of]
    require(fits, f"pad value {value!r} does not fit {case.pad_dtype}")


def _check_steps(case: Case) -> None:
    require(len(case.steps) <= 1, f"{len(case.steps)} steps between pad and consumer, at most 1 is supported")
    for step in case.steps:
        member("dequantized dtype", case.dtype, ops.QUANTIZED_DTYPES)
        member("axis of dequantize", step.axis, tuple(case.data_order))
        length = case.operand_dims[step.axis]
        for name, values in (("scale", step.scale), ("zero_point", step.zero_point)):
            require(len(values) in (1, length), f"{name} has {len(values)} elements, but axis {step.axis} has {length}")


def _padded(dims: Dims, pads: dict[str, Widths]) -> Dims:
    return {letter: length + sum(pads[letter]) for letter, length in dims.items()}
