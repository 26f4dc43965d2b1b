"""Defects of the rewriting: attributes, types, other readers, the module itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tvm
from tvm import ir, relax, tirx

from foldproof.case import Axis, Pad, Step
from foldproof.checking.apply_pass import Fold
from foldproof.fold import Folded, Kind, Refused, moves, rewrite, rules, simplification
from foldproof.fold import paths as paths_
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import PadFacts
from foldproof.fold.paths import Path
from foldproof.fold.reader import PAD, op_name, read_pad, shape_of
from foldproof.fold.rebuild import rebuild
from foldproof.ir.relax.build import MAIN
from foldproof.mutants.altered import BUNDLED
from foldproof.mutants.mutant import BARE, Mutant, killer, quantized
from foldproof.mutants.operators import changed, each, flat, patched, rebuilding, with_types_anew, without_pads


def attributes_lost() -> Fold:
    """The rebuilt consumer has dilation 1."""
    return rebuilding(lambda call: {"dilation": [1 for _ in call.attrs.dilation]})


def strides_lost() -> Fold:
    """The rebuilt consumer has stride 1."""
    return rebuilding(lambda call: {"strides": [1 for _ in call.attrs.strides]})


def groups_lost() -> Fold:
    """The rebuilt convolution has one group."""
    return rebuilding(lambda call: {"groups": 1} if hasattr(call.attrs, "groups") else {})


def out_dtype_lost() -> Fold:
    """The rebuilt convolution accumulates in the dtype of its data."""
    return rebuilding(lambda call: {"out_dtype": None} if hasattr(call.attrs, "out_dtype") else {})


def raises_on_groups() -> Fold:
    """Grouped convolutions are met with an exception instead of a refusal."""

    def ungrouped(call: ir.Call) -> dict[str, Any]:
        if getattr(call.attrs, "groups", 1) != 1:
            raise NotImplementedError("groups")
        return {}

    return rebuilding(ungrouped)


def stale_type() -> Fold:
    """The dequantize that now reads the data keeps the type that it had after the pad."""

    def stale(body: Any, path: Any, outcome: Folded) -> list[Any]:
        return [_types(body, path, outcome)[0], *(body.values[var].ty for var, _, _ in path.steps)]

    _types = moves.infer_types
    return patched(moves, infer_types=stale)


def shared_pad_removed() -> Fold:
    """The folded pad goes, although something else reads it."""

    def buried(body: Bindings, unread: list[relax.Var]) -> None:
        for var in unread:
            if body._removable(var):
                body.dead[var] = True

    return patched(Bindings, _bury=buried)


def returned_pad_removed() -> Fold:
    """Whatever else uses the folded pad gets its input instead."""

    def bypassed(function: relax.Function) -> relax.Function:
        return without_pads(function, lambda body, var, pad: True)

    return lambda mod: each(BUNDLED(mod), bypassed, but=mod)


def input_mutated() -> Fold:
    """The module is changed in place."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        for name, function in BUNDLED(mod).functions_items():
            mod.update_func(name, function)
        return mod

    return fold


def not_idempotent() -> Fold:
    """Every run leaves another mark."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        runs = int(mod[MAIN].attrs["runs"]) if mod[MAIN].attrs and "runs" in mod[MAIN].attrs else 0
        out = BUNDLED(mod).clone()
        out.update_func(out.get_global_var(MAIN), out[MAIN].with_attr("runs", runs + 1))
        return out

    return fold


def weight_pad_folded() -> Fold:
    """A pad on the weight operand is folded like one on the data."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        out = BUNDLED(mod).clone()
        for name, function in out.functions_items():
            body = Bindings(function, lambda _: None)
            for var in body.consumers:
                _fold_weight_pad(body, var)
            out.update_func(name, rebuild(body))
        return out

    return lambda mod: with_types_anew(fold(mod), mod)


def _fold_weight_pad(body: Bindings, var: relax.Var) -> None:
    call = body.values[var]
    pad: Any = body.value(call.args[1]) if len(call.args) > 1 else None
    if op_name(pad) == PAD:
        layout, padding = str(call.attrs.kernel_layout), [int(width) for width in call.attrs.padding]
        widths = read_pad(pad).widths or ()
        sides = [widths[layout.index(letter)] for letter in "DHW" if letter in layout]
        more = [own + width for own, width in zip(padding, flat(sides), strict=True)]
        body.replace(var, changed(call, [call.args[0], pad.args[0]], padding=more))


def shared_step_rewritten() -> Fold:
    """A step after the pad that others read too is rewritten for all of them, instead of computed twice."""

    def bypassed(function: relax.Function) -> relax.Function:
        return without_pads(function, lambda body, var, pad: all(body.step(user) for user, _ in body.users(var)))

    return lambda mod: each(BUNDLED(mod), bypassed, but=mod)


def shared_pad_refused() -> Fold:
    """A pad with another reader stays before its consumer, too."""

    def paths(body: Bindings, operand: Any) -> Iterator[Path]:
        return (path for path in _paths(body, operand) if len(body.users(path.pad)) == 1)

    _paths = paths_.find_paths
    return patched(paths_, find_paths=paths)


def idle_pad_kept() -> Fold:
    """Pads whose widths are all 0 stay."""
    kept = patched(simplification, _drop_identities=lambda name, body: iter(()))
    return patched(rules.Identity, fold=kept, applies=staticmethod(lambda site: False))


def symbolic_refused() -> Fold:
    """Pads of tensors with a symbolic length stay."""

    def refused(body: Bindings, call: ir.Call, path: Path, outcome: Folded) -> Refused | None:
        lengths = shape_of(call) or []
        if all(isinstance(length, tirx.IntImm) for length in lengths):
            return None
        return Refused(Kind.SYMBOLIC, "a length is symbolic")

    return patched(rewrite, _refuse_by_type=refused)


def idle_mirror_kept() -> Fold:
    """Of pads whose widths are all 0, only constant ones are deleted."""

    def constant(body: Any, var: Any) -> PadFacts | None:
        facts = _pad(body, var)
        return (
            replace(facts, mode="idle", widths=None)
            if facts and facts.is_identity and facts.mode != "constant"
            else facts
        )

    _pad = Bindings.pad
    return patched(Bindings, pad=constant)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="graph", make=attributes_lost, witness=killer("conv1d", Axis(size=6, pad=(1, 2), kernel=2, dilation=2))
    ),
    Mutant(kind="graph", make=strides_lost, witness=killer("conv1d", Axis(size=6, pad=(1, 2), kernel=2, stride=2))),
    Mutant(kind="graph", make=groups_lost, witness=killer("conv1d", BARE, channels=4, filters=2, groups=2)),
    Mutant(kind="graph", make=out_dtype_lost, witness=killer("conv1d", BARE, dtype="int8", out_dtype="int32")),
    Mutant(kind="graph", make=raises_on_groups, witness=killer("conv1d", BARE, channels=2, filters=2, groups=2)),
    Mutant(kind="graph", make=stale_type, witness=quantized(value=3.0, zero_point=(3,))),
    Mutant(kind="graph", make=shared_pad_removed, witness=killer("conv1d", BARE, extra_outputs=("read",))),
    Mutant(kind="graph", make=returned_pad_removed, witness=killer("conv1d", BARE, extra_outputs=("returned",))),
    Mutant(kind="graph", make=input_mutated, witness=killer("conv1d", BARE)),
    Mutant(kind="graph", make=not_idempotent, witness=killer("conv1d", BARE)),
    Mutant(
        kind="graph",
        make=weight_pad_folded,
        witness=killer("conv1d", Axis(size=6, pad=(0, 1), kernel=2), pad=Pad(operand="weight")),
    ),
    Mutant(
        kind="graph",
        make=shared_step_rewritten,
        witness=killer("conv1d", BARE, steps=(Step(kind="relu"),), extra_outputs=("step",)),
    ),
    Mutant(kind="graph", make=shared_pad_refused, witness=killer("conv1d", BARE, extra_outputs=("returned",))),
    Mutant(kind="graph", make=idle_pad_kept, witness=killer("max_pool1d", Axis(size=4, kernel=2))),
    Mutant(kind="graph", make=symbolic_refused, witness=killer("conv1d", BARE, symbolic=("N",))),
    Mutant(
        kind="graph",
        make=idle_mirror_kept,
        witness=killer("conv1d", Axis(size=4, kernel=2), pad=Pad(mode="reflect")),
    ),
)
"""A row each."""
