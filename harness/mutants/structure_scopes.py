"""Mutants of structure: dataflow blocks, branches, casts, effects, and local functions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax

from foldproof.case import Step
from foldproof.case.adoption import PADDED, RESULT
from foldproof.case.graph import Function
from foldproof.fold import Folded, moves, rebuild, rewrite
from foldproof.fold import bindings as bindings_
from foldproof.fold.bindings import Bindings
from foldproof.fold.effects import Effects
from foldproof.fold.paths import Path
from foldproof.fold.reader import CONSUMERS, op_name
from foldproof.fold.rewrite import Folding
from foldproof.fold.varmap import VarMap
from foldproof.ir.base import Pass
from foldproof.mutants.edits import (
    Binding,
    all_bindings,
    edit_bindings,
    edit_folded,
    map_bindings,
    relax_functions,
    with_body,
    with_type,
)
from foldproof.mutants.mutant import STEP, C, Mutant, graph_witness, linked_witness, site_witness
from foldproof.mutants.operators import patch_pass
from foldproof.mutants.patched_pass import BUNDLED

# --- dataflow blocks ----------------------------------------------------------------------------------


def block_scopes_ignored() -> Pass:
    """The pass reads a dataflow variable outside of its block."""
    return patch_pass(Bindings, visible=lambda body, expr, user: True)


def moved_steps_bound_in_their_block() -> Pass:
    """A step that the pass moves becomes a dataflow variable, though its reader is in no dataflow block."""

    def bind(bindings: Bindings, key: Any, value: ir.Call, like: relax.Var, reader: relax.Var, moved: Any) -> relax.Var:
        key = (*key, True)
        if key not in moved:
            local = isinstance(bindings.home[like], relax.DataflowBlock)
            moved[key] = (relax.DataflowVar if local else relax.Var)(like.name, value.ty)
            bindings.add(moved[key], value, after=like)
        var: relax.Var = moved[key]
        return var

    return patch_pass(moves, _bind=bind)


def aliases_not_followed() -> Pass:
    """The pass takes an alias for a value that it does not know."""
    return patch_pass(Bindings, alias=lambda body, expr: expr)


# --- casts --------------------------------------------------------------------------------------------


def casts_lost() -> Pass:
    """A function that changes loses every match_cast, with the lengths that it binds."""

    def changed(body: Bindings) -> None:
        for binding in all_bindings(body.function.body):
            if isinstance(binding, relax.MatchCast) and isinstance(binding.value, relax.Var):
                body.aliases[binding.var] = binding.value

    return edit_bindings(changed)


def casts_taken_for_aliases() -> Pass:
    """The pass takes a match_cast to another type for an alias, and compares no lengths."""
    fold = patch_pass(bindings_, _keeps_type=lambda binding: True)
    return patch_pass(rewrite, _refuse_by_type=lambda *_: None, fold=fold)


# --- effects ------------------------------------------------------------------------------------------


def writes_ignored() -> Pass:
    """The pass folds across calls that write into the data of the pad."""
    return patch_pass(Effects, __call__=lambda effects, function: None)


def writes_of_callees_ignored() -> Pass:
    """The pass takes a call of a function of the module for one that writes nothing."""

    def summary(effects: Effects, callee: ir.GlobalVar, parameters: int) -> Any:
        return replace(_summary(effects, callee, parameters), written=frozenset())

    _summary = Effects.summary
    return patch_pass(Effects, summary=summary)


def _is_impure(binding: Binding) -> bool:
    return isinstance(binding.value, ir.Call) and isinstance(binding.value.op, relax.ExternFunc)


def impure_calls_removed() -> Pass:
    """A function that changes loses the calls whose result nothing reads, also those that are not pure."""

    def changed(body: Bindings) -> None:
        for binding in all_bindings(body.function.body):
            if _is_impure(binding) and not body.users(binding.var):
                body.dead[binding.var] = True

    return edit_bindings(changed)


def impure_calls_repeated() -> Pass:
    """A function that changes has every call of a packed function twice."""

    def twice(binding: Binding) -> list[Binding]:
        if not _is_impure(binding):
            return [binding]
        return [binding, relax.VarBinding(relax.Var("again", binding.var.ty), binding.value)]

    return edit_folded(lambda function: map_bindings(function, twice))


def impure_calls_moved_into_a_block() -> Pass:
    """A function that changes has its impure calls at the end of the dataflow block before them."""

    def moved(function: relax.Function) -> relax.Function:
        blocks: list[Any] = []
        for block in function.body.blocks[:]:
            impure = [binding for binding in block.bindings if _is_impure(binding)]
            if impure and blocks and isinstance(blocks[-1], relax.DataflowBlock):
                blocks[-1] = relax.DataflowBlock([*blocks[-1].bindings, *impure])
                block = relax.BindingBlock([binding for binding in block.bindings if not _is_impure(binding)])
            blocks.append(block)
        kept = [block for block in blocks if len(block.bindings)]
        return with_body(function, with_type(relax.SeqExpr(kept, function.body.body), function.body))

    return edit_folded(moved)


# --- branches and local functions ---------------------------------------------------------------------


def _false_branches(body: Bindings) -> Iterator[relax.SeqExpr]:
    return (b.value.false_branch for b in all_bindings(body.function.body) if isinstance(b.value, relax.If))


def _is_in_false_branch(body: Bindings, var: relax.Var) -> bool:
    home = body.home[var]
    return any(block.same_as(home) for branch in _false_branches(body) for block in branch.blocks)


def false_branches_forgotten() -> Pass:
    """The pass folds nothing in the false branch of an If."""

    def find(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
        return None if _is_in_false_branch(bindings, consumer) else _find(folding, bindings, consumer)

    _find = rewrite._find_fold
    return patch_pass(rewrite, _find_fold=find)


def pad_removed_for_both_branches() -> Pass:
    """The pass folds a pad into the consumer of the true branch, and removes it for both branches."""

    def moved(bindings: Bindings, path: Path, outcome: Folded, consumer: relax.Var, memo: Any) -> Any:
        others = [user for user, _ in bindings.users(path.pad) if user is not None and not user.same_as(consumer)]
        if any(_is_in_false_branch(bindings, user) for user in others):
            bindings.aliases[path.pad] = bindings.source(path.pad)
        return _move(bindings, path, outcome, consumer, memo)

    _move = moves.move_operand
    return patch_pass(moves, move_operand=moved, fold=false_branches_forgotten())


def true_branch_for_both() -> Pass:
    """An If whose true branch changes gets a copy of it as its false branch."""

    def substitute(rebuilding: Any, value: Any) -> Any:
        new = _substitute(rebuilding, value)
        if not isinstance(value, relax.If) or new.true_branch.same_as(value.true_branch):
            return new
        return rebuild._copy_type(relax.If(new.cond, new.true_branch, _copy(new.true_branch)), value)

    _substitute = rebuild._Rebuild._substitute
    return patch_pass(rebuild._Rebuild, _substitute=substitute)


def _copy(branch: relax.SeqExpr) -> relax.SeqExpr:
    """Return a branch with variables of its own."""
    alone = relax.Function(relax.analysis.free_vars(branch), branch, None, True)
    copied = relax.utils.copy_with_new_vars(alone)
    body = Bindings(copied, lambda _: None)
    for new, old in zip(copied.params, alone.params, strict=True):
        body.aliases[new] = old
    sequence: relax.SeqExpr = rebuild.rebuild(body).body
    return sequence


def local_functions_left() -> Pass:
    """The pass folds nothing in local functions."""

    def note(body: Bindings, binding: Any) -> None:
        if not isinstance(binding.value, relax.Function):
            _note(body, binding)

    _note = Bindings._note
    return patch_pass(Bindings, _note=note)


def symbolic_bound_taken_for_a_number() -> Pass:
    """The pass reads the bounds of a clip as numbers, and raises an exception if one is symbolic."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        for _, function in relax_functions(mod):
            for binding in all_bindings(function.body):
                if op_name(binding.value) == "relax.clip":
                    for bound in binding.value.args[1:]:
                        float(getattr(bound, "value", bound).value)
        return BUNDLED(mod)

    return fold


# --- tuples -----------------------------------------------------------------------------------------------


def _equal(a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b))


def tuple_elements_mixed_up() -> Pass:
    """In a function that changes, an element of a tuple is read as the first one of its type."""

    def first(binding: Binding) -> list[Binding]:
        value = binding.value
        if not isinstance(value, relax.TupleGetItem):
            return [binding]
        types = value.tuple_value.ty.fields
        index = next(number for number, ty in enumerate(types) if _equal(ty, types[value.index]))
        if index == value.index:
            return [binding]
        return [relax.VarBinding(binding.var, relax.TupleGetItem(value.tuple_value, index))]

    return edit_folded(lambda function: map_bindings(function, first))


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

_SHOWN = replace(C, producers=(Step(kind="negative"),))
"""A convolution whose data before the pad is a dataflow variable."""

_WRITTEN = site_witness(_SHOWN, written="data")

_CONSTANT = replace(C, constant_weight=True)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="structure: scopes",
        make=block_scopes_ignored,
        witness=graph_witness(_SHOWN, linked_witness(C, _SHOWN, PADDED, place="past call")),
    ),
    Mutant(
        kind="structure: scopes",
        make=moved_steps_bound_in_their_block,
        witness=graph_witness(site_witness(STEP, place="behind")),
    ),
    Mutant(
        kind="structure: scopes", make=aliases_not_followed, witness=graph_witness(site_witness(C, carrier="alias"))
    ),
    Mutant(
        kind="structure: scopes",
        make=casts_lost,
        witness=graph_witness(C, site_witness(C, carrier="match_symbols")),
    ),
    Mutant(
        kind="structure: scopes",
        make=casts_taken_for_aliases,
        witness=graph_witness(site_witness(C, carrier="match_symbols")),
    ),
    Mutant(kind="structure: effects", make=writes_ignored, witness=graph_witness(_WRITTEN)),
    Mutant(
        kind="structure: effects",
        make=writes_of_callees_ignored,
        witness=graph_witness(site_witness(_SHOWN, written="callee")),
    ),
    Mutant(
        kind="structure: effects",
        make=impure_calls_removed,
        witness=graph_witness(site_witness(C, place="past call"), C),
    ),
    Mutant(
        kind="structure: effects",
        make=impure_calls_repeated,
        witness=graph_witness(site_witness(C, place="past call"), C),
    ),
    Mutant(
        kind="structure: effects",
        make=impure_calls_moved_into_a_block,
        witness=graph_witness(site_witness(C, place="past call"), C),
    ),
    Mutant(
        kind="structure: scopes",
        make=false_branches_forgotten,
        witness=graph_witness(site_witness(C, place="branches")),
    ),
    Mutant(
        kind="structure: scopes",
        make=pad_removed_for_both_branches,
        witness=graph_witness(site_witness(C, place="branches")),
    ),
    Mutant(
        kind="structure: scopes", make=true_branch_for_both, witness=graph_witness(site_witness(C, place="branches"))
    ),
    Mutant(kind="structure: scopes", make=local_functions_left, witness=graph_witness(site_witness(C, place="local"))),
    Mutant(
        kind="structure: scopes",
        make=symbolic_bound_taken_for_a_number,
        witness=graph_witness(site_witness(replace(C, symbolic=("N",)), carrier="symbolic clip")),
    ),
    Mutant(
        kind="structure: scopes",
        make=tuple_elements_mixed_up,
        witness=graph_witness(
            C, site_witness(C, function=1), site_witness(replace(C, seed=1), function=1), functions=(Function(),)
        ),
    ),
    Mutant(
        kind="structure: scopes",
        make=consumers_bound_right_after_their_data,
        witness=graph_witness(
            _CONSTANT, linked_witness(replace(_CONSTANT, seed=1), _CONSTANT, RESULT), bound_constants=True
        ),
    ),
)
"""The mutants of this module."""
