"""Mutants of structure: the functions of a module, their names, attributes, parameters and results."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.case import Pad
from foldproof.case.graph import Function, Graph
from foldproof.fold import fold as fold_
from foldproof.fold.bindings import Bindings
from foldproof.fold.pad_kernels import PadKernels
from foldproof.fold.reader import PAD, STEPS, op_name
from foldproof.fold.rebuild import rebuild
from foldproof.ir.base import Pass
from foldproof.ir.relax.build import MAIN
from foldproof.mutants.edits import (
    Binding,
    after_fold,
    edit_folded,
    edit_functions,
    folded_functions,
    map_bindings,
    relax_functions,
    with_body,
    with_type,
)
from foldproof.mutants.mutant import OTHER, STEP, C, Mutant, graph_witness, site_witness
from foldproof.mutants.operators import patch_pass

# --- which functions ----------------------------------------------------------------------------------


def fold_only(chosen: Callable[[ir.GlobalVar, relax.Function], bool]) -> Pass:
    """Return a pass that folds in the chosen functions only."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        before = dict(relax_functions(module))
        return edit_functions(
            module, {var: function for var, function in folded_functions(folded, module) if chosen(var, before[var])}
        )

    return after_fold(changed)


def only_main_folded() -> Pass:
    """The pass folds in the entry function only."""
    return fold_only(lambda var, function: var.name_hint == MAIN)


def only_private_functions_folded() -> Pass:
    """The pass folds in private functions only."""
    return fold_only(lambda var, function: "global_symbol" not in (function.attrs or {}))


def composite_functions_left() -> Pass:
    """The pass leaves functions with an attribute of their own."""
    return fold_only(lambda var, function: "Composite" not in (function.attrs or {}))


def kernel_deleted_while_called() -> Pass:
    """The pass deletes the PrimFunc of a pad that only another function than the entry function calls now."""

    def removed(mod: tvm.IRModule, pads: PadKernels) -> tvm.IRModule:
        called: list[Any] = []
        tvm_ffi.structural_walk(mod[MAIN], (ir.GlobalVar, called.append))
        for var, function in list(mod.functions_items()):
            if isinstance(function, tirx.PrimFunc) and var in pads.read and var not in called:
                del mod[var]
        return mod

    return patch_pass(fold_, remove_unused=removed)


# --- names, attributes, parameters --------------------------------------------------------------------


def function_attributes_lost() -> Pass:
    """A private function that changes loses its attributes."""

    def bare(function: relax.Function) -> relax.Function:
        if function.attrs is None or "global_symbol" in function.attrs:
            return function
        return relax.Function(function.params, function.body, function.ret_ty, function.is_pure)

    return edit_folded(bare)


def private_functions_made_public() -> Pass:
    """A private function that changes becomes public."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        new = {
            var: function.with_attr("global_symbol", var.name_hint)
            for var, function in folded_functions(folded, module)
            if "global_symbol" not in (function.attrs or {})
        }
        return edit_functions(folded, new)

    return after_fold(changed)


def function_renamed_without_its_callers() -> Pass:
    """A private function that changes gets another name, and its callers call the old one."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        out = folded.clone()
        for var, function in folded_functions(folded, module):
            if var.name_hint != MAIN and "global_symbol" not in (function.attrs or {}):
                del out[var]
                out[ir.GlobalVar(f"{var.name_hint}_folded")] = function
        return out

    return after_fold(changed)


def parameter_names_lost() -> Pass:
    """A function that changes gets parameters of other names."""

    def renamed(function: relax.Function) -> relax.Function:
        params = [relax.Var(f"arg{number}", param.ty) for number, param in enumerate(function.params)]
        body = Bindings(function, lambda _: None)
        for old, new in zip(function.params, params, strict=True):
            body.aliases[old] = new
        return with_body(function, rebuild(body).body, params)

    return edit_folded(renamed)


def functions_rebuilt_without_change() -> Pass:
    """The pass builds every function anew, also those in which nothing folds."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        return edit_functions(folded, {var: with_body(f, f.body) for var, f in relax_functions(folded)})

    return after_fold(changed)


def pad_moved_out_of_its_function() -> Pass:
    """A pad of a parameter that stays in a private function is left to the callers, which do not pad."""

    def outside(function: relax.Function) -> relax.Function:
        body = Bindings(function, lambda _: None)
        if "global_symbol" in (function.attrs or {}):
            return function
        for pad in body.pads:
            place = next((i for i, p in enumerate(function.params) if p.same_as(body.source(pad))), None)
            if place is not None and len(body.users(function.params[place])) == 1:
                params = list(function.params)
                params[place] = relax.Var(params[place].name, pad.ty)
                body.aliases[pad] = params[place]
                return with_body(function, rebuild(body).body, params)
        return function

    return edit_folded(outside)


# --- bindings and results -----------------------------------------------------------------------------


def _repeat(names: Callable[[str], bool]) -> Pass:
    def twice(binding: Binding) -> list[Binding]:
        if not names(op_name(binding.value)):
            return [binding]
        return [binding, relax.VarBinding(type(binding.var)("again", binding.var.ty), binding.value)]

    return edit_folded(lambda function: map_bindings(function, twice))


def pads_repeated() -> Pass:
    """A function that changes has every pad that stays twice."""
    return _repeat(lambda name: name == PAD)


def steps_repeated() -> Pass:
    """A function that changes has every step twice."""
    return _repeat(lambda name: name in STEPS)


def nested_outputs_flattened() -> Pass:
    """A function that changes returns one tuple instead of a tuple of tuples."""

    def flattened(function: relax.Function) -> relax.Function:
        made: list[relax.Var] = []

        def flat(binding: Binding) -> list[Binding]:
            value = binding.value
            nested = isinstance(value, relax.Tuple) and all(isinstance(field, relax.Tuple) for field in value.fields)
            if not nested or not binding.var.same_as(function.body.body):
                return [binding]
            fields = relax.Tuple([part for field in value.fields for part in field.fields])
            made.append(type(binding.var)(binding.var.name, fields.ty))
            return [relax.VarBinding(made[0], fields)]

        body = map_bindings(function, flat).body
        if not made:
            return function
        return with_body(function, with_type(relax.SeqExpr(body.blocks, made[0]), made[0]), ret_ty=made[0].ty)

    return edit_folded(flattened)


def functions_of_one_type_merged() -> Pass:
    """Of the private functions that change, those of one type become the first of them, whatever they compute."""

    def merged(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        first: list[tuple[ir.GlobalVar, relax.Function]] = []
        chosen: dict[ir.GlobalVar, ir.GlobalVar] = {}
        for var, function in folded_functions(folded, module):
            if "global_symbol" not in (function.attrs or {}):
                known = next((name for name, one in first if _are_alike(one, function)), None)
                if known is None:
                    first.append((var, function))
                else:
                    chosen[var] = known

        def redirect(binding: Binding) -> list[Binding]:
            call = binding.value
            if not isinstance(call, ir.Call) or not isinstance(call.op, ir.GlobalVar) or call.op not in chosen:
                return [binding]
            new = ir.Call(chosen[call.op], call.args, call.attrs, call.ty_args, call.span, call.ty)
            return [relax.VarBinding(binding.var, new)]

        out = edit_functions(folded, {var: map_bindings(one, redirect) for var, one in relax_functions(folded)})
        for var in chosen:
            del out[var]
        return out

    return after_fold(merged)


def _are_alike(a: relax.Function, b: relax.Function) -> bool:
    return bool(tvm_ffi.structural_equal(a.ty, b.ty)) and bool(tvm_ffi.structural_equal(a.attrs, b.attrs))


# --- the table ----------------------------------------------------------------------------------------

_KERNEL = replace(C, pad=Pad(form="call_tir"))
_BOTH = graph_witness(C, site_witness(C, function=1), functions=(Function(),))
"""A graph with a fold in the entry function, and one in a private function."""

_ONES = replace(C, pad=Pad(value=1.0))
"""A convolution whose pad stays."""

_KEPT = graph_witness(C, site_witness(_ONES, function=1), functions=(Function(),))
"""A graph with a function in which nothing folds."""


def _with_function(**fields: Any) -> Graph:
    return replace(_BOTH, functions=(Function(**fields),))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="structure: functions", make=only_main_folded, witness=_BOTH),
    Mutant(kind="structure: functions", make=only_private_functions_folded, witness=_BOTH),
    Mutant(kind="structure: functions", make=composite_functions_left, witness=_with_function(composite=True)),
    Mutant(
        kind="structure: functions",
        make=kernel_deleted_while_called,
        witness=graph_witness(
            _KERNEL,
            site_witness(replace(_KERNEL, op="max_pool1d"), function=1),
            functions=(Function(),),
        ),
    ),
    Mutant(kind="structure: functions", make=function_attributes_lost, witness=_with_function(composite=True)),
    Mutant(kind="structure: functions", make=private_functions_made_public, witness=_BOTH),
    Mutant(kind="structure: functions", make=function_renamed_without_its_callers, witness=_BOTH),
    Mutant(kind="structure: functions", make=parameter_names_lost, witness=_BOTH),
    Mutant(kind="structure: functions", make=functions_rebuilt_without_change, witness=_KEPT),
    Mutant(
        kind="structure: functions",
        make=pads_repeated,
        witness=graph_witness(C, _ONES, _ONES),
    ),
    Mutant(kind="structure: functions", make=steps_repeated, witness=graph_witness(STEP)),
    Mutant(
        kind="structure: functions", make=nested_outputs_flattened, witness=graph_witness(C, C, nested_outputs=True)
    ),
    Mutant(
        kind="structure: functions",
        make=pad_moved_out_of_its_function,
        witness=graph_witness(site_witness(C, function=1), site_witness(_ONES, function=1), functions=(Function(),)),
    ),
    Mutant(
        kind="structure: functions",
        make=functions_of_one_type_merged,
        witness=graph_witness(
            site_witness(C, function=1), site_witness(OTHER, function=2), functions=(Function(), Function())
        ),
    ),
)
"""The mutants of this module."""
