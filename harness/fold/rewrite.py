"""Fold the pads of one Relax function. The rules decide; this module only moves IR.

    lv = nn.pad(x)             lv1 = conv2d(x, w, padding=own + widths)
    lv1 = conv2d(lv, w)   ->

A folded consumer keeps its variable, so whatever uses it, its type and its name stay as they are. A binding goes
when the fold took its last use; every other binding, block and branch that nothing changed in is kept as it is.
One walk collects, one rebuilds: time is linear in the number of bindings.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tvm import ir, relax
from tvm.relax.expr import _update_type

from harness.fold.facts import Folded, Outcome, Refused
from harness.fold.rules import decide
from harness.fold.site import CONSUMERS, DEQUANTIZE, PAD, op_name, read_consumer, read_pad, read_site

RETURN = "return"

Use = tuple[relax.Var | None, int]
"""Who reads a variable, and as which operand; None is the function's result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one site: a pad (its variable) and one of its consumers (its op, and its variable)."""

    function: str
    pad: str
    consumer: str
    result: str
    outcome: Outcome

    def __str__(self) -> str:
        arrow = f"{self.function}: {self.pad} -> {self.consumer}" + (f" {self.result}" if self.result else "")
        if isinstance(self.outcome, Refused):
            return f"{arrow}: refused ({self.outcome.kind}): {self.outcome.detail}"
        padding = f", padding={list(self.outcome.padding)}" if self.outcome.padding is not None else ""
        return f"{arrow}: folded ({self.outcome.rule}{padding})"


def fold_function(name: str, function: relax.Function) -> tuple[relax.Function, list[Report]]:
    """The function with every foldable pad folded, and what became of each site."""
    function, reports = _drop_identities(name, function)
    body = _Body(function)
    if not body.pads:
        return function, reports
    reports += _fold_consumers(name, body)
    reports += _refusals(name, body)
    return body.rebuilt(), reports


# --- what a function is made of -----------------------------------------------------------------------


class _Body:
    """Bindings of a function, who uses what, and the edits to make."""

    def __init__(self, function: relax.Function) -> None:
        self.function = function
        self.values: dict[relax.Var, Any] = {}
        self.home: dict[relax.Var, Any] = {}
        self.users: dict[relax.Var, dict[Use, None]] = defaultdict(dict)
        self.consumers: list[relax.Var] = []
        self.pads: list[relax.Var] = []
        self.aliases: dict[relax.Var, Any] = {}
        self.in_place = False
        self.replaced: dict[relax.Var, Any] = {}
        self.inserted: dict[relax.Var, list[relax.VarBinding]] = defaultdict(list)
        self.dead: set[relax.Var] = set()
        self._collect(function.body)

    def _collect(self, sequence: relax.SeqExpr) -> None:
        for block in sequence.blocks:
            for binding in block.bindings:
                self.home[binding.var] = block
                self._note(binding)
        self._use(sequence.body, None)

    def _note(self, binding: Any) -> None:
        var, value = binding.var, binding.value
        plain = isinstance(binding, relax.VarBinding)
        self.values[var] = value if plain else None
        name = op_name(value)
        if plain and name in CONSUMERS:
            self.consumers.append(var)
        elif plain and name == PAD:
            self.pads.append(var)
        if isinstance(value, relax.If):
            self._use(value.cond, var)
            self._collect(value.true_branch)
            self._collect(value.false_branch)
        elif isinstance(value, relax.Function):
            self._collect(value.body)
        else:
            self._use(value, var)
        self.in_place = self.in_place or _may_write(value)

    def _use(self, value: Any, user: relax.Var | None) -> None:
        for var, position in _operands(value):
            self.users[var][user, position] = None

    def value(self, expr: Any) -> Any:
        """What ``expr`` stands for: the value its variable is bound to, through aliases; else itself."""
        name = self.alias(expr)
        value = self.values.get(name) if isinstance(name, relax.Var) else None
        return name if value is None else value

    def alias(self, expr: Any) -> Any:
        """The variable that ``expr`` is another name of, or ``expr``."""
        while isinstance(expr, relax.Var) and isinstance(self.values.get(expr), relax.Var):
            expr = self.values[expr]
        return expr

    def visible(self, expr: Any, user: relax.Var | None) -> bool:
        """Whether ``expr`` may be named where ``user`` is bound: dataflow variables are local to their block."""
        if not isinstance(expr, relax.DataflowVar):
            return True
        return user is not None and self.home[expr].same_as(self.home[user])

    def replace(self, var: relax.Var, value: ir.Call) -> None:
        """Bind ``var`` to ``value`` from now on; what only the old value read goes."""
        old = self.values[var]
        self._forget(old, var)
        self.values[var] = self.replaced[var] = value
        self._use(value, var)
        self._bury(old)

    def add(self, var: relax.Var, value: ir.Call, *, behind: relax.Var) -> None:
        """Bind a new variable right behind another one."""
        self.values[var], self.home[var] = value, self.home[behind]
        self._use(value, var)
        self.inserted[behind].append(relax.VarBinding(var, value, value.span))

    def _forget(self, value: Any, user: relax.Var) -> None:
        for var, position in _operands(value):
            self.users[var].pop((user, position), None)

    def _bury(self, value: Any) -> None:
        """Pads, dequantizes and aliases that nothing reads any more go, and what they alone read with them."""
        unread = [var for var, _ in _operands(value)]
        while unread:
            var = unread.pop()
            if not self.users[var] and var not in self.dead and self._removable(var):
                self.dead.add(var)
                self._forget(self.values[var], var)
                unread += [read for read, _ in _operands(self.values[var])]

    def _removable(self, var: relax.Var) -> bool:
        """Only what folding can orphan; an output of a dataflow block without a use is nobody's either."""
        value = self.values.get(var)
        return isinstance(value, relax.Var) or op_name(value) in (PAD, DEQUANTIZE)

    def rebuilt(self) -> relax.Function:
        """The function with all edits made, or itself if there are none."""
        if not (self.replaced or self.dead or self.aliases):
            return self.function
        return _with_body(self.function, self._sequence(self.function.body))

    def _sequence(self, sequence: relax.SeqExpr) -> relax.SeqExpr:
        blocks = [self._block(block) for block in sequence.blocks]
        result = self._substituted(sequence.body)
        if _same(result, sequence.body) and all(map(_same, blocks, sequence.blocks)):
            return sequence
        new = relax.SeqExpr([block for block in blocks if len(block.bindings) > 0], result, sequence.span)
        _update_type(new, sequence.ty)
        return new

    def _block(self, block: relax.BindingBlock) -> relax.BindingBlock:
        bindings = [new for old in block.bindings for new in self._binding(old)]
        if len(bindings) == len(block.bindings) and all(map(_same, bindings, block.bindings)):
            return block
        return type(block)(bindings, block.span)

    def _binding(self, binding: Any) -> Iterator[Any]:
        var = binding.var
        if var not in self.dead and not self._is_substituted(var):
            old = binding.value
            value = self._target(var) if var in self.aliases else self._substituted(self.replaced.get(var, old))
            yield binding if _same(value, old) else _rebound(binding, value)
        for new in self.inserted.get(var, ()):
            yield from self._binding(new)

    def _is_substituted(self, var: relax.Var) -> bool:
        """Whether an alias is written instead of ``var`` everywhere.

        Not where ``var`` leaves its dataflow block and what it stands for cannot: then it stays, bound to that.
        """
        leaves = not isinstance(var, relax.DataflowVar) and isinstance(self._target(var), relax.DataflowVar)
        return var in self.aliases and not leaves

    def _target(self, expr: Any) -> Any:
        while isinstance(expr, relax.Var) and expr in self.aliases:
            expr = self.aliases[expr]
        return expr

    def _substituted(self, value: Any) -> Any:
        """``value`` with aliases in place, types and spans kept; the very same object if nothing changes."""
        if isinstance(value, relax.Var):
            return self._target(value) if self._is_substituted(value) else value
        if isinstance(value, relax.Function):
            body = self._sequence(value.body)
            return value if body.same_as(value.body) else _with_body(value, body)
        if isinstance(value, relax.If):
            parts = self._substituted(value.cond), self._sequence(value.true_branch), self._sequence(value.false_branch)
            kept = all(map(_same, parts, (value.cond, value.true_branch, value.false_branch)))
            return value if kept else _typed(relax.If(*parts, value.span), value)
        if not self.aliases:
            return value
        if isinstance(value, ir.Call):
            args = [self._substituted(arg) for arg in value.args]
            kept = all(map(_same, args, value.args))
            return value if kept else ir.Call(value.op, args, value.attrs, value.ty_args, value.span, value.ty)
        if isinstance(value, relax.Tuple):
            fields = [self._substituted(field) for field in value.fields]
            return value if all(map(_same, fields, value.fields)) else relax.Tuple(fields, value.span)
        if isinstance(value, relax.TupleGetItem):
            source = self._substituted(value.tuple_value)
            return value if _same(source, value.tuple_value) else relax.TupleGetItem(source, value.index, value.span)
        return value


def _operands(value: Any) -> Iterator[tuple[relax.Var, int]]:
    """The variables that a value reads, with the number of the operand where it is a call of variables."""
    if isinstance(value, relax.Var):
        yield value, 0
    elif isinstance(value, ir.Call) and all(isinstance(arg, relax.Var | ir.GenericConst) for arg in value.args):
        yield from ((arg, i) for i, arg in enumerate(value.args) if isinstance(arg, relax.Var))
    else:
        yield from ((var, 0) for var in relax.analysis.free_vars(value))


def _may_write(value: Any) -> bool:
    """Whether a call may write into what it reads: in-place calls, and calls that TVM does not know to be pure."""
    if not isinstance(value, ir.Call):
        return False
    if isinstance(value.op, ir.Op):
        name = str(value.op.name)
        return "inplace" in name or (value.op.get_attr("FPurity") is False and name not in _HARMLESS)
    return isinstance(value.op, relax.ExternFunc) or getattr(value.op.ty, "purity", True) is False


_HARMLESS = ("relax.print", "relax.assert_op")


def _rebound(binding: Any, value: Any) -> Any:
    if isinstance(binding, relax.MatchCast):
        return relax.MatchCast(binding.var, value, binding.ty, binding.span)
    return relax.VarBinding(binding.var, value, binding.span)


def _typed(new: Any, old: Any) -> Any:
    _update_type(new, old.ty)
    return new


def _same(new: Any, old: Any) -> bool:
    return bool(new.same_as(old))


def _with_body(function: relax.Function, body: Any) -> relax.Function:
    return relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs, function.span)


# --- fold ---------------------------------------------------------------------------------------------


def _fold_consumers(name: str, body: _Body) -> Iterator[Report]:
    """Fold in front of every consumer, again and again while a pad stands there."""
    moved: dict[relax.Var, relax.Var] = {}
    for consumer in body.consumers:
        while report := _fold_once(name, body, consumer, moved):
            yield report


def _fold_once(name: str, body: _Body, consumer: relax.Var, moved: dict[relax.Var, relax.Var]) -> Report | None:
    call = body.values[consumer]
    data = body.alias(call.args[0])
    dequantize = body.value(data) if op_name(body.value(data)) == DEQUANTIZE else None
    pad_var = body.alias(dequantize.args[0]) if dequantize is not None else data
    pad = body.value(pad_var)
    if op_name(pad) != PAD:
        return None
    outcome = _decide(body, pad, dequantize, (consumer, 0), data if dequantize is not None else consumer)
    if isinstance(outcome, Refused):
        return None
    operand = pad.args[0]
    if dequantize is not None:
        operand = _moved_dequantize(body, data, dequantize, operand, moved)
    body.replace(consumer, _with_padding(call, operand, outcome))
    return _report(body, name, pad_var, consumer, outcome)


def _decide(body: _Body, pad: Any, dequantize: Any, use: Use, reader: relax.Var | None) -> Outcome:
    """The rules' outcome for the use of a pad; ``reader`` is the binding that will read the pad's input instead."""
    user, operand = use
    consumer = read_consumer(body.values.get(user) if user is not None else None, operand, _place(body, user))
    source = pad.args[0]
    site = read_site(pad, dequantize, consumer, body.value)
    return decide(replace(site, input_visible=body.visible(source, reader), overwritten=body.in_place))


def _place(body: _Body, user: relax.Var | None) -> str:
    """What stands at a use that is no operator: the return, a match_cast, a tuple, ..."""
    if user is None:
        return RETURN
    value = body.values.get(user)
    return "match_cast" if value is None else type(value).__name__.lower()


def _moved_dequantize(
    body: _Body, var: relax.Var, call: ir.Call, operand: Any, moved: dict[relax.Var, relax.Var]
) -> Any:
    """The dequantize of the unpadded tensor, bound once behind that of the padded one."""
    if var not in moved:
        source = operand.ty
        ndim = source.ndim if source.shape is None else -1
        ty = relax.TensorType(source.shape, call.attrs.out_dtype, source.vdevice, ndim)
        moved[var] = type(var)(var.name, ty)
        new = ir.Call(call.op, [operand, *call.args[1:]], call.attrs, call.ty_args, call.span, ty)
        body.add(moved[var], new, behind=var)
    return moved[var]


def _with_padding(call: ir.Call, operand: Any, outcome: Folded) -> ir.Call:
    """The consumer reading ``operand``; all but its padding (and an average pool's flag) is kept, its type too."""
    attrs = {f.name: getattr(call.attrs, f.name) for f in type(call.attrs).__tvm_ffi_type_info__.fields}
    attrs["padding"] = list(outcome.padding or ())
    if outcome.count_include_pad is not None:
        attrs["count_include_pad"] = outcome.count_include_pad
    node = ir.make_node(call.op.attrs_type_key, **attrs)
    return ir.Call(call.op, [operand, *call.args[1:]], node, call.ty_args, call.span, call.ty)


# --- all-zero pads ------------------------------------------------------------------------------------


def _drop_identities(name: str, function: relax.Function) -> tuple[relax.Function, list[Report]]:
    """Delete the pads whose widths are all 0; what read them reads their input."""
    body = _Body(function)
    reports = []
    for var in body.pads:
        pad = body.values[var]
        if read_pad(pad).is_identity and not body.in_place:
            body.aliases[var] = pad.args[0]
            reports.append(_report(body, name, var, None, Folded("identity")))
    return body.rebuilt(), reports


# --- report -------------------------------------------------------------------------------------------


def _refusals(name: str, body: _Body) -> Iterator[Report]:
    """Every use of every pad that is left, and why the pad stays in front of it."""
    for pad_var in body.pads:
        if pad_var in body.dead:
            continue
        pad = body.values[pad_var]
        for use, dequantize, reader in _uses(body, pad_var):
            outcome = _decide(body, pad, dequantize, use, reader)
            if isinstance(outcome, Refused):
                yield _report(body, name, pad_var, use[0], outcome)


def _uses(body: _Body, pad_var: relax.Var) -> Iterator[tuple[Use, Any, relax.Var | None]]:
    """(use, the dequantize in between or None, who would read the pad's input) for every use of a pad."""
    for user, operand in _through_aliases(body, pad_var):
        if user is not None and op_name(body.values[user]) == DEQUANTIZE and operand == 0:
            behind = list(_through_aliases(body, user))
            if behind:
                for use in behind:
                    yield use, body.values[user], user
                continue
        yield (user, operand), None, user


def _through_aliases(body: _Body, var: relax.Var) -> Iterator[Use]:
    names = [var]
    while names:
        for user, operand in body.users[names.pop(0)]:
            if user is not None and isinstance(body.values.get(user), relax.Var):
                names.append(user)
            elif user not in body.dead:
                yield user, operand


def _report(body: _Body, name: str, pad: relax.Var, use: relax.Var | None, outcome: Outcome) -> Report:
    """``use`` is the variable of the consumer, None for the return, or for any consumer of a pad that is deleted."""
    operator = op_name(body.values.get(use)) if use is not None else ""
    consumer = operator.removeprefix("relax.").removeprefix("nn.") or _place(body, use)
    return Report(
        function=name,
        pad=pad.name,
        consumer="any" if isinstance(outcome, Folded) and use is None else consumer,
        result=use.name if use is not None else "",
        outcome=outcome,
    )
