"""Mutants: how the graph is rewritten: attributes, types, other readers, the module itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tvm
from tvm import ir, relax, tirx

from foldproof.case import Axis, Pad, Step
from foldproof.fold import Folded, Kind, Refused, moves, rewrite, rules, simplification
from foldproof.fold import paths as paths_
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import PadFacts
from foldproof.fold.paths import Path
from foldproof.fold.reader import PAD, op_name, read_pad, shape_of
from foldproof.fold.rebuild import rebuild
from foldproof.ir.base import Pass
from foldproof.ir.relax.build import MAIN
from foldproof.mutants.mutant import BARE, Mutant, quantized_witness, witness_case
from foldproof.mutants.operators import (
    change_attributes,
    change_functions,
    flatten,
    infer_types,
    patch_pass,
    rebuild_call,
    remove_pads,
)
from foldproof.mutants.patched_pass import BUNDLED


def attributes_lost() -> Pass:
    """The new consumer has dilation 1."""
    return change_attributes(lambda call: {"dilation": [1 for _ in call.attrs.dilation]})


def strides_lost() -> Pass:
    """The new consumer has stride 1."""
    return change_attributes(lambda call: {"strides": [1 for _ in call.attrs.strides]})


def groups_lost() -> Pass:
    """The new convolution has one group."""
    return change_attributes(lambda call: {"groups": 1} if hasattr(call.attrs, "groups") else {})


def out_dtype_lost() -> Pass:
    """The new convolution accumulates in the dtype of its data."""
    return change_attributes(lambda call: {"out_dtype": None} if hasattr(call.attrs, "out_dtype") else {})


def raises_on_groups() -> Pass:
    """The pass raises an exception for grouped convolutions."""

    def ungrouped(call: ir.Call) -> dict[str, Any]:
        if getattr(call.attrs, "groups", 1) != 1:
            raise NotImplementedError("groups")
        return {}

    return change_attributes(ungrouped)


def stale_type() -> Pass:
    """A dequantize that reads unpadded data keeps its padded type."""

    def stale(body: Any, path: Any, outcome: Folded) -> list[Any]:
        first, *rest = _types(body, path, outcome)
        after = zip(path.steps, rest, strict=True)
        return [first, *((body.values[var].ty, moving) for (var, _, _), (_, moving) in after)]

    _types = moves._infer_types
    return patch_pass(moves, _infer_types=stale)


def shared_pad_removed() -> Pass:
    """The pass removes a folded pad that something else reads."""

    def buried(body: Bindings, unread: list[relax.Var]) -> None:
        for var in unread:
            if body._removable(var):
                body.dead[var] = True

    return patch_pass(Bindings, _bury=buried)


def returned_pad_removed() -> Pass:
    """Every other reader of a folded pad reads its input instead."""

    def bypassed(function: relax.Function) -> relax.Function:
        return remove_pads(function, lambda body, var, pad: True)

    return lambda mod: change_functions(BUNDLED(mod), bypassed, but=mod)


def input_mutated() -> Pass:
    """The pass changes its input module."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        for name, function in BUNDLED(mod).functions_items():
            mod.update_func(name, function)
        return mod

    return fold


def not_idempotent() -> Pass:
    """Every run adds another mark."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        runs = int(mod[MAIN].attrs["runs"]) if mod[MAIN].attrs and "runs" in mod[MAIN].attrs else 0
        out = BUNDLED(mod).clone()
        out.update_func(out.get_global_var(MAIN), out[MAIN].with_attr("runs", runs + 1))
        return out

    return fold


def weight_pad_folded() -> Pass:
    """The pass folds a pad of the weight like a pad of the data."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        out = BUNDLED(mod).clone()
        for name, function in out.functions_items():
            body = Bindings(function, lambda _: None)
            for var in body.consumers:
                _fold_weight_pad(body, var)
            out.update_func(name, rebuild(body))
        return out

    return lambda mod: infer_types(fold(mod), mod)


def _fold_weight_pad(body: Bindings, var: relax.Var) -> None:
    call = body.values[var]
    pad: Any = body.value(call.args[1]) if len(call.args) > 1 else None
    if op_name(pad) == PAD:
        layout, padding = str(call.attrs.kernel_layout), [int(width) for width in call.attrs.padding]
        widths = read_pad(pad).widths or ()
        sides = [widths[layout.index(letter)] for letter in "DHW" if letter in layout]
        more = [own + width for own, width in zip(padding, flatten(sides), strict=True)]
        body.replace(var, rebuild_call(call, [call.args[0], pad.args[0]], padding=more))


def shared_step_rewritten() -> Pass:
    """The pass rewrites a step with several readers for all of them."""

    def bypassed(function: relax.Function) -> relax.Function:
        return remove_pads(function, lambda body, var, pad: all(body.step(user) for user, _ in body.users(var)))

    return lambda mod: change_functions(BUNDLED(mod), bypassed, but=mod)


def shared_pad_refused() -> Pass:
    """The pass refuses a pad with another reader."""

    def paths(body: Bindings, operand: Any) -> Iterator[Path]:
        return (path for path in _paths(body, operand) if len(body.users(path.pad)) == 1)

    _paths = paths_.find_paths
    return patch_pass(paths_, find_paths=paths)


def identity_pad_kept() -> Pass:
    """The pass keeps pads whose widths are all 0."""
    kept = patch_pass(simplification, _drop_identities=lambda name, body: iter(()))
    return patch_pass(rules.Identity, fold=kept, applies=staticmethod(lambda site: False))


def symbolic_refused() -> Pass:
    """The pass refuses tensors with a symbolic length."""

    def refused(body: Bindings, call: ir.Call, path: Path, outcome: Folded) -> Refused | None:
        lengths = shape_of(call) or []
        if all(isinstance(length, tirx.IntImm) for length in lengths):
            return None
        return Refused(Kind.SYMBOLIC, "a length is symbolic")

    return patch_pass(rewrite, _refuse_by_type=refused)


def identity_mirror_kept() -> Pass:
    """The pass keeps mirroring pads whose widths are all 0."""

    def constant(body: Any, var: Any) -> PadFacts | None:
        facts = _pad(body, var)
        return (
            replace(facts, mode="other", widths=None)
            if facts and facts.is_identity and facts.mode != "constant"
            else facts
        )

    _pad = Bindings.pad
    return patch_pass(Bindings, pad=constant)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="graph",
        make=attributes_lost,
        witness=witness_case("conv1d", Axis(size=6, pad=(1, 2), kernel=2, dilation=2)),
    ),
    Mutant(
        kind="graph", make=strides_lost, witness=witness_case("conv1d", Axis(size=6, pad=(1, 2), kernel=2, stride=2))
    ),
    Mutant(kind="graph", make=groups_lost, witness=witness_case("conv1d", BARE, channels=4, filters=2, groups=2)),
    Mutant(kind="graph", make=out_dtype_lost, witness=witness_case("conv1d", BARE, dtype="int8", out_dtype="int32")),
    Mutant(kind="graph", make=raises_on_groups, witness=witness_case("conv1d", BARE, channels=2, filters=2, groups=2)),
    Mutant(kind="graph", make=stale_type, witness=quantized_witness(value=3.0, zero_point=(3,))),
    Mutant(kind="graph", make=shared_pad_removed, witness=witness_case("conv1d", BARE, extra_outputs=("read",))),
    Mutant(kind="graph", make=returned_pad_removed, witness=witness_case("conv1d", BARE, extra_outputs=("returned",))),
    Mutant(kind="graph", make=input_mutated, witness=witness_case("conv1d", BARE)),
    Mutant(kind="graph", make=not_idempotent, witness=witness_case("conv1d", BARE)),
    Mutant(
        kind="graph",
        make=weight_pad_folded,
        witness=witness_case("conv1d", Axis(size=6, pad=(0, 1), kernel=2), pad=Pad(operand="weight")),
    ),
    Mutant(
        kind="graph",
        make=shared_step_rewritten,
        witness=witness_case("conv1d", BARE, steps=(Step(kind="relu"),), extra_outputs=("step",)),
    ),
    Mutant(kind="graph", make=shared_pad_refused, witness=witness_case("conv1d", BARE, extra_outputs=("returned",))),
    Mutant(kind="graph", make=identity_pad_kept, witness=witness_case("max_pool1d", Axis(size=4, kernel=2))),
    Mutant(kind="graph", make=symbolic_refused, witness=witness_case("conv1d", BARE, symbolic=("N",))),
    Mutant(
        kind="graph",
        make=identity_mirror_kept,
        witness=witness_case("conv1d", Axis(size=4, kernel=2), pad=Pad(mode="reflect")),
    ),
)
"""The mutants of this module."""
