"""Edits of what the bundled pass returns: a defect in how a pass rebuilds a module, not in what it decides.

    module --bundled pass--> folded --edit of each function that changed--> what the mutant returns

Invariant: an edit leaves the functions in which nothing folded, so that it changes its own result no more.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tvm
from tvm import ir, relax

from foldproof.fold.bindings import Bindings
from foldproof.fold.rebuild import rebuild
from foldproof.ir.base import Pass
from foldproof.mutants.patched_pass import BUNDLED, PatchedPass

Binding = Any
"""A ``relax.VarBinding`` or a ``relax.MatchCast``."""

ChangeModule = Callable[[tvm.IRModule, tvm.IRModule], tvm.IRModule]
"""A function of the folded module and the module before."""


def after_fold(change: ChangeModule) -> Pass:
    """Return the bundled pass with a change of its result."""
    return PatchedPass(base=BUNDLED, patches=(), after=change)


def edit_folded(change: Callable[[relax.Function], relax.Function]) -> Pass:
    """Change each function in which the bundled pass folds."""

    def changed(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
        return edit_functions(folded, {var: change(f) for var, f in folded_functions(folded, module)})

    return after_fold(changed)


def edit_bindings(change: Callable[[Bindings], None]) -> Pass:
    """Make edits of the bindings of each function in which the bundled pass folds."""
    return edit_folded(lambda function: edited(function, change))


def edited(function: relax.Function, change: Callable[[Bindings], None]) -> relax.Function:
    """Return a function with edits of its bindings, or the function itself if there are none."""
    body = Bindings(function, lambda _: None)
    change(body)
    return rebuild(body)


def edit_functions(module: tvm.IRModule, new: dict[ir.GlobalVar, relax.Function]) -> tvm.IRModule:
    """Return the module with other functions; the module itself if none is another one."""
    new = {var: function for var, function in new.items() if not function.same_as(module[var])}
    if not new:
        return module
    out = module.clone()
    for var, function in new.items():
        out.update_func(var, function)
    return out


def relax_functions(module: tvm.IRModule) -> list[tuple[ir.GlobalVar, relax.Function]]:
    """Return the Relax functions of a module."""
    return [(var, function) for var, function in module.functions_items() if isinstance(function, relax.Function)]


def folded_functions(folded: tvm.IRModule, module: tvm.IRModule) -> list[tuple[ir.GlobalVar, relax.Function]]:
    """Return the functions that the pass changed."""
    before = {str(var.name_hint): function for var, function in relax_functions(module)}
    return [
        (var, function)
        for var, function in relax_functions(folded)
        if (old := before.get(str(var.name_hint))) is None or not function.same_as(old)
    ]


def map_bindings(function: relax.Function, change: Callable[[Binding], list[Binding]]) -> relax.Function:
    """Return the function with the bindings that ``change`` makes of each one, also in branches and local functions."""
    body = _map_sequence(function.body, change)
    return function if body.same_as(function.body) else with_body(function, body)


def with_body(function: relax.Function, body: Any, params: Any = None, ret_ty: Any = None) -> relax.Function:
    """Return the function with another body."""
    params = function.params if params is None else params
    ret_ty = function.ret_ty if ret_ty is None else ret_ty
    return relax.Function(params, body, ret_ty, function.is_pure, function.attrs, function.span)


def _map_sequence(sequence: relax.SeqExpr, change: Callable[[Binding], list[Binding]]) -> relax.SeqExpr:
    blocks = []
    for block in sequence.blocks[:]:
        bindings = [new for old in block.bindings[:] for new in change(_map_inside(old, change))]
        kept = len(bindings) == len(block.bindings) and all(
            new.same_as(old) for new, old in zip(bindings, block.bindings[:], strict=True)
        )
        blocks.append(block if kept else type(block)(bindings, block.span))
    if all(new.same_as(old) for new, old in zip(blocks, sequence.blocks[:], strict=True)):
        return sequence
    return with_type(relax.SeqExpr([block for block in blocks if len(block.bindings)], sequence.body), sequence)


def _map_inside(binding: Binding, change: Callable[[Binding], list[Binding]]) -> Binding:
    value = binding.value
    if isinstance(value, relax.If):
        branches = [_map_sequence(branch, change) for branch in (value.true_branch, value.false_branch)]
        if all(new.same_as(old) for new, old in zip(branches, (value.true_branch, value.false_branch), strict=True)):
            return binding
        return relax.VarBinding(binding.var, with_type(relax.If(value.cond, *branches), value))
    if isinstance(value, relax.Function):
        local = map_bindings(value, change)
        return binding if local.same_as(value) else relax.VarBinding(binding.var, local)
    return binding


def with_type(new: Any, old: Any) -> Any:
    """Return a new expression with the type of an old one."""
    relax.expr._update_type(new, old.ty)
    return new


def all_bindings(sequence: relax.SeqExpr) -> Iterator[Binding]:
    """Yield all bindings, those of branches and local functions after their own."""
    for block in sequence.blocks[:]:
        for binding in block.bindings[:]:
            yield binding
            if isinstance(binding.value, relax.If):
                yield from all_bindings(binding.value.true_branch)
                yield from all_bindings(binding.value.false_branch)
            elif isinstance(binding.value, relax.Function):
                yield from all_bindings(binding.value.body)
