"""The pass: options, and what it does to a module."""

from collections.abc import Callable
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from harness.fold.facts import Consumer, Options, PadFacts
from harness.fold.primfunc import read_prim_pad
from harness.fold.rewrite import Folding, Report, fold_function

NONZERO = ("refuse", "correct", "correct-inexact")
CHANNELS = ("keep", "slice")


@tvm.transform.module_pass(opt_level=0, name="FoldExplicitPadding")
class FoldExplicitPadding:
    """DOC"""

    def __init__(
        self,
        *,
        nonzero: str = "refuse",
        channels: str = "keep",
        allow_asymmetric: bool = True,
        allow_negative: bool = True,
        accepts: Callable[[Consumer], bool] | None = None,
        check_input: bool = True,
    ) -> None:
        _choose("nonzero", nonzero, NONZERO)
        _choose("channels", channels, CHANNELS)
        flags = {"allow_asymmetric": allow_asymmetric, "allow_negative": allow_negative, "check_input": check_input}
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
        if accepts is not None and not callable(accepts):
            raise TypeError(f"accepts must be a function of a Consumer, not {accepts!r}")
        self.options = Options(
            nonzero=nonzero, channels=channels, allow_asymmetric=allow_asymmetric, allow_negative=allow_negative
        )
        self.accepts, self.check_input = accepts, check_input

    @property
    def complete(self) -> bool:
        """Whether every legal fold is made: no option excludes any."""
        return self.options.allow_asymmetric and self.options.allow_negative and self.accepts is None

    def transform_module(self, mod: tvm.IRModule, _ctx: Any) -> tvm.IRModule:
        """Called by TVM: the module with every foldable pad folded; ``mod`` itself if there is none."""
        self._require(mod)
        pads = _PrimPads(mod)
        folded = {}
        for global_var, function in mod.functions_items():
            if isinstance(function, relax.Function):
                new, _ = fold_function(self._folding(global_var, pads), function)
                if not new.same_as(function):
                    folded[global_var] = new
        if not folded:
            return mod
        out = mod.clone()
        for global_var, function in folded.items():
            out.update_func(global_var, function)
        return _without_unused(out, pads)

    def explain(self, mod: tvm.IRModule) -> tuple[Report, ...]:
        """What the pass does with each site of ``mod``, and why: a ``Report`` for each operand that a pad is.

        Function by function, those that fold first. ``str(report)`` is a line to read; ``report.outcome`` is ``Folded``
        or ``Refused(kind, detail)``. Raises what the pass raises.
        """
        self._require(mod)
        pads = _PrimPads(mod)
        reports: list[Report] = []
        for global_var, function in mod.functions_items():
            if isinstance(function, relax.Function):
                reports += fold_function(self._folding(global_var, pads), function, explain=True)[1]
        return tuple(reports)

    def _folding(self, global_var: ir.GlobalVar, pads: "_PrimPads") -> Folding:
        return Folding(name=global_var.name_hint, prim_pads=pads, options=self.options, accepts=self.accepts)

    def _require(self, mod: Any) -> None:
        if not isinstance(mod, tvm.IRModule):
            raise TypeError(f"FoldExplicitPadding takes an IRModule, not {type(mod).__name__}")
        functions = list(mod.functions.values())
        if functions and not any(isinstance(function, relax.Function) for function in functions):
            raise ValueError("FoldExplicitPadding takes a module of Relax functions, and this one has none")
        if self.check_input:
            try:
                relax.analysis.well_formed(mod)
            except Exception as error:
                said = [line.strip() for line in str(error).splitlines() if line.strip()]
                raise ValueError(f"the module is not well formed: {said[-1] if said else error}") from error


def _choose(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")


class _PrimPads:
    """The PrimFuncs of a module that are pads, each read once. ``read`` are those that were asked for."""

    def __init__(self, mod: tvm.IRModule) -> None:
        self._mod = mod
        self.read: dict[ir.GlobalVar, PadFacts | None] = {}

    def __call__(self, global_var: ir.GlobalVar) -> PadFacts | None:
        if global_var not in self.read:
            function = self._mod.functions.get(global_var)
            self.read[global_var] = read_prim_pad(function) if isinstance(function, tirx.PrimFunc) else None
        return self.read[global_var]


def _without_unused(mod: tvm.IRModule, pads: _PrimPads) -> tvm.IRModule:
    """Without the private pad PrimFuncs that nothing calls any more."""
    candidates = [
        global_var
        for global_var, facts in pads.read.items()
        if facts is not None and "global_symbol" not in (mod[global_var].attrs or {})
    ]
    if not candidates:
        return mod
    called = {name for function in mod.functions.values() for name in _called(function)}
    for global_var in candidates:
        if global_var not in called:
            del mod[global_var]
    return mod


def _called(function: Any) -> list[Any]:
    """The functions of the module that a function, of Relax or TIR, names."""
    found: list[Any] = []
    tvm_ffi.structural_walk(function, (ir.GlobalVar, found.append))
    return found
