"""A second, tiny IR: a pad and a 1-d convolution or max pool, executed by loops. It shows that checking needs no TVM.

    Module(pad, consumer) --fold--> Module(None, consumer with padding)

A module is a frozen value, so "same" is ``==`` and a copy is the module itself.
"""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from foldproof import Axis, Case, Pad
from foldproof.core.errors import UsageError
from foldproof.ir.base import DEFAULT, KnownIssue, ResidualPads
from foldproof.oracle.semantics import Semantics, greater_or_second, less_or_second

OPS = ("conv1d", "max_pool1d")


@dataclass(frozen=True)
class Module:
    op: str
    kernel: int
    stride: int
    padding: tuple[int, int]
    pad: tuple[int, int] | None
    value: float
    result: tuple[int, int, int]

    @property
    def neutral(self):
        return 0.0 if self.op == "conv1d" else -np.inf


@dataclass(frozen=True)
class Target:
    name: str
    pipeline: str = DEFAULT
    notice: str = ""
    description: str = ""

    def with_pipeline(self, pipeline):
        return self


@dataclass(frozen=True)
class Program:
    modules: dict
    fallback: str = ""

    def run(self, name, arrays):
        return (_run(self.modules[name], *arrays.values()),)


def _run(module, x, w=None):
    def padded(array, sides, value):
        return np.pad(array, ((0, 0), (0, 0), sides), constant_values=value)

    if module.pad is not None:
        x = padded(x, module.pad, module.value)
    x = padded(x, module.padding, module.neutral)
    out = np.zeros(module.result, np.float32)
    for n, c, i in np.ndindex(*module.result):
        window = x[n, :, i * module.stride : i * module.stride + module.kernel]
        out[n, c, i] = (window * w[c]).sum() if w is not None else window[c].max()
    return out


class Toy:
    name = "toy"
    compiler = "the toy compiler"
    script_writer = ""
    module_name = "a Module"
    strategy = "tests.ir.toy.toy_ir:cases"
    needs_two_opinions = False
    counts_missed_folds = True
    semantics = Semantics(
        name="toy",
        maximum=greater_or_second,
        minimum=less_or_second,
        lowest=lambda dtype: np.float32(-np.inf),
        max_of_nan_is_specified=False,
        average_sum_dtype=lambda dtype, padded: dtype,
        simplifies_constants=False,
        excess_precision=frozenset(),
        unspecified_overflow=frozenset(),
        wraps_portably=True,
        computes_nan_portably=True,
        contracts_products=False,
        proves_symbolic_copies=True,
    )
    known_issues = (
        KnownIssue(
            name="toy-does-not-compile-kernel-5",
            text="the toy compiler does not compile a kernel of 5",
            changes="whether the case compiles",
            matches=lambda case: case.axes[0].kernel == 5,
            raises="kernel 5",
        ),
    )

    def supported(self, case):
        [axis, *more] = case.axes
        plain = (
            Case(
                op=case.op,
                axes=(replace(axis, dilation=1, output_padding=0),),
                pad=Pad(value=case.pad.value),
                channels=case.channels,
                filters=case.filters,
                batch=case.batch,
                fills=case.fills,
                seed=case.seed,
            )
            if case.op in OPS and not more and axis.dilation == 1
            else None
        )
        negative = min(*axis.pad, *axis.padding) < 0
        return "" if plain == case and not negative else "the toy IR has a pad and a 1-d convolution or max pool only"

    def build(self, case, *, with_pad=True):
        axis = case.axes[0]
        dims = case.result_dims
        identity = axis.pad == (0, 0) and not with_pad
        return Module(
            op=case.op,
            kernel=axis.kernel,
            stride=axis.stride,
            padding=axis.padding,
            pad=None if identity else axis.pad,
            value=case.pad.value,
            result=(dims["N"], dims["C"], dims["W"]),
        )

    def second_opinion(self, module, arrays):
        return None

    def second_refuses(self, module, arrays):
        return False

    def quote_specification(self, case):
        return ()

    def can_be_asked(self, module):
        return False

    def is_module(self, value):
        return isinstance(value, Module)

    def clone(self, module):
        return module

    def digest(self, module):
        return hash(repr(module))

    def same(self, a, b):
        return replace(a, value=0.0) == replace(b, value=0.0) if _no_pad(a) and _no_pad(b) else a == b

    def identical(self, a, b):
        return a is b

    def verify(self, module):
        return "" if min(module.padding) >= 0 else f"padding {module.padding} is negative"

    def entry(self, module):
        return module

    def first_output(self, module):
        return module

    def return_type(self, module):
        return module.result

    def residual_pads(self, module):
        identity = module.pad == (0, 0)
        return ResidualPads(foldable=module.pad is not None, identity=identity)

    def channel_pads(self, module):
        return 0

    def parse_target(self, name, pipeline=DEFAULT):
        if name not in ("llvm", "numpy"):
            raise UsageError(f"unknown target {name!r}; expected numpy")
        return Target(name)

    def compile(self, batch, target):
        for modules in batch:
            if any(module.kernel == 5 for module in modules.values()):
                raise NotImplementedError("kernel 5")
        return [Program(dict(modules)) for modules in batch]

    def to_source(self, module):
        return f"toy module: {module}"

    def short_error(self, error):
        return f"{type(error).__name__}: {error}"


def _no_pad(value):
    return isinstance(value, Module) and value.pad is None


TOY = Toy()


def right(module):
    """Fold a pad of the neutral value."""
    if module.pad is None or (module.pad != (0, 0) and module.value != module.neutral):
        return module
    padding = tuple(own + width for own, width in zip(module.padding, module.pad, strict=True))
    return replace(module, pad=None, padding=padding)


def swapped(module):
    """Fold, but with begin and end swapped: deliberately wrong."""
    return module if module.pad is None else right(replace(module, pad=module.pad[::-1]))


right.foldproof_ir = swapped.foldproof_ir = TOY


@st.composite
def cases(draw):
    """Cases that the toy IR supports, and a few that it does not."""
    op = draw(st.sampled_from(OPS))
    axis = Axis(
        size=draw(st.integers(5, 7)),
        pad=(draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        kernel=draw(st.sampled_from((1, 2, 3, 5))),
        stride=draw(st.integers(1, 2)),
        dilation=draw(st.sampled_from((1, 1, 1, 1, 1, 1, 1, 1, 1, 2))) if op == "max_pool1d" else 1,
    )
    value = draw(st.sampled_from((0.0, float("-inf"), 1.0)))
    if axis.kernel == 5 and axis.dilation == 2:
        axis = replace(axis, kernel=2)
    return Case(op=op, axes=(axis,), pad=Pad(value=value), channels=draw(st.integers(1, 2)), fills=("negative",))
