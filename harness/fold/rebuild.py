"""Rebuild a function with the edits of its bindings. Every binding, block and branch that did not change is kept."""

from collections.abc import Iterator
from typing import Any

from tvm import ir, relax
from tvm.relax.expr import _update_type

from foldproof.fold.bindings import Bindings


def rebuild(bindings: Bindings) -> relax.Function:
    """Return the function with all edits made, or the function itself if there are none."""
    if not (bindings.replaced or bindings.dead or bindings.aliases):
        return bindings.function
    return _replace_body(bindings.function, _Rebuild(bindings)._sequence(bindings.function.body))


class _Rebuild:
    """One walk over a function, which substitutes what was replaced."""

    def __init__(self, bindings: Bindings) -> None:
        self.bindings = bindings

    def _sequence(self, sequence: relax.SeqExpr) -> relax.SeqExpr:
        blocks = [self._block(block) for block in sequence.blocks[:]]
        result = self._substitute(sequence.body)
        if _same(result, sequence.body) and all(map(_same, blocks, sequence.blocks)):
            return sequence
        new = relax.SeqExpr([block for block in blocks if len(block.bindings) > 0], result, sequence.span)
        _update_type(new, sequence.ty)
        return new

    def _block(self, block: relax.BindingBlock) -> relax.BindingBlock:
        bindings = [new for old in block.bindings[:] for new in self._binding(old)]
        if len(bindings) == len(block.bindings) and all(map(_same, bindings, block.bindings[:])):
            return block
        return type(block)(bindings, block.span)

    def _binding(self, binding: Any) -> Iterator[Any]:
        var = binding.var
        for new in self.bindings.preceding.get(var, ()):
            yield from self._binding(new)
        if var not in self.bindings.dead and not self._is_substituted(var):
            old = binding.value
            value = (
                self._target(var)
                if var in self.bindings.aliases
                else self._substitute(self.bindings.replaced.get(var, old))
            )
            yield binding if _same(value, old) else _rebind(binding, value)
        for new in self.bindings.inserted.get(var, ()):
            yield from self._binding(new)

    def _is_substituted(self, var: relax.Var) -> bool:
        """Return whether an alias is written instead of ``var`` everywhere.

        If ``var`` leaves its dataflow block and its target cannot, ``var`` stays and is bound to the target.
        """
        if var not in self.bindings.aliases:
            return False
        return isinstance(var, relax.DataflowVar) or not isinstance(self._target(var), relax.DataflowVar)

    def _target(self, expr: Any) -> Any:
        while isinstance(expr, relax.Var) and expr in self.bindings.aliases:
            expr = self.bindings.aliases[expr]
        return expr

    def _substitute(self, value: Any) -> Any:
        """Return ``value`` with aliases substituted, types and spans kept; the very same object if nothing changes."""
        if isinstance(value, ir.Call):  # first, since most are
            if not self.bindings.aliases:
                return value
            args = [self._substitute(arg) for arg in value.args]
            kept = all(map(_same, args, value.args))
            return value if kept else ir.Call(value.op, args, value.attrs, value.ty_args, value.span, value.ty)
        if isinstance(value, relax.Var):
            return self._target(value) if self._is_substituted(value) else value
        if isinstance(value, relax.Function):
            body = self._sequence(value.body)
            return value if body.same_as(value.body) else _replace_body(value, body)
        if isinstance(value, relax.If):
            parts = self._substitute(value.cond), self._sequence(value.true_branch), self._sequence(value.false_branch)
            kept = all(map(_same, parts, (value.cond, value.true_branch, value.false_branch)))
            return value if kept else _copy_type(relax.If(*parts, value.span), value)
        if not self.bindings.aliases:
            return value
        if isinstance(value, relax.Tuple):
            fields = [self._substitute(field) for field in value.fields]
            return value if all(map(_same, fields, value.fields)) else relax.Tuple(fields, value.span)
        if isinstance(value, relax.TupleGetItem):
            source = self._substitute(value.tuple_value)
            return value if _same(source, value.tuple_value) else relax.TupleGetItem(source, value.index, value.span)
        return value


def _rebind(binding: Any, value: Any) -> Any:
    if isinstance(binding, relax.MatchCast):
        return relax.MatchCast(binding.var, value, binding.ty, binding.span)
    return relax.VarBinding(binding.var, value, binding.span)


def _copy_type(new: Any, old: Any) -> Any:
    _update_type(new, old.ty)
    return new


def _same(new: Any, old: Any) -> bool:
    return bool(new.same_as(old))


def _replace_body(function: relax.Function, body: Any) -> relax.Function:
    return relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs, function.span)
