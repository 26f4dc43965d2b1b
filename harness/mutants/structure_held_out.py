"""Six mutants of structure that were written last, before their author read ``strategies/graphs.py``.

Invariant: nothing is ever tuned to them, so that they show the effect of tuning.
"""

from dataclasses import replace
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax

from foldproof.case import Pad, Step
from foldproof.case.graph import Function
from foldproof.fold import rebuild
from foldproof.fold.bindings import Bindings
from foldproof.fold.effects import FunctionEffects
from foldproof.ir.base import Pass
from foldproof.ir.relax.build import MAIN
from foldproof.mutants.edits import (
    Binding,
    after_fold,
    edit_folded,
    folded_functions,
    map_bindings,
    relax_functions,
)
from foldproof.mutants.mutant import STEP, C, Mutant, graph_witness, site_witness
from foldproof.mutants.operators import patch_pass


def _equal(a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b))


def branches_swapped() -> Pass:
    """An If of which a branch changes gets its branches in the wrong order."""

    def substitute(rebuilding: Any, value: Any) -> Any:
        new = _substitute(rebuilding, value)
        if not isinstance(value, relax.If) or new.same_as(value):
            return new
        return rebuild._copy_type(relax.If(new.cond, new.false_branch, new.true_branch), value)

    _substitute = rebuild._Rebuild._substitute
    return patch_pass(rebuild._Rebuild, _substitute=substitute)


def true_branch_taken_for_the_value() -> Pass:
    """The pass takes an If whose true branch makes a pad for that pad."""

    def note(body: Bindings, binding: Any) -> None:
        _note(body, binding)
        value = binding.value
        made = body.alias(value.true_branch.body) if isinstance(value, relax.If) else None
        pad = body.pad(made) if made is not None else None
        if pad is not None:
            body._facts[binding.var] = pad
            body._sources[binding.var] = body.source(made)
            body.pads.append(binding.var)
            body._padded[binding.var] = True

    _note = Bindings._note
    return patch_pass(Bindings, _note=note)


def outputs_in_another_order() -> Pass:
    """A function that changes returns the elements of its tuple in reverse order, if their types allow it."""

    def reverse(function: relax.Function) -> relax.Function:
        def reversed_(binding: Binding) -> list[Binding]:
            if not binding.var.same_as(function.body.body) or not isinstance(binding.value, relax.Tuple):
                return [binding]
            new = relax.Tuple(list(binding.value.fields)[::-1])
            return [relax.VarBinding(binding.var, new)] if _equal(new.ty, binding.var.ty) else [binding]

        return map_bindings(function, reversed_)

    return edit_folded(reverse)


def moved_steps_bound_at_the_end() -> Pass:
    """A step that the pass moves is bound at the end of its block, where the consumer is bound already."""

    def add(body: Bindings, var: relax.Var, value: ir.Call, *, after: relax.Var) -> None:
        last = body.home[after].bindings[-1].var
        _add(body, var, value, after=last)

    _add = Bindings.add
    return patch_pass(Bindings, add=add)


def unchanged_functions_lost() -> Pass:
    """The module that the pass returns has no functions in which nothing folds, but the entry function."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        kept = {str(var.name_hint) for var, _ in folded_functions(folded, module)}
        lost = [var for var, _ in relax_functions(folded) if kept and str(var.name_hint) not in {*kept, MAIN}]
        out = folded.clone() if lost else folded
        for var in lost:
            del out[var]
        return out

    return after_fold(changed)


def writes_before_the_pad_alone() -> Pass:
    """The pass looks for calls that write before the pad, not for those after it."""

    def writer(effects: FunctionEffects, expr: Any, since: int = -1) -> str | None:
        found = _writer_of(effects, expr)
        return found if not found or since < 0 or not _writer_of(effects, expr, since) else ""

    _writer_of = FunctionEffects.writer_of
    return patch_pass(FunctionEffects, writer_of=writer)


# --- the table ----------------------------------------------------------------------------------------

_OTHER_DATA = replace(C, seed=1)
_ONES = site_witness(replace(C, pad=Pad(value=1.0)), function=1)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=branches_swapped,
        witness=graph_witness(site_witness(C, place="branch")),
    ),
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=true_branch_taken_for_the_value,
        witness=graph_witness(site_witness(C, place="padded branch")),
    ),
    Mutant(
        held_out=True,
        kind="structure: functions",
        make=outputs_in_another_order,
        witness=graph_witness(C, _OTHER_DATA),
    ),
    Mutant(
        held_out=True,
        kind="structure: scopes",
        make=moved_steps_bound_at_the_end,
        witness=graph_witness(STEP),
    ),
    Mutant(
        held_out=True,
        kind="structure: functions",
        make=unchanged_functions_lost,
        witness=graph_witness(C, _ONES, functions=(Function(),)),
    ),
    Mutant(
        held_out=True,
        kind="structure: effects",
        make=writes_before_the_pad_alone,
        witness=graph_witness(site_witness(replace(C, producers=(Step(kind="negative"),)), written="data")),
    ),
)
"""The mutants of this module."""
