"""The bindings of one Relax function: the value of each variable, its readers, and the edits to make.

A consumer that changes keeps its variable, so its readers, its type and its name stay as they are. A binding is removed
when an edit takes its last use. ``rebuild`` keeps every other binding, block and branch. One walk collects, and one
rebuilds, so that time is linear in the number of bindings.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tvm import ir, relax

from foldproof.fold.effects import Effects
from foldproof.fold.facts import PadFacts, Step
from foldproof.fold.reader import CALL_TIR, CONSUMERS, PAD, STEPS, data_of_pad, op_name, read_pad, read_step
from foldproof.fold.varmap import VarMap

Use = tuple[relax.Var | None, int]
"""Who reads a variable, and as which operand; None is the function's result."""


def _key(user: relax.Var | None, position: int) -> tuple[int, int]:
    return (0 if user is None else user.__chandle__(), position)


PrimPads = Callable[[ir.GlobalVar], PadFacts | None]
"""The facts of the PrimFunc that a ``call_tir`` calls, if that is a pad."""


def has_pads(sequence: relax.SeqExpr, prim_pads: PrimPads) -> bool:
    """Return whether a function's body, its branches or local functions hold a pad of either form: one plain walk."""
    return any(_is_pad(op_name(value), value, prim_pads) for value in _all_values(sequence))


def _is_pad(name: str, value: Any, prim_pads: PrimPads) -> bool:
    return name == PAD or _pad_facts(name, value, prim_pads) is not None


def _all_values(sequence: relax.SeqExpr) -> Iterator[Any]:
    for block in sequence.blocks[:]:
        for binding in block.bindings[:]:
            value = binding.value
            yield value
            if isinstance(value, relax.If):
                yield from _all_values(value.true_branch)
                yield from _all_values(value.false_branch)
            elif isinstance(value, relax.Function):
                yield from _all_values(value.body)


def _pad_facts(name: str, value: Any, prim_pads: PrimPads) -> PadFacts | None:
    """Return the facts of a pad of either form, None for anything else."""
    if name == PAD:
        return read_pad(value)
    if name != CALL_TIR or len(value.args) != 2:
        return None
    tuple_ = value.args[1]  # of more than one there are scalars among them, that the kernel is called with
    return prim_pads(value.args[0]) if isinstance(tuple_, relax.Tuple) and len(tuple_.fields) == 1 else None


class Bindings:
    """The bindings of a function, the readers of each, and the edits to make."""

    def __init__(self, function: relax.Function, prim_pads: PrimPads, effects: Effects | None = None) -> None:
        self.function = function
        self.prim_pads = prim_pads
        self.effects = None if effects is None else effects(function)
        self.values: VarMap[Any] = VarMap()
        self.home: VarMap[Any] = VarMap()
        self._users: VarMap[dict[tuple[int, int], Use]] = VarMap()
        self.consumers: list[relax.Var] = []
        self.pads: list[relax.Var] = []
        self.aliases: VarMap[Any] = VarMap()
        self.replaced: VarMap[Any] = VarMap()
        self.inserted: VarMap[list[relax.VarBinding]] = VarMap()
        self.preceding: VarMap[list[relax.VarBinding]] = VarMap()
        self._facts: VarMap[PadFacts] = VarMap()
        self._reads: VarMap[list[tuple[relax.Var, int]]] = VarMap()
        self._sources: VarMap[Any] = VarMap()
        self._steps: VarMap[tuple[Step, int] | None] = VarMap()
        self.dead: VarMap[bool] = VarMap()
        self._collect(function.body)

    def _collect(self, sequence: relax.SeqExpr) -> None:
        for block in sequence.blocks[:]:
            for binding in block.bindings[:]:
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
        elif plain:
            self._note_pad(name, var, value)
        if isinstance(value, relax.If):
            self._use(value.cond, var)
            self._collect(value.true_branch)
            self._collect(value.false_branch)
        elif isinstance(value, relax.Function):
            self._collect(value.body)
        else:
            self._use(value, var)

    def _note_pad(self, name: str, var: relax.Var, value: Any) -> None:
        facts = _pad_facts(name, value, self.prim_pads)
        if facts is not None:
            self._facts[var] = facts
            self.pads.append(var)

    def _use(self, value: Any, user: relax.Var | None) -> None:
        reads = _operands(value)
        if user is not None:
            self._reads[user] = reads
        for var, position in reads:
            self._users.setdefault(var, {})[_key(user, position)] = (user, position)

    @property
    def in_place(self) -> bool:
        """Whether any call of the module may write: for rules that do not ask ``crossing`` which tensor."""
        return self.effects is not None

    def users(self, var: relax.Var) -> list[Use]:
        """Return the readers of ``var``, in the order of the bindings."""
        return list(self._users.get(var, {}).values())

    def value(self, expr: Any) -> Any:
        """Return the value that ``expr`` is bound to, through aliases, or ``expr`` itself."""
        name = self.alias(expr)
        value = self.values.get(name)
        return name if value is None else value

    def alias(self, expr: Any) -> Any:
        """Return the variable that ``expr`` is another name of, or ``expr``."""
        while isinstance(expr, relax.Var) and isinstance(self.values.get(expr), relax.Var):
            expr = self.values[expr]
        return expr

    def pad(self, var: Any) -> PadFacts | None:
        """Return the facts of the pad that ``var`` is bound to, None if it is not a pad."""
        return self._facts.get(var)

    def source(self, pad: relax.Var) -> Any:
        """Return the tensor that the pad ``pad`` pads."""
        if pad not in self._sources:
            self._sources[pad] = data_of_pad(self.values[pad])
        return self._sources[pad]

    def step(self, var: Any) -> tuple[Step, int] | None:
        """Return the facts of the step that ``var`` is bound to, and the number of its data operand, or None."""
        if var not in self._steps:
            self._steps[var] = read_step(self.values.get(var), self.value, self.pad(var))
        return self._steps[var]

    def visible(self, expr: Any, user: relax.Var | None) -> bool:
        """Return whether ``expr`` may be named where ``user`` is bound: dataflow variables are local to their block."""
        if not isinstance(expr, relax.DataflowVar):
            return True
        return user is not None and self.home[expr].same_as(self.home[user])

    def replace(self, var: relax.Var, value: ir.Call) -> None:
        """Bind ``var`` to ``value`` from now on, and remove what only the old value read."""
        unread = self._forget(var)
        self._sources.pop(var)
        self._steps.pop(var)
        if self._facts.get(var) is not None:  # a pad becomes another one, see ``_merge_neighbours``
            self._facts[var] = read_pad(value)
        self.values[var] = self.replaced[var] = value
        self._use(value, var)
        self._bury(unread)

    def add(self, var: relax.Var, value: ir.Call, *, after: relax.Var) -> None:
        """Bind a new variable right after another one."""
        self._add(var, value, after)
        self.inserted.setdefault(after, []).append(relax.VarBinding(var, value, value.span))

    def precede(self, name: str, value: ir.Call, *, before: relax.Var) -> relax.Var:
        """Bind a new variable, which nothing but ``before`` needs to see, right before that one."""
        local = isinstance(self.home[before], relax.DataflowBlock)
        var = (relax.DataflowVar if local else relax.Var)(name, value.ty)
        self._add(var, value, before)
        self.preceding.setdefault(before, []).append(relax.VarBinding(var, value, value.span))
        return var

    def _add(self, var: relax.Var, value: ir.Call, neighbour: relax.Var) -> None:
        self.values[var], self.home[var] = value, self.home[neighbour]
        self._use(value, var)
        self._note_pad(op_name(value), var, value)

    def _forget(self, user: relax.Var) -> list[relax.Var]:
        """Remove ``user`` from the readers of its operands, and return these."""
        reads = self._reads[user]
        for var, position in reads:
            del self._users[var][_key(user, position)]
        return [var for var, _ in reads]

    def _bury(self, unread: list[relax.Var]) -> None:
        """Remove the pads, steps and aliases that nothing reads any more, and then what only they read."""
        while unread:
            var = unread.pop()
            if not self._users.get(var) and var not in self.dead and self._removable(var):
                self.dead[var] = True
                unread += self._forget(var)

    def _removable(self, var: relax.Var) -> bool:
        """Return whether a fold can orphan ``var``. An output of a dataflow block without a reader counts, too."""
        value = self.values.get(var)
        return isinstance(value, relax.Var) or self.pad(var) is not None or op_name(value) in STEPS


_PLAIN = (relax.Var, ir.GenericConst)


def _operands(value: Any) -> list[tuple[relax.Var, int]]:
    """Return the variables that a value reads, each with its operand number if the value is a call of variables."""
    if isinstance(value, relax.Var):
        return [(value, 0)]
    args = value.args[:] if isinstance(value, ir.Call) else [None]  # a slice is five times as fast as an iterator here
    if all(isinstance(arg, _PLAIN) for arg in args):
        return [(arg, i) for i, arg in enumerate(args) if isinstance(arg, relax.Var)]
    return [(var, 0) for var in relax.analysis.free_vars(value)]
