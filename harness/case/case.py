"""A Case: everything that defines one test, as plain values.

    x --front--> tensor --pad--> padded --steps--> operand --op--> result
                                   |      |         ^
                                   +------+-> uses  weight (convolutions; padded instead if pad.operand says so)

A case knows nothing of TVM. It is frozen, compares by value, goes to JSON and back, and its ``repr`` can be pasted
into a Python session. Dimensions are dicts from layout letter to length; only ``foldproof.ir.relax.build`` flattens
them.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

from foldproof.case import dtypes, ops
from foldproof.case import validation as possible
from foldproof.case.formats import FORMAT, upgrade
from foldproof.case.pad import NO_PAD, Axis, Pad, Widths
from foldproof.case.records import Record, cached, choose, flag, member, require, sequence, whole
from foldproof.case.step import EXTRA, Step

EXTRA_OUTPUTS = ("returned", "read", "step")
"""Further uses: the function returns the padded tensor too, or its sum with itself, or what the first step made."""

Dims = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A step where it stands: ``dtype``, ``order`` and ``dims`` are those of the tensor that it reads."""

    step: Step
    group: str
    index: int
    dtype: str
    order: str
    dims: Dims

    def parameter(self, name: str) -> str:
        """The name of one of its parameters in the function: scale0, front_operand1."""
        return f"{'front_' if self.group == 'producers' else ''}{name}{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Case(Record):
    """One test: a pad, what stands before it and between, its consumer ``op``, and the inputs to run it on.

    ``channels`` counts the channels of the data as the function receives it, before the pad; ``filters`` the
    filters of a convolution's weight, likewise. Empty layouts and dtypes mean the op's standard ones (those of the
    data operand); ``dtype`` is that of x, ``data_layout`` that of the consumer's operand. ``symbolic`` names the axes
    of x whose length the types leave open. A ``constant_weight`` is part of the module, the same for every fill.
    ``fills`` with ``seed`` say which inputs are made (``foldproof.oracle.fills``).

    Raises ValueError, naming the value, if the case is impossible: TVM has no such tensor, window or dtype.
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
    extra_outputs: tuple[str, ...] = ()
    fills: tuple[str, ...] = ("integers",)
    seed: int = 0

    def __post_init__(self) -> None:
        member("op", self.op, ops.NAMES)
        member("dtype", self.dtype, dtypes.DTYPES)
        for name in ("batch", "channels", "filters", "groups"):
            whole(name, getattr(self, name), least=1)
        whole("seed", self.seed, least=0)
        for name in ("ceil_mode", "count_include_pad", "constant_weight"):
            flag(name, getattr(self, name))
        for name, kind in (("axes", Axis), ("producers", Step), ("steps", Step)):
            for item in sequence(name, getattr(self, name), empty=name != "axes"):
                if not isinstance(item, kind):
                    raise ValueError(f"{name} must be of {kind.__name__}, not {item!r}")
        for name in ("data_layout", "kernel_layout", "weight_dtype", "out_dtype"):
            require(isinstance(getattr(self, name), str), f"{name} must be a string, not {getattr(self, name)!r}")
        if not isinstance(self.pad, Pad):
            raise ValueError(f"pad must be a Pad, not {self.pad!r}")
        choose("use", self.extra_outputs, EXTRA_OUTPUTS, empty=True)
        choose("fill", self.fills, ops.FILLS)
        possible.check(self)

    # --- layouts --------------------------------------------------------------------------------------

    @property
    def spec(self) -> ops.Op:
        """The op's row."""
        return ops.BY_NAME[self.op]

    @cached
    def lettered_axes(self) -> tuple[tuple[str, Axis], ...]:
        """The spatial axes with their letters, in the order D, H, W."""
        return tuple(zip(self.spec.spatial, self.axes, strict=True))

    @property
    def data_order(self) -> str:
        """The layout of the consumer's data operand, spelled out."""
        return self.data_layout or self.spec.data_layout

    @property
    def kernel_order(self) -> str:
        """The kernel layout, spelled out; empty for pools."""
        return self.kernel_layout or self.spec.kernel_layout

    @cached
    def orders(self) -> tuple[str, ...]:
        """The layout before each step, and that of the consumer's operand after the last one."""
        found = [self.data_order]
        for step in reversed(self.steps):
            found.append(step.source or found[-1])
        return tuple(reversed(found))

    @property
    def pad_order(self) -> str:
        """The layout of x, in which the pad stands."""
        return self.orders[0]

    @property
    def in_order(self) -> bool:
        """Whether the spatial letters stand in the order D, H, W in the layouts of data and weight."""
        orders = {self.spec.spatial_order(self.data_order), self.spec.spatial_order(self.kernel_order)}
        return orders == {self.spec.spatial}

    @property
    def pads_weight(self) -> bool:
        return self.pad.operand == "weight"

    # --- shapes: letter -> length ---------------------------------------------------------------------

    @cached
    def pad_widths(self) -> dict[str, Widths]:
        """Explicit widths (before, after) per letter of the padded operand."""
        outer, inner = "OI" if self.pads_weight else "NC"
        return {outer: self.pad.batch, inner: self.pad.channel} | {letter: a.pad for letter, a in self.lettered_axes}

    @cached
    def data_dims(self) -> Dims:
        """The data as the function receives it; letters that its layout lacks have length 1."""
        return {"N": self.batch, "C": self.channels} | {letter: a.size for letter, a in self.lettered_axes}

    @cached
    def input_dims(self) -> Dims:
        """The data with its extra unit axes."""
        return self.data_dims | dict.fromkeys(EXTRA, 1)

    @cached
    def dims_along(self) -> tuple[Dims, ...]:
        """The tensors that the steps read, and after the last one that which the consumer reads."""
        dims = self.input_dims
        if not self.pads_weight:
            dims |= _padded(self.data_dims, self.pad_widths)
        found = [dims]
        for step in self.steps:
            if step.widths:
                dims = dims | {letter: dims[letter] + before + after for letter, before, after in step.widths}
            found.append(dims)
        return tuple(found)

    @cached
    def producer_places(self) -> tuple[Place, ...]:
        """The steps before the pad."""
        return tuple(
            Place(step=step, group="producers", index=i, dtype=dtype, order=self.pad_order, dims=self.input_dims)
            for i, (step, dtype) in enumerate(zip(self.producers, self.producer_dtypes, strict=False))
        )

    @cached
    def step_places(self) -> tuple[Place, ...]:
        """The steps between pad and consumer."""
        along = zip(self.steps, self.step_dtypes, self.orders, self.dims_along, strict=False)
        return tuple(
            Place(step=step, group="steps", index=i, dtype=dtype, order=order, dims=dims)
            for i, (step, dtype, order, dims) in enumerate(along)
        )

    @cached
    def operand_dims(self) -> Dims:
        """The data operand of the consumer."""
        dims = self.data_dims if self.pads_weight else _padded(self.data_dims, self.pad_widths)
        for step in self.steps:
            dims |= {letter: dims[letter] + before + after for letter, before, after in step.widths}
        return dims

    @cached
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

    @cached
    def weight_dims(self) -> Dims:
        """The weight operand of the consumer."""
        return _padded(self.kernel_dims, self.pad_widths) if self.pads_weight else self.kernel_dims

    @cached
    def result_dims(self) -> Dims:
        """The consumer's result, as TVM's type inference has it; 0 or less where no window fits."""
        operand = self.operand_dims
        channels = operand["C"]
        if self.spec.weighted:
            channels = self.weight_dims["O"] * (self.groups if self.spec.transposed else 1)
        return {"N": operand["N"], "C": channels} | {
            letter: self._windows(axis, operand[letter]) for letter, axis in self.lettered_axes
        }

    def window_extent(self, axis: Axis) -> int:
        """Elements that one window spans along an axis, dilation included."""
        taps = axis.kernel + (sum(axis.pad) if self.pads_weight else 0)
        return (taps - 1) * axis.dilation + 1

    def _windows(self, axis: Axis, size: int) -> int:
        extent = self.window_extent(axis)
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

    @cached
    def producer_dtypes(self) -> tuple[str, ...]:
        """The dtype that each step before the pad reads, and what the last one makes."""
        return _flow(self.dtype, self.producers)

    @cached
    def step_dtypes(self) -> tuple[str, ...]:
        """The dtype that each step after the pad reads, and what the last one makes."""
        return _flow(self.producer_dtypes[-1], self.steps)

    @property
    def operand_dtype(self) -> str:
        """dtype of the consumer's data operand."""
        return self.step_dtypes[-1]

    @property
    def kernel_dtype(self) -> str:
        """dtype of the weight."""
        return self.weight_dtype or self.operand_dtype

    @property
    def pad_dtype(self) -> str:
        """dtype of the padded tensor."""
        return self.kernel_dtype if self.pads_weight else self.producer_dtypes[-1]

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
        return {"format": FORMAT, **self.to_dict()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The case that ``to_json`` wrote. Raises ValueError that names what is wrong."""
        if not isinstance(value, dict):
            raise ValueError(f"a case is a JSON object, not {type(value).__name__}")
        return cls.from_dict(upgrade(value))

    def simpler(self) -> Iterator["Case"]:
        """The next simpler cases, most daring first; all are possible and differ from this one."""
        # By name: candidates are made of cases, so that an import would be a circle.
        candidates: Iterator[Case] = import_module("foldproof.case.shrinking.candidates").simpler(self)
        return candidates


def _padded(dims: Dims, pads: dict[str, Widths]) -> Dims:
    return {letter: length + sum(pads[letter]) for letter, length in dims.items()}


def _flow(dtype: str, steps: tuple[Step, ...]) -> tuple[str, ...]:
    found = [dtype]
    for step in steps:
        found.append(step.result_dtype(found[-1]))
    return tuple(found)
