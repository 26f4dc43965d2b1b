"""Subjects: the passes, optimizers and compilers of other projects that can be tested by name.

    foldproof fuzz --pass onnxruntime

A row names what applies it, what it needs, and what it leaves open. Reading the table imports no such project.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from foldproof.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What a subject may do otherwise by right.

    Args:
        text: what it is, in a sentence.
        source: where that is documented.
    """

    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pass of another project.

    Args:
        name: its name on the command line.
        ir: the IR that it works on.
        applied: how it is applied, in a phrase.
        factory: the function without arguments that returns it, as ``MODULE:ATTR``.
        packages: the distributions that it needs.
        extra: the extra of foldproof that installs them.
        leaves_open: what it may do otherwise by right.
    """

    name: str
    ir: str
    applied: str
    factory: str
    packages: tuple[str, ...]
    extra: str
    leaves_open: tuple[Open, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """The installed version of each distribution; empty if it is not installed."""
        return {name: _version(name) for name in self.packages}

    @property
    def missing(self) -> tuple[str, ...]:
        """The distributions that are not installed."""
        return tuple(name for name, found in self.versions.items() if not found)

    def load(self) -> Any:
        """Return the pass.

        Raises:
            UsageError: if a distribution is missing, or cannot be imported.
        """
        if self.missing:
            names = ", ".join(self.missing)
            raise UsageError(
                f"pass {self.name!r} needs {names}, which is not installed; pip install 'foldproof[{self.extra}]'"
            )
        module, _, attribute = self.factory.partition(":")
        try:
            factory: Callable[[], Any] = getattr(importlib.import_module(module), attribute)
            return factory()
        except ImportError as error:
            raise UsageError(f"pass {self.name!r} cannot be imported: {error}") from error


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_ROOM = "foldproof.ir.onnx.subjects"
_ROUNDING = Open(
    text="Sums may be in another order, with or without fused multiply-add, within the error bound.",
    source="onnx.defs: no operator names the order of a sum",
)

SUBJECTS = (
    Subject(
        name="onnxruntime",
        ir="onnx",
        applied="session at ORT_ENABLE_ALL, against a session at ORT_DISABLE_ALL, on CPU",
        factory=f"{_ROOM}.runtimes:optimized_onnxruntime",
        packages=("onnx", "onnxruntime"),
        extra="onnx",
        leaves_open=(
            _ROUNDING,
            Open(
                text="A QLinearConv that replaces DequantizeLinear, Conv and QuantizeLinear rounds a tie either way.",
                source="onnx.defs: QLinearConv names no rounding",
            ),
        ),
    ),
    Subject(
        name="onnxruntime/extended",
        ir="onnx",
        applied="session at ORT_ENABLE_EXTENDED, against a session at ORT_DISABLE_ALL, on CPU",
        factory=f"{_ROOM}.runtimes:extended_onnxruntime",
        packages=("onnx", "onnxruntime"),
        extra="onnx",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxruntime/basic",
        ir="onnx",
        applied="session at ORT_ENABLE_BASIC, against a session at ORT_DISABLE_ALL, on CPU",
        factory=f"{_ROOM}.runtimes:basic_onnxruntime",
        packages=("onnx", "onnxruntime"),
        extra="onnx",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxoptimizer",
        ir="onnx",
        applied="onnxoptimizer.optimize(model) with all default passes",
        factory=f"{_ROOM}.optimizers:onnxoptimizer_all",
        packages=("onnx", "onnxruntime", "onnxoptimizer"),
        extra="onnx-tools",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxoptimizer/pads",
        ir="onnx",
        applied="its passes eliminate_nop_pad, extract_constant_to_initializer, fuse_pad_into_conv, fuse_pad_into_pool",
        factory=f"{_ROOM}.optimizers:onnxoptimizer_pads",
        packages=("onnx", "onnxruntime", "onnxoptimizer"),
        extra="onnx-tools",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxscript",
        ir="onnx",
        applied="onnxscript.optimizer.optimize, then onnxscript.rewriter.rewrite with the default rules",
        factory=f"{_ROOM}.optimizers:onnxscript_default",
        packages=("onnx", "onnxruntime", "onnxscript"),
        extra="onnx-tools",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxscript/pads",
        ir="onnx",
        applied="rewrite with the rules of fuse_pad_into_conv, after shape inference",
        factory=f"{_ROOM}.optimizers:onnxscript_pads",
        packages=("onnx", "onnxruntime", "onnxscript"),
        extra="onnx-tools",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="onnxslim",
        ir="onnx",
        applied="onnxslim.slim(model)",
        factory=f"{_ROOM}.optimizers:onnxslim_default",
        packages=("onnx", "onnxruntime", "onnxslim"),
        extra="onnx-tools",
        leaves_open=(
            _ROUNDING,
            Open(text="slim changes the model that it is given.", source="onnxslim.slim works in place"),
        ),
    ),
    Subject(
        name="onnxsim",
        ir="onnx",
        applied="onnxsim.simplify(model, check_n=0)",
        factory=f"{_ROOM}.optimizers:onnxsim_default",
        packages=("onnx", "onnxruntime", "onnxsim"),
        extra="onnx-tools",
        leaves_open=(_ROUNDING,),
    ),
    Subject(
        name="openvino",
        ir="onnx",
        applied="model compiled for CPU in float32, against ONNX Runtime without optimisations",
        factory=f"{_ROOM}.runtimes:openvino_cpu",
        packages=("onnx", "onnxruntime", "openvino"),
        extra="onnx-tools",
        leaves_open=(
            _ROUNDING,
            Open(
                text="Several steps are computed without rounding in between, and float64 in float32.",
                source="OpenVINO, INFERENCE_PRECISION_HINT: f32",
            ),
        ),
    ),
    Subject(
        name="tvm",
        ir="onnx",
        applied="tvm.relax.frontend.onnx.from_onnx and the default pipeline of llvm, against ONNX Runtime",
        factory=f"{_ROOM}.runtimes:tvm_frontend",
        packages=("onnx", "onnxruntime", "apache-tvm"),
        extra="onnx",
        leaves_open=(_ROUNDING,),
    ),
)
"""All subjects, in the order of ``foldproof passes``."""

BY_NAME = {subject.name: subject for subject in SUBJECTS}


def load_subject(name: str) -> Any:
    """Return the subject of that name as a pass; None if there is none.

    Raises:
        UsageError: if what it needs is missing.
    """
    subject = BY_NAME.get(name)
    return None if subject is None else subject.load()
