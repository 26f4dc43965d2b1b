"""A Case: everything that defines one test, as plain values.

    x --input_stride--producers--> tensor --pad--> padded --steps--> operand --op--> result
                                                     |      |          ^
                                                     +------+          weight (convolutions; padded in place of x
                                                     v                         if pad.operand is "weight")
                                                extra_outputs

A case knows no compiler. It is frozen, compares by value, converts to JSON and back, and its ``repr`` can be pasted
into a Python session. Dimensions are dicts from layout letter to length; only the builder of an IR flattens them.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

from foldproof.case import dtypes, ops, validation
from foldproof.case.formats import FORMAT, upgrade
from foldproof.case.pad import NO_PAD, Axis, Pad, Widths
from foldproof.case.records import (
    Record,
    cached,
    choose,
    member,
    require_bool,
    require_int,
    require_string,
    require_tuple,
)
from foldproof.case.step import EXTRA, Step

EXTRA_OUTPUTS = ("returned", "read", "step")
"""What the function returns besides the result: the padded tensor, its sum with itself, or the first step's result."""

Dims = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A step in its case. ``dtype``, ``layout`` and ``dims`` are those of the tensor that it reads."""

    step: Step
    group: str
    index: int
    dtype: str
    layout: str
    dims: Dims

    def parameter(self, name: str) -> str:
        """Return the name of one of its parameters in the function: scale0, producer_operand1."""
        return f"{'producer_' if self.group == 'producers' else ''}{name}{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Case(Record):
    """One test: a pad, the steps before and after it, its consumer ``op``, and the inputs to run it on.

    Args:
        op: the consumer, one of ``ops.NAMES``.
        axes: the spatial axes in the order D, H, W.
        dtype: dtype of x.
        pad: the explicit pad; its spatial widths are in ``axes``.
        producers: elementwise steps before the pad.
        steps: steps between the pad and the consumer.
        batch: length of the batch axis of x, before the pad.
        channels: number of channels of x, before the pad.
        filters: number of filters of a convolution's weight, before the pad.
        groups: groups of a convolution.
        data_layout: layout of the consumer's data operand; empty for the standard one of the op.
        kernel_layout: layout of the weight; empty for the standard one of the op.
        weight_dtype: dtype of the weight; empty for that of the data operand.
        out_dtype: dtype of the result; empty for that of the data operand.
        constant_weight: whether the weight is a constant of the module, the same one for every fill.
        ceil_mode: whether the last window of a pool may reach over the end.
        count_include_pad: whether an average counts the elements of the padding.
        symbolic: letters of the axes of x whose length is symbolic in the types.
        input_stride: the producers read every so many elements of each spatial axis of x. So a symbolic length becomes
            an expression, as after a strided layer.
        extra_outputs: what the function returns besides the result, from ``EXTRA_OUTPUTS``.
        fills: recipes of the inputs (``foldproof.oracle.fills``).
        seed: seed of the inputs.

    Raises:
        ValueError: if no graph can be built of these values; the message names the value and what was expected.
    """

    nested: ClassVar[dict[str, type[Record]]] = {"axes": Axis, "pad": Pad, "steps": Step, "producers": Step}

    op: str
    axes: tuple[Axis, ...]
    dtype: str = "float32"
    pad: Pad = NO_PAD
    producers: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()
    batch: int = 1
    channels: int = 1
    filters: int = 1
    groups: int = 1
    data_layout: str = ""
    kernel_layout: str = ""
    weight_dtype: str = ""
    out_dtype: str = ""
    constant_weight: bool = False
    ceil_mode: bool = False
    count_include_pad: bool = False
    symbolic: tuple[str, ...] = ()
    input_stride: int = 1
    extra_outputs: tuple[str, ...] = ()
    fills: tuple[str, ...] = ("integers",)
    seed: int = 0

    def __post_init__(self) -> None:
        member("op", self.op, ops.NAMES)
        member("dtype", self.dtype, dtypes.DTYPES)
        for name in ("batch", "channels", "filters", "groups", "input_stride"):
            require_int(name, getattr(self, name), least=1)
        require_int("seed", self.seed, least=0)
        for name in ("ceil_mode", "count_include_pad", "constant_weight"):
            require_bool(name, getattr(self, name))
        for name, kind in (("axes", Axis), ("producers", Step), ("steps", Step)):
            for item in require_tuple(name, getattr(self, name), empty=name != "axes"):
                if not isinstance(item, kind):
                    raise ValueError(f"elements of {name} must be {kind.__name__} objects, not {item!r}")
        for name in ("data_layout", "kernel_layout", "weight_dtype", "out_dtype"):
            require_string(name, getattr(self, name))
        if not isinstance(self.pad, Pad):
            raise ValueError(f"pad must be a Pad, not {self.pad!r}")
        choose("extra_outputs", self.extra_outputs, EXTRA_OUTPUTS, empty=True, element="extra output")
        choose("fills", self.fills, ops.FILLS, element="fill")
        validation.check(self)

    # --- layouts --------------------------------------------------------------------------------------

    @property
    def cases(self) -> "tuple[Case, ...]":
        """The cases of its sites: the case itself. A graph has several."""
        return (self,)

    @property
    def spec(self) -> ops.Op:
        """The row of the op."""
        return ops.BY_NAME[self.op]

    @cached
    def lettered_axes(self) -> tuple[tuple[str, Axis], ...]:
        """(letter, axis) of the spatial axes, in the order D, H, W."""
        return tuple(zip(self.spec.spatial, self.axes, strict=True))

    @property
    def operand_layout(self) -> str:
        """The layout of the consumer's data operand, never empty."""
        return self.data_layout or self.spec.data_layout

    @property
    def weight_layout(self) -> str:
        """The layout of the weight; empty for pools only."""
        return self.kernel_layout or self.spec.kernel_layout

    @cached
    def step_layouts(self) -> tuple[str, ...]:
        """The layout that each step reads, and last that of the consumer's data operand."""
        layouts = [self.operand_layout]
        for step in reversed(self.steps):
            layouts.append(step.source or layouts[-1])
        return tuple(reversed(layouts))

    @property
    def input_layout(self) -> str:
        """The layout of x, which is also that of the padded data."""
        return self.step_layouts[0]

    @property
    def spatial_in_order(self) -> bool:
        """Whether the layouts of data and weight have their spatial letters in the order D, H, W."""
        orders = {self.spec.spatial_order(self.operand_layout), self.spec.spatial_order(self.weight_layout)}
        return orders == {self.spec.spatial}

    @property
    def pads_weight(self) -> bool:
        """Whether the pad is on the weight instead of the data."""
        return self.pad.operand == "weight"

    # --- shapes: letter -> length ---------------------------------------------------------------------

    @cached
    def pad_widths(self) -> dict[str, Widths]:
        """Widths (before, after) of the explicit pad, for each letter of the padded operand."""
        outer, inner = "OI" if self.pads_weight else "NC"
        return {outer: self.pad.batch, inner: self.pad.channel} | {letter: a.pad for letter, a in self.lettered_axes}

    @cached
    def data_dims(self) -> Dims:
        """Dimensions of the data before the pad; letters that the layout of x lacks have length 1."""
        return {"N": self.batch, "C": self.channels} | {letter: a.size for letter, a in self.lettered_axes}

    @cached
    def source_dims(self) -> Dims:
        """Dimensions of what the producers read, with the extra unit axes."""
        return self.data_dims | dict.fromkeys(EXTRA, 1)

    @cached
    def input_dims(self) -> Dims:
        """Dimensions of x with its extra unit axes: the shortest that ``input_stride`` makes the data of."""
        lengths = {letter: (axis.size - 1) * self.input_stride + 1 for letter, axis in self.lettered_axes}
        return self.source_dims | lengths

    @cached
    def step_dims(self) -> tuple[Dims, ...]:
        """Dimensions of the tensor that each step reads, and last of that which the consumer reads."""
        dims = self.source_dims
        if not self.pads_weight:
            dims |= _pad(self.data_dims, self.pad_widths)
        along = [dims]
        for step in self.steps:
            if step.widths:
                dims = dims | {letter: dims[letter] + before + after for letter, before, after in step.widths}
            along.append(dims)
        return tuple(along)

    @cached
    def producer_places(self) -> tuple[Place, ...]:
        """The steps before the pad."""
        return tuple(
            Place(step=step, group="producers", index=i, dtype=dtype, layout=self.input_layout, dims=self.source_dims)
            for i, (step, dtype) in enumerate(zip(self.producers, self.producer_dtypes, strict=False))
        )

    @cached
    def step_places(self) -> tuple[Place, ...]:
        """The steps between pad and consumer."""
        along = zip(self.steps, self.step_dtypes, self.step_layouts, self.step_dims, strict=False)
        return tuple(
            Place(step=step, group="steps", index=i, dtype=dtype, layout=layout, dims=dims)
            for i, (step, dtype, layout, dims) in enumerate(along)
        )

    @cached
    def operand_dims(self) -> Dims:
        """Dimensions of the consumer's data operand."""
        dims = self.data_dims if self.pads_weight else _pad(self.data_dims, self.pad_widths)
        for step in self.steps:
            dims |= {letter: dims[letter] + before + after for letter, before, after in step.widths}
        return dims

    @cached
    def kernel_dims(self) -> Dims:
        """Dimensions of the weight before a pad on it. A transposed convolution has all input channels in I."""
        channels = self.operand_dims["C"]
        if self.spec.transposed:
            outer = {"I": channels, "O": self.filters // self.groups}
        else:
            outer = {"O": self.filters, "I": channels // self.groups}
        if self.pads_weight:
            outer["I"] -= sum(self.pad.channel)
        return outer | {letter: a.kernel for letter, a in self.lettered_axes}

    @cached
    def weight_dims(self) -> Dims:
        """Dimensions of the consumer's weight operand."""
        return _pad(self.kernel_dims, self.pad_widths) if self.pads_weight else self.kernel_dims

    @cached
    def result_dims(self) -> Dims:
        """Dimensions of the consumer's result; 0 or less along an axis where no window fits."""
        operand = self.operand_dims
        channels = operand["C"]
        if self.spec.weighted:
            channels = self.weight_dims["O"] * (self.groups if self.spec.transposed else 1)
        return {"N": operand["N"], "C": channels} | {
            letter: self._windows(axis, operand[letter]) for letter, axis in self.lettered_axes
        }

    def window_extent(self, axis: Axis) -> int:
        """Return how many elements one window spans along an axis, dilation included."""
        taps = axis.kernel + (sum(axis.pad) if self.pads_weight else 0)
        return (taps - 1) * axis.dilation + 1

    def _windows(self, axis: Axis, size: int) -> int:
        extent = self.window_extent(axis)
        if self.spec.transposed:
            return (size - 1) * axis.stride - sum(axis.padding) + extent + axis.output_padding
        return ops.window_count(size, extent, axis.stride, axis.padding, ceil_mode=self.ceil_mode)

    @property
    def macs(self) -> int:
        """Number of multiply-adds of the consumer; for pools, of elements read."""
        windows = math.prod(self.result_dims.values())
        kernel = self.weight_dims if self.spec.weighted else {letter: a.kernel for letter, a in self.lettered_axes}
        return windows * math.prod(kernel[letter] for letter in self.spec.spatial) * kernel.get("I", 1)

    # --- dtypes ---------------------------------------------------------------------------------------

    @cached
    def producer_dtypes(self) -> tuple[str, ...]:
        """The dtype that each producer reads, and last that of the padded data."""
        return _propagate(self.dtype, self.producers)

    @cached
    def step_dtypes(self) -> tuple[str, ...]:
        """The dtype that each step after the pad reads, and last that of the consumer's data operand."""
        return _propagate(self.producer_dtypes[-1], self.steps)

    @property
    def operand_dtype(self) -> str:
        """The dtype of the consumer's data operand."""
        return self.step_dtypes[-1]

    @property
    def kernel_dtype(self) -> str:
        """The dtype of the weight."""
        return self.weight_dtype or self.operand_dtype

    @property
    def pad_dtype(self) -> str:
        """The dtype of the padded tensor."""
        return self.kernel_dtype if self.pads_weight else self.producer_dtypes[-1]

    @property
    def result_dtype(self) -> str:
        """The dtype of the result."""
        return self.out_dtype or self.operand_dtype

    # --- JSON and shrinking ---------------------------------------------------------------------------

    def dumps(self) -> str:
        """Return the case as one line of JSON."""
        return json.dumps(self.to_json(), allow_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Return the case as JSON values, with the version of the format."""
        return {"format": FORMAT, **self.to_dict()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Return the case that ``to_json`` wrote, in any format.

        Raises:
            ValueError: if it is not such a case; the message names what is wrong.
        """
        if not isinstance(value, dict):
            raise ValueError(f"a case must be a JSON object, not a {type(value).__name__}")
        return cls.from_dict(upgrade(value))

    def simpler(self) -> Iterator["Case"]:
        """Yield the next simpler cases, largest change first. All are valid and differ from this one."""
        # By name: candidates are made of cases, so that an import would be a circle.
        candidates: Iterator[Case] = import_module("foldproof.case.shrinking.candidates").simpler(self)
        return candidates


def _pad(dims: Dims, pads: dict[str, Widths]) -> Dims:
    return {letter: length + sum(pads[letter]) for letter, length in dims.items()}


def _propagate(dtype: str, steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Return the dtype that each step reads, and that of the last result."""
    read = [dtype]
    for step in steps:
        read.append(step.result_dtype(read[-1]))
    return tuple(read)
