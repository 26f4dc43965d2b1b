"""Three more mutants of structure, by two authors, written after those of ``structure_held_out_second``.

Invariant: nothing is ever tuned to them, so that they show the effect of tuning. Their authors did not read
``strategies``.
"""

from typing import Any

import tvm
from tvm import ir, relax

from foldproof.case.graph import Function
from foldproof.fold import moves
from foldproof.fold.bindings import Bindings
from foldproof.ir.base import Pass
from foldproof.mutants.edits import (
    Binding,
    after_fold,
    all_bindings,
    edit_folded,
    relax_functions,
    with_body,
    with_type,
)
from foldproof.mutants.mutant import STEP, C, Mutant, graph_witness, site_witness
from foldproof.mutants.operators import patch_pass


def functions_called_by_private_functions_lost() -> Pass:
    """A module that changes loses its private functions that no public one calls, though private ones may call them."""

    def without_unused(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        if folded.same_as(module):
            return folded
        functions = relax_functions(folded)
        public = [function for _, function in functions if "global_symbol" in (function.attrs or {})]
        calls = (binding.value for function in public for binding in all_bindings(function.body))
        called = {call.op for call in calls if isinstance(call, ir.Call) and isinstance(call.op, ir.GlobalVar)}
        out = folded.clone()
        for var, function in functions:
            if "global_symbol" not in (function.attrs or {}) and var not in called:
                del out[var]
        return out

    return after_fold(without_unused)


def moved_steps_bound_before_their_first_reader() -> Pass:
    """A step that the pass moves is bound right before its first reader, though another branch may read it, too."""

    def bind(bindings: Bindings, key: Any, value: ir.Call, like: relax.Var, reader: relax.Var, moved: Any) -> relax.Var:
        if key not in moved:
            moved[key] = relax.Var(like.name, value.ty)  # no dataflow variable: only branches hide it
            bindings._add(moved[key], value, reader, -0.5)
            bindings.preceding.setdefault(reader, []).append(relax.VarBinding(moved[key], value, value.span))
        var: relax.Var = moved[key]
        return var

    return patch_pass(moves, _bind=bind)


def plain_blocks_become_dataflow() -> Pass:
    """In a function that changes, a block without impure calls becomes a dataflow block, also if it has an If."""

    def converted(function: relax.Function) -> relax.Function:
        blocks = [
            block
            if isinstance(block, relax.DataflowBlock) or any(map(_is_impure, block.bindings))
            else relax.DataflowBlock(block.bindings, block.span)
            for block in function.body.blocks[:]
        ]
        return with_body(function, with_type(relax.SeqExpr(blocks, function.body.body), function.body))

    return edit_folded(converted)


def _is_impure(binding: Binding) -> bool:
    call = binding.value
    if not isinstance(call, ir.Call):
        return False
    if isinstance(call.op, ir.Op):
        return not call.op.get_attr("FPurity")
    return not getattr(call.op.ty, "purity", False)


# --- the table ----------------------------------------------------------------------------------------

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        held_out=True,
        kind="structure: functions",
        make=functions_called_by_private_functions_lost,
        witness=graph_witness(site_witness(C, function=2), functions=(Function(), Function(caller=1))),
    ),
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=moved_steps_bound_before_their_first_reader,
        witness=graph_witness(site_witness(STEP, place="branches")),
    ),
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=plain_blocks_become_dataflow,
        witness=graph_witness(site_witness(C, place="branch")),
    ),
)
"""The mutants of this module."""
