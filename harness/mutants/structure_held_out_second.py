"""Four mutants of structure written in place of those that became known kinds.

Invariant: nothing is ever tuned to them, so that they show the effect of tuning. Their author did not read
``strategies``.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import tvm
import tvm_ffi
from tvm import ir, relax

from foldproof.case.adoption import RESULT
from foldproof.case.graph import Function
from foldproof.fold import Folded, paths, rewrite
from foldproof.fold.bindings import Bindings
from foldproof.fold.paths import Path
from foldproof.fold.reader import CONSUMERS, op_name
from foldproof.fold.rewrite import Folding
from foldproof.fold.varmap import VarMap
from foldproof.ir.base import Pass
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
from foldproof.mutants.mutant import OTHER, POOL, C, Mutant, graph_witness, linked_witness, site_witness
from foldproof.mutants.operators import patch_pass


def rest_left_after_a_refusal() -> Pass:
    """The pass leaves the rest of a function after the first consumer whose pad it refuses."""
    met: WeakKeyDictionary[Bindings, VarMap[bool]] = WeakKeyDictionary()  # each consumer, and whether it folded

    def find(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
        known = met.setdefault(bindings, VarMap())
        if not all(folded for _, folded in known.items()):
            return None
        found = _find(folding, bindings, consumer)
        padded = next(paths.find_paths(bindings, bindings.values[consumer].args[0]), None) is not None
        if padded and consumer not in known:  # the search goes on after a fold until nothing more folds
            known[consumer] = found is not None
        return found

    _find = rewrite._find_fold
    return patch_pass(rewrite, _find_fold=find)


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


def functions_become_pure() -> Pass:
    """A function that changes is said to be pure, also if it calls what is not pure."""

    def pure(function: relax.Function) -> relax.Function:
        if function.is_pure:
            return function
        return relax.Function(function.params, function.body, function.ret_ty, True, function.attrs, function.span)

    return edit_folded(pure)


def consumers_bound_right_after_their_data() -> Pass:
    """In a function that changes, a consumer is bound right after its data, where its weight may not be bound yet."""

    def ordered(function: relax.Function) -> relax.Function:
        blocks = [_order(block) for block in function.body.blocks[:]]
        return with_body(function, with_type(relax.SeqExpr(blocks, function.body.body), function.body))

    return edit_folded(ordered)


def _order(block: relax.BindingBlock) -> relax.BindingBlock:
    """Return the block with each consumer right after its data, if that is bound in the block, too."""
    readers: VarMap[list[Binding]] = VarMap()  # of each variable of the block, as far as it was walked
    rest: list[Binding] = []
    for binding in block.bindings[:]:
        data = binding.value.args[0] if op_name(binding.value) in CONSUMERS else None
        (readers[data] if data is not None and data in readers else rest).append(binding)
        readers[binding.var] = []

    def with_readers(binding: Binding) -> Iterator[Any]:
        yield binding
        for reader in readers[binding.var]:
            yield from with_readers(reader)

    return type(block)([each for binding in rest for each in with_readers(binding)], block.span)


# --- the table ----------------------------------------------------------------------------------------

_CONSTANT = replace(C, constant_weight=True)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(held_out=True, kind="structure: memo", make=rest_left_after_a_refusal, witness=graph_witness(POOL, C)),
    Mutant(
        held_out=True,
        kind="structure: functions",
        make=functions_of_one_type_merged,
        witness=graph_witness(
            site_witness(C, function=1), site_witness(OTHER, function=2), functions=(Function(), Function())
        ),
    ),
    Mutant(
        held_out=True,
        kind="structure: effects",
        make=functions_become_pure,
        witness=graph_witness(site_witness(C, place="past call"), C),
    ),
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=consumers_bound_right_after_their_data,
        witness=graph_witness(
            _CONSTANT, linked_witness(replace(_CONSTANT, seed=1), _CONSTANT, RESULT), bound_constants=True
        ),
    ),
)
"""The mutants of this module."""
